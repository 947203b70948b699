# SPDX-License-Identifier: LGPL-2.1-or-later
"""case.py - the base of every test on a real host"""
import os
import unittest

from . import ksm
from .daemon import Daemon
from .domain import Domain
from .host import Host
from .skip import skip_line


def row_of(answer, domain):
    """What an answer of virtksm says of a domain; None: nothing."""
    rows = [row for row in answer["domains"] if row["name"] == domain.name]
    return rows[0] if rows else None


class RealTestCase(unittest.TestCase):
    """Holds the host for the class; removes domains and daemons after each test.

    A daemon must end well and leave KSM as it found it, unless the test has killed it.

    A host that lacks something is a failure and not a reason to skip: whoever runs these tests
    wants to know.
    """

    host = None
    with_hook = False  # libvirtd shall have virtksm-hook

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise AssertionError("needs root")
        if not ksm.available():
            raise AssertionError("needs a kernel with KSM and a writable %s" % ksm.DIRECTORY)
        cls.host = Host(cls.with_hook)
        cls.addClassCleanup(cls.host.close)
        cls.host.open()

    def setUp(self):
        knobs = ksm.knobs()
        self.addCleanup(ksm.restore, knobs)
        self.addCleanup(self.host.remove_domains)

    def domain(self, name, **options):
        """A domain of this test, not started yet; see Domain."""
        return Domain(name, **options)

    def daemon(self, *args, **options):
        """A virtksmd of this test, not started yet; ends with the test. See Daemon."""
        daemon = Daemon(*args, **options)
        self.addCleanup(self._end, daemon)
        return daemon

    def _end(self, daemon):
        daemon.close()
        if daemon.found and not daemon.owes_ksm:
            self.assertEqual(ksm.knobs(), daemon.found, "KSM is not as virtksmd found it")

    def row(self, daemon, domain):
        """What the daemon's list has of a domain, once; None: nothing."""
        answer = daemon.ask("list")
        self.assertLessEqual([row["name"] for row in answer["domains"]].count(domain.name), 1,
                             "doubled")
        return row_of(answer, domain)

    def assert_adds_up(self, report):
        """The sums that agent/report/ledger.h promises, of the domains together."""
        host, others = report["host"], report["others"]
        saved = sum(row["saved_pages"] or 0 for row in report["domains"])
        merging = sum(row["merging_pages"] or 0 for row in report["domains"])
        self.assertEqual(saved + others["saved_pages"], host["saved_pages"], report)
        self.assertEqual(host["saved_pages"], host["pages_sharing"] + (host["ksm_zero_pages"] or 0))
        self.assertEqual(merging + others["merging_pages"],
                         host["pages_shared"] + host["pages_sharing"], report)


class _Result(unittest.TextTestResult):

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln(skip_line(test, reason))


def main():
    unittest.main(verbosity=2,
                  testRunner=unittest.TextTestRunner(verbosity=2, resultclass=_Result))
