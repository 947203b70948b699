#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""install.py - "cmake --install" puts down what packaging/installed lists, and uninstalling takes it away

Into an empty folder, by DESTDIR. Files that others may write, programs that cannot be run and what
is left after uninstall are problems as well, and so are links to what is not there. A configuration
that somebody has changed survives both another installation and uninstall.
"""
import os
import re
import stat
import subprocess
import tempfile

from tree import BAD, Tree, Verdict, arguments

LIST = "packaging/installed"
UNINSTALL = "packaging/uninstall.cmake"
# Where configuration goes; other lines of the list are below the prefix.
CONFIGURATION = "/etc/"
PREFIX = re.compile(r"^CMAKE_INSTALL_PREFIX:\w+=(.*)$", re.M)
# To another file, without the part of it.
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
FEATURE = re.compile(r"^#define HAVE_(\w+)\s+1$", re.M)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def wanted_files(tree, build):
    """Paths that are to be there, with the line of the list; "path if FEATURE" needs a feature."""
    prefix = PREFIX.search(read(build + "/CMakeCache.txt")).group(1)
    features = FEATURE.findall(read(build + "/agent/config.h"))
    found = {}
    for number, line in enumerate(tree.read(LIST).splitlines(), 1):
        path, _, feature = line.partition(" if ")
        if path and not path.startswith("#") and (not feature or feature in features):
            found[path if path.startswith("/") else prefix + "/" + path] = number
    return found


def run(destination, *command):
    done = subprocess.run(command, env=dict(os.environ, DESTDIR=destination), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return None if done.returncode == 0 else done.stdout


def files_below(folder):
    return {os.path.join(where, name)[len(folder):] for where, _, names in os.walk(folder)
            for name in names}


def check_modes(verdict, destination, paths):
    for path in sorted(paths):
        mode = os.lstat(destination + path).st_mode
        if stat.S_ISLNK(mode):
            continue
        wants = "bin/" in path or "/hooks/" in path
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            verdict.problem(LIST, 1, "%s: others may write it" % path)
        if bool(mode & stat.S_IXUSR) != wants:
            verdict.problem(LIST, 1, "%s: mode %o" % (path, stat.S_IMODE(mode)))


def check_links(verdict, destination, paths):
    """What a text leads to is installed as well, and in the same place beside it."""
    for path in sorted(p for p in paths if p.endswith(".md")):
        for link in LINK.findall(read(destination + path)):
            if not os.path.exists(os.path.join(os.path.dirname(destination + path), link)):
                verdict.problem(LIST, 1, "%s: leads to %s, which is not there" % (path, link))


def check_taken_away(verdict, destination, uninstall):
    """Nothing is left, nor a folder of ours."""
    run(destination, *uninstall)
    for where, folders, names in os.walk(destination):
        for name in sorted(names + [f for f in folders if f.startswith("virtksm")]):
            verdict.problem(UNINSTALL, 1, "%s: is left" % os.path.join(where, name))


def check_changed_configuration(verdict, destination, build, uninstall):
    """What an operator has written stays."""
    failure = run(destination, "cmake", "--install", build)
    if failure:
        verdict.problem(LIST, 1, "cannot be installed again: " + failure)
    paths = [p for p in files_below(destination) if p.endswith("/virtksmd.conf")
             and p.startswith(CONFIGURATION)]
    for path in paths:
        with open(destination + path, "a", encoding="utf-8") as file:
            file.write("# changed\n")
    run(destination, "cmake", "--install", build)
    run(destination, *uninstall)
    left = files_below(destination)
    for path in paths:
        if path not in left or "# changed" not in read(destination + path):
            verdict.problem(LIST, 1, "%s: was changed, and did not survive" % path)
    for path in sorted(left - set(paths)):
        verdict.problem(UNINSTALL, 1, "%s: is left" % path)


def check(tree, verdict, build):
    wanted = wanted_files(tree, build)
    uninstall = ["cmake", "-DBUILD=" + build, "-P", os.path.join(tree.root, UNINSTALL)]
    with tempfile.TemporaryDirectory() as destination:
        failure = run(destination, "cmake", "--install", build)
        if failure:
            verdict.problem(LIST, 1, "cannot be installed: " + failure)
            return
        found = files_below(destination)
        verdict.looked("installed files", len(found))
        for path in sorted(found - wanted.keys()):
            verdict.problem(LIST, 1, "%s: is installed, but not listed" % path)
        for path in sorted(wanted.keys() - found):
            verdict.problem(LIST, wanted[path], "%s: is listed, but not installed" % path)
        check_modes(verdict, destination, found)
        check_links(verdict, destination, found)
        if os.path.exists(os.path.join(tree.root, UNINSTALL)):
            check_taken_away(verdict, destination, uninstall)
            check_changed_configuration(verdict, destination, build, uninstall)


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("install")
    verdict.looked("installed files", 0)
    if not args.build:
        verdict.problem(BAD, 0, "--build is needed to tell what is installed")
    else:
        check(tree, verdict, os.path.abspath(args.build))
    verdict.finish()


if __name__ == "__main__":
    main()
