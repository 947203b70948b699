# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_page.py - tables and verdicts as a part of a page in Markdown

The part stands between two marks. What people wrote around it stays as it is.
"""
from statistics import median

from race_load import LOADS
from race_report import library_kib_of
from race_table import cell, collect
from race_target import NO_GAIN, verdicts

BEGIN = "<!-- race report: what follows is written by `test/bench/race report --page` -->"
END = "<!-- race report: end -->"

# key of a score, head of its column, decimals
COLUMNS = (
    ("t95", "95 % saved, s after fill", 1), ("cpu95", "ksmd to 95 %, CPU s", 2),
    ("cpu", "ksmd in all, CPU s", 1), ("passes_to_rest", "passes to rest", 0),
    ("rest", "at rest, % of a CPU", 1), ("busiest", "busiest minute, % of a CPU", 2),
    ("area_since", "area, MiB s", 0), ("yield", "MiB per CPU s", 0),
    ("agent_share", "agent, % of ksmd", 1),
)

# What says nothing where there is nothing to save.
GAIN_KEYS = ("t95", "cpu95", "area_since", "yield")

NAMES = {"auto": "**`auto`**", "classic": "`classic`, Kata's ladder",
         "default": "the kernel's defaults", "flat": "ksmd flat out",
         "advisor-cold": "the kernel's advisor", "advisor-warm": "the same, warm",
         "ksmtuned": "ksmtuned", "ksmtuned-raised": "ksmtuned, engaged"}


def _table(rows):
    lines = ["| %s |" % " | ".join(row) for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0])] + lines[1:]


def _without_empty_columns(rows):
    kept = [i for i in range(len(rows[0])) if any(row[i] != "-" for row in rows[1:])]
    return [[row[i] for i in kept] for row in rows]


def _scores(result):
    columns = [c for c in COLUMNS if result.name not in NO_GAIN or c[0] not in GAIN_KEYS]
    rows = [["", "runs"] + [head for _, head, _ in columns]]
    for name in sorted(result.scores, key=list(NAMES).index):
        scores = result.scores[name]
        rows.append([NAMES[name], str(len(scores))] +
                    [cell(scores, key, decimals) for key, _, decimals in columns])
    return _table(_without_empty_columns(rows))


def _section(result):
    what = LOADS[result.name].what
    lines = ["### %s%s" % (what[0].upper(), what[1:]), "",
             "`%s`, watched for %.0f s." % (result.name, result.window)]
    if result.name.endswith("-held"):
        lines[-1] += " Held out: no controller was tuned on it."
    if result.floors:
        lines[-1] += " Two passes over the filled guests take %.2f CPU s (%.2f-%.2f, %d runs)." % (
            median(result.floors), min(result.floors), max(result.floors), len(result.floors))
    for name, errors in result.errors.items():
        lines[-1] += " %d runs of `%s` failed." % (len(errors), name)
    return lines + [""] + _scores(result) + [""]


def _figure(value):
    return "-" if value is None else "%.3g" % value if value < 1000 else "%.0f" % value


def _targets(results, library_kib):
    rows = [["load", "window, s", "target", "limit", "measured", "met"]]
    for result in results:
        for verdict in verdicts([result], library_kib):
            rows.append([result.name, "%.0f" % result.window, verdict.target.what,
                         _figure(verdict.limit), _figure(verdict.value),
                         {True: "yes", False: "**no**", None: "not measured"}[verdict.met]])
    return _table(rows)


def page_part(results, library_kib=None):
    """Lines of the part: a section for each LoadResult that has scores, then all targets."""
    lines = []
    for result in results:
        if result.scores:
            lines += _section(result)
    return lines + ["### Targets of `auto`", ""] + _targets(results, library_kib)


def update(records, path):
    """Writes what the records are worth into the page."""
    write_part(path, page_part(collect(records), library_kib_of(records)))


def write_part(path, lines):
    """Replaces what stands between the marks; ValueError where the page lacks one of them."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("%s: no part between %s and %s" % (path, BEGIN, END))
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + "\n".join([BEGIN, ""] + lines + ["", END]) + after)
