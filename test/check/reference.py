#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""reference.py - manual pages can be read, the annotated configuration is right, completions complete

Of what was built: pages are read by mandoc and groff without a warning, and each program has one. The
configuration is taken by virtksmd as it is, and with every key uncommented. What bash, zsh and
fish offer for a few command lines is what they should offer.
"""
import os
import re
import subprocess
import tempfile

from tree import BAD, Tree, Verdict, arguments

CONF = "packaging/config/virtksmd.conf"
COMPLETION = "packaging/completion/virtksm."
LIST = "packaging/installed"
KEY = re.compile(r"^#(\w+ = ?.*)$", re.M)

# The client, for completions: two names, one of them with a space, and one that needs quotes.
CLIENT = """#!/bin/sh
[ "$*" = "list --format csv" ] || [ "$*" = "--socket /x/y.sock list --format csv" ] || exit 1
printf 'name,uuid\\nweb,1\\na b,2\\n"c,d",3\\n'
"""
# What is typed, word by word, and some of what is offered; "!" in front: is not offered.
TYPED = (
    (["virtksm", "rep"], ["report"]),
    (["virtksm", ""], ["status", "working-set", "simulate"]),
    (["virtksm", "mode", "cl"], ["classic", "!auto"]),
    (["virtksm", "report", ""], ["web", "!c,d"]),
    (["virtksm", "status", "w"], ["!web"]),
    (["virtksm", "set", "web", "balloon.f"], ["balloon.floor="]),
    (["virtksm", "history", "--si"], ["--since="]),
    (["virtksm", "trace", ""], ["record"]),
    (["virtksm", "set", "--persist", ""], ["web"]),
    (["virtksm", "set", "--format", "json", "web", "balloon.f"], ["balloon.floor="]),
    (["virtksm", "history", "--since", ""], ["!web"]),
)
BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
compopt() { :; }
_virtksm; printf '%s\\n' "${COMPREPLY[@]}"
"""
# Prints what compadd is given that begins like the last word.
ZSH = """
file=$1; shift
words=("$@"); CURRENT=$#
compdef() { : }
_files() { : }
compset() { : }
compadd() {
    local -a list
    [[ $1 == -S ]] && shift 2
    if [[ $1 == -a ]]; then list=(${(P)2}); else shift; list=("$@"); fi
    print -l -- ${(M)list:#$words[CURRENT]*}
}
source $file
"""


def run(command, folder=None):
    path = (folder + ":" if folder else "") + os.environ["PATH"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, env=dict(os.environ, PATH=path, LC_ALL="C.UTF-8"))
    except OSError as error:
        return 127, "%s: %s" % (command[0], error.strerror)
    return done.returncode, done.stdout


def check_pages(tree, verdict, build):
    folder = os.path.join(build, "packaging/man")
    pages = sorted(n for n in os.listdir(folder) if re.search(r"\.\d$", n)) \
        if os.path.isdir(folder) else []
    verdict.looked("manual pages", len(pages))
    for name in pages:
        where = "packaging/man/%s.in" % name
        for command in (["mandoc", "-Tlint", "-Wwarning"], ["groff", "-man", "-ww", "-Tutf8", "-z"]):
            # References to pages that are not installed here are none of our mistakes.
            output = "".join(line + "\n" for line in run(command + [folder + "/" + name])[1]
                             .splitlines() if "referenced manual not found" not in line)
            if output:
                verdict.problem(where, 1, "%s: %s" % (command[0], output.strip()))
    if LIST in tree.paths or os.path.isfile(os.path.join(tree.root, LIST)):
        for number, line in enumerate(tree.read(LIST).splitlines(), 1):
            program = re.match(r"s?bin/(\S+)", line)
            if program and not any(re.sub(r"\.\d$", "", n) == program.group(1) for n in pages):
                verdict.problem(LIST, number, "%s: has no manual page" % program.group(1))


def check_configuration(verdict, build):
    path, daemon = os.path.join(build, CONF), os.path.join(build, "agent/virtksmd")
    if not os.path.isfile(path):
        return
    with open(path, encoding="utf-8") as file:
        text = file.read()
    verdict.looked("keys", len(KEY.findall(text)))
    with tempfile.TemporaryDirectory() as folder:
        for what, content in (("as it is", text), ("with every key", KEY.sub(r"\1", text))):
            with open(folder + "/virtksmd.conf", "w", encoding="utf-8") as file:
                file.write(content)
            code, output = run([daemon, "--check-config", "--config", folder + "/virtksmd.conf"])
            if code != 0:
                verdict.problem(CONF + ".in", 1, "%s: %s" % (what, output.strip()))


def offers(shell, path, typed, folder):
    if shell == "bash":
        return run(["bash", "-c", BASH, "bash", path] + typed, folder)[1]
    if shell == "zsh":
        return run(["zsh", "-f", "-c", ZSH, "zsh", path] + typed, folder)[1]
    line = " ".join(typed)
    return run(["fish", "-N", "-c", "source %s; complete -C '%s'" % (path, line)], folder)[1]


def offered(shell, output):
    words = [line.split("\t")[0] for line in output.splitlines()]
    # fish completes options without their "=".
    return words + [word + "=" for word in words] if shell == "fish" else words


def check_completions(verdict, build):
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/virtksm", "w", encoding="utf-8") as file:
            file.write(CLIENT)
        os.chmod(folder + "/virtksm", 0o755)
        for shell in ("bash", "zsh", "fish"):
            path = os.path.join(build, COMPLETION + shell)
            if not os.path.isfile(path):
                continue
            for typed, wanted in TYPED:
                verdict.looked("completions")
                output = offers(shell, path, typed, folder)
                words = offered(shell, output)
                for word in wanted:
                    if (word.lstrip("!") in words) == word.startswith("!"):
                        verdict.problem(COMPLETION + shell + ".in", 1, "%s: %s: %s" % (
                            " ".join(typed), word, " ".join(output.split())))


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("reference")
    for what in ("manual pages", "keys", "completions"):
        verdict.looked(what, 0)
    if not args.build:
        verdict.problem(BAD, 0, "--build is needed for what was generated")
    else:
        build = os.path.abspath(args.build)
        check_pages(tree, verdict, build)
        check_configuration(verdict, build)
        check_completions(verdict, build)
    verdict.finish()


if __name__ == "__main__":
    main()
