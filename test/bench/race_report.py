# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_report.py - all that is printed about runs"""
from collections import Counter
from statistics import median

from race_load import LOADS
from race_table import collect, table
from race_target import verdict_line, verdicts

LEGEND = """\
Medians; in brackets the smallest and the largest; - is never. t50 to t99: seconds from fill to
that share of what the best controller saves (negative: before the fill). CPU: ksmd's seconds to
t95, from fill to t95, in the window. rest %: of one CPU, in the last third of the window. Area:
saved MiB times seconds, from the first start. private, dirty: KiB."""
SHORT = """\
Windows were cut. What a controller does at rest goes on unchanged, so times and CPU to t95 hold;
CPU in the window, area and percent at rest are those of the shorter window."""
HELD = "Held out: no controller was tuned on this load."


def library_kib_of(records):
    """What libvirt's client library alone takes, the median of what the runs found; or None."""
    measured = [r["library_dirty_kib"] for r in records if "library_dirty_kib" in r]
    return median(measured) if measured else None


def print_report(records):
    """One section for each load, then the verdicts."""
    results = collect(records)
    print(LEGEND)
    for result in results:
        print("\n== %s, %g s: %s" % (result.name, result.window, LOADS[result.name].what))
        if result.name.endswith("-held"):
            print(HELD)
        if result.is_short:
            print(SHORT)
        print("\n".join(table(result)))
    found = verdicts(results, library_kib_of(records))
    print("\n== targets of mode auto")
    for verdict in found:
        print(verdict_line(verdict))
    count = Counter(verdict.met for verdict in found)
    failed = sum("error" in record for record in records)
    print("%d met, %d missed, %d not measured; %d runs, %d failed; seeds %s" %
          (count[True], count[False], count[None], len(records), failed,
           ", ".join(sorted({str(r.get("seed")) for r in records}))))
