#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_main_job.py - the main job on real domains, real QEMU and real KSM

A domain starts, KSM moves, memory merges, KSM calms down, the report says what each domain saves,
and everything is as found afterwards.
"""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import PATIENCE, Domain, RealTestCase, ksm, main, wait_until  # noqa: E402
from vktest.case import row_of  # noqa: E402

PAGES_PER_MIB = 256
CALM = ("maintain", "rest")

# Firmware, loader and the guest itself merge as well; see support_selftest.py.
SLACK_PAGES = 600

QUICK = "[ksm]\nsettle_ms = 500\n"


class MainJob(RealTestCase):

    def phase(self, daemon):
        return daemon.ask("status")["phase"]

    def wait_calm(self, daemon, seconds=60):
        wait_until(lambda: self.phase(daemon) in CALM,
                   lambda: "calm; now %s" % daemon.ask("explain"), seconds)

    def wait_merged(self, daemon, domain, mib):
        """Waits until so much of a domain is merged, but for a huge page that could not be split.

        What two passes could not merge is found by a probe, half a minute later or more.
        """
        wanted = mib * PAGES_PER_MIB - SLACK_PAGES
        wait_until(lambda: domain.ksm()["ksm_merging_pages"] >= wanted,
                   lambda: "%d pages merged; now %s\n%s\n%s\n%s" % (
                       wanted, domain.ksm(), ksm.read_all(), daemon.ask("explain"), daemon.log()),
                   90)

    def test_starts_merge_and_calm_down_and_the_report_says_what_is_saved(self):
        found = ksm.knobs()
        daemon = self.daemon(config=QUICK).start()
        self.assertEqual(self.phase(daemon), "rest")
        one = self.domain("one", content={"common": 32, "unique": 8, "seed": 1}).start()
        self.assertEqual(ksm.read("run"), 1)
        two = self.domain("two", content={"common": 32, "unique": 8, "seed": 2}).start()
        self.wait_calm(daemon)
        report = daemon.ask("report")
        self.assert_adds_up(report)
        for domain in (one, two):
            row = row_of(report, domain)
            self.assertGreaterEqual(row["merging_pages"], 32 * PAGES_PER_MIB - SLACK_PAGES)
            # What only one has is not merged. Not a limit of what is: zeros of huge pages are, too.
            self.assertGreaterEqual(domain.ksm()["ksm_rmap_items"] - row["merging_pages"],
                                    8 * PAGES_PER_MIB)
            self.assertGreaterEqual(row["saved_pages"], 16 * PAGES_PER_MIB - SLACK_PAGES)
            self.assertEqual(row["maximum_bytes"], 96 << 20)
            self.assertEqual(row["balloon_bytes"], 96 << 20)
            self.assertGreater(row["resident_bytes"], 40 << 20)
            self.assertEqual(row["pid"], domain.pid)
            self.assertGreater(row["metadata_bytes"], 40 * PAGES_PER_MIB * 64)
            self.assertEqual(row["net_saved_bytes"],
                             row["saved_pages"] * 4096 - row["metadata_bytes"])
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(ksm.knobs(), found)
        self.assertNotIn("originals", os.listdir(daemon.state_dir))

    def test_domains_that_run_already_are_found(self):
        one = self.domain("early1", content={"common": 24}).start()
        two = self.domain("early2", content={"common": 24}).start()
        daemon = self.daemon(config=QUICK).start()
        wait_until(lambda: daemon.ask("status")["domains"] == 2, "two domains")
        self.wait_merged(daemon, two, 24)
        names = [row["name"] for row in daemon.ask("list")["domains"]]
        self.assertEqual(names, [one.name, two.name])

    def test_memory_that_cannot_merge_keeps_ksm_at_rest(self):
        daemon = self.daemon(config=QUICK).start()
        self.domain("private", content={"common": 32}, backing=Domain.NOSHAREPAGES).start()
        self.domain("memfd", content={"common": 32}, backing=Domain.MEMFD).start()
        wait_until(lambda: self.phase(daemon) == "rest",
                   lambda: "rest; now %s" % daemon.ask("explain"), 20)
        explained = daemon.ask("explain")
        self.assertEqual(explained["reason_name"], "nothing-mergeable")
        merge = {row["name"]: row["merge"] for row in explained["domains"]}
        self.assertEqual(merge["vktest-private"], "nosharepages")
        self.assertEqual(merge["vktest-memfd"], "shared memory")

    def test_growing_memory_is_merged_too(self):
        daemon = self.daemon(config=QUICK).start()
        contents = {"common": 48, "delay": round(6 * PATIENCE)}
        one = self.domain("late1", content=contents).start(wait=False)
        two = self.domain("late2", content=contents).start(wait=False)
        self.wait_calm(daemon)
        self.assertNotIn("READY", one.console_text())
        for domain in (one, two):
            domain.wait_for("READY")
        self.wait_merged(daemon, two, 48)

    def test_a_stopped_domain_leaves_nothing_behind_in_ksm(self):
        daemon = self.daemon(config=QUICK).start()
        domains = [self.domain("gone%d" % i, content={"common": 24}).start() for i in range(2)]
        self.wait_calm(daemon)
        for domain in domains:
            domain.destroy()
        wait_until(lambda: ksm.read("pages_sharing") + ksm.read("pages_shared") < 100,
                   lambda: "records dropped; now %s" % ksm.read_all(), 30)
        wait_until(lambda: self.phase(daemon) == "rest" and ksm.read("run") == 0, "rest", 30)
        self.assertEqual(daemon.ask("status")["domains"], 0)

    def test_the_report_adds_up_in_every_sample_of_a_churning_run(self):
        daemon = self.daemon(config=QUICK).start()
        stop = threading.Event()
        failures = []
        samples = [0]

        def sample():
            while not stop.is_set():
                try:
                    self.assert_adds_up(daemon.ask("report"))
                    samples[0] += 1
                except AssertionError as failure:
                    failures.append(failure)
                    return

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            for turn in range(4):
                content = {"common": 24, "unique": 4, "seed": turn + 1}
                pair = [self.domain("churn%d" % i, content=content).start() for i in range(2)]
                time.sleep(1)
                pair[turn % 2].destroy()
                ksm.write("run", 2 if turn == 2 else 1)
                time.sleep(0.5)
                pair[1 - turn % 2].destroy()
        finally:
            stop.set()
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(samples[0], 100)
        print("%d samples, all add up" % samples[0])

    def test_a_hung_qemu_hangs_neither_the_agent_nor_the_figures_of_others(self):
        # With reclaim libvirt is asked for figures every second.
        daemon = self.daemon(config=QUICK + "[balloon]\nenable = observe\n").start()
        hung = self.domain("hung", content={"common": 8}).start()
        live = self.domain("live", content={"common": 8}).start()
        wait_until(lambda: all(row["stats_age_ms"] is not None
                               for row in daemon.ask("report")["domains"]), "figures")
        os.kill(hung.pid, 19)
        stopped = time.monotonic()

        def figures_of_live_are_fresh():
            """Asked for when the question that hung had long been asked."""
            daemon.client("kick")
            time.sleep(0.5)
            hanging_ms = 1000 * (time.monotonic() - stopped)
            return row_of(daemon.ask("report"), live)["stats_age_ms"] < hanging_ms - 4000

        try:
            wait_until(figures_of_live_are_fresh, "fresh figures of the other domain", 25)
            wait_until(lambda: "%s: its QEMU has not answered" % hung.name in daemon.log(),
                       "a line in the log", 25)
            self.assertNotIn("%s: its QEMU" % live.name, daemon.log())
            self.assertIn("QEMU silent for", daemon.client("doctor", hung.name).stdout)
            self.assertNotIn("QEMU silent for", daemon.client("doctor", live.name).stdout)
            os.kill(live.pid, 19)
            wait_until(lambda: "no question for figures has been answered" in daemon.log(),
                       "a line of the second", 30)
            started = time.monotonic()
            report = daemon.ask("report")
            self.assertLess(time.monotonic() - started, 1)
            self.assertIsNotNone(row_of(report, hung)["merging_pages"])
            self.assertEqual(ksm.read("run"), 1)
        finally:
            os.kill(live.pid, 18)
            os.kill(hung.pid, 18)
        wait_until(lambda: "%s: its QEMU answers libvirt again" % hung.name in daemon.log(),
                   "a line that it is over", 25)

    def test_domains_that_vanish_at_once_do_no_harm(self):
        daemon = self.daemon(config=QUICK).start()
        for turn in range(6):
            self.domain("flash", content={"common": 8}).start(wait=False).destroy()
        wait_until(lambda: daemon.ask("status")["domains"] == 0, "no domain left")
        self.assertEqual(daemon.stop(), 0)

    def test_without_libvirt_a_kick_is_enough(self):
        found = ksm.knobs()
        daemon = self.daemon("--connect", "none").start()
        self.domain("alone1", content={"common": 16}).start()
        two = self.domain("alone2", content={"common": 16}).start()
        self.assertEqual(ksm.knobs(), found)
        self.assertEqual(daemon.client("kick").returncode, 0)
        self.assertEqual(ksm.read("run"), 1)
        self.wait_merged(daemon, two, 16)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(ksm.knobs(), found)

    def test_classic_goes_up_at_a_start_and_down_by_time(self):
        daemon = self.daemon("--mode", "classic", config="[ksm]\naggressive_s = 3\n"
                             "standard_s = 2\nslow_s = 2\n").start()
        found = ksm.knobs()
        self.domain("ladder", content={"common": 8}).start(wait=False)
        for phase, sleep_ms in (("aggressive", 1), ("standard", 10), ("slow", 100)):
            wait_until(lambda: self.phase(daemon) == phase, phase, 10)
            self.assertEqual(ksm.read("sleep_millisecs"), sleep_ms)
            self.assertEqual(ksm.read("run"), 1)
        wait_until(lambda: self.phase(daemon) == "initial", "initial", 10)
        self.assertEqual(ksm.knobs(), found)

    def test_another_writer_is_yielded_to_until_told_otherwise(self):
        daemon = self.daemon().start()
        self.domain("foreign", content={"common": 8}).start()
        ksm.write("pages_to_scan", 777)
        ksm.write("sleep_millisecs", 33)
        wait_until(lambda: daemon.ask("status")["actuator"] == "yielded", "yielded", 20)
        daemon.client("kick")
        self.assertEqual(ksm.read("pages_to_scan"), 777)
        self.assertEqual(daemon.client("mode", "auto").returncode, 0)
        daemon.client("kick")
        self.assertNotEqual(ksm.read("pages_to_scan"), 777)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")

    def test_the_kernels_advisor_is_set_aside_and_put_back(self):
        if ksm.read("advisor_mode") is None:
            self.skipTest("this kernel has no KSM advisor")
        ksm.write("advisor_mode", "scan-time")
        found = ksm.knobs()
        daemon = self.daemon().start()
        one = self.domain("advised1", content={"common": 16}).start()
        self.domain("advised2", content={"common": 16}).start()
        self.wait_merged(daemon, one, 16)
        self.assertEqual(daemon.ask("status")["ksm"]["advisor_mode"], "none")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(ksm.read("advisor_mode"), "scan-time")
        self.assertEqual(ksm.read("run"), found["run"])


if __name__ == "__main__":
    main()
