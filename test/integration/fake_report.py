#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_report.py - the savings of all domains and of the others add up to the host's, always

Domains are those of a file for libvirt's test driver; each has a process below the fake /proc.
"""
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakehost import KSM  # noqa: E402
from fakelibvirt import uuid_of, write_running  # noqa: E402
from seed import seed  # noqa: E402

PAGE = os.sysconf("SC_PAGESIZE")
ROUNDS = 200
SEED = seed()
DOMAINS = ["d%d" % number for number in range(8)]
U64_MAX = 2 ** 64 - 1
# What was read is good for so long; then the next tick reads anew (READ_GAP_US in agent/gather.c).
READ_GAP = 0.11


class ReportTestCase(FakeTestCase):

    def with_domains(self, names, kernel="6.18", without=()):
        """Host, daemon and the process of each domain that has one."""
        host = self.host(kernel)
        uri = write_running(host.base, names)
        processes = [host.add_qemu(name, uuid_of(number), resident_pages=1000)
                     for number, name in enumerate(names) if name not in without]
        daemon = self.started("--mode", "observe", host=host, connect=uri)
        wait_until(lambda: len([d for d in daemon.ask("list")["domains"] if d["pid"]]) ==
                   len(processes), lambda: "processes found: %s" % daemon.ask("list"))
        return host, daemon, processes


class Identity(ReportTestCase):

    def fabricate(self, dice, host, processes):
        """Figures of one moment that fit together, as the kernel's do."""
        scale = dice.choice((1, 10, 1000, 10 ** 6, 10 ** 12))
        merging = [dice.choice((0, 1, dice.randrange(scale + 1))) for _ in processes]
        zero = [dice.choice((0, dice.randrange(scale + 1))) for _ in processes]
        strangers = dice.choice((0, dice.randrange(scale + 1)))
        total = sum(merging) + strangers
        shared = dice.randrange(total // 2 + 1) if total else 0
        for process, pages, zeros in zip(processes, merging, zero):
            process.set_ksm(merging=pages, rmap_items=pages + 5, zero=zeros)
        host.set_counters(pages_shared=shared, pages_sharing=total - shared,
                          ksm_zero_pages=sum(zero) + dice.randrange(3),
                          pages_unshared=dice.randrange(scale + 1), pages_volatile=7)

    def test_random_figures_add_up(self):
        dice = random.Random(SEED)
        host, daemon, processes = self.with_domains(DOMAINS)
        for number in range(ROUNDS):
            self.fabricate(dice, host, processes)
            report = daemon.ask("report")
            what = "round %d of seed %d" % (number, SEED)
            self.assert_sums(report, what)
            self.assertTrue(report["steady"], what)
            merged = report["host"]["pages_shared"] + report["host"]["pages_sharing"]
            for row, process in zip(report["domains"], processes):
                self.assertEqual(row["merging_pages"], process.merging, what)
                share = row["saved_pages"] - row["ksm_zero_pages"]
                exact = process.merging * report["host"]["pages_sharing"]
                self.assertLess(abs(share * merged - exact), max(merged, 1),
                                "%s: a share is off by a page or more" % what)

    def test_figures_that_contradict_each_other_add_up_too(self):
        dice = random.Random(SEED + 1)
        host, daemon, processes = self.with_domains(DOMAINS)
        numbers = (0, 1, 2, 1000, 2 ** 31, 2 ** 32, 2 ** 52, 2 ** 62)
        for number in range(ROUNDS // 4):
            for process in processes:
                process.set_ksm(*(dice.choice(numbers + (None,)) for _ in range(3)))
            for name in "pages_shared", "pages_sharing", "ksm_zero_pages", "pages_unshared":
                host.set_counter(name, dice.choice(numbers))
            self.assert_sums(daemon.ask("report"), "round %d of seed %d" % (number, SEED + 1))

    def test_counters_beyond_all_reason_do_no_harm(self):
        host, daemon, processes = self.with_domains(DOMAINS[:2])
        for value in U64_MAX, U64_MAX - 1, 2 ** 63, 2 ** 63 - 1:
            for process in processes:
                process.set_ksm(value, value, value)
            host.set_counters(pages_shared=value, pages_sharing=value, ksm_zero_pages=value)
            report = daemon.ask("report")
            self.assertEqual(len(report["domains"]), 2, "value %d" % value)

    def test_it_holds_on_old_kernels(self):
        for kernel, has_figures in (("6.1", True), ("5.10", False)):
            with self.subTest(kernel=kernel):
                host, daemon, processes = self.with_domains(DOMAINS[:3], kernel)
                processes[0].set_ksm(merging=60, rmap_items=80)
                processes[1].set_ksm(merging=30, rmap_items=80)
                processes[2].set_ksm(merging=0, rmap_items=80)
                host.set_counters(pages_shared=10, pages_sharing=90)
                report = daemon.ask("report")
                self.assert_sums(report, kernel)
                self.assertEqual([row["saved_pages"] for row in report["domains"]],
                                 [54, 27, 0] if has_figures else [None] * 3)
                self.assertEqual(report["others"]["saved_pages"], 9 if has_figures else 90)

    def test_it_holds_while_everything_moves(self):
        host, daemon, processes = self.with_domains(DOMAINS)
        for process in processes:
            process.mergeable_pages = 400
        host.echo("pages_to_scan", 500)
        host.echo("sleep_millisecs", 1)
        host.echo("run", 1)
        host.start_ksmd()
        for number in range(ROUNDS // 4):
            self.assert_sums(daemon.ask("report"), "report %d" % number)
            if number % 16 == 8:
                host.echo("run", 2)
            elif number % 16 == 12:
                host.echo("run", 1)


class Places(ReportTestCase):
    """Where the memory of host and domains is, and what KSM costs."""

    # What each kernel does not tell of a domain; the agent has cgroups of version 1 here.
    UNKNOWN = {
        "5.10": {"merging_pages", "saved_pages", "ksm_zero_pages", "metadata_bytes",
                 "net_saved_bytes", "profit_bytes", "unshare_bytes", "ksmd_cpu_us",
                 "merges_broken_pages"},
        "6.1": {"ksm_zero_pages", "profit_bytes"},
        "6.18": set(),
    }
    ALWAYS_UNKNOWN = {"group", "zswapped_bytes", "zswap_bytes", "guest_free_bytes"} | {
        # nobody asks for them, and nothing is reclaimed
        "floor_bytes", "ceiling_bytes", "need_bytes", "balloon_target_bytes", "limit_bytes"}
    UNKNOWN_OF_HOST = {
        "5.10": {"ksm_zero_pages", "profit_bytes", "zswapped_bytes", "zswap_bytes",
                 "cow_ksm_breaks"},
        "6.1": {"ksm_zero_pages", "profit_bytes"},
        "6.18": set(),
    }

    def full_tick(self, daemon):
        time.sleep(READ_GAP)
        ticks = daemon.ask("status")["ticks"]
        daemon.ask("mode", "observe")
        wait_until(lambda: daemon.ask("status")["ticks"] >= ticks + 2, "a full tick")

    def measured(self, daemon):
        """The first domain's row, once it has been measured and libvirt has told of it."""
        def row():
            return daemon.ask("report")["domains"][0]
        wait_until(lambda: self.full_tick(daemon) or (
            row()["overhead_bytes"] is not None and row()["stats_age_ms"] is not None),
                   lambda: "overhead in %s" % row())
        return row()

    def test_a_figure_that_the_kernel_lacks_is_null_and_no_other(self):
        for kernel in self.UNKNOWN:
            with self.subTest(kernel=kernel):
                host, daemon, processes = self.with_domains(["web"], kernel)
                processes[0].set_overhead(heap_pages=100)
                processes[0].set_ksm(merging=60, rmap_items=80, zero=5)
                row = self.measured(daemon)
                unknown = {name for name, value in row.items() if value is None}
                self.assertEqual(unknown, self.UNKNOWN[kernel] | self.ALWAYS_UNKNOWN)
                report = daemon.ask("report")["host"]
                unknown = {name for name, value in report.items() if value is None}
                self.assertEqual(unknown, self.UNKNOWN_OF_HOST[kernel])

    def test_the_places_of_a_domain_add_up_to_its_maximum(self):
        host, daemon, processes = self.with_domains(["web"])
        web, = processes
        web.set_resident(1000)
        web.set_overhead(heap_pages=100)
        web.set_paging(swapped_kib=4096, huge_kib=2048)
        web.set_ksm(merging=60, rmap_items=80, zero=16)
        host.set_counters(pages_shared=10, pages_sharing=90, ksm_zero_pages=16)
        row = self.measured(daemon)
        self.assertEqual(row["maximum_bytes"], 64 << 20)
        self.assertEqual(row["overhead_bytes"], 100 * PAGE)
        self.assertEqual(row["overhead_heap_bytes"], 100 * PAGE)
        self.assertEqual(row["overhead_peak_bytes"], 100 * PAGE)
        self.assertEqual(row["resident_bytes"], 1000 * PAGE + (2 << 20))
        self.assertEqual(row["swapped_bytes"], 4 << 20)
        self.assertEqual(row["ballooned_bytes"], 0)
        self.assertEqual(row["untouched_bytes"],
                         (64 << 20) - (900 + 16) * PAGE - (2 << 20) - (4 << 20))
        self.assertEqual(row["unshare_bytes"], (60 + 16) * PAGE)
        self.assertGreater(row["hard_limit_advice_bytes"], (64 << 20) + 100 * PAGE)
        report = daemon.ask("report")["host"]
        self.assertEqual(report["unshare_bytes"], (90 + 16) * PAGE)
        self.assertEqual((report["swapped_bytes"], report["zswapped_bytes"],
                          report["zswap_bytes"], report["cow_ksm_breaks"]),
                         (600 << 10, 200 << 10, 50 << 10, 77))
        self.assertEqual((report["total_bytes"], report["available_bytes"]),
                         (24684084 << 10, 18402780 << 10))

    def test_what_zswap_has_comes_from_the_domains_cgroup(self):
        host, daemon, processes = self.with_domains(["web"])
        scope = "machine.slice/machine-qemu\\x2d1\\x2dweb.scope"
        host.write("sys/fs/cgroup/cgroup.controllers", "memory\n")
        host.write("sys/fs/cgroup/%s/memory.stat" % scope, "zswap 1000\nzswapped 3000\n")
        host.write(processes[0].folder + "cgroup", "0::/%s/libvirt/emulator\n" % scope)
        row, = daemon.ask("report")["domains"]
        self.assertEqual((row["zswap_bytes"], row["zswapped_bytes"]), (1000, 3000))

    def test_costs_survive_counters_that_jump_wrap_and_vanish(self):
        dice = random.Random(SEED + 2)
        host, daemon, processes = self.with_domains(DOMAINS[:3])
        last = {}
        for number in range(ROUNDS // 8):
            for process in processes:
                process.set_ksm(*(dice.choice((0, 50, 10 ** 6, 2 ** 63, U64_MAX, None))
                                  for _ in range(3)))
                process.set_resident(dice.choice((0, 1000, 2 ** 50)))
            host.set_counters(pages_shared=dice.choice((0, 10, 2 ** 40)),
                              pages_unshared=dice.choice((0, 10, U64_MAX)))
            host.add_ksmd_cpu(dice.choice((10 ** 9, -10 ** 9 if host.ksmd_cpu_ns >= 10 ** 9 else 0)))
            self.full_tick(daemon)
            report = daemon.ask("report")
            self.assert_sums(report, "round %d of seed %d" % (number, SEED + 2))
            for row in report["domains"]:
                for key in "ksmd_cpu_us", "merges_broken_pages":
                    before = last.get((row["name"], key)) or 0
                    self.assertGreaterEqual(row[key] if row[key] is not None else before, before,
                                            "round %d: %s runs backwards" % (number, key))
                    last[row["name"], key] = row[key]

    def test_ksmds_time_goes_to_those_whose_records_it_keeps(self):
        host, daemon, processes = self.with_domains(["a", "b"])
        host.set_counters(pages_shared=100, pages_sharing=200, pages_unshared=700,
                          pages_volatile=0)
        processes[0].set_ksm(merging=100, rmap_items=500, zero=0)
        processes[1].set_ksm(merging=100, rmap_items=250, zero=0)
        self.full_tick(daemon)
        before = [row["ksmd_cpu_us"] for row in daemon.ask("report")["domains"]]
        host.add_ksmd_cpu(4 * 10 ** 9)
        self.full_tick(daemon)
        after = [row["ksmd_cpu_us"] for row in daemon.ask("report")["domains"]]
        self.assertEqual([b - a for a, b in zip(before, after)], [2000000, 1000000])

    def test_merges_that_a_domain_loses_are_counted(self):
        host, daemon, processes = self.with_domains(["a", "b"])
        for merging in 300, 100, 100:
            daemon.send(signal.SIGSTOP)  # so that it sees one change, not its parts
            processes[1].set_resident(700 + merging)  # gives back what it loses
            for process in processes:
                process.set_ksm(merging=merging, rmap_items=500, zero=0)
            daemon.send(signal.SIGCONT)
            self.full_tick(daemon)
        self.assertEqual([row["merges_broken_pages"] for row in daemon.ask("report")["domains"]],
                         [200, 0])


class Rows(ReportTestCase):

    def test_one_domain_or_all(self):
        _, daemon, _ = self.with_domains(DOMAINS[:3])
        for word in "d1", uuid_of(1):
            report = daemon.ask("report", word)
            self.assertEqual([row["name"] for row in report["domains"]], ["d1"])

    def test_a_single_row_has_the_same_figures_as_among_all(self):
        host, daemon, processes = self.with_domains(DOMAINS[:3])
        for process in processes:
            process.set_ksm(merging=100, rmap_items=100, zero=10)
        host.set_counters(pages_shared=100, pages_sharing=200, ksm_zero_pages=30)
        rows = daemon.ask("report")["domains"]
        for row in rows:
            alone, = daemon.ask("report", row["name"])["domains"]
            for key in "merging_pages", "saved_pages", "ksm_zero_pages", "metadata_bytes":
                self.assertEqual(alone[key], row[key], key)

    def test_figures_have_their_units(self):
        host, daemon, processes = self.with_domains(["web"])
        processes[0].set_ksm(merging=100, rmap_items=1000, zero=20)
        host.set_counters(pages_shared=25, pages_sharing=75, ksm_zero_pages=20, pages_unshared=900)
        wait_until(lambda: daemon.ask("report")["domains"][0]["stats_age_ms"] is not None,
                   "libvirt's figures")
        report = daemon.ask("report")
        row, = report["domains"]
        self.assertEqual(report["page_size"], PAGE)
        self.assertEqual(row["pid"], processes[0].pid)
        self.assertEqual(row["saved_pages"], 75 + 20)
        self.assertEqual(row["metadata_bytes"], 1000 * 64)
        self.assertEqual(row["net_saved_bytes"], (75 + 20) * PAGE - 1000 * 64)
        self.assertEqual(row["resident_bytes"], 1000 * PAGE)
        self.assertIsNone(row["overhead_bytes"])

    def test_a_domain_without_a_process_has_null(self):
        host, daemon, _ = self.with_domains(["a", "b"], without=["b"])
        host.set_counters(pages_shared=1, pages_sharing=9)
        row = daemon.ask("report", "b")["domains"][0]
        for key in ("pid", "merging_pages", "saved_pages", "ksm_zero_pages", "metadata_bytes",
                    "net_saved_bytes", "resident_bytes", "overhead_bytes", "profit_bytes",
                    "swapped_bytes", "untouched_bytes", "unshare_bytes", "overhead_peak_bytes",
                    "hard_limit_advice_bytes", "ksmd_cpu_us", "merges_broken_pages"):
            self.assertIsNone(row[key], key)
        self.assert_sums(daemon.ask("report"), "one without a process")

    def test_a_process_that_exits_takes_its_figures_with_it(self):
        host, daemon, processes = self.with_domains(["a", "b"])
        for process in processes:
            process.set_ksm(merging=50, rmap_items=50, zero=0)
        host.set_counters(pages_shared=50, pages_sharing=50)
        processes[1].exit()
        report = daemon.ask("report")
        self.assert_sums(report, "after an exit")
        for key in "saved_pages", "resident_bytes", "swapped_bytes", "unshare_bytes":
            self.assertIsNone(report["domains"][1][key], key)
        self.assertEqual(report["others"]["saved_pages"], 25)

    def test_a_pid_file_that_lies_is_not_believed(self):
        host = self.host()
        uri = write_running(host.base, ["web"])
        stranger = host.add_process("bash", ("bash",))
        host.write("run/libvirt/qemu/web.pid", "%d" % stranger.pid)
        right = host.add_process("qemu-system-x86", ("qemu", "-uuid", uuid_of(0)))
        daemon = self.started(host=host, connect=uri)
        wait_until(lambda: [d["pid"] for d in daemon.ask("list")["domains"]] == [right.pid],
                   lambda: "pid %d in %s" % (right.pid, daemon.ask("list")))

    def test_without_the_hosts_figures_nothing_is_divided(self):
        host, daemon, processes = self.with_domains(["a"])
        processes[0].set_ksm(merging=50, rmap_items=50, zero=0)
        host.remove(KSM + "pages_sharing")
        report = daemon.ask("report")
        self.assertIsNone(report["host"]["saved_pages"])
        self.assertIsNone(report["others"]["saved_pages"])
        self.assertIsNone(report["domains"][0]["saved_pages"])


if __name__ == "__main__":
    main()
