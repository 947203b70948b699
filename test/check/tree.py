#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tree.py - what the checks share: the files of the tree, the shape of C text, and the verdict

As a program it lists files for the checks that are shell scripts:

    tree.py ROOT .c .h      files by suffix
    tree.py ROOT shell      shell scripts, by suffix or by first line

A check prints one line per problem ("path:line: what is wrong") and a last line that says how much
it looked at. A check that looked at nothing has failed: it would pass on an empty tree.
"""
import argparse
import os
import re
import subprocess
import sys
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
# Broken on purpose, to show that a check can fail.
BAD = "test/check/bad/"

# The rooms that make up the programs, as opposed to what tests and packages them.
PRODUCT = ("policy/", "proto/", "agent/", "hooks/", "packaging/")

_NOISE = re.compile(r"""(?P<comment>/\*.*?\*/|//[^\n]*)
                      | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""", re.S | re.X)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M | re.S)
_BARE_MACRO = re.compile(r"[A-Z][A-Z0-9_]+\s*\([^()]*\)\s*\n")


def _spaces(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """C text in which comments are blanks; positions and lines stay what they were."""
    return _NOISE.sub(lambda m: _spaces(m.group()) if m.group("comment") else m.group(), text)


def code_only(text):
    """As without_comments(), and what stands between quotes is blank as well."""
    def replace(match):
        found = match.group()
        if match.group("comment"):
            return _spaces(found)
        return found[0] + _spaces(found[1:-1]) + found[-1]
    return _NOISE.sub(replace, text)


def structure(text):
    """As code_only(), without preprocessor lines: what braces and semicolons can be counted in."""
    return _DIRECTIVE.sub(lambda m: _spaces(m.group()), code_only(text))


def line_of(text, position):
    return text.count("\n", 0, position) + 1


# One declaration or definition at file level; body is the position of its "{", or -1.
Declaration = namedtuple("Declaration", "start end body text")


def declarations(code):
    """Split structure(text) into what stands at file level."""
    position, end = 0, len(code)
    while True:
        while position < end and code[position] in " \t\n;":
            position += 1
        if position >= end:
            return
        macro = _BARE_MACRO.match(code, position)
        if macro:
            position = macro.end()
            continue
        start, body, stop = position, -1, _end_of_declaration(code, position)
        brace = code.find("{", start, stop)
        if brace >= 0 and _is_function_head(code[start:brace]):
            body = brace
        yield Declaration(start, stop, body, code[start:stop])
        position = stop


def _is_function_head(head):
    return head.rstrip().endswith(")") and "=" not in head


def _end_of_declaration(code, start):
    depth = 0
    for position in range(start, len(code)):
        char = code[position]
        if char in "{(":
            depth += 1
        elif char in "})":
            depth -= 1
            if char == "}" and depth == 0:
                if _is_function_head(code[start:code.index("{", start)]):
                    return position + 1
        elif char == ";" and depth == 0:
            return position + 1
    return len(code)


def function_name(declaration):
    """The function that is declared or defined; None where it is something else."""
    head = declaration.text
    if declaration.body >= 0:
        head = head[:declaration.body - declaration.start]
    elif "{" in head or "=" in head:
        return None
    if re.match(r"\s*(typedef|static_assert|_Static_assert)\b", head):
        return None
    for match in re.finditer(r"([A-Za-z_]\w*)\s*\(", head):
        name = match.group(1)
        if name == "__attribute__" or name.isupper():
            continue
        # (*name)(...) is a variable, and a lone word before "(" has no type: a macro.
        if match.start() == 0 or head[match.end():].lstrip().startswith("*"):
            return None
        return name
    return None


def parameters(declaration, name):
    """The parameters of a function, as text; none for (void)."""
    start = re.search(r"\b%s\s*\(" % name, declaration.text).end()
    depth, found, current = 1, [], ""
    for char in declaration.text[start:]:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0:
            break
        if char == "," and depth == 1:
            found.append(current.strip())
            current = ""
        else:
            current += char
    found.append(current.strip())
    return [] if found in ([""], ["void"]) else found


class Tree:
    """The files that belong to the project: what git would keep, or everything in a tarball."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.paths = sorted(p for p in self._list() if not p.startswith(BAD))

    def _list(self):
        git = ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others",
               "--exclude-standard"]
        if os.path.exists(os.path.join(self.root, ".git")):
            try:
                done = subprocess.run(git, check=True, capture_output=True, text=True)
                return [p for p in done.stdout.split("\0")
                        if p and os.path.isfile(os.path.join(self.root, p))]
            except (OSError, subprocess.CalledProcessError):
                pass  # no git, or a checkout that git does not trust: look for ourselves
        return self._walk()

    def _walk(self):
        found = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if f not in (".git", "node_modules", "__pycache__")
                          and not (folder == self.root and f.startswith("build"))]
            found += [os.path.relpath(os.path.join(folder, f), self.root) for f in files]
        return found

    def files(self, *suffixes, under=("",)):
        return [p for p in self.paths if p.endswith(suffixes) and p.startswith(tuple(under))]

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def is_text(self, path):
        try:
            self.read(path)
            return True
        except UnicodeDecodeError:
            return False

    def first_line(self, path):
        with open(os.path.join(self.root, path), "rb") as file:
            return file.readline(200).decode("utf-8", "replace")

    def scripts(self, interpreters, suffix):
        """Programs written for one of the interpreters."""
        shebang = re.compile(r"#!.*\b(%s)\b" % "|".join(interpreters))
        return [p for p in self.paths
                if p.endswith(suffix) or shebang.match(self.first_line(p))]

    def shell_scripts(self):
        return self.scripts(("sh", "bash", "dash"), ".sh")


class Verdict:
    """What a check has looked at and found."""

    def __init__(self, name):
        self.name = name
        self.counts = {}
        self.problems = []

    def looked(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    def problem(self, path, line, text):
        self.problems.append((path, line, text))

    def finish(self):
        for path, line, text in sorted(set(self.problems)):
            print("%s:%d: %s" % (path, line, text))
        counts = ", ".join("%d %s" % (n, what) for what, n in self.counts.items())
        nothing = [what for what, n in self.counts.items() if n == 0]
        if nothing or not self.counts:
            print("%s: looked at nothing: %s" % (self.name, ", ".join(nothing) or "no files"))
            sys.exit(1)
        number = len(set(self.problems))
        print("%s: looked at %s: %s" % (self.name, counts,
                                        "%d problems" % number if number else "ok"))
        sys.exit(1 if number else 0)


def arguments(doc):
    """Command line of a check: where the tree is, and where it was built."""
    parser = argparse.ArgumentParser(description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.join(HERE, "..", ".."), help="of the tree")
    parser.add_argument("--build", help="build directory, for the checks that need one")
    return parser.parse_args()


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: tree.py ROOT shell|SUFFIX...")
    tree = Tree(sys.argv[1])
    if sys.argv[2] == "shell":
        paths = tree.shell_scripts()
    else:
        paths = tree.files(*sys.argv[2:])
    sys.stdout.write("".join(p + "\n" for p in paths))


if __name__ == "__main__":
    main()
