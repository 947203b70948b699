#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_client.py - virtksm: exit codes, the members of its JSON, and the stream of events"""
import csv
import io
import json
import os
import select
import signal
import stat
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import WAIT_SECONDS, FakeTestCase, main, run_program, wait_until  # noqa: E402
from fakelibvirt import TEST_NAME, TEST_UUID  # noqa: E402

NO_DAEMON, WRONG_USAGE, NO_DOMAIN = 1, 2, 3
NOBODY = 65534

# What a value may be; every one but a list may be null where it could not be had.
NUMBER, SIGNED, REAL, TEXT, FLAG = "number", "signed number", "real", "text", "flag"
KINDS = {
    NUMBER: lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0,
    SIGNED: lambda v: isinstance(v, int) and not isinstance(v, bool),
    REAL: lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    TEXT: lambda v: isinstance(v, str),
    FLAG: lambda v: isinstance(v, bool),
}


def members(kind, names):
    return {name: kind for name in names.split()}


KSM = {**members(NUMBER, "run pages_to_scan sleep_millisecs smart_scan use_zero_pages"),
       "advisor_mode": TEXT}
REPORT = {
    "page_size": NUMBER,
    "host": {**members(NUMBER, "pages_shared pages_sharing ksm_zero_pages saved_pages "
                       "metadata_bytes"), "net_saved_bytes": SIGNED},
    "domains": [{**members(TEXT, "name uuid"),
                 **members(NUMBER, "pid merging_pages saved_pages ksm_zero_pages metadata_bytes "
                           "maximum_bytes balloon_bytes resident_bytes overhead_bytes "
                           "stats_age_ms"), "net_saved_bytes": SIGNED}],
    "others": members(NUMBER, "merging_pages saved_pages"),
}
STATUS = {
    **members(TEXT, "mode phase reason version actuator actuator_detail"), "ksm": KSM,
    "initial": KSM, "ksmd_cpu_percent": REAL,
    "sources": [{**members(TEXT, "name state detail"), **members(NUMBER, "events last_event_ms")}],
    "libvirt": {"connected": FLAG, "uri": TEXT, "detail": TEXT, "reconnects": NUMBER},
    **members(NUMBER, "domains uptime_ms ticks late_ticks"),
}
LIST = {"domains": [{**members(TEXT, "name uuid state merge"),
                     **members(NUMBER, "id pid seen_ms")}]}
EXPLAIN = {
    **members(TEXT, "mode phase reason_name reason applied applied_detail"), "wanted": KSM,
    "in_force": KSM, **members(NUMBER, "debt_pages budget_bp cost_ns gained_pages decided_ms"),
    "domains": [{**members(TEXT, "name uuid reason merge"),
                 **members(NUMBER, "mergeable_pages debt_pages weight"),
                 "latency_critical": FLAG}],
}
EVENT = {**members(NUMBER, "sequence time_us lost"),
         **members(TEXT, "source event detail name uuid")}
SHAPES = (("status", STATUS), ("list", LIST), ("report", REPORT), ("explain", EXPLAIN),
          ("kick", {"ksm": KSM, **members(TEXT, "phase reason")}),
          ("mode", members(TEXT, "mode phase reason")))


def misfits(shape, value, where=""):
    """Sentences about what of value is not as in shape; members beyond it are welcome."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return ["%s is no list" % where]
        return [m for n, v in enumerate(value) for m in misfits(shape[0], v, "%s[%d]" % (where, n))]
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return ["%s is no object" % where]
        found = ["%s.%s is missing" % (where, key) for key in shape.keys() - value.keys()]
        for key in shape.keys() & value.keys():
            found += misfits(shape[key], value[key], "%s.%s" % (where, key))
        return found
    return [] if value is None or KINDS[shape](value) else ["%s is no %s: %r" % (where, shape,
                                                                                 value)]


class ExitCodes(FakeTestCase):

    def test_no_daemon_gives_one_clear_line(self):
        daemon = self.daemon(self.host())
        for words in (["status"], ["list"], ["report"], ["report", "web"], ["explain"], ["kick"],
                      ["mode"], ["mode", "off"], ["events"]):
            with self.subTest(words=words):
                done = daemon.client(*words)
                self.assert_done(done, NO_DAEMON, "virtksm: no virtksmd answers at", daemon.socket,
                                 "is it running?")
                self.assertEqual(done.err.count("\n"), 1, done)
                self.assertEqual(done.out, "")

    def test_a_daemon_that_was_killed_gives_the_same(self):
        daemon = self.started()
        daemon.kill()
        self.assert_done(daemon.client("status"), NO_DAEMON, "no virtksmd answers at")

    def test_wrong_usage(self):
        daemon = self.started()
        for words in ([], ["frobnicate"], ["status", "extra"], ["--format", "xml", "status"],
                      ["--no-such-option"], ["report", "a", "b"], ["mode", "fast"], ["report", ""],
                      ["--format", "csv", "status"]):
            with self.subTest(words=words):
                done = daemon.client(*words)
                self.assert_done(done, WRONG_USAGE, "virtksm: ")
                self.assertEqual(done.out, "")

    def test_no_such_domain(self):
        daemon = self.started()
        for command in "report", "explain":
            for name in "nobody", TEST_UUID, "--", "a" * 5000, "ä\u202e":
                with self.subTest(command=command, name=name[:20]):
                    done = daemon.client(command, "--", name)
                    self.assert_done(done, NO_DOMAIN, "virtksm: ")
                    self.assertEqual(done.err.count("\n"), 1)

    def test_help_and_version_need_no_daemon(self):
        socket = ["--socket", "/nonexistent"]
        done = run_program([os.environ["VIRTKSM"]] + socket + ["--version"])
        self.assertRegex(done.out, r"\Avirtksm \d+\.\d+\.\d+\n\Z")
        done = run_program([os.environ["VIRTKSM"]] + socket + ["--help"])
        self.assert_done(done, 0, "status", "list", "report", "explain", "kick", "mode", "events")


class Json(FakeTestCase):

    def assert_shapes(self, daemon):
        for command, shape in SHAPES:
            with self.subTest(command=command):
                self.assertEqual(misfits(shape, daemon.ask(command), command), [])

    def test_members_without_any_domain(self):
        self.assert_shapes(self.started())

    def test_members_with_a_domain_and_its_process(self):
        host = self.host()
        host.add_qemu(TEST_NAME, TEST_UUID, resident_pages=1000)
        daemon = self.started(host=host, connect="test:///default")
        wait_until(lambda: [d for d in daemon.ask("report")["domains"] if d["pid"]], "a process")
        self.assert_shapes(daemon)
        row, = daemon.ask("report")["domains"]
        self.assertEqual(row["ksm_zero_pages"], 0, "0 is 0")
        self.assertIsNone(row["overhead_bytes"], "what is not known is null")

    def test_members_without_ksm(self):
        daemon = self.started(host=self.host(None), connect="test:///default")
        wait_until(daemon.names, "a domain")
        self.assert_shapes(daemon)

    def test_members_on_the_oldest_kernel(self):
        daemon = self.started(host=self.host("5.10"), connect="test:///default")
        wait_until(daemon.names, "a domain")
        self.assert_shapes(daemon)
        self.assertIsNone(daemon.ask("report")["host"]["ksm_zero_pages"])


class Formats(FakeTestCase):

    def test_tables_and_rows(self):
        daemon = self.started(connect="test:///default")
        wait_until(daemon.names, "a domain")
        for command in "status", "list", "report", "explain", "kick", "mode":
            self.assert_done(daemon.client(command), 0)
        for command in "list", "report", "explain":
            with self.subTest(command=command):
                table = daemon.client(command)
                self.assertIn(TEST_NAME, table.out)
                rows = list(csv.DictReader(io.StringIO(daemon.client("--format", "csv",
                                                                     command).out)))
                self.assertIn(TEST_NAME, [row["name"] for row in rows])
                self.assertNotIn(None, [v for row in rows for v in row.values()])

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a file away")
    def test_a_file_that_is_written_again_keeps_its_mode(self):
        daemon = self.started()
        path = os.path.join(daemon.host.base, "report.txt")
        self.assert_done(daemon.client("report", "--output", path), 0)
        first = os.stat(path)
        os.chmod(path, 0o640)
        os.chown(path, NOBODY, NOBODY)
        self.assert_done(daemon.client("report", "--output", path), 0)
        again = os.stat(path)
        self.assertNotEqual(again.st_ino, first.st_ino)
        self.assertEqual((stat.S_IMODE(again.st_mode), again.st_uid, again.st_gid),
                         (0o640, NOBODY, NOBODY))
        left = [n for n in os.listdir(daemon.host.base) if n.startswith("report.txt")]
        self.assertEqual(left, ["report.txt"])

    def test_mode_alone_is_a_word_for_scripts(self):
        daemon = self.started("--mode", "classic")
        self.assertEqual(daemon.client("mode").out, "classic\n")


class Events(FakeTestCase):

    def lines_after_kicks(self, daemon, process, wanted):
        """Kicks until the reader shows that many more lines; nobody says when it listens."""
        text, end = b"", time.monotonic() + WAIT_SECONDS
        while text.count(b"\n") < wanted:
            self.assertLess(time.monotonic(), end, "no event was shown")
            daemon.ask("kick")
            while select.select([process.stdout], [], [], 0.05)[0]:
                data = os.read(process.stdout.fileno(), 65536)
                self.assertNotEqual(data, b"", "events has ended")
                text += data
        return text.decode().splitlines()

    def test_a_kick_is_shown_as_one_object_on_one_line(self):
        daemon = self.started()
        process = self.follow(daemon, "--format", "json", "events")
        events = [json.loads(line) for line in self.lines_after_kicks(daemon, process, 3)]
        for event in events:
            self.assertEqual(misfits(EVENT, event, "event"), [])
            self.assertEqual((event["source"], event["event"]), ("grpc", "kick"))
            self.assertIsNone(event["uuid"])
            self.assertLess(abs(event["time_us"] / 1e6 - time.time()), 60)
        numbers = [event["sequence"] for event in events]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def test_the_table_has_a_header_and_the_kick(self):
        daemon = self.started()
        process = self.follow(daemon, "events")
        lines = self.lines_after_kicks(daemon, process, 2)
        self.assertIn("SOURCE", lines[0])
        self.assertIn("kick", lines[1])

    def test_an_interrupt_is_its_normal_end(self):
        for number in signal.SIGINT, signal.SIGTERM:
            with self.subTest(signal=number):
                daemon = self.started()
                process = self.follow(daemon, "--format", "json", "events")
                self.lines_after_kicks(daemon, process, 1)
                process.send_signal(number)
                self.assertEqual(process.wait(WAIT_SECONDS), 0, process.stderr.read())

    def test_a_daemon_that_goes_away_ends_it_with_one(self):
        for end in "stop", "kill":
            with self.subTest(end=end):
                daemon = self.started()
                process = self.follow(daemon, "--format", "json", "events")
                self.lines_after_kicks(daemon, process, 1)
                getattr(daemon, end)()
                self.assertEqual(process.wait(WAIT_SECONDS), 1)
                self.assertEqual(process.stderr.read().count(b"\n"), 1)

    def test_a_reader_that_goes_away_does_the_daemon_no_harm(self):
        daemon = self.started()
        for _ in range(5):
            process = self.follow(daemon, "--format", "json", "events")
            self.lines_after_kicks(daemon, process, 1)
            process.kill()
            process.wait(WAIT_SECONDS)
        daemon.ask("kick")

    def test_a_reader_that_stands_still_does_not_stop_the_daemon(self):
        daemon = self.started()
        process = self.follow(daemon, "--format", "json", "events")
        self.lines_after_kicks(daemon, process, 1)
        process.send_signal(signal.SIGSTOP)
        for _ in range(100):
            daemon.ask("kick")
        process.send_signal(signal.SIGCONT)
        self.assertGreaterEqual(len(self.lines_after_kicks(daemon, process, 100)), 100)


if __name__ == "__main__":
    main()
