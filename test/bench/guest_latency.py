#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""guest_latency.py - whether a guest feels that its working set is measured

The guest (test/support/guest) loads from 128 MiB, each address from the load before, in a random
order, and tells how long that takes by its own time stamp counter. A daemon measures it, within the
default budget, as often as that allows: turns in mode "observe", and in mode "off", in which
nothing is measured, in pairs whose order changes. What a load takes with measuring, as a share of
what it takes without, is told for each pair, and how much CPU time measuring took in the turn.

Needs what the tests with the label real need, and VIRTKSM_BUILD_DIR. Arguments: number of pairs, 6
by default, and seconds of a turn, 12 by default. Says nothing of a machine that is busy otherwise.
"""
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


class Turn:
    """What happened between two lines of the guest."""

    def __init__(self, lines, cpu_us):
        first, last = lines[0], lines[-1]
        # The guest counts in 32 bits
        units = (last[1] - first[1]) % 2**32
        self.cycles = units * CYCLES_PER_UNIT / ((last[0] - first[0]) % 2**32 * LOADS_PER_BLOCK)
        self.worst = max(line[2] for line in lines[1:]) * CYCLES_PER_UNIT
        self.cpu_us = cpu_us


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
    begun = len(lines_of(domain))
    # The turn is that of the lines that come from now on; the first is half of the turn before.
    wait_until(lambda: len(lines_of(domain)) > begun + 1, "the guest loads")
    begun, before_us = len(lines_of(domain)) - 1, spent_us(daemon)
    time.sleep(seconds)
    wait_until(lambda: len(lines_of(domain)) > begun + 1, "the guest goes on")
    return Turn(lines_of(domain)[begun:], spent_us(daemon) - before_us)


def run_pairs(domain, daemon, pairs, seconds):
    ratios, worst = [], {"off": 0, "observe": 0}
    print("%5s %15s %15s %8s %18s" % ("pair", "without", "with", "ratio", "measuring took"))
    for number in range(pairs):
        order = ("off", "observe") if number % 2 else ("observe", "off")
        turns = {mode: take_turn(domain, daemon, mode, seconds) for mode in order}
        ratios.append(turns["observe"].cycles / turns["off"].cycles)
        for mode, turn in turns.items():
            worst[mode] = max(worst[mode], turn.worst)
        print("%5d %8.1f cycles %8.1f cycles %8.4f %12.1f ms" % (
            number + 1, turns["off"].cycles, turns["observe"].cycles, ratios[-1],
            (turns["observe"].cpu_us - turns["off"].cpu_us) / 1000), flush=True)
    print("ratio %.4f in the middle, %.4f to %.4f; longest %d loads: %.1f million cycles without, "
          "%.1f with" % (statistics.median(ratios), min(ratios), max(ratios), LOADS_PER_BLOCK,
                         worst["off"] / 1e6, worst["observe"] / 1e6))


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
