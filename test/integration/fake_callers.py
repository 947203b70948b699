#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_callers.py - every method, called by real users, with every setting of access

The files of the sockets keep most of them out; each is judged again by who he is, so the files are
opened for all here.
"""
import os
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, WAIT_SECONDS, main  # noqa: E402

ROOT, GROUP, ALL = range(3)
# Debian's group "users"; nobody of these users is in the system's lists.
GROUP_NAME, GROUP_ID = "users", 100
USER = 54321
CALLERS = (("root", 0, 0, [], ROOT), ("its own group", USER, GROUP_ID, [], GROUP),
           ("a further group", USER, USER, [7, GROUP_ID], GROUP),
           ("another user", USER, USER, [], ALL), ("nobody", 65534, 65534, [65534], ALL))

READ, FIGURES, CHANGE, EXACT = range(4)
# What each method does; one that is missing here fails the test.
NEEDS = {
    "/virtksm.v1.Agent/Status": READ, "/virtksm.v1.Agent/List": READ,
    "/virtksm.v1.Agent/Watch": READ, "/virtksm.v1.Agent/Report": FIGURES,
    "/virtksm.v1.Agent/Explain": FIGURES, "/virtksm.v1.Agent/Doctor": FIGURES,
    "/virtksm.v1.Agent/History": FIGURES, "/virtksm.v1.Agent/WorkingSet": FIGURES,
    "/virtksm.v1.Agent/WatchWorkingSet": FIGURES, "/virtksm.v1.Agent/Trace": EXACT,
    "/virtksm.v1.Agent/Kick": CHANGE, "/virtksm.v1.Agent/SetMode": CHANGE,
    "/virtksm.v1.Agent/Set": CHANGE, "/ksm.KSMThrottler/Kick": CHANGE,
    "/KSMThrottler/Register": CHANGE, "/KSMThrottler/Events": CHANGE,
    "/grpc.health.v1.Health/Check": READ, "/grpc.health.v1.Health/Watch": READ,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": READ,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": READ,
}
# Settings, and the widest circle that they leave each need to.
RESTRICTED = ("", (GROUP, GROUP, GROUP, GROUP))
OPEN = ("read_only_for_all = true\n", (ALL, GROUP, GROUP, GROUP))
TOLD = ("read_only_for_all = true\ndomain_figures = all\n", (ALL, ALL, GROUP, GROUP))
CLOSED = ("read_only_for_all = true\ndomain_figures = root\n", (ALL, ROOT, GROUP, ROOT))
COARSE = ("domain_figures = all\nfigure_grain = 64\n", (GROUP, GROUP, GROUP, ROOT))


@unittest.skipUnless(os.geteuid() == 0, "only root can call as somebody else")
class Callers(FakeTestCase):

    def call_all(self, path, uid, gid, groups):
        """What became of each method."""
        done = subprocess.run([os.environ["VIRTKSM_CALLS"], path], user=uid, group=gid,
                              extra_groups=groups, check=False, timeout=WAIT_SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done)
        return dict(line.split() for line in done.stdout.splitlines())

    def check_socket(self, daemon, name, limits):
        path = os.path.join(daemon.runtime_dir, name)
        for who, uid, gid, groups, circle in CALLERS:
            results = self.call_all(path, uid, gid, groups)
            self.assertEqual(results.keys(), NEEDS.keys())
            for method, status in results.items():
                need = NEEDS[method]
                allowed = circle <= limits[need] and (need in (READ, FIGURES) or "-ro" not in name)
                self.assertEqual(status != "PERMISSION_DENIED", allowed,
                                 "%s at %s by %s: %s" % (method, name, who, status))
                self.assertNotIn(status, ("UNKNOWN", "INTERNAL", "UNAVAILABLE"), method)

    def check_setting(self, setting):
        text, limits = setting
        host = self.host()
        os.chmod(host.base, 0o755)
        daemon = self.started(host=host, config="[rpc]\ngroup = %s\n[access]\n%s"
                              % (GROUP_NAME, text))
        for name, is_open in (("virtksmd.sock", False), ("virtksmd-ro.sock", limits[READ] == ALL)):
            status = os.stat(os.path.join(daemon.runtime_dir, name))
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o666 if is_open else 0o660, name)
            self.assertEqual((status.st_uid, status.st_gid), (0, GROUP_ID), name)
            os.chmod(os.path.join(daemon.runtime_dir, name), 0o666)
        self.check_socket(daemon, "virtksmd-ro.sock", limits)
        self.assertEqual(host.settings(), (0, 100, 20), "a call that changes nothing has")
        self.check_socket(daemon, "virtksmd.sock", limits)

    def test_with_the_restriction_on_others_may_call_nothing(self):
        self.check_setting(RESTRICTED)

    def test_opened_others_may_read_what_is_of_the_host(self):
        self.check_setting(OPEN)

    def test_opened_wide_others_may_read_everything_and_change_nothing(self):
        self.check_setting(TOLD)

    def test_figures_of_domains_for_root_are_not_even_for_the_group(self):
        self.check_setting(CLOSED)

    def test_exact_figures_are_for_root_where_others_get_coarse_ones(self):
        self.check_setting(COARSE)

    def test_what_changes_something_is_at_no_socket_for_all(self):
        daemon = self.started(config="[access]\nread_only_for_all = true\n")
        modes = {name: stat.S_IMODE(os.stat(os.path.join(daemon.runtime_dir, name)).st_mode)
                 for name in os.listdir(daemon.runtime_dir)}
        self.assertEqual(modes, {"virtksmd.sock": 0o660, "virtksmd-ro.sock": 0o666,
                                 "hook.sock": 0o600})
        self.assertEqual(stat.S_IMODE(os.stat(daemon.runtime_dir).st_mode) & 0o022, 0)


if __name__ == "__main__":
    main()
