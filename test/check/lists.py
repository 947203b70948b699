#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""lists.py - what is on disk is in its list, and what is in a list is on disk

Sources, actuators, rules and commands are one file (or function) and one row each; methods of the
.proto files have a row with a handler; every .c file is compiled, and every *_test.* and every
script in test/integration/ is a test that ctest runs. The last two are read from the build
directory (--build), because only that knows. What doctor finds is described, id by id.
"""
import json
import os
import re
from collections import namedtuple

from tree import BAD, Tree, Verdict, arguments, code_only, line_of, without_comments, PRODUCT

# Definitions in any file of a folder, against rows in the file that holds the list.
Listing = namedtuple("Listing", "what folder definition file row")
LISTINGS = (
    Listing("sources", "agent/source/", r"^const Source (\w+)_source\b",
            "agent/source/source.c", r"&(\w+)_source\b"),
    Listing("actuators", "agent/actuator/", r"^const Actuator (\w+)_actuator\b",
            "agent/actuator/actuator.c", r"&(\w+)_actuator\b"),
    Listing("rules", "policy/", r"^(\w+)_step\([^;{]*\)\s*\{",
            "policy/policy.c", r"=\s*(\w+)_step\b"),
    Listing("backends of working sets", "agent/facts/",
            r"^const WorkingSetBackend working_set_(\w+)\b",
            "agent/facts/working_set.c", r"&working_set_(\w+)\b"),
    Listing("commands", "agent/cli/", r"^(\w+)_run\(const Cli [^;{]*\)\s*\{",
            "agent/cli/command.c", r"\b(\w+)_run\b"),
)
# Files of these folders that are not one item of the list, nor a part of one ("ksm_apply.c" of
# "ksm.c"): what the items share.
SHARED = {
    "agent/source/": {"source"},
    "agent/actuator/": {"actuator", "sysfile", "originals", "originals_file", "state_dir", "hold",
                        "hold_change", "hold_look", "hold_record", "hold_restore"},
}

# Built by commands of its own, for a machine without a C library; and for one sanitizer alone.
SEPARATE = ("test/support/guest/", "test/support/tsan.c")

# Ids of findings: the first text of a row of checks, or of a Text in the client.
FINDING_FILES = ("agent/report/doctor", "agent/cli/doctor_local")
FINDING = re.compile(r'\{\s*"([a-z0-9]+(?:-[a-z0-9]+)+|nosharepages)",(?:\s*DOCTOR_(\w+))?')
FINDINGS = "packaging/guide/findings.md"
DESCRIBED = re.compile(r"^\| `([a-z0-9-]+)` \| (\w+) \|", re.M)

SERVICE = re.compile(r"\bservice\s+(\w+)\s*\{(.*?)\n\}", re.S)
RPC = re.compile(r"\brpc\s+(\w+)\s*\(")
TEXT = re.compile(r'"((?:\\.|[^"\\\n])*)"')
ADD_TEST = re.compile(r"^add_test\(.*$", re.M)


def check_listing(tree, verdict, listing):
    defined = {}
    for path in tree.files(".c", under=(listing.folder,)):
        code = code_only(tree.read(path))
        for match in re.finditer(listing.definition, code, re.M):
            defined[match.group(1)] = (path, line_of(code, match.start()))
    rows = {}
    if listing.file in tree.paths:
        code = code_only(tree.read(listing.file))
        rows = {m.group(1): line_of(code, m.start()) for m in re.finditer(listing.row, code)}
    verdict.looked(listing.what, len(defined))
    for name in sorted(defined.keys() - rows.keys()):
        verdict.problem(*defined[name], "%s: no row in %s" % (name, listing.file))
    for name in sorted(rows.keys() - defined.keys()):
        verdict.problem(listing.file, rows[name], "%s: a row without a definition" % name)
    if listing.folder in SHARED:
        check_stems(tree, verdict, listing, defined)


def check_stems(tree, verdict, listing, defined):
    """One item, one file: it is called like the item, and every file belongs to one."""
    for name, (path, line) in sorted(defined.items()):
        if os.path.basename(path) != name + ".c":
            verdict.problem(path, line, "%s: belongs into %s.c" % (name, name))
    for path in tree.files(".c", under=(listing.folder,)):
        stem = os.path.basename(path)[:-2]
        if stem not in SHARED[listing.folder] and stem not in defined and \
                not any(stem.startswith(name + "_") for name in defined):
            verdict.problem(path, 1, "neither an item of the list nor a part of one")


def declared_methods(tree):
    """Paths on the wire of all methods, with the place of their declaration."""
    found = {}
    for path in tree.files(".proto", under=("proto/",)):
        text = without_comments(tree.read(path))
        package = re.search(r"^package\s+([\w.]+);", text, re.M)
        prefix = "/" + (package.group(1) + "." if package else "")
        for service in SERVICE.finditer(text):
            for method in RPC.finditer(service.group(2)):
                line = line_of(text, service.start(2) + method.start())
                found["%s%s/%s" % (prefix, service.group(1), method.group(1))] = (path, line)
    return found


def check_methods(tree, verdict):
    """A row holds the whole path, or the name alone in a file that has the path of the service."""
    declared = declared_methods(tree)
    verdict.looked("methods", len(declared))
    served = set()
    for path in tree.files(".c", under=("agent/rpc/",)):
        text = without_comments(tree.read(path))
        texts = set(TEXT.findall(text))
        served |= {m for m in declared if m in texts or
                   {m[:m.rindex("/") + 1], m[m.rindex("/") + 1:]} <= texts}
        for match in TEXT.finditer(text):
            word = match.group(1)
            if re.fullmatch(r"/[\w.]+/\w+", word) and word not in declared:
                verdict.problem(path, line_of(text, match.start()),
                                "%s: not in any .proto file" % word)
    for method in sorted(declared.keys() - served):
        verdict.problem(*declared[method], "%s: no row in agent/rpc/" % method)


def check_findings(tree, verdict):
    """What doctor can find, and what is described, with its usual severity."""
    found, severities = {}, {}
    for path in tree.files(".c", under=("agent/report/", "agent/cli/")):
        if path.startswith(FINDING_FILES):
            text = without_comments(tree.read(path))
            for match in FINDING.finditer(text):
                found[match.group(1)] = (path, line_of(text, match.start()))
                severities[match.group(1)] = (match.group(2) or "error").lower()
    described = {}
    if os.path.isfile(os.path.join(tree.root, FINDINGS)):
        text = tree.read(FINDINGS)
        for match in DESCRIBED.finditer(text):
            name, severity = match.groups()
            described[name] = line_of(text, match.start())
            if severities.get(name, severity) != severity:
                verdict.problem(FINDINGS, described[name],
                                "%s: it is of severity %s" % (name, severities[name]))
    verdict.looked("findings", len(found))
    for name in sorted(found.keys() - described.keys()):
        verdict.problem(*found[name], "%s: not described in %s" % (name, FINDINGS))
    for name in sorted(described.keys() - found.keys()):
        verdict.problem(FINDINGS, described[name], "%s: nothing finds it" % name)


def registered_programs(build):
    """Base names of all that stands in the commands of ctest."""
    found = set()
    for folder, _, files in os.walk(build):
        if "CTestTestfile.cmake" in files:
            with open(os.path.join(folder, "CTestTestfile.cmake"), encoding="utf-8") as file:
                for command in ADD_TEST.findall(file.read()):
                    found |= {os.path.basename(word) for word in TEXT.findall(command)}
    return found


def check_built(tree, verdict, build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    targets = {}
    for command in commands:
        path = os.path.relpath(os.path.join(command["directory"], command["file"]), tree.root)
        output = command.get("output") or command["command"]
        target = re.search(r"CMakeFiles/([^/ ]+)\.dir/", output)
        targets.setdefault(path, set()).add(target.group(1) if target else "")
    programs = registered_programs(build)
    files = tree.files(".c", under=PRODUCT + ("test/",))
    verdict.looked("files that are compiled", len([p for p in files if p in targets]))
    for path in files:
        if path not in targets and not path.startswith(SEPARATE):
            verdict.problem(path, 1, "is not compiled")
        elif path.endswith("_test.c"):
            verdict.looked("tests")
            if not targets[path] & programs:
                verdict.problem(path, 1, "is compiled, but not a test of ctest")
    scripts = tree.files("_test.py", "_test.sh", under=("test/",)) + \
        tree.files(".py", ".sh", under=("test/integration/",))
    for path in sorted(set(scripts)):
        verdict.looked("tests")
        if os.path.basename(path) not in programs:
            verdict.problem(path, 1, "is not a test of ctest")


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("lists")
    for listing in LISTINGS:
        check_listing(tree, verdict, listing)
    check_methods(tree, verdict)
    check_findings(tree, verdict)
    verdict.looked("tests", 0)
    if not args.build:
        verdict.problem(BAD, 0, "--build is needed to tell what is compiled")
    else:
        check_built(tree, verdict, os.path.abspath(args.build))
    verdict.finish()


if __name__ == "__main__":
    main()
