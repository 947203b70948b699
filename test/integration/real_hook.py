#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_hook.py - virtksm-hook in a real libvirtd: every way of life, with and without a connection

What the hook costs is measured by test/bench/hook_delay.py.
"""
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import RealTestCase, ksm, main, virsh, wait_until  # noqa: E402
from vktest.hook import ONLY_HOOK  # noqa: E402
from vktest.host import RUN_DIR, build_path  # noqa: E402

PAGES_PER_MIB = 256
CALM = ("maintain", "rest")
QUICK = "[ksm]\nsettle_ms = 500\n"

# Firmware, loader and the guest itself merge as well; see support_selftest.py.
SLACK_PAGES = 600


class HookTestCase(RealTestCase):

    with_hook = True

    def hooked(self, *arguments):
        """A daemon that runs and that the hook tells."""
        daemon = self.daemon(*arguments, config=QUICK)
        self.host.hook.point_to(daemon.runtime_dir + "/hook.sock")
        return daemon.start()

    def watch(self, daemon):
        """Calls of the hook as the daemon tells them; see told()."""
        command = [build_path("agent/cli/virtksm"), "--socket", daemon.socket, "--format", "json",
                   "events"]
        watcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(watcher.stdout.close)
        self.addCleanup(watcher.wait, 20)
        self.addCleanup(watcher.terminate)
        time.sleep(0.3)  # until it watches
        return watcher

    @staticmethod
    def told(watcher):
        """What a watcher was told until now, as (source, "event detail")."""
        watcher.send_signal(signal.SIGINT)
        lines = watcher.stdout.read().splitlines()
        events = [json.loads(line) for line in lines if line.strip()]
        return [(e["source"], "%s %s" % (e["event"], e["detail"])) for e in events]

    def told_by_hook(self, watcher):
        return [text for source, text in self.told(watcher) if source == "hook"]

    def wait_for(self, daemon, domain):
        return wait_until(lambda: self.row(daemon, domain), domain.name + " is known", 10)

    def wait_without(self, daemon, domain):
        wait_until(lambda: not self.row(daemon, domain), domain.name + " is gone", 10)


class HooksAlone(HookTestCase):
    """--connect none"""

    def test_start_and_destroy(self):
        daemon = self.hooked("--connect", "none")
        watcher = self.watch(daemon)
        one = self.domain("one", content={"common": 8}).start()
        row = self.wait_for(daemon, one)
        self.assertEqual(row["uuid"], one.uuid)
        self.assertEqual(row["id"], int(virsh("domid", one.name)))
        self.assertEqual(row["merge"], "can merge")
        wait_until(lambda: self.row(daemon, one)["pid"] == one.pid, "its process", 10)
        one.destroy()
        self.wait_without(daemon, one)
        self.assertEqual(self.told_by_hook(watcher),
                         ["creating prepare", "created started", "destroying stopped",
                          "destroyed release"])

    def test_managedsave_and_restore(self):
        daemon = self.hooked("--connect", "none")
        one = self.domain("saved", content={"common": 8}).define().start()
        self.wait_for(daemon, one)
        virsh("managedsave", one.name)
        self.wait_without(daemon, one)
        watcher = self.watch(daemon)
        virsh("start", one.name)
        self.wait_for(daemon, one)
        # A daemon that is quick finds the process before libvirtd says that it has started.
        self.assertEqual([told for told in self.told_by_hook(watcher)
                          if told != "created process found"],
                         ["creating restore", "creating prepare after restore",
                          "created started after restore"])
        self.assertEqual(virsh("domstate", one.name).strip(), "running")

    def test_a_crash(self):
        daemon = self.hooked("--connect", "none")
        one = self.domain("crash", content={"common": 8}).define().start()
        key = self.wait_for(daemon, one)["id"]
        os.kill(one.pid, signal.SIGKILL)
        self.wait_without(daemon, one)
        one.start()
        self.assertNotEqual(self.wait_for(daemon, one)["id"], key)

    def test_a_domain_that_starts_again_at_once_is_there(self):
        daemon = self.hooked("--connect", "none")
        one = self.domain("again", content={"common": 8}).define()
        for _ in range(3):
            one.start(wait=False)
            self.wait_for(daemon, one)
            one.destroy()
        one.start(wait=False)
        number = int(virsh("domid", one.name))
        wait_until(lambda: (self.row(daemon, one) or {}).get("id") == number, "the last start", 10)

    def test_a_daemon_that_comes_later_finds_what_runs(self):
        one = self.domain("early", content={"common": 8}).start()
        daemon = self.hooked("--connect", "none")
        row = self.wait_for(daemon, one)
        self.assertEqual(row["id"], int(virsh("domid", one.name)))
        self.assertEqual(row["merge"], "can merge")
        wait_until(lambda: self.row(daemon, one)["pid"] == one.pid, "its process", 10)
        one.destroy()
        self.wait_without(daemon, one)

    def test_a_libvirtd_that_is_restarted_tells_of_what_runs(self):
        daemon = self.hooked("--connect", "none")
        one = self.domain("stays", content={"common": 8}).start()
        number = self.wait_for(daemon, one)["id"]
        watcher = self.watch(daemon)
        before = self.events(daemon)
        self.host.restart_libvirtd()
        wait_until(lambda: self.events(daemon) > before, "told again", 10)
        self.assertEqual(self.row(daemon, one)["id"], number)
        self.assertEqual(self.told_by_hook(watcher), ["changed reconnect"])

    @staticmethod
    def events(daemon):
        source, = [s for s in daemon.ask("status")["sources"] if s["name"] == "hook"]
        return source["events"]


class BeforeLibvirt65(HookTestCase):
    """There is no qemu.d then, only one hook. Later libvirts have both."""

    def test_it_can_be_the_only_hook(self):
        self.host.hook.put(ONLY_HOOK)
        self.addCleanup(self.host.hook.take_away, ONLY_HOOK)
        self.host.hook.take_away()
        self.addCleanup(self.host.hook.put)
        self.assert_told()

    def test_a_script_can_call_it(self):
        elsewhere = RUN_DIR + "/50-virtksm"
        self.host.hook.put(elsewhere)
        self.addCleanup(self.host.hook.take_away, elsewhere)
        self.host.hook.put_script("definition=$(cat)\n"  # as packaging/guide/using.md has it
                                  "printf '%s' \"$definition\" | " + elsewhere +
                                  " \"$@\" || :\n")
        self.addCleanup(self.host.hook.take_away, ONLY_HOOK)
        self.host.hook.take_away()
        self.addCleanup(self.host.hook.put)
        self.assert_told()

    def assert_told(self):
        daemon = self.hooked("--connect", "none")
        watcher = self.watch(daemon)
        one = self.domain("old", content={"common": 8}).start()
        self.assertEqual(self.wait_for(daemon, one)["merge"], "can merge")
        one.destroy()
        self.wait_without(daemon, one)
        self.assertEqual(self.told_by_hook(watcher),
                         ["creating prepare", "created started", "destroying stopped",
                          "destroyed release"])


class MainJob(HookTestCase):
    """As in real_main_job.py, but for what libvirt alone knows."""

    def test_with_no_connection_wanted(self):
        self.main_job("--connect", "none")

    def test_with_a_connection_that_is_never_answered(self):
        path = RUN_DIR + "/deaf.sock"
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(path)
            self.addCleanup(os.unlink, path)
            deaf.listen()
            self.main_job("--connect", "qemu+unix:///system?socket=" + path)

    def main_job(self, *arguments):
        found = ksm.knobs()
        daemon = self.hooked(*arguments)
        self.assertEqual(daemon.ask("status")["phase"], "rest")
        domains = [self.domain("job%d" % seed, content={"common": 32, "unique": 8, "seed": seed})
                   .start() for seed in (1, 2)]
        self.assertEqual(ksm.read("run"), 1)
        self.assertFalse(daemon.ask("status")["libvirt"]["connected"])
        wait_until(lambda: daemon.ask("status")["phase"] in CALM,
                   lambda: "calm; now %s" % daemon.ask("explain"), 60)
        report = daemon.ask("report")
        self.assert_adds_up(report)
        self.assertEqual(len(report["domains"]), 2)
        for domain in domains:
            row, = [row for row in report["domains"] if row["name"] == domain.name]
            self.assertGreaterEqual(row["merging_pages"], 32 * PAGES_PER_MIB)
            self.assertLessEqual(row["merging_pages"], 32 * PAGES_PER_MIB + SLACK_PAGES)
            self.assertGreaterEqual(row["saved_pages"], 16 * PAGES_PER_MIB - SLACK_PAGES)
            self.assertEqual(row["maximum_bytes"], 96 << 20)
            self.assertGreater(row["resident_bytes"], 40 << 20)
            self.assertEqual(row["pid"], domain.pid)
            self.assertEqual(row["net_saved_bytes"],
                             row["saved_pages"] * 4096 - row["metadata_bytes"])
            # The guest's own word, which comes by way of libvirt
            self.assertIsNone(row["balloon_bytes"])
            self.assertIsNone(row["stats_age_ms"])
        for domain in domains:
            domain.destroy()
        wait_until(lambda: daemon.ask("status")["phase"] == "rest", "rest", 60)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(ksm.knobs(), found)
        self.assertNotIn("originals", os.listdir(daemon.state_dir))


class BesideLibvirt(HookTestCase):

    def test_a_domain_is_one_whoever_tells(self):
        daemon = self.hooked()
        watcher = self.watch(daemon)
        one = self.domain("both", content={"common": 8}).define()
        for _ in range(3):
            one.start(wait=False)
            number = int(virsh("domid", one.name))
            wait_until(lambda: (self.row(daemon, one) or {}).get("id") == number, "known", 10)
            one.destroy()
        self.wait_without(daemon, one)
        told = self.told(watcher)
        created = [source for source, text in told if text.startswith("created")]
        self.assertEqual(len(created), 3, told)
        self.assertEqual({source for source, _ in told}, {"hook", "libvirt"})

    def test_restarts_in_haste_leave_the_last_start(self):
        daemon = self.hooked()
        one = self.domain("haste", content={"common": 8}).define()
        for _ in range(4):
            one.start(wait=False)
            one.destroy()
        one.start(wait=False)
        number = int(virsh("domid", one.name))
        wait_until(lambda: (self.row(daemon, one) or {}).get("id") == number, "known", 10)
        time.sleep(1)  # late news, if there is any
        self.assertEqual(self.row(daemon, one)["id"], number)

    def test_a_restart_of_libvirtd_neither_loses_nor_doubles_a_domain(self):
        daemon = self.hooked()
        one = self.domain("stays", content={"common": 8}).start()
        number = self.wait_for(daemon, one)["id"]
        self.host.restart_libvirtd()
        wait_until(lambda: daemon.ask("status")["libvirt"]["reconnects"] >= 1, "connected", 60)
        self.assertEqual(self.row(daemon, one)["id"], number)
        self.assertIn("libvirt: not connected, going on with what is known", daemon.log())
        self.assertEqual(daemon.log().count("libvirt: connected to"),
                         daemon.ask("status")["libvirt"]["reconnects"] + 1)


class Nobody(HookTestCase):
    """Nobody listens, or not well."""

    def test_domains_start_stop_and_are_restored_without_a_daemon(self):
        one = self.domain("quiet", content={"common": 8}).define().start()
        virsh("managedsave", one.name)
        virsh("start", one.name)
        self.assertEqual(virsh("domstate", one.name).strip(), "running")

    def test_domains_start_beside_a_daemon_that_hangs(self):
        daemon = self.hooked("--connect", "none")
        daemon.send(signal.SIGSTOP)
        try:
            one = self.domain("hung", content={"common": 8}).define()
            for _ in range(5):  # more calls than the queue holds
                one.start(wait=False)
                one.destroy()
        finally:
            daemon.send(signal.SIGCONT)
        one.start(wait=False)
        number = int(virsh("domid", one.name))
        wait_until(lambda: (self.row(daemon, one) or {}).get("id") == number,
                   lambda: "the last start; now %s" % daemon.ask("list"), 20)


if __name__ == "__main__":
    main()
