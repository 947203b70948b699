# SPDX-License-Identifier: LGPL-2.1-or-later
"""reclaim_run.py - one run after the other, in random order, appended to a file of JSON lines

A record is written for every run, also for one that failed: {"error": "..."} instead of samples.
"""
import contextlib
import fcntl
import os
import random
import sys
import threading
import time

from vktest import Daemon, Domain
from vktest.host import Host
from reclaim_host import Limit, Swap, memory_stall_us, swapped_pages
from results import append

GUESTS = 5
MEMORY_MIB = 256
# All of its memory has been written to: the free part, too, as in a guest that has been up for a
# while. 2/5 of it is needed while the program is busy, 1/10 otherwise.
_CONTENT = {"free": 248, "work": 104, "calm": 24}
# How fast a program takes memory, pages a second, and for how long it is busy. In a second 1.5 % of
# the guest's memory are much (in one of 4 GiB, 64 MiB), 6 % very much.
LOADS = {
    "gradual": dict(_CONTENT, growrate=1024, period=40, busy=24),
    "sudden": dict(_CONTENT, growrate=4096, period=30, busy=12),
}
# All of the programs at their busiest and QEMU beside them fit; all of the guests' memory does not.
LIMIT_MIB = 960
WINDOW_SECONDS = 60
READY_SECONDS = 40
CONFIG = "[balloon]\nenable = yes\n"
FIELDS = ("seconds", "swap_in", "swap_out", "units", "failures", "stall_us", "given_mib",
          "charged_mib", "swapped_mib", "huge_mib")


def told_of(domain):
    """Units and failures of a guest so far, as it last told; a boot after the first adds to them.
    """
    sums, last = [0, 0], [0, 0]
    for line in domain.console_text().splitlines(keepends=True):
        if line.startswith("WORK ") and line.endswith("\n"):
            now = [int(word) for word in line.split()[1:]]
            if now[0] < last[0]:
                sums = [a + b for a, b in zip(sums, last)]
            last = now
    return [a + b for a, b in zip(sums, last)]


def _domains(content):
    shift = content["period"] // GUESTS
    return [Domain("reclaim-%d" % number, MEMORY_MIB,
                   dict(content, seed=number + 1, shift=number * shift))
            for number in range(GUESTS)]


class Guests:
    def __init__(self, domains):
        self.domains = domains

    def start(self, limit):
        # The group is there with the first.
        self.domains[0].start(wait=False)
        limit.set()
        threads = [threading.Thread(target=domain.start, args=(False,))
                   for domain in self.domains[1:]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for domain in self.domains:
            domain.wait_for("READY", READY_SECONDS)

    def told(self):
        """Units and failures of all guests so far, as they last told."""
        told = [told_of(domain) for domain in self.domains]
        return tuple(sum(figures) for figures in zip(*told))


def _given_mib(daemon):
    """What the balloons have taken from the guests; None without an agent."""
    if not daemon:
        return None
    domains = daemon.ask("report")["domains"]
    return sum((d["maximum_bytes"] or 0) - (d["balloon_bytes"] or 0) for d in domains) / 2 ** 20


def sample(seconds, guests, daemon, limit):
    return [round(seconds, 2), *swapped_pages(), *guests.told(), memory_stall_us(),
            _given_mib(daemon), *limit.used()]


def _watch(record, guests, daemon, limit):
    begin, samples = time.monotonic(), []
    record.update(fields=FIELDS, samples=samples)
    while not samples or samples[-1][0] < WINDOW_SECONDS:
        time.sleep(max(0, begin + len(samples) - time.monotonic()))
        samples.append(sample(time.monotonic() - begin, guests, daemon, limit))


@contextlib.contextmanager
def held_host(limit):
    """The host, with swap; afterwards the guests, the limit and the swap are gone, come what may.
    """
    with contextlib.ExitStack() as stack:
        host, swap = Host(), Swap()
        stack.callback(host.close)
        host.open()
        stack.callback(swap.off)
        swap.on()
        stack.callback(limit.lift)
        stack.callback(host.remove_domains)
        yield


def _run(record, stack):
    limit = Limit(LIMIT_MIB)
    guests = Guests(_domains(record["content"]))
    stack.enter_context(held_host(limit))
    daemon = None
    if record["with_agent"]:
        daemon = Daemon(config=CONFIG)
        stack.callback(daemon.close)
        daemon.start()
    guests.start(limit)
    _watch(record, guests, daemon, limit)
    if daemon:
        record["status"] = daemon.ask("status").get("memory")


@contextlib.contextmanager
def _failure_as(record, key):
    try:
        yield
    except Exception as error:  # pylint: disable=broad-except # it is counted and shown
        record[key] = "%s: %s" % (type(error).__name__, error)


def recorded(run, record, lock):
    """Runs, while it has the lock if there is one; what fails is in the record, as is the time.

    What run() puts on the stack is cleaned up afterwards. If that fails the figures are good all
    the same.
    """
    with contextlib.ExitStack() as stack:
        if lock:
            file = stack.enter_context(open(lock, "w", encoding="ascii"))
            fcntl.flock(file, fcntl.LOCK_EX)
        begin = time.monotonic()
        record.update(kernel=os.uname().release, when=int(time.time()))
        with _failure_as(record, "left_over"), contextlib.ExitStack() as cleanup:
            with _failure_as(record, "error"):
                run(record, cleanup)
        if "error" in record:
            record.pop("samples", None)
        record["took"] = round(time.monotonic() - begin, 1)
    return record


def selftest():
    """A run that fails has no figures; one that cannot clean up keeps them, and says so."""
    def fail():
        raise OSError("no")

    def run(record, cleanup):
        record["samples"] = [1]
        if record["cleanup"]:
            cleanup.callback(fail)
        if record["run"]:
            fail()

    for fails in ((), ("run",), ("cleanup",), ("run", "cleanup")):
        record = recorded(run, {"run": "run" in fails, "cleanup": "cleanup" in fails}, None)
        told = [record.get(key) for key in ("error", "left_over", "samples")]
        assert told == ["OSError: no" if "run" in fails else None,
                        "OSError: no" if "cleanup" in fails else None,
                        None if "run" in fails else [1]], (fails, told)


def run_all(options):
    """The runs; returns the records."""
    dice = random.Random(options.seed)
    print("%s, seed %d, %d pairs" % (options.load, options.seed, options.pairs), file=sys.stderr)
    records = []
    for pair in range(options.pairs):
        for with_agent in dice.sample([False, True], 2):
            record = {"load": options.load, "with_agent": with_agent, "guests": GUESTS,
                      "memory_mib": MEMORY_MIB, "limit_mib": LIMIT_MIB, "seed": options.seed,
                      "content": LOADS[options.load], "pair": pair}
            recorded(_run, record, options.lock)
            records.append(record)
            append(record, options.results)
            print("pair %d, %s: %s, %g s" % (pair + 1, "with" if with_agent else "without",
                                             record.get("error", "done"), record["took"]),
                  file=sys.stderr)
    return records
