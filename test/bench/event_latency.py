#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""event_latency.py - from libvirt's callback to KSM: how long a `virsh start` takes to move it

Starts a real domain again and again and asks the agent for its reaction time: from the first line
of the callback's work to the end of the last write to KSM, in the same turn of its main loop.

    test/bench/event_latency.py [STARTS]        needs root, libvirt, QEMU; some seconds per start
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import Daemon, Domain, ksm, wait_until  # noqa: E402
from vktest.host import Host  # noqa: E402


def measure(count):
    daemon = Daemon(config="[ksm]\nsettle_ms = 100\n").start()
    domain = Domain("latency", memory_mib=32, content={"common": 4})
    times = []
    for _ in range(count):
        domain.start(wait=False)
        wait_until(lambda: ksm.read("run") == 1, "KSM moves")
        times.append(daemon.ask("status")["reaction_us"] / 1000)
        domain.destroy()
        wait_until(lambda: ksm.read("run") == 0 and daemon.ask("status")["domains"] == 0,
                   "rest", 30)
    daemon.close()
    return sorted(times)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    host = Host()
    try:
        host.open()
        times = measure(count)
    finally:
        host.close()
    print("%d starts: median %.2f ms, p99 %.2f ms, longest %.2f ms" %
          (count, times[count // 2], times[min(count - 1, int(count * 0.99))], times[-1]))


if __name__ == "__main__":
    main()
