#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_tenancy.py - what two real guests have in common is shared only if they trust each other

Each guest has 32 MiB that the other has as well. A witness looks at what KSM has merged of each,
many times a second, for as long as a test goes on: also while domains start, and while the agent
is away.
"""
import os
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import RealTestCase, ksm, main, virsh, wait_until  # noqa: E402
from vktest.memory import Hog  # noqa: E402

COMMON_MIB = 32
COMMON_PAGES = COMMON_MIB * 256
# Firmware, loader and the guest itself have equal pages of their own; see support_selftest.py.
SLACK_PAGES = 600
POLICY = "<metadata><v:policy xmlns:v='urn:virtksm:domain:1'><v:ksm group='%s'/></v:policy></metadata>"
CONFIG = """\
[ksm]
settle_ms = 500
[agent]
memory_tight = {tight}
[tenancy]
enforce = yes
rule = {rule}
dwell_s = 10
"""


class Witness:
    """The most that was merged of each process, from open() to most()."""

    def __init__(self, *pids):
        self.pids = pids
        self.peak = dict.fromkeys(pids, 0)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._end.wait(0.02):
            for pid in self.pids:
                try:
                    self.peak[pid] = max(self.peak[pid],
                                         ksm.of_process(pid)["ksm_merging_pages"])
                except (FileNotFoundError, ProcessLookupError):
                    pass

    def most(self):
        self._end.set()
        self._thread.join()
        return [self.peak[pid] for pid in self.pids]


class RunWatch:
    """When "run" of KSM became what."""

    def __init__(self):
        self.changes = [(time.clock_gettime(time.CLOCK_BOOTTIME), ksm.read("run"))]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._end.wait(0.0005):
            now = ksm.read("run")
            if now != self.changes[-1][1]:
                self.changes.append((time.clock_gettime(time.CLOCK_BOOTTIME), now))

    def end(self):
        self._end.set()
        self._thread.join()
        return self.changes


def begun_at(pid):
    """When a process began, by the clock of RunWatch, to 10 ms."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        return int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


def is_marked(domain):
    """Whether guest memory of that size is mergeable, by the flags of its mapping."""
    size = None
    with open("/proc/%d/smaps" % domain.pid, encoding="ascii") as file:
        for line in file:
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                size = int(match[2], 16) - int(match[1], 16)
            elif line.startswith("VmFlags:") and size == 96 << 20:
                return " mg" in line
    raise AssertionError("%s has no mapping of its size" % domain.name)


class TenancyTestCase(RealTestCase):

    with_hook = True

    def hooked(self, rule="auto", tight=1):
        daemon = self.daemon(config=CONFIG.format(rule=rule, tight=tight))
        self.host.hook.point_to(daemon.runtime_dir + "/hook.sock")
        return daemon.start()

    def guest(self, name, group):
        return self.domain(name, content={"common": COMMON_MIB}, metadata=POLICY % group)

    def tenancy(self, daemon):
        return daemon.ask("status")["tenancy"]

    def merging(self, daemon, domain):
        rows = [row for row in daemon.ask("report")["domains"] if row["name"] == domain.name]
        return rows[0]["merging"] if rows else None

    def wait_settled(self, daemon, seconds=30):
        """Until everybody is as wanted and KSM has seen all."""
        wait_until(lambda: not self.tenancy(daemon)["paused"],
                   lambda: "settled: %s" % self.tenancy(daemon), seconds)
        wait_until(lambda: daemon.ask("status")["phase"] in ("maintain", "rest"),
                   lambda: "calm: %s" % daemon.ask("status"), seconds)

    def assert_apart(self, witness):
        peaks = witness.most()
        self.assertLess(min(peaks), SLACK_PAGES, peaks)
        self.assertLess(max(peaks), COMMON_PAGES / 2, peaks)


class Groups(TenancyTestCase):

    def test_what_two_groups_have_in_common_is_never_shared(self):
        daemon = self.hooked()
        one = self.guest("one", "a").start()
        self.wait_settled(daemon)
        two = self.guest("two", "b").start(wait=False)
        witness = Witness(one.pid, two.pid)
        two.wait_for("READY")
        self.wait_settled(daemon)
        self.assertEqual(sorted([self.merging(daemon, one), self.merging(daemon, two)]),
                         ["off", "on"])
        self.assertEqual(is_marked(one) + is_marked(two), 1)
        self.assertIn("custom", virsh("dominfo", two.name if is_marked(one) else one.name))
        daemon.stop()
        self.assertTrue(is_marked(one) and is_marked(two))
        daemon.start()
        self.wait_settled(daemon)
        daemon.kill()
        daemon.start()
        self.wait_settled(daemon)
        self.assertEqual(is_marked(one) + is_marked(two), 1)
        self.assert_apart(witness)

    def test_a_change_of_group_joins_and_parts(self):
        daemon = self.hooked()
        one, two = self.guest("one", "a").start(), self.guest("two", "b").start()
        self.wait_settled(daemon)
        daemon.client("set", two.name, "ksm.group=a")
        wait_until(lambda: min(one.ksm()["ksm_merging_pages"], two.ksm()["ksm_merging_pages"]) >=
                   COMMON_PAGES, "they share what they have in common", 60)
        began = time.monotonic()
        daemon.client("set", two.name, "ksm.group=b")
        wait_until(lambda: self.tenancy(daemon)["rule"] == "same-group" and
                   "off" in (self.merging(daemon, one), self.merging(daemon, two)) and
                   not self.tenancy(daemon)["paused"], lambda: self.tenancy(daemon), 60)
        print("parted after %.2f s" % (time.monotonic() - began), file=sys.stderr)
        # The kernel counts what was merged until ksmd comes past.
        wait_until(lambda: min(one.ksm()["ksm_merging_pages"], two.ksm()["ksm_merging_pages"]) <
                   SLACK_PAGES, "ksmd has dropped its records", 90)
        witness = Witness(one.pid, two.pid)
        self.wait_settled(daemon)
        self.assert_apart(witness)

    def test_by_rule_all_they_share(self):
        daemon = self.hooked("all")
        one, two = self.guest("one", "a").start(), self.guest("two", "b").start()
        wait_until(lambda: min(one.ksm()["ksm_merging_pages"], two.ksm()["ksm_merging_pages"]) >=
                   COMMON_PAGES, "they share what they have in common", 60)
        self.assertEqual([self.merging(daemon, d) for d in (one, two)], ["on", "on"])

    def test_a_killed_agent_leaves_what_restore_puts_back(self):
        daemon = self.hooked("none")
        one = self.guest("one", "a").start()
        wait_until(lambda: self.merging(daemon, one) == "off", "it is off", 20)
        daemon.kill()
        self.assertFalse(is_marked(one))
        self.assertEqual(self.run_restore(daemon), 0)
        self.assertTrue(is_marked(one))

    @staticmethod
    def run_restore(daemon):
        return subprocess.run(daemon.command("--restore"), check=False).returncode


class StartWindow(TenancyTestCase):

    def windows(self, daemon, names, group):
        """For each start: seconds from QEMU's start to the pause; negative: it came before."""
        found = []
        for name in names:
            watch = RunWatch()
            self.assertEqual(watch.changes[0][1], 1)
            domain = self.guest(name, group).start()
            begun = begun_at(domain.pid)
            stops = [at for at, run in watch.end() if run == 0]
            self.assertTrue(stops, "KSM was never stopped")
            found.append(stops[0] - begun)
            self.wait_settled(daemon)
        return found

    def test_scanning_stands_still_before_a_domain_has_memory(self):
        daemon = self.hooked()
        first = self.guest("first", "a").start()
        self.wait_settled(daemon)
        windows = self.windows(daemon, ["two", "three"], "a")
        print("with the hook, ms: %s" % [round(1000 * w) for w in windows], file=sys.stderr)
        self.assertLess(max(windows), 0.25)  # the hook does not wait for anybody
        self.host.hook.take_away()
        self.addCleanup(self.host.hook.put)
        self.assertTrue(is_marked(first))
        windows = self.windows(daemon, ["four", "five"], "b")  # of the group that is not merged
        print("without, ms: %s" % [round(1000 * w) for w in windows], file=sys.stderr)


class Faults(TenancyTestCase):

    def test_without_memory_nobody_is_parted_and_the_figures_say_so(self):
        daemon = self.hooked(tight=90)
        hog = Hog(0.8)
        self.addCleanup(hog.close)
        one, two = self.guest("one", "a").start(), self.guest("two", "a").start()
        wait_until(lambda: min(one.ksm()["ksm_merging_pages"], two.ksm()["ksm_merging_pages"]) >=
                   COMMON_PAGES, "they share", 60)
        daemon.client("set", two.name, "ksm.group=b")
        told = wait_until(lambda: (lambda t: t["paused"] and t["need_bytes"] and t)(
            self.tenancy(daemon)), "it waits", 20)
        self.assertGreater(told["need_bytes"], COMMON_MIB << 19)  # figures may be a second old
        self.assertLess(told["headroom_bytes"], told["need_bytes"])
        self.assertTrue(is_marked(one) and is_marked(two))
        self.assertEqual(ksm.read("run"), 0)
        self.assertIn("merge-no-headroom", daemon.client("doctor", "--format", "json").stdout)
        daemon.write_config(CONFIG.format(rule="auto", tight=1))
        daemon.send(signal.SIGHUP)
        self.wait_settled(daemon)
        self.assertEqual(is_marked(one) + is_marked(two), 1)

    def test_a_hung_qemu_stops_scanning_and_nothing_else(self):
        daemon = self.hooked("listed")
        one, two = self.guest("one", "a").start(), self.guest("two", "a").start()
        self.wait_settled(daemon)
        self.assertFalse(is_marked(one) or is_marked(two))
        daemon.client("set", one.name, "ksm.merge=yes")
        daemon.client("set", two.name, "ksm.merge=yes")
        wait_until(lambda: is_marked(one) and is_marked(two), "both are merged", 20)
        os.kill(two.pid, signal.SIGSTOP)
        self.addCleanup(self.wake, two)
        daemon.client("set", one.name, "ksm.merge=no")
        daemon.client("set", two.name, "ksm.merge=no", seconds=5)
        wait_until(lambda: not is_marked(one), "the other one is off", 30)
        self.assertEqual(ksm.read("run"), 0)
        self.wake(two)
        wait_until(lambda: not is_marked(two), "it is off", 60)
        self.wait_settled(daemon, 60)

    @staticmethod
    def wake(domain):
        try:
            os.kill(domain.pid, signal.SIGCONT)
        except (FileNotFoundError, ProcessLookupError):
            pass

    def test_memory_that_cannot_be_merged_is_left_alone(self):
        daemon = self.hooked("none")
        shared = self.domain("shared", backing=self.domain("x").MEMFD).start()
        wait_until(lambda: self.merging(daemon, shared) == "cannot merge", "it cannot merge", 20)
        self.wait_settled(daemon)
        self.assertNotIn("custom", virsh("dominfo", shared.name))


if __name__ == "__main__":
    main()
