#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_outage.py - what the agent stands on fails while it runs: KSM's files, ksmd, clock, libvirtd

After each: the daemon runs and answers, its figures are right or absent, KSM goes back as it was
found, and the log says what was wrong.
"""
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import PATIENCE, VALGRIND, FakeTestCase, main, wait_until  # noqa: E402
from fakehost import BURST, FIXED, KNOBS, KSM, KSMD_PID, stat_line  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_NAME, TEST_UUID  # noqa: E402
from seed import seed  # noqa: E402
from vktest.wait import wait_until as wait_with_pauses  # noqa: E402

NOBODY = 65534
FOUND = (0, 123, 45)
YEAR_SECONDS = 365 * 86400
SEED = seed()

# Whatever is read or written at the beginning of this file fails with EIO: nothing is mapped there.
BROKEN = "for file in %s; do mount --bind /proc/$$/mem \"$0/$file\" || exit 9; done && exec \"$@\""


# What may happen to a file of a process: nothing can be written to it; or as above.
READ_ONLY = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\""
FAILING = "mount --bind \"/proc/$1/mem\" \"$0\""


class OutageTestCase(FakeTestCase):

    def found_host(self, **options):
        return self.host(run=FOUND[0], pages=FOUND[1], sleep=FOUND[2], **options)

    def with_libvirtd(self, *arguments, **options):
        host = self.found_host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        daemon = self.started(*arguments, host=host, connect=libvirtd.uri, **options)
        libvirtd.wait_known(daemon)
        return host, libvirtd, daemon


class KsmFiles(OutageTestCase):

    def test_files_that_vanish_and_come_back_are_driven_again(self):
        host = self.found_host()
        daemon = self.started("--mode", "fixed", host=host)
        shutil.copytree(host.path(KSM), host.path("sys/kernel/mm/new"))
        shutil.rmtree(host.path(KSM))
        daemon.ask("kick")
        self.assertEqual(set(daemon.ask("status")["ksm"].values()), {None})
        self.assertIn("KSM: off: this kernel has no KSM", daemon.log())
        os.rename(host.path("sys/kernel/mm/new"), host.path(KSM))
        host.set_knobs(*FOUND)
        daemon.ask("mode", "auto")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a mount")
    def test_any_file_may_fail_with_an_input_output_error(self):
        counters = "pages_sharing full_scans general_profit ksm_zero_pages"
        for names, actuator in ((counters, "ready"), ("pages_to_scan", "not-permitted")):
            with self.subTest(names=names):
                host = self.found_host()
                daemon = self.daemon(host)
                daemon.wrapper = ["unshare", "-m", "sh", "-c", BROKEN % names, host.path(KSM)]
                daemon.start()
                daemon.ask("kick")
                status = daemon.ask("status")
                report = daemon.ask("report")["host"]
                self.assertEqual(status["actuator"], actuator, status)
                if actuator == "ready":
                    self.assertEqual(host.settings(), BURST)
                    self.assertIsNone(report["saved_pages"])
                    self.assertIsNone(report["ksm_zero_pages"])
                else:
                    self.assertIn("Input/output error", status["actuator_detail"])
                    self.assertIn("Input/output error", daemon.log())
                daemon.stop()
                self.assertEqual(host.settings(), FOUND)

    def failing(self, script):
        """A daemon that drove KSM until this happened to the files of it."""
        host = self.found_host()
        daemon = self.daemon(host, "--mode", "fixed")
        daemon.wrapper = ["unshare", "-m"]
        daemon.start()
        self.assertEqual(host.settings(), FIXED)
        for name in KNOBS[:3]:
            daemon.in_its_mounts("sh", "-c", script, host.path(KSM + name),
                                 str(daemon.process.pid))
        return host, daemon

    FAILURES = ((READ_ONLY, "Read-only file system"), (FAILING, "Input/output error"))

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a mount")
    def test_files_that_fail_while_it_runs_are_left_until_they_work(self):
        for script, text in self.FAILURES:
            with self.subTest(text):
                host, daemon = self.failing(script)
                daemon.ask("mode", "classic")
                self.assertEqual(daemon.ask("explain")["applied"], "refused")
                self.assertIn(text, daemon.log())
                self.assertEqual(host.settings(), FIXED)
                for name in KNOBS[:3]:
                    daemon.in_its_mounts("umount", host.path(KSM + name))
                daemon.ask("kick")
                self.assertNotEqual(host.settings(), FIXED)
                daemon.stop()
                self.assertEqual(host.settings(), FOUND)

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a mount")
    def test_files_that_fail_at_the_end_are_put_back_by_restore(self):
        for script, text in self.FAILURES:
            with self.subTest(text):
                host, daemon = self.failing(script)
                host.wants_found = False
                daemon.stop()
                self.assertEqual(host.settings(), FIXED)
                for said in "KSM is not as it was found; try virtksmd --restore", text:
                    self.assertIn(said, daemon.log())
                daemon.wrapper = []
                self.assert_done(daemon.run("--restore"), 0, "KSM is as it was found")
                self.assertEqual(host.settings(), FOUND)

    @unittest.skipUnless(os.geteuid() == 0, "only root can start a daemon that may not write")
    def test_files_that_become_read_only_are_left_until_they_are_writable(self):
        host = self.found_host()
        for name in KNOBS:
            os.chown(host.path(KSM + name), NOBODY, -1)
        daemon = self.started("--mode", "fixed", host=host, user=NOBODY)
        self.assertEqual(host.settings(), FIXED)
        for name in KNOBS:
            os.chmod(host.path(KSM + name), 0o444)
            os.chown(host.path(KSM + name), 0, 0)
        daemon.ask("mode", "classic")
        self.assertEqual(daemon.ask("explain")["applied"], "refused")
        self.assertIn("Permission denied", daemon.log())
        self.assertEqual(host.settings(), FIXED)
        for name in KNOBS:
            os.chmod(host.path(KSM + name), 0o644)
            os.chown(host.path(KSM + name), NOBODY, -1)
        daemon.ask("kick")
        self.assertNotEqual(host.settings(), FIXED)
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)


class Ksmd(OutageTestCase):

    def test_one_that_ends_and_comes_back_is_measured_again(self):
        host = self.found_host()
        host.start_ksmd()
        daemon = self.started(host=host)
        daemon.ask("kick")
        wait_until(lambda: daemon.ask("status")["ksmd_cpu_percent"] is not None, "it is measured")
        host.stop_ksmd()
        gone, new = "proc/%d" % KSMD_PID, "proc/%d" % (KSMD_PID + 1)
        shutil.rmtree(host.path(gone))
        daemon.ask("kick")
        wait_until(lambda: daemon.ask("status")["ksmd_cpu_percent"] is None, "it is missed")
        host.write(new + "/stat", stat_line(KSMD_PID + 1, "ksmd", 2))
        host.write(new + "/comm", "ksmd\n")

        def measured():
            host.add_ksmd_cpu(1000000)
            host.write(new + "/schedstat", "%d 0 1\n" % host.ksmd_cpu_ns)
            daemon.ask("kick")
            return daemon.ask("status")["ksmd_cpu_percent"] is not None

        wait_until(measured, "the new one is found")
        self.assertEqual(daemon.log().count("ksmd is not to be seen any more"), 1)
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)


class Clock(OutageTestCase):

    def jump(self, seconds):
        with open(self.clock + ".new", "w", encoding="utf-8") as file:
            file.write("%d\n" % seconds)
        os.rename(self.clock + ".new", self.clock)

    def rows(self, daemon):
        path = daemon.state_dir + "/history.db"
        with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as db:
            count, = db.execute("SELECT count(*) FROM minute").fetchone()
        db.close()
        return count

    def test_jumps_of_years_harm_neither_decisions_nor_figures_nor_the_history(self):
        host = self.found_host()
        qemu = host.add_qemu(TEST_NAME, TEST_UUID, resident_pages=5000, mergeable_pages=4000)
        host.start_ksmd()
        self.clock = host.base + "/clock"
        self.jump(0)
        daemon = self.daemon(host, connect="test:///default", program="VIRTKSM_CLOCKED")
        daemon.environment["VIRTKSM_CLOCK"] = self.clock
        daemon.start()
        wait_until(lambda: [d for d in daemon.ask("report")["domains"] if d["pid"] == qemu.pid],
                   "its process is found")
        for seconds in (10 * YEAR_SECONDS, -20 * YEAR_SECONDS, -60 * YEAR_SECONDS, 0, 3600, -3600,
                        500 * YEAR_SECONDS, 1):
            self.jump(seconds)
            daemon.ask("kick")
            self.assertEqual(host.ksm("run"), 1, "after %d s" % seconds)
            domain, = daemon.ask("report")["domains"]
            self.assertEqual(domain["resident_bytes"], 5000 * os.sysconf("SC_PAGESIZE"))
            age_ms = domain["stats_age_ms"]
            self.assertTrue(age_ms is None or age_ms < 600000, "%d s: age %s" % (seconds, age_ms))
            self.assertLess(daemon.ask("status")["uptime_ms"], 600000)
        time.sleep(3 * PATIENCE)  # a domain is sampled two seconds after its start
        self.jump(7200)  # another step than all before, whichever of them was sampled last
        daemon.stop()
        self.assertRegex(daemon.log(), r"the wall clock has jumped by [+-]\d+ s: ")
        self.assertEqual(host.settings(), FOUND)
        kept = self.rows(daemon)
        self.assertGreater(kept, 0)
        # A clock that has just been set does not make what is there too old.
        self.jump(30 * YEAR_SECONDS)
        daemon.start()
        time.sleep(1)
        daemon.stop()
        self.assertGreaterEqual(self.rows(daemon), kept)


class Agent(OutageTestCase):

    def test_stopped_for_a_while_it_makes_up_for_what_it_missed(self):
        host, libvirtd, daemon = self.with_libvirtd()
        host.start_ksmd()
        libvirtd.define("web", "db")
        daemon.ask("kick")
        daemon.send(signal.SIGSTOP)
        libvirtd.virsh("start web", "start db", "destroy db", "destroy test", "start test")
        host.set_counters(pages_scanned=10 ** 12, pages_shared=5, pages_sharing=10 ** 6)
        time.sleep(22)  # ticks are ten seconds apart at most, and ten late is told
        self.assertNotIn("stood still", daemon.log())
        daemon.send(signal.SIGCONT)
        libvirtd.wait_known(daemon)
        self.assertEqual(daemon.names(), [TEST_NAME, "web"])
        daemon.ask("kick")
        self.assertEqual(daemon.ask("status")["actuator"], "ready")
        self.assert_sums(daemon.ask("report"))
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)
        said = re.findall(r"virtksmd has stood still for (\d+) s; ", daemon.log())
        self.assertEqual(len(said), 1, said)
        self.assertGreaterEqual(int(said[0]), 10)

    def test_a_libvirtd_that_stands_still_for_a_minute_is_done_without(self):
        """With the keep-alive that is shipped. Nobody is busy meanwhile."""
        host, libvirtd, daemon = self.with_libvirtd()
        libvirtd.define("web")
        began_ms = daemon.ask("status")["uptime_ms"]
        libvirtd.send(signal.SIGSTOP)
        wait_with_pauses(lambda: daemon.ask("status")["uptime_ms"] - began_ms > 60000, "a minute",
                         90, pause=2)
        self.assertFalse(daemon.ask("status")["libvirt"]["connected"])
        self.assertEqual(daemon.names(), [TEST_NAME], "it goes on with what it knows")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertEqual(daemon.log().count("not connected, going on with what is known"), 1)
        libvirtd.send(signal.SIGCONT)
        libvirtd.virsh("destroy test", "start web")
        daemon.wait_connected()
        libvirtd.wait_known(daemon)
        self.assertEqual(daemon.names(), ["web"])
        self.assert_came_back(daemon)
        self.assert_sums(daemon.ask("report"))
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)

    @unittest.skipIf(os.environ.get("VIRTKSM_SANITIZE") or VALGRIND,
                     "what watches over memory needs much of its own")
    def test_out_of_memory_it_ends_and_what_it_changed_goes_back(self):
        host = self.found_host()
        daemon = self.started("--mode", "fixed", host=host)
        self.assertEqual(host.settings(), FIXED)
        pid = daemon.process.pid
        with open("/proc/%d/statm" % pid, encoding="ascii") as file:
            size = int(file.read().split()[0]) * os.sysconf("SC_PAGESIZE")
        daemon.killed = True
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(pid, resource.RLIMIT_AS, (size, size))
        definition = "<domain id='%d'><name>d%d</name><uuid>%08d-1111-4111-8111-111111111111</uuid>"
        padding = "<!--%s--></domain>" % ("x" * 120000)
        for number in range(1, 1000):
            text = definition % (number, number, number) + padding
            self.hook(daemon.hook_socket, "d%d" % number, "started", "begin", "-",
                      data=text.encode())
            if daemon.process.poll() is not None:
                break
        self.assertLess(daemon.wait_end(), 0, "it has not been ended by a signal")
        self.assertIn("failed to allocate", daemon.log())
        os.truncate(daemon.log_path, 0)  # that was GLib's complaint
        self.assert_done(daemon.run("--restore"), 0, "KSM is as it was found")
        self.assertEqual(host.settings(), FOUND)

    def test_a_foreign_writer_at_any_moment_has_the_last_word(self):
        for number in range(8):
            dice = random.Random(SEED + number)
            host = self.found_host()
            daemon = self.started(host=host)
            ending = threading.Event()
            self.addCleanup(ending.set)

            def keep_busy(target=daemon, end=ending):
                while not end.is_set():
                    target.client("kick")

            def has_yielded(target=daemon, on=host):
                """What is written between its look and its own write is lost, and written again."""
                if on.ksm("pages_to_scan") != 7777:
                    on.echo("pages_to_scan", 7777)
                return target.ask("status")["actuator"] == "yielded"

            client = threading.Thread(target=keep_busy, daemon=True)
            client.start()
            wait_until(lambda h=host: h.settings() != FOUND, "it drives KSM")
            time.sleep(dice.uniform(0, 0.3))
            wait_until(has_yielded, "number %d of seed %d: it yields" % (number, SEED))
            before = host.stamps()
            ending.set()
            client.join()
            daemon.ask("kick")
            self.assert_untouched(host, before)
            daemon.stop()
            self.assertEqual(host.ksm("pages_to_scan"), 7777, "number %d" % number)
            self.assertIn("another program drives KSM", daemon.log())


class Libvirt(OutageTestCase):

    IMPATIENT = "[libvirt]\nkeepalive_s = 1\nkeepalive_count = 1\n"

    def test_what_happened_while_libvirtd_stood_still_is_made_up_for(self):
        _, libvirtd, daemon = self.with_libvirtd(config=self.IMPATIENT)
        libvirtd.define("web")
        libvirtd.send(signal.SIGSTOP)
        daemon.wait_connected(False)
        self.assertEqual(daemon.names(), [TEST_NAME], "it goes on with what it knows")
        self.assertIn("not connected, going on with what is known", daemon.log())
        libvirtd.send(signal.SIGCONT)
        libvirtd.virsh("destroy test", "start web")
        daemon.wait_connected()
        libvirtd.wait_known(daemon)
        self.assertEqual(daemon.names(), ["web"])
        self.assert_came_back(daemon)

    def test_another_libvirtd_at_the_same_socket_is_the_one_after_the_first_has_ended(self):
        """As an upgrade does it: the new one listens before the old one has ended."""
        host, old, daemon = self.with_libvirtd()
        os.mkdir(host.base + "/upgrade")
        new = FakeLibvirtd.for_test(self, host.base + "/upgrade")
        new.define("web")
        new.virsh("start web", "destroy test")
        os.rename(new.socket, old.socket)
        daemon.ask("kick")
        self.assertEqual(daemon.names(), [TEST_NAME])
        old.kill()
        wait_until(lambda: daemon.names() == ["web"], lambda: "those of the new: %s"
                   % daemon.names())
        self.assertEqual(daemon.ask("status")["libvirt"]["reconnects"], 1)
        self.assertEqual(daemon.log().count("not connected"), 1)
        self.assert_came_back(daemon)
        self.assert_sums(daemon.ask("report"))


if __name__ == "__main__":
    main()
