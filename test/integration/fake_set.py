#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_set.py - what a domain asks for is written into its metadata, and holds from then on

Domains are those of libvirt's test driver, in a libvirtd of the test's own (fakelibvirt.py).
"""
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import PATIENCE, FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_UUID  # noqa: E402

NAMESPACE = "urn:virtksm:domain:1"
MIB = 1 << 20
OBSERVING = "[balloon]\nenable = observe\n[memory_high]\nenable = yes\n"
TRANSIENT = "<domain type='test'><name>guest</name><memory unit='KiB'>65536</memory>" \
            "<memtune><min_guarantee unit='MiB'>24</min_guarantee></memtune>" \
            "<os><type>hvm</type></os></domain>\n"


class Set(FakeTestCase):

    def pair(self, config=OBSERVING):
        host = self.host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        daemon = self.started(host=host, connect=libvirtd.uri, config=config)
        wait_until(lambda: daemon.names() == ["test"], daemon.names)
        wait_until(lambda: self.told(daemon)["shares"] == 100, "its definition is known")
        return libvirtd, daemon

    @staticmethod
    def told(daemon, name="test"):
        domain, = daemon.ask("explain", name)["domains"]
        return domain

    @staticmethod
    def metadata(libvirtd, *options, name="test"):
        """The element that libvirt has, without line breaks; None: it has none."""
        done = subprocess.run(["virsh", "-q", "-c", libvirtd.uri, "metadata", name, NAMESPACE,
                               *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            return None
        return "".join(line.strip() for line in done.stdout.splitlines())

    @staticmethod
    def inject(libvirtd, text):
        libvirtd.virsh('metadata test %s --live --key virtksm --set "%s"' % (NAMESPACE, text))

    def assert_refused(self, daemon, code, text, *words):
        self.assert_done(daemon.client("set", *words), code, text)

    def test_every_key_is_written_and_in_force_when_the_client_is_answered(self):
        libvirtd, daemon = self.pair()
        settings = ["ksm.weight=50", "ksm.latency_critical=yes", "ksm.group=a.b",
                    "balloon.mode=observe", "balloon.floor=16", "balloon.ceiling=48",
                    "balloon.shares=200", "memory_high.mode=on"]
        answer = daemon.ask("set", "test", *settings)
        self.assertEqual(answer, {"name": "test", "uuid": TEST_UUID, "settings": settings,
                                  "persist": False, "fault": None})
        told = self.told(daemon)
        wanted = {"weight": 50, "latency_critical": True, "group": "a.b", "shares": 200,
                  "balloon_mode": "observe", "high_mode": "on", "floor_bytes": 16 * MIB,
                  "ceiling_bytes": 48 * MIB, "fault": None}
        self.assertEqual({key: told[key] for key in wanted}, wanted)
        report, = daemon.ask("report", "test")["domains"]
        for key in "floor_bytes", "ceiling_bytes", "shares", "balloon_mode", "high_mode":
            self.assertEqual(report[key], told[key], key)
        listed, = daemon.ask("list")["domains"]
        self.assertEqual((listed["balloon_mode"], listed["high_mode"]), ("observe", "on"))
        self.assertEqual(
            self.metadata(libvirtd),
            '<policy><ksm weight="50" latency_critical="yes" group="a.b"/>'
            '<balloon mode="observe" floor="16" ceiling="48" shares="200"/>'
            '<memory_high mode="on"/></policy>')
        self.assertIsNone(self.metadata(libvirtd, "--config"), "it is to end with the domain")

    def test_a_setting_is_taken_out_and_the_last_one_leaves_nothing(self):
        libvirtd, daemon = self.pair()
        daemon.ask("set", TEST_UUID, "balloon.floor=16", "ksm.weight=50")
        daemon.ask("set", "test", "ksm.weight=")
        self.assertEqual(self.metadata(libvirtd), '<policy><balloon floor="16"/></policy>')
        self.assertEqual(self.told(daemon)["weight"], 100)
        daemon.ask("set", "test", "balloon.floor=")
        self.assertIsNone(self.metadata(libvirtd))
        self.assertIsNone(self.told(daemon)["floor_bytes"])
        daemon.ask("set", "test", "balloon.floor=")  # nor does it mind if there is none
        self.assertIsNone(self.metadata(libvirtd))

    def test_what_others_have_written_is_kept_and_what_is_still_wrong_is_told(self):
        libvirtd, daemon = self.pair()
        self.inject(libvirtd, "<policy><future x='1'/><ksm weight='heavy' y='2'/></policy>")
        answer = daemon.ask("set", "test", "ksm.weight=50", "balloon.floor=16")
        self.assertIn("expected no element but ksm, balloon and memory_high", answer["fault"])
        self.assertEqual(self.metadata(libvirtd), '<policy><future x="1"/>'
                         '<ksm weight="50" y="2"/><balloon floor="16"/></policy>')
        told = self.told(daemon)
        self.assertEqual((told["weight"], told["floor_bytes"]), (50, 16 * MIB))
        self.assertEqual((told["balloon_mode"], told["high_mode"]), ("off", "off"))
        self.assertEqual(told["fault"], answer["fault"])
        findings = json.loads(daemon.client("doctor", "test", "--format", "json").out)["findings"]
        self.assertIn("policy-fault", [finding["id"] for finding in findings])

    def test_only_what_is_right_altogether_is_written(self):
        libvirtd, daemon = self.pair()
        for text, words in (
                ("balloon.floor: expected a whole number of MiB", ["ksm.weight=50",
                                                                    "balloon.floor=16M"]),
                ("there is no such key: expected one of ksm.weight", ["floor=16"]),
                ("expected key=value", ["ksm.weight=50", "floor"]),
                ("balloon.mode: expected 'off', 'observe' or 'on'", ["balloon.mode=auto"]),
                ("expected at most 9 settings, as many as there are keys", ["ksm.weight=1"] * 10)):
            with self.subTest(words=words):
                self.assert_refused(daemon, 2, text, "test", *words)
        self.assert_refused(daemon, 3, "no running domain has the name", "nosuch", "ksm.weight=1")
        self.assertIsNone(self.metadata(libvirtd))
        self.assertEqual(self.told(daemon)["weight"], 100)

    def test_metadata_that_is_no_policy_is_left_alone(self):
        libvirtd, daemon = self.pair()
        self.inject(libvirtd, "<theirs/>")
        self.assert_refused(daemon, 1, "take it out with virsh metadata", "test", "ksm.weight=1")
        self.assertEqual(self.metadata(libvirtd), "<theirs/>")

    def test_it_lasts_when_it_is_to_and_each_place_keeps_what_it_had(self):
        libvirtd, daemon = self.pair()
        libvirtd.virsh('metadata test %s --config --key virtksm --set "<policy>'
                       "<balloon shares='7'/></policy>\"" % NAMESPACE)
        self.inject(libvirtd, "<policy><ksm weight='5'/></policy>")
        answer = daemon.ask("set", "test", "balloon.floor=16", "--persist")
        self.assertTrue(answer["persist"])
        self.assertEqual(self.metadata(libvirtd, "--live"),
                         '<policy><ksm weight="5"/><balloon floor="16"/></policy>')
        self.assertEqual(self.metadata(libvirtd, "--config"),
                         '<policy><balloon shares="7" floor="16"/></policy>')

    def test_a_domain_without_a_definition_cannot_be_set_for_its_next_start(self):
        libvirtd, daemon = self.pair()
        path = libvirtd.base + "/guest.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(TRANSIENT)
        libvirtd.virsh("create " + path)
        wait_until(lambda: "guest" in daemon.names(), daemon.names)
        wait_until(lambda: self.told(daemon, "guest")["floor_bytes"] == 24 * MIB,
                   "what it is guaranteed is its floor")
        self.assert_refused(daemon, 1, "metadata for its next start", "guest", "--persist",
                            "balloon.floor=16")
        self.assertIsNone(self.metadata(libvirtd, name="guest"), "half of it was written")
        self.assertEqual(self.told(daemon, "guest")["floor_bytes"], 24 * MIB)
        daemon.ask("set", "guest", "balloon.floor=16")
        self.assertEqual(self.told(daemon, "guest")["floor_bytes"], 16 * MIB)

    def test_what_virsh_writes_holds_as_well(self):
        libvirtd, daemon = self.pair()

        def assert_told(text, *wanted):
            self.inject(libvirtd, "<policy>%s</policy>" % text)
            keys = "balloon_mode", "high_mode", "floor_bytes", "shares"
            wait_until(lambda: tuple(self.told(daemon)[key] for key in keys) == wanted,
                       lambda: "%s: %s" % (text, self.told(daemon)), 5)

        assert_told("<balloon floor='16' shares='50'/>", "observe", "on", 16 * MIB, 50)
        assert_told("<balloon mode='off'/><memory_high mode='observe'/>", "off", "observe", None,
                    100)
        assert_told("<balloon mode='on' floor='much'/>", "off", "off", None, 100)
        self.assertIn("attribute floor: expected a whole number of MiB", daemon.log())
        self.assertNotIn("much", daemon.log())
        assert_told("", "observe", "on", None, 100)

    def test_a_domain_gets_no_more_than_the_configuration_allows(self):
        _, daemon = self.pair(config="")
        daemon.ask("set", "test", "balloon.mode=on", "memory_high.mode=on")
        told = self.told(daemon)
        self.assertEqual((told["balloon_mode"], told["high_mode"]), ("off", "off"))

    def test_a_client_that_does_not_wait_changes_nothing_for_the_others(self):
        _, daemon = self.pair()
        for number in range(20):
            with subprocess.Popen(daemon.client_command("set", "test", "ksm.weight=%d" % number),
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as client:
                client.kill()
        daemon.ask("set", "test", "ksm.weight=77")
        wait_until(lambda: self.told(daemon)["weight"] == 77, lambda: self.told(daemon), 5)

    def test_without_libvirt_it_is_refused(self):
        daemon = self.started(connect="none")
        self.assert_refused(daemon, 3, "no running domain", "test", "ksm.weight=1")

    def test_while_libvirtd_is_away_it_is_refused(self):
        libvirtd, daemon = self.pair()
        libvirtd.kill()
        daemon.wait_connected(False, 15)
        self.assert_refused(daemon, 1, "libvirt is not connected", "test", "ksm.weight=1")

    def test_the_end_does_not_wait_for_a_libvirtd_that_hangs(self):
        libvirtd, daemon = self.pair()
        libvirtd.send(signal.SIGSTOP)
        with subprocess.Popen(daemon.client_command("set", "test", "ksm.weight=1"),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as client:
            time.sleep(0.3)  # it is asked, and not answered
            begin = time.monotonic()
            daemon.send(signal.SIGTERM)
            self.assertEqual(daemon.wait_end(), 0)
            self.assertLess(time.monotonic() - begin, 10 * PATIENCE)
            self.assertIn("virtksmd", client.communicate()[1])
            self.assertEqual(client.returncode, 1)
        libvirtd.send(signal.SIGCONT)

    def test_the_decisions_of_a_domain_are_kept_for_who_asks_for_it_by_name(self):
        _, daemon = self.pair()
        everybody = daemon.ask("explain")["domains"][0]
        self.assertEqual(everybody["reclaim"], [])
        newest = {}
        for entry in self.told(daemon)["reclaim"]:
            newest.setdefault(entry["mechanism"], entry)
        self.assertEqual(set(newest), {"balloon", "memory.high"})
        for entry in newest.values():
            self.assertGreaterEqual(entry["decisions"], 1)
            self.assertTrue(entry["reason"])
        memory = daemon.ask("status")["memory"]
        self.assertEqual((memory["balloon"], memory["memory_high"]), ("observe", "yes"))
        self.assertEqual(json.dumps(daemon.ask("explain")["memory"]), json.dumps(memory))


if __name__ == "__main__":
    main()
