# SPDX-License-Identifier: LGPL-2.1-or-later
"""reclaim_random.py - guests whose lives are rolled, for as long as one likes, with the agent

A slice is minutes of five such lives; its seed tells them all. A guest needs memory, takes it fast
or slowly, leaks it, rests and begins anew at random (test/support/guest/mood.h). Some of them have
a floor or shares of their own. The limit is rolled too: the tightest does not hold what they need
at their worst. Now and then a guest is reset, or destroyed and started again, or the agent is
killed and started again. What is asked is that no guest is left without memory that it may have,
and that none is below its floor.
"""
import random
import sys
import time

from vktest import Daemon, Domain
from vktest.host import domain_names
from reclaim_host import Limit, MIB
from reclaim_report import score
from reclaim_run import (FIELDS, GUESTS, MEMORY_MIB, Guests, held_host, recorded, sample,
                         told_of)
from results import append

LOAD = "random"
CONFIG = "[balloon]\nenable = yes\n[memory_high]\nenable = yes\n"
FLOOR_MIB = MEMORY_MIB // 4  # the default, where metadata names none
LIMITS_MIB = (704, 832, 960)
QUIET_SECONDS = (10, 40)     # between two resets or starts
GIVEN_BACK_SECONDS = 15      # after the agent's end
METADATA = ("<metadata><v:policy xmlns:v='urn:virtksm:domain:1'><v:balloon floor='%d' shares='%d'/>"
            "</v:policy></metadata>")


class Life:
    """One guest: what was rolled for it, and what became of it."""

    def __init__(self, number, dice):
        self.content = {
            "seed": number + 1, "moods": dice.randrange(1, 2 ** 32), "free": 248,
            "calm": dice.randrange(8, 49, 8), "work": dice.randrange(72, 193, 8),
            "growrate": dice.choice((1024, 2048, 4096)),
            "workrate": dice.choice((2000, 8000, 20000))}
        self.floor_mib = dice.choice((FLOOR_MIB, 48, 96, 128))
        self.domain = Domain(
            "reclaim-%d" % number, MEMORY_MIB, self.content, on_reboot="restart",
            metadata=METADATA % (self.floor_mib, dice.choice((50, 100, 200))))
        self.course = []  # seconds, balloon and need in MiB, failures so far
        self.resets = self.starts = 0
        self._told_before = [0, 0]

    def told(self):
        return [a + b for a, b in zip(self._told_before, told_of(self.domain))]

    def note(self, seconds, reported):
        if reported["balloon_bytes"]:
            self.course.append([round(seconds, 1), round(reported["balloon_bytes"] / MIB, 1),
                                round((reported["need_bytes"] or 0) / MIB, 1), self.told()[1]])

    def reset(self):
        self.domain.reset()
        self.resets += 1

    def start_anew(self):
        self._told_before = self.told()
        self.domain.destroy()
        self.domain.start(wait=False)
        self.starts += 1

    def record(self):
        units, failures = self.told()
        return {"content": self.content, "floor_mib": self.floor_mib, "resets": self.resets,
                "starts": self.starts, "units": units, "failures": failures,
                "course": self.course}


class Agent(Daemon):
    def __init__(self):
        super().__init__("--log-level", "warning", config=CONFIG)
        self.crashes = 0

    def crash(self):
        self.kill()
        self.start()
        self.crashes += 1


class Lives(Guests):
    def __init__(self, dice):
        self.lives = [Life(number, dice) for number in range(GUESTS)]
        super().__init__([life.domain for life in self.lives])
        self._dice = dice
        self._next = dice.uniform(*QUIET_SECONDS)

    def told(self):
        return tuple(sum(figures) for figures in zip(*(life.told() for life in self.lives)))

    def go_on(self, seconds, daemon):
        """What happens to one of them, or to the agent, when it is time."""
        if seconds < self._next:
            return
        life = self._dice.choice(self.lives)
        self._dice.choice((life.reset,) * 3 + (life.start_anew,) * 3 + (daemon.crash,))()
        self._next = seconds + self._dice.uniform(*QUIET_SECONDS)

    def note(self, seconds, daemon):
        by_name = {life.domain.name: life for life in self.lives}
        for reported in daemon.ask("report")["domains"]:
            if reported["name"] in by_name:
                by_name[reported["name"]].note(seconds, reported)


def _watch(record, lives, daemon, limit):
    begin, samples = time.monotonic(), []
    record.update(fields=FIELDS, samples=samples)
    while not samples or samples[-1][0] < record["seconds"]:
        time.sleep(max(0, begin + len(samples) - time.monotonic()))
        samples.append(sample(time.monotonic() - begin, lives, daemon, limit))
        lives.note(samples[-1][0], daemon)
        lives.go_on(samples[-1][0], daemon)


def _missing_mib(lives):
    return sum(MEMORY_MIB - life.domain.memory_statistics()["actual"] / 1024
               for life in lives.lives)


def _end(record, lives, daemon):
    """What is left when the agent has gone."""
    record["exit"] = daemon.stop()
    deadline = time.monotonic() + GIVEN_BACK_SECONDS
    while _missing_mib(lives) > 0 and time.monotonic() < deadline:
        time.sleep(0.5)
    record["missing_mib"] = _missing_mib(lives)
    record["odd"] = daemon.log().splitlines()


def _run(record, stack):
    dice = random.Random(record["seed"])
    record["limit_mib"] = dice.choice(LIMITS_MIB)
    limit, lives = Limit(record["limit_mib"]), Lives(dice)
    stack.enter_context(held_host(limit))
    daemon = Agent()
    stack.callback(daemon.close)
    daemon.start()
    lives.start(limit)
    killed = limit.killed()
    _watch(record, lives, daemon, limit)
    running = domain_names(running_only=True)
    record["lost"] = sum(life.domain.name not in running for life in lives.lives)
    record["lives"] = [life.record() for life in lives.lives]
    record.update(killed=limit.killed() - killed, crashes=daemon.crashes)
    if not record["lost"]:
        _end(record, lives, daemon)


def run_random(options):
    """The slices, each with a seed of its own; returns the records."""
    records = []
    for seed in range(options.seed, options.seed + options.slices):
        record = {"load": LOAD, "seed": seed, "seconds": options.minutes * 60}
        recorded(_run, record, options.lock)
        append(record, options.results)
        records.append(record)
        print("slice of seed %d: %s, %g s" % (seed, record.get("error", "done"), record["took"]),
              file=sys.stderr)
    return records


def _least_mib(life):
    return min((row[1] for row in life["course"]), default=MEMORY_MIB)


def _most_mib(life):
    return max((row[1] for row in life["course"]), default=0)


def _print_life(record, number, life):
    print("seed %d guest %d: floor %d MiB, balloon %.1f to %.1f MiB, needs %d to %d, "
          "%d thousand units, %d times no memory, %d resets, %d starts" % (
              record["seed"], number, life["floor_mib"], _least_mib(life), _most_mib(life),
              life["content"]["calm"], life["content"]["work"], life["units"] / 1000,
              life["failures"], life["resets"], life["starts"]))
    for before, now in zip(life["course"], life["course"][1:]):
        if now[3] > before[3]:
            print("  no memory at %.0f s: balloon %.1f, before that %.1f; need %.1f, before %.1f" %
                  (now[0], now[1], before[1], now[2], before[2]))


def _print_slice(record):
    figures = score(record)
    print("%10d %7.1f %6d %6d %6d %6d %8.0f %8.0f %9.0f %7.0f %7.0f %4d" % (
        record["seed"], record["samples"][-1][0] / 60, record["limit_mib"], figures["failures"],
        record["killed"], record["lost"], figures["swap_in"], figures["swap_out"],
        figures["units"], figures["stall"], record.get("missing_mib", -1),
        len(record.get("odd", []))))
    return figures


def _print_sums(records):
    figures = [score(record) for record in records]
    lives = [life for record in records for life in record["lives"]]
    print("In all %.1f minutes: %d times no memory in a guest, %d killed by the host, %d lost; "
          "%.0f MiB in, %.0f MiB out; %d resets, %d starts, %d crashes of the agent." % (
              sum(record["samples"][-1][0] for record in records) / 60,
              sum(one["failures"] for one in figures), sum(r["killed"] for r in records),
              sum(r["lost"] for r in records), sum(one["swap_in"] for one in figures),
              sum(one["swap_out"] for one in figures), sum(life["resets"] for life in lives),
              sum(life["starts"] for life in lives), sum(r["crashes"] for r in records)))
    above = [_least_mib(life) - life["floor_mib"] for life in lives]
    print("Balloons of %d guests: %d were below their floor; the nearest was %.1f MiB above it." % (
        len(above), sum(mib < 0 for mib in above), min(above)))


def print_random(records):
    """A line for each slice, each guest that was short, and all that the agent found odd."""
    done = [record for record in records if "error" not in record]
    print("\n== random: %d slices, %d failed" % (len(records), len(records) - len(done)))
    print("%10s %7s %6s %6s %6s %6s %8s %8s %9s %7s %7s %4s" % (
        "seed", "minutes", "limit", "no mem", "killed", "lost", "in MiB", "out MiB", "1000 work",
        "stall s", "missing", "odd"))
    for record in done:
        _print_slice(record)
    if done:
        _print_sums(done)
    for record in done:
        for number, life in enumerate(record["lives"]):
            _print_life(record, number, life)
        for line in record.get("odd", []):
            print("seed %d: %s" % (record["seed"], line))
    for record in records:
        if "error" in record:
            print("FAILED: seed %d: %s" % (record["seed"], record["error"]))
        if "left_over" in record:
            print("LEFT OVER: seed %d: %s" % (record["seed"], record["left_over"]))
