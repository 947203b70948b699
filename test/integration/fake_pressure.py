#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_pressure.py - what reclaim needs to know: sources that tell of pressure, guests that tell

Domains are those of libvirt's test driver, in a libvirtd of the test's own (fakelibvirt.py).
"""
import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_NAME  # noqa: E402

ON = "[balloon]\nenable = yes\n[libvirt]\nstats_period_ms = 100\n"
OBSERVED = "[balloon]\nenable = observe\n"
NOT_ENABLED = "neither [balloon] nor [memory_high] is enabled, and nobody follows working sets"
PERIOD = re.compile(r"<stats period='(\d+)'")


class Sources(FakeTestCase):

    @staticmethod
    def sources(daemon):
        return {s["name"]: (s["state"], s["detail"]) for s in daemon.ask("status")["sources"]}

    def test_a_fabricated_root_is_neither_watched_nor_written_to(self):
        host = self.host()
        for name in "proc/pressure/memory", "sys/fs/cgroup/memory/cgroup.event_control", \
                "sys/fs/cgroup/memory/machine/cgroup.event_control", \
                "sys/fs/cgroup/memory/machine/memory.pressure_level":
            host.write(name, "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n")
        before = host.stamps("proc/pressure", "sys/fs")
        daemon = self.started("--mode", "observe", host=host, config=OBSERVED)
        state, detail = self.sources(daemon)["psi"]
        self.assertEqual(state, "closed")
        self.assertEqual(detail, "cannot watch proc/pressure/memory: not the kernel's")
        state, detail = self.sources(daemon)["vmpressure"]
        self.assertEqual(state, "waiting")
        self.assertIn("not the kernel's", detail)
        self.assert_untouched(host, before, "proc/pressure", "sys/fs")

    def test_nothing_is_watched_before_a_mechanism_is_enabled(self):
        daemon = self.started()
        for name in "psi", "vmpressure":
            self.assertEqual(self.sources(daemon)[name], ("closed", NOT_ENABLED))
        daemon.write_config(OBSERVED)
        daemon.send(signal.SIGHUP)
        wait_until(lambda: self.sources(daemon)["psi"][1] != NOT_ENABLED, "it is tried")
        daemon.write_config("")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: self.sources(daemon)["psi"][1] == NOT_ENABLED, "it is closed again")

    def test_a_host_without_them_says_so(self):
        daemon = self.started(config=OBSERVED)
        self.assertEqual(self.sources(daemon)["vmpressure"],
                         ("closed", "no memory cgroups of version 1"))
        self.assertEqual(self.sources(daemon)["psi"][0], "closed")


class Periods(FakeTestCase):

    def pair(self, config):
        host = self.host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        daemon = self.started(host=host, connect=libvirtd.uri, config=config)
        return libvirtd, daemon

    @staticmethod
    def period(libvirtd):
        found = PERIOD.search(libvirtd.virsh("dumpxml " + TEST_NAME))
        return int(found.group(1)) if found else 0

    @staticmethod
    def assert_decided(daemon):
        """The definition has been read, and decisions have been made on it since."""
        wait_until(lambda: any(d["merge"] != "not known yet"
                               for d in daemon.ask("list")["domains"]), "a definition is known")
        ticks = daemon.ask("status")["ticks"]
        wait_until(lambda: daemon.ask("status")["ticks"] > ticks + 2, "ticks go on")

    def assert_period(self, libvirtd, seconds):
        wait_until(lambda: self.period(libvirtd) == seconds,
                   lambda: "a period of %d s, want %d" % (self.period(libvirtd), seconds))

    def test_guests_are_asked_while_a_mechanism_is_on(self):
        libvirtd, daemon = self.pair(ON)
        self.assert_period(libvirtd, 2)
        with open(daemon.record, encoding="utf-8") as file:
            self.assertIn("[stats_period]", file.read())
        daemon.stop()
        self.assertEqual(self.period(libvirtd), 0)
        self.assertEqual(daemon.state_files(), [])

    def test_guests_are_left_alone_otherwise(self):
        for config in "", "[balloon]\nenable = observe\n", ON + "[ksm]\nmode = observe\n":
            with self.subTest(config=config):
                libvirtd, daemon = self.pair(config)
                self.assert_decided(daemon)
                self.assertEqual(self.period(libvirtd), 0)
                daemon.stop()
                libvirtd.close()

    def test_a_period_that_is_set_already_stays(self):
        host = self.host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        libvirtd.virsh("dommemstat %s --period 30 --live" % TEST_NAME)
        daemon = self.started(host=host, connect=libvirtd.uri, config=ON)
        self.assert_decided(daemon)
        self.assertEqual(self.period(libvirtd), 30)
        daemon.stop()
        self.assertEqual(self.period(libvirtd), 30)

    def test_restore_puts_back_what_a_killed_daemon_has_left(self):
        libvirtd, daemon = self.pair(ON)
        self.assert_period(libvirtd, 2)
        daemon.kill()
        self.assertEqual(self.period(libvirtd), 2)
        self.assert_done(daemon.run("--restore"), 0, "period of statistics of 1 domains: as found")
        self.assertEqual(self.period(libvirtd), 0)
        self.assertEqual(daemon.state_files(), [])

    def test_the_next_start_puts_it_back_and_sets_it_again(self):
        libvirtd, daemon = self.pair(ON)
        self.assert_period(libvirtd, 2)
        daemon.kill()
        daemon.start()
        for _ in range(5):
            self.assert_decided(daemon)
        self.assert_period(libvirtd, 2)
        self.assertNotIn("somebody else", daemon.log())
        daemon.stop()
        self.assertEqual(self.period(libvirtd), 0)

    def test_the_next_start_puts_it_back_although_nothing_is_on(self):
        libvirtd, daemon = self.pair(ON)
        self.assert_period(libvirtd, 2)
        daemon.kill()
        daemon.write_config("")
        daemon.start()
        self.assert_period(libvirtd, 0)

    def test_what_somebody_else_has_set_since_stays(self):
        libvirtd, daemon = self.pair(ON)
        self.assert_period(libvirtd, 2)
        libvirtd.virsh("dommemstat %s --period 7 --live" % TEST_NAME)
        daemon.stop()
        self.assertIn("somebody else has changed it", daemon.log())
        self.assertEqual(self.period(libvirtd), 7)
        self.assertEqual(daemon.state_files(), ["originals"])  # that it is to be left alone
        daemon.start()
        self.assert_decided(daemon)
        self.assertEqual(self.period(libvirtd), 7)
        daemon.stop()
        self.assertEqual(self.period(libvirtd), 7)


if __name__ == "__main__":
    main()
