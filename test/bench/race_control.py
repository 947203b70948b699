# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_control.py - the controllers: who drives KSM during a run, each by its own means

All begin from the kernel's own defaults with nothing merged (reset()). attach() is called before
the first guest starts, detach() after the last sample; pid is that of the controller's process, for
those that have one.
"""
import glob
import os
import signal
import subprocess
import threading
import time

from vktest import Daemon, Domain, ksm, wait_until
from vktest.host import RUN_DIR, build_path
from race_sample import find_ksmd, memory_of, run_time_ns

# Source: Linux mm/ksm.c, the initial values of these variables
DEFAULTS = {"pages_to_scan": 100, "sleep_millisecs": 20, "smart_scan": 1, "use_zero_pages": 0,
            "advisor_target_scan_time": 200, "advisor_max_cpu": 70,
            "advisor_min_pages_to_scan": 500, "advisor_max_pages_to_scan": 30000}
FLAT_OUT = {"pages_to_scan": 4000, "sleep_millisecs": 0}
ADVISOR_TARGET_SECONDS = 20
# A pause that nobody waits for.
PARK_MS = 3600000
WARM_PASSES = 3


def reset():
    """Nothing merged, nothing remembered, all settings the kernel's own, stopped."""
    if ksm.read("advisor_mode") is not None:
        ksm.write("advisor_mode", "none")
    ksm.write("run", 2)
    ksm.write("run", 0)
    for name, value in DEFAULTS.items():
        if ksm.read(name) is not None:
            ksm.write(name, value)


class Settings:
    """No program at all: the kernel with fixed settings."""

    def __init__(self, **settings):
        self._settings = settings
        self.pid = None

    def attach(self):
        for name, value in dict(self._settings, run=1).items():
            ksm.write(name, value)

    def memory(self):
        return {}

    def detach(self):
        ksm.write("run", 0)


class Schedule(Settings):
    """One pass every so many seconds, whatever happens: what there is to gain from choosing.

    A batch as large as memory is the rest of a pass, and another pause wakes ksmd for it.
    """

    def __init__(self, every):
        super().__init__(pages_to_scan=2 ** 31, sleep_millisecs=PARK_MS)
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def _beat(self):
        beat = 0
        while not self._stop.wait(self._every):
            beat = 1 - beat
            ksm.write("sleep_millisecs", PARK_MS + beat)

    def attach(self):
        super().attach()
        self._thread.start()

    def detach(self):
        self._stop.set()
        self._thread.join()
        super().detach()


class Advisor(Settings):
    """The kernel's advisor: cold is switched on when the load comes, warm has seen passes."""

    def __init__(self, warm):
        super().__init__(advisor_mode="scan-time",
                         advisor_target_scan_time=ADVISOR_TARGET_SECONDS)
        self._warm = warm

    def attach(self):
        super().attach()
        if self._warm:
            # The kernel does not count passes when there is nothing to scan. This guest stays: a
            # warm host has some. Its content is nobody else's.
            Domain("race-warm", 64, {"unique": 32, "seed": 2000}).start()
            ksm.wait_full_scans(WARM_PASSES, 120)


class Agent:
    """virtksmd, without the working sets, which have a budget of their own and nothing to do here."""

    def __init__(self, mode, options, config=""):
        self._daemon = Daemon("--mode", mode,
                              config="[working_set]\nenable = false\n[ksm]\n" + config)
        if options.virtksmd:
            command = self._daemon.command
            self._daemon.command = lambda *args: [options.virtksmd] + command(*args)[1:]

    def attach(self):
        self._daemon.start()

    @property
    def pid(self):
        return self._daemon.pid

    def memory(self):
        return memory_of(self.pid)

    def detach(self):
        self._daemon.close()


class Ksmtuned:
    """Debian's ksmtuned. It reads its settings from the environment, too."""

    def __init__(self, **settings):
        self._pid_file = RUN_DIR + "/ksmtuned.pid"
        self._environment = dict(os.environ, PIDFILE=self._pid_file,
                                 **{name: str(value) for name, value in settings.items()})
        self._process = None
        self.pid = None

    @staticmethod
    def _script():
        """The script of the package, which needs not be installed for that."""
        folder = build_path("ksmtuned")
        script = folder + "/tree/usr/sbin/ksmtuned"
        if not os.path.exists(script):
            os.makedirs(folder, exist_ok=True)
            subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download",
                            "ksmtuned"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            package = glob.glob(folder + "/ksmtuned_*.deb")[0]
            subprocess.run(["dpkg-deb", "-x", package, folder + "/tree"], check=True)
        return script

    def attach(self):
        # It goes to the background by itself; its session is how to find all of it again.
        self._process = subprocess.Popen(["bash", self._script()], env=self._environment,
                                         start_new_session=True, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._process.wait(20)
        with open(self._pid_file, encoding="ascii") as file:
            self.pid = int(file.read())

    def memory(self):
        return memory_of(self.pid)

    def detach(self):
        try:
            os.killpg(self._process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        ksm.write("run", 0)


class Floor(Settings):
    """Two passes, flat out, over guests that are filled: the least that merging costs.

    Not in the race: it says what the load costs on this machine at this hour.
    """

    def __init__(self):
        super().__init__(**FLAT_OUT)

    def attach(self):
        pass

    @staticmethod
    def two_passes():
        """ksmd's seconds. The cursor stands at the beginning: nothing has been scanned yet."""
        ksmd, goal = find_ksmd(), ksm.read("full_scans") + 2
        before = run_time_ns(ksmd)
        for name, value in dict(FLAT_OUT, run=1).items():
            ksm.write(name, value)
        deadline = time.monotonic() + 300
        while ksm.read("full_scans") < goal:
            if time.monotonic() > deadline:
                raise AssertionError("two passes took more than 300 s")
            time.sleep(0.005)
        ksm.write("run", 0)
        return (run_time_ns(ksmd) - before) / 1e9


CONTROLLERS = {
    "auto": lambda options, load: Agent("auto", options, load.config),
    "classic": lambda options, load: Agent("classic", options),
    "default": lambda options, load: Settings(),
    "flat": lambda options, load: Settings(**FLAT_OUT),
    "advisor-cold": lambda options, load: Advisor(False),
    "advisor-warm": lambda options, load: Advisor(True),
    "ksmtuned": lambda options, load: Ksmtuned(),
    # As a host short of memory has it: what is free is under the threshold.
    "ksmtuned-raised": lambda options, load: Ksmtuned(KSM_THRES_COEF=100),
    "every-1s": lambda options, load: Schedule(1),
    "every-2s": lambda options, load: Schedule(2),
    "every-4s": lambda options, load: Schedule(4),
    "every-8s": lambda options, load: Schedule(8),
    "floor": lambda options, load: Floor(),
}


# Nobody's: between them lies what memory that is saved earlier costs on a load. Not in the race.
SCHEDULES = tuple(name for name in CONTROLLERS if name.startswith("every-"))


def wait_clean():
    """Nothing is shared any more, so the next run begins where the last one did."""
    wait_until(lambda: ksm.read("pages_sharing") == 0, "no page is shared", 30)
