#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_kernels.py - kernels of several ages, without KSM, and with files that are missing or refuse

Whatever is wrong below /sys and /proc, the daemon runs, says what it is in its status, and ends
with 0.
"""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakehost import BURST, KERNELS, KNOBS, KSM, NEW_FILES, OLD_FILES, OPTIONAL_KNOBS  # noqa: E402

NOBODY = 65534
BOOT_ID_FILE = "proc/sys/kernel/random/boot_id"
HOSTILE = ("", "\n", "banana\n", "-1\n", "18446744073709551615\n", "18446744073709551616\n",
           "1" * 100000, "\0\1\2", "[", "none scan-time\n", "0x10\n", " 7\n")
# Figures of a report that come from KSM's files.
OF_KSM = ("pages_shared", "pages_sharing", "ksm_zero_pages", "saved_pages", "metadata_bytes",
          "net_saved_bytes", "profit_bytes", "unshare_bytes", "ksmd_full_scans")
COUNTERS = sorted((OLD_FILES.keys() | NEW_FILES.keys()) - set(KNOBS))


def may_mount():
    """Whether this machine lets us make a mount of our own."""
    done = subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


class Layouts(FakeTestCase):

    def test_every_kernel_is_driven_and_put_back(self):
        for kernel in KERNELS:
            with self.subTest(kernel=kernel):
                host = self.host(kernel, run=1, pages=200, sleep=30)
                found = host.knobs()
                daemon = self.started(host=host)
                self.assertEqual(daemon.ask("status")["actuator"], "ready")
                daemon.ask("kick")
                self.assertEqual(host.settings(), BURST)
                daemon.stop()
                self.assertEqual(host.knobs(), found)

    def test_status_and_report_have_null_for_what_the_kernel_lacks(self):
        for kernel in KERNELS:
            with self.subTest(kernel=kernel):
                host = self.host(kernel)
                host.set_counters(pages_shared=10, pages_sharing=90, pages_unshared=5,
                                  pages_volatile=1, ksm_zero_pages=7)
                daemon = self.started(host=host)
                is_new = kernel == "6.18"
                report = daemon.ask("report")["host"]
                self.assertEqual(daemon.ask("status")["ksm"]["advisor_mode"],
                                 "none" if is_new else None)
                self.assertEqual(report["ksm_zero_pages"], 7 if is_new else None)
                self.assertEqual(report["saved_pages"], 97 if is_new else 90)
                self.assertEqual(report["metadata_bytes"], (10 + 90 + 5 + 1) * 64)

    def test_the_advisor_is_switched_off_and_on_again(self):
        host = self.host("6.18", advisor="scan-time")
        host.start_ksmd()
        daemon = self.started(host=host)
        self.assertEqual(daemon.ask("status")["initial"]["advisor_mode"], "scan-time")
        daemon.ask("kick")
        self.assertEqual(host.ksm("advisor_mode"), "none")
        self.assertEqual(host.settings(), BURST)
        daemon.stop()
        self.assertEqual(host.ksm("advisor_mode"), "scan-time")


class Absent(FakeTestCase):

    def assert_runs_without_ksm(self, host):
        before = host.stamps(host.root)
        daemon = self.started(host=host)
        status = daemon.ask("status")
        self.assertEqual(status["actuator"], "absent")
        self.assertIn("no KSM", status["actuator_detail"])
        for words in ["kick"], ["mode", "auto"]:
            self.assertEqual(daemon.ask(*words)["hint"], status["actuator_detail"])
        self.assertEqual(status["phase"], "off")
        self.assertEqual(set(status["ksm"].values()), {None})
        self.assertEqual(daemon.ask("kick")["phase"], "off")
        report = daemon.ask("report")["host"]
        self.assertEqual({report[name] for name in OF_KSM}, {None})
        for mode in "classic", "fixed", "observe", "off", "auto":
            daemon.ask("mode", mode)
        self.assertEqual(daemon.ask("explain")["reason_name"], "no-ksm")
        daemon.stop()
        self.assert_untouched(host, before, host.root)

    def test_a_kernel_without_ksm(self):
        self.assert_runs_without_ksm(self.host(None))

    def test_a_root_with_nothing_but_the_boot_id(self):
        host = self.host(None)
        boot_id = host.read(BOOT_ID_FILE)
        shutil.rmtree(host.root)
        host.write(BOOT_ID_FILE, boot_id)
        self.assert_runs_without_ksm(host)

    def test_a_root_that_does_not_exist_is_refused(self):
        host = self.host()
        os.rename(host.root, host.base + "/moved")
        self.assert_done(self.daemon(host).run(), 1, host.root)

    def test_ksm_that_goes_away_while_it_is_driven(self):
        host = self.host()
        daemon = self.started("--mode", "fixed", host=host)
        shutil.rmtree(host.path(KSM))
        host.wants_found = False
        daemon.ask("kick")
        self.assertEqual(daemon.ask("status")["reason"], "this kernel has no KSM")
        self.assertIn("no number any more for full_scans, pages_shared, pages_sharing",
                      daemon.log())
        daemon.ask("report")
        daemon.stop()
        self.assertIn("KSM is not as it was found", daemon.log())
        self.assertTrue(os.path.exists(daemon.record), "the way back is lost")


class Missing(FakeTestCase):

    def test_any_knob_may_be_missing(self):
        for kernel in KERNELS:
            for knob in KNOBS:
                host = self.host(kernel)
                if not os.path.exists(host.path(KSM + knob)):
                    continue
                with self.subTest(kernel=kernel, knob=knob):
                    host.remove(KSM + knob)
                    daemon = self.started(host=host)
                    status = daemon.ask("status")
                    self.assertIsNone(status["ksm"][knob])
                    works = knob in OPTIONAL_KNOBS
                    self.assertEqual(status["actuator"], "ready" if works else "absent")
                    daemon.ask("kick")
                    daemon.ask("explain")
                    daemon.ask("report")
                    self.assertFalse(os.path.exists(host.path(KSM + knob)), "it was created")
                    daemon.stop()

    def test_any_counter_may_be_missing(self):
        for counter in COUNTERS:
            with self.subTest(counter=counter):
                host = self.host("6.18")
                host.remove(KSM + counter)
                daemon = self.started(host=host)
                daemon.ask("kick")
                self.assertEqual(host.settings(), BURST)
                report = daemon.ask("report")["host"]
                if counter in report:
                    self.assertIsNone(report[counter])
                if counter == "pages_sharing":
                    self.assertIsNone(report["saved_pages"])
                daemon.stop()

    def test_files_outside_ksm_may_be_missing(self):
        for name in ("proc/meminfo", "proc/37/stat", "proc/37/schedstat", "proc/1/stat",
                     "proc/stat", "proc/pressure/cpu", "proc/pressure/memory",
                     "sys/devices/system/cpu/online"):
            for mode in "auto", "classic":
                with self.subTest(name=name, mode=mode):
                    host = self.host()
                    host.remove(name)
                    daemon = self.started("--mode", mode, host=host)
                    daemon.ask("kick")
                    daemon.ask("explain")
                    self.assertEqual(host.ksm("run"), 1)
                    daemon.stop()
                    self.assertEqual(host.ksm("run"), 0)

    def test_classic_without_a_figure_for_memory_leaves_the_batch_and_says_why(self):
        host = self.host(pages=123)
        host.write("proc/meminfo", "MemTotal: 1000 kB\n")
        daemon = self.started("--mode", "classic", host=host)
        daemon.ask("kick")
        self.assertEqual(host.settings(), (1, 123, 1))
        self.assertEqual(daemon.ask("explain")["reason_name"], "fact-missing")

    def test_without_a_boot_id_the_start_is_refused(self):
        for text in (None,) + HOSTILE:
            with self.subTest(text=str(text)[:30]):
                host = self.host()
                host.remove(BOOT_ID_FILE)
                if text is not None:
                    host.write(BOOT_ID_FILE, text)
                before = host.stamps(host.root)
                self.assert_done(self.daemon(host).run(), 1, "/" + BOOT_ID_FILE)
                self.assert_untouched(host, before, host.root)


class Hostile(FakeTestCase):

    OUTSIDE = ("proc/meminfo", "proc/37/stat", "proc/37/schedstat", "proc/1/comm",
               "proc/stat", "proc/pressure/cpu", "proc/pressure/memory",
               "sys/devices/system/cpu/online")
    SETTINGS = tuple(KSM + name for name in KNOBS)
    OTHERS = tuple(KSM + name for name in COUNTERS) + OUTSIDE

    def test_any_text_at_the_start(self):
        for names in self.SETTINGS, self.OTHERS:
            for text in HOSTILE:
                with self.subTest(first=names[0], text=text[:30]):
                    host = self.host()
                    host.wants_found = False
                    for name in names:
                        host.write(name, text)
                    daemon = self.started(host=host)
                    for command in "kick", "explain", "report":
                        daemon.ask(command)
                    daemon.ask("mode", "classic")
                    daemon.stop()
                    if names == self.OTHERS:
                        self.assertEqual(host.settings(), (0, 100, 20))

    def test_any_text_in_any_file_while_it_runs(self):
        host = self.host()
        daemon = self.started(host=host)
        daemon.ask("kick")
        for number, name in enumerate(self.SETTINGS + self.OTHERS):
            right = host.read(name)
            for text in HOSTILE[number % 3::3]:
                with self.subTest(name=name, text=text[:30]):
                    host.write(name, text)
                    daemon.ask("kick")
                    daemon.ask("report")
            host.write(name, right)
        # A number that is not ours is another writer, and then we yield: take KSM back.
        daemon.ask("mode", "auto")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        daemon.stop()
        self.assertEqual(host.settings(), (0, 100, 20))

    def test_a_figure_that_is_lost_is_null_and_the_log_names_it_and_its_return(self):
        host = self.host()
        daemon = self.started(host=host)
        daemon.ask("kick")
        for name, member in (("pages_shared", "pages_shared"), ("pages_sharing", "pages_sharing"),
                             ("ksm_zero_pages", "ksm_zero_pages"), ("pages_scanned", None),
                             ("general_profit", None)):
            with self.subTest(name=name):
                right = host.read(KSM + name)
                host.write(KSM + name, "banana\n")
                daemon.ask("kick")
                self.assertEqual(daemon.log().count("no number any more for %s:" % name), 1)
                if member:
                    self.assertIsNone(daemon.ask("report")["host"][member])
                host.write(KSM + name, right)
                daemon.ask("kick")
                self.assertEqual(daemon.log().count("gives a number again for %s\n" % name), 1)
                if member:
                    self.assertEqual(daemon.ask("report")["host"][member], 0)

    def test_a_setting_that_is_none_is_told_with_what_it_holds(self):
        for name in "run", "pages_to_scan", "sleep_millisecs":
            with self.subTest(name=name):
                host = self.host()
                host.wants_found = False
                daemon = self.started(host=host)
                host.write(KSM + name, "banana\n")
                daemon.ask("kick")
                self.assertIn('%s holds "banana' % name, daemon.log())

    def test_all_counters_at_the_top_of_their_range(self):
        host = self.host()
        for name in COUNTERS:
            host.write(KSM + name, "%d\n" % (2 ** 64 - 2))
        daemon = self.started(host=host)
        daemon.ask("kick")
        daemon.ask("report")
        # There seems to be no end of pages: ksmd is not led step by step through them.
        wait_until(lambda: host.settings() == (1, 4000, 0), host.settings)

    def test_folders_and_links_in_place_of_files(self):
        for knob in KNOBS:
            for kind in "folder", "link":
                with self.subTest(knob=knob, kind=kind):
                    host = self.host()
                    host.wants_found = False
                    host.write("elsewhere", "0\n")
                    host.remove(KSM + knob)
                    if kind == "folder":
                        os.mkdir(host.path(KSM + knob))
                    else:
                        os.symlink(host.path("elsewhere"), host.path(KSM + knob))
                    daemon = self.started(host=host)
                    daemon.ask("kick")
                    daemon.ask("report")
                    daemon.stop()
                    self.assertEqual(host.read("elsewhere"), "0\n", "a link was followed")


@unittest.skipUnless(os.geteuid() == 0, "only root can start a daemon that may not write")
class Refused(FakeTestCase):

    def test_any_knob_may_refuse_to_be_written(self):
        for knob in KNOBS:
            with self.subTest(knob=knob):
                host = self.host()
                for name in KNOBS:
                    os.chown(host.path(KSM + name), NOBODY, -1)
                os.chown(host.path(KSM + knob), 0, 0)
                os.chmod(host.path(KSM + knob), 0o444)
                before = host.stamps()
                daemon = self.started(host=host, user=NOBODY)
                status = daemon.ask("status")
                self.assertEqual(status["actuator"], "not-permitted")
                self.assertIn(knob, status["actuator_detail"])
                self.assertIn("root", status["actuator_detail"])
                daemon.ask("kick")
                self.assertEqual(daemon.ask("explain")["applied"], "refused")
                daemon.stop()
                self.assert_untouched(host, before)

    def test_any_knob_may_refuse_to_be_read(self):
        for knob in KNOBS:
            with self.subTest(knob=knob):
                host = self.host()
                for name in KNOBS:
                    os.chown(host.path(KSM + name), NOBODY, -1)
                os.chown(host.path(KSM + knob), 0, 0)
                os.chmod(host.path(KSM + knob), 0)
                daemon = self.started(host=host, user=NOBODY)
                status = daemon.ask("status")
                self.assertIsNone(status["ksm"][knob])
                if knob not in OPTIONAL_KNOBS:
                    self.assertEqual(status["actuator"], "not-permitted")
                daemon.ask("kick")
                daemon.stop()

    def test_observe_needs_no_permission(self):
        host = self.host()
        daemon = self.started("--mode", "observe", host=host, user=NOBODY)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")
        daemon.ask("kick")
        self.assertEqual(daemon.ask("explain")["wanted"]["pages_to_scan"], BURST.pages)

    @unittest.skipUnless(may_mount(), "mounts are not permitted here")
    def test_a_read_only_sysfs_is_named(self):
        host = self.host()
        sys_folder = host.path("sys")
        script = "mount --bind %s %s && mount -o remount,ro,bind %s && exec \"$@\"" % (
            (sys_folder,) * 3)
        daemon = self.started(host=host, wrapper=("unshare", "-m", "sh", "-c", script, "sh"))
        status = daemon.ask("status")
        self.assertEqual(status["actuator"], "read-only")
        self.assertIn("read-only", status["actuator_detail"])
        daemon.ask("kick")
        self.assertEqual(daemon.ask("explain")["applied"], "refused")
        daemon.stop()
        self.assertEqual(host.settings(), (0, 100, 20))

    def test_figures_of_a_process_may_be_refused(self):
        host = self.host()
        domain_uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f"  # the test driver's own domain
        qemu = host.add_qemu("test", domain_uuid, resident_pages=5000)
        os.chmod(host.path(qemu.folder + "ksm_stat"), 0)
        os.chmod(host.path(qemu.folder + "ksm_merging_pages"), 0)
        daemon = self.started(host=host, user=NOBODY, connect="test:///default")
        wait_until(lambda: [d for d in daemon.ask("report")["domains"] if d["pid"] == qemu.pid],
                   lambda: "pid in %s" % daemon.ask("report"))
        row = daemon.ask("report")["domains"][0]
        self.assertIsNone(row["merging_pages"])
        self.assertIsNone(row["saved_pages"])
        self.assertEqual(row["resident_bytes"], 5000 * os.sysconf("SC_PAGESIZE"))


if __name__ == "__main__":
    main()
