# SPDX-License-Identifier: LGPL-2.1-or-later
"""reclaim_host.py - a limit on the cgroup that libvirt puts domains into, and swap behind it"""
import os
import subprocess

from vktest.host import build_path

MIB = 2 ** 20
SWAP_MIB = 2048
# Group, file of its limit, and what lifts it: version 1 and 2, without systemd and with it
PLACES = (
    ("/sys/fs/cgroup/memory/machine", "memory.limit_in_bytes", "-1"),
    ("/sys/fs/cgroup/memory/machine.slice", "memory.limit_in_bytes", "-1"),
    ("/sys/fs/cgroup/machine", "memory.max", "max"),
    ("/sys/fs/cgroup/machine.slice", "memory.max", "max"),
)


class Limit:
    """What libvirt's group may use, while in force; libvirt makes the group with the first domain.
    """

    def __init__(self, mib):
        self._bytes = mib * MIB
        self._path = None
        self._none = None

    def set(self):
        for group, name, none in PLACES:
            path = os.path.join(group, name)
            if os.path.exists(path):
                self._path, self._none = path, none
                self._write(str(self._bytes))
                return
        raise AssertionError("there is no memory cgroup of domains: none of %s" %
                             ", ".join(group for group, _, _ in PLACES))

    def killed(self):
        """How many processes in the group the kernel has killed for want of memory."""
        name = "memory.oom_control" if self._is_v1() else "memory.events"
        return int(dict(line.split() for line in self._text(name).splitlines())["oom_kill"])

    def used(self):
        """What the group is charged for, and what of it is in swap and in huge pages; MiB."""
        is_v1 = self._is_v1()
        stat = dict(line.split() for line in self._text("memory.stat").splitlines())
        charged = self._text("memory.usage_in_bytes" if is_v1 else "memory.current")
        swapped = stat["total_swap"] if is_v1 else self._text("memory.swap.current")
        huge = stat["total_rss_huge" if is_v1 else "anon_thp"]
        return [round(int(text) / MIB) for text in (charged, swapped, huge)]

    def _is_v1(self):
        return self._path.endswith("limit_in_bytes")

    def _text(self, name):
        with open(os.path.join(os.path.dirname(self._path), name), encoding="ascii") as file:
            return file.read()

    def lift(self):
        if self._path and os.path.exists(self._path):
            self._write(self._none)

    def _write(self, text):
        with open(self._path, "w", encoding="ascii") as file:
            file.write(text)


class Swap:
    """A file to swap to."""

    def __init__(self):
        self._path = build_path("reclaim.swap")

    def on(self):
        subprocess.run(["fallocate", "-l", "%dM" % SWAP_MIB, self._path], check=True)
        os.chmod(self._path, 0o600)
        subprocess.run(["mkswap", self._path], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["swapon", self._path], check=True)

    def off(self):
        with open("/proc/swaps", encoding="ascii") as file:
            is_on = self._path in file.read()
        if is_on:
            subprocess.run(["swapoff", self._path], check=True)
        if os.path.exists(self._path):
            os.unlink(self._path)


def swapped_pages():
    """Pages that the host has swapped in and out since its boot."""
    with open("/proc/vmstat", encoding="ascii") as file:
        figures = dict(line.split() for line in file)
    return int(figures["pswpin"]), int(figures["pswpout"])


def memory_stall_us():
    """Time in which some task of the host waited for memory, since its boot."""
    with open("/proc/pressure/memory", encoding="ascii") as file:
        return int(file.readline().rpartition("total=")[2])
