# SPDX-License-Identifier: LGPL-2.1-or-later
"""ksm.py - KSM's knobs and counters, of the host and of a process"""
import os
import time

from .wait import PATIENCE, wait_until

DIRECTORY = "/sys/kernel/mm/ksm"

# Knobs in the order in which they can be written back: the advisor owns pages_to_scan while it is
# on, and "run" starts everything. What is missing here is a counter or cannot be changed while
# pages are shared. Source: Documentation/admin-guide/mm/ksm.rst
KNOBS = (
    "advisor_max_cpu", "advisor_max_pages_to_scan", "advisor_min_pages_to_scan",
    "advisor_target_scan_time", "pages_to_scan", "sleep_millisecs", "smart_scan",
    "stable_node_chains_prune_millisecs", "use_zero_pages", "max_page_sharing",
    "merge_across_nodes", "advisor_mode", "run",
)


def available():
    return os.path.isdir(DIRECTORY) and os.access(DIRECTORY + "/run", os.W_OK)


def read(name):
    """A knob or counter as a number; None when this kernel has no such file.

    advisor_mode is text: the word in brackets.
    """
    try:
        with open("%s/%s" % (DIRECTORY, name), encoding="ascii") as file:
            text = file.read().strip()
    except FileNotFoundError:
        return None
    if "[" in text:
        return text[text.index("[") + 1:text.index("]")]
    return int(text)


def read_all():
    """Every file of the directory, by name."""
    return {name: read(name) for name in os.listdir(DIRECTORY)}


def write(name, value):
    with open("%s/%s" % (DIRECTORY, name), "w", encoding="ascii") as file:
        file.write("%s\n" % value)


def knobs():
    """The settings that a test may change, to be given to restore()."""
    return {name: read(name) for name in KNOBS if read(name) is not None}


def restore(saved):
    """Makes the knobs what knobs() found. Domains of the test must be gone.

    If KSM was stopped, what is left merged is unmerged: it can only be the test's.
    """
    if saved["run"] == 0:
        write("run", 2)
    if "advisor_mode" in saved:
        write("advisor_mode", "none")
    for name in KNOBS:
        if name in saved and read(name) != saved[name]:
            write(name, saved[name])


def drive(pages_to_scan=5000, sleep_millisecs=20, **others):
    """Starts KSM by hand, for tests without the daemon. Knobs that the kernel lacks are left out.
    """
    if read("advisor_mode") is not None:
        write("advisor_mode", "none")
    for name, value in dict(others, pages_to_scan=pages_to_scan, sleep_millisecs=sleep_millisecs,
                            run=1).items():
        if read(name) is not None:
            write(name, value)


def wait_full_scans(number, seconds=60):
    """Waits until all mergeable memory has been scanned that many times more.

    The kernel does not count scans while there is none at all.
    """
    goal = read("full_scans") + number
    wait_until(lambda: read("full_scans") >= goal,
               lambda: "%d full scans; now %s" % (number, knobs()), seconds)


def wait_settled(seconds=60):
    """Waits until KSM has nothing more to merge.

    What is new is reached in the first or second scan, remembered in one and merged in the next,
    so nothing new in two scans after three is the end.
    """
    deadline = time.monotonic() + seconds * PATIENCE
    wait_full_scans(3, seconds)
    merged = None
    while merged != read("pages_sharing"):
        merged = read("pages_sharing")
        wait_full_scans(2, max(1, deadline - time.monotonic()))


def of_process(pid):
    """What the kernel says about KSM in one process, by the kernel's names.

    "ksm_merging_pages" is always there; what else there is depends on the kernel.
    """
    result = {}
    with open("/proc/%d/ksm_stat" % pid, encoding="ascii") as file:
        for line in file:
            name, value = line.replace(":", "").split()
            result[name] = {"yes": True, "no": False}.get(value, None)
            if result[name] is None:
                result[name] = int(value)
    with open("/proc/%d/ksm_merging_pages" % pid, encoding="ascii") as file:
        result["ksm_merging_pages"] = int(file.read())
    return result
