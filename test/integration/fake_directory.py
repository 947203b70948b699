#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_directory.py - sandboxes come and go in watched folders, and so do the folders"""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402

SBS = "run/vc/sbs"
CONFIG = "[directory]\npaths = /run/vc/sbs\n"


class Directory(FakeTestCase):

    def watched(self):
        host = self.host()
        return host, self.started(host=host, config=CONFIG)

    def source(self, daemon):
        source, = [s for s in daemon.ask("status")["sources"] if s["name"] == "directory"]
        return source

    def assert_names(self, daemon, *names):
        wait_until(lambda: daemon.names() == sorted(names),
                   lambda: "%s; now %s" % (names, daemon.names()))

    def test_a_pod_that_starts_moves_ksm_and_is_listed_until_it_ends(self):
        host, daemon = self.watched()
        self.assertEqual(self.source(daemon)["state"], "waiting")
        self.assertIn("no such folder", self.source(daemon)["detail"])
        os.makedirs(host.path(SBS + "/a1b2c3"))
        self.assert_names(daemon, "a1b2c3")
        self.assertEqual(host.ksm("run"), 1)
        self.assertEqual(self.source(daemon)["state"], "open")
        self.assertIsNone(daemon.ask("report")["domains"][0]["saved_pages"])
        os.rmdir(host.path(SBS + "/a1b2c3"))
        self.assert_names(daemon)
        self.assertEqual(self.source(daemon)["events"], 2)

    def test_a_folder_that_vanishes_takes_its_pods_along_and_may_come_back(self):
        host, daemon = self.watched()
        for turn in range(5):
            os.makedirs(host.path(SBS + "/one"))
            os.makedirs(host.path(SBS + "/two-%d" % turn))
            self.assert_names(daemon, "one", "two-%d" % turn)
            shutil.rmtree(host.path("run"))
            self.assert_names(daemon)

    def test_pods_that_were_there_before_the_daemon_are_found(self):
        host = self.host()
        for name in "one", "two":
            os.makedirs(host.path("%s/%s" % (SBS, name)))
        daemon = self.started(host=host, config=CONFIG)
        self.assert_names(daemon, "one", "two")

    def test_a_folder_of_a_uuid_is_that_domain(self):
        host, daemon = self.watched()
        uuid = "97cd1ea4-e674-4dc9-9f7f-7b618b2fc9e7"
        qemu = host.add_qemu("anything", uuid, resident_pages=100)
        os.makedirs(host.path("%s/%s" % (SBS, uuid.upper())))
        self.assert_names(daemon, uuid)
        wait_until(lambda: daemon.ask("list")["domains"][0]["pid"] == qemu.pid, "its process")

    def test_names_that_are_no_text_are_shown_without_harm(self):
        host, daemon = self.watched()
        os.makedirs(host.path(SBS))
        os.mkdir(os.path.join(os.fsencode(host.path(SBS)), b"a\xff\n\x1b[2J"))
        self.assert_names(daemon, "a\\xff\\x0a\\x1b[2J")


if __name__ == "__main__":
    main()
