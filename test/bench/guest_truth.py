#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""guest_truth.py - what is said of a guest's working set, and what is true

The guest (test/support/guest) rewrites 32 MiB twice a second and another 32 MiB every six seconds,
both page by page, evenly over the time; it has written 64 MiB once, and 64 MiB that it calls free.
So the age of all its memory is known. A daemon measures it with what works here; each report that
is new is compared with the truth, bin by bin, and so is the guest's own view: what it has, less
what it calls unused.

What is resident beyond the guest's memory is QEMU's own. Nobody knows its ages: what it uses, it
uses all the time, and the rest hardly ever, so it is too much in the first bin and in the last, and
those between tell the error.

Needs what the tests with the label real need, and VIRTKSM_BUILD_DIR. The first argument is for how
many seconds reports are compared, 40 by default. Says nothing of a machine that is busy otherwise:
there the guest is slower than it was asked to be.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import Daemon, Domain, ksm, wait_until  # noqa: E402
from vktest.host import Host  # noqa: E402

SECONDS = 40
MIB = 1 << 20
PAGES_PER_MIB = 256
# The edges of the bins, and the age of the working set.
EDGES = (1, 3, 9)
CONFIG = ("[working_set]\nbins = 1,3,9\nage = 9\ninterval = 1\nbudget = 10\n"
          "[libvirt]\nstats_period_ms = 1000\n[balloon]\nenable = observe\n")
OFTEN_MIB, OFTEN_SECONDS = 32, 0.5
SELDOM_MIB, SELDOM_SECONDS = 32, 6
ONCE_MIB, FREE_MIB = 64, 64
MEMORY_MIB = 224


def guest():
    return Domain("truth", memory_mib=MEMORY_MIB, content={
        "volatile": OFTEN_MIB, "rate": int(OFTEN_MIB * PAGES_PER_MIB / OFTEN_SECONDS),
        "churn": SELDOM_MIB, "churnrate": int(SELDOM_MIB * PAGES_PER_MIB / SELDOM_SECONDS),
        "unique": ONCE_MIB, "free": FREE_MIB}, backing=Domain.NOSHAREPAGES)


def truth():
    """MiB in each bin: ages of what is rewritten are even over the time that a round takes."""
    bins = [0.0] * (len(EDGES) + 1)
    for mib, seconds in ((OFTEN_MIB, OFTEN_SECONDS), (SELDOM_MIB, SELDOM_SECONDS)):
        below = 0.0
        for number, edge in enumerate(EDGES):
            bins[number] += mib * (min(edge, seconds) - below) / seconds
            below = min(edge, seconds)
    bins[-1] = ONCE_MIB + FREE_MIB
    return bins


def said(domain):
    bins = [0.0] * (len(EDGES) + 1)
    for node in domain["nodes"]:
        for number, each in enumerate(node["bins"]):
            bins[number] += (each["anon_bytes"] + each["file_bytes"]) / MIB
    return bins


def reports(daemon, seconds):
    """Each new one, after the first that has a working set."""
    def latest():
        return daemon.ask("working-set", "vktest-truth")["domains"][0]

    wait_until(lambda: latest()["working_set_bytes"] is not None, "a working set", 90)
    found, last = [], None
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        domain = latest()
        if domain["nodes"] != last:
            found.append(domain)
        last = domain["nodes"]
        time.sleep(0.2)
    return found


def show(found):
    true = truth()
    print("%-12s %9s %9s %9s   (%s, %d reports)" % ("age", "true MiB", "said MiB", "error",
                                                   found[-1]["backend"], len(found)))
    names = ["< %d s" % edge for edge in EDGES] + ["older"]
    for number, name in enumerate(names):
        values = [said(domain)[number] for domain in found]
        error = sum(abs(value - true[number]) for value in values) / len(values)
        print("%-12s %9.1f %9.1f %9.1f" % (name, true[number], sum(values) / len(values), error))
    print("QEMU's own   %9.1f" % (found[-1]["resident_bytes"] / MIB - sum(true)))
    used = [domain["working_set_bytes"] / MIB for domain in found]
    print("working set  %9.1f %9.1f" % (sum(true[:-1]), sum(used) / len(used)))
    own = found[-1]["guest"]
    if own and own["total_bytes"] is not None and own["unused_bytes"] is not None:
        print("guest's view %9.1f %9.1f   has %.1f, unused %.1f, usable %s" % (
            sum(true[:-1]), (own["total_bytes"] - own["unused_bytes"]) / MIB,
            own["total_bytes"] / MIB, own["unused_bytes"] / MIB,
            "-" if own["usable_bytes"] is None else "%.1f" % (own["usable_bytes"] / MIB)))
    else:
        print("guest's view: it has told nothing")


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    if os.geteuid() != 0 or not ksm.available():
        sys.exit("needs root and a kernel with KSM")
    host, daemon = Host(), None
    try:
        host.open()
        guest().start()
        daemon = Daemon("--mode", "observe", config=CONFIG).start()
        show(reports(daemon, seconds))
    finally:
        if daemon:
            daemon.close()
        host.close()


if __name__ == "__main__":
    main()
