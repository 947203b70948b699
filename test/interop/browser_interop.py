#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""browser_interop.py - the report's page in Chromium: its figures, its looks, and on paper

Needs Debian's chromium and poppler-utils. Screenshots are left in browser/ of the build directory.
"""
import json
import os
import random
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
from browser import Browser  # noqa: E402
from fakeanswers import FakeAnswers  # noqa: E402
from fakecase import FakeTestCase, main  # noqa: E402

PICTURES = os.path.join(os.environ["INTEROP_DIR"], "browser")
PAGE = 4096
MIB = 1 << 20
GIB = 1 << 30
PARTS = ("held", "saved", "swapped", "ballooned", "untouched")
ODD_NAMES = ("<script>document.title='run'</script>", 'a "quoted" & <b>bold</b>',
             "l\u00ednea\nnueva",
             "\u4e2d\u6587\u540d\u79f0", "\u202eturned", "it's &amp; &#65;", "x" * 120)
STATUS = {"version": "0.1.0", "mode": "auto", "phase": "maintain", "reason": "All <is> merged.",
          "ksmd_cpu_percent": 0.4}

# Each figure as [uuid of the row or null, what it is of, exact text, text that is read].
FIGURES = """Array.from(document.querySelectorAll("[data-of]")).map(e => [
    e.closest("tr") && e.closest("tr").dataset.uuid, e.dataset.of, e.getAttribute("value"),
    e.textContent])"""

# What sticks out to the right of the screen, and texts that are cut.
OVERFLOW = """Array.from(document.querySelectorAll("body *")).filter(e => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && !e.closest("svg.defs") &&
        (box.right > innerWidth + 0.5 || box.left < -0.5);
  }).map(e => e.tagName + " " + e.className + " " + e.textContent.slice(0, 40))"""

# Texts whose colour is too close to what is behind them, by the formula of WCAG 2.
CONTRAST = """(() => {
  const rgb = c => c.match(/[\\d.]+/g).map(Number);
  const lum = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 :
      ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const back = e => { for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c; }
      return [255, 255, 255]; };
  const bad = [];
  let n = 0;
  for (const e of document.querySelectorAll("body *")) {
    if (!Array.from(e.childNodes).some(c => c.nodeType == 3 && c.data.trim())) continue;
    if (e.closest("svg")) continue;
    const a = lum(rgb(getComputedStyle(e).color)), b = lum(back(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    n++;
    if (ratio < 4.5)
      bad.push(ratio.toFixed(2) + " " + e.tagName + " " + e.textContent.slice(0, 40));
  }
  return [n, bad];
})()"""

# Of each drawing: its slices as [class, bytes, x, width], and the total beside it.
BARS = """Array.from(document.querySelectorAll("#picture li, #picture figure")).map(e => ({
    name: e.querySelector(".name") ? e.querySelector(".name").textContent : null,
    total: Number(e.querySelector("data").value),
    slices: Array.from(e.querySelectorAll("rect")).map(r => [r.getAttribute("class"),
        Number(r.dataset.bytes), Number(r.getAttribute("x")),
        Number(r.getAttribute("width"))])}))"""


def domain(number, dice, name=None):
    """Figures that add up as those of a domain do."""
    maximum = dice.choice((1, 2, 4, 32)) * GIB
    ballooned = maximum // dice.choice((4, 8)) * dice.choice((0, 1))
    swapped = maximum // 50 * dice.choice((0, 1)) // PAGE * PAGE
    untouched = dice.randrange((maximum - ballooned - swapped) // 2) // PAGE * PAGE
    zero = dice.randrange(1000)
    overhead = dice.randrange(40, 220) * MIB
    resident = maximum - ballooned - swapped - untouched - zero * PAGE + overhead
    merged = dice.randrange((resident - overhead) // PAGE)
    saved = merged * 3 // 4 + zero
    return {"name": name or "vm-%04d" % number, "pid": 1000 + number,
            "uuid": "%08d-1111-4111-8111-111111111111" % number,
            "merging_pages": merged, "saved_pages": saved, "ksm_zero_pages": zero,
            "metadata_bytes": resident // 64, "net_saved_bytes": saved * PAGE - resident // 64,
            "maximum_bytes": maximum, "balloon_bytes": maximum - ballooned,
            "resident_bytes": resident, "overhead_bytes": overhead,
            "stats_age_ms": dice.randrange(9000), "ballooned_bytes": ballooned,
            "swapped_bytes": swapped, "zswapped_bytes": swapped // 2, "zswap_bytes": swapped // 8,
            "untouched_bytes": untouched, "guest_free_bytes": resident // 9,
            "unshare_bytes": saved * PAGE, "ksmd_cpu_us": dice.randrange(10 ** 9),
            "merges_broken_pages": dice.randrange(10 ** 6)}


def report(domains, available=9 * GIB):
    saved = sum(d["saved_pages"] or 0 for d in domains) + 5000
    zero = sum(d["ksm_zero_pages"] or 0 for d in domains)
    metadata = sum(d["metadata_bytes"] or 0 for d in domains) + MIB
    host = {"pages_shared": saved // 3, "pages_sharing": saved - zero, "ksm_zero_pages": zero,
            "saved_pages": saved, "metadata_bytes": metadata,
            "net_saved_bytes": saved * PAGE - metadata, "profit_bytes": saved * PAGE - metadata - 1,
            "unshare_bytes": saved * PAGE, "total_bytes": 64 * GIB, "available_bytes": available,
            "ksmd_cpu_us": 3600 * 10 ** 6, "ksmd_full_scans": 120, "cow_ksm_breaks": 123456}
    return {"page_size": PAGE, "host": host, "domains": domains, "steady": True,
            "others": {"merging_pages": 6000, "saved_pages": 5000}}


def history():
    rows = [{"start": "2026-11-20T%02d:00:00Z" % hour, "running_s": 3600.0, "measured_s": 1800.0,
             "saved_gib_hours": hour / 4, "net_saved_gib_hours": hour / 5,
             "metadata_gib_hours": hour / 20, "ksmd_cpu_s": 2.5}
            for hour in range(24) if hour not in (7, 8)]
    total = {key: sum(row[key] for row in rows) for key in rows[0] if key != "start"}
    return {"interval": "hour", "since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z",
            "rows": rows, "host": total, "cut": False}


class BrowserTestCase(FakeTestCase):

    def page(self, answer, past=None, words=()):
        """The page about an answer, open in a browser, and the JSON of the same answer."""
        agent = FakeAnswers()
        self.addCleanup(agent.close)
        agent.answer("Report", answer)
        agent.answer("Status", STATUS)
        if past:
            agent.answer("History", past)
        agent.start()
        self.path = agent.folder + "/page.html"
        done = agent.client("report", *words, "--format", "html", "--output", self.path)
        self.assertEqual((done.code, done.out, done.err), (0, "", ""))
        figures = agent.client("report", *words, "--format", "json")
        browser = Browser()
        self.addCleanup(browser.close)
        browser.open(self.path)
        return browser, json.loads(figures.out)

    def picture(self, browser, name):
        os.makedirs(PICTURES, exist_ok=True)
        browser.screenshot("%s/%s.png" % (PICTURES, name))


class Figures(BrowserTestCase):

    def want(self, column, row):
        value = row[column]
        if value is None:
            return None
        if column in ("merging_pages", "saved_pages"):
            return str(value * PAGE)
        return str(value * 1000 if column == "stats_age_ms" else value)

    def check(self, browser, figures):
        rows = {row["uuid"]: row for row in figures["domains"]}
        seen = set()
        for uuid, of, value, _ in browser.evaluate(FIGURES):
            if uuid:
                self.assertEqual(value, self.want(of, rows[uuid]), (uuid, of))
                seen.add((uuid, of))
            elif of.startswith("host."):
                self.assertEqual(value, self.want(of[len("host."):], figures["host"]), of)
        self.assertEqual(len(seen), 16 * len(rows))

    def test_they_are_those_of_the_json_report(self):
        dice = random.Random(20261121)
        self.check(*self.page(report([domain(n, dice) for n in range(7)])))

    def test_so_they_are_with_a_thousand_domains(self):
        dice = random.Random(20261122)
        self.check(*self.page(report([domain(n, dice) for n in range(1000)])))

    def test_what_could_not_be_had_is_not_0(self):
        row = dict.fromkeys(domain(0, random.Random(1)))
        row.update(name="silent", uuid="u-1", maximum_bytes=GIB)
        answer = report([row])
        for key in "available_bytes", "cow_ksm_breaks", "profit_bytes":
            answer["host"][key] = None
        browser, figures = self.page(answer)
        self.check(browser, figures)
        texts = {(uuid, of): text for uuid, of, _, text in browser.evaluate(FIGURES)}
        self.assertEqual(texts["u-1", "resident_bytes"], "not known")
        self.assertEqual(texts[None, "host.cow_ksm_breaks"], "not known")
        for part in PARTS:
            self.assertEqual(texts[None, part], "not known", part)
        bar, = browser.evaluate(BARS)
        self.assertEqual([s[:2] for s in bar["slices"]], [["nowhere", GIB]])
        self.assertIn("Of 1 domain some figure could not be had",
                      browser.evaluate("document.body.innerText"))

    def test_what_is_known_of_some_is_a_lower_bound(self):
        dice = random.Random(2)
        rows = [domain(n, dice) for n in range(3)]
        rows[1]["swapped_bytes"] = None
        browser, _ = self.page(report(rows))
        want = str(rows[0]["swapped_bytes"] + rows[2]["swapped_bytes"])
        values = {of: value for uuid, of, value, _ in browser.evaluate(FIGURES) if not uuid}
        self.assertEqual(values["swapped"], want)
        texts = browser.evaluate("Array.from(document.querySelectorAll('.legend dd'))"
                                 ".map(e => e.textContent.startsWith('at least'))")
        self.assertEqual(texts[:5], [False, False, True, False, False])

    def test_the_summary_says_what_the_host_holds(self):
        rows = [domain(0, random.Random(5))]
        rows[0]["saved_pages"] = 2 * GIB // PAGE
        net = report(rows)["host"]["net_saved_bytes"]
        need = report(rows)["host"]["unshare_bytes"]
        for available, words, of, value in (
                (net - GIB // 4, "more than it would have room for without KSM", "excess_bytes",
                 GIB // 4),
                (net + GIB, "Without KSM, this host would have", "available_without_ksm_bytes",
                 GIB),
                (need, "is available: enough", "host.unshare_bytes", need),
                (need - 1, "would be missing", "short_bytes", 1)):
            with self.subTest(available=available):
                browser, _ = self.page(report(rows, available))
                self.assertIn(words, browser.evaluate("document.body.innerText"))
                values = {of: value for _, of, value, _ in browser.evaluate(FIGURES)}
                self.assertEqual(values[of], str(value))

    def test_a_host_that_saves_nothing_or_pays_more_says_so(self):
        for saved, net, words in ((0, -MIB, "KSM saves nothing on this host at present"),
                                  (10, -MIB, "KSM takes more memory than it saves"),
                                  (None, None, "There are no figures of KSM")):
            answer = report([])
            answer["host"].update(saved_pages=saved, net_saved_bytes=net)
            browser, _ = self.page(answer)
            text = browser.evaluate("document.body.innerText")
            self.assertIn(words, text)
            self.assertIn("No domain is running", text)


    def test_every_column_has_a_definition(self):
        browser, _ = self.page(report([domain(0, random.Random(5))]))
        meanings = browser.evaluate("Array.from(document.querySelectorAll('#meanings dd'))"
                                    ".map(e => e.textContent)")
        self.assertEqual(len(meanings), 16)
        self.assertTrue(all(len(text) > 10 for text in meanings), meanings)


class Pictures(BrowserTestCase):

    def check_bar(self, bar, scale):
        end = 0.0
        for _, size, left, width in bar["slices"]:
            self.assertAlmostEqual(left, end, delta=0.01, msg="%s: slices overlap" % bar)
            self.assertAlmostEqual(width, size * 1000 / scale, delta=0.01, msg="%s" % bar)
            end = left + width
        self.assertEqual(sum(s[1] for s in bar["slices"]), bar["total"])
        self.assertLessEqual(end, 1000.1)

    def test_slices_add_up_and_do_not_overlap(self):
        dice = random.Random(20261123)
        rows = [domain(n, dice) for n in range(12)]
        browser, _ = self.page(report(rows))
        bars = browser.evaluate(BARS)
        self.assertEqual(len(bars), 13)
        self.check_bar(bars[0], bars[0]["total"])
        for bar in bars[1:]:
            row, = [r for r in rows if r["name"] == bar["name"]]
            self.check_bar(bar, max(b["total"] for b in bars[1:]))
            self.assertEqual(bar["total"], row["maximum_bytes"] + row["overhead_bytes"])
            sizes = {s[0]: s[1] for s in bar["slices"]}
            self.assertEqual(sizes.get("saved", 0), row["saved_pages"] * PAGE)
            self.assertEqual(sizes.get("swapped", 0), row["swapped_bytes"])
            self.assertEqual(sizes.get("held"), row["resident_bytes"] -
                             (row["saved_pages"] - row["ksm_zero_pages"]) * PAGE)
        for part in PARTS:
            self.assertEqual(sum(s[1] for s in bars[0]["slices"] if s[0] == part),
                             sum(s[1] for b in bars[1:] for s in b["slices"] if s[0] == part), part)

    def test_small_domains_are_folded_and_none_is_lost(self):
        dice = random.Random(20261124)
        rows = [domain(n, dice) for n in range(1000)]
        browser, _ = self.page(report(rows))
        browser.screen(1200, 800)
        bars = browser.evaluate(BARS)
        self.assertEqual(len(bars), 31)
        self.assertIn("971 smaller domains", bars[-1]["name"])
        self.check_bar(bars[-1], bars[-1]["total"])
        self.assertEqual(sum(b["total"] for b in bars[1:]), bars[0]["total"])
        shown = "Array.from(document.querySelectorAll('#ksm tbody tr'))" \
                ".filter(e => e.offsetHeight > 0).length"
        self.assertEqual(browser.evaluate(shown), 30)
        browser.evaluate("document.querySelector('label[for=unfold]').click()")
        self.assertEqual(browser.evaluate(shown), 1000)

    def test_the_history_is_drawn_to_scale(self):
        past = history()
        browser, _ = self.page(report([domain(0, random.Random(3))]), past)
        columns = browser.evaluate("Array.from(document.querySelectorAll('#history rect.saved'))"
                                   ".map(r => [+r.getAttribute('x'), +r.getAttribute('height')])")
        drawn = [row for row in past["rows"] if row["saved_gib_hours"] > 0]
        self.assertEqual(len(columns), len(drawn))
        for (left, height), row in zip(columns, drawn):
            hour = int(row["start"][11:13])
            self.assertAlmostEqual(left, 1000 * hour / 24, delta=0.01)
            self.assertAlmostEqual(height, 200 * hour / 23, delta=0.01)
        values = {of: value for _, of, value, _ in browser.evaluate(FIGURES)}
        self.assertEqual(values["history_top"], str(int(23 / 4 * 2 * GIB)))
        self.assertAlmostEqual(float(values["history.net_saved_gib_hours"]),
                               past["host"]["net_saved_gib_hours"])

    def test_without_a_history_there_is_no_gap_for_it(self):
        browser, _ = self.page(report([domain(0, random.Random(3))]))
        self.assertFalse(browser.evaluate("!!document.querySelector('#history')"))


class Looks(BrowserTestCase):

    def looks_right(self, browser, name):
        for width, height in ((360, 740), (768, 1024), (1200, 800)):
            for dark in False, True:
                what = "%s-%d%s" % (name, width, "-dark" if dark else "")
                browser.screen(width, height, dark)
                self.assertEqual(browser.evaluate("document.documentElement.scrollWidth"), width,
                                 what)
                self.assertEqual(browser.evaluate(OVERFLOW), [], what)
                texts, faint = browser.evaluate(CONTRAST)
                self.assertGreater(texts, 20, what)
                self.assertEqual(faint, [], what)
                self.picture(browser, what)

    def test_one_domain(self):
        browser, _ = self.page(report([domain(0, random.Random(3))]), history())
        self.looks_right(browser, "one")

    def test_odd_names_are_shown_and_not_obeyed(self):
        dice = random.Random(9)
        rows = [domain(n, dice, name) for n, name in enumerate(ODD_NAMES)]
        browser, _ = self.page(report(rows), history())
        self.looks_right(browser, "odd")
        names = browser.evaluate(
            "Array.from(document.querySelectorAll('#ksm tbody th')).map(e => e.textContent)")
        self.assertEqual(sorted(names), sorted(
            name.replace("\n", "\\n").replace("\u202e", "\\u202e") for name in ODD_NAMES))
        self.assertEqual(browser.evaluate("document.querySelectorAll('script, bdi *').length"), 0)
        self.assertNotEqual(browser.evaluate("document.title"), "run")

    def test_a_thousand_domains(self):
        dice = random.Random(20261125)
        browser, _ = self.page(report([domain(n, dice) for n in range(1000)]), history())
        self.looks_right(browser, "thousand")

    def test_it_needs_nothing_but_itself(self):
        browser, _ = self.page(report([domain(0, random.Random(3))]), history())
        self.assertEqual(browser.requests, ["file://" + self.path])

    def test_on_paper_are_all_domains(self):
        dice = random.Random(20261126)
        rows = [domain(n, dice) for n in range(300)]
        browser, _ = self.page(report(rows), history())
        browser.print(self.path + ".pdf")
        text = subprocess.run(["pdftotext", "-layout", self.path + ".pdf", "-"], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        for row in rows:
            self.assertGreaterEqual(text.count(row["name"]), 2, row["name"])
        self.assertNotIn("Show all", text)


if __name__ == "__main__":
    main()
