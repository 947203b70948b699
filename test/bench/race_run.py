# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_run.py - one run after the other, in random order, appended to a file of JSON lines

A record is written for every run, also for one that failed: {"error": "..."} instead of samples.
"""
import contextlib
import os
import random
import sys
import time

from vktest.host import Host
from race_control import CONTROLLERS, reset, wait_clean
from race_library import library_kib
from race_load import LOADS, Starter, prepare_linux
from race_sample import FIELDS, Sampler
from results import append

PERIOD_SECONDS = 0.2
# Guests under software emulation on a busy host.
FILL_SECONDS = 240
# Until what a guest does at the end of its start is over.
QUIET_SECONDS = 5


def _describe(load, controller, options):
    """What a record begins with."""
    return {"load": load.name, "controller": controller, "short": options.short,
            "window": options.window * (load.short if options.short else load.window),
            "page_size": os.sysconf("SC_PAGE_SIZE"), "kernel": os.uname().release,
            "when": int(time.time())}


class Run:
    """One controller on one load; what is seen goes into the record."""

    def __init__(self, record, options):
        self.record = record
        self._load = LOADS[record["load"]]
        if any(guest.kind == "linux" for guest in self._load.guests):
            prepare_linux()
        self._controller = CONTROLLERS[record["controller"]](options, self._load)
        self._starter = Starter(self._load, options.short)
        self._begin = None

    def _seconds(self):
        return time.monotonic() - self._begin

    def _sample(self, sampler, samples):
        guests = self._starter.guests
        now = self._seconds()
        for guest in guests:
            guest.look(now, self._load.mark)
        samples.append(sampler.sample(now, [guest.pid for guest in guests if guest.pid]))
        self._check(now)

    def _check(self, now):
        if self._starter.errors:
            raise AssertionError(self._starter.errors[0])
        if now > FILL_SECONDS and not self._is_filled():
            raise AssertionError("guests are not filled after %d s" % FILL_SECONDS)

    def _is_filled(self):
        return all("filled" in guest.times for guest in self._starter.guests)

    def _watch(self, is_over):
        sampler, samples = Sampler(self._controller.pid), []
        self.record.update(fields=FIELDS, samples=samples)
        self._begin = time.monotonic()
        self._sample(sampler, samples)
        self._starter.start()
        while not is_over():
            time.sleep(max(0, PERIOD_SECONDS * len(samples) - self._seconds()))
            self._sample(sampler, samples)
        # Checked against the window: a guest that never filled makes no result.
        if not self._is_filled():
            raise AssertionError("guests are not filled at the end of the window")

    def _race(self):
        self._watch(lambda: self._seconds() >= self.record["window"])
        marks = [guest.times.get("mark") for guest in self._starter.guests]
        if self._load.mark:
            if None in marks:
                raise AssertionError("not every guest says %s in the window" % self._load.mark)
            self.record["mark"] = max(marks)
        self.record["library_dirty_kib"] = library_kib(os.path.dirname(os.path.realpath(__file__)))
        self.record["agent_memory"] = self._controller.memory()

    def _measure_floor(self):
        def is_over():
            moments = [guest.times.get("filled") for guest in self._starter.guests]
            return None not in moments and self._seconds() > max(moments) + QUIET_SECONDS
        self._watch(is_over)
        self.record["floor"] = self._controller.two_passes()

    def run(self, host):
        """Fills in the record; whatever happens, the controller and the guests are gone then."""
        try:
            reset()
            self._controller.attach()
            if self.record["controller"] == "floor":
                self._measure_floor()
            else:
                self._race()
            self.record["guests"] = [guest.times for guest in self._starter.guests]
        finally:
            self._starter.stop()
            self._controller.detach()
            host.remove_domains()
            reset()
            wait_clean()


def _order(options):
    """Every controller on every load once, in random order, before any of them again."""
    dice = random.Random(options.seed)
    order = []
    for _ in range(options.repeat):
        turn = [(load, controller) for load in options.loads for controller in options.controllers]
        dice.shuffle(turn)
        order += turn
    return order


def _one(name, controller, options):
    """The lock is held for one run: others who wait for the host get their turn in between."""
    record = _describe(LOADS[name], controller, options)
    try:
        with contextlib.closing(Host()) as host:
            host.open()
            Run(record, options).run(host)
    except Exception as error:  # pylint: disable=broad-except # it is counted and shown
        record["error"] = "%s: %s" % (type(error).__name__, error)
        record.pop("samples", None)
    return record


def run_all(options):
    """The runs; returns the records."""
    order = _order(options)
    print("seed %d, %d runs" % (options.seed, len(order)), file=sys.stderr)
    records = []
    for number, (load, controller) in enumerate(order):
        record = dict(_one(load, controller, options), seed=options.seed, number=number)
        records.append(record)
        append(record, options.results)
        print("%d/%d %s %s: %s" % (number + 1, len(order), load, controller,
                                   record.get("error", "done")), file=sys.stderr)
    return records
