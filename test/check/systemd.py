#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd.py - what systemd is given is right, and confines the daemon as far as was promised

systemd's own programs read the unit, users, folders and catalogue, all of them offline. The unit's
exposure, as "systemd-analyze security" has it, stays below a limit. The catalogue has a text for
every id that the daemon logs, and for no other.
"""
import os
import re
import subprocess
import tempfile

from tree import BAD, Tree, Verdict, arguments, line_of

FOLDER = "packaging/systemd/"
UNIT = FOLDER + "virtksmd.service"
CATALOG = FOLDER + "virtksm.catalog"
EVENTS = "agent/log_event.c"
# In tenths. What is left is explained in the unit; most of it is writing files of root, sight of
# QEMU's processes, and serving metrics.
EXPOSURE = 20
# The user of the unit, with a group of its own, and in that of libvirt.
USER = (("passwd", r"^virtksm:"), ("group", r"^virtksm:"), ("group", r"^libvirt:.*[:,]virtksm\b"))

ID = re.compile(r'"([0-9a-f]{32})"')
ENTRY = re.compile(r"^-- ([0-9a-f]{32})$", re.M)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.returncode, done.stdout


def check_unit(verdict, build):
    path = os.path.join(build, UNIT)
    if not os.path.isfile(path):
        return
    verdict.looked("units")
    code, output = run("systemd-analyze", "security", "--offline=true", "--no-pager",
                       "--threshold=%d" % EXPOSURE, path)
    figure = re.search(r"exposure level for \S+: ([\d.]+)", output)
    if not figure:
        verdict.problem(UNIT + ".in", 1, "systemd-analyze has no figure for it:\n" + output)
    elif code != 0:
        verdict.problem(UNIT + ".in", 1, "exposure is %s, more than %g" % (figure.group(1),
                                                                           EXPOSURE / 10))
    # The program need not be installed here, nor its manual.
    for line in run("systemd-analyze", "verify", path)[1].splitlines():
        if "virtksmd.service" in line and "is not executable" not in line and \
                "Command 'man " not in line:
            verdict.problem(UNIT + ".in", 1, line)


def check_catalog(tree, verdict):
    ids, entries = {}, {}
    if EVENTS in tree.paths:
        text = tree.read(EVENTS)
        ids = {m.group(1): line_of(text, m.start()) for m in ID.finditer(text)}
    if os.path.isfile(os.path.join(tree.root, CATALOG)):
        text = tree.read(CATALOG)
        entries = {m.group(1): line_of(text, m.start()) for m in ENTRY.finditer(text)}
    verdict.looked("messages", len(ids))
    for name in sorted(ids.keys() - entries.keys()):
        verdict.problem(EVENTS, ids[name], "%s: no text in %s" % (name, CATALOG))
    for name in sorted(entries.keys() - ids.keys()):
        verdict.problem(CATALOG, entries[name], "%s: nothing logs it" % name)
    return entries


def copy(tree, name, root, target):
    os.makedirs(os.path.join(root, os.path.dirname(target)), exist_ok=True)
    with open(os.path.join(root, target), "w", encoding="utf-8") as file:
        file.write(tree.read(FOLDER + name))


def has_user(root):
    for name, line in USER:
        path = os.path.join(root, "etc", name)
        if not os.path.isfile(path):
            return False
        with open(path, encoding="utf-8") as file:
            if not re.search(line, file.read(), re.M):
                return False
    return True


def check_folders(verdict, root):
    """Only root can give files to others; others see that the lines can be read."""
    path, left = FOLDER + "virtksm.tmpfiles", root + "/var/lib/virtksm/history.db"
    os.makedirs(os.path.dirname(left))
    with open(left, "w", encoding="utf-8"):
        pass
    _, output = run("systemd-tmpfiles", "--create", "--root=" + root)
    if "Failed to parse" in output or not os.path.isdir(root + "/run/virtksm"):
        verdict.problem(path, 1, "makes no folder: " + output)
    elif os.geteuid() == 0 and os.stat(left).st_uid == 0:
        verdict.problem(path, 1, "what root has left stays root's: " + output)


def check_in_root(tree, verdict, entries):
    """Users, folders and the catalogue, made in an empty root."""
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(root + "/etc")
        for name, target in (("virtksm.sysusers", "usr/lib/sysusers.d/virtksm.conf"),
                             ("virtksm.tmpfiles", "usr/lib/tmpfiles.d/virtksm.conf"),
                             ("virtksm.catalog", "usr/lib/systemd/catalog/virtksm.catalog")):
            if not os.path.isfile(os.path.join(tree.root, FOLDER + name)):
                return
            copy(tree, name, root, target)
            verdict.looked("files for systemd")
        code, output = run("systemd-sysusers", "--root=" + root)
        if code != 0 or not has_user(root):
            verdict.problem(FOLDER + "virtksm.sysusers", 1,
                            "makes no user virtksm whom libvirt lets in: " + output)
        check_folders(verdict, root)
        run("journalctl", "--update-catalog", "--root=" + root)
        known = run("journalctl", "--list-catalog", "--root=" + root)[1]
        for name in sorted(set(entries) - set(re.findall(r"^[0-9a-f]{32}", known, re.M))):
            verdict.problem(CATALOG, entries[name], "%s: journalctl does not find it" % name)


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("systemd")
    verdict.looked("units", 0)
    verdict.looked("messages", 0)
    if not args.build:
        verdict.problem(BAD, 0, "--build is needed for the unit")
    else:
        check_unit(verdict, os.path.abspath(args.build))
    entries = check_catalog(tree, verdict)
    check_in_root(tree, verdict, entries)
    verdict.finish()


if __name__ == "__main__":
    main()
