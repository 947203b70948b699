# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_sample.py - what is written down a few times a second during a run

One sample is a row of numbers, see FIELDS. It costs some small files of /proc and /sys, which do
not depend on how large the guests are.

The guests' memory is their resident anonymous memory: a page that KSM merged is still counted
there, one that it replaced by the kernel's zero page is not.
Source: Linux mm/ksm.c, replace_page()
"""
import os

FIELDS = ("seconds", "resident_kib", "pages_sharing", "pages_shared", "zero_pages", "full_scans",
          "ksmd_ns", "agent_ns")
TICK_NS = 10 ** 9 // os.sysconf("SC_CLK_TCK")
KSM_DIRECTORY = "/sys/kernel/mm/ksm/"


def read_text(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def ksm_number(name):
    """A counter of KSM; 0 where this kernel does not count that."""
    try:
        return int(read_text(KSM_DIRECTORY + name))
    except FileNotFoundError:
        return 0


def find_ksmd():
    """The kernel thread's pid. Its parent tells it from a program that took the name."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name, _, rest = read_text("/proc/%s/stat" % pid).partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "ksmd" and rest.split()[1] == "2":
            return int(pid)
    raise AssertionError("no ksmd on this host")


def run_time_ns(pid):
    """Exact run time of a single thread."""
    return int(read_text("/proc/%d/schedstat" % pid).split()[0])


def process_ns(pid):
    """Run time of a process and of its children that have ended; 0 when there is none."""
    try:
        fields = read_text("/proc/%d/stat" % pid).rpartition(")")[2].split()
    except OSError:
        return 0
    return TICK_NS * sum(int(field) for field in fields[11:15])


def _field_kib(path, names):
    total = 0
    for line in read_text(path).splitlines():
        name, _, value = line.partition(":")
        if name in names:
            total += int(value.split()[0])
    return total


def resident_kib(pid):
    """Resident anonymous memory; 0 for a process that is gone."""
    try:
        return _field_kib("/proc/%d/status" % pid, ("RssAnon",))
    except OSError:
        return 0


def memory_of(pid):
    """Resident and private memory in KiB. Walks the page tables: not for the regular samples.

    Clean pages of a library are private only while no other process has them mapped, so private_kib
    depends on the neighbours; dirty_kib does not.
    """
    path = "/proc/%d/smaps_rollup" % pid
    return {"rss_kib": _field_kib(path, ("Rss",)),
            "private_kib": _field_kib(path, ("Private_Clean", "Private_Dirty")),
            "dirty_kib": _field_kib(path, ("Private_Dirty",))}


class Sampler:
    """Takes samples of the host, of guests that appear one after the other, and of an agent."""

    def __init__(self, agent_pid):
        self._ksmd = find_ksmd()
        self._agent = agent_pid

    def sample(self, seconds, guest_pids):
        return [round(seconds, 3), sum(resident_kib(pid) for pid in guest_pids),
                ksm_number("pages_sharing"), ksm_number("pages_shared"),
                ksm_number("ksm_zero_pages"), ksm_number("full_scans"),
                run_time_ns(self._ksmd), process_ns(self._agent) if self._agent else 0]
