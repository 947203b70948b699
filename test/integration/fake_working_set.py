#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_working_set.py - how much memory a domain has used, from the kernel's files to the client

The domain is that of libvirt's test driver, in a libvirtd of the test's own; its process is
fabricated, and has what referenced bits are read from.
"""
import csv
import io
import json
import os
import re
import select
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import WAIT_SECONDS, FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_NAME, TEST_UUID  # noqa: E402

# Memory that was used within a second is the working set, looked at without a pause.
QUICK = ("[working_set]\nbins = 1,2\nage = 1\ninterval = 1\nbudget = 10\nreport_threshold = 1\n"
         "report_change = 20\n")
FOLLOWING = ("--format", "json", "working-set", "--follow")
KIB = 1024
RESIDENT_KIB = 400000
CGROUP = "/machine/qemu-1-test.libvirt-qemu"


class WorkingSetTestCase(FakeTestCase):

    def setUp(self):
        super().setUp()
        self.fake = self.host()
        self.libvirtd = FakeLibvirtd.for_test(self, self.fake.base)
        self.process = self.fake.add_qemu(TEST_NAME, TEST_UUID)
        self.fake.write("sys/devices/system/node/online", "0\n")
        self.fake.write("proc/%d/clear_refs" % self.process.pid, "")
        self.fake.write("proc/%d/maps" % self.process.pid,
                        "7f0000000000-7f0040000000 rw-p 00000000 00:00 0\n")
        self.use(100000)

    def use(self, kib):
        """So much of its memory is marked from now on, whenever it is looked at."""
        self.fake.write("proc/%d/smaps" % self.process.pid,
                        "7f0000000000-7f0040000000 rw-p 00000000 00:00 0\n"
                        "Rss: %d kB\nReferenced: %d kB\n" % (RESIDENT_KIB, kib))

    def running(self, config=QUICK, mode="observe"):
        daemon = self.daemon(self.fake, "--mode", mode, config=config,
                             connect=self.libvirtd.uri).start()
        wait_until(lambda: daemon.names() == [TEST_NAME], "the domain is known")
        return daemon

    @staticmethod
    def domain(daemon):
        return daemon.ask("working-set", TEST_NAME)["domains"][0]

    def measured(self, daemon):
        """Once there is a working set."""
        def look():
            domain = self.domain(daemon)
            return domain if domain["working_set_bytes"] is not None else None
        return wait_until(look, lambda: "a working set: %s" % self.domain(daemon))


class Answers(WorkingSetTestCase):

    def test_a_domain_in_json(self):
        daemon = self.running()
        domain = self.measured(daemon)
        self.assertEqual((domain["name"], domain["uuid"], domain["state"], domain["backend"]),
                         (TEST_NAME, TEST_UUID, "measured", "referenced"))
        self.assertEqual(domain["resident_bytes"], RESIDENT_KIB * KIB)
        self.assertEqual(domain["working_set_bytes"] + domain["cold_bytes"], RESIDENT_KIB * KIB)
        self.assertLess(domain["working_set_bytes"], 110000 * KIB)
        self.assertGreater(domain["working_set_bytes"], 0)
        self.assertEqual((domain["confidence_bp"], domain["confidence_is_estimate"]),
                         (9500, False))
        self.assertIn("lru_gen: ", domain["reason"])
        self.assertLess(domain["age_ms"], 60000)
        node, = domain["nodes"]
        self.assertEqual(node["node"], 0)
        self.assertEqual([(b["from_s"], b["to_s"]) for b in node["bins"]],
                         [(0, 1), (1, 2), (2, None)])
        # Between one and two seconds it is known only after the fourth measurement.
        self.assertEqual(sum((b["anon_bytes"] or 0) + (b["file_bytes"] or 0)
                             for b in node["bins"]), RESIDENT_KIB * KIB)
        answer = daemon.ask("working-set")
        self.assertEqual((answer["enabled"], answer["age_s"], answer["budget_bp"]),
                         (True, 1, 1000))
        self.assertEqual([d["name"] for d in answer["domains"]], [TEST_NAME])

    def test_table_and_rows(self):
        daemon = self.running()
        self.measured(daemon)
        table = daemon.client("working-set")
        self.assert_done(table, 0)
        self.assertRegex(table.out, r"(?m)^DOMAIN +STATE +BACKEND +SURE ")
        self.assertRegex(table.out, r"(?m)^test +measured +referenced +95 % .*[#.]{20}")
        self.assertIn("may take 10 % of one CPU", re.sub(r"\.0+ %", " %", table.out))
        one = daemon.client("working-set", TEST_NAME)
        self.assertIn("95 %, measured", one.out)
        self.assertRegex(one.out, r"(?m)^0 +[12]\.0 s and more ")
        rows = list(csv.DictReader(io.StringIO(daemon.client("--format", "csv",
                                                             "working-set").out)))
        self.assertEqual([(r["name"], r["node"], r["from_s"], r["to_s"]) for r in rows],
                         [(TEST_NAME, "0", "0", "1"), (TEST_NAME, "0", "1", "2"),
                          (TEST_NAME, "0", "2", "")])
        unknown = daemon.client("working-set", "nobody")
        self.assertNotEqual(unknown.code, 0)
        self.assertIn("nobody", unknown.err)

    def test_a_backend_that_fails_while_it_is_used(self):
        """Its memory cgroup vanishes; the next one is used, and doctor says so."""
        folder = "sys/fs/cgroup" + CGROUP
        self.fake.write("sys/fs/cgroup/cgroup.controllers", "memory\n")
        self.fake.write("proc/%d/cgroup" % self.process.pid, "0::%s/emulator\n" % CGROUP)
        self.fake.write("sys/devices/system/node/node0/workingset_report/page_age_intervals", "\n")
        self.fake.write(folder + "/memory.workingset.refresh_interval", "N0=0\n")
        self.fake.write(folder + "/memory.workingset.page_age",
                        "N0\n1000 anon=4096 file=0\n2000 anon=0 file=8192\n"
                        "18446744073709551615 anon=12288 file=0\n")
        daemon = self.running()
        domain = self.measured(daemon)
        self.assertEqual((domain["backend"], domain["confidence_is_estimate"], domain["reason"]),
                         ("page_age", True, None))
        self.assertEqual((domain["working_set_bytes"], domain["cold_bytes"]), (4096, 20480))
        shutil.rmtree(self.fake.path(folder))
        domain = wait_until(lambda: self.domain(daemon)["backend"] == "referenced" and
                            self.domain(daemon), "the next one is used")
        self.assertIn("page_age: ", domain["reason"])
        found = daemon.client("--format", "json", "doctor", TEST_NAME)
        findings = {f["id"]: f for f in json.loads(found.out)["findings"]}
        self.assertEqual(findings["working-set-fallback"]["severity"], "info")
        self.assertIn("page_age: ", findings["working-set-fallback"]["value"])
        self.assertEqual(self.measured(daemon)["resident_bytes"], RESIDENT_KIB * KIB)

    def test_nothing_is_measured_in_mode_off_or_if_it_is_switched_off(self):
        for config, mode in ((QUICK, "off"), ("[working_set]\nenable = false\n", "observe")):
            with self.subTest(mode=mode):
                daemon = self.running(config, mode)
                self.assertEqual(self.domain(daemon)["state"], "off")
                self.assertFalse(daemon.ask("working-set")["enabled"])
                self.assertIn("Nothing is measured", daemon.client("working-set").out)
                daemon.stop()

    def test_bins_that_are_none_are_refused(self):
        for bins in "10,1", "0,10", "1;2", "", "1,604801", ",".join(map(str, range(1, 17))):
            with self.subTest(bins=bins):
                done = self.daemon(self.fake, config="[working_set]\nbins = %s\n" % bins).run(
                    "--check-config")
                self.assertEqual(done.code, 78)
                self.assertRegex(done.err, r"\[working_set\] bins = .*: expected ")


class Follow(WorkingSetTestCase):

    def report(self, process, wanted):
        """The next report for which wanted() holds."""
        end = time.monotonic() + 60
        text = b""
        while time.monotonic() < end:
            if not select.select([process.stdout], [], [], 0.2)[0]:
                continue
            data = os.read(process.stdout.fileno(), 1)
            self.assertNotEqual(data, b"", "it has ended")
            text += data
            if data != b"\n":
                continue
            report = json.loads(text)
            text = b""
            if wanted(report):
                return report
        raise AssertionError("no such report")

    @staticmethod
    def psi(daemon):
        return {s["name"]: s["detail"] for s in daemon.ask("status")["sources"]}["psi"]

    def test_pressure_is_watched_for_while_somebody_follows(self):
        # The file is not the kernel's, so that it is tried in vain.
        self.fake.write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n")
        daemon = self.running()
        self.assertIn("nobody follows working sets", self.psi(daemon))
        process = self.follow(daemon, *FOLLOWING)
        wait_until(lambda: "not the kernel's" in self.psi(daemon), "it is tried")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT_SECONDS), 0)
        wait_until(lambda: "nobody follows working sets" in self.psi(daemon), "it is closed again")

    def test_reports_come_when_it_moves_and_under_pressure(self):
        daemon = self.running()
        self.measured(daemon)
        process = self.follow(daemon, *FOLLOWING)
        first = self.report(process, lambda r: True)
        self.assertEqual((first["cause"], first["working_set"]["name"], first["lost"]),
                         ("first", TEST_NAME, 0))
        self.use(300000)
        moved = self.report(process, lambda r: r["cause"] == "moved")
        self.assertGreater(moved["working_set"]["working_set_bytes"],
                           first["working_set"]["working_set_bytes"])
        self.assertEqual(moved["memory_level"], "calm")
        self.fake.write("proc/meminfo", re.sub("MemAvailable: .*", "MemAvailable: 1000 kB",
                                               self.fake.read("proc/meminfo")))
        pressed = self.report(process, lambda r: r["cause"] == "pressure")
        self.assertIn(pressed["memory_level"], ("tight", "critical"))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(WAIT_SECONDS), 0)


if __name__ == "__main__":
    main()
