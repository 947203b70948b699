#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""event_latency.py - from libvirt's callback to KSM: how long a `virsh start` takes to move it

Starts a real domain again and again and asks the agent for its reaction time: from the first line
of the callback's work to the end of the last write to KSM, in the same turn of its main loop. With
DOMAINS, so many paused ones are there beside it, each number in turn, and it is told what the
agent takes then.

    test/bench/event_latency.py [STARTS [DOMAINS...]]  needs root, libvirt, QEMU; some seconds per
                                                       start, half a one per domain
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
import footprint  # noqa: E402
from vktest import Daemon, Domain, ksm, virsh, wait_until  # noqa: E402
from vktest.host import Host  # noqa: E402

STARTS = 50
PAUSED_MIB = 16
# A pause of ksmd that is as good as no scanning: it is asleep until it is woken.
ASLEEP_MS = 600000


def add_paused(count, number):
    """Guests that have not begun."""
    for n in range(count, number):
        virsh("create", "--paused", Domain("paused%d" % n, memory_mib=PAUSED_MIB).write_xml())


def is_at_rest(daemon, others):
    """Nothing is scanned, and no domain is to be scanned next."""
    status = daemon.ask("status")
    is_asleep = ksm.read("run") == 0 or ksm.read("sleep_millisecs") >= ASLEEP_MS
    return status["domains"] == others and status["phase"] in ("rest", "maintain") and is_asleep


def reactions_ms(daemon, starts, others):
    """One for each start, each of them from rest."""
    domain = Domain("latency", memory_mib=32, content={"common": 4})
    times = []
    for _ in range(starts):
        wait_until(lambda: is_at_rest(daemon, others),
                   lambda: "rest; now %s" % daemon.ask("status"), 120)
        domain.start(wait=False)
        wait_until(lambda: daemon.ask("status")["phase"] == "burst", "KSM moves")
        times.append(daemon.ask("status")["reaction_us"] / 1000)
        domain.destroy()
    return times


def measure(starts, numbers):
    port = footprint.free_port()
    daemon = Daemon(config="[ksm]\nsettle_ms = 100\n" + footprint.config(port)).start()
    table = footprint.Table()
    count = 0
    try:
        for number in numbers:
            add_paused(count, number)
            count = number
            times = reactions_ms(daemon, starts, number)
            table.add(number, daemon.pid, footprint.tick_ms(daemon, port), times)
    finally:
        daemon.close()


def main():
    starts, *numbers = [int(word) for word in sys.argv[1:]] or [STARTS]
    host = Host()
    try:
        host.open()
        measure(starts, sorted(numbers) or [0])
    finally:
        host.close()


if __name__ == "__main__":
    main()
