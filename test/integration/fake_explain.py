#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_explain.py - explain tells the rule, the bound that held, and the decisions before"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402

KEPT = 16


class Explain(FakeTestCase):

    def test_rule_bound_and_change_of_each_mode(self):
        daemon = self.started(config="[ksm]\naggressive_s = 77\n")
        for mode, rule, bound in (("classic", "classic", "aggressive_s = 77 seconds"),
                                  ("fixed", "fixed", "mode = fixed"),
                                  ("observe", "auto", None), ("off", "off", "mode = off"),
                                  ("auto", "auto", None)):
            with self.subTest(mode=mode):
                daemon.ask("mode", mode)
                if mode == "classic":
                    daemon.ask("kick")
                explain = daemon.ask("explain")
                self.assertEqual((explain["mode"], explain["rule"], explain["bound"]),
                                 (mode, rule, bound))
                self.assertGreater(len(explain["change"]), 10)

    def test_the_newest_decision_comes_first_and_alike_ones_are_one(self):
        daemon = self.started()
        first = daemon.ask("explain")["decisions"]
        self.assertEqual([d["reason_name"] for d in first], ["no-domain"])
        for _ in range(3):
            daemon.ask("mode", "fixed")
        wait_until(lambda: daemon.ask("explain")["decisions"][0]["decisions"] >= 3, "alike ones")
        explain = daemon.ask("explain")
        newest, oldest = explain["decisions"]
        self.assertEqual((newest["mode"], newest["reason_name"], newest["applied"]),
                         ("fixed", "mode-fixed", "done"))
        self.assertEqual(newest["wanted"]["run"], 1)
        self.assertEqual(newest["reason"], explain["reason"])
        self.assertEqual((oldest["mode"], oldest["reason_name"]), ("auto", "no-domain"))
        self.assertGreaterEqual(oldest["first_ms"], newest["first_ms"])
        self.assertGreaterEqual(newest["first_ms"], newest["last_ms"])
        self.assertIn("no domain is running", daemon.client("explain").out)

    def test_only_the_last_ones_are_kept(self):
        daemon = self.started()
        for number in range(KEPT):
            daemon.ask("mode", "fixed" if number % 2 else "off")
        decisions = daemon.ask("explain")["decisions"]
        self.assertEqual(len(decisions), KEPT)
        self.assertNotIn("auto", [d["mode"] for d in decisions])


if __name__ == "__main__":
    main()
