#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_tenancy.py - what two real guests have in common is shared only if they trust each other

Each guest has 32 MiB that the other has as well. A witness looks at what KSM has merged of each,
many times a second, for as long as a test goes on: also while domains start, and while the agent
is away.
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import ksm, main, virsh, wait_until  # noqa: E402
from vktest.tenancy import COMMON_PAGES, CONFIG, POLICY, TenancyTestCase, is_marked  # noqa: E402
from vktest.watch import Watch  # noqa: E402

# Firmware, loader and the guest itself have equal pages of their own; see support_selftest.py.
SLACK_PAGES = 600
# All memory is passed several times a second.
FAST = """\
[ksm]
mode = fixed
fixed_pages = 20000
[agent]
memory_tight = 1
[tenancy]
enforce = yes
rule = {rule}
dwell_s = 10
"""


class Witness(Watch):
    """What was merged of two processes, until it is ended. They must live that long."""

    def __init__(self, *pids):
        self.pids = pids
        self.peaks = [0] * len(pids)  # the most of each
        self.together = 0             # the most that both had at a time
        super().__init__(0.02, self._note)

    def _note(self):
        now = [ksm.of_process(pid)["ksm_merging_pages"] for pid in self.pids]
        self.peaks = [max(pair) for pair in zip(self.peaks, now)]
        self.together = max(self.together, min(now))


class RunWatch(Watch):
    """When "run" of KSM became what."""

    def __init__(self):
        self.changes = [(time.clock_gettime(time.CLOCK_BOOTTIME), ksm.read("run"))]
        super().__init__(0.0005, self._note)

    def _note(self):
        now = ksm.read("run")
        if now != self.changes[-1][1]:
            self.changes.append((time.clock_gettime(time.CLOCK_BOOTTIME), now))

    def stops(self):
        """Ends it. Returns when KSM was made to stand still."""
        self.end()
        return [at for at, run in self.changes[1:] if run == 0]


def begun_at(pid):
    """When a process began, by the clock of RunWatch, to 10 ms."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        return int(file.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


class Groups(TenancyTestCase):

    def assert_apart(self, witness):
        witness.end()
        self.assertLess(witness.together, SLACK_PAGES, witness.peaks)

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
        self.host.restart_libvirtd()
        wait_until(lambda: daemon.ask("status")["libvirt"]["connected"], "libvirt is back", 60)
        self.wait_settled(daemon)
        self.assertEqual(is_marked(one) + is_marked(two), 1)
        self.assert_apart(witness)
        self.assertLess(max(witness.peaks), COMMON_PAGES / 2, witness.peaks)

    def test_a_change_of_group_joins_and_parts(self):
        daemon = self.hooked()
        one, two = self.guest("one", "a").start(), self.guest("two", "b").start()
        self.wait_settled(daemon)
        daemon.client("set", two.name, "ksm.group=a")
        self.wait_shared(one, two)
        began = time.monotonic()
        daemon.client("set", two.name, "ksm.group=b")
        wait_until(lambda: self.tenancy(daemon)["rule"] == "same-group" and
                   "off" in (self.merging(daemon, one), self.merging(daemon, two)) and
                   not self.tenancy(daemon)["paused"], lambda: self.tenancy(daemon), 60)
        print("parted after %.2f s" % (time.monotonic() - began), file=sys.stderr)
        # The kernel counts what was merged until ksmd comes past; of who stays on it goes on to,
        # though nobody else has these pages any more.
        wait_until(lambda: min(one.ksm()["ksm_merging_pages"], two.ksm()["ksm_merging_pages"]) <
                   SLACK_PAGES, "ksmd has dropped its records", 90)
        witness = Witness(one.pid, two.pid)
        self.wait_settled(daemon)
        self.assert_apart(witness)

    def test_by_rule_all_they_share(self):
        daemon = self.hooked("all")
        one, two = self.guest("one", "a").start(), self.guest("two", "b").start()
        self.wait_shared(one, two)
        self.assertEqual([self.merging(daemon, d) for d in (one, two)], ["on", "on"])

    def test_nodes_are_joined_or_parted_when_nothing_is_merged(self):
        want = 1 - ksm.read("merge_across_nodes")
        daemon = self.hooked("all")
        one, two = self.guest("one", "a").start(), self.guest("two", "a").start()
        self.wait_shared(one, two)
        daemon.write_config(CONFIG.format(rule="all", tight=1).replace(
            "[ksm]", "[ksm]\nmerge_across_nodes = %s" % ("yes" if want else "no")))
        began = time.monotonic()
        daemon.send(signal.SIGHUP)
        wait_until(lambda: ksm.read("merge_across_nodes") == want, "it is changed", 60)
        print("nodes changed after %.2f s" % (time.monotonic() - began), file=sys.stderr)
        wait_until(lambda: is_marked(one) and is_marked(two), "they are on again", 30)
        self.wait_shared(one, two)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(ksm.read("merge_across_nodes"), want)
        self.assertIn("stays at %d" % want, daemon.log())
        daemon.found["merge_across_nodes"] = want

    def test_whatever_kills_it_merging_goes_back_to_what_was_before_its_first_run(self):
        daemon = self.hooked("none")
        one = self.guest("one", "a").start()

        def kill_while_off():
            wait_until(lambda: self.merging(daemon, one) == "off", "it is off", 20)
            daemon.kill()
            self.assertFalse(is_marked(one))

        kill_while_off()
        daemon.restore()
        self.assertTrue(is_marked(one))
        daemon.start()
        kill_while_off()
        daemon.start()
        self.assertEqual(daemon.stop(), 0)
        self.assertTrue(is_marked(one), "the next start and stop")


class WriteTiming(TenancyTestCase):
    """What a curious guest learns from its own writes; see test/support/guest/probe.c."""

    with_hook = True
    PROBE_MIB = 16
    ROUNDS = 3

    def neighbours(self, rule, probe=5):
        """The daemon, a victim, and a curious guest of another group."""
        # smart_scan looks at a page that has stayed unique in every ninth pass only. Of two guests
        # whose turns are not the same passes, it never finds that they have equal pages.
        if ksm.read("smart_scan") is not None:
            ksm.write("smart_scan", 0)
        ksm.write("run", 0)  # which is what the daemon leaves behind
        daemon = self.daemon(config=FAST.format(rule=rule))
        self.host.hook.point_to(daemon.runtime_dir + "/hook.sock")
        daemon.start()
        victim = self.guest("victim", "a").start()
        curious = self.domain("curious", metadata=POLICY % "b", content={
            "common": self.PROBE_MIB, "unique": self.PROBE_MIB, "seed": 7, "probe": probe}).start()
        return daemon, victim, curious

    @staticmethod
    def looks(curious):
        """Of each time that it has looked: cycles to write to a page that its neighbour has, and
        to one that nobody has."""
        whole_lines = curious.console_text().rpartition("\n")[0].splitlines()
        return [(int(line.split()[1]), int(line.split()[2])) for line in whole_lines
                if line.startswith("PROBE ")]

    def wait_looked(self, curious, times):
        """Until it has looked so often from now on. What it does now does not count."""
        before = len(self.looks(curious)) + 1
        wait_until(lambda: len(self.looks(curious)) >= before + times, "it has looked", 120)
        return self.looks(curious)[before:]

    @staticmethod
    def ratios(rule, looks):
        print("rule %s, cycles for a common and a unique page: %s" % (rule, looks), file=sys.stderr)
        return [common / unique for common, unique in looks]

    def test_by_rule_all_the_time_of_a_write_tells(self):
        _, _, curious = self.neighbours("all")
        wait_until(lambda: curious.ksm()["ksm_merging_pages"] >= self.PROBE_MIB * 256,
                   lambda: "it shares what it looks at: %s" % curious.ksm(), 60)
        ratios = self.ratios("all", self.wait_looked(curious, self.ROUNDS))
        self.assertGreater(max(ratios), 2)

    def test_between_groups_it_tells_nothing_whatever_starts_or_changes(self):
        daemon, victim, curious = self.neighbours("same-group", probe=2)

        def settle():
            wait_until(lambda: self.merging(daemon, curious) in ("on", "off") and
                       not self.tenancy(daemon)["paused"], lambda: self.tenancy(daemon), 60)
            self.wait_looked(curious, self.ROUNDS)

        settle()
        daemon.stop()
        self.wait_looked(curious, self.ROUNDS)
        daemon.start()
        settle()
        daemon.kill()
        self.wait_looked(curious, self.ROUNDS)
        daemon.start()
        settle()
        self.host.restart_libvirtd()
        wait_until(lambda: daemon.ask("status")["libvirt"]["connected"], "libvirt is back", 60)
        settle()
        daemon.client("set", victim.name, "ksm.group=c")
        settle()
        ratios = self.ratios("same-group", self.looks(curious))
        self.assertLess(max(ratios), 1.5)


class StartWindow(TenancyTestCase):

    def windows(self, daemon, names, group):
        """For each start: seconds from QEMU's start to the pause; negative: it came before."""
        found = []
        for name in names:
            wait_until(lambda: ksm.read("run") == 1, "KSM scans", 60)
            watch = RunWatch()
            domain = self.guest(name, group).start()
            begun = begun_at(domain.pid)
            stops = watch.stops()
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


if __name__ == "__main__":
    main()
