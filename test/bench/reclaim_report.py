# SPDX-License-Identifier: LGPL-2.1-or-later
"""reclaim_report.py - all that is printed about runs: medians, spread, ratios, nothing dropped"""
from statistics import median

PAGE_MIB = 4096 / 2 ** 20
# key of a score, what it is
ROWS = (
    ("swap_in", "swapped in, MiB"), ("swap_out", "swapped out, MiB"),
    ("late_in", "in, second half, MiB"), ("late_out", "out, second half, MiB"),
    ("units", "work, 1000 pages"), ("late_units", "work, second half"),
    ("failures", "no memory in guest"), ("stall", "waited for memory, s"),
    ("given", "ballooned at the end, MiB"),
)
LEGEND = """\
From the moment when the last guest was ready. Medians; in brackets the smallest and the largest.
The ratio is the median of those of the pairs. Swap is that of the host. Work is what guests wrote;
"no memory" counts busy times in which a kernel without swap would have killed the program."""


def _between(rows, first, last, key):
    return rows[last][key] - rows[first][key]


def score(record):
    """All figures of one run, by name."""
    rows = [dict(zip(record["fields"], row)) for row in record["samples"]]
    half = next(i for i, row in enumerate(rows) if row["seconds"] >= rows[-1]["seconds"] / 2)
    last = len(rows) - 1
    return {
        "swap_in": _between(rows, 0, last, "swap_in") * PAGE_MIB,
        "swap_out": _between(rows, 0, last, "swap_out") * PAGE_MIB,
        "late_in": _between(rows, half, last, "swap_in") * PAGE_MIB,
        "late_out": _between(rows, half, last, "swap_out") * PAGE_MIB,
        "units": _between(rows, 0, last, "units") / 1000,
        "late_units": _between(rows, half, last, "units") / 1000,
        "failures": _between(rows, 0, last, "failures"),
        "stall": _between(rows, 0, last, "stall_us") / 1e6,
        "given": rows[-1]["given_mib"],
    }


def pairs_of(records):
    """(without, with) scores of each pair of which both runs succeeded."""
    found = {}
    for record in records:
        if "error" not in record:
            key = (record["seed"], record["pair"])
            found.setdefault(key, {})[record["with_agent"]] = score(record)
    return [(pair[False], pair[True]) for pair in found.values() if len(pair) == 2]


def _cell(values):
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return "%.0f (%.0f-%.0f)" % (median(known), min(known), max(known))


def ratio(pairs, key):
    """Median, smallest and largest of with / without; None where one of them is nothing."""
    values = [mine[key] / theirs[key] for theirs, mine in pairs if mine[key] is not None
              and theirs[key]]
    return (median(values), min(values), max(values)) if values else None


def _ratio_cell(pairs, key):
    found = ratio(pairs, key)
    return "%.2f (%.2f-%.2f)" % found if found else "-"


def print_report(records):
    """One section for each load."""
    print(LEGEND)
    for load in dict.fromkeys(record["load"] for record in records):
        _print_load(load, [record for record in records if record["load"] == load])


def _print_load(load, records):
    pairs = pairs_of(records)
    failed = [record["error"] for record in records if "error" in record]
    print("\n== %s: %d pairs; %d of %d runs failed" % (load, len(pairs), len(failed), len(records)))
    print("%-26s %22s %22s %18s" % ("", "without", "with", "ratio"))
    for key, head in ROWS:
        if pairs:
            print("%-26s %22s %22s %18s" % (head, _cell([theirs[key] for theirs, _ in pairs]),
                                            _cell([mine[key] for _, mine in pairs]),
                                            _ratio_cell(pairs, key)))
    for error in failed:
        print("FAILED: %s" % error)
    for record in records:
        if "left_over" in record:
            print("LEFT OVER: %s" % record["left_over"])


def selftest():
    """The arithmetic, on figures that can be checked by hand."""
    fields = ("seconds", "swap_in", "swap_out", "units", "failures", "stall_us", "given_mib")

    def record(pair, with_agent, swap_in, **more):
        rows = [[0, 1000, 0, 0, 1, 0, 0], [5, 1256, 0, 4000, 1, 0, 0],
                [10, 1000 + swap_in, 512, 9000, 3, 2000000, 7]]
        return dict({"fields": fields, "samples": rows, "pair": pair, "seed": 1,
                     "with_agent": with_agent}, **more)

    one = score(record(0, True, 768))
    expected = {"swap_in": 3, "swap_out": 2, "late_in": 2, "late_out": 2, "units": 9,
                "late_units": 5, "failures": 2, "stall": 2, "given": 7}
    assert one == expected, one
    records = [record(0, False, 1024), record(0, True, 512), record(1, True, 256),
               record(1, False, 1024), record(2, True, 512), record(3, True, 9, error="no"),
               record(3, False, 9)]
    found = pairs_of(records)
    assert len(found) == 2, found
    assert ratio(found, "swap_in") == (0.375, 0.25, 0.5), ratio(found, "swap_in")
    assert ratio([(dict(one, stall=0), one)], "stall") is None
    print("ok")
