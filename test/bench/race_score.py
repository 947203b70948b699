# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_score.py - what the samples of a run are worth

Memory in use is what counts: the guests' resident memory less what KSM shares. It is set against
two figures of the load, the same for all runs (Reference): how much memory the filled guests have
touched, and how little was in use at the end of the best controller's runs.

    touched(t) = resident + pages replaced by the zero page
    in use(t)  = resident - pages_sharing
    saved(t)   = touched(t) in the measure of the filled guests - in use(t)

Guests that boot touch some more memory in one run and some less in another, and more when they are
scanned meanwhile: what was merged and then written to is touched twice. None of that is a gain or a
loss, so each run's touched(t) is stretched to end at the reference, and does not exceed it: once the
guests are filled, the memory in use alone counts. "50 %" means half of what the best controller
saves at the end. All times are in seconds, all memory in MiB, all CPU in seconds.
"""
from collections import namedtuple
from statistics import median

from race_sample import FIELDS

SHARES = (50, 90, 95, 99)
FILLED_SHARE = 0.99
# The last part of the window, in which a controller should have come to rest.
REST_PART = 1 / 3
PLATEAU_PART = 0.1
# ksmd is at rest when it takes no more than that for so long.
QUIET_PERCENT = 2
QUIET_SECONDS = 10

# These have merged everything by the end of the window; the others may never get there.
REFERENCE_CONTROLLERS = ("flat", "auto", "classic")

Reference = namedtuple("Reference", "touched_mib in_use_mib")
Point = namedtuple("Point", "seconds touched_mib in_use_mib ksmd agent")


def points(record):
    """The samples of a run in the units of the score; CPU counts from the first sample."""
    rows = [dict(zip(FIELDS, row)) for row in record["samples"]]
    first, page_mib = rows[0], record["page_size"] / 2 ** 20
    result = []
    for row in rows:
        resident = (row["resident_kib"] - first["resident_kib"]) / 1024
        sharing = row["pages_sharing"] - first["pages_sharing"]
        zero = row["zero_pages"] - first["zero_pages"]
        result.append(Point(row["seconds"], resident + zero * page_mib,
                            resident - sharing * page_mib,
                            (row["ksmd_ns"] - first["ksmd_ns"]) / 1e9,
                            (row["agent_ns"] - first["agent_ns"]) / 1e9))
    return result


def settled(curve):
    """Memory touched at the end of a run."""
    last = curve[-1].seconds
    return median(p.touched_mib for p in curve if p.seconds >= last * (1 - PLATEAU_PART))


def filled_at(curve):
    """When the guests' memory stopped growing."""
    goal = FILLED_SHARE * settled(curve)
    return next(point.seconds for point in curve if point.touched_mib >= goal)


def plateau(curve):
    """Memory in use at the end of a run."""
    last = curve[-1].seconds
    return median(p.in_use_mib for p in curve if p.seconds >= last * (1 - PLATEAU_PART))


def reference(runs, gain_mib=0):
    """The load's Reference, of (controller, curve) pairs that are all runs of that load.

    gain_mib is what the load is known to offer, however little of that was found.
    """
    by_controller = {}
    for controller, curve in runs:
        by_controller.setdefault(controller, []).append(curve)
    judges = [name for name in REFERENCE_CONTROLLERS if name in by_controller] or by_controller
    touched = median(settled(curve) for _, curve in runs)
    best = min(median(plateau(curve) for curve in by_controller[name]) for name in judges)
    return Reference(touched, min(best, touched - gain_mib))


def saved(curve, ref):
    """Pairs of seconds and MiB."""
    stretch = ref.touched_mib / settled(curve) if settled(curve) > 0 else 1
    return [(p.seconds, min(p.touched_mib * stretch, ref.touched_mib) - p.in_use_mib)
            for p in curve]


def touched_at(curve, share, ref):
    """When that share (percent) of the memory was touched: what is saved earlier will not last.

    A booting guest has pages that are alike for a moment, most of them zero.
    """
    wanted = share / 100 * min(ref.touched_mib, settled(curve))
    return next(point.seconds for point in curve if point.touched_mib >= wanted)


def time_to(savings, share, goal_mib, since, base_mib=0):
    """When that share (percent) of the way from base to goal was saved; None if never."""
    wanted = base_mib + share / 100 * (goal_mib - base_mib)
    return next((t for t, mib in savings if t >= since and mib >= wanted), None)


def area(savings):
    """MiB times seconds, by trapezoids."""
    return sum((t2 - t1) * (a + b) / 2 for (t1, a), (t2, b) in zip(savings, savings[1:]))


def cpu_at(curve, seconds):
    """ksmd's CPU time up to a moment, between samples in proportion."""
    before = curve[0]
    for point in curve:
        if point.seconds >= seconds:
            span = point.seconds - before.seconds
            part = (seconds - before.seconds) / span if span > 0 else 1
            return before.ksmd + part * (point.ksmd - before.ksmd)
        before = point
    return curve[-1].ksmd


def busiest_percent(curve, seconds=60):
    """ksmd's highest share of one CPU over any window so long; None if the run was shorter."""
    if curve[-1].seconds < seconds:
        return None
    return 100 / seconds * max(cpu_at(curve, p.seconds) - cpu_at(curve, p.seconds - seconds)
                               for p in curve if p.seconds >= seconds)


def passes_to_rest(record, fill):
    """Full scans that were needed after the fill until ksmd did nothing for a while.

    None if it never was that quiet.
    """
    rows = [dict(zip(FIELDS, row)) for row in record["samples"]]
    rows = [row for row in rows if row["seconds"] >= fill]
    for index, row in enumerate(rows):
        later = next((r for r in rows[index:] if r["seconds"] >= row["seconds"] + QUIET_SECONDS),
                     None)
        if later is None:
            return None
        busy_ns = later["ksmd_ns"] - row["ksmd_ns"]
        if busy_ns / 1e7 <= QUIET_PERCENT * (later["seconds"] - row["seconds"]):
            return row["full_scans"] - rows[0]["full_scans"]
    return None


def score(record, ref):
    """All columns of one run, by name; None for what did not happen."""
    curve = points(record)
    savings = saved(curve, ref)
    goal, end = ref.touched_mib - ref.in_use_mib, curve[-1].seconds
    fill, base, since = filled_at(curve), 0, 0
    if record.get("mark"):
        fill = since = record["mark"]
        base = median(mib for t, mib in savings if since - 5 <= t <= since)
    row = {"fill": fill, "plateau": plateau(curve), "saved": savings[-1][1], "goal": goal}
    for share in SHARES:
        at = time_to(savings, share, goal, max(since, touched_at(curve, share, ref)), base)
        row["t%d" % share] = None if at is None else at - fill
    at95 = None if row["t95"] is None else row["t95"] + fill
    row["cpu95"] = None if at95 is None else cpu_at(curve, at95)
    row["cpu95_fill"] = None if at95 is None else row["cpu95"] - cpu_at(curve, min(fill, at95))
    row["cpu"] = curve[-1].ksmd
    rest_from = end * (1 - REST_PART)
    row["rest"] = 100 * (curve[-1].ksmd - cpu_at(curve, rest_from)) / (end - rest_from)
    row["busiest"] = busiest_percent(curve)
    row["area"] = area(savings)
    row["area_since"] = area([(t, mib - base) for t, mib in savings if t >= since])
    row["passes_to_rest"] = passes_to_rest(record, fill)
    row["agent"] = curve[-1].agent
    row["agent_share"] = 100 * curve[-1].agent / row["cpu"] if row["cpu"] > 0 else None
    row["yield"] = row["saved"] / row["cpu"] if row["cpu"] > 0 else None
    for name in ("rss_kib", "private_kib", "dirty_kib"):
        row[name] = record.get("agent_memory", {}).get(name)
    return row
