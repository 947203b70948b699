#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""words.py - words that every file has, and words that none has

- every source, script and CMake file names its licence near the top, in an SPDX line;
- nothing is left for later: no placeholders in files;
- the tree speaks of the project, not of the machine it was written on: no home directories or
  workplaces, no hosts from which packages are fetched (the system's configuration knows those).
"""
import re

from tree import Tree, Verdict, arguments, line_of

LICENCE = "SPDX-License-Identifier: LGPL-2.1-or-later"
LICENCE_LINES = 5
LICENSED = (".c", ".h", ".in", ".proto", ".py", ".sh", ".mjs", ".js", ".cmake", "CMakeLists.txt")

# The patterns are written so that they do not find themselves.
FORBIDDEN = (
    ("placeholder", re.compile(r"\b(?:TO[D]O|FIX[M]E|X[X]X)\b")),
    ("path of somebody's machine",
     re.compile(r"(?<![\w.}])(?<!\w[\"'])/(?:wor[k]|hom[e]/\w+|roo[t]|User[s])/")),
    ("host of a package registry",
     re.compile(r"\b(?:(?:deb|ftp|security|snapshot)[.]debian[.]org|registry[.]npmjs[.]\w+"
                r"|npmjs[.]com|nodesource[.]com|pypi[.]org|files[.]pythonhosted[.]org"
                r"|proxy[.]golang[.]org|crates[.]io)\b")),
)


def check_licence(tree, verdict, path):
    verdict.looked("licensed files")
    head = tree.read(path).split("\n")[:LICENCE_LINES]
    if not any(LICENCE in line for line in head):
        verdict.problem(path, 1, "no line with %s" % LICENCE)


def check_words(verdict, path, text):
    for what, pattern in FORBIDDEN:
        for match in pattern.finditer(text):
            verdict.problem(path, line_of(text, match.start()), "%s: %s" % (what, match.group()))


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("words")
    verdict.looked("texts", 0)
    verdict.looked("licensed files", 0)
    licensed = set(tree.files(*LICENSED) + tree.scripts(("python3", "node"), ".py") +
                   tree.shell_scripts())
    for path in tree.paths:
        if not tree.is_text(path):
            continue
        verdict.looked("texts")
        check_words(verdict, path, tree.read(path))
        if path in licensed:
            check_licence(tree, verdict, path)
    verdict.finish()


if __name__ == "__main__":
    main()
