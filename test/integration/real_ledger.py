#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_ledger.py - where the memory of real domains is, held against what the kernel says of them

What QEMU uses is held against smaps, which the daemon never reads. The sums are looked at in every
sample while domains come and go and KSM is stopped, started and told to unmerge.
"""
import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import Domain, RealTestCase, ksm, main, wait_until  # noqa: E402
from vktest.case import row_of  # noqa: E402

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGESIZE")
PAGES_PER_MIB = MIB // PAGE
QUICK = "[ksm]\nsettle_ms = 500\n"
KINDS = ("video", "translation", "heap", "stack", "other")
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$")


def read_smaps(pid):
    """Mappings as dictionaries: size, rights, name, Rss in bytes and the flags."""
    mappings = []
    with open("/proc/%d/smaps" % pid, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = MAPPING.match(line)
            if match:
                start, end = int(match.group(1), 16), int(match.group(2), 16)
                mappings.append({"size": end - start, "rights": match.group(3),
                                 "name": match.group(4)})
            elif line.startswith("Rss:"):
                mappings[-1]["rss"] = 1024 * int(line.split()[1])
            elif line.startswith("KSM:"):  # from Linux 6.7 on
                mappings[-1]["rss"] -= 1024 * int(line.split()[1])
            elif line.startswith("VmFlags:"):
                mappings[-1]["flags"] = line.split()[1:]
    return mappings


def overhead_in_smaps(pid, memory_bytes):
    """What is resident beside the guest's memory; the same of devices, and of translated code."""
    rest = [m for m in read_smaps(pid) if m["size"] != memory_bytes]
    # QEMU has the memory that it gives to the machine, and no other, left out of forks.
    device = [m for m in rest if "dc" in m["flags"]]
    translated = [m for m in rest if m["rights"].startswith("rwx")]
    return [sum(m["rss"] for m in some) for some in (rest, device, translated)]


class LedgerTestCase(RealTestCase):

    def assert_adds_up(self, report):
        super().assert_adds_up(report)
        for row in report["domains"]:
            self.assert_row_adds_up(row)

    def assert_row_adds_up(self, row):
        if row["overhead_bytes"] is not None:
            self.assertEqual(row["overhead_bytes"],
                             sum(row["overhead_%s_bytes" % kind] for kind in KINDS), row)
            self.assertGreaterEqual(row["overhead_peak_bytes"], row["overhead_bytes"], row)
        if not row["untouched_bytes"]:
            return  # not known, or nothing is left
        guest = max(row["resident_bytes"] - row["overhead_bytes"], 0)
        known = guest + row["untouched_bytes"] + row["ballooned_bytes"] + row["swapped_bytes"] + \
            (row["ksm_zero_pages"] or 0) * PAGE
        self.assertAlmostEqual(known, row["maximum_bytes"], delta=MIB, msg=row)

    def wait_measured(self, daemon, *domains):
        def are_measured():
            report = daemon.ask("report")
            return all((row_of(report, d) or {}).get("overhead_bytes") for d in domains)
        wait_until(are_measured, lambda: "overhead of %s in %s" % (
            [d.name for d in domains], daemon.ask("report")), 30)


class Overhead(LedgerTestCase):

    HUGE_FOLDER = "/run/vktest-huge"
    HUGE_NUMBER = "/proc/sys/vm/nr_hugepages"
    HUGE_PAGES = 45  # of 2 MiB

    @classmethod
    def setUpClass(cls):
        """libvirtd looks for huge pages when it starts, which is after this."""
        with open(cls.HUGE_NUMBER, encoding="ascii") as file:
            found = int(file.read())
        cls.addClassCleanup(cls.give_huge_pages_back, found)
        cls.set_huge_pages(found + cls.HUGE_PAGES)
        os.makedirs(cls.HUGE_FOLDER, exist_ok=True)
        subprocess.run(["mount", "-t", "hugetlbfs", "none", cls.HUGE_FOLDER], check=True)
        super().setUpClass()

    @classmethod
    def set_huge_pages(cls, number):
        with open(cls.HUGE_NUMBER, "w", encoding="ascii") as file:
            file.write("%d" % number)

    @classmethod
    def give_huge_pages_back(cls, number):
        subprocess.run(["umount", cls.HUGE_FOLDER], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(cls.HUGE_FOLDER, ignore_errors=True)
        cls.set_huge_pages(number)

    def assert_within(self, measured, smaps, delta):
        """Between what smaps said before and afterwards: memory becomes huge pages meanwhile."""
        self.assertGreaterEqual(measured, min(smaps) - delta)
        self.assertLessEqual(measured, max(smaps) + delta)

    def test_what_qemu_uses_is_what_smaps_says_of_it(self):
        """Four kinds: plain, with video memory, memory that is shared, and huge pages."""
        guests = {
            self.domain("plain", memory_mib=97, content={"common": 32, "unique": 16}): 97,
            self.domain("video", memory_mib=145, content={"common": 64},
                        devices=Domain.VIDEO): 145,
            self.domain("shared", memory_mib=81, content={"common": 40},
                        backing=Domain.MEMFD): 81,
            self.domain("huge", memory_mib=82, content={"common": 40},
                        backing=Domain.HUGE_PAGES): 82,
        }
        for domain in guests:
            domain.start()
        before = {d: overhead_in_smaps(d.pid, mib * MIB) for d, mib in guests.items()}
        # Nothing is merged, so that memory of devices stays what it is.
        daemon = self.daemon("--mode", "observe").start()
        self.wait_measured(daemon, *guests)
        report = daemon.ask("report")
        self.assert_adds_up(report)
        for domain, mib in guests.items():
            row = row_of(report, domain)
            smaps = list(zip(before[domain], overhead_in_smaps(domain.pid, mib * MIB)))
            total, device, translated = smaps
            print("%s: measured %.1f MiB, smaps %.1f to %.1f MiB (%s)" % (
                domain.name, row["overhead_bytes"] / MIB, total[0] / MIB, total[1] / MIB,
                ", ".join("%s %.1f" % (kind, row["overhead_%s_bytes" % kind] / MIB)
                          for kind in KINDS)))
            self.assertGreater(min(total), 16 * MIB, "smaps of %s tells nothing" % domain.name)
            self.assert_within(row["overhead_bytes"], total, max(min(total) / 20, 2 * MIB))
            self.assert_within(row["overhead_video_bytes"], device, MIB)
            self.assert_within(row["overhead_translation_bytes"], translated, MIB)
            self.assertLess(row["overhead_sampled_ago_ms"], 30000)
            # 40 MiB of content at least are in memory, wherever they are counted.
            self.assertGreater(row["resident_bytes"] - row["overhead_bytes"], 40 * MIB)
            self.assertGreater(row["hard_limit_advice_bytes"],
                               row["maximum_bytes"] + row["overhead_peak_bytes"])

    def test_where_the_memory_of_a_domain_is(self):
        """Ballooned, free in the guest and never touched, as the guest was told to have it."""
        daemon = self.daemon(config=QUICK).start()
        one = self.domain("places", memory_mib=97, content={"common": 16, "free": 24}).start()
        one.set_balloon(81)
        self.wait_measured(daemon, one)
        # 16 MiB of what was free are the balloon's. What the guest tells of it is of another moment
        # than what the host sees, until both stand still.
        reports = []

        def stands_still():
            reports.append(daemon.ask("report"))
            row = row_of(reports[-1], one)
            return row["ballooned_bytes"] == 16 * MIB and row["guest_free_bytes"] is not None and \
                abs(row["guest_free_bytes"] - 8 * MIB) <= 4 * MIB

        wait_until(stands_still, lambda: "balloon and statistics in %s" % reports[-1], 30)
        report = reports[-1]
        row = row_of(report, one)
        self.assert_adds_up(report)
        self.assertEqual(row["maximum_bytes"], 97 * MIB)
        self.assertEqual(row["swapped_bytes"], 0)
        # 16 MiB are content and 8 of what was free are left; the rest was never written.
        self.assertAlmostEqual(row["untouched_bytes"], (97 - 16 - 24 - 4) * MIB, delta=6 * MIB)
        print("free in the guest, but held: %.1f MiB" % (row["guest_free_bytes"] / MIB))
        self.assertAlmostEqual(row["guest_free_bytes"], 8 * MIB, delta=4 * MIB)


class Churn(LedgerTestCase):

    def wait_merged(self, daemon, domain, mib):
        wait_until(lambda: row_of(daemon.ask("report"), domain)["merging_pages"] >
                   mib * PAGES_PER_MIB, lambda: "merged: %s" % daemon.ask("report"), 60)

    def wait_looked(self, daemon, domain):
        """A report is read at once, what a domain costs or loses is counted by a full tick."""
        counted = row_of(daemon.ask("report"), domain)["ksmd_cpu_us"]
        daemon.ask("kick")
        wait_until(lambda: row_of(daemon.ask("report"), domain)["ksmd_cpu_us"] > counted,
                   lambda: "a full tick: %s" % daemon.ask("report"), 30)

    def wait_nothing_left_over(self, daemon, *domains):
        """The sums are made exact, whatever was read: what no domain has, others have. Nobody else
        merges on this host, so nothing is theirs when what was read is right."""
        def is_exact():
            report = daemon.ask("report")
            return report["steady"] and report["others"]["merging_pages"] == 0 and \
                all(row_of(report, d)["merging_pages"] > 16 * PAGES_PER_MIB for d in domains)
        wait_until(is_exact, lambda: "domains have all that is merged: %s" % daemon.ask("report"),
                   60)

    def test_the_sums_hold_in_every_sample_of_a_churning_run(self):
        daemon = self.daemon(config=QUICK).start()
        stop = threading.Event()
        failures, samples, saving = [], [], []

        def sample():
            while not stop.is_set() and not failures:
                try:
                    report = daemon.ask("report")
                    self.assert_adds_up(report)
                    samples.append(len([r for r in report["domains"] if r["untouched_bytes"]]))
                    saving.append(any(row["saved_pages"] for row in report["domains"]))
                except Exception as failure:  # told by the test, whatever it is
                    failures.append(failure)

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            stays = self.domain("stays", content={"common": 24}).start()
            for turn in range(3):
                pair = [self.domain("churn%d" % i, content={"common": 24, "seed": turn + 1},
                                    devices=(Domain.VIDEO, "")[i]).start() for i in range(2)]
                self.wait_measured(daemon, *pair)
                self.wait_nothing_left_over(daemon, stays, *pair)
                daemon.client("mode", ("off", "auto", "observe")[turn])
                ksm.write("run", (0, 2, 1)[turn])
                pair[turn % 2].destroy()
                time.sleep(0.5)
                daemon.client("mode", "auto")
                pair[1 - turn % 2].destroy()
            stays.destroy()
        finally:
            stop.set()
            thread.join()
        daemon.found["run"] = 1  # since it has observed
        self.assertEqual(failures, [])
        self.assertGreater(len(samples), 100)
        self.assertGreater(sum(samples), 20, "too few rows had all their figures")
        self.assertGreater(sum(saving), 20, "too few samples in which anything was saved")
        print("%d samples, %d with savings; all add up" % (len(samples), sum(saving)))

    def test_broken_merges_and_the_cost_of_scanning_are_told(self):
        daemon = self.daemon(config=QUICK).start()
        breaks = self.domain("breaks", content={"common": 16, "seed": 1, "split": 12}).start()
        breaks.suspend()
        keeps = self.domain("keeps", content={"common": 16, "seed": 2}).start()
        self.wait_merged(daemon, breaks, 12)
        self.wait_looked(daemon, breaks)
        before = daemon.ask("report")
        breaks.resume()
        breaks.wait_for("SPLIT", 60)
        wait_until(lambda: row_of(daemon.ask("report"), breaks)["merges_broken_pages"] >
                   8 * PAGES_PER_MIB, lambda: "broken merges: %s" % daemon.ask("report"), 30)
        report = daemon.ask("report")
        self.assertLess(row_of(report, keeps)["merges_broken_pages"], 2 * PAGES_PER_MIB)
        if before["host"]["cow_ksm_breaks"] is not None:
            self.assertGreater(report["host"]["cow_ksm_breaks"],
                               before["host"]["cow_ksm_breaks"] + 8 * PAGES_PER_MIB)
        costs = [row_of(report, domain)["ksmd_cpu_us"] for domain in (breaks, keeps)]
        self.assertGreater(min(costs), 0)
        self.assertLess(sum(costs), report["host"]["ksmd_cpu_us"])


if __name__ == "__main__":
    main()
