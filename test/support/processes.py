# SPDX-License-Identifier: LGPL-2.1-or-later
"""processes.py - what the kernel says of processes that a test has not started itself"""
import os


def _fields(pid):
    """Of /proc/PID/stat, from the state on; None: there is no such process."""
    try:
        with open("/proc/%s/stat" % pid, encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def children(pid):
    """Processes that the process has started and that have not ended."""
    found = []
    for name in os.listdir("/proc"):
        fields = _fields(name) if name.isdigit() else None
        if fields and int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(name))
    return found


def is_running(pid):
    fields = _fields(pid)
    return fields is not None and fields[0] != "Z"
