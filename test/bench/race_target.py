# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_target.py - what mode auto is to reach, as data, and whether it does

A target is one figure of auto against a limit: a number, or another controller's figure of the
same load times a factor plus a term. Medians are compared. A target whose figures are not all
there is "not measured", which is not "met".
"""
from collections import namedtuple
from statistics import median

from race_table import middle

# load     name of the load
# what     for people
# key      of the score, see race_score.score()
# against  controller; "floor": two passes over the filled guests; "cap": what these take at the
#          load's cap; "cap-window": what they take if the cap may be spent early in every 60 s;
#          None: the limit is plus alone
# factor   times that
# plus     and that added
# least    whether the limit is a minimum
Target = namedtuple("Target", "load what key against factor plus least", defaults=(1, 0, False))

CAP_PERCENT = 25
PEERS = ("classic", "default", "flat", "advisor-cold", "advisor-warm", "ksmtuned",
         "ksmtuned-raised")
NO_GAIN = ("unique",)
# The limit of private memory above the libvirt client library's own.
OWN_MEMORY_KIB = 3 * 1024


def _of_load(load, rows):
    return [Target(load, *row) for row in rows]


_BURST = (
    ("95 % at most 0.5 s after flat out", "t95", "flat", 1, 0.5),
    ("95 % no later than Kata's ladder", "t95", "classic"),
    ("ksmd to 95 % <= 0.6 x Kata", "cpu95", "classic", 0.6),
    ("ksmd to 95 % <= 1.15 x two passes", "cpu95", "floor", 1.15),
    ("ksmd from fill to 95 % <= 1.15 x two passes", "cpu95_fill", "floor", 1.15),
    ("ksmd in the window <= 0.15 x Kata", "cpu", "classic", 0.15),
    ("area >= 90 % of flat out", "area", "flat", 0.9, 0, True),
)
_LARGE = (
    ("95 % <= 1.05 x flat out", "t95", "flat", 1.05),
    ("ksmd to 95 % <= 1.15 x two passes", "cpu95", "floor", 1.15),
    ("ksmd in the window <= 0.5 x Kata", "cpu", "classic", 0.5),
    ("area >= 90 % of flat out", "area", "flat", 0.9, 0, True),
    ("at rest <= 0.5 % of a CPU, with volatile pages", "rest", None, 0, 0.5),
)
TARGETS = [*(
    _of_load("burst", _BURST) + _of_load("burst-held", _BURST) +
    _of_load("rest", (("at rest <= 0.5 % of a CPU", "rest", None, 0, 0.5),)) +
    _of_load("trickle", (
        ("95 % <= 1.2 x flat out", "t95", "flat", 1.2),
        ("ksmd in the run <= 1/15 of Kata", "cpu", "classic", 1 / 15),
        ("ksmd in the run <= 1/25 of flat out", "cpu", "flat", 1 / 25),
        ("area >= 95 % of flat out", "area", "flat", 0.95, 0, True),
        ("at rest <= 0.5 % of a CPU", "rest", None, 0, 0.5),
    )) +
    _of_load("large", _LARGE) + _of_load("large-held", _LARGE) +
    _of_load("unique", (
        ("rest within three passes", "passes_to_rest", None, 0, 3),
        ("ksmd in the run <= 0.2 x Kata", "cpu", "classic", 0.2),
        ("at rest <= 0.3 % of a CPU", "rest", None, 0, 0.3),
    )) +
    _of_load("late", [("area at least that of " + peer, "area_since", peer, 1, 0, True)
                      for peer in PEERS] + [
        ("at rest <= 0.5 % of a CPU", "rest", None, 0, 0.5),
    ]) +
    _of_load("cap", (
        ("no 60 s over the cap of %d %%" % CAP_PERCENT, "busiest", None, 0, CAP_PERCENT),
        ("95 % within 1.3 x of what the cap allows, evenly", "t95", "cap", 1.3),
        ("95 % within 1.3 x of what it allows in bursts", "t95", "cap-window", 1.3),
    ))
)]

WINDOW_SECONDS = 60


def _capped_window(floor):
    whole, rest = divmod(floor, WINDOW_SECONDS * CAP_PERCENT / 100)
    return WINDOW_SECONDS * whole + rest


# What becomes of the CPU seconds of two passes.
FLOOR_TIMES = {"floor": lambda floor: floor, "cap": lambda floor: floor * 100 / CAP_PERCENT,
               "cap-window": _capped_window}

Verdict = namedtuple("Verdict", "target value limit met")


def _general(results, library_kib):
    """Targets that hold on every load that was raced."""
    for result in results:
        load = result.name
        if load not in NO_GAIN:
            for peer in PEERS:
                if peer in result.scores:
                    yield Target(load, "MiB per ksmd CPU s more than " + peer, "yield", peer, 1, 0,
                                 True)
        if library_kib is not None:
            yield Target(load, "private dirty KiB <= 3 MiB above libvirt's own", "dirty_kib",
                         None, 0, library_kib + OWN_MEMORY_KIB)
        yield Target(load, "agent's CPU <= 2 % of ksmd's", "agent_share", None, 0, 2)


def _other(result, target):
    """The figure that the limit is made of; None if it was not measured."""
    if target.against is None:
        return 0
    if target.against in FLOOR_TIMES:
        return FLOOR_TIMES[target.against](median(result.floors)) if result.floors else None
    if target.against not in result.scores:
        return None
    return middle(result.scores[target.against], target.key)


def judge(target, result):
    """The Verdict; met is None when something was not measured, or a peer never got there.

    What auto never reached is missed, and not "not measured".
    """
    mine, other = result.scores.get("auto"), _other(result, target)
    if not mine:
        return Verdict(target, None, None, None)
    value = middle(mine, target.key)
    limit = None if other is None else target.factor * other + target.plus
    if value is None and target.key in ("busiest", "dirty_kib", "agent_share"):
        return Verdict(target, None, limit, None)
    if value is None or limit is None:
        measured = limit is not None or target.against in result.scores
        return Verdict(target, value, limit, _half(value, measured))
    return Verdict(target, value, limit, value >= limit if target.least else value <= limit)


def _half(value, measured):
    """One side is infinite: auto never got there (missed), or only the peer did not (met)."""
    return (value is not None) if measured else None


def verdicts(results, library_kib=None):
    """Of all targets whose load was raced; library_kib is libvirt's own private memory."""
    targets = TARGETS + list(dict.fromkeys(_general(results, library_kib)))
    return [judge(target, result) for result in results for target in targets
            if target.load == result.name and result.scores]


def verdict_line(verdict):
    word = {True: "met", False: "MISSED", None: "not measured"}[verdict.met]
    text = "%-12s %-10s %s" % (word, verdict.target.load, verdict.target.what)
    if verdict.value is not None:
        text += ": %.3g" % verdict.value
    if verdict.limit is not None:
        text += ", limit %.3g" % verdict.limit
        if verdict.value is not None and verdict.limit > 0:
            text += " (%.0f %% of it)" % (100 * verdict.value / verdict.limit)
    return text
