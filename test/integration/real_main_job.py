#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_main_job.py - a domain starts, KSM moves, memory merges, KSM calms down, the report is right

The real daemon with real libvirtd, QEMU guests and this machine's KSM.
"""
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import RealTestCase, ksm, main, wait_until  # noqa: E402

PAGES_PER_MIB = 256

# What firmware, loader and the guest itself leave behind besides the content ordered.
SLACK_PAGES = 600

SETTLED = ("settle", "maintain", "rest")


class MainJob(RealTestCase):

    def setUp(self):
        super().setUp()
        # Settings that the daemon would not choose by itself, so that restoring shows.
        ksm.restore(dict(ksm.knobs(), run=0, pages_to_scan=123, sleep_millisecs=456))
        self.found = ksm.knobs()

    def pair(self):
        """Two domains with 32 MiB alike and 16 MiB each of their own."""
        return [self.domain("pair%d" % seed, content={"common": 32, "unique": 16, "seed": seed})
                for seed in (1, 2)]

    def assert_adds_up(self, report):
        parts = [domain["saved_pages"] for domain in report["domains"]]
        self.assertNotIn(None, parts, report)
        self.assertEqual(sum(parts) + report["others"]["saved_pages"],
                         report["host"]["saved_pages"], report)

    def wait_settled(self, daemon):
        wait_until(lambda: daemon.ask("status")["phase"] in SETTLED, "merging settled", 60)

    def test_a_start_moves_ksm_and_merging_settles(self):
        daemon = self.daemon().start()
        self.assertEqual(ksm.read("run"), 0, "without a domain")
        one, two = [domain.start() for domain in self.pair()]
        self.assertEqual(ksm.read("run"), 1, "with domains")
        wait_until(lambda: one.ksm()["ksm_merging_pages"] >= 32 * PAGES_PER_MIB, "merged", 60)
        self.wait_settled(daemon)

        report = daemon.ask("report")
        self.assert_adds_up(report)
        self.assertEqual(report["host"]["pages_sharing"], ksm.read("pages_sharing"))
        self.assertGreaterEqual(report["host"]["saved_pages"], 32 * PAGES_PER_MIB)
        self.assertLessEqual(report["host"]["saved_pages"], 32 * PAGES_PER_MIB + 2 * SLACK_PAGES)
        by_name = {domain["name"]: domain for domain in report["domains"]}
        self.assertEqual(set(by_name), {one.name, two.name})
        for domain in one, two:
            row = by_name[domain.name]
            self.assertEqual(row["uuid"], domain.uuid)
            self.assertEqual(row["pid"], domain.pid)
            self.assertEqual(row["maximum_bytes"], 96 << 20)
            self.assertEqual(row["merging_pages"], domain.ksm()["ksm_merging_pages"])
            # Both bring the same, so each is due half.
            self.assertAlmostEqual(row["saved_pages"], report["host"]["saved_pages"] / 2,
                                   delta=SLACK_PAGES)

    def test_domains_that_run_already_are_found(self):
        names = {domain.start().name for domain in self.pair()}
        daemon = self.daemon().start()
        wait_until(lambda: {row["name"] for row in daemon.ask("report")["domains"]} == names,
                   "both domains reported")
        wait_until(lambda: ksm.read("pages_sharing") >= 32 * PAGES_PER_MIB, "merged", 60)

    def test_the_report_adds_up_while_domains_come_and_go(self):
        daemon = self.daemon().start()
        pair = self.pair()
        samples = 0
        for turn in range(4):
            pair[turn % 2].start(wait=False)
            end = time.monotonic() + 4
            while time.monotonic() < end:
                self.assert_adds_up(daemon.ask("report"))
                samples += 1
            if turn % 2:
                pair[0].destroy()
                pair[1].destroy()
        self.assertGreater(samples, 100)

    def test_an_orderly_stop_puts_ksm_back(self):
        daemon = self.daemon().start()
        self.pair()[0].start()
        self.assertNotEqual(ksm.knobs(), self.found)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(ksm.knobs(), self.found)

    def test_a_killed_daemon_leaves_nothing_that_restore_does_not_undo(self):
        daemon = self.daemon()
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        one = self.pair()[0]
        for _ in range(8):
            with self.subTest(seed=seed):
                daemon.start(wait=False)
                one.start(wait=False)
                time.sleep(chance.uniform(0, 1.5))
                daemon.kill()
                subprocess.run(daemon.command("--restore"), check=True, timeout=20)
                self.assertEqual(ksm.knobs(), self.found)
                one.destroy()

    def test_a_killed_daemon_is_followed_by_one_that_knows_the_originals(self):
        daemon = self.daemon().start()
        self.pair()[0].start()
        daemon.kill()
        self.assertNotEqual(ksm.knobs(), self.found)
        self.assertEqual(daemon.start().stop(), 0)
        self.assertEqual(ksm.knobs(), self.found)


if __name__ == "__main__":
    main()
