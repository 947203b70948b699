#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_drive.py - what each mode writes, and when"""
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import PATIENCE, FakeTestCase, main, wait_until  # noqa: E402
from fakehost import BURST  # noqa: E402
from faketrace import TraceTestCase  # noqa: E402

FOUND = (0, 100, 20)
# 4000000 KiB of anonymous memory are this many pages.
ANON_KIB = 4000000
ANON_PAGES = ANON_KIB * 1024 // os.sysconf("SC_PAGESIZE")
LADDER = "[ksm]\naggressive_s = %d\nstandard_s = %d\nslow_s = %d\n"
# At once; fewer than one user may have connections.
CLIENTS = 50
# A rung that is not skipped, and one that lasts as long as the test needs.
RUNG_SECONDS = int(PATIENCE)
LONG_SECONDS = 3600


class Kick(FakeTestCase):

    def test_a_kick_moves_ksm_before_it_returns(self):
        for mode, settings in (("auto", BURST), ("classic", (1, ANON_PAGES // 10, 1))):
            with self.subTest(mode=mode):
                host = self.host(anon_kib=ANON_KIB)
                daemon = self.started("--mode", mode, host=host)
                self.assertEqual(host.settings(), FOUND)
                answer = daemon.ask("kick")
                self.assertEqual(host.settings(), settings)
                self.assertEqual((answer["ksm"]["run"], answer["ksm"]["pages_to_scan"],
                                  answer["ksm"]["sleep_millisecs"]), settings)

    def test_a_kick_that_moves_nothing_says_why(self):
        daemon = self.started()
        for mode, deaf in (("off", True), ("observe", True), ("fixed", False), ("auto", False)):
            with self.subTest(mode=mode):
                self.assertIsNone(daemon.ask("mode", mode)["hint"], "it is what was asked for")
                hint = daemon.ask("kick")["hint"]
                if deaf:
                    self.assertIn("mode %s writes nothing" % mode, hint)
                else:
                    self.assertIsNone(hint)

    def test_the_record_is_there_before_the_first_write(self):
        host = self.host()
        daemon = self.started(host=host)
        self.assertFalse(os.path.exists(daemon.record), "a record without need")
        record_time = []

        def watch():
            while not record_time:
                # In this order: what is changed now was changed with the record in place or not.
                is_changed = host.settings() != FOUND
                if os.path.exists(daemon.record):
                    record_time.append(True)
                elif is_changed:
                    record_time.append(False)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        daemon.ask("kick")
        watcher.join(30)
        self.assertEqual(record_time, [True], "KSM was changed without a record on disk")

    def test_hundred_kicks_in_a_crowd_are_all_answered(self):
        host = self.host()
        daemon = self.started(host=host)
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda _: daemon.ask("kick"), range(100)))
        status = daemon.ask("status")
        sources = {source["name"]: source for source in status["sources"]}
        self.assertEqual(sources["grpc"]["events"], 100)
        self.assertEqual(host.settings(), BURST)

    def test_the_burst_ends_when_no_domain_comes(self):
        host = self.host()
        daemon = self.started(host=host)
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        wait_until(lambda: daemon.ask("status")["phase"] == "settle",
                   lambda: "phase settle, not %s" % daemon.ask("status")["phase"], 15)

    def test_auto_bursts_settles_and_maintains_for_a_domain_that_merges(self):
        host = self.host()
        host.add_qemu("test", "6695eb01-f6a4-8304-79aa-97f2502e193f", resident_pages=20000,
                      mergeable_pages=8000)
        host.add_qemu("other", resident_pages=20000, mergeable_pages=8000)
        host.start_ksmd()
        daemon = self.started(host=host, config="[ksm]\nsettle_ms = 500\n",
                              connect="test:///default")
        wait_until(lambda: daemon.ask("status")["phase"] == "maintain",
                   lambda: "maintain, not %s" % daemon.ask("explain"), 20)
        report = daemon.ask("report")
        self.assertEqual(report["domains"][0]["merging_pages"], 8000)
        self.assertEqual(report["domains"][0]["saved_pages"], 4000)
        self.assertEqual(report["others"], {"merging_pages": 8000, "saved_pages": 4000})
        self.assertEqual(host.ksm("run"), 1)


class Classic(TraceTestCase):

    STAGES = [(1, ANON_PAGES // 10, 1), (1, ANON_PAGES // 100, 10), (1, ANON_PAGES // 500, 100)]

    def test_the_ladder_goes_down_with_the_exact_numbers(self):
        host = self.host(run=1, pages=123, sleep=45, anon_kib=ANON_KIB)
        daemon = self.started("--mode", "classic", host=host, config=LADDER % ((RUNG_SECONDS,) * 3))
        process, path = self.recorder(daemon)
        daemon.ask("kick")
        wait_until(lambda: daemon.ask("status")["phase"] == "initial", "the end of the ladder")
        found = (1, 123, 45)
        self.assertEqual(host.settings(), found)
        self.assertEqual(self.finish(process)[0], 0)
        # When that was decided, by the daemon's own clock.
        steps = self.result(path)["steps"]
        self.assertEqual([(s["run"], s["pages_to_scan"], s["sleep_millisecs"]) for s in steps],
                         [found] + self.STAGES + [found])
        for step, after in zip(steps[1:], steps[2:]):
            seconds = (after["time_us"] - step["time_us"]) / 1e6
            self.assertGreater(seconds, 0.9 * RUNG_SECONDS, "%s was too short" % step["phase"])
            self.assertLess(seconds, 2.0 * RUNG_SECONDS, "%s was too long" % step["phase"])

    @staticmethod
    def kicked(daemon):
        """What KSM had after a kick, before any later decision."""
        ksm = daemon.ask("kick")["ksm"]
        return ksm["run"], ksm["pages_to_scan"], ksm["sleep_millisecs"]

    def test_a_trigger_leads_back_to_the_top_from_every_rung(self):
        top = self.STAGES[0]
        for number, rung in enumerate(self.STAGES + [FOUND]):
            seconds = [1] * number + [LONG_SECONDS] + [1] * len(self.STAGES)
            host = self.host(anon_kib=ANON_KIB)
            daemon = self.started("--mode", "classic", host=host,
                                  config=LADDER % tuple(seconds[:len(self.STAGES)]))
            self.assertEqual(self.kicked(daemon), top)
            self.assert_settings(host, rung, "down the ladder, to rung %d" % number)
            self.assertEqual(self.kicked(daemon), top)

    def test_divisors_and_pauses_come_from_the_file(self):
        host = self.host(anon_kib=ANON_KIB)
        daemon = self.started("--mode", "classic", host=host,
                              config="[ksm]\naggressive_divisor = 7\naggressive_ms = 3\n")
        daemon.ask("kick")
        self.assertEqual(host.settings(), (1, ANON_PAGES // 7, 3))

    def test_a_batch_is_never_empty(self):
        host = self.host(anon_kib=4)
        daemon = self.started("--mode", "classic", host=host)
        daemon.ask("kick")
        self.assertEqual(host.settings(), (1, 1, 1))


class OtherModes(FakeTestCase):

    def test_fixed_has_the_configured_settings_at_once_and_whatever_happens(self):
        host = self.host()
        daemon = self.started("--mode", "fixed", host=host,
                              config="[ksm]\nfixed_pages = 4321\nfixed_sleep_ms = 77\n")
        self.assertEqual(host.settings(), (1, 4321, 77))
        daemon.ask("kick")
        self.assertEqual(host.settings(), (1, 4321, 77))
        self.assertEqual(daemon.ask("status")["phase"], "fixed")

    def test_observe_writes_nothing_and_explain_says_what_it_would_do(self):
        host = self.host()
        before = host.stamps(host.root)
        daemon = self.started("--mode", "observe", host=host)
        daemon.ask("kick")
        explain = daemon.ask("explain")
        self.assertEqual(explain["mode"], "observe")
        self.assertEqual(explain["phase"], "burst")
        self.assertEqual((explain["wanted"]["run"], explain["wanted"]["pages_to_scan"],
                          explain["wanted"]["sleep_millisecs"]), BURST)
        self.assertEqual((explain["in_force"]["run"], explain["in_force"]["pages_to_scan"],
                          explain["in_force"]["sleep_millisecs"]), FOUND)
        self.assertIn("observing", daemon.ask("status")["actuator_detail"])
        self.assertFalse(os.path.exists(daemon.record), "a record of nothing")
        daemon.stop()
        self.assert_untouched(host, before, host.root)

    def test_observe_after_another_mode_puts_ksm_back_and_writes_no_more(self):
        host = self.host()
        daemon = self.started("--mode", "fixed", host=host)
        daemon.ask("mode", "observe")
        self.assertEqual(host.settings(), FOUND)
        before = host.stamps()
        daemon.ask("kick")
        daemon.ask("mode", "observe")
        daemon.stop()
        self.assert_untouched(host, before)

    def test_off_puts_ksm_back_and_ignores_kicks(self):
        host = self.host(run=1, pages=123, sleep=45)
        daemon = self.started(host=host)
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertEqual(daemon.ask("mode", "off")["phase"], "off")
        self.assertEqual(host.settings(), (1, 123, 45))
        self.assertFalse(os.path.exists(daemon.record), "nothing is left to restore")
        before = host.stamps()
        daemon.ask("kick")
        self.assert_untouched(host, before)

    def test_off_leaves_alone_what_others_set(self):
        host = self.host()
        daemon = self.started("--mode", "off", host=host)
        host.echo("pages_to_scan", 777)
        before = host.stamps()
        daemon.ask("kick")
        daemon.ask("mode", "off")
        daemon.ask("kick")
        daemon.stop()
        self.assertEqual(host.settings(), (0, 777, 20))
        self.assert_untouched(host, before)

    def test_every_change_of_mode_acts_before_it_returns(self):
        host = self.host(anon_kib=ANON_KIB)
        daemon = self.started("--mode", "off", host=host,
                              config="[ksm]\nfixed_pages = 4321\nfixed_sleep_ms = 77\n")
        wanted = {"fixed": (1, 4321, 77), "off": FOUND, "observe": FOUND, "classic": FOUND}
        modes = list(wanted)
        for mode in (modes + modes[::-1]) * 2:
            daemon.ask("mode", mode)
            self.assertEqual(host.settings(), wanted[mode], "mode " + mode)


if __name__ == "__main__":
    main()
