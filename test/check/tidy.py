#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tidy.py - clang-tidy has nothing to say about any file that is compiled

Runs over the compilation database of --build, without what was generated there, on all CPUs. What
is looked for, and what is not and why, is in .clang-tidy.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import tempfile

from tree import Tree, Verdict, arguments

# Checks that are good for what we ship, and why they are not for tests.
NOT_IN_TESTS = {
    "bugprone-suspicious-missing-comma": "paths are put together from the build directory's name",
    "cert-err33-c": "a test's files are in a directory that it has just made",
    "clang-analyzer-core.NonNullParamChecker": "cmocka's fail() does not say that it never returns",
    "clang-analyzer-core.NullDereference": "likewise",
    "clang-analyzer-valist.Uninitialized": "clang 14 forgets the va_start() of inlined functions",
    "misc-misleading-bidirectional": "hostile names are test data",
}
# Of VIRTKSM_ANALYZE; clang-tidy is clang, and refuses options that it does not know.
GCC_ONLY = re.compile(r" -f(?:no-)?analyzer\b")
FINDING = re.compile(r"^(/\S+?):(\d+):\d+: (?:error|warning): (.*)$", re.M)


def tidy(config, build, root, path):
    """Findings in a file and in our headers that it includes, as (path, line, text)."""
    command = ["clang-tidy", "--quiet", "--config-file=" + config, "-p", build,
               "--header-filter=^%s/(agent|policy|proto|hooks|test)/" % re.escape(root),
               os.path.join(root, path)]
    if path.startswith("test/"):
        command.insert(1, "--checks=" + ",".join("-" + name for name in NOT_IN_TESTS))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [(os.path.relpath(name, root), int(line), text)
             for name, line, text in FINDING.findall(done.stdout)]
    if done.returncode != 0 and not found:
        found.append((path, 1, "clang-tidy failed: %s" % done.stderr.strip()[-300:]))
    return found


def check_reasons(verdict, config):
    """Every check that is switched off is in a comment that says why."""
    if not os.path.exists(config):
        return
    with open(config, encoding="utf-8") as file:
        text = file.read()
    verdict.looked("switched-off checks", 0)
    for name in re.findall(r"^ +-([\w.-]+)", text, re.M):
        if name == "key":
            continue
        verdict.looked("switched-off checks")
        if not re.search(r"^# (?:-[\w.-]+, )*-%s(?:, -[\w.-]+)*: \w" % re.escape(name), text, re.M):
            verdict.problem(os.path.basename(config), 1, "no reason for -%s" % name)


def compiled_files(tree, build):
    """Our .c files that are in the compilation database."""
    if not build:
        return []
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        compiled = {os.path.relpath(os.path.join(c["directory"], c["file"]), tree.root)
                    for c in json.load(file)}
    return [p for p in tree.files(".c") if p in compiled]


def copy_for_clang(build, folder):
    """The compilation database, without what gcc alone understands."""
    if not build:
        return
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as file:
        file.write(GCC_ONLY.sub("", text))


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("tidy")
    config = os.path.join(tree.root, ".clang-tidy")
    paths = compiled_files(tree, args.build)
    # The largest first, so that no CPU is left with a long one at the end.
    paths.sort(key=lambda p: -os.path.getsize(os.path.join(tree.root, p)))
    verdict.looked("files", len(paths))
    check_reasons(verdict, config)
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        copy_for_clang(args.build, folder)
        for found in pool.map(lambda p: tidy(config, folder, tree.root, p), paths):
            for path, line, text in found:
                verdict.problem(path, line, text)
    verdict.finish()


if __name__ == "__main__":
    main()
