#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_log.py - nobody gets his own lines into the log, nor what his definition says

A tenant names his domains and writes their metadata.
"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import uuid_of, write_running  # noqa: E402

FORGED = "virtksmd: all is well"
NAMES = ("a&#10;" + FORGED, "b&#13;" + FORGED, "c %s%n%s %x", "d\u202e\u2028", "e&#127;&#133;",
         "f" * 5000,
         "g\u200b\u2060\u2029\ufeff", "h\ue000\U000e0041", "\u0645\u062b\u0627\u0644 \u4e2d \U0001f427")
SECRET = "correct-horse-battery-staple"
METADATA = "<description>%s</description><metadata><virtksm:policy " \
           "xmlns:virtksm='urn:virtksm:domain:1' password='%s'><virtksm:ksm weight='%s'/>" \
           "<virtksm:%s/></virtksm:policy></metadata>" % ((SECRET,) * 4)


class Log(FakeTestCase):

    def assert_clean(self, daemon, least):
        lines = daemon.log().split("\n")
        self.assertEqual(lines.pop(), "")
        self.assertGreater(len(lines), least)
        for line in lines:
            self.assertTrue(line.startswith("virtksmd: "), "not ours: %r" % line)
            self.assertNotEqual(line, FORGED)
            self.assertTrue(line.isprintable(), "not plain: %r" % line)
            self.assertLess(len(line), 8192)
        self.assertNotIn(SECRET, daemon.log())

    def test_names_and_metadata_of_libvirts_domains(self):
        host = self.host()
        uri = write_running(host.base, NAMES, {name: METADATA for name in NAMES})
        daemon = self.started("--log-level", "debug", host=host, connect=uri)
        wait_until(lambda: len(daemon.names()) == len(NAMES), lambda: "all: %s" % daemon.names())
        wait_until(lambda: "metadata" in daemon.log(), "what is wrong with it is told")
        for command in "kick", "explain", "report":
            daemon.ask(command)
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "read again" in daemon.log(), "it has reloaded")
        daemon.stop()
        self.assert_clean(daemon, len(NAMES))

    def test_what_a_hook_is_told(self):
        daemon = self.started("--log-level", "debug")
        definition = "<domain type='kvm'><name>x</name><uuid>%s</uuid>%s</domain>"
        for number, name in enumerate(("x\n" + FORGED, "\x1b[2J" + FORGED, "%n%s", "y" * 500)):
            for operation in "prepare", "start", "started", "reconnect", "no\n" + FORGED:
                text = definition % (uuid_of(number), METADATA + "<broken" * (number % 2))
                self.hook(daemon.hook_socket, name, operation, "begin", "-", data=text.encode())
        wait_until(lambda: len(daemon.names()) >= 2, lambda: "known: %s" % daemon.names())
        daemon.stop()
        self.assert_clean(daemon, 2)

    def test_what_a_client_asks_for(self):
        daemon = self.started("--log-level", "debug")
        for words in (["report", "x\n" + FORGED], ["explain", "\x1b[2J"], ["mode", "x\n" + FORGED],
                      ["set", "x\n" + FORGED, "ksm.weight=" + SECRET],
                      ["history", "%n%n%n"]):
            self.assertNotEqual(daemon.client(*words).code, 0)
        daemon.stop()
        self.assert_clean(daemon, 0)


if __name__ == "__main__":
    main()
