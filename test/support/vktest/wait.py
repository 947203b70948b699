# SPDX-License-Identifier: LGPL-2.1-or-later
"""wait.py - wait for a condition instead of for a time

Limits are given for a machine of today; one that is emulated multiplies them by VIRTKSM_PATIENCE.
"""
import os
import time

PATIENCE = float(os.environ.get("VIRTKSM_PATIENCE", "1"))
POLL_SECONDS = 0.05


def wait_until(condition, what, seconds=30, pause=POLL_SECONDS):
    """Calls condition() until it returns something true, and returns that.

    After that many seconds the test fails, saying what it waited for: a text, or a function that
    makes it when it is needed. It is looked at again after each pause.
    """
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError("not within %g s: %s" % (seconds, text))
        time.sleep(pause)
