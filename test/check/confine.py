#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""confine.py - what confines the daemon, and the recipes that pack it, can be read by their tools

AppArmor's parser compiles the profile, SELinux's tools the module; both are given the capabilities
of the unit. Unit and profile let be written what the code says that it needs to write. rpmspec reads
the spec, whose version is the project's, and which asks for the libraries that CMakeLists.txt asks
for, of the same least versions.
"""
import os
import re
import shutil
import subprocess
import tempfile

from tree import Tree, Verdict, arguments, line_of

PROFILE = "packaging/apparmor/usr.sbin.virtksmd"
MODULE = "packaging/selinux/virtksm"
UNIT = "packaging/systemd/virtksmd.service.in"
SPEC = "packaging/rpm/virtksm.spec"
SELINUX_MAKEFILE = "/usr/share/selinux/devel/Makefile"
MODULE_OF_CMAKE = re.compile(r"([a-z][\w.+-]*[\w+])>=([\d.]+)")
MODULE_OF_SPEC = re.compile(r"^BuildRequires: *pkgconfig\(([^)]+)\) >= ([\d.]+)$", re.M)
NEED = re.compile(r"^/\* needs: write (/\S+) \*/$", re.M)
# A rule of the profile that allows to write.
RULE = re.compile(r"^\s*(\S+) \w*w\w*,$", re.M)
VARIABLES = {"@{sys}": "/sys", "@{PROC}": "/proc", "@{run}": "/run"}
# Comes with another of the same version.
IMPLIED = {"gio-unix-2.0"}
# Without the unit, somebody has to give the control socket to its group.
BESIDE_THE_UNIT = {"chown"}


def run(command, folder=None):
    try:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
    except OSError as error:
        return 127, "%s: %s" % (command[0], error.strerror)
    return done.returncode, done.stdout.strip()


def text_of(tree, path):
    return tree.read(path) if os.path.isfile(os.path.join(tree.root, path)) else ""


def check_capabilities(tree, verdict, path, found):
    unit = re.search(r"^CapabilityBoundingSet=(.*)$", text_of(tree, UNIT), re.M)
    wanted = {c[4:].lower() for c in unit.group(1).split()} if unit else set()
    if found != wanted | BESIDE_THE_UNIT:
        verdict.problem(path, 1, "capabilities are %s, those of the unit %s" % (
            " ".join(sorted(found)), " ".join(sorted(wanted))))


def check_profile(tree, verdict):
    text = text_of(tree, PROFILE)
    if not text:
        return
    verdict.looked("profiles")
    with tempfile.TemporaryDirectory() as folder:
        code, output = run(["apparmor_parser", "--skip-kernel-load", "--skip-cache",
                            "--ofile", folder + "/out", os.path.join(tree.root, PROFILE)])
    if code != 0:
        verdict.problem(PROFILE, 1, output)
    check_capabilities(tree, verdict, PROFILE,
                       set(re.findall(r"^\s*capability (\w+),$", text, re.M)))


def check_module(tree, verdict):
    text = text_of(tree, MODULE + ".te")
    if not text:
        return
    verdict.looked("modules")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".te", ".fc", ".if"):
            if text_of(tree, MODULE + suffix):
                shutil.copy(os.path.join(tree.root, MODULE + suffix), folder)
        code, output = run(["make", "-f", SELINUX_MAKEFILE, "virtksm.pp"], folder)
        if code != 0 or not os.path.isfile(folder + "/virtksm.pp"):
            verdict.problem(MODULE + ".te", 1, output)
    found = re.search(r"self:capability \{ ([\w ]*) \}", text)
    check_capabilities(tree, verdict, MODULE + ".te", set(found.group(1).split()) if found else set())


def is_below(path, folder):
    return (path + "/").startswith(folder + "/")


def is_writable(path, unit):
    """The unit makes all of /sys read-only but what it lists, and leaves cgroups alone."""
    listed = re.findall(r"^ReadWritePaths=(.*)$", unit, re.M)
    return not is_below(path, "/sys") or is_below(path, "/sys/fs/cgroup") or any(
        is_below(path, p.lstrip("-")) for p in " ".join(listed).split())


def check_needs(tree, verdict):
    unit, profile = text_of(tree, UNIT), text_of(tree, PROFILE)
    for name, value in VARIABLES.items():
        profile = profile.replace(name, value)
    for path in tree.files(".c", under=("agent/",)):
        text = tree.read(path)
        for need in NEED.finditer(text):
            verdict.looked("needs")
            line = line_of(text, need.start())
            if not is_writable(need.group(1), unit):
                verdict.problem(path, line, "%s is read-only in the unit" % need.group(1))
            if not any(is_below(rule, need.group(1)) for rule in RULE.findall(profile)):
                verdict.problem(path, line, "%s: no rule of the profile" % need.group(1))


def check_spec(tree, verdict):
    if not text_of(tree, SPEC):
        return
    verdict.looked("specs")
    code, output = run(["rpmspec", "--query", "--queryformat", "%{version}\n",
                        os.path.join(tree.root, SPEC)])
    version = re.search(r"^project\(\w+ VERSION ([\d.]+)", text_of(tree, "CMakeLists.txt"), re.M)
    if code != 0:
        verdict.problem(SPEC, 1, output)
    elif not version or version.group(1) not in output.splitlines():
        verdict.problem(SPEC, 1, "version is %s, the project's is %s" % (
            output, version.group(1) if version else "missing"))


def check_libraries(tree, verdict):
    wanted = {m for m in MODULE_OF_CMAKE.findall(text_of(tree, "CMakeLists.txt"))
              if m[0] not in IMPLIED}
    found = set(MODULE_OF_SPEC.findall(text_of(tree, SPEC)))
    verdict.looked("libraries", len(wanted))
    for name, version in sorted(wanted ^ found):
        verdict.problem(SPEC, 1, "%s >= %s: only %s asks for it" % (
            name, version, "CMakeLists.txt" if (name, version) in wanted else "the spec"))


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("confine")
    for what in ("profiles", "modules", "specs"):
        verdict.looked(what, 0)
    check_profile(tree, verdict)
    check_module(tree, verdict)
    check_spec(tree, verdict)
    check_libraries(tree, verdict)
    check_needs(tree, verdict)
    verdict.finish()


if __name__ == "__main__":
    main()
