# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_load.py - the loads: which guests start when, and for how long they are watched

Two kinds of guest: "linux" boots the kernel of the demo, which takes seconds and changes memory all
the while; "tiny" is the guest of the tests, whose memory is known to the page. What a load asks of
a guest are the parameters of packaging/demo/init or of test/support/guest/main.c.

Loads whose name ends in "-held" are held out: no controller is tuned on them. They are there to
show whether what was learnt on the others holds elsewhere.
"""
import os
import shutil
import subprocess
import threading
import time
from collections import namedtuple

from vktest import Domain
from vktest.host import RUN_DIR, SOURCE_DIR, build_path

# name     as on the command line
# what     one line for the report
# guests   a Guest for each
# gap      seconds between two starts; 0: all at once
# window   seconds from the first start to the end of the run
# short    the same with --short
# mark     what the last guest prints when the clock for "after fill" starts; None: when the memory
#          has been filled
# gain     MiB that are to be saved by construction, where no controller may find them; 0: what the
#          best of them saves
# config   lines for [ksm] of virtksmd in mode auto
Load = namedtuple("Load", "name what guests gap window short mark gain config")
Guest = namedtuple("Guest", "kind memory_mib content")


def _load(name, what, guests, gap=0, window=300, short=60, mark=None, gain=0, config=""):
    return Load(name, what, guests, gap, window, short, mark, gain, config)


def _linux(count, memory_mib=256, common=64, unique=32):
    content = {"demo.common": common, "demo.unique": unique}
    return [Guest("linux", memory_mib, content)] * count


def _tiny(count, memory_mib, **content):
    """Guests with seeds of their own. A QEMU process of theirs has about 40 MiB beside that."""
    return [Guest("tiny", memory_mib, dict(content, seed=seed + 1)) for seed in range(count)]


_BURST = _linux(6)
_LARGE = _tiny(4, 1536, common=760, unique=456, volatile=304, rate=4000)

LOADS = {load.name: load for load in (
    _load("burst", "six Linux guests of 256 MiB at once", _BURST),
    _load("trickle", "a Linux guest of 256 MiB every 15 s, six", _BURST, gap=15, short=105),
    _load("large", "4 x 1.5 GiB: 50 % identical, 30 % unique, 20 % volatile", _LARGE),
    _load("unique", "4 x 512 MiB, all unique: nothing to gain", _tiny(4, 512, unique=480)),
    _load("late", "4 x 256 MiB, unique for 90 s (short: 30 s) after they are filled, then equal",
          _tiny(4, 256, common=16, unique=192, late=90), window=420, short=120, mark="LATE",
          gain=3 * 208),
    _load("churn", "4 x 256 MiB, of which 96 are rewritten for ever with content that all have",
          _tiny(4, 256, common=96, unique=32, churn=96, churnrate=200), window=420, short=90),
    _load("rest", "the burst, and ten minutes after it has been merged", _BURST, window=660,
          short=120),
    _load("cap", "large, with cpu_burst = 25", _LARGE, window=300, short=150,
          config="cpu_burst = 25\n"),
    _load("burst-held", "nine Linux guests of 192 MiB at once",
          _linux(9, 192, common=48, unique=16)),
    _load("large-held", "3 x 2 GiB: 30 % identical, 60 % unique, 10 % volatile",
          _tiny(3, 2048, common=600, unique=1200, volatile=200, rate=2000)),
)}

_FILLED = {"linux": "demo-guest: filled", "tiny": "READY"}
# What replaces a guest's parameter with --short.
_SHORT = {"late": 30}


def _bash(function, *args):
    script = '. "$1/packaging/demo/libvirtd.sh" && . "$1/packaging/demo/guest.sh" && shift && "$@"'
    done = subprocess.run(["bash", "-c", script, "bash", SOURCE_DIR, function] + list(args),
                          stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return done.stdout


def prepare_linux():
    """Makes the Linux guest if need be, and puts it where QEMU's user can read it."""
    made = build_path("demo")
    os.makedirs(made, exist_ok=True)
    _bash("guest_build", made)
    for name in ("vmlinuz", "initramfs"):
        shutil.copy(os.path.join(made, name), RUN_DIR)


class RunningGuest:
    """A domain with the moments at which it was started and said things, in seconds of the run."""

    def __init__(self, guest, number, is_short):
        content = dict(guest.content)
        if is_short:
            content.update((key, value) for key, value in _SHORT.items() if key in content)
        name = "race-%d" % number
        self.kind = guest.kind
        self.times = {}
        self.pid = None
        if guest.kind == "tiny":
            self.domain = Domain(name, guest.memory_mib, content)
        else:
            self.domain = Domain(name, guest.memory_mib)
            words = " ".join("%s=%d" % pair for pair in content.items())
            self.domain.xml = _bash("guest_xml", self.domain.name, str(guest.memory_mib), "tcg",
                                    RUN_DIR, self.domain.console, words)

    def look(self, seconds, mark):
        """Notes what is new: the process, and what the console says."""
        if self.pid is None:
            try:
                self.pid = self.domain.pid
            except (OSError, ValueError):
                return
        text = None
        for name, word in (("filled", _FILLED[self.kind]), ("mark", mark)):
            if word and name not in self.times:
                text = self.domain.console_text() if text is None else text
                if word in text:
                    self.times[name] = round(seconds, 3)


class Starter:
    """Starts the guests of a load in threads of its own, so that sampling goes on."""

    def __init__(self, load, is_short):
        self.guests = [RunningGuest(guest, number, is_short)
                       for number, guest in enumerate(load.guests)]
        self.errors = []
        self._gap = load.gap
        self._stop = threading.Event()
        self._threads = []

    def start(self):
        begin = time.monotonic()
        for number, guest in enumerate(self.guests):
            thread = threading.Thread(target=self._start_one,
                                      args=(guest, begin, number * self._gap))
            self._threads.append(thread)
            thread.start()

    def _start_one(self, guest, begin, after):
        if self._stop.wait(max(0, begin + after - time.monotonic())):
            return
        try:
            guest.times["start"] = round(time.monotonic() - begin, 3)
            guest.domain.start(wait=False)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            self.errors.append(str(error))

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
