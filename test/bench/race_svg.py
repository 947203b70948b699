# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_svg.py - the race as a picture: savings over time, and what they cost

Drawn without a library. Colours of text and axes follow the reader's light or dark background, the
controllers' are readable on both.
"""
from statistics import median

from race_score import saved
from race_table import collect, middle

WIDTH, HEIGHT = 860, 420
# The curves' part of the picture, and the bars'.
LEFT, TOP, RIGHT, BOTTOM = 60, 40, 480, 370
BARS_LEFT, BARS_RIGHT = 630, 800
CURVE_SECONDS = 40
CURVE_POINTS = 160

COLOURS = {"auto": "#d6336c", "flat": "#868e96", "classic": "#e8790c", "advisor-warm": "#1c7ed6",
           "advisor-cold": "#0c9fb5", "default": "#2f9e44", "ksmtuned": "#9c6b30",
           "ksmtuned-raised": "#845ef7"}

STYLE = """\
<style>
  text { font: 13px sans-serif; fill: #222; }
  .title { font-weight: bold; }
  .axis { stroke: #888; stroke-width: 1; }
  .curve { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) { text { fill: #ddd; } }
</style>"""


def _text(x, y, text, anchor="start", title=False):
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>' % (
        x, y, anchor, ' class="title"' if title else "", text)


def _line(x1, y1, x2, y2):
    return '<line class="axis" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>' % (x1, y1, x2, y2)


def _at(savings, seconds):
    return next((mib for t, mib in savings if t >= seconds), savings[-1][1])


def median_curve(curves, reference, end):
    """One curve of many: at each moment the median of what the runs had saved."""
    all_savings = [saved(curve, reference) for curve in curves]
    times = [end * i / CURVE_POINTS for i in range(CURVE_POINTS + 1)]
    return [(t, median(_at(savings, t) for savings in all_savings)) for t in times]


def _racers(by_controller):
    """Without fixed schedules, which are nobody's."""
    return [pair for pair in by_controller.items() if pair[0] in COLOURS]


def _curves(result, end, most):
    lines = [_text(LEFT, TOP - 15, "memory saved (MiB) after the first start", title=True),
             _line(LEFT, BOTTOM, RIGHT, BOTTOM), _line(LEFT, TOP, LEFT, BOTTOM)]
    for part in range(5):
        x, y = LEFT + (RIGHT - LEFT) * part / 4, BOTTOM - (BOTTOM - TOP) * part / 4
        lines.append(_text(x, BOTTOM + 18, "%g s" % (end * part / 4), "middle"))
        lines.append(_text(LEFT - 6, y + 4, "%.0f" % (most * part / 4), "end"))
    for name, curves in _racers(result.curves):
        where = " ".join("%.1f,%.1f" % (LEFT + (RIGHT - LEFT) * t / end,
                                        BOTTOM - (BOTTOM - TOP) * max(0, mib) / most)
                         for t, mib in median_curve(curves, result.reference, end))
        lines.append('<polyline class="curve" stroke="%s" points="%s"/>' % (COLOURS[name], where))
    return lines


def _bars(result):
    """ksmd's CPU; the names stand before the bars, so they are the curves' legend, too."""
    costs = {name: middle(scores, "cpu") for name, scores in _racers(result.scores)}
    most = max(max(costs.values()), 0.001)
    lines = [_text(BARS_LEFT - 120, TOP - 15, "CPU seconds of ksmd in %.0f s" % result.window,
                   title=True)]
    for row, (name, cost) in enumerate(sorted(costs.items(), key=lambda item: item[1])):
        y, width = TOP + 10 + 38 * row, (BARS_RIGHT - BARS_LEFT) * cost / most
        lines.append(_text(BARS_LEFT - 8, y + 14, name, "end"))
        lines.append('<rect x="%d" y="%d" width="%.1f" height="20" fill="%s"/>' %
                     (BARS_LEFT, y, max(1, width), COLOURS[name]))
        lines.append(_text(BARS_LEFT + max(1, width) + 5, y + 14, "%.1f" % cost))
    return lines


def picture(result):
    """SVG of one LoadResult that has scores."""
    most = 1.05 * max(1, result.reference.touched_mib - result.reference.in_use_mib)
    end = min(CURVE_SECONDS, result.window)
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">' % (WIDTH,
                                                                                       HEIGHT)
    counts = [len(scores) for _, scores in _racers(result.scores)]
    runs = "medians of %s runs" % " to ".join(
        str(n) for n in sorted({min(counts), max(counts)}))
    lines = [head, "<title>%s: memory saved and CPU spent, by controller</title>" % result.name,
             STYLE] + _curves(result, end, most) + _bars(result)
    return "\n".join(lines + [_text(LEFT, HEIGHT - 12, "%s, %s" % (result.name, runs)), "</svg>"])


def draw(records, path):
    """The burst with the longest window; another load when there is no burst."""
    results = [result for result in collect(records) if result.scores]
    bursts = [result for result in results if result.name == "burst"] or results
    with open(path, "w", encoding="ascii") as file:
        file.write(picture(max(bursts, key=lambda result: result.window)) + "\n")
