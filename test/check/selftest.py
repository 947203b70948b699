#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""selftest.py CHECK FIXTURE - a check can fail, and says what is wrong where

FIXTURE is a small tree with mistakes, and beside them the like that is right. Its files end in
".bad", so that nothing else takes them for ours, and hold "@@" where a word must not be found by
other checks; both go away in the copy that CHECK is run on. @ROOT@ becomes the copy's path.

The check must exit with 1 and print every line of FIXTURE/expected; the last of them has the number
of problems, so it may not find more. On an empty tree it must fail because it looked at nothing.
"""
import os
import subprocess
import sys
import tempfile


def copy(fixture, target):
    for folder, _, files in os.walk(fixture):
        for name in (f for f in files if f.endswith(".bad")):
            path = os.path.join(folder, name)
            copied = os.path.join(target, os.path.relpath(path, fixture)[:-len(".bad")])
            os.makedirs(os.path.dirname(copied), exist_ok=True)
            with open(path, encoding="utf-8") as file:
                text = file.read().replace("@@", "").replace("@ROOT@", target)
            with open(copied, "w", encoding="utf-8") as file:
                file.write(text)


def run(check, root):
    command = [check, "--root", root]
    if os.path.isdir(os.path.join(root, "build")):
        command += ["--build", os.path.join(root, "build")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.returncode, done.stdout


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: selftest.py CHECK FIXTURE")
    check, fixture = os.path.abspath(sys.argv[1]), sys.argv[2]
    with open(os.path.join(fixture, "expected"), encoding="utf-8") as file:
        expected = file.read().splitlines()
    faults = [] if expected else ["%s/expected is empty" % fixture]

    with tempfile.TemporaryDirectory() as target:
        copy(fixture, target)
        status, output = run(check, target)
        lines = output.splitlines()
        if status != 1:
            faults.append("exit status is %d, not 1" % status)
        faults += ["not printed: %s" % e for e in expected if not any(e in line for line in lines)]

    with tempfile.TemporaryDirectory() as target:
        # An empty build directory would be an error of its own.
        status, empty = run(check, target)
        if status != 1 or "looked at nothing" not in empty:
            faults.append("passes, or is at a loss, where there is nothing to look at:\n" + empty)

    for fault in faults:
        print(fault)
    if faults:
        print("--- output of %s:\n%s" % (check, output))
        sys.exit(1)
    print("%s: finds all %d" % (os.path.basename(check), len(expected)))


if __name__ == "__main__":
    main()
