#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_report.py - the savings of all domains and of the others add up to the host's, always

Domains are those of a file for libvirt's test driver; each has a process below the fake /proc.
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakehost import KSM  # noqa: E402
from fakelibvirt import write_host  # noqa: E402

PAGE = os.sysconf("SC_PAGESIZE")
ROUNDS = 200
SEED = int(os.environ.get("VIRTKSM_SEED", "20240502"))
DOMAINS = ["d%d" % number for number in range(8)]
U64_MAX = 2 ** 64 - 1


def uuid_of(number):
    return "%08d-1111-4111-8111-111111111111" % number


class ReportTestCase(FakeTestCase):

    def with_domains(self, names, kernel="6.18", without=()):
        """Host, daemon and the process of each domain that has one."""
        host = self.host(kernel)
        uri = write_host(host.base + "/node.xml",
                         [(name, uuid_of(number), True) for number, name in enumerate(names)])
        processes = [host.add_qemu(name, uuid_of(number), resident_pages=1000)
                     for number, name in enumerate(names) if name not in without]
        daemon = self.started("--mode", "observe", host=host, connect=uri)
        wait_until(lambda: len([d for d in daemon.ask("list")["domains"] if d["pid"]]) ==
                   len(processes), lambda: "processes found: %s" % daemon.ask("list"))
        return host, daemon, processes

    def assert_sums(self, report, what):
        host, others = report["host"], report["others"]
        saved = sum(row["saved_pages"] or 0 for row in report["domains"])
        self.assertEqual(saved + others["saved_pages"], host["saved_pages"], what)
        self.assertEqual(host["saved_pages"],
                         host["pages_sharing"] + (host["ksm_zero_pages"] or 0), what)
        merging = sum(row["merging_pages"] or 0 for row in report["domains"])
        self.assertEqual(merging + others["merging_pages"],
                         host["pages_shared"] + host["pages_sharing"], what)
        for row in report["domains"] + [others]:
            for key, value in row.items():
                if isinstance(value, int) and key != "net_saved_bytes":
                    self.assertGreaterEqual(value, 0, "%s: %s" % (what, key))


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
                    "net_saved_bytes", "resident_bytes", "overhead_bytes"):
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
        self.assertIsNone(report["domains"][1]["saved_pages"])
        self.assertEqual(report["others"]["saved_pages"], 25)

    def test_a_pid_file_that_lies_is_not_believed(self):
        host = self.host()
        uri = write_host(host.base + "/node.xml", [("web", uuid_of(0), True)])
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
