# SPDX-License-Identifier: LGPL-2.1-or-later
"""fakeanswers.py - an agent that answers what a test tells it, for the client alone

Messages are dicts, as virtksm prints them in JSON: None is what could not be had. VIRTKSM_ANSWERS
names the program.
"""
import os
import shutil
import socket
import subprocess
import tempfile

from fakecase import WAIT_SECONDS, run_program, wait_until

PROTO = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../proto")


def text_of(message, indent=""):
    """A dict in protobuf's text format."""
    lines = []
    for key, value in message.items():
        for item in value if isinstance(value, list) else [value]:
            if item is None:
                continue
            if isinstance(item, dict):
                lines += [indent + key + " {", text_of(item, indent + " "), indent + "}"]
            elif isinstance(item, str):
                octets = "".join("\\%03o" % octet for octet in item.encode())
                lines.append('%s%s: "%s"' % (indent, key, octets))
            else:
                lines.append("%s%s: %s" % (indent, key, str(item).lower()))
    return "\n".join(lines)


class FakeAnswers:
    """Not running yet; close() ends it and removes its folder."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="fans-")
        self.socket = self.folder + "/virtksmd.sock"
        self.process = None

    def answer(self, method, message):
        """What "Report" is answered with from now on."""
        packed = subprocess.run(
            ["protoc", "-I" + PROTO, "--encode=virtksm.v1.%sResponse" % method, "virtksm.proto"],
            input=text_of(message).encode(), stdout=subprocess.PIPE, check=True).stdout
        path = "%s/%s" % (self.folder, method)
        with open(path + ".new", "wb") as file:
            file.write(packed)
        os.rename(path + ".new", path)

    def start(self):
        self.process = subprocess.Popen([os.environ["VIRTKSM_ANSWERS"], self.socket, self.folder],
                                        stdin=subprocess.PIPE)
        wait_until(self._listens, "the agent listens")
        return self

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.socket) == 0

    def stop(self):
        if not self.process:
            return
        self.process.stdin.close()
        code = self.process.wait(WAIT_SECONDS)
        self.process = None
        if code != 0:
            raise AssertionError("the agent has ended with %d" % code)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder)

    def client(self, *words):
        return run_program(self.command(*words))

    def command(self, *words):
        return [os.environ["VIRTKSM"], "--socket", self.socket] + list(words)
