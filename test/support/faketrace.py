# SPDX-License-Identifier: LGPL-2.1-or-later
"""faketrace.py - decisions of a daemon under test, recorded by a client and decided again"""
import json
import os
import signal
import subprocess

from fakecase import WAIT_SECONDS, FakeTestCase, run_program, wait_until

CLIENT = os.environ["VIRTKSM"]


class TraceTestCase(FakeTestCase):

    def simulate(self, trace, *arguments):
        return run_program([CLIENT, *arguments, "simulate", trace])

    def result(self, trace, *arguments):
        done = self.simulate(trace, "--format", "json", *arguments)
        self.assert_done(done, 0)
        return json.loads(done.out)

    def recorder(self, daemon, *arguments):
        """A client that records, once its file is there; end it with finish()."""
        path = os.path.join(daemon.host.base, "a.trace")
        process = subprocess.Popen(
            daemon.client_command("trace", "record", "-o", path, *arguments),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 100,
                   "no trace is written")
        return process, path

    def finish(self, process, number=signal.SIGINT):
        process.send_signal(number)
        out, err = process.communicate(timeout=WAIT_SECONDS)
        return process.returncode, out, err
