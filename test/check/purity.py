#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""purity.py LIBRARY - the policy library depends on nothing and remembers nothing

What a static library uses and does not define must be on a short list of what a compiler or an
assert may call; and it may have no writable data, because state that hides in the library would
make two equal inputs give different plans. Data that is constant once its addresses are known
(.data.rel.ro) is not writable in a running program.
"""
import re
import subprocess
import sys

from tree import Verdict

ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "__assert_fail", "__stack_chk_fail",
           "_GLOBAL_OFFSET_TABLE_"}
WRITABLE = re.compile(r"^\.(data|bss|tdata|tbss|lbss|ldata)(?!\.rel\.ro)")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: purity.py LIBRARY")
    library, verdict = sys.argv[1], Verdict("purity")
    defined, used = set(), {}
    for line in output_of("nm", "-A", "-P", library).splitlines():
        where, name, kind = re.match(r".*\[(.*)\]: (\S+) (\w)", line).groups()
        if kind in "Uw":
            used.setdefault(name, where)
        else:
            defined.add(name)
    verdict.looked("symbols", len(defined))
    for name in used.keys() - defined - ALLOWED:
        verdict.problem(used[name], 0, "uses %s" % name)

    member = ""
    verdict.looked("members", 0)
    for line in output_of("size", "-A", "-d", library).splitlines():
        title = re.match(r"(\S+)\s+(?:\(ex .*\))?:", line)
        section = re.match(r"(\.\S+)\s+(\d+)", line)
        if title:
            member = title.group(1)
            verdict.looked("members")
        elif section and WRITABLE.match(section.group(1)) and int(section.group(2)) > 0:
            verdict.problem(member, 0, "%s bytes of writable data in %s" % (section.group(2),
                                                                           section.group(1)))
    verdict.finish()


if __name__ == "__main__":
    main()
