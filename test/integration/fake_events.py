#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_events.py - domains come and go, and so does libvirtd; the daemon knows exactly who is there

Domains are those of libvirt's test driver, in a libvirtd of the test's own (fakelibvirt.py).
"""
import os
import random
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import PATIENCE, FakeTestCase, main, wait_until  # noqa: E402
from fakehost import BURST, FIXED  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_NAME, TEST_UUID, write_host  # noqa: E402

SEED = 7
OTHER_SOURCES = {"grpc": "open", "hook": "open", "directory": "closed", "psi": "closed",
                 "vmpressure": "closed"}
IMPATIENT = "[libvirt]\nkeepalive_s = 1\nkeepalive_count = 1\n"


class EventTestCase(FakeTestCase):

    def pair(self, *arguments, **options):
        """A libvirtd with its domain "test", and a daemon that knows it."""
        host = self.host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        daemon = self.started(*arguments, host=host, connect=libvirtd.uri, **options)
        self.assert_same(daemon, libvirtd)
        return host, libvirtd, daemon

    @staticmethod
    def known(daemon):
        return {d["name"]: d["id"] for d in daemon.ask("list")["domains"]}

    def assert_same(self, daemon, libvirtd):
        """The daemon knows the domains that libvirtd has, each once, in every answer."""
        wanted = libvirtd.domains()
        wait_until(lambda: self.known(daemon) == wanted,
                   lambda: "knows %s, want %s" % (self.known(daemon), wanted), 10)
        names = sorted(wanted)
        self.assertEqual([d["name"] for d in daemon.ask("list")["domains"]], names)
        self.assertEqual([d["name"] for d in daemon.ask("report")["domains"]], names)
        self.assertEqual([d["name"] for d in daemon.ask("explain")["domains"]], names)
        self.assertEqual(daemon.ask("status")["domains"], len(names))

    @staticmethod
    def state(daemon, name):
        return {d["name"]: d["state"] for d in daemon.ask("list")["domains"]}.get(name)


class Lifecycle(EventTestCase):

    def test_domains_that_run_at_the_start_are_found_and_others_are_not(self):
        host = self.host()
        uri = write_host(host.base + "/node.xml", [
            ("one", "11111111-1111-4111-8111-111111111111", True),
            ("off", "22222222-2222-4222-8222-222222222222", False),
            ("two", "33333333-3333-4333-8333-333333333333", True)])
        daemon = self.started(host=host, connect=uri)
        wait_until(lambda: daemon.names() == ["one", "two"], daemon.names)
        uuids = [d["uuid"] for d in daemon.ask("list")["domains"]]
        self.assertEqual(uuids, ["11111111-1111-4111-8111-111111111111",
                                 "33333333-3333-4333-8333-333333333333"])
        self.assertEqual(host.settings(), BURST, "domains are found, and KSM stands still")

    def test_a_domain_that_keeps_out_of_merging_is_told_from_one_that_does_not(self):
        host = self.host()
        uri = write_host(host.base + "/node.xml", [("in", TEST_UUID, True), ("out", None, True)],
                         {"out": "<memoryBacking><nosharepages/></memoryBacking>"})
        daemon = self.started(host=host, connect=uri)

        def merge_words():
            """Definitions are asked for after the event."""
            words = {d["name"]: d["merge"] for d in daemon.ask("list")["domains"]}
            return words if len(words) == 2 and "not known yet" not in words.values() else None

        merge = wait_until(merge_words, lambda: "definitions are known: %s" % daemon.ask("list"))
        self.assertEqual(merge["in"], "can merge")
        self.assertIn("nosharepages", merge["out"])
        reasons = {d["name"]: d["reason"] for d in daemon.ask("explain")["domains"]}
        self.assertIn("none of their memory may be merged", reasons["out"])

    def test_metadata_set_while_a_domain_runs_takes_effect_at_once(self):
        _, libvirtd, daemon = self.pair()

        def told():
            domain, = daemon.ask("explain")["domains"]
            return domain["weight"], domain["latency_critical"]

        def assert_told(ksm, wanted):
            libvirtd.virsh('metadata test urn:virtksm:domain:1 --live --key virtksm --set '
                           '"<policy>%s</policy>"' % ksm)
            wait_until(lambda: told() == wanted, lambda: "%s, want %s" % (told(), wanted), 5)

        self.assertEqual(told(), (100, False))
        assert_told("<ksm weight='50' latency_critical='yes'/>", (50, True))
        self.assertNotIn("metadata: ", daemon.log())
        assert_told("<ksm weight='heavy' latency_critical='yes'/>", (100, True))
        text = "test: metadata: domain/metadata/virtksm:policy/virtksm:ksm: attribute weight: " \
               "expected a whole number from 0 to 10000"
        self.assertIn(text, daemon.log())
        self.assertNotIn("heavy", daemon.log())
        assert_told("<ksm weight='heavy'/>", (100, False))
        self.assertEqual(daemon.log().count(text), 1, "it is said again without need")
        assert_told("<ksm weight='0'/>", (0, False))
        libvirtd.virsh("metadata test urn:virtksm:domain:1 --live --remove")
        wait_until(lambda: told() == (100, False), told, 5)
        self.assertNotIn("not understood", daemon.log())

    def test_the_default_test_driver_works_without_a_libvirtd(self):
        daemon = self.started(connect="test:///default")
        wait_until(lambda: daemon.names() == [TEST_NAME], daemon.names)
        status = daemon.ask("status")
        self.assertEqual(status["libvirt"], {"connected": True, "uri": "test:///default",
                                             "detail": None, "reconnects": 0})

    def test_a_start_moves_ksm_and_a_stop_is_noticed(self):
        host, libvirtd, daemon = self.pair()
        libvirtd.define("web")
        self.assert_same(daemon, libvirtd)
        daemon.ask("mode", "off")
        self.assertEqual(host.settings(), (0, 100, 20))
        daemon.ask("mode", "classic")
        self.assertEqual(host.ksm("run"), 1, "a domain runs: the ladder begins with the mode")
        libvirtd.virsh("start web")
        wait_until(lambda: host.ksm("run") == 1, "a start moves KSM", 5)
        self.assertEqual(daemon.ask("explain")["reason_name"], "ladder-trigger")
        self.assert_same(daemon, libvirtd)
        libvirtd.virsh("destroy web")
        self.assert_same(daemon, libvirtd)
        self.assertNotIn("web", daemon.names())

    def test_a_domain_that_crashes_is_named_in_the_log_and_one_that_is_stopped_is_not(self):
        host, libvirtd, daemon = self.pair()
        libvirtd.define("web", "db", "gone")
        libvirtd.virsh("start web", "start db", "start gone", "destroy gone",
                       "dump web %s/core --crash" % host.base, "shutdown db")
        self.assert_same(daemon, libvirtd)
        self.assertEqual(daemon.names(), [TEST_NAME])
        self.assertEqual(re.findall("domain (.*) has (.*)", daemon.log()), [("web", "crashed")])

    def test_an_orderly_shutdown_is_an_end_too(self):
        _, libvirtd, daemon = self.pair()
        libvirtd.virsh("shutdown test")
        wait_until(lambda: daemon.names() == [], daemon.names)

    def test_a_restart_is_another_start_of_the_same_domain(self):
        _, libvirtd, daemon = self.pair()
        before, = daemon.ask("list")["domains"]
        libvirtd.virsh("destroy test", "start test")
        self.assert_same(daemon, libvirtd)
        after, = daemon.ask("list")["domains"]
        self.assertEqual(after["uuid"], before["uuid"])
        self.assertNotEqual(after["id"], before["id"])
        self.assertLess(after["seen_ms"], before["seen_ms"] + 60000)

    def test_suspend_and_resume_are_states_of_the_same_start(self):
        _, libvirtd, daemon = self.pair()
        first = self.known(daemon)
        for command, state in (("suspend", "paused"), ("resume", "running")) * 2:
            libvirtd.virsh("%s test" % command)
            wait_until(lambda want=state: self.state(daemon, "test") == want,
                       lambda want=state: "%s, not %s" % (want, self.state(daemon, "test")), 5)
        self.assertEqual(self.known(daemon), first)

    def test_a_domain_that_is_only_defined_is_not_there(self):
        _, libvirtd, daemon = self.pair()
        libvirtd.define("web", "db")
        libvirtd.virsh("start db", "destroy db", "undefine db")
        self.assert_same(daemon, libvirtd)
        self.assertEqual(daemon.names(), [TEST_NAME])

    def test_five_hundred_starts_and_stops_in_a_second(self):
        _, libvirtd, daemon = self.pair()
        dice = random.Random(SEED)
        names = ["d%02d" % number for number in range(25)]
        libvirtd.define(*names)
        running, commands = set(), []
        while len(commands) < 500:
            name = dice.choice(names)
            commands.append(("destroy " if name in running else "start ") + name)
            running ^= {name}
        begin = time.monotonic()
        libvirtd.virsh(*commands)
        seconds = time.monotonic() - begin
        self.assert_same(daemon, libvirtd)
        self.assertEqual(set(daemon.names()), running | {TEST_NAME})
        sources = {s["name"]: s["events"] for s in daemon.ask("status")["sources"]}
        self.assertGreaterEqual(sources["libvirt"], 500)
        print("500 starts and stops took %.2f s" % seconds)

    def test_one_domain_that_restarts_all_the_time(self):
        _, libvirtd, daemon = self.pair()
        libvirtd.virsh(*["destroy test", "start test"] * 250)
        self.assert_same(daemon, libvirtd)

    def test_domains_that_come_and_go_while_the_daemon_starts(self):
        host = self.host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        names = ["d%02d" % number for number in range(20)]
        libvirtd.define(*names)
        for round_number in range(5):
            with self.subTest(round=round_number):
                commands = ["%s %s" % (verb, name) for verb in ("start", "destroy", "start")
                            for name in names]
                storm = threading.Thread(target=libvirtd.virsh, args=commands)
                storm.start()
                daemon = self.started(host=host, connect=libvirtd.uri)
                storm.join()
                self.assert_same(daemon, libvirtd)
                daemon.stop()
                libvirtd.virsh(*["destroy " + name for name in names])


class Connection(EventTestCase):

    def test_without_libvirt_by_order(self):
        host = self.host()
        daemon = self.started(host=host, connect="none")
        status = daemon.ask("status")
        sources = {source["name"]: source["state"] for source in status["sources"]}
        self.assertEqual(sources, {"libvirt": "closed", **OTHER_SOURCES})
        self.assertEqual(status["libvirt"]["connected"], False)
        self.assertEqual(status["libvirt"]["uri"], "none")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)

    def test_a_libvirtd_that_is_absent_is_named_and_a_kick_works(self):
        host = self.host()
        daemon = self.started(host=host, connect="qemu+unix:///system?socket=/nonexistent")
        status = wait_until(lambda: [s for s in [daemon.ask("status")] if s["libvirt"]["detail"]],
                            "the failure is told")[0]
        self.assertEqual(status["libvirt"]["connected"], False)
        self.assertEqual(status["libvirt"]["reconnects"], 0)
        self.assertIn("/nonexistent", status["libvirt"]["detail"])
        sources = {source["name"]: source["state"] for source in status["sources"]}
        self.assertEqual(sources, {"libvirt": "waiting", **OTHER_SOURCES})
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertEqual(daemon.ask("report")["domains"], [])

    def test_the_same_failure_is_logged_once(self):
        daemon = self.started(connect="qemu+unix:///system?socket=/nonexistent")
        wait_until(lambda: "not connected" in daemon.log(), "the first failure is told")
        time.sleep(1.2)  # more attempts: after 0.25 and 0.75 s
        self.assertEqual(daemon.log().count("not connected"), 1)

    def test_an_address_that_makes_no_sense_is_no_reason_to_end(self):
        for uri in "nosuch:///driver", "test:///nonexistent.xml", "::::":
            with self.subTest(uri=uri):
                daemon = self.started(connect=uri)
                wait_until(lambda d=daemon: d.ask("status")["libvirt"]["detail"], "told")
                daemon.ask("kick")
                daemon.stop()

    def test_a_libvirtd_that_comes_late_is_found(self):
        host = self.host()
        libvirtd = FakeLibvirtd(host.base)
        self.addCleanup(libvirtd.close)
        daemon = self.started(host=host, connect=libvirtd.uri)
        daemon.wait_connected(False, 15)
        libvirtd.start().hold()
        daemon.wait_connected(True, 15)
        self.assert_same(daemon, libvirtd)
        self.assertEqual(daemon.ask("status")["libvirt"]["reconnects"], 0)

    def test_after_a_crash_of_libvirtd_no_domain_is_lost_or_doubled(self):
        host, libvirtd, daemon = self.pair()
        libvirtd.define("web")
        libvirtd.virsh("start web")
        self.assert_same(daemon, libvirtd)
        before = self.known(daemon)
        libvirtd.kill()
        daemon.wait_connected(False, 15)
        self.assertEqual(self.known(daemon), before, "it goes on with what it knows")
        daemon.ask("mode", "fixed")
        self.assertEqual(host.settings(), FIXED)
        libvirtd.close()
        libvirtd.start().hold()
        daemon.wait_connected(True, 15)
        self.assert_same(daemon, libvirtd)
        self.assertEqual(daemon.names(), [TEST_NAME])  # the new libvirtd knows no other
        self.assertEqual(daemon.ask("list")["domains"][0]["uuid"], TEST_UUID)
        self.assertEqual(daemon.ask("status")["libvirt"]["reconnects"], 1)
        self.assert_came_back(daemon)
        self.assert_sums(daemon.ask("report"))
        libvirtd.virsh("destroy test", "start test")
        self.assert_same(daemon, libvirtd)

    def test_a_libvirtd_that_hangs_is_given_up_and_found_again(self):
        host, libvirtd, daemon = self.pair(config=IMPATIENT)
        libvirtd.send(signal.SIGSTOP)
        begin = time.monotonic()
        while daemon.ask("status")["libvirt"]["connected"]:
            self.assertLess(time.monotonic() - begin, 15 * PATIENCE, "still believed to be there")
            asked = time.monotonic()
            daemon.ask("kick")
            self.assertLess(time.monotonic() - asked, 2 * PATIENCE, "a kick had to wait")
        self.assertEqual(daemon.names(), [TEST_NAME])
        self.assertEqual(host.ksm("run"), 1)
        libvirtd.send(signal.SIGCONT)
        daemon.wait_connected(True, 20)
        self.assert_same(daemon, libvirtd)
        self.assertEqual(daemon.ask("status")["libvirt"]["reconnects"], 1)

    def test_the_end_does_not_wait_for_a_libvirtd_that_hangs(self):
        host, libvirtd, daemon = self.pair("--mode", "fixed")
        libvirtd.send(signal.SIGSTOP)
        time.sleep(1.1)  # a question for figures is under way, and hangs
        daemon.ask("kick")
        begin = time.monotonic()
        daemon.send(signal.SIGTERM)
        self.assertEqual(daemon.wait_end(), 0)
        self.assertLess(time.monotonic() - begin, 10 * PATIENCE)
        self.assertEqual(host.settings(), (0, 100, 20))


if __name__ == "__main__":
    main()
