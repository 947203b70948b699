#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""coverage_can_fail.py - coverage.py tells what was not reached, and fails as long as it is so"""
import os
import subprocess
import sys
import tempfile
import unittest

COVERAGE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "coverage.py")
POLICY = """\
#include <assert.h>
int part(int a, int b);
int
part(int a, int b)
{
    assert(a < 5);
    if (a > 0 && b > 0)
        return 1;
    if (b > 5)
        return 2;
    return b ? 3 : 4;
}
"""
PROGRAM = """\
#include <stdlib.h>
int part(int a, int b);
int
main(int argc, char **argv)
{
    return argc == 3 ? part(atoi(argv[1]), atoi(argv[2])) : 0;
}
"""
GAPS = "policy/part.c: 7 (branch), 8, 9 (branch), 10, 11 (branch)\n"


class Coverage(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)
        self.build = self.root + "/build"
        os.makedirs(self.build + "/coverage")

    def compile(self):
        os.mkdir(self.root + "/policy")
        for path, text in ("policy/part.c", POLICY), ("program.c", PROGRAM):
            with open("%s/%s" % (self.root, path), "w", encoding="ascii") as file:
                file.write(text)
            option = "-fprofile-instr-generate=%s/coverage/part-%%m.profraw" % self.build
            subprocess.run(["clang", "-O2", option, "-fcoverage-mapping", "-c",
                            "%s/%s" % (self.root, path), "-o",
                            "%s/%s.o" % (self.build, os.path.basename(path))], check=True)
        subprocess.run(["clang", "-fprofile-instr-generate", self.build + "/part.c.o",
                        self.build + "/program.c.o", "-o", self.build + "/program"], check=True)

    def run_program(self, *numbers):
        subprocess.run([self.build + "/program", *map(str, numbers)], check=False)

    def coverage(self, **environment):
        done = subprocess.run([sys.executable, "-B", COVERAGE, "--root", self.root, self.build],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=dict(os.environ, **environment), check=False)
        return done.returncode, done.stdout, done.stderr

    def test_what_was_not_reached_is_told_until_it_is(self):
        self.compile()
        self.run_program(1, 0)
        code, out, _ = self.coverage()
        self.assertEqual(code, 1, out)
        self.assertTrue(out.endswith(GAPS), out)
        self.assertRegex(out, r"\npolicy +71\.4% +7 +50\.0% +8  less than it is to have\n")
        for numbers in (1, 1), (0, 9), (0, 1), (0, 0):
            self.run_program(*numbers)
        code, out, _ = self.coverage()
        self.assertEqual(code, 0, out)
        self.assertNotIn("part.c", out)

    def test_counts_that_were_cut_short_are_left_out(self):
        self.compile()
        self.run_program(1, 0)
        with open(self.build + "/coverage/cut.profraw", "wb") as file:
            file.write(b"\x81rforpl\xff cut short")
        _, out, errors = self.coverage()
        self.assertTrue(out.endswith(GAPS), out)
        self.assertIn("cut.profraw", errors)

    def test_what_is_missing_is_said(self):
        self.assertEqual(self.coverage()[::2], (1, "no counts: build with VIRTKSM_COVERAGE, and "
                                                   "run tests\n"))
        self.compile()
        self.run_program(1, 0)
        code, _, errors = self.coverage(PATH="/nonexistent")
        self.assertEqual((code, errors), (1, "llvm-profdata: not found; Debian has it in the "
                                             "package llvm\n"))


if __name__ == "__main__":
    unittest.main()
