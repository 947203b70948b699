#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_churn.py - domains by the thousand, and domains that are not what they were

Whatever becomes of a domain, there is one entry for each that runs, and nothing is left of the
others: no entry, no descriptor, no memory.
"""
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import PATIENCE, VALGRIND, FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_NAME, domain_xml, write_host  # noqa: E402

THOUSAND = 1000
HUNDREDS = 200
OTHER_UUID = "99999999-9999-4999-8999-999999999999"
# Sanitizers keep what was freed for a while, and valgrind the last 20 MB of it.
LEAK_MIB = 24 if os.environ.get("VIRTKSM_SANITIZE") or VALGRIND else 8


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def resident_mib(pid):
    with open("/proc/%d/statm" % pid, encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2 ** 20


class ChurnTestCase(FakeTestCase):

    def pair(self):
        host = self.host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        daemon = self.started(host=host, connect=libvirtd.uri)
        wait_until(lambda: daemon.names() == [TEST_NAME], "it is connected")
        return libvirtd, daemon

    def wait_names(self, daemon, *wanted):
        wait_until(lambda: sorted(daemon.names()) == sorted(wanted),
                   lambda: "knows %s, want %s" % (daemon.names(), wanted))


class Thousand(ChurnTestCase):

    def one_round(self, libvirtd, daemon, names):
        begin = time.monotonic()
        libvirtd.virsh(*["start " + name for name in names])
        wait_until(lambda: daemon.ask("status")["domains"] == THOUSAND + 1,
                   lambda: "all are known: %s" % daemon.ask("status")["domains"])
        daemon.ask("kick")
        report = daemon.ask("report")
        self.assertEqual(len(report["domains"]), THOUSAND + 1)
        self.assert_sums(report)
        libvirtd.virsh(*["destroy " + name for name in names])
        self.wait_names(daemon, TEST_NAME)
        seconds = time.monotonic() - begin
        self.assertLess(seconds, 60 * PATIENCE)
        return seconds

    def test_a_thousand_start_and_stop_within_a_minute_and_leave_nothing(self):
        libvirtd, daemon = self.pair()
        names = ["d%04d" % number for number in range(THOUSAND)]
        libvirtd.define(*names)
        pid = daemon.process.pid
        # The first round grows what is kept for later: heap, tables, the history's cache.
        took = [self.one_round(libvirtd, daemon, names)]
        before = fds(pid), resident_mib(pid)
        took += [self.one_round(libvirtd, daemon, names) for _ in range(2)]
        wait_until(lambda: fds(pid) <= before[0],
                   lambda: "%d descriptors, %d before" % (fds(pid), before[0]))
        self.assertLess(resident_mib(pid) - before[1], LEAK_MIB, "it grows with each round")
        for what in "runs", "has ended":
            told = re.findall(r"^virtksmd: (d\d{4}): %s \(libvirt: " % what, daemon.log(), re.M)
            self.assertEqual(sorted(told), sorted(3 * names), "a line for each that " + what)
        print("rounds of 1,000 domains took %s s; %d descriptors, %.1f MiB, then %.1f MiB"
              % (", ".join("%.1f" % t for t in took), fds(pid), before[1], resident_mib(pid)))


class Descriptors(FakeTestCase):

    @unittest.skipIf(VALGRIND, "valgrind grants no more descriptors than there were at the start")
    def test_more_domains_than_a_service_has_descriptors_for_at_first(self):
        host = self.host()
        domains = [("d%03d" % n, "%08d-1111-4111-8111-111111111111" % n, True)
                   for n in range(HUNDREDS)]
        for name, uuid, _ in domains:
            host.add_qemu(name, uuid, resident_pages=1000)
        daemon = self.daemon(host, connect=write_host(host.base + "/node.xml", domains),
                             wrapper=("prlimit", "--nofile=%d:20000" % HUNDREDS))
        daemon.start()
        wait_until(lambda: len(daemon.names()) == HUNDREDS, "the domains")
        wait_until(lambda: all(d["pid"] and d["resident_bytes"] and d["merging_pages"] is not None
                               for d in daemon.ask("report")["domains"]), "figures of each")
        self.assertGreater(fds(daemon.process.pid), HUNDREDS)


class Identity(ChurnTestCase):

    def redefine(self, libvirtd, old, xml):
        path = libvirtd.base + "/libvirt/new.xml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(xml)
        libvirtd.virsh("destroy " + old, "undefine " + old, "define " + path)

    def test_a_domain_that_got_another_name_is_the_same_under_the_new_one(self):
        libvirtd, daemon = self.pair()
        uuid = daemon.ask("list")["domains"][0]["uuid"]
        self.redefine(libvirtd, TEST_NAME, domain_xml("renamed", uuid))
        libvirtd.virsh("start renamed")
        self.wait_names(daemon, "renamed")
        for command in "list", "report", "explain":
            domain, = daemon.ask(command)["domains"]
            self.assertEqual((domain["name"], domain["uuid"]), ("renamed", uuid), command)
        self.assert_done(daemon.client("report", TEST_NAME), 3, TEST_NAME)
        self.assertRegex(daemon.log(), r"virtksmd: %s: has ended .*\nvirtksmd: renamed: runs "
                         % TEST_NAME)

    def test_another_domain_under_an_old_name_is_another_domain(self):
        libvirtd, daemon = self.pair()
        before, = daemon.ask("list")["domains"]
        self.redefine(libvirtd, TEST_NAME, domain_xml(TEST_NAME, OTHER_UUID))
        libvirtd.virsh("start " + TEST_NAME)
        wait_until(lambda: [d["uuid"] for d in daemon.ask("list")["domains"]] == [OTHER_UUID],
                   lambda: "the new one alone: %s" % daemon.ask("list"))
        after, = daemon.ask("list")["domains"]
        self.assertLess(after["seen_ms"], before["seen_ms"] + 60000)
        domain, = daemon.ask("report", TEST_NAME)["domains"]
        self.assertEqual(domain["uuid"], OTHER_UUID)
        told = re.findall("virtksmd: %s: (runs|has ended) " % TEST_NAME, daemon.log())
        self.assertEqual(told, ["runs", "has ended", "runs"])

    def test_undefined_while_it_runs_it_runs_on_until_it_ends(self):
        libvirtd, daemon = self.pair()
        before = {d["name"]: d["id"] for d in daemon.ask("list")["domains"]}
        libvirtd.virsh("undefine " + TEST_NAME)
        daemon.ask("kick")
        self.assertEqual({d["name"]: d["id"] for d in daemon.ask("list")["domains"]}, before)
        self.assertNotIn("%s: has ended" % TEST_NAME, daemon.log())
        libvirtd.virsh("destroy " + TEST_NAME)
        self.wait_names(daemon)
        self.assertIn("%s: has ended (libvirt: stopped" % TEST_NAME, daemon.log())


if __name__ == "__main__":
    main()
