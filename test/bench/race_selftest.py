# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_selftest.py - the race's arithmetic on made-up curves"""
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

from race_page import BEGIN, END, page_part, write_part
from race_score import area, cpu_at, points, reference, saved, score, touched_at
from race_svg import picture
from race_table import cell, collect, middle
from race_target import FLOOR_TIMES, Target, judge, verdicts
from results import read_all

PAGES_PER_MIB = 256


def made_up(controller, merge_from, speed, cpu_end, window=100):
    """100 MiB are filled in 10 s; from then on or later 50 are merged, that many MiB a second.

    ksmd runs at 100 % while it merges, and takes cpu_end seconds of CPU a second after that.
    """
    samples, cpu = [], 0.0
    for tenth in range(window * 10 + 1):
        t = tenth / 10
        merged = min(50, max(0, (t - merge_from) * speed))
        samples.append([t, int(1024 * min(100, 10 * t)), int(PAGES_PER_MIB * merged), 0, 0,
                        int(t / 5), int(cpu * 1e9), int(cpu * 1e7)])
        if t >= merge_from:
            cpu += 0.1 * (1 if merged < 50 else cpu_end)
    return {"load": "burst", "controller": controller, "window": window, "short": True, "seed": 1,
            "page_size": 4096, "samples": samples,
            "agent_memory": {"rss_kib": 9000, "private_kib": 4000, "dirty_kib": 3000}}


class Scores(unittest.TestCase):
    def setUp(self):
        self.record = made_up("flat", 20, 5, 1)
        self.curve = points(self.record)
        self.reference = reference([("flat", self.curve)])
        self.score = score(self.record, self.reference)

    def test_the_reference_is_what_was_touched_and_the_best_plateau(self):
        self.assertAlmostEqual(self.reference.touched_mib, 100, 1)
        self.assertAlmostEqual(self.reference.in_use_mib, 50, 1)

    def test_what_a_load_offers_counts_where_nobody_found_it(self):
        known = reference([("flat", self.curve)], gain_mib=80)
        self.assertAlmostEqual(known.in_use_mib, 20, 1)

    def test_times_count_from_the_fill(self):
        self.assertAlmostEqual(self.score["fill"], 9.9, 1)
        self.assertAlmostEqual(self.score["t50"], 15.1, 1)
        self.assertAlmostEqual(self.score["t95"], 19.6, 1)

    def test_cpu_is_counted_up_to_a_moment(self):
        self.assertAlmostEqual(self.score["cpu95"], 9.5, 1)
        self.assertAlmostEqual(self.score["cpu"], 80, 0)
        self.assertAlmostEqual(self.score["rest"], 100, 0)
        self.assertAlmostEqual(cpu_at(self.curve, 20.05), 0.05, 2)

    def test_the_busiest_minute_is_found(self):
        self.assertAlmostEqual(self.score["busiest"], 100, 0)
        calm = made_up("auto", 20, 5, 0)
        self.assertAlmostEqual(score(calm, self.reference)["busiest"], 100 * 10 / 60, 0)

    def test_the_area_is_that_of_trapezoids(self):
        self.assertEqual(area([(0, 0), (2, 10), (3, 10)]), 20)
        self.assertAlmostEqual(self.score["area"], 50 * 10 / 2 + 50 * 70, -1)

    def test_who_saves_too_little_never_gets_there(self):
        lazy = made_up("default", 99, 5, 0)
        result = score(lazy, self.reference)
        self.assertIsNone(result["t50"])
        self.assertIsNone(result["cpu95"])

    def test_what_is_saved_before_it_lasts_does_not_count(self):
        early = [p._replace(in_use_mib=p.touched_mib - 50) if 1 < p.seconds < 2 else p
                 for p in self.curve]
        self.assertAlmostEqual(touched_at(early, 95, self.reference), 9.5, 1)

    def test_more_than_the_filled_guests_touched_saves_nothing_more(self):
        more = [p._replace(touched_mib=p.touched_mib + 30, in_use_mib=p.in_use_mib)
                for p in self.curve]
        self.assertAlmostEqual(saved(more, self.reference)[-1][1], 50, 1)

    def test_guests_that_touched_less_are_not_saved_less(self):
        less = [p._replace(touched_mib=0.9 * p.touched_mib) for p in self.curve]
        self.assertAlmostEqual(saved(less, self.reference)[-1][1], 50, 1)

    def test_rest_is_counted_in_passes_after_the_fill(self):
        calm = made_up("auto", 20, 5, 0)
        self.assertEqual(score(calm, self.reference)["passes_to_rest"], 0)
        late = made_up("auto", 9, 5, 0)
        self.assertIn(score(late, self.reference)["passes_to_rest"], (2, 3))
        self.assertIsNone(score(made_up("auto", 8, 5, 1), self.reference)["passes_to_rest"])


class Tables(unittest.TestCase):
    def test_a_median_counts_never_as_later_than_everything(self):
        self.assertEqual(middle([{"t": 1}, {"t": None}, {"t": 3}], "t"), 3)
        self.assertIsNone(middle([{"t": 1}, {"t": None}, {"t": None}], "t"))

    def test_a_cell_has_median_and_spread(self):
        self.assertEqual(cell([{"t": 1}, {"t": 5}, {"t": 3}], "t", 0), "3 (1-5)")
        self.assertEqual(cell([{"t": 1}, {"t": None}, {"t": 3}], "t", 0), "3 (1--)")

    def test_failed_runs_are_kept_and_floors_are_no_controllers(self):
        failed = {"load": "burst", "controller": "flat", "window": 100, "error": "no"}
        floor = dict(made_up("floor", 20, 5, 0), floor=1.5)
        result, = collect([made_up("auto", 20, 5, 0), failed, floor])
        self.assertEqual((result.errors, result.floors, list(result.scores)),
                         ({"flat": ["no"]}, [1.5], ["auto"]))

    def test_windows_of_different_length_are_not_mixed(self):
        records = [made_up("auto", 20, 5, 0), made_up("auto", 20, 5, 0, window=50)]
        self.assertEqual([result.window for result in collect(records)], [100, 50])


class Verdicts(unittest.TestCase):
    def setUp(self):
        records = [made_up("auto", 20, 5, 0), made_up("flat", 20, 10, 1),
                   made_up("default", 99, 5, 0), dict(made_up("floor", 9, 5, 0), floor=4)]
        self.result, = collect(records)

    def met(self, *args):
        return judge(Target("burst", "", *args), self.result).met

    def test_limits_are_factor_times_peer_plus_term(self):
        self.assertIs(self.met("t95", "flat", 1, 5), True)
        self.assertIs(self.met("t95", "flat", 1, 4), False)
        self.assertIs(self.met("cpu95", "floor", 3), True)
        self.assertIs(self.met("cpu95", "floor", 2), False)
        self.assertIs(self.met("area", "flat", 0.9, 0, True), True)
        self.assertIs(self.met("area", "flat", 1.1, 0, True), False)

    def test_a_cap_stretches_two_passes(self):
        self.assertEqual([FLOOR_TIMES["cap"](4), FLOOR_TIMES["cap-window"](4),
                          FLOOR_TIMES["cap-window"](31)], [16, 4, 121])

    def test_a_peer_that_never_gets_there_is_beaten_and_an_absent_one_is_not(self):
        self.assertIs(self.met("t95", "default"), True)
        self.assertIsNone(self.met("t95", "classic"))

    def test_a_row_of_targets_is_judged_for_each_load(self):
        self.assertGreater(len(verdicts([self.result], 1000)), 8)

    def test_the_picture_is_xml_with_a_curve_for_each_controller(self):
        root = xml.etree.ElementTree.fromstring(picture(self.result))
        self.assertEqual(len(root.findall("{*}polyline")), 3)


class Page(unittest.TestCase):
    def test_a_load_is_a_table_and_each_target_a_row(self):
        result, = collect([made_up("flat", 20, 10, 1), made_up("auto", 20, 5, 0)])
        lines = page_part([result], 1000)
        heads = [i for i, line in enumerate(lines) if line.startswith("|---")]
        self.assertEqual(len(heads), 2)
        self.assertEqual([lines[heads[0] + n].split("|")[1].strip() for n in (1, 2)],
                         ["**`auto`**", "ksmd flat out"])
        self.assertEqual(len(lines) - heads[1] - 1, len(verdicts([result], 1000)))
        self.assertEqual(len({line.count("|") for line in lines[heads[0] - 1:heads[0] + 3]}), 1)

    def test_only_what_stands_between_the_marks_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "page.md")
            for text in ("old", "older and longer"):
                with open(path, "w", encoding="ascii") as file:
                    file.write("before\n%s\n%s\n%s\nafter\n" % (BEGIN, text, END))
                write_part(path, ["new"])
                with open(path, encoding="ascii") as file:
                    self.assertEqual(file.read(),
                                     "before\n%s\n\nnew\n\n%s\nafter\n" % (BEGIN, END))

    def test_a_page_without_marks_is_left_alone(self):
        with tempfile.NamedTemporaryFile("w+", suffix=".md", encoding="ascii") as file:
            file.write("text\n")
            file.flush()
            self.assertRaisesRegex(ValueError, file.name, write_part, file.name, ["new"])
            file.seek(0)
            self.assertEqual(file.read(), "text\n")


class Files(unittest.TestCase):
    def test_records_are_read_from_many_files(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in "ab"]
            for path in paths:
                with open(path, "w", encoding="ascii") as file:
                    file.write('{"load":"burst"}\n{"load":"rest"}\n')
            self.assertEqual(len(read_all(paths)), 4)


def selftest():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    sys.exit(not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful())
