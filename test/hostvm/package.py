#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""package.py - the Debian package in a host of its own: installed, used, killed, upgraded, removed

Runs in the virtual machine of test/hostvm, as root; it installs and removes packages, so nowhere
else. VIRTKSM_PACKAGES is a folder with two packages, the older one first by name. Cases run in the
order of their numbers; each begins where the one before has ended.
"""
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import wait_until  # noqa: E402
from vktest.domain import Domain  # noqa: E402
from vktest.host import RUN_DIR, build_path  # noqa: E402
from vktest.memory import SHORT, SHORT_SHARE, Cgroup, Course, Hidden, Hog, Swap  # noqa: E402

KSM = "/sys/kernel/mm/ksm/"
KNOBS = ("run", "pages_to_scan", "sleep_millisecs")
PACKAGES = os.environ.get("VIRTKSM_PACKAGES", "")
# Whether the daemon may write there.
WRITABLE = (
    (KSM + "run", True), ("/sys/fs/cgroup", True), ("/sys/kernel/debug/lru_gen", True),
    ("/proc/pressure/memory", True), ("/var/lib/virtksm", True), ("/run/virtksm", True),
    ("/etc", False), ("/usr/bin", False), ("/var/lib/libvirt", False), ("/root", False),
    ("/proc/sys/vm/swappiness", False), ("/sys/class", False),
)
# CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYS_RESOURCE of linux/capability.h
RIGHTS = {1, 2, 19, 24}
# The best that this kernel has, with the rights of the unit: no generations, no DAMON, and page
# frame numbers are hidden.
BACKEND = "referenced"
# Findings of doctor, if the unit took away what the daemon needs.
TAKEN_AWAY = {"ksm-read-only", "ksm-not-permitted", "state-unwritable", "pressure-unknown",
              "libvirt-away", "hook-deaf", "hook-missing", "hook-stale", "hook-unseen",
              "process-unknown", "process-refused", "process-uncounted", "overhead-unknown"}
HOOK = "/etc/libvirt/hooks/qemu.d/50-virtksm"
CONF = "/etc/virtksm/virtksmd.conf"
CONF_DIR = "/etc/virtksm/virtksmd.conf.d/"
EXPOSURE = 2.0
CONTENT = {"common": 48, "unique": 8, "seed": 1}


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


def backend(name):
    """What its working set is measured with; None: with nothing yet."""
    rows = [d for d in ask("working-set")["domains"] if d["name"] == name]
    return rows[0]["backend"] if rows else None


def is_connected():
    done = run("virtksm", "--format", "json", "status")
    return done.returncode == 0 and json.loads(done.stdout)["libvirt"]["connected"]


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

    def domain(self, name, **options):
        os.makedirs(RUN_DIR, exist_ok=True)
        shutil.copy(build_path("test/support/guest/guest.elf"), RUN_DIR + "/guest.elf")
        domain = Domain(name, **options)
        domain.start()
        self.addCleanup(domain.destroy)
        return domain

    def configure(self, name, text):
        """Until the test has ended."""
        with open(CONF_DIR + name, "w", encoding="utf-8") as file:
            file.write(text)
        self.addCleanup(os.unlink, CONF_DIR + name)

    def test_1_it_is_installed_and_the_service_comes_up(self):
        Package.found.update(knobs())
        print(self.must("dpkg", "-i", self.packages()[0]))
        self.assertEqual(self.must("systemctl", "is-active", "virtksmd").strip(), "active")
        self.assertEqual(self.must("systemctl", "is-enabled", "virtksmd").strip(), "enabled")
        wait_until(is_connected, "libvirt lets it in")
        exposure = self.must("systemd-analyze", "security", "--no-pager", "virtksmd")
        print(self.must("virtksm", "status"), exposure.splitlines()[-1])
        self.assertLessEqual(float(re.search(r"virtksmd.service: ([\d.]+)", exposure).group(1)),
                             EXPOSURE)
        self.assertEqual(run("systemctl", "--failed", "--no-legend").stdout.strip(), "")

    def test_1_the_unit_leaves_what_is_needed_and_takes_the_rest(self):
        for path, wanted in WRITABLE:
            done = run("nsenter", "-m", "-t", str(main_pid()), "test", "-w", path)
            self.assertEqual(done.returncode == 0, wanted, path + " " + done.stdout)
        status = read("/proc/%d/status" % main_pid())
        self.assertRegex(status, r"(?m)^Uid:\s%d\s" % pwd.getpwnam("virtksm").pw_uid)
        self.assertRegex(status, r"(?m)^NoNewPrivs:\s1$")
        self.assertRegex(status, r"(?m)^Seccomp:\s2$")
        rights = int(re.search(r"(?m)^CapEff:\s(\w+)$", status).group(1), 16)
        self.assertEqual({n for n in range(64) if rights >> n & 1}, RIGHTS)

    def test_2_a_domain_starts_and_ksm_works_for_it_and_rests(self):
        domain = self.domain("package", memory_mib=96, content=CONTENT)
        wait_until(lambda: domain.name in run("virtksm", "list").stdout, "it is listed")
        wait_until(lambda: knobs()["run"] == "1", "KSM runs")
        wait_until(lambda: saved(domain.name), "something is saved of it", 120)
        wait_until(lambda: backend(domain.name) == BACKEND, "its working set is measured", 60)
        wait_until(lambda: ask("status")["phase"] != "burst", "ksmd works less", 120)
        sources = {s["name"]: s for s in ask("status")["sources"]}
        self.assertGreater(int(sources["hook"]["events"]), 0, sources)
        self.assertGreater(int(sources["libvirt"]["events"]), 0, sources)
        print(self.must("virtksm", "report"), run("virtksm", "doctor").stdout)
        found = {f["id"] for f in ask("doctor", codes=(0, 1))["findings"]}
        # What the unit could have taken away too much of.
        self.assertEqual(found & TAKEN_AWAY, set())
        self.doCleanups()
        wait_until(lambda: knobs()["run"] == Package.found["run"], "KSM rests", 120)

    def test_3_it_survives_libvirtd(self):
        self.must("systemctl", "restart", "libvirtd")
        wait_until(is_connected, "libvirt lets it in again")

    def test_3_limits_work_and_are_lifted_when_it_is_killed(self):
        swap = Swap(1024).open()
        self.addCleanup(swap.close)
        domain = self.domain("limited", memory_mib=192, content={"unique": 144})
        cgroup = Cgroup(domain.pid)
        # Without it, limits are all that is left.
        hidden = Hidden(cgroup.path + "/memory.reclaim").open()
        self.addCleanup(hidden.close)
        self.configure("short.conf", SHORT)
        hog = Hog(SHORT_SHARE)
        self.addCleanup(hog.close)
        self.must("systemctl", "restart", "virtksmd")
        wait_until(lambda: cgroup.number("memory.high") is not None,
                   lambda: "a limit\n" + run("virtksm", "explain", domain.name).stdout, 60)
        sources = {s["name"]: s["state"] for s in ask("status")["sources"]}
        self.assertEqual(sources["psi"], "open", sources)
        course = Course(cgroup)
        self.addCleanup(course.end)
        before = main_pid()
        os.kill(before, 9)
        wait_until(lambda: any(look["high"] is None for look in list(course.looks)),
                   "there is no limit")
        wait_until(lambda: main_pid() not in (0, before), "systemd has started it again")
        wait_until(is_connected, "it answers")

    def test_4_an_upgrade_goes_on_and_keeps_what_was_configured(self):
        with open(CONF, "a", encoding="utf-8") as file:
            file.write("\n[agent]\nlog_level = debug\n")
        self.must("systemctl", "reload", "virtksmd")
        domain = self.domain("upgraded", memory_mib=96, content=CONTENT)
        wait_until(lambda: saved(domain.name), "something is saved of it", 120)
        self.must("dpkg", "--force-confold", "-i", self.packages()[1])
        self.assertIn("log_level = debug", read(CONF))
        self.assertEqual(self.must("systemctl", "is-active", "virtksmd").strip(), "active")
        wait_until(is_connected, "it answers")
        wait_until(lambda: saved(domain.name), "what was merged still is")
        self.must("virtksm", "history")

    def test_5_a_wrong_configuration_is_named_and_the_old_one_kept(self):
        self.configure("wrong.conf", "[ksm]\nmode = fast\n")
        run("systemctl", "reload", "virtksmd")
        wait_until(lambda: "wrong.conf:2" in run("journalctl", "-u", "virtksmd").stdout,
                   "the journal names the file")
        self.must("virtksm", "status")

    def test_6_removed_it_leaves_ksm_as_found_and_purged_nothing(self):
        with open(CONF_DIR + "own.conf", "w", encoding="utf-8") as file:
            file.write("[agent]\nlog_level = info\n")
        print(self.must("dpkg", "-r", "virtksm"))
        self.assertEqual(knobs(), Package.found)
        self.assertFalse(os.path.lexists(HOOK))
        self.must("dpkg", "-P", "virtksm")
        for path in ("/etc/virtksm", "/var/lib/virtksm", "/run/virtksm"):
            self.assertFalse(os.path.exists(path), path)
        self.assertEqual(self.must("virsh", "list", "--name").strip(), "")


if __name__ == "__main__":
    unittest.main(verbosity=2)
