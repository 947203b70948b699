#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_disk.py - the state directory is full, read-only, gone, or somebody else's trap

Nothing is written to the kernel without a way back on disk, and what has been written goes back
whatever has become of the disk since.
"""
import contextlib
import os
import shutil
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fake_reclaim import LONG_MS, ON, Reclaim  # noqa: E402
from fakecase import FakeTestCase, main, wait_until, with_sqlite  # noqa: E402
from fakehost import BURST, FIXED  # noqa: E402
from fakelibvirt import TEST_NAME  # noqa: E402

FOUND = (0, 123, 45)
SETTINGS = "[history]\nenable = false\n"
# Told of what was taken away from under the daemon.
GONE = " was removed or replaced while it was in use"

# Runs the daemon with a disk of its own in place of the state directory.
DISK = "mount -t tmpfs -o size=64k,mode=700 none \"$0\" && "
FILL = "(cat /dev/zero > \"$0/fill\" 2> /dev/null; true) && "
READ_ONLY = "mount -o remount,ro none \"$0\" && "
RUN = "exec \"$@\""


class DiskTestCase(FakeTestCase):

    def found_host(self):
        return self.host(run=FOUND[0], pages=FOUND[1], sleep=FOUND[2])

    def on_disk(self, script, *arguments):
        """A daemon, not running yet, with a disk that this script makes."""
        host = self.found_host()
        daemon = self.daemon(host, *arguments, config=SETTINGS)
        os.makedirs(daemon.state_dir)
        daemon.wrapper = ["unshare", "-m", "sh", "-c", DISK + script + RUN, daemon.state_dir]
        return host, daemon

    def assert_refused(self, host, daemon, text):
        """Nothing is written, and it is said why."""
        before = host.stamps()
        daemon.ask("kick")
        status = daemon.ask("status")
        self.assertEqual(status["actuator"], "state-unwritable", status)
        self.assertIn(text, status["actuator_detail"])
        self.assertIn(daemon.state_dir, status["actuator_detail"])
        self.assertIn(text, daemon.log())
        self.assert_untouched(host, before)


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a disk")
class Disk(DiskTestCase):

    def test_on_a_full_disk_nothing_is_written_until_there_is_room(self):
        host, daemon = self.on_disk(FILL)
        daemon.start()
        self.assert_refused(host, daemon, "No space left")
        daemon.in_its_mounts("rm", daemon.state_dir + "/fill")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)

    def test_a_disk_that_becomes_full_keeps_nothing_from_going_back(self):
        host, daemon = self.on_disk("", "--mode", "fixed")
        daemon.start()
        self.assertEqual(host.settings(), FIXED)
        daemon.in_its_mounts("sh", "-c", "cat /dev/zero > \"$0/fill\" 2> /dev/null; true",
                             daemon.state_dir)
        daemon.ask("mode", "classic")
        self.assertEqual(daemon.ask("status")["actuator"], "ready")
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)

    def test_on_a_read_only_disk_nothing_is_written_until_it_is_writable(self):
        host, daemon = self.on_disk(READ_ONLY)
        daemon.start()
        self.assert_refused(host, daemon, "Read-only")
        daemon.in_its_mounts("mount", "-o", "remount,rw", "none", daemon.state_dir)
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)

    def test_a_disk_that_becomes_read_only_keeps_nothing_from_going_back(self):
        host, daemon = self.on_disk("", "--mode", "fixed")
        daemon.start()
        daemon.in_its_mounts("mount", "-o", "remount,ro", "none", daemon.state_dir)
        daemon.ask("mode", "classic")
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)
        self.assertIn("KSM is as it was found, but its record stays: cannot remove", daemon.log())
        self.assertIn("Read-only", daemon.log())


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a disk")
class Domains(Reclaim):
    """Balloon, limit and the period of statistics; for merging real_tenancy has the domains."""

    def figures(self):
        return self.balloon_mib(), self.limit(), self.libvirtd.period_s(TEST_NAME)

    def test_on_a_full_disk_no_domain_is_changed_until_there_is_room(self):
        self.libvirtd.virsh("dommemstat %s --period 0 --live" % TEST_NAME)
        found = self.figures()
        daemon = self.scripted(config=ON + SETTINGS)
        os.makedirs(daemon.state_dir)
        daemon.wrapper = ["unshare", "-m", "sh", "-c", DISK + FILL + RUN, daemon.state_dir]
        daemon.start()
        wait_until(lambda: daemon.names() == [TEST_NAME], "the domain is known")
        self.script(balloon=1024, limit=700, lease=LONG_MS)
        wait_until(lambda: "No space left" in daemon.log(), "it is said")
        for _ in range(5):
            self.decide(daemon)
            self.assertEqual(self.figures(), found)
        daemon.in_its_mounts("rm", daemon.state_dir + "/fill")
        self.await_balloon(1024, "there is room")
        self.await_limit(700, "there is room")
        wait_until(lambda: self.libvirtd.period_s(TEST_NAME) > 0, "guests are asked")
        self.script()
        daemon.stop()
        self.assertEqual(self.figures(), found)


class Vanished(DiskTestCase):

    def driven(self, config=SETTINGS):
        host = self.found_host()
        daemon = self.started("--mode", "fixed", host=host, config=config)
        self.assertEqual(host.settings(), FIXED)
        return host, daemon

    def test_the_record_is_written_anew_before_the_next_write(self):
        host, daemon = self.driven()
        shutil.rmtree(daemon.state_dir)
        daemon.ask("mode", "auto")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertTrue(os.path.exists(daemon.record), "no way back")
        daemon.ask("mode", "classic")
        self.assertEqual(daemon.log().count(daemon.state_dir + GONE), 1, daemon.log())
        daemon.kill()
        self.assert_done(daemon.run("--restore"), 0, "KSM is as it was found")
        self.assertEqual(host.settings(), FOUND)

    def test_a_record_that_was_removed_alone_is_written_anew_too(self):
        host, daemon = self.driven()
        os.unlink(daemon.record)
        daemon.ask("mode", "auto")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertTrue(os.path.exists(daemon.record), "no way back")
        told = daemon.record + " was removed while it was in use"
        self.assertEqual(daemon.log().count(told), 1, daemon.log())
        daemon.kill()
        self.assert_done(daemon.run("--restore"), 0, "KSM is as it was found")
        self.assertEqual(host.settings(), FOUND)

    @with_sqlite
    def test_the_history_begins_anew_where_the_next_run_finds_it(self):
        _, daemon = self.driven(config="")
        wait_until(lambda: daemon.ask("status")["history"]["recording"], "the history is open")
        shutil.rmtree(daemon.state_dir)
        daemon.stop()
        path = daemon.state_dir + "/history.db"
        self.assertEqual(daemon.log().count(path + GONE), 1, daemon.log())
        self.assertTrue(os.path.exists(path), "no history")
        daemon.start()
        self.assertGreater(daemon.ask("history")["host"]["running_s"], 0)
        self.assertEqual(daemon.log().count(path + GONE), 1, daemon.log())

    def test_a_stop_puts_ksm_back_without_it(self):
        host, daemon = self.driven()
        shutil.rmtree(daemon.state_dir)
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)

    def test_a_stop_puts_ksm_back_also_where_there_is_no_place_for_it(self):
        host, daemon = self.driven()
        shutil.rmtree(daemon.state_dir)
        with open(daemon.state_dir, "w", encoding="utf-8"):
            pass
        daemon.ask("mode", "auto")
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)
        self.assertIn("KSM is as it was found, but its record stays", daemon.log())

    def test_one_that_was_moved_away_does_not_let_a_second_agent_in_for_long(self):
        host, daemon = self.driven()
        os.rename(daemon.state_dir, daemon.state_dir + ".old")
        daemon.ask("mode", "classic")
        self.assert_done(daemon.run("--restore"), 1, "another virtksmd", "is using")
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)

    def test_without_a_place_for_the_record_nothing_more_is_written(self):
        host, daemon = self.driven()
        shutil.rmtree(daemon.state_dir)
        with open(daemon.state_dir, "w", encoding="utf-8"):
            pass
        daemon.ask("mode", "auto")
        self.assert_refused(host, daemon, "cannot")
        os.unlink(daemon.state_dir)
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)


class Traps(DiskTestCase):
    """What somebody who may write there could put in our way: no other file comes to harm."""

    def test_links_in_place_of_our_files_are_not_written_through(self):
        for name in "originals", "history.db", "history.db-wal":
            with self.subTest(name=name):
                host = self.found_host()
                precious = host.base + "/precious"
                with open(precious, "w", encoding="utf-8") as file:
                    file.write("precious")
                daemon = self.daemon(host, "--mode", "fixed")
                os.makedirs(daemon.state_dir)
                os.symlink(precious, os.path.join(daemon.state_dir, name))
                daemon.start()
                daemon.ask("kick")
                daemon.stop()
                with open(precious, encoding="utf-8") as file:
                    self.assertEqual(file.read(), "precious")
                self.assertEqual(host.settings(), FOUND)

    def test_a_link_in_place_of_the_history_leads_to_no_new_or_empty_file(self):
        for exists in False, True:
            with self.subTest(exists=exists):
                host = self.found_host()
                target = host.base + "/target"
                if exists:
                    with open(target, "w", encoding="utf-8"):
                        pass
                daemon = self.daemon(host)
                os.makedirs(daemon.state_dir)
                path = os.path.join(daemon.state_dir, "history.db")
                os.symlink(target, path)
                daemon.start()
                wait_until(lambda d=daemon, p=path: "cannot open %s: it is a symbolic link" % p
                           in d.log(), "it is told")
                daemon.ask("kick")
                daemon.stop()
                self.assertEqual(os.path.exists(target), exists)
                self.assertEqual(exists and os.stat(target).st_size, 0)

    def test_a_pipe_in_place_of_the_record_holds_nobody_up(self):
        for name in "originals", "history.db":
            with self.subTest(name=name):
                host = self.found_host()
                daemon = self.daemon(host)
                os.makedirs(daemon.state_dir)
                os.mkfifo(os.path.join(daemon.state_dir, name))
                daemon.start()
                daemon.ask("kick")
                self.assertIn(os.path.join(daemon.state_dir, name), daemon.log())
                daemon.stop()
                self.assertEqual(host.settings(), FOUND)

    def test_a_link_in_place_of_a_socket_is_not_followed(self):
        for name in "virtksmd.sock", "virtksmd-ro.sock", "hook.sock":
            with self.subTest(name=name):
                host = self.found_host()
                daemon = self.daemon(host)
                os.makedirs(daemon.runtime_dir)
                target = host.base + "/target"
                os.symlink(target, os.path.join(daemon.runtime_dir, name))
                if name == "hook.sock":
                    daemon.start()
                    wait_until(lambda d=daemon: "hook" in d.log(), "it is told")
                    daemon.stop()
                else:
                    self.assert_done(daemon.run(), 1, "not a socket")
                self.assertFalse(os.path.lexists(target), "the link was followed")

    def test_links_that_come_and_go_while_it_works_lead_nowhere(self):
        """Somebody who is as quick as we are: between any look and any write of ours."""
        host = self.found_host()
        precious = host.base + "/precious"
        with open(precious, "w", encoding="utf-8") as file:
            file.write("precious")
        os.chmod(precious, 0o640)
        before = host.stamps(precious), os.stat(precious).st_mode
        daemon = self.started("--mode", "fixed", host=host)
        ending = threading.Event()
        self.addCleanup(ending.set)

        def swap(name):
            """A link under our name, and none, again and again."""
            path = os.path.join(daemon.state_dir, name)
            while not ending.is_set():
                os.symlink(precious, path + "-link")
                os.rename(path + "-link", path)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

        rivals = [threading.Thread(target=swap, args=(name,), daemon=True)
                  for name in ("originals", "history.db-journal", "history.db-wal")]
        for rival in rivals:
            rival.start()
        for number in range(40):
            daemon.client("mode", ("classic", "fixed", "auto", "off")[number % 4])
        ending.set()
        for rival in rivals:
            rival.join()
        daemon.client("mode", "fixed")
        daemon.stop()
        self.assertEqual((host.stamps(precious), os.stat(precious).st_mode), before)
        self.assertEqual(host.settings(), FOUND)


if __name__ == "__main__":
    main()
