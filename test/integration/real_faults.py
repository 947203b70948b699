#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_faults.py - what goes wrong around real domains: libvirtd is killed or stands still, virtlogd
is gone, a QEMU crashes over and over, one is saved to a file that takes its time

What goes wrong with the connection to libvirtd: real_libvirtd.py, with a QEMU that hangs:
real_main_job.py, with the agent itself: real_crash.py.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import PATIENCE, RealTestCase, ksm, main, virsh, wait_until  # noqa: E402
from vktest.host import RUN_DIR, URI, domain_names, program_of  # noqa: E402

QUICK = "[ksm]\nsettle_ms = 500\n"
CRASHES = 10
# Where libvirtd of the system keeps what managedsave has saved.
SAVE_DIR = "/var/lib/libvirt/qemu/save/"
HEADER_BYTES = 4096
SLOW_SECONDS = 8


def pid_of(name):
    """Of the daemon of libvirt that the tests have started; None where it is the operator's."""
    try:
        with open("%s/libvirtd/%s.pid" % (RUN_DIR, name), encoding="ascii") as file:
            pid = int(file.read())
    except FileNotFoundError:
        return None
    return pid if program_of(pid) == name else None


class Faults(RealTestCase):

    def quick(self):
        return self.daemon(config=QUICK).start()

    def assert_same(self, daemon):
        """It knows the domains that run, and no others."""
        def known():
            return sorted(row["name"] for row in daemon.ask("list")["domains"])

        wait_until(lambda: known() == sorted(domain_names(running_only=True)),
                   lambda: "knows %s, want %s" % (known(), domain_names(running_only=True)))

    def assert_saved_adds_up(self, daemon):
        report = daemon.ask("report")
        saved = sum(row["saved_pages"] or 0 for row in report["domains"])
        self.assertEqual(saved + report["others"]["saved_pages"], report["host"]["saved_pages"])

    def test_without_virtlogd_domains_run_on_and_no_start_is_made_up(self):
        pid = pid_of("virtlogd")
        if not pid:
            self.skipTest("virtlogd is not the tests' own")
        daemon = self.quick()
        one = self.domain("logged", content={"common": 8}).start()
        two = self.domain("unlogged", content={"common": 8}).define()
        wait_until(lambda: self.row(daemon, one), "it is known")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: program_of(pid) != "virtlogd", "virtlogd is gone")
        daemon.ask("kick")
        # libvirt may refuse it, or find a way.
        has_started = virsh("start", two.name, check=False) is not None
        self.assertEqual(two.name in domain_names(running_only=True), has_started)
        self.assert_same(daemon)
        self.assert_saved_adds_up(daemon)
        self.assertIsNotNone(self.row(daemon, one))
        one.destroy()
        self.assert_same(daemon)
        self.host.remove_domains()
        self.host.restart_libvirtd()
        wait_until(lambda: daemon.ask("status")["libvirt"]["connected"], "connected again", 60)
        self.domain("again", content={"common": 8}).start()
        self.assert_same(daemon)
        self.assertEqual(daemon.stop(), 0)

    def pair_beside_libvirtd(self):
        """Two domains, a daemon that knows them, and the process of libvirtd."""
        pid = pid_of("libvirtd")
        if not pid:
            self.skipTest("libvirtd is not the tests' own")
        daemon = self.daemon(config=QUICK + "[libvirt]\nkeepalive_s = 2\n").start()
        stays = self.domain("stays", content={"common": 8}).start()
        ends = self.domain("ends", content={"common": 8}).start()
        wait_until(lambda: self.row(daemon, stays) and self.row(daemon, ends), "both are known")
        return pid, daemon, stays, ends

    def assert_done_without(self, daemon, stays, number):
        wait_until(lambda: not daemon.ask("status")["libvirt"]["connected"], "it has noticed", 60)
        began = time.monotonic()
        daemon.ask("kick")
        self.assertEqual(ksm.read("run"), 1)
        self.assertEqual(self.row(daemon, stays)["id"], number)
        self.assert_saved_adds_up(daemon)
        self.assertLess(time.monotonic() - began, 5 * PATIENCE)

    def assert_back(self, daemon, stays, number):
        wait_until(lambda: daemon.ask("status")["libvirt"]["connected"], "connected again", 60)
        self.assert_same(daemon)
        self.assertEqual(self.row(daemon, stays)["id"], number)
        self.assert_saved_adds_up(daemon)
        self.assertEqual(daemon.ask("status")["libvirt"]["reconnects"], 1)
        self.assertIn("not connected, going on with what is known", daemon.log())
        self.assertEqual(daemon.log().count("libvirt: connected to"), 2)

    def test_libvirtd_itself_is_killed_and_started_again(self):
        pid, daemon, stays, ends = self.pair_beside_libvirtd()
        number = self.row(daemon, stays)["id"]
        self.addCleanup(lambda: pid_of("libvirtd") or self.host.restart_libvirtd())
        os.kill(pid, signal.SIGKILL)
        self.assert_done_without(daemon, stays, number)
        os.kill(ends.pid, signal.SIGKILL)
        self.host.restart_libvirtd()
        self.assert_back(daemon, stays, number)
        self.assertIsNone(self.row(daemon, ends))
        self.assertIn("%s: has ended (libvirt: ended while libvirt was away)" % ends.name,
                      daemon.log())
        self.assertEqual(daemon.stop(), 0)

    def test_libvirtd_itself_stands_still_for_a_while(self):
        pid, daemon, stays, _ = self.pair_beside_libvirtd()
        number = self.row(daemon, stays)["id"]
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: pid_of("libvirtd") and os.kill(pid, signal.SIGCONT))
        self.assert_done_without(daemon, stays, number)
        os.kill(pid, signal.SIGCONT)
        self.assert_back(daemon, stays, number)
        self.assertEqual(daemon.stop(), 0)

    def test_a_qemu_that_crashes_over_and_over_leaves_nothing(self):
        found = ksm.knobs()
        daemon = self.quick()
        steady = self.domain("steady", content={"common": 8}).start()
        crashing = self.domain("crashing", content={"common": 8}).define()
        number = wait_until(lambda: self.row(daemon, steady), "it is known")["id"]
        seen = set()
        descriptors = []
        for _ in range(CRASHES):
            crashing.start(wait=False)
            seen.add(wait_until(lambda: self.row(daemon, crashing), "it is known")["id"])
            self.assertEqual(ksm.read("run"), 1)
            os.kill(crashing.pid, signal.SIGSEGV)
            wait_until(lambda: not self.row(daemon, crashing), "it is gone")
            self.assert_saved_adds_up(daemon)
            descriptors.append(len(os.listdir("/proc/%d/fd" % daemon.pid)))
        self.assertEqual(len(seen), CRASHES, "each start is one of its own")
        self.assertEqual(self.row(daemon, steady)["id"], number)
        self.assert_same(daemon)
        wait_until(lambda: len(os.listdir("/proc/%d/fd" % daemon.pid)) <= descriptors[0],
                   lambda: "descriptors: %s" % descriptors)
        steady.destroy()
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(ksm.knobs(), found)
        named = re.findall("domain (.*) has (?:crashed|failed)", daemon.log())
        self.assertEqual(named, [crashing.name] * CRASHES)

    def save_slowly(self, name, path, *command):
        """What holds while virsh saves a domain to a file that takes its time."""
        daemon = self.quick()
        live = self.domain("live", content={"common": 8}).start()
        saved = self.domain(name, content={"common": 32}).define().start()
        wait_until(lambda: all(row["stats_age_ms"] is not None
                               for row in daemon.ask("report")["domains"]), "figures")
        os.mkfifo(path)
        self.addCleanup(os.unlink, path)
        with subprocess.Popen(["virsh", "-q", "-c", URI, *command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as saving, open(path, "rb") as file:
            file.read(HEADER_BYTES)
            end = time.monotonic() + SLOW_SECONDS
            while time.monotonic() < end:
                begin = time.monotonic()
                daemon.ask("kick")
                self.assert_saved_adds_up(daemon)
                self.assertLess(time.monotonic() - begin, 5)
                time.sleep(0.2)
            self.assertIsNone(saving.poll(), "the file was not slow")
            rows = {row["name"]: row for row in daemon.ask("report")["domains"]}
            self.assertIsNotNone(rows[saved.name]["merging_pages"])
            self.assertLess(rows[live.name]["stats_age_ms"], SLOW_SECONDS * 1000)
            with open(os.devnull, "wb") as nowhere:
                shutil.copyfileobj(file, nowhere)
            saving.wait(60)
        self.assert_same(daemon)  # a pipe is no good place: libvirt may have gone back to running
        self.assertEqual(daemon.stop(), 0)

    def test_a_domain_that_is_saved_to_a_slow_file_holds_up_neither_agent_nor_others(self):
        path = RUN_DIR + "/slow"
        self.save_slowly("saved", path, "save", "vktest-saved", path)

    def test_nor_does_one_that_libvirt_keeps_the_file_of(self):
        self.save_slowly("kept", SAVE_DIR + "vktest-kept.save", "managedsave", "vktest-kept")


if __name__ == "__main__":
    main()
