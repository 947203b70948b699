#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""prometheus.py - the rules for Prometheus are right, and each alert has a test

promtool reads the rules and runs their tests. Every alert must be seen to fire in one of them, by
name; dashboards are JSON, with a description for every panel. That the queries have answers is
seen in test/integration/fake_metrics.py.
"""
import json
import os
import re
import subprocess

from tree import Tree, Verdict, arguments, line_of

RULES = "packaging/prometheus/"
DASHBOARDS = "packaging/grafana/"
ALERT = re.compile(r"^ *- alert: (\w+)$", re.M)
# A test that an alert fires names it and has alerts below it.
FIRES = re.compile(r"^ *alertname: (\w+)\n *exp_alerts:", re.M)


def promtool(tree, verdict, path, *command):
    done = subprocess.run(["promtool"] + list(command) + [os.path.basename(path)],
                          cwd=os.path.join(tree.root, os.path.dirname(path)), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        verdict.problem(path, 1, "promtool %s fails" % " ".join(command))
        print(done.stdout)


def check_rules(tree, verdict):
    alerts, firing = {}, set()
    for path in tree.files(".yml", under=(RULES,)):
        text = tree.read(path)
        if path.endswith("-test.yml"):
            promtool(tree, verdict, path, "test", "rules")
            firing |= set(FIRES.findall(text))
            verdict.looked("tests of rules", len(FIRES.findall(text)))
        elif re.search(r"^groups:", text, re.M):
            promtool(tree, verdict, path, "check", "rules")
            verdict.looked("files of rules")
        else:
            promtool(tree, verdict, path, "check", "config")
        for match in ALERT.finditer(text):
            alerts[match.group(1)] = (path, line_of(text, match.start()))
    for name in sorted(alerts.keys() - firing):
        verdict.problem(*alerts[name], "%s: no test in which it fires" % name)


def check_dashboards(tree, verdict):
    for path in tree.files(".json", under=(DASHBOARDS,)):
        try:
            panels = json.loads(tree.read(path))["panels"]
        except (ValueError, KeyError) as error:
            verdict.problem(path, 1, "is no dashboard: %s" % type(error).__name__)
            continue
        for panel in panels:
            verdict.looked("panels")
            if not panel.get("description") or not panel.get("targets"):
                verdict.problem(path, 1, "panel %s: needs a description and queries"
                                % panel.get("title"))


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("prometheus")
    for what in "files of rules", "tests of rules", "panels":
        verdict.looked(what, 0)
    check_rules(tree, verdict)
    check_dashboards(tree, verdict)
    verdict.finish()


if __name__ == "__main__":
    main()
