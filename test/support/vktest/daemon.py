# SPDX-License-Identifier: LGPL-2.1-or-later
"""daemon.py - virtksmd and virtksm as a test starts them

Each daemon has directories of its own below one temporary directory, so it never meets the
operator's. They stay when the daemon is killed and started again, as after a crash.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from . import ksm
from .ended import check_end
from .host import build_path
from .wait import PATIENCE, wait_until


class Daemon:
    """A virtksmd that is not running yet.

    args    further command line arguments
    config  text of the configuration file; None for none
    """

    def __init__(self, *args, config=None):
        self.args = list(args)
        self.directory = tempfile.mkdtemp(prefix="vktest-daemon-")
        self.runtime_dir = self.directory + "/run"
        self.state_dir = self.directory + "/state"
        self.socket = self.runtime_dir + "/virtksmd.sock"
        self.config_path = self.directory + "/virtksmd.conf"
        self.log_path = self.directory + "/log"
        self.process = None
        self.killed = False
        self.found = None  # what KSM must be in the end: its settings before the first start
        self.owes_ksm = False  # killed, and neither started again nor restored since
        if config is not None:
            self.write_config(config)

    def write_config(self, text):
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text)

    def command(self, *args):
        """The daemon's command line with its directories, for runs that end by themselves."""
        command = [build_path("agent/virtksmd"), "--runtime-dir", self.runtime_dir,
                   "--state-dir", self.state_dir]
        if os.path.exists(self.config_path):
            command += ["--config", self.config_path]
        return command + self.args + list(args)

    def start(self, wait=True):
        """Starts the daemon, and waits until it answers unless told otherwise."""
        self.killed = self.owes_ksm = False
        self.found = self.found or ksm.knobs()
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)
        if wait:
            wait_until(self._answers, "virtksmd answers\n" + self.log(), 30)
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError("virtksmd ended with %d:\n%s" % (self.process.returncode,
                                                                  self.log()))
        return self.client("status").returncode == 0

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def send(self, signal_number):
        self.process.send_signal(signal_number)

    def stop(self, seconds=20):
        """Stops the daemon in the orderly way and returns its exit code."""
        self.send(signal.SIGTERM)
        return self.process.wait(seconds * PATIENCE)

    def kill(self):
        """Kills the daemon without a chance to clean up."""
        self.killed = self.owes_ksm = True
        self.process.kill()
        self.process.wait(20)

    def restore(self):
        """Puts back what a killed daemon has left."""
        subprocess.run(self.command("--restore"), check=True, timeout=60 * PATIENCE)
        self.owes_ksm = False

    def close(self):
        """Ends the daemon if it still runs, and removes its directories.

        Fails if it has not ended as it should; that the test killed it is no fault of it.
        """
        try:
            if self.process:
                self._end()
                check_end(None if self.killed else self.process.returncode, self.log())
        finally:
            shutil.rmtree(self.directory)

    def _end(self):
        if self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)

    def client(self, *args, seconds=30):
        """Runs virtksm and returns the finished process with its output as text."""
        command = [build_path("agent/cli/virtksm"), "--socket", self.socket] + list(args)
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=seconds * PATIENCE, check=False)

    def ask(self, *args):
        """Runs virtksm with --format json and returns what it printed as Python values."""
        done = self.client("--format", "json", *args)
        if done.returncode != 0:
            raise AssertionError("virtksm %s: exit %d, %s" % (" ".join(args), done.returncode,
                                                              done.stderr.strip()))
        return json.loads(done.stdout)
