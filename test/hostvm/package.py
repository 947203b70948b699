#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""package.py - the Debian package in a host of its own: installed, used, killed, upgraded, removed

Runs in the virtual machine of test/hostvm, as root; it installs and removes packages, so nowhere
else. VIRTKSM_PACKAGES is a folder with two packages, the older one first by name. Cases run in the
order of their numbers; each begins where the one before has ended.
"""
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import wait_until  # noqa: E402
from vktest.domain import Domain  # noqa: E402
from vktest.host import RUN_DIR, build_path  # noqa: E402

KSM = "/sys/kernel/mm/ksm/"
KNOBS = ("run", "pages_to_scan", "sleep_millisecs")
PACKAGES = os.environ.get("VIRTKSM_PACKAGES", "")
# Findings of doctor, if the unit took away what the daemon needs.
TAKEN_AWAY = {"ksm-read-only", "ksm-not-permitted", "state-unwritable", "pressure-unknown",
              "libvirt-away", "hook-deaf", "hook-missing", "hook-stale", "hook-unseen",
              "process-unknown", "process-refused", "process-uncounted", "overhead-unknown"}
HOOK = "/etc/libvirt/hooks/qemu.d/50-virtksm"
CONF = "/etc/virtksm/virtksmd.conf"


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def knobs():
    return {name: read(KSM + name) for name in KNOBS}


def ask(*words, codes=(0,)):
    done = run("virtksm", "--format", "json", *words)
    if done.returncode not in codes:
        raise AssertionError("%s: %s" % (" ".join(words), done.stdout))
    return json.loads(done.stdout)


def saved(name):
    """Pages that merging saves of a domain; what cannot be had is none."""
    rows = [d for d in ask("report")["domains"] if d["name"] == name]
    return rows and int(rows[0]["merging_pages"] or 0) > 0


def main_pid():
    return int(run("systemctl", "show", "-P", "MainPID", "virtksmd").stdout)


class Package(unittest.TestCase):
    found = {}

    def must(self, *command):
        done = run(*command)
        self.assertEqual(done.returncode, 0, " ".join(command) + "\n" + done.stdout)
        return done.stdout

    def packages(self):
        names = sorted(n for n in os.listdir(PACKAGES) if n.endswith(".deb"))
        self.assertEqual(len(names), 2, names)
        return [PACKAGES + "/" + name for name in names]

    def test_1_it_is_installed_and_the_service_comes_up(self):
        Package.found.update(knobs())
        print(self.must("dpkg", "-i", self.packages()[0]))
        self.assertEqual(self.must("systemctl", "is-active", "virtksmd").strip(), "active")
        self.assertEqual(self.must("systemctl", "is-enabled", "virtksmd").strip(), "enabled")
        status = self.must("virtksm", "status")
        print(status, self.must("systemd-analyze", "security", "--no-pager", "virtksmd")
              .splitlines()[-1])
        self.assertRegex(status, r"connected")
        self.assertNotIn("failed", run("systemctl", "--failed", "--no-legend").stdout)

    def test_2_a_domain_starts_and_is_seen_by_hook_and_libvirt(self):
        os.makedirs(RUN_DIR, exist_ok=True)
        shutil.copy(build_path("test/support/guest/guest.elf"), RUN_DIR + "/guest.elf")
        domain = Domain("package", memory_mib=96, content={"common": 48, "unique": 8, "seed": 1})
        domain.start()
        self.addCleanup(domain.destroy)
        wait_until(lambda: domain.name in run("virtksm", "list").stdout, "it is listed")
        wait_until(lambda: knobs()["run"] == "1", "KSM runs")
        wait_until(lambda: saved(domain.name), "something is saved of it", 120)
        sources = {s["name"]: s for s in ask("status")["sources"]}
        self.assertGreater(int(sources["hook"]["events"]), 0, sources)
        self.assertGreater(int(sources["libvirt"]["events"]), 0, sources)
        self.assertEqual(sources["psi"]["state"], "open", sources)
        print(self.must("virtksm", "report"), run("virtksm", "doctor").stdout)
        found = {f["id"] for f in ask("doctor", codes=(0, 1))["findings"]}
        # What the unit could have taken away too much of.
        self.assertEqual(found & TAKEN_AWAY, set())

    def test_3_it_survives_libvirtd_and_its_own_death(self):
        self.must("systemctl", "restart", "libvirtd")
        wait_until(lambda: "connected" in run("virtksm", "status").stdout, "libvirt is back")
        before = main_pid()
        os.kill(before, 9)
        wait_until(lambda: main_pid() not in (0, before), "systemd has started it again")
        wait_until(lambda: run("virtksm", "status").returncode == 0, "it answers")

    def test_4_an_upgrade_goes_on_and_keeps_what_was_configured(self):
        with open(CONF, "a", encoding="utf-8") as file:
            file.write("\n[agent]\nlog_level = debug\n")
        self.must("dpkg", "--force-confold", "-i", self.packages()[1])
        self.assertIn("log_level = debug", read(CONF))
        self.assertEqual(self.must("systemctl", "is-active", "virtksmd").strip(), "active")
        wait_until(lambda: run("virtksm", "status").returncode == 0, "it answers")

    def test_5_a_wrong_configuration_is_named_and_the_old_one_kept(self):
        folder = "/etc/virtksm/virtksmd.conf.d/"
        with open(folder + "wrong.conf", "w", encoding="utf-8") as file:
            file.write("[ksm]\nmode = fast\n")
        run("systemctl", "reload", "virtksmd")
        wait_until(lambda: "wrong.conf:2" in run("journalctl", "-u", "virtksmd").stdout,
                   "the journal names the file")
        os.unlink(folder + "wrong.conf")
        self.assertEqual(run("virtksm", "status").returncode, 0)

    def test_6_removed_it_leaves_ksm_as_found_and_purged_nothing(self):
        print(self.must("dpkg", "-r", "virtksm"))
        self.assertEqual(knobs(), Package.found)
        self.assertFalse(os.path.lexists(HOOK))
        self.must("dpkg", "-P", "virtksm")
        for path in ("/etc/virtksm", "/var/lib/virtksm", "/run/virtksm"):
            self.assertFalse(os.path.exists(path), path)
        self.assertEqual(self.must("virsh", "list", "--name").strip(), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
