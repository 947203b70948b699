#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_history.py - what was saved is known after restarts, and whatever becomes of the disk

The daemon takes a sample when it starts, two seconds after a domain has, and when it ends.
"""
import csv
import io
import os
import signal
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import PATIENCE, FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import uuid_of, write_running  # noqa: E402

HOUR = 3600
DAY = 86400
PAGE = os.sysconf("SC_PAGESIZE")
GIB_HOUR = 2 ** 30 * 3600
NAMES = ["web", "a b", "it's \"odd\",", "line\nbreak", "\u00fc\u4e2d"]
SAVED_PAGES = 30000
MERGED_PAGES = 40000
# From when all domains are known until each was sampled once.
SAMPLED_SECONDS = 3 * PATIENCE

# Runs the daemon with a disk of its own in place of the state directory.
TINY_DISK = "mount -t tmpfs -o size=%s none \"$0\" && exec \"$@\""
READ_ONLY_DISK = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec \"$@\""


def is_root():
    return os.geteuid() == 0


def iso(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


class History(FakeTestCase):

    def with_domains(self, names=("web",), config=""):
        host = self.host("6.18")
        uri = write_running(host.base, names)
        for number, name in enumerate(names):
            process = host.add_qemu(name, uuid_of(number), resident_pages=262144)
            process.set_ksm(merging=MERGED_PAGES // len(names), rmap_items=0, zero=0)
        host.set_counters(pages_shared=MERGED_PAGES - SAVED_PAGES, pages_sharing=SAVED_PAGES,
                          ksm_zero_pages=0, pages_unshared=0, pages_volatile=0)
        daemon = self.daemon(host, "--mode", "observe", connect=uri, config=config)
        return host, daemon

    def live(self, daemon):
        """One life of the daemon, long enough to leave something behind."""
        daemon.start()
        wait_until(lambda: self.are_measured(daemon.ask("report")["domains"]), "all are measured")
        time.sleep(SAMPLED_SECONDS)
        daemon.stop()

    @staticmethod
    def are_measured(domains):
        return domains and all(domain["saved_pages"] is not None for domain in domains)

    def totals(self, daemon):
        return {row["name"]: row for row in daemon.ask("history")["totals"]}

    def database(self, daemon):
        return daemon.state_dir + "/history.db"

    def stamp(self, daemon):
        """What tells whether the database was touched."""
        st = os.stat(self.database(daemon))
        with open(self.database(daemon), "rb") as file:
            return st.st_mtime_ns, st.st_ctime_ns, st.st_ino, file.read()

    def test_figures_are_exact_and_there_after_restarts_and_names_are_escaped(self):
        _, daemon = self.with_domains(NAMES)
        self.live(daemon)
        daemon.start()
        first = self.totals(daemon)
        self.assertEqual(sorted(first), sorted(NAMES))
        pages = SAVED_PAGES // len(NAMES)
        for row in first.values():
            self.assertGreater(row["measured_s"], 0.5)
            self.assertAlmostEqual(row["saved_gib_hours"],
                                   pages * PAGE * row["measured_s"] / GIB_HOUR, delta=1e-6)
            self.assertAlmostEqual(row["resident_gib_hours"], row["measured_s"] / 3600, delta=1e-6)
        self.check_formats(daemon)
        daemon.stop()
        self.live(daemon)
        daemon.start()
        for name, row in self.totals(daemon).items():
            self.assertGreater(row["measured_s"], first[name]["measured_s"] + 0.5)

    def check_formats(self, daemon):
        for interval in "minute", "hour", "day":
            answer = daemon.ask("history", "--by", interval, "--since", "3h")
            self.assertEqual(answer["interval"], interval)
            total = sum(row["running_s"] for row in answer["rows"])
            self.assertAlmostEqual(total, answer["host"]["running_s"], delta=1e-6)
        for number, name in enumerate(NAMES):
            for word in name, uuid_of(number):
                answer = daemon.ask("history", "--", word)
                self.assertEqual([row["name"] for row in answer["totals"]], [name])
                self.assertIsNone(answer["host"])
        done = daemon.client("history", "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(done.out)))
        self.assertEqual(sorted(row["name"] for row in rows if row["kind"] == "total"),
                         sorted(NAMES))
        done = daemon.client("history")
        self.assert_done(done, 0, "line\\nbreak", "it's \"odd\",", "\u00fc\u4e2d", "host")
        self.assertEqual(done.out.count("\n"), len(NAMES) + 5)

    def test_the_kind_of_interval_suits_the_time(self):
        _, daemon = self.with_domains()
        daemon.start()
        for since, want in ("2h", "minute"), ("3h", "hour"), ("3d", "hour"), ("4d", "day"):
            self.assertEqual(daemon.ask("history", "--since", since)["interval"], want, since)

    def test_bills_that_follow_each_other_do_not_overlap(self):
        _, daemon = self.with_domains()
        daemon.start()
        wait_until(lambda: daemon.ask("status")["history"]["recording"], "the history is open")
        now = int(time.time())
        day = (now // DAY - 5) * DAY
        recent = now // HOUR * HOUR - 6 * HOUR
        for since, until, want, want_since, want_until in (
                (day, day + 4 * DAY, "day", day, day + 4 * DAY),
                (day + HOUR, day + 4 * DAY, "hour", day + HOUR, day + 4 * DAY),
                (day + 60, day + 4 * DAY + 1, "day", day, day + 5 * DAY),
                (recent + 60, recent + 5 * HOUR, "minute", recent + 60, recent + 5 * HOUR),
                (recent + 61, recent + 5 * HOUR, "hour", recent, recent + 5 * HOUR),
                (day - 40 * DAY + HOUR, day, "day", day - 40 * DAY, day)):
            answer = daemon.ask("history", "--since", iso(since), "--until", iso(until))
            self.assertEqual((answer["interval"], answer["since"], answer["until"]),
                             (want, iso(want_since), iso(want_until)))
        # What is under way ends now.
        answer = daemon.ask("history", "--by", "day", "--since", iso(now))
        self.assertEqual(answer["since"], iso(now // DAY * DAY))
        self.assertLessEqual(answer["until"], iso(time.time() + 1))

    def test_a_domain_that_is_gone_is_there_and_one_that_never_was_is_not(self):
        host, daemon = self.with_domains()
        self.live(daemon)
        alone = self.started(host=host)  # without libvirt: it knows no domain
        self.assertEqual(alone.names(), [])
        self.assertEqual(alone.ask("history", "web")["totals"][0]["uuid"], uuid_of(0))
        self.assert_done(alone.client("history", "nix"), 3, "nix")
        for words in ["--since", "soon"], ["--since", "1h", "--until", "2h"], ["--by", "week"]:
            self.assert_done(alone.client("history", *words), 2)
        self.assertEqual(alone.ask("history", "web", "--since", "2001-01-01", "--until",
                                   "2001-01-02")["rows"], [])

    def test_a_domain_that_has_just_started_has_an_empty_history(self):
        _, daemon = self.with_domains()
        daemon.start()
        wait_until(lambda: daemon.names() == ["web"], "the domain is known")
        answer = daemon.ask("history", "web")
        self.assertEqual((answer["rows"], answer["totals"]), ([], []))

    def test_sigkill_at_any_time_does_no_damage(self):
        _, daemon = self.with_domains()
        self.live(daemon)
        for number in range(12):
            daemon.start(wait=number % 2 == 0)
            time.sleep(0.02 * number)
            daemon.kill()
        daemon.start()
        wait_until(lambda: daemon.ask("status")["history"]["recording"], "the history is open")
        self.assertIsNone(daemon.ask("status")["history"]["detail"])
        self.assertIn("web", self.totals(daemon))

    def test_a_newer_database_is_left_alone(self):
        _, daemon = self.with_domains()
        self.live(daemon)
        with sqlite3.connect(self.database(daemon)) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        before = self.stamp(daemon)
        daemon.start()
        status = wait_until(lambda: daemon.ask("status")["history"]["detail"], "it is told")
        self.assertIn("newer virtksmd", status)
        self.assertFalse(daemon.ask("status")["history"]["recording"])
        self.assert_done(daemon.client("history"), 1, "newer virtksmd",
                         "virtksmd at %s failed: " % daemon.socket)
        daemon.stop()
        self.assertEqual(daemon.log().count("no history is written for now"), 1)
        self.assertEqual(self.stamp(daemon), before)

    def test_a_damaged_database_is_moved_aside_and_a_new_one_begun(self):
        _, daemon = self.with_domains()
        self.live(daemon)
        with open(self.database(daemon), "r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 8192)
        self.live(daemon)
        self.assertIn("the history was damaged", daemon.log())
        daemon.start()
        self.assertIn("web", self.totals(daemon))
        aside = [name for name in os.listdir(daemon.state_dir) if ".corrupt-" in name]
        self.assertEqual(len(aside), 1, aside)

    def test_it_can_be_switched_off(self):
        _, daemon = self.with_domains(config="[history]\nenable = false\n")
        daemon.start()
        self.assert_done(daemon.client("history"), 1, "[history] enable is false")
        self.assertFalse(daemon.ask("status")["history"]["recording"])
        self.assert_done(daemon.client("status"), 0, "[history] enable is false")
        daemon.stop()
        self.assertFalse(os.path.exists(self.database(daemon)))

    def check_disk(self, script, text):
        """The daemon does all its work on a disk that the history does not fit on."""
        host, daemon = self.with_domains()
        os.makedirs(daemon.state_dir, exist_ok=True)
        daemon.wrapper = ["unshare", "-m", "sh", "-c", script, daemon.state_dir]
        daemon.start()
        detail = wait_until(lambda: daemon.ask("status")["history"]["detail"], "it is told")
        self.assertIn(text, detail)
        self.assertFalse(daemon.ask("status")["history"]["recording"])
        self.assertIn("no history is written for now", daemon.log())
        wait_until(lambda: daemon.names() == ["web"], "the domain is known")
        wait_until(lambda: daemon.ask("report")["domains"][0]["saved_pages"] == SAVED_PAGES,
                   "its process is found")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "configuration read again" in daemon.log(), "it has reloaded")
        daemon.stop()
        self.assertTrue(host)

    @unittest.skipUnless(is_root(), "only root can mount a disk")
    def test_a_full_disk_is_survived(self):
        self.check_disk(TINY_DISK % "24k", "full")

    @unittest.skipUnless(is_root(), "only root can mount a disk")
    def test_a_read_only_disk_is_survived(self):
        self.check_disk(READ_ONLY_DISK, "Read-only")


if __name__ == "__main__":
    main()
