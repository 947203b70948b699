#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""parking.py - whether leaving out who does not pay is worth it, on a mixed load

Guests (test/support/guest) of three kinds run at once: two with 64 MiB that both have, two with
64 MiB that nobody else has, and two that rewrite 32 MiB all the time. A daemon merges them with
[tenancy] park_retry_s = 0, and another one, with guests of its own, with parking. From the moment
at which all is merged that can be, for SECONDS, counts what was saved, net of KSM's records, over
the time, and what ksmd took for it.

Each round is such a pair; which comes first changes. Needs what the tests with the label real need,
and VIRTKSM_BUILD_DIR. Arguments: rounds (3) and seconds (120).
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import Daemon, Domain, ksm, wait_until  # noqa: E402
from vktest.host import Host  # noqa: E402

ROUNDS, SECONDS = 3, 120
MIB = 1 << 20
SAME_MIB, OWN_MIB, STIRRED_MIB = 64, 64, 32
RETRY_S = 600
# Changes are looked for often, or there is nothing to save in so short a time.
CONFIG = """\
[ksm]
settle_ms = 1000
churn_s = 20
[tenancy]
enforce = yes
rule = all
dwell_s = 10
park_retry_s = {retry}
"""


def guests():
    for number in range(2):
        yield Domain("same%d" % number, memory_mib=96, content={"common": SAME_MIB})
        yield Domain("own%d" % number, memory_mib=96, content={"unique": OWN_MIB,
                                                                "seed": 10 + number})
        yield Domain("stirred%d" % number, memory_mib=64, content={
            "volatile": STIRRED_MIB, "rate": 2000, "seed": 20 + number})


def ksmd_pid():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % pid, encoding="ascii", errors="replace") as file:
                if file.read() == "ksmd\n":
                    return int(pid)
        except FileNotFoundError:
            pass
    raise AssertionError("no ksmd")


def cpu_seconds(pid):
    with open("/proc/%d/schedstat" % pid, encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def measure(retry, seconds):
    """MiB saved on average, ksmd's CPU-seconds, and how many were left out at the end."""
    host, daemon, pid = Host(), None, ksmd_pid()
    try:
        host.open()
        for guest in guests():
            guest.start()
        # After them: the first of its kind would be left out before the other one comes.
        daemon = Daemon(config=CONFIG.format(retry=retry)).start()
        wait_until(lambda: ksm.read("pages_sharing") >= SAME_MIB * 256, "it is merged", 120)
        begun, cpu, saved = time.monotonic(), cpu_seconds(pid), []
        while time.monotonic() < begun + seconds:
            saved.append(daemon.ask("report")["host"]["net_saved_bytes"] / MIB)
            time.sleep(1)
        spent = cpu_seconds(pid) - cpu
        parked = sum(row["merging"] == "off" for row in daemon.ask("report")["domains"])
        return sum(saved) / len(saved), spent, parked
    finally:
        if daemon:
            daemon.close()
        host.close()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    if os.geteuid() != 0 or not ksm.available():
        sys.exit("needs root and a kernel with KSM")
    print("round  parking  saved MiB  ksmd s  MiB per CPU-second  left out")
    for number in range(rounds):
        for retry in (0, RETRY_S) if number % 2 == 0 else (RETRY_S, 0):
            saved, spent, parked = measure(retry, seconds)
            print("%5d  %7s  %9.1f  %6.2f  %18.1f  %8d" % (
                number + 1, "yes" if retry else "no", saved, spent, saved / spent, parked),
                flush=True)


if __name__ == "__main__":
    main()
