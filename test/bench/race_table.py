# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_table.py - scores of many runs as tables: medians and spread, nothing dropped"""
from collections import namedtuple
from statistics import median

from race_load import LOADS
from race_score import points, reference, score

# key of a score, head of its column, decimals
COLUMNS = (
    ("fill", "fill s", 1), ("t50", "t50", 1), ("t90", "t90", 1), ("t95", "t95", 1),
    ("t99", "t99", 1), ("cpu95", "CPU to t95", 2), ("cpu95_fill", "fill to t95", 2),
    ("cpu", "CPU", 2), ("rest", "rest %", 2), ("busiest", "max % /60 s", 1),
    ("area", "area MiB*s", 0), ("saved", "saved MiB", 0), ("yield", "MiB/CPU s", 0),
    ("agent", "agent CPU", 2), ("agent_share", "% of ksmd", 1),
    ("rss_kib", "RSS KiB", 0), ("private_kib", "private", 0),
    ("dirty_kib", "dirty", 0),
)

# window      seconds
# scores      controller -> list of scores
# errors      controller -> list of texts
# floors      seconds of two passes, of the runs that measured it
# is_short    whether some window was cut
# curves      controller -> list of curves
LoadResult = namedtuple("LoadResult", "name window reference scores errors floors curves is_short")


def collect(records):
    """LoadResults in the order of their first record.

    Runs with windows of different length are not compared: they are results of their own.
    """
    keys = dict.fromkeys((record["load"], record["window"]) for record in records)
    return [_collect_load(*key, [r for r in records if (r["load"], r["window"]) == key])
            for key in keys]


def _collect_load(name, window, records):
    errors, curves, good = {}, {}, []
    for record in records:
        controller = record["controller"]
        if "error" in record:
            errors.setdefault(controller, []).append(record["error"])
        elif controller != "floor":
            curves.setdefault(controller, []).append(points(record))
            good.append(record)
    ref = reference([(c, curve) for c, list_ in curves.items() for curve in list_],
                    LOADS[name].gain) if good else None
    scores = {}
    for record in good:
        scores.setdefault(record["controller"], []).append(score(record, ref))
    floors = [r["floor"] for r in records if "floor" in r]
    return LoadResult(name, window, ref, scores, errors, floors, curves,
                      window < LOADS[name].window)


def middle(scores, key):
    """Median; what never happened counts as later than everything. None when that is the median."""
    values = [float("inf") if s[key] is None else s[key] for s in scores]
    value = median(values) if values else None
    return None if value == float("inf") else value


def _number(value, decimals):
    return "-" if value is None else "%.*f" % (decimals, value)


def cell(scores, key, decimals):
    """Median, and in brackets the smallest and the largest."""
    text = _number(middle(scores, key), decimals)
    if len(scores) < 2:
        return text
    values = [s[key] for s in scores]
    known = [v for v in values if v is not None]
    if not known:
        return text
    high = None if None in values else max(known)
    return "%s (%s-%s)" % (text, _number(min(known), decimals), _number(high, decimals))


def _lines(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0])] +
                      [text.rjust(width) for text, width in zip(row[1:], widths[1:])])
            for row in rows]


def _ratio_row(name, result, base, keys):
    cells = [name]
    for key in keys:
        mine, theirs = middle(result.scores[name], key), middle(result.scores[base], key)
        cells.append("-" if mine is None or not theirs else "%.3f" % (mine / theirs))
    return cells


def ratios(result, base):
    """Every controller against one of them."""
    keys = ("t95", "cpu95", "cpu", "rest", "area", "yield")
    rows = [["against " + base] + list(keys)]
    rows += [_ratio_row(name, result, base, keys) for name in result.scores]
    return _lines(rows)


def table(result):
    """Lines of text about one load."""
    lines = []
    if result.scores:
        ref = result.reference
        lines.append("touched %.0f MiB, in use at best %.0f MiB, to be saved %.0f MiB" %
                     (ref.touched_mib, ref.in_use_mib, ref.touched_mib - ref.in_use_mib))
        rows = [["controller", "runs"] + [head for _, head, _ in COLUMNS]]
        for name, scores in result.scores.items():
            rows.append([name, str(len(scores))] + [cell(scores, key, decimals)
                                                   for key, _, decimals in COLUMNS])
        lines += _lines(rows)
        for base in ("flat", "classic"):
            if base in result.scores:
                lines += [""] + ratios(result, base)
    if result.floors:
        lines.append("two passes over the filled guests: %.2f CPU s (%.2f-%.2f, %d runs)" %
                     (median(result.floors), min(result.floors), max(result.floors),
                      len(result.floors)))
    for name, errors in result.errors.items():
        lines += ["FAILED %s: %s" % (name, error) for error in errors]
    return lines
