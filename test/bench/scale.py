#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""scale.py - what the daemon takes beside 1, 10, 100 and 1,000 running domains, while one comes and
goes

The domains are real to libvirt, in its test driver, behind a libvirtd of the bench's own; their
processes are plain files. What real ones cost is measured by event_latency.py.

    VIRTKSMD=build/agent/virtksmd VIRTKSM=build/agent/cli/virtksm \\
        test/bench/scale.py [STARTS [DOMAINS...]]    200 starts beside each number by default
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
import footprint  # noqa: E402
from fakecase import FakeDaemon, wait_until  # noqa: E402
from fakehost import FakeHost  # noqa: E402
from fakelibvirt import (TEST_NAME, TEST_UUID, FakeLibvirtd, domain_xml,  # noqa: E402
                         uuid_of)

STARTS = 200
NUMBERS = (1, 10, 100, 1000)


class Case:
    """A daemon beside so many domains."""

    def __init__(self, number):
        self.number = number
        self.host = FakeHost()
        self.libvirtd = FakeLibvirtd(self.host.base)
        self.port = footprint.free_port()
        self.daemon = FakeDaemon(self.host, config=footprint.config(self.port),
                                 connect=self.libvirtd.uri)

    def open(self):
        self.host.add_qemu(TEST_NAME, TEST_UUID, resident_pages=50000, mergeable_pages=1000)
        self.libvirtd.start().hold()
        self.libvirtd.define("guest")
        commands = []
        for number in range(1, self.number):
            name = "d%04d" % number
            self.host.add_qemu(name, uuid_of(number), resident_pages=50000, mergeable_pages=1000)
            commands += ["define " + self.write_definition(name, number), "start " + name]
        if commands:
            self.libvirtd.virsh(*commands)
        self.daemon.start()
        self.wait_domains(self.number)
        wait_until(lambda: all(d["pid"] for d in self.daemon.ask("list")["domains"]),
                   "the processes are found", 120)

    def write_definition(self, name, number):
        path = "%s/%s.xml" % (self.host.base, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(domain_xml(name, uuid_of(number)))
        return path

    def close(self):
        try:
            self.daemon.stop()
        finally:
            self.libvirtd.close()
            self.host.close()

    def wait_domains(self, number):
        wait_until(lambda: self.daemon.ask("status")["domains"] == number, "%d domains" % number)

    def reactions_ms(self, starts):
        """One for each start."""
        times = []
        for _ in range(starts):
            self.libvirtd.virsh("start guest")
            self.wait_domains(self.number + 1)
            times.append(self.daemon.ask("status")["reaction_us"] / 1000)
            self.libvirtd.virsh("destroy guest")
            self.wait_domains(self.number)
        return times


def main():
    starts, *numbers = [int(word) for word in sys.argv[1:]] or [STARTS]
    table = footprint.Table()
    for number in numbers or NUMBERS:
        case = Case(number)
        try:
            case.open()
            reactions = case.reactions_ms(starts)
            table.add(number, case.daemon.process.pid,
                      footprint.tick_ms(case.daemon, case.port), reactions)
        finally:
            case.close()


if __name__ == "__main__":
    main()
