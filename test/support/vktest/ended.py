# SPDX-License-Identifier: LGPL-2.1-or-later
"""ended.py - how a daemon under test must not end, and what must not be in its log"""
import re

# Of sanitizers, valgrind, the C library and GLib.
COMPLAINTS = re.compile(r"(?:Address|Leak|Thread)Sanitizer|runtime error:|^==\d+== "
                        r"|Assertion|assertion"
                        r"|GLib[A-Za-z-]*-(?:CRITICAL|WARNING|ERROR)|\(process:\d+\)", re.M)


def check_end(code, log):
    """Fails if a daemon has ended with another code than 0 or has complained.

    A code of None says nothing: the test has killed it, or it never ran.
    """
    if code:
        raise AssertionError("virtksmd has ended with %d:\n%s" % (code, log))
    complaint = COMPLAINTS.search(log)
    if complaint:
        raise AssertionError("complaint in the log: %s\n%s" % (complaint.group(), log))
