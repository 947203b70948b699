#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""node_interop.py - Node's grpc-js: starts the servers and runs client.js, where the tests are"""
import os
import subprocess

from interop import HERE, PROTO, SUPPORT, InteropTestCase
from fakecase import main

SECONDS = 30


class Node(InteropTestCase):

    def test_client(self):
        echo, daemon = self.echo(), self.daemon_with_kata()
        environment = dict(os.environ, ECHO=echo.path, ECHO_RO=echo.ro_path, DAEMON=daemon.socket,
                           DAEMON_RO=daemon.ro_socket, KATA=daemon.kata, PROTO=PROTO,
                           ECHO_PROTO=SUPPORT + "/echo.proto", KSM_RUN=daemon.host.path(
                               "sys/kernel/mm/ksm/run"),
                           NODE_PATH=os.environ["INTEROP_DIR"] + "/node_modules")
        done = subprocess.run(["timeout", str(SECONDS), "node", HERE + "/client.js"], check=False,
                              env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        print(done.stdout)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    main()
