#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_trace.py - decisions are recorded, and decided again as they were"""
import csv
import io
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import WAIT_SECONDS, main, run_program, wait_until  # noqa: E402
from faketrace import CLIENT, TraceTestCase  # noqa: E402

UUID = "00000000-0000-4000-8000-00000000abcd"
FAILED, WRONG_USAGE = 1, 2


class RecordTest(TraceTestCase):

    def test_what_was_recorded_is_decided_again(self):
        host = self.host(pages=200)
        daemon = self.started(host=host)
        process, path = self.recorder(daemon)
        host.add_qemu("web", UUID, resident_pages=50000, mergeable_pages=50000)
        daemon.ask("kick")
        host.set_counters(pages_scanned=100000, full_scans=1, pages_sharing=700)
        daemon.ask("mode", "classic")
        daemon.ask("mode", "auto")
        code, out, err = self.finish(process)
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"a\.trace: \d+ decisions, ")
        found = self.result(path)
        self.assertEqual((found["differing"], found["lost"], found["cut"], found["missing"]),
                         (0, 0, None, None))
        self.assertGreaterEqual(found["decisions"], 4)
        phases = [s["phase"] for s in found["steps"]]
        for phase in ("burst", "initial", "rest"):  # no domain is known: the hook tells of none
            self.assertIn(phase, phases)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_a_recording_ends_in_time_by_a_signal_and_with_the_daemon(self):
        for how in ("--seconds", signal.SIGTERM, "daemon"):
            daemon = self.started()
            process, path = self.recorder(daemon, *(("--seconds", "1") if how == "--seconds"
                                                    else ()))
            if how == "daemon":
                daemon.stop()
            elif how != "--seconds":
                process.send_signal(how)
            out, err = process.communicate(timeout=WAIT_SECONDS)
            if how == "daemon":
                self.assertEqual(process.returncode, FAILED, err)
                self.assertIn(daemon.socket, err)
            else:
                self.assertEqual((process.returncode, err), (0, ""), how)
            self.assertEqual(self.result(path)["differing"], 0, how)

    def test_what_was_written_is_told_to_programs_too(self):
        process, path = self.recorder(self.started(), "--format", "json")
        code, out, err = self.finish(process)
        self.assertEqual((code, err), (0, ""))
        told = json.loads(out)
        self.assertEqual(told, {"path": path, "decisions": self.result(path)["decisions"],
                                "lost": 0, "bytes": os.path.getsize(path)})

    def test_an_existing_file_is_left_alone(self):
        daemon = self.started()
        path = os.path.join(daemon.host.base, "mine")
        with open(path, "w", encoding="utf-8") as file:
            file.write("precious")
        done = daemon.client("trace", "record", "-o", path)
        self.assert_done(done, FAILED, "cannot make %s: File exists" % path)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_it_is_not_for_the_read_only_socket(self):
        daemon = self.started()
        done = run_program([CLIENT, "--socket", daemon.socket.replace("d.sock", "d-ro.sock"),
                            "trace", "record", "-o", os.path.join(daemon.host.base, "ro")])
        self.assert_done(done, FAILED, "the socket is for read-only calls")


class SimulateTest(TraceTestCase):

    def recorded(self):
        daemon = self.started()
        daemon.host.add_qemu("web", UUID, resident_pages=50000, mergeable_pages=50000)
        process, path = self.recorder(daemon)
        size = os.path.getsize(path)
        daemon.ask("kick")
        wait_until(lambda: os.path.getsize(path) > size, "the kick is not recorded")
        self.finish(process)
        return daemon, path

    def test_other_settings_give_another_plan(self):
        daemon, path = self.recorded()
        other = os.path.join(daemon.host.base, "other.conf")
        with open(other, "w", encoding="utf-8") as file:
            file.write("[ksm]\nmode = classic\n")
        found = self.result(path, "--config", other)
        self.assertEqual(found["differing"], 0)
        self.assertEqual([s["plan"] for s in found["sums"]], ["recorded", other])
        phases = {(s["plan"], s["phase"]) for s in found["steps"]}
        self.assertIn((other, "aggressive"), phases)
        self.assertIn(("recorded", "burst"), phases)
        self.assertNotIn((other, "burst"), phases)
        table = self.simulate(path, "--config", other)
        self.assert_done(table, 0, "With the recorded settings every plan is as it was recorded.",
                         "The facts are as recorded")

    def test_rows(self):
        _, path = self.recorded()
        done = self.simulate(path, "--format", "csv")
        self.assert_done(done, 0)
        rows = list(csv.DictReader(io.StringIO(done.out)))
        self.assertEqual(rows[0]["time_us"], "0")
        self.assertTrue(all(r["why"] and r["phase"] for r in rows), rows)

    def test_a_plan_that_is_not_as_recorded_is_a_failure(self):
        _, path = self.recorded()
        with open(path, "rb") as file:
            data = bytearray(file.read())
        at = data.index(b"next_tick_us")
        data[at:at + 12] = b"next_tick_xx"  # recorded, but as something that nobody knows
        with open(path, "wb") as file:
            file.write(data)
        done = self.simulate(path)
        self.assert_done(done, FAILED, "plans are not as they were recorded, first next_tick_us")
        self.assertIn("next_tick_us was not recorded", done.out)

    def test_a_trace_that_is_cut_off_is_used_as_far_as_it_goes(self):
        _, path = self.recorded()
        os.truncate(path, os.path.getsize(path) - 3)
        found = self.result(path)
        self.assertRegex(found["cut"], r"message \d+, at byte \d+: the trace ends in the middle")
        self.assertEqual(found["differing"], 0)

    def test_what_cannot_be_read_is_said(self):
        daemon = self.started()
        for path, text in (("/etc/hostname", "this is no trace"), ("/nowhere/x", "No such file")):
            self.assert_done(self.simulate(path), FAILED, path, text)
        bad = os.path.join(daemon.host.base, "bad.conf")
        with open(bad, "w", encoding="utf-8") as file:
            file.write("[ksm]\nmode = sideways\n")
        self.assert_done(self.simulate("x", "--config", bad), WRONG_USAGE, bad, "sideways")


if __name__ == "__main__":
    main()
