#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_start.py - command line, configuration, signals: how the daemon comes, changes and goes"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import (EXIT_CONFIG, EXIT_USAGE, FakeTestCase, main, wait_until,  # noqa: E402
                      with_systemd)

FOUND = (0, 100, 20)
FIXED = "[ksm]\nmode = fixed\nfixed_pages = %d\nfixed_sleep_ms = %d\n"

# What is wrong, the file, and what must be said of it.
BAD_FILES = (
    ("no such section", "[kms]\nmode = auto\n", "%s:1: [kms]"),
    ("no such key", "# a comment\n[ksm]\n\nmood = auto\n", "%s:4: [ksm] mood"),
    ("number above its range", "[ksm]\ncpu_burst = 101\n", "%s:2: [ksm] cpu_burst = 101"),
    ("number below its range", "[ksm]\nbatch_pages = 99\n", "%s:2: [ksm] batch_pages = 99"),
    ("negative number", "[ksm]\nslow_s = -1\n", "%s:2: [ksm] slow_s = -1"),
    ("more than 64 bits", "[ksm]\nslow_s = 18446744073709551617\n", "%s:2: [ksm] slow_s"),
    ("no number", "[ksm]\nslow_s = soon\n", "%s:2: [ksm] slow_s = soon"),
    ("number with a unit", "[ksm]\nslow_s = 5s\n", "%s:2: [ksm] slow_s = 5s"),
    ("no value", "[ksm]\nslow_s =\n", "%s:2: [ksm] slow_s"),
    ("no such word", "[ksm]\nmode = fast\n", "%s:2: [ksm] mode = fast"),
    ("neither true nor false", "[agent]\nrestore_at_stop = yes\n", "%s:2: [agent] restore_at_stop"),
    ("given twice", "[ksm]\nmode = off\n[rpc]\ngroup = kvm\n[ksm]\nmode = auto\n",
     "%s:6: [ksm] mode"),
    ("no syntax", "[ksm]\nmode auto\n", "%s:2: expected"),
    ("key without a section", "mode = auto\n", "%s:1: expected"),
    ("text too long", "[rpc]\ngroup = %s\n" % ("g" * 65), "%s:2: [rpc] group"),
    ("other bytes", b"[ksm]\nmode = \xff\n", "%s: expected UTF-8"),
    ("NUL byte", b"[ksm]\nmode = auto\0\n", "%s: expected UTF-8"),
)

EVERY_SECTION = """# everything that can be said
[agent]
log_level = debug
restore_at_stop = true
[libvirt]
uri = qemu:///session
stats_period_ms = 1000
keepalive_s = 5
keepalive_count = 3
[ksm]
mode = classic
take_over = false
aggressive_s = 30
[rpc]
group = kvm
"""


class CommandLine(FakeTestCase):

    def test_version_is_one_line(self):
        done = self.daemon(self.host()).run("--version")
        self.assert_done(done, 0)
        self.assertRegex(done.out, r"\Avirtksmd \d+\.\d+\.\d+\n\Z")

    def test_help_names_every_option(self):
        done = self.daemon(self.host()).run("--help")
        self.assert_done(done, 0, "--config", "--connect", "--mode", "--root", "--runtime-dir",
                         "--state-dir", "--log-level", "--check-config", "--restore", "--version",
                         "--help")
        self.assertNotIn("?", done.out, "a letter that the locale has not")
        for key in "[libvirt] uri", "[ksm] mode", "[agent] log_level":
            self.assertIn("in place of " + key, done.out)
        self.assertEqual(done.err, "")

    def test_wrong_usage_is_refused_and_touches_nothing(self):
        for arguments, text in ((["--no-such-option"], "--no-such-option"), (["auto"], "auto"),
                                (["--mode"], "--mode")):
            with self.subTest(arguments=arguments):
                host = self.host()
                before = host.stamps(host.base)
                done = self.daemon(host, config=None).run(*arguments)
                self.assert_done(done, EXIT_USAGE, text)
                self.assert_untouched(host, before, host.base)

    def test_options_with_bad_words_name_the_option_and_what_is_expected(self):
        for option, word, expected in (("--mode", "fast", "classic"),
                                       ("--log-level", "loud", "debug")):
            with self.subTest(option=option):
                daemon = self.daemon(self.host())
                done = daemon.run(option, word)
                self.assert_done(done, EXIT_CONFIG, option + ": ", word, expected)
                self.assertFalse(os.path.exists(daemon.socket))


class Configuration(FakeTestCase):

    def test_starts_without_a_configuration_file(self):
        daemon = self.started(config=None)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")

    def test_an_empty_file_gives_the_defaults(self):
        self.assertEqual(self.started(config="").ask("status")["mode"], "auto")

    def test_check_config_accepts_every_section(self):
        host = self.host()
        done = self.daemon(host, config=EVERY_SECTION).run("--check-config")
        self.assert_done(done, 0, "configuration is right")
        self.assertEqual(host.settings(), FOUND)

    def test_check_config_names_file_line_section_and_key(self):
        daemon = self.daemon(self.host())
        for when, text, said in BAD_FILES:
            with self.subTest(when), open(daemon.config_path, "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode())
                file.flush()
                done = daemon.run("--check-config")
                self.assert_done(done, EXIT_CONFIG, said % daemon.config_path)
                self.assertEqual(done.err.count("\n"), 1, "more than one line: " + done.err)

    def test_a_named_file_must_exist_and_be_a_file(self):
        daemon = self.daemon(self.host(), config=None)
        for path in daemon.host.base + "/absent.conf", daemon.host.base:
            with self.subTest(path=path):
                self.assert_done(daemon.run("--check-config", "--config", path), EXIT_CONFIG, path)

    def test_drop_ins_win_in_the_order_of_their_names(self):
        daemon = self.daemon(self.host(), config="[ksm]\nmode = off\n")
        folder = daemon.config_path + ".d"
        os.mkdir(folder)
        for name, mode in (("20-b.conf", "classic"), ("10-a.conf", "fixed"), ("30.conf.bak", "x"),
                           (".40.conf", "x")):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write("[ksm]\nmode = %s\n" % mode)
        self.assertEqual(daemon.start().ask("status")["mode"], "classic")

    def test_a_bad_drop_in_is_named(self):
        daemon = self.daemon(self.host())
        path = daemon.config_path + ".d/10.conf"
        os.mkdir(os.path.dirname(path))
        with open(path, "w", encoding="utf-8") as file:
            file.write("[ksm]\nmode = fast\n")
        self.assert_done(daemon.run("--check-config"), EXIT_CONFIG, path + ":2: [ksm] mode")

    def test_a_bad_file_refuses_the_start_and_touches_nothing(self):
        host = self.host(run=1)
        daemon = self.daemon(host, config="[ksm]\nmode = fast\n")
        before = host.stamps()
        self.assert_done(daemon.run(), EXIT_CONFIG, daemon.config_path + ":2: [ksm] mode")
        self.assert_untouched(host, before)
        self.assertFalse(os.path.exists(daemon.socket))

    def test_what_is_understood_late_is_named_with_file_and_line_too(self):
        for text, key in (("[metrics]\n\nlisten = here\n", "[metrics] listen = here: "),
                          ("[tenancy]\n\nnames = web\n", "[tenancy] names = web: "),
                          ("[tenancy]\n\ngroup_from = owner\n", "[tenancy] group_from = owner: "),
                          ("[working_set]\n\nbins = 1,2\n", "[working_set] age = 300: ")):
            daemon = self.daemon(self.host(), config=text)
            self.assert_done(daemon.run("--check-config"), EXIT_CONFIG,
                             "%s:3: %s" % (daemon.config_path, key))

    def test_the_command_line_wins_over_the_file(self):
        status = self.started("--mode", "observe", config="[ksm]\nmode = off\n").ask("status")
        self.assertEqual(status["mode"], "observe")


class Signals(FakeTestCase):

    def test_sighup_takes_the_new_file(self):
        host = self.host()
        daemon = self.started(host=host, config=FIXED % (1001, 21))
        self.assert_settings(host, (1, 1001, 21), "as configured")
        daemon.write_config(FIXED % (2002, 42))
        daemon.send(signal.SIGHUP)
        self.assert_settings(host, (1, 2002, 42), "after SIGHUP")

    def test_sighup_keeps_the_old_configuration_when_the_file_is_bad(self):
        host = self.host()
        daemon = self.started(host=host, config=FIXED % (1001, 21))
        self.assert_settings(host, (1, 1001, 21), "as configured")
        daemon.write_config(FIXED % (2002, 42) + "fixed_colour = red\n")
        daemon.send(signal.SIGHUP)
        said = "keeping the old configuration: %s:5: [ksm] fixed_colour" % daemon.config_path
        wait_until(lambda: said in daemon.log(), lambda: "%s\n%s" % (said, daemon.log()))
        self.assertEqual(daemon.ask("status")["mode"], "fixed")
        daemon.ask("kick")
        self.assertEqual(host.settings(), (1, 1001, 21))

    def test_sighup_after_a_bad_file_takes_the_good_one(self):
        host = self.host()
        daemon = self.started(host=host, config=FIXED % (1001, 21))
        daemon.write_config("[")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "keeping the old" in daemon.log(), daemon.log)
        daemon.write_config(FIXED % (3003, 3))
        daemon.send(signal.SIGHUP)
        self.assert_settings(host, (1, 3003, 3), "after the second SIGHUP")

    def test_somebody_who_hangs_up_while_it_writes_does_not_end_it(self):
        daemon = self.started(host=self.host())
        daemon.send(signal.SIGPIPE)
        self.assertEqual(daemon.ask("status")["mode"], "auto")
        daemon.stop()

    def test_sighup_keeps_the_mode_that_a_client_has_set(self):
        host = self.host()
        daemon = self.started(host=host, config=FIXED % (1001, 21))
        daemon.ask("mode", "off")
        self.assertEqual(host.settings(), FOUND)
        daemon.write_config(FIXED % (2002, 42))
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "configuration read again" in daemon.log(), daemon.log)
        self.assertEqual(daemon.ask("status")["mode"], "off")
        self.assertIn("the mode stays off, as a client has set it", daemon.log())
        self.assertEqual(host.settings(), FOUND)

    def test_sighup_names_what_is_read_at_the_start_only(self):
        keys = {"[libvirt]\nkeepalive_s = 7\n": "[libvirt] keepalive_s",
                "[libvirt]\nkeepalive_count = 7\n": "[libvirt] keepalive_count",
                "[hook]\nenable = false\n": "[hook] enable"}
        for text, name in keys.items():
            with self.subTest(key=name):
                daemon = self.started()
                daemon.write_config(text)
                daemon.send(signal.SIGHUP)
                wait_until(lambda: "configuration read again" in daemon.log(), daemon.log)
                self.assertIn(name + " has changed, which needs a restart", daemon.log())
                daemon.write_config("")  # as it is in force
                daemon.send(signal.SIGHUP)
                wait_until(lambda: daemon.log().count("configuration read again") == 2, daemon.log)
                self.assertEqual(daemon.log().count("needs a restart"), 1)

    def test_sighup_with_another_mode_begins_it_for_the_domains_that_run(self):
        config = "[directory]\npaths = /sbs\n[ksm]\nmode = %s\n"
        host = self.host()
        os.makedirs(host.path("sbs/one"))
        daemon = self.started(host=host, config=config % "off")
        wait_until(lambda: daemon.names() == ["one"], "the domain is known")
        daemon.write_config(config % "classic")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: daemon.ask("status")["mode"] == "classic", daemon.log)
        self.assertEqual(daemon.ask("status")["phase"], "aggressive")

    def test_a_storm_of_sighup_is_survived(self):
        daemon = self.started(config=FIXED % (1001, 21))
        for _ in range(200):
            daemon.send(signal.SIGHUP)
        self.assertEqual(daemon.ask("status")["mode"], "fixed")

    def test_term_and_interrupt_put_ksm_back_and_remove_the_record(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with self.subTest(signal=number):
                host = self.host(run=1, pages=123, sleep=45)
                daemon = self.started("--mode", "fixed", host=host)
                self.assert_settings(host, (1, 1000, 20), "mode fixed")
                self.assertTrue(os.path.exists(daemon.record), "no record while driving")
                daemon.stop(number)
                self.assertEqual(host.settings(), (1, 123, 45))
                self.assertEqual(daemon.state_files(), [])
                self.assertEqual(os.listdir(daemon.runtime_dir), [])

    def test_impatient_signals_do_not_keep_it_from_putting_ksm_back(self):
        for _ in range(10):
            host = self.host(run=0, pages=123, sleep=45)
            daemon = self.started("--mode", "fixed", host=host)
            self.assert_settings(host, (1, 1000, 20), "mode fixed")
            while daemon.process.poll() is None:
                daemon.send(signal.SIGTERM)
            self.assertEqual(daemon.process.returncode, 0)
            self.assertEqual(host.settings(), (0, 123, 45))
            self.assertEqual(daemon.log().count("told to end"), 1)

    def test_restore_at_stop_false_leaves_ksm_and_the_record(self):
        host = self.host(run=0, pages=123, sleep=45)
        host.wants_found = False
        for told in 0, 1:
            daemon = self.started(host=host, config="[agent]\nrestore_at_stop = false\n" +
                                  FIXED % (1001, 21))
            self.assert_settings(host, (1, 1001, 21), "mode fixed")
            daemon.stop()
            self.assertEqual(host.settings(), (1, 1001, 21))
            self.assertTrue(os.path.exists(daemon.record), "the way back is lost")
            self.assertEqual(daemon.log().count("as the last run has set it (restore_at_stop = false)"),
                             told)
            self.assertNotIn("did not end cleanly", daemon.log())
        self.assert_done(daemon.run("--restore"), 0)
        self.assertEqual(host.settings(), (0, 123, 45))

    def test_a_stop_that_changed_nothing_writes_nothing(self):
        host = self.host(run=0)
        before = host.stamps()
        daemon = self.started("--mode", "off", host=host)
        daemon.stop()
        self.assert_untouched(host, before)


class Notifications(FakeTestCase):

    def receive(self, notify, word):
        while word not in notify.recv(4096).decode():
            pass  # the socket's own time limit ends this

    @with_systemd
    def test_the_manager_is_told_of_start_reload_status_and_stop(self):
        daemon = self.daemon(self.host())
        notify = self.manager(daemon)
        notify.settimeout(30)
        daemon.start(wait=False)
        self.receive(notify, "READY=1")
        self.receive(notify, "WATCHDOG=1")
        self.receive(notify, "WATCHDOG=1")
        daemon.ask("kick")
        self.receive(notify, "STATUS=")
        daemon.send(signal.SIGHUP)
        self.receive(notify, "RELOADING=1")
        self.receive(notify, "READY=1")
        daemon.send(signal.SIGTERM)
        self.receive(notify, "STOPPING=1")
        self.assertEqual(daemon.wait_end(), 0)


if __name__ == "__main__":
    main()
