#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""coverage.py BUILD_DIR - how much of the code the tests of a build have run, room by room

BUILD_DIR was built with gcc's --coverage, and tests have run in it. Prints lines and branches of
each room, and of policy the places that were not reached. Fails if a room has less than it is to
have.

A branch is one way out of a condition, as gcc sees it; those of an assertion that never fails are
not counted.
"""
import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
ROOMS = ("policy", "proto", "hooks", "agent/actuator", "agent/cli", "agent/facts", "agent/report",
         "agent/rpc", "agent/source", "agent/trace", "agent/virt", "agent")
# Percent of the lines and of the branches that a room is to have at least.
LEAST = {"policy": (100, 95), "all": (85, None)}
ASSERTION = re.compile(r"^\s*(?:static_)?assert\(")


class File:
    """Counts of a source file, over all programs that have it."""

    def __init__(self, path):
        self.lines = defaultdict(int)  # number -> how often
        self.branches = {}  # number -> how often each way was taken
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            self.is_assertion = [bool(ASSERTION.match(line)) for line in file]

    def add(self, line):
        number = line["line_number"]
        self.lines[number] += line["count"]
        counts = [branch["count"] for branch in line["branches"]]
        if not counts or self.is_assertion[number - 1]:
            return
        known = self.branches.get(number, [0] * len(counts))
        if len(known) == len(counts):
            self.branches[number] = [a + b for a, b in zip(known, counts)]

    def tally(self):
        """Lines run, lines, branches taken, branches."""
        ways = [count for counts in self.branches.values() for count in counts]
        return (sum(count > 0 for count in self.lines.values()), len(self.lines),
                sum(count > 0 for count in ways), len(ways))

    def missing(self):
        for number in sorted(self.lines):
            if self.lines[number] == 0:
                yield "%d" % number
            elif 0 in self.branches.get(number, ()):
                yield "%d (branch)" % number


def read_counts(path):
    """What gcov says of one object."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcov", "--json-format", "--branch-probabilities", path], cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        for name in os.listdir(folder):
            with gzip.open(os.path.join(folder, name)) as file:
                return json.load(file)["files"]
    return []


def product_path(name, build):
    """Path below the root of a file of the product; None for others."""
    path = os.path.relpath(os.path.realpath(os.path.join(build, name)), ROOT)
    return path if path.endswith((".c", ".h")) and path.startswith(("policy/", "proto/", "hooks/",
                                                                    "agent/")) else None


def collect(build):
    counted = [os.path.join(where, name) for where, _, names in os.walk(build)
               for name in names if name.endswith(".gcda")]
    files = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for counts in pool.map(read_counts, counted):
            for file in counts:
                path = product_path(file["file"], build)
                if path and path not in files:
                    files[path] = File(path)
                for line in file["lines"] if path else ():
                    files[path].add(line)
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
    print("%-16s %8s %8s %9s" % ("room", "lines", "", "branches"))
    for name in sorted(room for room in sums if room != "all") + ["all"]:
        run, lines, taken, branches = sums[name]
        shares = percent(run, lines), percent(taken, branches)
        short = [least for least, share in zip(LEAST.get(name, ()), shares)
                 if least is not None and share < least]
        print("%-16s %7.1f%% %8d %8.1f%%%s" % (name, shares[0], lines, shares[1],
                                               "  less than it is to have" if short else ""))
        good = good and not short
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build")
    files = collect(os.path.realpath(parser.parse_args().build))
    if not files:
        sys.exit("no counts: build with --coverage, and run tests")
    good = report(files)
    for path in sorted(files):
        gaps = list(files[path].missing()) if path.startswith("policy/") else []
        if gaps:
            print("%s: %s" % (path, ", ".join(gaps)))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
