#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_access.py - settings that open and close the daemon to local users, and its goodbye"""
import os
import signal
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import EXIT_CONFIG, PATIENCE, FakeTestCase, main, run_program  # noqa: E402
from fakecase import wait_until  # noqa: E402

NOBODY = 65534
READING = "status", "list", "mode"
FIGURES = ("report", "explain") + \
    (("history",) if os.environ.get("VIRTKSM_SQLITE", "1") == "1" else ())
CHANGING = ["kick"], ["mode", "off"]


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


class Access(FakeTestCase):

    def call_as_nobody(self, daemon, *words, path=None):
        path = path or daemon.runtime_dir + "/virtksmd-ro.sock"
        os.chmod(daemon.host.base, 0o755)
        return subprocess.run([os.environ["VIRTKSM"], "--socket", path, *words],
                              user=NOBODY, group=NOBODY, extra_groups=[], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def assert_allowed(self, daemon, allowed, *words):
        done = self.call_as_nobody(daemon, *words)
        with self.subTest(words=words):
            self.assertEqual(done.returncode, 0 if allowed else 1, done)
            if not allowed:
                self.assertIn("not permitted", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "only root can call as somebody else")
    def test_the_read_only_socket_is_closed_to_others_until_it_is_opened(self):
        for text, is_open, is_told in (
                ("", False, False),
                ("[access]\nread_only_for_all = true\n", True, False),
                ("[access]\nread_only_for_all = true\ndomain_figures = all\n", True, True)):
            with self.subTest(text=text):
                daemon = self.started(config=text)
                path = daemon.runtime_dir + "/virtksmd-ro.sock"
                self.assertEqual(mode_of(path), 0o666 if is_open else 0o660)
                self.assertEqual(mode_of(daemon.socket), 0o660)
                os.chmod(path, 0o666)  # whatever the file says, the caller is looked at
                for word in READING:
                    self.assert_allowed(daemon, is_open, word)
                for word in FIGURES:
                    self.assert_allowed(daemon, is_told, word)
                for words in CHANGING:
                    self.assert_allowed(daemon, False, *words)
                self.assertEqual(daemon.host.settings(), (0, 100, 20))

    @unittest.skipUnless(os.geteuid() == 0, "only root can call as somebody else")
    def test_the_figures_of_domains_can_be_closed_while_it_runs(self):
        opened = "[access]\nread_only_for_all = true\n"
        daemon = self.started(config=opened + "domain_figures = all\n")
        self.assert_allowed(daemon, True, "report")
        daemon.write_config(opened + "domain_figures = root\n")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: self.call_as_nobody(daemon, "report").returncode == 1, "it is closed")
        self.assert_allowed(daemon, True, "status")
        self.assertEqual(daemon.ask("report")["domains"], [])  # we are root

    def test_the_socket_of_kata_is_there_when_it_is_asked_for(self):
        host = self.host()
        path = host.base + "/kata-ksm-throttler/ksm.sock"
        daemon = self.started(host=host)
        self.assertFalse(os.path.exists(path))
        daemon.stop()
        daemon = self.started(host=host, config="[rpc]\nkata_socket = %s\n" % path)
        self.assertEqual(mode_of(path), 0o660)
        for words in ["status"], ["kick"]:
            done = run_program([os.environ["VIRTKSM"], "--socket", path] + words)
            self.assertEqual(done.code, 1, str(done))
            self.assertIn("does not know this call", done.err)
        # It stays what it is, also when the settings change under way.
        daemon.write_config("")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "read again" in daemon.log(), "the settings are read")
        self.assertIn("[rpc] kata_socket has changed", daemon.log())
        self.assertEqual(daemon.log().count("at the start only"), 1, "of one that has not changed")
        done = run_program([os.environ["VIRTKSM"], "--socket", path, "kick"])
        self.assertEqual(done.code, 1, str(done))
        self.assertEqual(host.settings(), (0, 100, 20))
        daemon.stop()
        self.assertFalse(os.path.exists(path))

    def test_a_path_for_kata_that_cannot_be_used_is_named(self):
        host = self.host()
        with open(host.base + "/file", "w", encoding="utf-8"):
            pass
        daemon = self.daemon(host, config="[rpc]\nkata_socket = ksm.sock\n")
        self.assert_done(daemon.run("--check-config"), EXIT_CONFIG,
                         "[rpc] kata_socket = ksm.sock: expected an absolute path")
        for path, text in ((host.base + "/file/ksm.sock", "cannot create"),
                           (host.base + "/file", "not a socket")):
            with self.subTest(path=path):
                daemon = self.daemon(host, config="[rpc]\nkata_socket = %s\n" % path)
                self.assert_done(daemon.run(), 1, text)
                self.assertEqual(os.listdir(daemon.runtime_dir), [])

    def test_words_that_are_no_settings_are_refused(self):
        for text in ("[access]\ndomain_figures = some\n", "[access]\nread_only_for_all = maybe\n",
                     "[rpc]\nkata_socket = %s\n" % ("/" + "x" * 107)):
            with self.subTest(text=text):
                daemon = self.daemon(self.host(), config=text)
                self.assert_done(daemon.run(), EXIT_CONFIG, "expected")

    def test_who_follows_the_events_is_told_that_the_daemon_ends(self):
        daemon = self.started()
        with subprocess.Popen(daemon.client_command("events"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
            daemon.ask("kick")
            while "kick" not in reader.stdout.readline():
                daemon.ask("kick")
            begin = time.monotonic()
            daemon.stop()
            self.assertLess(time.monotonic() - begin, 5 * PATIENCE)
            self.assertIn("shutting down", reader.communicate()[1])
        self.assertEqual(daemon.host.settings(), (0, 100, 20))

    def test_a_reader_that_is_stuck_does_not_hold_up_the_end(self):
        daemon = self.started()
        with subprocess.Popen(daemon.client_command("events"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as reader:
            for _ in range(20):
                daemon.ask("kick")
            reader.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
            daemon.stop()
            self.assertLess(time.monotonic() - begin, 5 * PATIENCE)
            reader.send_signal(signal.SIGCONT)
        self.assertEqual(daemon.host.settings(), (0, 100, 20))


if __name__ == "__main__":
    main()
