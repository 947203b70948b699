#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_sockets.py - who may listen where, and who may call"""
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, run_program  # noqa: E402

NOBODY = 65534
NAMES = ["virtksmd-ro.sock", "virtksmd.sock"]
ALL_NAMES = ["hook.sock"] + NAMES


class Sockets(FakeTestCase):

    def test_a_second_daemon_is_refused_and_the_first_does_not_notice(self):
        host = self.host()
        first = self.started("--mode", "fixed", host=host)
        before = host.stamps(host.root, first.state_dir)
        second = self.daemon(host)
        second.state_dir = host.base + "/state2"
        for path in second.state_dir, first.state_dir:
            second.state_dir = path
            done = second.run()
            self.assert_done(done, 1, first.socket, "in use")
            self.assertEqual(done.err.count("in use"), 1)
        self.assert_untouched(host, before, host.root, first.state_dir)
        self.assertEqual(first.ask("status")["mode"], "fixed")
        self.assertEqual(sorted(os.listdir(first.runtime_dir)), ALL_NAMES)

    def test_a_second_daemon_is_refused_where_all_directories_are_one(self):
        host = self.host()
        first, second = self.daemon(host, "--mode", "fixed"), self.daemon(host)
        first.state_dir = first.runtime_dir
        second.state_dir = second.runtime_dir
        first.start()
        self.assert_done(second.run(), 1, "in use")

    def test_sockets_of_a_killed_daemon_are_taken_over(self):
        host = self.host()
        first = self.started(host=host)
        first.kill()
        self.assertEqual(sorted(os.listdir(first.runtime_dir)), ALL_NAMES)
        second = self.started(host=host)
        self.assertEqual(second.ask("status")["actuator"], "ready")

    def test_many_starts_at_once_give_one_daemon(self):
        host = self.host()
        daemons = [self.daemon(host) for _ in range(6)]
        threads = [threading.Thread(target=daemon.start, args=(False,)) for daemon in daemons]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        losers = []
        while len(losers) < len(daemons) - 1:
            losers += [d for d in daemons if d not in losers and d.process.poll() is not None]
        winner, = [d for d in daemons if d not in losers]
        for loser in losers:
            self.assertEqual(loser.process.returncode, 1, loser.log())
            self.assertIn("in use", loser.log())
            loser.process = None  # it has ended as it should
        self.assertEqual(winner.ask("status")["domains"], 0)

    def test_what_is_no_socket_is_left_alone(self):
        host = self.host()
        for name in NAMES:
            with self.subTest(name=name):
                daemon = self.daemon(host)
                path = os.path.join(daemon.runtime_dir, name)
                os.makedirs(daemon.runtime_dir)
                with open(path, "w", encoding="utf-8") as file:
                    file.write("precious")
                self.assert_done(daemon.run(), 1, path, "not a socket")
                with open(path, encoding="utf-8") as file:
                    self.assertEqual(file.read(), "precious")
                self.assertEqual(os.listdir(daemon.runtime_dir), [name], "half of it is left")
                shutil.rmtree(daemon.runtime_dir)
        self.assertEqual(host.settings(), (0, 100, 20))

    def test_a_runtime_directory_that_cannot_be_made_is_named(self):
        daemon = self.daemon(self.host())
        with open(daemon.runtime_dir, "w", encoding="utf-8"):
            pass
        self.assert_done(daemon.run(), 1, daemon.runtime_dir)
        daemon.runtime_dir += "/below"
        self.assert_done(daemon.run(), 1, "cannot create " + daemon.runtime_dir)

    def test_a_path_too_long_for_a_socket_is_named(self):
        daemon = self.daemon(self.host())
        daemon.runtime_dir += "/" + "long" * 30
        self.assert_done(daemon.run(), 1, "too long")

    def test_sockets_are_for_owner_and_group_and_vanish_at_the_end(self):
        daemon = self.started()
        for name in NAMES:
            mode = os.stat(os.path.join(daemon.runtime_dir, name)).st_mode
            self.assertTrue(stat.S_ISSOCK(mode))
            self.assertEqual(stat.S_IMODE(mode), 0o660, name)
        daemon.stop()
        self.assertEqual(os.listdir(daemon.runtime_dir), [])

    def test_the_read_only_socket_takes_no_call_that_changes_something(self):
        host = self.host()
        daemon = self.started(host=host)
        command = [os.environ["VIRTKSM"], "--socket", daemon.runtime_dir + "/virtksmd-ro.sock"]
        for word in "status", "list", "report", "explain", "mode":
            with self.subTest(word=word):
                self.assert_done(run_program(command + [word]), 0)
        for words in ["kick"], ["mode", "off"]:
            with self.subTest(words=words):
                self.assert_done(run_program(command + words), 1, "not permitted")
        self.assertEqual(host.settings(), (0, 100, 20))

    @unittest.skipUnless(os.geteuid() == 0, "only root can call as somebody else")
    def test_others_may_not_call_even_if_the_file_lets_them_in(self):
        host = self.host()
        daemon = self.started(host=host)
        os.chmod(host.base, 0o755)
        os.chmod(daemon.socket, 0o666)
        done = subprocess.run(daemon.client_command("kick"),
                              user=NOBODY, group=NOBODY, extra_groups=[], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("not permitted", done.stderr)
        self.assertEqual(host.settings(), (0, 100, 20))

    @unittest.skipUnless(os.geteuid() == 0, "only root can call as somebody else")
    def test_members_of_the_configured_group_may_call(self):
        host = self.host()
        daemon = self.started(host=host, config="[rpc]\ngroup = nogroup\n")
        os.chmod(host.base, 0o755)
        done = subprocess.run(daemon.client_command("kick"),
                              user=NOBODY, group=NOBODY, extra_groups=[], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(host.ksm("run"), 1)

    def test_clients_that_talk_nonsense_or_nothing_do_no_harm(self):
        host = self.host()
        daemon = self.started(host=host)
        open_ones = []
        for text in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100000, os.urandom(10000),
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(1000)):
            client = socket.socket(socket.AF_UNIX)
            client.connect(daemon.socket)
            try:
                client.sendall(text)
            except OSError:
                pass  # it may hang up on such a client
            open_ones.append(client)
        daemon.ask("kick")
        self.assertEqual(host.ksm("run"), 1)
        for client in open_ones:
            client.close()
        daemon.ask("kick")


if __name__ == "__main__":
    main()
