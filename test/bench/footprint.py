# SPDX-License-Identifier: LGPL-2.1-or-later
"""footprint.py - what a daemon takes, by number of domains, as lines of a table

Memory is what is its own (RssAnon), ticks are those of its metrics, in time of the main loop, and
latency is from libvirt's callback to the end of the writes to KSM, as the daemon tells it.
"""
import os
import re
import socket
import urllib.request

TICKS = 20
HEADER = "%8s %11s %11s %11s %10s %10s %10s %10s %10s" % (
    "domains", "memory KiB", "KiB/domain", "descriptors", "tick ms", "us/domain", "growth",
    "median ms", "p99 ms")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def config(port):
    return "[metrics]\nlisten = 127.0.0.1:%d\n" % port


def memory_kib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return int(re.search(r"^RssAnon:\s+(\d+) kB", file.read(), re.M).group(1))


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def ticks(port):
    """How many so far, and how many seconds they took."""
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=30) as answer:
        text = answer.read().decode()
    return tuple(float(re.search(r"^virtksm_tick_duration_seconds_%s (\S+)$" % what, text,
                                 re.M).group(1)) for what in ("count", "sum"))


def tick_ms(daemon, port):
    """The mean of some, with everything that a kick asks for."""
    first, first_seconds = last, last_seconds = ticks(port)
    while last < first + TICKS:
        daemon.ask("kick")
        last, last_seconds = ticks(port)
    return (last_seconds - first_seconds) * 1000 / (last - first)


class Table:
    """Lines by rising number of domains; each tells its growth since the one before."""

    def __init__(self):
        self.last = None
        print(HEADER)

    def add(self, number, pid, each_tick_ms, reactions_ms):
        """growth: of a tick, for as many times as many domains."""
        memory, reactions = memory_kib(pid), sorted(reactions_ms)
        per_domain = growth = ""
        if self.last:
            last_number, last_memory, last_tick_ms = self.last
            per_domain = "%.1f" % ((memory - last_memory) / (number - last_number))
            growth = "%.1f/%.0f" % (each_tick_ms / last_tick_ms, number / max(last_number, 1))
        print("%8d %11d %11s %11d %10.3f %10.1f %10s %10.2f %10.2f" % (
            number, memory, per_domain, descriptors(pid), each_tick_ms,
            each_tick_ms * 1000 / max(number, 1), growth, reactions[len(reactions) // 2],
            reactions[min(len(reactions) - 1, int(len(reactions) * 0.99))]), flush=True)
        self.last = number, memory, each_tick_ms
