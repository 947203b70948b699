#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""manifest_interop.py - the DaemonSet of packaging/container is one, and the daemon takes its file"""
import json
import os
import subprocess
import tempfile
import unittest

from interop import HERE
from fakecase import main, run_program

MANIFEST = os.path.join(HERE, "../../packaging/container/daemonset.yaml")
# What is changed, into what, and a word of the fault that is found.
MISTAKES = (
    ("needed, and missing", "mountPath: /sys\n", "mountPoint: /sys\n", "mountPath"),
    ("of another type", "hostPID: true", "hostPID: 1", "hostPID"),
    ("no selector", "  selector:\n", "  selectors:\n", "selector"),
    ("a kind with another version", "apiVersion: apps/v1", "apiVersion: apps/v1beta1", "DaemonSet"),
    ("no YAML", "kind: ConfigMap", "kind: [ConfigMap", "ConfigMap"),
)


def look(text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(["node", HERE + "/manifest.js", file.name], check=True, text=True,
                              stdout=subprocess.PIPE, env=dict(
                                  os.environ,
                                  NODE_PATH=os.environ["INTEROP_DIR"] + "/node_modules"))
    return json.loads(done.stdout)


class Manifest(unittest.TestCase):

    def setUp(self):
        with open(MANIFEST, encoding="utf-8") as file:
            self.text = file.read()

    def test_each_document_is_what_the_schemas_ask_for(self):
        found = look(self.text)
        self.assertEqual(found["faults"], [])
        self.assertEqual(found["kinds"], ["Namespace", "ConfigMap", "DaemonSet"])

    def test_a_mistake_is_found(self):
        for when, right, wrong, word in MISTAKES:
            with self.subTest(when):
                self.assertIn(right, self.text)
                self.assertIn(word, " ".join(look(self.text.replace(right, wrong))["faults"]))

    def test_the_daemon_takes_the_configuration_in_it(self):
        files = look(self.text)["files"]
        self.assertEqual(list(files), ["virtksmd.conf"])
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/virtksmd.conf"
            with open(path, "w", encoding="utf-8") as file:
                file.write(files["virtksmd.conf"])
            done = run_program([os.environ["VIRTKSMD"], "--check-config", "--config", path])
        self.assertEqual(done.code, 0, str(done))


if __name__ == "__main__":
    main()
