#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""left_behind.py - runs after all tests on a real host: libvirt finds no hook of theirs

A test that was killed, for example because its time was over, cannot take its hook away.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import main  # noqa: E402
from vktest.host import Host  # noqa: E402


class LeftBehind(unittest.TestCase):

    def test_no_hook(self):
        self.assertEqual(Host().sweep(), [], "left by a test that was killed, and now removed")


if __name__ == "__main__":
    main()
