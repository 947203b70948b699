#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_demo.py - what the demo, and tests on the real host, take for this host's libvirtd"""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, run_program, wait_until  # noqa: E402
from processes import children  # noqa: E402
from vktest.host import SOURCE_DIR, is_of_another_host, program_of  # noqa: E402

# Any other program may be looked for, and this one is in nobody's way.
NAME = "vktest-libvirtd"
LIBVIRTD_SH = SOURCE_DIR + "/packaging/demo/libvirtd.sh"


class Libvirtd(FakeTestCase):

    def libvirtd(self, *wrapper, **variables):
        """Process id of a program that has the name, and does nothing."""
        base = self.host().base
        path = shutil.copy(shutil.which("sleep"), base + "/" + NAME)
        process = subprocess.Popen([*wrapper, path, "1000"], env={**os.environ, **variables})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def named():
            return [pid for pid in [process.pid, *children(process.pid)]
                    if program_of(pid) == NAME]
        return wait_until(named, "it runs")[0]

    def assert_of_the_host(self, pid, want):
        script = '. "$1" && libvirtd_find "$2"'
        done = run_program(["bash", "-c", script, "bash", LIBVIRTD_SH, NAME])
        self.assert_done(done, 0)
        self.assertEqual(str(pid) in done.out.split(), want)
        self.assertEqual(not is_of_another_host(pid), want)

    def test_a_libvirtd_is_the_hosts(self):
        self.assert_of_the_host(self.libvirtd(), True)

    def test_one_with_drivers_of_its_own_is_not(self):
        self.assert_of_the_host(self.libvirtd(LIBVIRT_DRIVER_DIR="/nonexistent"), False)

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a container")
    def test_one_in_a_container_is_not(self):
        self.assert_of_the_host(self.libvirtd("unshare", "--pid", "--fork", "--kill-child"), False)


if __name__ == "__main__":
    main()
