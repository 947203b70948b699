#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tally.py BUILD=JUNIT_FILE... - one line per build from what ctest has written

A skipped test is a failure: nobody would notice that it never runs. The exception is a test whose
output says that this machine cannot run it, in a line "SKIP-BECAUSE-MACHINE: reason"; it is listed.
A program in which a single test skipped itself passes for ctest; here it has skipped.
A build may have several files; a file that is missing has no tests in it.
"""
import os
import re
import sys
import xml.etree.ElementTree as ElementTree

REASON = re.compile(r"^SKIP-BECAUSE-MACHINE: *(\S.*)$", re.M)
CMOCKA_SKIPPED = re.compile(r"^\[  SKIPPED \] \w", re.M)


class Tally:
    """Outcomes of one build; troubles are lines that somebody must look at."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.reasons = []
        self.troubles = []

    def add(self, case):
        name, status = case.get("name"), case.get("status")
        output = case.findtext("system-out") or ""
        note = case.find("skipped")
        reasons = REASON.findall(output)
        if status == "run" and not reasons and not CMOCKA_SKIPPED.search(output):
            self.passed += 1
        elif status in ("run", "disabled") or \
                (note is not None and note.get("message", "").startswith("SKIP_RETURN_CODE")):
            self.skipped += 1
            self.reasons += ["%s: %s" % (name, reason) for reason in reasons]
            if not reasons:
                self.troubles.append("%s: skipped, without saying why" % name)
        else:
            self.failed += 1
            self.troubles.append("%s: failed" % name)

    def total(self):
        return self.passed + self.failed + self.skipped


def main():
    tallies = {}
    for argument in sys.argv[1:]:
        build, path = argument.split("=", 1)
        tally = tallies.setdefault(build, Tally())
        if os.path.exists(path):
            for case in ElementTree.parse(path).getroot().iter("testcase"):
                tally.add(case)
    good = bool(tallies)
    for build, tally in tallies.items():
        if tally.total() == 0:
            tally.troubles.append("no tests")
        for line in tally.troubles:
            print("%s: %s" % (build, line))
        for line in tally.reasons:
            print("%s: not on this machine: %s" % (build, line))
        good = good and not tally.troubles
    for build, tally in tallies.items():
        print("%s: %d passed, %d failed, %d skipped" % (build, tally.passed, tally.failed,
                                                        tally.skipped))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
