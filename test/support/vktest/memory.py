# SPDX-License-Identifier: LGPL-2.1-or-later
"""memory.py - a host that is short of memory, and what its kernel says of a domain's

    Hog      a process that has memory and does nothing with it
    Swap     compressed memory as swap
    Hidden   a file that the kernel seems not to have
    Cgroup   the files of a domain's memory cgroup, version 2
    Course   what they read, many times a second, for as long as a test watches
"""
import os
import re
import signal
import subprocess
import sys
import threading
import time

from .wait import wait_until

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
MOUNT = "/sys/fs/cgroup"
ZRAM = "/sys/block/zram0"

# What the agent bears with is as shipped; it only goes faster than it does by itself. A host of
# which SHORT_SHARE is available is short.
SHORT_SHARE = 0.5
DWELL_SECONDS = 4
LEASE_SECONDS = 5
SHORT = """\
[agent]
memory_tight = 60
calm_s = 2
[balloon]
floor = 50
[memory_high]
enable = yes
step = 20
dwell_s = %d
lease_s = %d
""" % (DWELL_SECONDS, LEASE_SECONDS)

HOLD = """\
import mmap, signal, sys
held = mmap.mmap(-1, int(sys.argv[1]), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
print("held", flush=True)
signal.pause()
"""


def has_cgroup_v2():
    return os.path.exists(MOUNT + "/cgroup.controllers")


def of_host(name):
    """A figure of /proc/meminfo, in bytes."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return 1024 * int(re.search(r"^%s:\s+(\d+) kB" % name, file.read(), re.M).group(1))


def available_share():
    """Of the host's memory, what is available; 1: all of it."""
    return of_host("MemAvailable") / of_host("MemTotal")


class Hog:
    """Has so much memory that less than this share of the host's is available."""

    def __init__(self, share):
        spare = (available_share() - share) * of_host("MemTotal")
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, "%d" % max(spare, PAGE)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "held\n":
            raise AssertionError("no %d MiB to hold" % (spare // MIB))

    def close(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


class Swap:
    """Between open() and close() the host has so much swap that is memory, compressed."""

    def __init__(self, mib):
        self.mib = mib

    def open(self):
        subprocess.run(["modprobe", "zram", "num_devices=1"], check=True)
        wait_until(lambda: os.path.exists("/dev/zram0"), "there is a /dev/zram0")
        with open(ZRAM + "/disksize", "w", encoding="ascii") as file:
            file.write("%dM\n" % self.mib)
        subprocess.run(["mkswap", "/dev/zram0"], stdout=subprocess.DEVNULL, check=True)
        subprocess.run(["swapon", "/dev/zram0"], check=True)
        return self

    def close(self):
        subprocess.run(["swapoff", "/dev/zram0"], check=True)
        with open(ZRAM + "/reset", "w", encoding="ascii") as file:
            file.write("1\n")


class Hidden:
    """A file that a daemon which starts later cannot write, as if the kernel did not have it."""

    def __init__(self, path):
        self.path = path

    def open(self):
        subprocess.run(["mount", "--bind", self.path, self.path], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", self.path], check=True)
        return self

    def close(self):
        # Lazily: a daemon with a view of its own of the files may still have it open.
        subprocess.run(["umount", "--lazy", self.path], check=True)


class Cgroup:
    """Where libvirt sets a domain's limits: not QEMU's own cgroup, but one above it."""

    def __init__(self, pid):
        with open("/proc/%d/cgroup" % pid, encoding="utf-8") as file:
            path = re.search(r"^0::(.*)", file.read(), re.M).group(1)
        self.path = MOUNT + path[:path.index("/libvirt")] + "/libvirt"

    def text(self, name):
        with open("%s/%s" % (self.path, name), encoding="ascii") as file:
            return file.read()

    def number(self, name):
        """None: no limit."""
        text = self.text(name).strip()
        return None if text == "max" else int(text)

    def stat(self, name="memory.stat"):
        """memory.stat, or another such file, as a dictionary."""
        return {name: int(value) for name, value in
                (line.split() for line in self.text(name).splitlines())}

    def stall_us(self):
        return int(re.search(r"^some .* total=(\d+)", self.text("memory.pressure"), re.M).group(1))

    def look(self):
        """What is stolen is what somebody asked for; kswapd, which serves the host, is left out."""
        stat = self.stat()
        return {"at": time.monotonic(), "current": self.number("memory.current"),
                "high": self.number("memory.high"), "stolen": stat["pgsteal_direct"],
                "swap": self.number("memory.swap.current"), "stall_us": self.stall_us(),
                "highs": self.stat("memory.events")["high"],
                "refaults": stat["workingset_refault_anon"] + stat["workingset_refault_file"]}


class Course:
    """Looks at a cgroup until it is ended. Its looks are those of Cgroup.look()."""

    PAUSE = 0.05

    def __init__(self, cgroup):
        self.looks = []
        self._cgroup = cgroup
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._end.wait(self.PAUSE):
            self.looks.append(self._cgroup.look())

    def end(self):
        """Ends it, the first time. Returns its looks."""
        self._end.set()
        self._thread.join()
        return self.looks
