# SPDX-License-Identifier: LGPL-2.1-or-later
"""skip.py - tests that not every machine can run; for C there is test/support/machine.h

Each says why in a line that test/check/tally.py looks for. Without it a skipped test is a failure.
"""
import sys


def skip_line(test, reason):
    """What is printed of a test that has skipped itself."""
    return "SKIP-BECAUSE-MACHINE: %s: %s" % (test, reason)


def skip_program(reason):
    """Ends a program of which this machine can run nothing."""
    print("SKIP-BECAUSE-MACHINE: " + reason)
    sys.exit(77)
