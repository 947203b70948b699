#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""package.py - the Debian package in a host of its own: installed, used, killed, removed, upgraded

Runs in the virtual machine of test/hostvm, as root; it installs and removes packages, so nowhere
else. VIRTKSM_PACKAGES is a folder with two packages, the older one first by name. Cases run in the
order of their numbers; each begins where the one before has ended. The newer package has a whole
life, and a second one in which it comes after the older.
"""
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE + "/../support")
from vktest import wait_until  # noqa: E402
from vktest.domain import Domain  # noqa: E402
from vktest.host import RUN_DIR, build_path  # noqa: E402
from vktest.memory import SHORT, SHORT_SHARE, Cgroup, Course, Hidden, Hog, Swap  # noqa: E402

KSM = "/sys/kernel/mm/ksm/"
KNOBS = ("run", "pages_to_scan", "sleep_millisecs")
PACKAGES = os.environ.get("VIRTKSM_PACKAGES", "")
PACKAGING = HERE + "/../../packaging/"
# Whether the daemon may write there.
WRITABLE = (
    (KSM + "run", True), ("/sys/kernel/mm/transparent_hugepage/enabled", False),
    ("/sys/fs/cgroup", True), ("/sys/kernel/debug/lru_gen", True),
    ("/proc/pressure/memory", True), ("/var/lib/virtksm", True), ("/run/virtksm", True),
    ("/etc", False), ("/usr/bin", False), ("/var/lib/libvirt", False), ("/root", False),
    ("/run/libvirt", False), ("/proc/sys/vm/swappiness", False), ("/sys/class", False),
)
# CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYS_RESOURCE of linux/capability.h
RIGHTS = {1, 2, 19, 24}
# The best that this kernel has, with the rights of the unit: no DAMON, page frame numbers are
# hidden, and generations are made only once that is switched on.
BACKEND = "referenced"
LRU_GEN = "/sys/kernel/mm/lru_gen/enabled"
# Findings of doctor, if the unit took away what the daemon needs.
TAKEN_AWAY = {"ksm-read-only", "ksm-not-permitted", "state-unwritable", "pressure-unknown",
              "libvirt-away", "hook-deaf", "hook-missing", "hook-stale", "hook-unseen",
              "process-unknown", "process-refused", "process-busy", "process-uncounted",
              "overhead-unknown"}
HOOK = "/etc/libvirt/hooks/qemu.d/50-virtksm"
ORIGINALS = "/var/lib/virtksm/originals"
CONF = "/etc/virtksm/virtksmd.conf"
CONF_DIR = "/etc/virtksm/virtksmd.conf.d/"
EXPOSURE = 2.0
CONTENT = {"common": 48, "unique": 8, "seed": 1}
APPARMOR = "/etc/apparmor.d/"
REFUSED = re.compile(r'apparmor="(?:DENIED|ALLOWED)".*="virtksmd".*')
# For the unit: whatever ends the daemon is not followed by anything.
NEVER_AGAIN = "[Service]\nRestart=no\nExecStopPost=\n"


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def write(path, text, mode="w"):
    with open(path, mode, encoding="utf-8") as file:
        file.write(text)


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


def measured_seconds(name):
    """How long its history has measured it; 0 if that knows nothing of it."""
    rows = [row for row in ask("history")["totals"] if row["name"] == name]
    return (rows[0]["measured_s"] or 0) if rows else 0


def overhead(name):
    """Bytes that QEMU itself has of a domain; None: not known."""
    rows = [d for d in ask("report")["domains"] if d["name"] == name]
    return rows[0]["overhead_bytes"] if rows else None


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

    def domain(self, name, is_confined=False, **options):
        os.makedirs(RUN_DIR, exist_ok=True)
        shutil.copy(build_path("test/support/guest/guest.elf"), RUN_DIR + "/guest.elf")
        domain = Domain(name, **options)
        if is_confined:
            domain.xml = domain.xml.replace("<seclabel type='none'/>", "")
        domain.start()
        self.addCleanup(domain.destroy)
        return domain

    def configure(self, name, text):
        """Until the test has ended."""
        write(CONF_DIR + name, text)
        self.addCleanup(os.unlink, CONF_DIR + name)

    def restart(self):
        """However often that was asked for already."""
        run("systemctl", "reset-failed", "virtksmd")
        self.must("systemctl", "restart", "virtksmd")

    def install(self, package):
        """As an operator would who has changed the configuration, and keeps that."""
        run("systemctl", "reset-failed", "virtksmd")
        output = self.must("dpkg", "--force-confold", "-i", package)
        self.assertEqual(self.must("systemctl", "is-active", "virtksmd").strip(), "active")
        wait_until(is_connected, "libvirt lets it in")
        return output

    def squeeze(self, domain):
        """Lets the host run short, so that the domain is given a limit. Returns its cgroup."""
        swap = Swap(1024).open()
        self.addCleanup(swap.close)
        cgroup = Cgroup(domain.pid)
        # Without it, limits are all that is left.
        hidden = Hidden(cgroup.path + "/memory.reclaim").open()
        self.addCleanup(hidden.close)
        self.configure("short.conf", SHORT)
        hog = Hog(SHORT_SHARE)
        self.addCleanup(hog.close)
        self.restart()
        wait_until(lambda: cgroup.number("memory.high") is not None,
                   lambda: "a limit\n" + run("virtksm", "explain", domain.name).stdout, 60)
        return cgroup

    def kill_and_see_limits_lifted(self, cgroup):
        course = Course(cgroup)
        self.addCleanup(course.end)
        before = main_pid()
        os.kill(before, 9)
        wait_until(lambda: any(look["high"] is None for look in list(course.looks)),
                   "there is no limit")
        wait_until(lambda: main_pid() not in (0, before), "systemd has started it again")
        wait_until(is_connected, "it answers")

    def check_nothing_is_taken_away(self):
        found = {f["id"] for f in ask("doctor", codes=(0, 1))["findings"]}
        self.assertEqual(found & TAKEN_AWAY, set(), run("virtksm", "doctor").stdout)

    def test_1_it_is_installed_beside_a_rival_which_it_names_and_comes_up(self):
        Package.found.update(knobs())
        write("/run/ksmtuned", "#!/bin/sh\nwhile sleep 1; do :; done\n")
        os.chmod("/run/ksmtuned", 0o755)
        rival = subprocess.Popen(["/run/ksmtuned"])
        self.addCleanup(rival.wait)
        self.addCleanup(rival.kill)
        output = self.install(self.packages()[1])
        self.assertIn("ksmtuned is running", output)
        self.assertEqual(self.must("systemctl", "is-enabled", "virtksmd").strip(), "enabled")
        exposure = self.must("systemd-analyze", "security", "--no-pager", "virtksmd")
        print(output, self.must("virtksm", "status"), exposure.splitlines()[-1])
        self.assertLessEqual(float(re.search(r"virtksmd.service: ([\d.]+)", exposure).group(1)),
                             EXPOSURE)
        self.assertEqual(run("systemctl", "--failed", "--no-legend").stdout.strip(), "")

    def test_1_the_unit_leaves_what_is_needed_and_takes_the_rest(self):
        for path, wanted in WRITABLE:
            done = run("nsenter", "-m", "-t", str(main_pid()), "test", "-w", path)
            self.assertEqual(done.returncode == 0, wanted, path + " " + done.stdout)
        # Whoever may read everything finds an empty file in its place.
        self.assertEqual(run("test", "-s", "/etc/shadow").returncode, 0)
        done = run("nsenter", "-m", "-t", str(main_pid()), "test", "-s", "/etc/shadow")
        self.assertNotEqual(done.returncode, 0, "/etc/shadow is in sight")
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
        self.check_nothing_is_taken_away()
        self.doCleanups()
        wait_until(lambda: knobs()["run"] == Package.found["run"], "KSM rests", 120)

    def test_2_generations_tell_of_working_sets_where_the_kernel_makes_them(self):
        self.addCleanup(write, LRU_GEN, read(LRU_GEN))
        write(LRU_GEN, "y")
        self.restart()
        domain = self.domain("generations", memory_mib=96, content=CONTENT)
        wait_until(lambda: backend(domain.name) == "lru_gen",
                   lambda: "they do\n" + run("virtksm", "working-set", domain.name).stdout, 60)

    def test_3_it_passes_the_test_that_debian_runs_on_a_host_and_survives_libvirtd(self):
        run("systemctl", "reset-failed", "virtksmd")
        print(self.must("sh", PACKAGING + "debian/tests/service"))
        wait_until(is_connected, "libvirt lets it in again")

    def test_3_limits_work_and_are_lifted_when_it_is_killed(self):
        domain = self.domain("limited", memory_mib=192, content={"unique": 144})
        cgroup = self.squeeze(domain)
        sources = {s["name"]: s["state"] for s in ask("status")["sources"]}
        self.assertEqual(sources["psi"], "open", sources)
        self.kill_and_see_limits_lifted(cgroup)

    def test_4_a_wrong_configuration_is_named_and_the_old_one_kept(self):
        self.configure("wrong.conf", "[ksm]\nmode = fast\n")
        run("systemctl", "reload", "virtksmd")
        wait_until(lambda: "wrong.conf:2" in run("journalctl", "-u", "virtksmd").stdout,
                   "the journal names the file")
        self.must("virtksm", "status")

    def load_profile(self):
        """As its head says."""
        path = APPARMOR + "usr.sbin.virtksmd"
        shutil.copy("/usr/share/virtksm/apparmor/usr.sbin.virtksmd", path)
        write(APPARMOR + "local/usr.sbin.libvirtd", "ptrace (read) peer=virtksmd,\n", "a")
        print(self.must("apparmor_parser", "-r", path, APPARMOR + "usr.sbin.libvirtd"))
        self.addCleanup(self.restart)
        self.addCleanup(os.unlink, path)
        self.addCleanup(run, "apparmor_parser", "-R", path)
        self.restart()
        self.assertEqual(read("/proc/%d/attr/current" % main_pid()), "virtksmd (enforce)")

    def test_5_apparmor_confines_it_and_nothing_is_missing(self):
        self.load_profile()
        domain = self.domain("confined", is_confined=True, memory_mib=192,
                             content={"common": 48, "unique": 96})
        self.assertRegex(read("/proc/%d/attr/current" % domain.pid), r"^libvirt-.* \(enforce\)$")
        wait_until(lambda: saved(domain.name), "something is saved of it", 120)
        wait_until(lambda: overhead(domain.name), "what QEMU itself uses is known", 60)
        wait_until(lambda: backend(domain.name) == BACKEND, "its working set is measured", 60)
        self.check_nothing_is_taken_away()
        cgroup = self.squeeze(domain)
        self.kill_and_see_limits_lifted(cgroup)
        self.must("systemctl", "stop", "virtksmd")
        self.assertEqual(REFUSED.findall(run("journalctl", "-o", "cat").stdout), [])

    def remove_and_purge(self):
        print(self.must("dpkg", "-r", "virtksm"))
        self.assertEqual(knobs(), Package.found)
        self.assertFalse(os.path.lexists(HOOK))
        self.must("dpkg", "-P", "virtksm")
        for path in ("/etc/virtksm", "/var/lib/virtksm", "/run/virtksm"):
            self.assertFalse(os.path.exists(path), path)

    def test_6_removed_it_leaves_ksm_as_found_and_purged_nothing(self):
        write(CONF_DIR + "own.conf", "[agent]\nlog_level = info\n")
        self.remove_and_purge()
        self.assertEqual(self.must("virsh", "list", "--name").strip(), "")

    def lose_power(self):
        """As far as the daemon can tell: nothing is put back."""
        wait_until(lambda: os.path.exists(ORIGINALS) and knobs() != Package.found, "KSM is driven")
        folder = "/run/systemd/system/virtksmd.service.d"
        os.makedirs(folder)
        write(folder + "/never.conf", NEVER_AGAIN)
        self.must("systemctl", "daemon-reload")
        os.kill(main_pid(), 9)
        wait_until(lambda: main_pid() == 0, "it has ended")
        shutil.rmtree(folder)
        self.must("systemctl", "daemon-reload")
        self.assertNotEqual(knobs(), Package.found)

    def test_7_an_upgrade_reads_what_the_older_one_has_left(self):
        older, newer = self.packages()
        print(self.install(older), self.must("virtksmd", "--version"))
        write(CONF, "\n[agent]\nlog_level = debug\n", "a")
        domain = self.domain("upgraded", memory_mib=96, content=CONTENT)
        wait_until(lambda: saved(domain.name), "something is saved of it", 120)
        wait_until(lambda: measured_seconds(domain.name) > 0, "its history begins", 180)
        # An orderly end is when the history is written.
        self.restart()
        self.lose_power()
        print(self.install(newer))
        self.assertIn("log_level = debug", read(CONF))
        self.must("virtksmd", "--check-config")
        initial = ask("status")["initial"]
        self.assertEqual({name: str(initial[name]) for name in KNOBS}, Package.found)
        wait_until(lambda: saved(domain.name), "what was merged still is", 120)
        self.assertGreater(measured_seconds(domain.name), 0, run("virtksm", "history").stdout)
        self.doCleanups()
        self.remove_and_purge()


if __name__ == "__main__":
    unittest.main(verbosity=2)
