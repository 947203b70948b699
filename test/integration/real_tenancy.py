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
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import RealTestCase, ksm, main, virsh, wait_until  # noqa: E402
from vktest.memory import Hog  # noqa: E402
from vktest.watch import Watch  # noqa: E402

COMMON_MIB = 32
COMMON_PAGES = COMMON_MIB * 256
# Firmware, loader and the guest itself have equal pages of their own; see support_selftest.py.
SLACK_PAGES = 600
POLICY = "<metadata><v:policy xmlns:v='urn:virtksm:domain:1'><v:ksm group='%s'/></v:policy></metadata>"
DIMM = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"
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


def is_marked(domain, mib=96):
    """Whether guest memory of that size is mergeable, by the flags of its mapping."""
    size = None
    with open("/proc/%d/smaps" % domain.pid, encoding="ascii") as file:
        for line in file:
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                size = int(match[2], 16) - int(match[1], 16)
            elif line.startswith("VmFlags:") and size == mib << 20:
                return " mg" in line
    raise AssertionError("%s has no mapping of %d MiB" % (domain.name, mib))


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

    @staticmethod
    def wait_shared(*domains):
        wait_until(lambda: min(each.ksm()["ksm_merging_pages"] for each in domains) >=
                   COMMON_PAGES, "they share what they have in common", 60)

    def assert_apart(self, witness):
        witness.end()
        self.assertLess(witness.together, SLACK_PAGES, witness.peaks)


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


class WriteTiming(TenancyTestCase):
    """What a curious guest learns from its own writes; see test/support/guest/probe.c."""

    with_hook = False
    PROBE_MIB = 16
    ROUNDS = 3

    def learn(self, rule, is_ready):
        """Ratios of the times to write to a page that a neighbour has, and to one that it has not,
        once the curious guest is_ready()."""
        daemon = self.daemon(config=FAST.format(rule=rule)).start()
        self.guest("victim", "a").start()
        curious = self.domain("curious", metadata=POLICY % "b", content={
            "common": self.PROBE_MIB, "unique": self.PROBE_MIB, "seed": 7, "probe": 5}).start()
        wait_until(lambda: is_ready(daemon, curious), lambda: self.tenancy(daemon), 60)
        before = curious.console_text().count("PROBE")
        wait_until(lambda: curious.console_text().count("PROBE") > before + self.ROUNDS,
                   "it has looked", 120)
        lines = [line.split() for line in curious.console_text().splitlines()
                 if line.startswith("PROBE") and line.count(" ") == 2]
        times = [(int(line[1]), int(line[2])) for line in lines[before + 1:][:self.ROUNDS]]
        print("rule %s, cycles for a common and a unique page: %s" % (rule, times), file=sys.stderr)
        return [common / unique for common, unique in times]

    def test_between_groups_it_tells_nothing(self):
        ratios = self.learn("same-group", lambda daemon, curious: self.merging(
            daemon, curious) in ("on", "off") and not self.tenancy(daemon)["paused"])
        self.assertLess(sorted(ratios)[self.ROUNDS // 2], 1.5)


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


class Faults(TenancyTestCase):

    def test_without_memory_nobody_is_parted_and_the_figures_say_so(self):
        daemon = self.hooked(tight=90)
        hog = Hog(0.8)
        self.addCleanup(hog.close)
        one, two = self.guest("one", "a").start(), self.guest("two", "a").start()
        self.wait_shared(one, two)
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

    def hung(self, daemon):
        """Two domains that must be switched off, of which the second one's QEMU hangs."""
        one, two = self.guest("one", "a").start(), self.guest("two", "a").start()
        self.wait_settled(daemon)
        self.assertTrue(is_marked(one) and is_marked(two))
        os.kill(two.pid, signal.SIGSTOP)
        self.addCleanup(self.wake, two)
        # libvirt would wait for the one that hangs: nothing is asked of it here.
        daemon.write_config(CONFIG.format(rule="listed", tight=1))
        daemon.send(signal.SIGHUP)
        wait_until(lambda: not is_marked(one), "the other one is off", 60)
        self.assertTrue(is_marked(two))
        self.assertEqual(ksm.read("run"), 0)
        return one, two

    def test_a_hung_qemu_stops_scanning_and_nothing_else(self):
        daemon = self.hooked("all")
        _, two = self.hung(daemon)
        self.wake(two)
        wait_until(lambda: not is_marked(two), "it is off", 90)
        self.wait_settled(daemon, 60)

    def test_a_qemu_that_ends_in_the_middle_is_waited_for_no_more(self):
        daemon = self.hooked("all")
        one, two = self.hung(daemon)
        os.kill(two.pid, signal.SIGKILL)
        wait_until(lambda: not self.tenancy(daemon)["paused"], lambda: self.tenancy(daemon), 60)
        self.assertFalse(is_marked(one))

    def test_every_piece_of_memory_is_switched_and_goes_back(self):
        daemon = self.hooked("none")
        domain = self.guest("cells", "a")
        domain.xml = domain.xml.replace("<memory ", "<maxMemory slots='2' unit='MiB'>512"
                                        "</maxMemory><memory ", 1)
        domain.xml = domain.xml.replace("<model>qemu64</model>", "<model>qemu64</model><numa>"
                                        "<cell id='0' cpus='0' memory='40' unit='MiB'/>"
                                        "<cell id='1' memory='56' unit='MiB'/></numa>", 1)
        domain.start()
        wait_until(lambda: self.merging(daemon, domain) == "off", "it is off", 30)
        self.assertFalse(is_marked(domain, 40) or is_marked(domain, 56))
        with open(domain.console + ".dimm.xml", "w", encoding="ascii") as file:
            file.write(DIMM)
        virsh("attach-device", domain.name, file.name, "--live")
        wait_until(lambda: not is_marked(domain, 64), "the DIMM is off", 30)
        wait_until(lambda: self.merging(daemon, domain) == "off", "it is off again", 30)
        daemon.stop()
        self.assertEqual([is_marked(domain, mib) for mib in (40, 56, 64)], [True] * 3)

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
