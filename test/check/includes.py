#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""includes.py - the one direction in which the rooms use each other

Rooms are listed with what they may include; a room that is not listed may include nothing. Beside
the includes, three things are kept that an include alone cannot show: who writes text, who opens
files for writing, and who may call an actuator's functions that change the host.
"""
import os
import re

from tree import Tree, Verdict, arguments, code_only, declarations, function_name, line_of
from tree import parameters, structure, without_comments, PRODUCT

# Files of the agent that any room of the daemon may use.
COMMON = ("agent/error.h", "agent/log.h", "agent/log_event.h", "agent/config.h", "policy/")

# First match wins: what is included with "..." from which room.
ROOMS = (
    ("policy/", ("policy/",)),
    ("proto/", ("proto/",)),
    ("hooks/", ("hooks/", "agent/config.h", "proto/hook.pb-c.h")),
    ("agent/facts/", ("agent/facts/",) + COMMON),
    ("agent/virt/", ("agent/virt/",) + COMMON),
    ("agent/actuator/", ("agent/actuator/", "agent/facts/", "agent/virt/") + COMMON),
    ("agent/source/", ("agent/source/", "agent/facts/", "agent/virt/", "agent/agent.h",
                       "agent/conf.h", "agent/domain.h", "agent/event.h", "proto/hook.pb-c.h",
                       "proto/grpc_unpack.h") + COMMON),
    ("agent/report/metrics", ("agent/report/", "agent/facts/", "agent/source/source.h",
                              "agent/agent.h", "agent/conf.h", "agent/domain.h", "agent/event.h",
                              "agent/tenant.h", "agent/tick.h") + COMMON),
    ("agent/report/", ("agent/report/", "agent/facts/", "agent/actuator/ksm.h",
                       "agent/domain.h") + COMMON),
    ("agent/trace/", ("agent/trace/", "agent/config.h", "proto/trace.pb-c.h",
                      "proto/grpc_unpack.h") + COMMON),
    ("agent/rpc/", ("agent/rpc/", "agent/report/", "agent/trace/", "agent/source/source.h",
                    "agent/source/grpc_feed.h", "agent/agent.h", "agent/measure.h",
                    "agent/recorder.h",
                    "agent/conf.h", "agent/domain.h", "agent/event.h", "agent/message.h",
                    "agent/tenant.h", "agent/tick.h", "proto/") + COMMON),
    ("agent/cli/", ("agent/cli/", "agent/trace/", "agent/report/figure.h", "agent/conf.h",
                    "agent/config.h", "agent/error.h", "agent/message.h", "agent/plain.h", "policy/",
                    "proto/")),
    ("agent/", ("agent/", "policy/", "proto/")),
    ("packaging/", ("packaging/", "agent/", "policy/")),
    ("test/", ("",)),
)

# What is included with <...>: who may. Headers that match nothing here are free, except in policy/.
LIBRARIES = (
    ("libvirt", ("agent/virt/", "agent/source/libvirt.c")),
    ("libxml/", ("agent/virt/domain_xml.c", "agent/virt/domain_metadata.c")),
    ("nghttp2/", ("proto/",)),
    ("protobuf-c/", ("proto/", "agent/rpc/", "agent/cli/", "agent/trace/")),
    ("ncurses.h", ("agent/cli/top_view.c",)),
    ("json-glib/", ("agent/report/", "agent/cli/", "agent/virt/qmp.c")),
    ("sqlite3.h", ("agent/report/history",)),
    ("systemd/", ("agent/notify.c",)),
    ("seccomp.h", ("agent/confine.c",)),
    ("microhttpd.h", ("agent/report/metrics_http.c",)),
    ("syslog.h", ()),
)

# C11 headers that bring no clock, no files and no threads.
C11 = {"assert.h", "float.h", "inttypes.h", "iso646.h", "limits.h", "stdalign.h", "stdarg.h",
       "stdbool.h", "stddef.h", "stdint.h", "stdnoreturn.h", "string.h"}

# Who writes text. main.c answers --version, --help and --check-config before there is a log.
TEXT = re.compile(r"\b(v?f?printf|v?dprintf|f?puts|f?putc|putchar|perror|g_print|g_printerr"
                  r"|g_message|g_warning|g_info|g_debug|g_critical|g_error|g_log\w*|v?syslog"
                  r"|sd_journal_\w+)\s*\(")
TEXT_WRITERS = ("agent/log.c", "agent/main.c", "agent/cli/", "hooks/", "packaging/reference/")

# Who opens files for writing, and which.
OPENING = re.compile(r"\b(O_WRONLY|O_RDWR|O_CREAT|(?:f|fd|freo)?open(?=\s*\([^;]*,\s*\"[wa+])"
                     r"|creat|p?writev|pwrite|g_file_set_contents\w*|g_file_replace\w*"
                     r"|g_file_create\w*|g_fopen)\b")
FILE_WRITERS = {
    "agent/actuator/sysfile.c": "kernel files: the only one",
    "agent/facts/working_set_write.c": "what asks the kernel to count the use of pages",
    "agent/actuator/originals.c": "the record of originals in the state directory",
    "agent/cli/trace.c": "the trace that is recorded",
    "agent/cli/output.c": "/dev/null in place of a closed standard stream, and --output",
    "agent/report/history.c": "the history in the state directory, made for its owner alone",
    "agent/source/psi_trigger.c": "pressure files: that it wants to be told",
    "agent/source/vmpressure.c": "the registry of cgroup events: that it wants to be told",
    "proto/grpc_socket.c": "the lock beside a listening socket",
}

# Who may call what changes the host: the tick, and the agent when it starts and stops.
ACTUATOR_USERS = ("agent/actuator/", "agent/tick.c", "agent/agent.c", "agent/reclaim.c",
                  "agent/main.c", "test/")

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*(?:\"([^\"]+)\"|<([^>]+)>)", re.M)


def check_project_include(tree, verdict, path, line, name):
    allowed = next((a for room, a in ROOMS if path.startswith(room)), ())
    if path.startswith("test/") and name.endswith(".pb-c.h"):
        return  # generated for one test program, in its own directory
    if "/" not in name:
        verdict.problem(path, line, 'include "%s": write it from the root of the tree' % name)
    elif not name.startswith(allowed):
        verdict.problem(path, line, 'include "%s": not for this room' % name)
    elif not name.endswith(".pb-c.h") and not any(
            os.path.isfile(os.path.join(tree.root, name + end)) for end in ("", ".in")):
        verdict.problem(path, line, 'include "%s": there is no such file' % name)


def check_library_include(verdict, path, line, name):
    if path.startswith("policy/") and name not in C11:
        verdict.problem(path, line, "include <%s>: policy is pure C11" % name)
    for prefix, users in LIBRARIES:
        if name.startswith(prefix) and not path.startswith(users + ("test/",)):
            verdict.problem(path, line, "include <%s>: not for this file" % name)


def check_includes(tree, verdict, path, text):
    for match in INCLUDE.finditer(without_comments(text)):
        line = line_of(text, match.start())
        verdict.looked("includes")
        if match.group(1):
            check_project_include(tree, verdict, path, line, match.group(1))
        else:
            check_library_include(verdict, path, line, match.group(2))


def check_writing(verdict, path, text):
    code = code_only(text)
    if not path.startswith(TEXT_WRITERS):
        for match in TEXT.finditer(code):
            verdict.problem(path, line_of(text, match.start()),
                            "%s: only the log writes text" % match.group(1))
    if path not in FILE_WRITERS:
        for match in OPENING.finditer(without_comments(text)):
            if code[match.start()] != " ":
                verdict.problem(path, line_of(text, match.start()),
                                "%s: this file may not open for writing" % match.group(1))


def changing_functions(tree):
    """Functions of actuators that can change the host: their object is not const, or they are told
    where its root is."""
    found = set()
    for path in tree.files(".h", under=("agent/actuator/",)):
        for declaration in declarations(structure(tree.read(path))):
            name = function_name(declaration)
            if not name:
                continue
            given = parameters(declaration, name)
            if any("root_fd" in p for p in given) or (
                    given and "*" in given[0] and not given[0].startswith("const ")):
                found.add(name)
    return found


def check_calls(verdict, path, text, changing):
    if path.startswith(ACTUATOR_USERS) or not changing:
        return
    for match in re.finditer(r"\b(%s)\s*\(" % "|".join(sorted(changing)), code_only(text)):
        verdict.problem(path, line_of(text, match.start()),
                        "%s(): only the tick moves the host" % match.group(1))


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("includes")
    changing = changing_functions(tree)
    verdict.looked("files", 0)
    verdict.looked("includes", 0)
    verdict.looked("functions that change the host", len(changing))
    for path in tree.files(".c", ".h", under=PRODUCT + ("test/",)):
        text = tree.read(path)
        verdict.looked("files")
        check_includes(tree, verdict, path, text)
        if path.startswith(PRODUCT):
            check_writing(verdict, path, text)
            check_calls(verdict, path, text, changing)
    verdict.finish()


if __name__ == "__main__":
    main()
