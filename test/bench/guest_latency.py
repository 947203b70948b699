#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""guest_latency.py - whether a guest feels that its working set is measured

The guest (test/support/guest) loads from 128 MiB, each address from the load before, in a random
order, for ever. A daemon measures it, within the default budget, as often as that allows: turns in
mode "observe", and in mode "off", in which nothing is measured, in pairs whose order changes. What
a load takes with measuring, as a share of what it takes without, is told for each pair: in run time
of the thread that is the guest's processor, which does not grow when other programs want the CPU
too; and by the guest's own clock, which does, and is to be trusted on a machine at rest. For how
long that thread stood still though it wanted to run, waiting for a lock of the kernel, is told too.

Needs what the tests with the label real need, and VIRTKSM_BUILD_DIR. Arguments: number of pairs, 6
by default, and seconds of a turn, 12 by default.
"""
import glob
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import Daemon, Domain, ksm, wait_until  # noqa: E402
from vktest.host import Host  # noqa: E402

PAIRS = 6
SECONDS = 12
LOADS_MIB = 128
MEMORY_MIB = 160
# In units of what the guest prints (loads.h)
LOADS_PER_BLOCK = 1024
CYCLES_PER_UNIT = 1024
CONFIG = "[working_set]\nbins = 1\nage = 1\ninterval = 1\n"


class Mark:
    """A moment: the guest has just told how far it is."""

    def __init__(self, domain):
        known = len(lines_of(domain))
        deadline = time.monotonic() + 60
        while len(lines_of(domain)) == known:
            if time.monotonic() > deadline:
                raise AssertionError("the guest has told nothing for a minute")
            time.sleep(0.002)
        with open(processor_path(domain.pid), encoding="ascii") as file:
            self.run_ns, self.wait_ns = (int(word) for word in file.read().split()[:2])
        self.wall_ns = time.monotonic_ns()
        self.blocks, self.units = lines_of(domain)[-1][:2]


class Turn:
    """What happened between two marks."""

    def __init__(self, first, last, cpu_us):
        loads = (last.blocks - first.blocks) % 2**32 * LOADS_PER_BLOCK
        run_ns = last.run_ns - first.run_ns
        wall_ns = last.wall_ns - first.wall_ns
        self.load_ns = run_ns / loads
        # The guest counts in 32 bits
        self.load_cycles = (last.units - first.units) % 2**32 * CYCLES_PER_UNIT / loads
        self.still = max(0, wall_ns - run_ns - (last.wait_ns - first.wait_ns)) / wall_ns
        self.cpu_us = cpu_us


def processor_path(pid):
    """Run time, and time of waiting for a CPU, of the thread that is the guest's processor."""
    for path in glob.glob("/proc/%d/task/*/comm" % pid):
        with open(path, encoding="ascii") as file:
            if file.read().startswith("CPU 0/"):
                return os.path.dirname(path) + "/schedstat"
    raise AssertionError("pid %d has no thread of a processor" % pid)


def lines_of(domain):
    """BLOCKS, TOOK and WORST of each line that is complete."""
    text = domain.console_text()
    return [tuple(int(word) for word in line.split()[1:])
            for line in text[:text.rfind("\n") + 1].splitlines() if line.startswith("LOADS ")]


def report(daemon):
    return daemon.ask("working-set", "vktest-latency")["domains"][0]


def spent_us(daemon):
    return daemon.ask("working-set")["cpu_us"]


def take_turn(domain, daemon, mode, seconds):
    daemon.client("mode", mode)
    before_us = spent_us(daemon)
    first = Mark(domain)
    time.sleep(seconds)
    last = Mark(domain)
    return Turn(first, last, spent_us(daemon) - before_us)


def tell(name, ratios):
    print("%-28s %.4f in the middle, %.4f to %.4f" % (name, statistics.median(ratios), min(ratios),
                                                      max(ratios)))


def run_pairs(domain, daemon, pairs, seconds):
    found = []
    print("%5s %12s %12s %8s %13s %17s %15s" % ("pair", "without", "with", "ratio", "guest's clock",
                                                "stands still", "measuring took"))
    for number in range(pairs):
        order = ("off", "observe") if number % 2 else ("observe", "off")
        turns = {mode: take_turn(domain, daemon, mode, seconds) for mode in order}
        off, on = turns["off"], turns["observe"]
        found.append((on.load_ns / off.load_ns, on.load_cycles / off.load_cycles))
        print("%5d %9.2f ns %9.2f ns %8.4f %13.4f %5.2f %% %6.2f %% %12.1f ms" % (
            number + 1, off.load_ns, on.load_ns, *found[-1], 100 * off.still, 100 * on.still,
            (on.cpu_us - off.cpu_us) / 1000), flush=True)
    tell("run time of a load", [pair[0] for pair in found])
    tell("time by the guest's clock", [pair[1] for pair in found])


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    if os.geteuid() != 0 or not ksm.available():
        sys.exit("needs root and a kernel with KSM")
    host, daemon = Host(), None
    domain = Domain("latency", memory_mib=MEMORY_MIB, content={"loads": LOADS_MIB},
                    backing=Domain.NOSHAREPAGES)
    try:
        host.open()
        domain.start()
        daemon = Daemon("--mode", "observe", config=CONFIG).start()
        wait_until(lambda: report(daemon)["working_set_bytes"], "a working set", 90)
        print("%s, %.0f s for a turn" % (report(daemon)["backend"], seconds))
        run_pairs(domain, daemon, pairs, seconds)
    finally:
        if daemon:
            daemon.close()
        host.close()


if __name__ == "__main__":
    main()
