#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""coverage.py [--root ROOT] BUILD_DIR - how much of the code the tests of a build have run, room by room

BUILD_DIR was built with VIRTKSM_COVERAGE, and tests have run in it. Prints lines and branches of
each room, and of policy the places that were not reached. Fails if a room has less than it is to
have.

A branch is one way out of a condition, as clang sees it: each operand of && and || has two.
Assertions are not counted. A function of a header is counted once, whoever includes it. What a
program has run is written when it ends by exit(): not seen is what was run before a signal or
_exit(), as of virtksm-hook, and by a user who may not write to BUILD_DIR.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
ROOMS = ("policy", "proto", "hooks", "agent/actuator", "agent/cli", "agent/facts", "agent/report",
         "agent/rpc", "agent/source", "agent/trace", "agent/virt", "agent")
# Percent of the lines and of the branches that a room is to have at least.
LEAST = {"policy": (100, 95), "all": (85, None)}
ASSERTION = re.compile(r"^\s*(?:static_assert|assert|g_assert|g_assert_not_reached)\(")


class File:
    """Counts of a source file, over all programs that have it."""

    def __init__(self, root, path):
        self.lines = {}  # number -> how often
        self.ways = Counter()  # (number, where in it, true or false) -> how often taken
        with open(os.path.join(root, path), encoding="utf-8") as file:
            self.text = file.read().splitlines()

    def is_counted(self, number):
        line = self.text[number - 1]
        return line.strip() and not ASSERTION.match(line)

    def add_lines(self, segments):
        """A line has been run as often as what its text begins with, or a region that begins in it.

        A segment is a place from where on something is so: line, column, count, whether there is
        a count, whether a region begins here, whether it is but the gap between two statements.
        llvm-cov itself takes the gap after an assertion for the line that follows.
        """
        begun = defaultdict(list)
        for segment in segments:
            begun[segment[0]].append(segment)
        before = []
        for number in range(segments[0][0], segments[-1][0] + 1) if segments else ():
            line = self.text[number - 1]
            indent = len(line) - len(line.lstrip())
            here = begun.get(number, [])
            first = (before + [s for s in here if s[1] <= indent + 1])[-1:]
            counts = [s[2] for s in first + [s for s in here if s[4]] if s[3] and not s[5]]
            if counts and self.is_counted(number):
                self.lines[number] = max(counts)
            before = (before + here)[-1:]

    def add_branch(self, number, where, counts):
        """One of several, if the function is compiled with each file that includes it."""
        if self.is_counted(number):
            for way, count in zip((True, False), counts):
                self.ways[number, where, way] += count

    def tally(self):
        """Lines run, lines, branches taken, branches."""
        return (sum(count > 0 for count in self.lines.values()), len(self.lines),
                sum(count > 0 for count in self.ways.values()), len(self.ways))

    def missing(self):
        one_way = {number for (number, _, _), count in self.ways.items() if count == 0}
        for number in sorted(self.lines):
            if self.lines[number] == 0:
                yield "%d" % number
            elif number in one_way:
                yield "%d (branch)" % number


def objects(build):
    return [os.path.join(where, name) for where, _, names in os.walk(build)
            for name in names if name.endswith(".o")]


def run_tool(*command):
    """Return: what it has printed, and what it has complained of."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except FileNotFoundError:
        sys.exit("%s: not found; Debian has it in the package llvm" % command[0])
    if done.returncode != 0:
        sys.exit("%s: %s" % (command[0], done.stderr.decode()))
    return done.stdout, done.stderr.decode()


def export(build, profiles):
    """What llvm-cov says of each file that was compiled."""
    command = ["llvm-cov", "export", "-skip-functions"]
    for path in objects(build):
        command += ["-object", path]
    with tempfile.TemporaryDirectory() as folder:
        merged = folder + "/merged"
        # One that was being written when its process was killed is told, and left out.
        _, warnings = run_tool("llvm-profdata", "merge", "-sparse", "-failure-mode=all",
                               "-o", merged, *profiles)
        sys.stderr.write(warnings)
        # Here there is one for each main() that never came to its end, as those of the benches.
        text, _ = run_tool(*command, "-instr-profile=" + merged)
    return json.loads(text)["data"][0]["files"]


def product_path(root, name):
    """Path below the root of a file of the product; None for others, and for one that is gone."""
    path = os.path.relpath(os.path.realpath(name), root)
    is_ours = path.startswith(("policy/", "proto/", "hooks/", "agent/"))
    return path if is_ours and os.path.exists(name) else None


def collect(root, told_of_files):
    files = {}
    for told in told_of_files:
        path = product_path(root, told["filename"])
        if not path:
            continue
        file = files[path] = File(root, path)
        file.add_lines(told["segments"])
        for branch in told["branches"]:
            file.add_branch(branch[0], tuple(branch[:4]), branch[4:6])
        # Those of a macro are where it is used.
        for macro in told["expansions"]:
            use = macro["source_region"]
            for branch in macro["branches"]:
                file.add_branch(use[0], tuple(use[:4] + branch[:4]), branch[4:6])
    return files


def room_of(path):
    return next(room for room in ROOMS if path.startswith(room + "/"))


def percent(part, whole):
    return 100 * part / whole if whole else 0.0


def report(files):
    """Prints the table; returns whether every room has enough."""
    sums = defaultdict(lambda: [0, 0, 0, 0])
    for path, file in files.items():
        for name in room_of(path), "all":
            sums[name] = [a + b for a, b in zip(sums[name], file.tally())]
    good = True
    print("%-16s %8s %8s %9s %8s" % ("room", "lines", "", "branches", ""))
    for name in sorted(room for room in sums if room != "all") + ["all"]:
        run, lines, taken, branches = sums[name]
        shares = percent(run, lines), percent(taken, branches)
        short = [least for least, share in zip(LEAST.get(name, ()), shares)
                 if least is not None and share < least]
        print("%-16s %7.1f%% %8d %8.1f%% %8d%s" % (name, shares[0], lines, shares[1], branches,
                                               "  less than it is to have" if short else ""))
        good = good and not short
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", type=os.path.realpath, default=ROOT)
    parser.add_argument("build", type=os.path.realpath)
    given = parser.parse_args()
    profiles = glob.glob(given.build + "/coverage/*.profraw")
    if not profiles:
        sys.exit("no counts: build with VIRTKSM_COVERAGE, and run tests")
    files = collect(given.root, export(given.build, profiles))
    good = report(files)
    for path in sorted(files):
        gaps = list(files[path].missing()) if path.startswith("policy/") else []
        if gaps:
            print("%s: %s" % (path, ", ".join(gaps)))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
