#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""support_selftest.py - guests contain what a test ordered, and KSM finds it

The other real tests rely on the page counts checked here. KSM is driven by hand.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import Domain, RealTestCase, ksm, main, wait_until  # noqa: E402

MIB = 1 << 20
PAGE_BYTES = 4096
PAGES_PER_MIB = 256

# What firmware, loader and the guest itself leave behind besides the content ordered; about a
# quarter of it was seen.
SLACK_PAGES = 600


class Guests(RealTestCase):

    def start(self, *contents, **options):
        """Domains with these contents, filled."""
        return [self.domain("guest%d" % number, content=content, **options).start()
                for number, content in enumerate(contents)]

    def assert_merged(self, domain, mib):
        pages = domain.ksm()["ksm_merging_pages"]
        self.assertGreaterEqual(pages, mib * PAGES_PER_MIB, domain.name)
        self.assertLessEqual(pages, mib * PAGES_PER_MIB + SLACK_PAGES, domain.name)

    def merge(self):
        ksm.drive(smart_scan=0)
        ksm.wait_settled()

    def test_common_content_merges_and_unique_does_not(self):
        one, two = self.start({"common": 32, "unique": 16, "seed": 1},
                              {"common": 32, "unique": 16, "seed": 2})
        self.merge()
        self.assert_merged(one, 32)
        self.assert_merged(two, 32)
        self.assertGreaterEqual(ksm.read("pages_shared"), 32 * PAGES_PER_MIB)
        self.assertGreaterEqual(ksm.read("pages_unshared"), 2 * 16 * PAGES_PER_MIB)

    def test_unique_content_of_one_seed_is_alike_and_free_content_too(self):
        one, two = self.start({"unique": 16, "free": 8, "seed": 5},
                              {"unique": 16, "free": 8, "seed": 5})
        self.merge()
        self.assert_merged(one, 24)
        self.assert_merged(two, 24)

    def test_zeros_cost_nothing_afterwards(self):
        one, = self.start({"zero": 16, "unique": 16})
        before = one.resident_bytes()

        # From Linux 6.12 on a huge page that KSM splits loses its zeros to the zero page, unseen
        # by KSM's counters, one huge page in each scan; otherwise zeros merge.
        def pages_spared():
            freed = (before - one.resident_bytes()) // PAGE_BYTES
            return one.ksm()["ksm_merging_pages"] + freed

        self.merge()
        wait_until(lambda: pages_spared() >= 15 * PAGES_PER_MIB, "zeros spared")

    def test_late_content_merges_later(self):
        one, two = self.start({"unique": 16, "seed": 1, "late": 3},
                              {"unique": 16, "seed": 2, "late": 3})
        self.merge()
        self.assertIn("LATE", two.wait_for("LATE").console_text())
        self.merge()
        self.assert_merged(one, 16)
        self.assert_merged(two, 16)

    def test_split_content_leaves_again(self):
        one, two = self.start({"common": 16, "seed": 1},
                              {"common": 16, "seed": 2, "split": 4})
        two.suspend()
        self.assertNotIn("SPLIT", two.console_text())
        self.merge()
        self.assert_merged(one, 16)
        two.resume()
        two.wait_for("SPLIT")
        self.merge()
        self.assert_merged(two, 0)

    def test_volatile_content_is_seen_as_volatile(self):
        one, = self.start({"volatile": 4, "rate": 200000})
        # The guest writes 18 times a second, so scans must be farther apart than that.
        ksm.drive(smart_scan=0, sleep_millisecs=200)
        ksm.wait_full_scans(4)
        wait_until(lambda: ksm.read("pages_volatile") >= 4 * PAGES_PER_MIB, "pages volatile")
        self.assert_merged(one, 0)

    def test_memory_that_is_kept_from_ksm_does_not_merge(self):
        self.start({"common": 16})
        for name, backing in ("nosharepages", Domain.NOSHAREPAGES), ("memfd", Domain.MEMFD):
            with self.subTest(backing=backing):
                kept = self.domain(name, content={"common": 16}, backing=backing).start()
                self.merge()
                # QEMU's few other blocks of memory may still merge.
                self.assert_merged(kept, 0)

    def test_balloon_takes_free_pages_and_gives_them_back(self):
        one, = self.start({"unique": 16, "free": 64})
        resident = one.resident_bytes()
        one.set_balloon(48)
        wait_until(lambda: one.memory_statistics()["actual"] == 48 * 1024, "balloon inflated")
        self.assertLess(one.resident_bytes(), resident - 40 * MIB)
        wait_until(lambda: one.memory_statistics()["unused"] < 32 * 1024, "fresh statistics")
        one.set_balloon(96)
        wait_until(lambda: one.memory_statistics()["actual"] == 96 * 1024, "balloon deflated")
        wait_until(lambda: one.memory_statistics()["unused"] > 70 * 1024, "fresh statistics")

    def test_balloon_gets_stuck_at_what_is_used(self):
        one, = self.start({"unique": 48})
        one.set_balloon(32)
        wait_until(lambda: one.memory_statistics()["actual"] < 54 * 1024, "balloon inflated")
        self.assertGreater(one.memory_statistics()["actual"], 48 * 1024)

    def test_balloon_without_driver_gives_no_statistics(self):
        one, = self.start({"balloon": 0})
        self.assertNotIn("unused", one.memory_statistics())

    def test_idle_guest_costs_next_to_nothing(self):
        one, = self.start({"unique": 16})
        before = one.cpu_seconds()
        time.sleep(3)
        self.assertLess(one.cpu_seconds() - before, 0.1)


if __name__ == "__main__":
    main()
