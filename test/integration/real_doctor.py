#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_doctor.py - doctor tells why real guests do not merge, and has nothing to say of one that does
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import Domain, RealTestCase, main, wait_until  # noqa: E402

PAGES_PER_MIB = 256
CALM = ("maintain", "rest")
# Firmware and video memory are not in the memfd, and merge; see support_selftest.py.
SLACK_PAGES = 600
QUICK = "[ksm]\nsettle_ms = 500\n"


class Doctor(RealTestCase):

    def test_guests_that_merge_and_guests_that_cannot(self):
        daemon = self.daemon(config=QUICK).start()
        content = {"common": 24, "unique": 4}
        twins = [self.domain("twin%d" % seed, content=dict(content, seed=seed)).start()
                 for seed in (1, 2)]
        alone = self.domain("alone", content=dict(content, seed=3),
                            backing=Domain.NOSHAREPAGES).start()
        shared = self.domain("shared", content=dict(content, seed=4),
                             backing=Domain.MEMFD).start()
        bare = self.domain("bare", content=dict(content, seed=5),
                           balloon=Domain.BALLOON_NONE).start()
        wait_until(lambda: daemon.ask("status")["phase"] in CALM,
                   lambda: "calm; now %s" % daemon.ask("explain"), 60)
        for twin in twins:
            self.assertGreaterEqual(twin.ksm()["ksm_merging_pages"], 24 * PAGES_PER_MIB)
            self.assertEqual(self.found(daemon, twin), {})
        self.assertEqual(alone.ksm()["ksm_merging_pages"], 0)
        self.assertEqual(self.found(daemon, alone), {"nosharepages": "<nosharepages/>"})
        self.assertLess(shared.ksm()["ksm_merging_pages"], SLACK_PAGES)
        self.assertEqual(self.found(daemon, shared), {"shared-memory": "96 of 96 MiB"})
        self.assertEqual(self.found(daemon, bare), {"no-balloon": "model='none'"})

    def found(self, daemon, domain):
        """Value of each finding in a domain, by id. Of its host there may be others."""
        done = daemon.client("--format", "json", "doctor", domain.name)
        self.assertIn(done.returncode, (0, 1), done)
        answer = json.loads(done.stdout)
        mine = [f for f in answer["findings"] if f["subject"] == "domain"]
        self.assertEqual({f["uuid"] for f in mine} - {domain.uuid}, set())
        self.assertEqual(done.returncode, 1 if answer["errors"] + answer["warnings"] else 0)
        return {f["id"]: f["value"] for f in mine}


if __name__ == "__main__":
    main()
