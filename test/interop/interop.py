# SPDX-License-Identifier: LGPL-2.1-or-later
"""interop.py - the servers that foreign clients call, and the folders of the .proto files"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
SUPPORT = os.path.join(HERE, "../support")
PROTO = os.path.join(HERE, "../../proto")

sys.path.insert(0, SUPPORT)
from fakecase import FakeTestCase, wait_until  # noqa: E402, F401  pylint: disable=unused-import


class EchoServer:
    """The C echo server as a process; see test/support/echo_server.h for what it answers."""

    def __init__(self):
        self.process = subprocess.Popen([os.environ["INTEROP_ECHO"]], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.path = self.process.stdout.readline().strip()
        self.ro_path = self.process.stdout.readline().strip()

    def close(self):
        """Ends it, and says how that went."""
        self.process.stdin.close()
        code = self.process.wait(10)
        self.process.stdout.close()
        if code != 0:
            raise AssertionError("the echo server has ended with %d" % code)


class InteropTestCase(FakeTestCase):
    """Has an echo server, and a daemon with a socket for Kata."""

    def echo(self):
        server = EchoServer()
        self.addCleanup(server.close)
        return server

    def daemon_with_kata(self):
        host = self.host()
        kata = host.base + "/kata-ksm-throttler/ksm.sock"
        daemon = self.started(host=host, config="[rpc]\nkata_socket = %s\n" % kata)
        daemon.kata = kata
        daemon.ro_socket = daemon.runtime_dir + "/virtksmd-ro.sock"
        return daemon
