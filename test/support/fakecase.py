# SPDX-License-Identifier: LGPL-2.1-or-later
"""fakecase.py - the daemon and its client on a FakeHost, and the base of tests with them

The programs are named in VIRTKSMD and VIRTKSM. Every daemon that a test starts must end with 0 and
without a complaint of a sanitizer or of GLib, unless the test killed it, and leave KSM as it was
found; see FakeHost.wants_found. The log is shown when a test fails.

The tests of a program run several at a time: nearly all they do is wait. So a test has no state
but its own folder, and classes have no fixtures.
"""
import grp
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
import unittest
from concurrent.futures import ThreadPoolExecutor

from fakehost import FakeHost
from vktest.ended import check_end
from vktest.skip import skip_line
from vktest.wait import PATIENCE
from vktest.wait import wait_until as wait_with_pauses

# In front of the daemon, where the build says so.
VALGRIND = ["valgrind", "--quiet", "--vgdb=no", "--num-callers=25", "--error-exitcode=99",
            "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--child-silent-after-fork=yes"] if os.environ.get("VIRTKSM_VALGRIND") == "ON" else []
# What it says of itself, however quiet it is to be: which system calls it does not know.
VALGRINDS = re.compile(r"^--\d+-- .*\n", re.M)
AT_ONCE = 2 if VALGRIND else 4
# Generous, as the machine may be busy with other tests; nobody waits that long for a success.
# All limits are multiplied by PATIENCE, where the machine or the daemon is slow.
WAIT_SECONDS = 30 * PATIENCE
POLL_SECONDS = 0.01

EXIT_USAGE = 64
EXIT_CONFIG = 78

HOOK = os.path.join(os.environ.get("VIRTKSM_BUILD_DIR", ""), "hooks/virtksm-hook")

SUPPRESSIONS = os.path.join(os.path.dirname(os.path.realpath(__file__)), "lsan.supp")
os.environ.setdefault("LSAN_OPTIONS", "print_suppressions=0:suppressions=" + SUPPRESSIONS)


def wait_until(condition, what, seconds=30):
    """As on a real host, but looked at more often: nothing here takes long."""
    return wait_with_pauses(condition, what, seconds, POLL_SECONDS)


# Of a test whose subject is the service manager.
with_systemd = unittest.skipUnless(os.environ.get("VIRTKSM_SYSTEMD", "1") == "1",
                                   "built without libsystemd")
# Of one that scrapes.
with_microhttpd = unittest.skipUnless(os.environ.get("VIRTKSM_MICROHTTPD", "1") == "1",
                                      "built without libmicrohttpd")
# Of one that needs a history.
with_sqlite = unittest.skipUnless(os.environ.get("VIRTKSM_SQLITE", "1") == "1",
                                  "built without SQLite")


class Done:
    """What a program has printed, and how it ended."""

    def __init__(self, finished):
        self.code = finished.returncode
        self.out = finished.stdout
        self.err = finished.stderr

    def __str__(self):
        return "exit %d, output %r, errors %r" % (self.code, self.out, self.err)


def run_program(command, seconds=WAIT_SECONDS):
    """Runs a program that is to end by itself."""
    try:
        return Done(subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, timeout=seconds, check=False))
    except subprocess.TimeoutExpired:
        raise AssertionError("has not ended within %g s: %s" % (seconds, " ".join(command))) \
            from None


class FakeDaemon:
    """virtksmd on a host; not running yet.

    args     further arguments
    config   text of its configuration; None: no --config at all
    connect  for --connect
    wrapper  command that runs the daemon
    program  name of the variable that has the daemon's path
    user     number of the user that runs it, and of his group; its folders are made for him
    rights   of root that he keeps, in words of setpriv
    """

    def __init__(self, host, *args, config="", connect="none", wrapper=(), user=None, rights=None,
                 program="VIRTKSMD"):
        self.host = host
        self.runtime_dir = host.base + "/run"
        self.state_dir = host.base + "/state"
        self.record = self.state_dir + "/originals"
        self.config_path = host.base + "/virtksmd.conf"
        self.log_path = "%s/log-%x" % (host.base, id(self))
        self.connect = connect
        self.args = list(args)
        self.wrapper = list(wrapper)
        if user is not None:
            self.wrapper += ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups"]
        if rights:
            self.wrapper += ["--inh-caps=" + rights, "--ambient-caps=" + rights]
        self.program = os.environ[program]
        self.user = user
        self.has_config = config is not None
        self.process = None
        self.killed = False
        self.log_text = ""
        self.environment = dict(os.environ)
        if self.has_config:
            self.write_config(config)
        if user is not None:
            self._make_folders()

    def _make_folders(self):
        os.chmod(self.host.base, 0o755)
        for folder in self.runtime_dir, self.state_dir:
            os.makedirs(folder, exist_ok=True)
            os.chown(folder, self.user, -1)

    def state_files(self):
        """Names in the state directory, without the history."""
        return [name for name in os.listdir(self.state_dir) if not name.startswith("history.db")]

    def write_config(self, text):
        # Daemons of tests run side by side, and have one address of metrics by default.
        if "[metrics]" not in text:
            text += "\n[metrics]\nlisten = off\n"
        # The default exists where the package is installed: only root could give it the socket.
        if not re.search("^group =", text, re.M):
            number = os.getegid() if self.user is None else self.user
            section = "[rpc]\ngroup = %s\n" % grp.getgrgid(number).gr_name
            text = text.replace("[rpc]\n", section) if "[rpc]" in text else text + "\n" + section
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text)

    def command(self, *args):
        command = self.wrapper + VALGRIND
        command += [self.program, "--root", self.host.root, "--runtime-dir", self.runtime_dir,
                    "--state-dir", self.state_dir, "--connect", self.connect]
        command += ["--config", self.config_path] if self.has_config else []
        return command + self.args + list(args)

    # --- life ---

    def start(self, wait=True):
        """Starts the daemon. It answers when this returns, and has decided once."""
        self.killed = False
        self.host.note_found()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment)
        if wait:
            wait_until(self.is_listening, lambda: "virtksmd listens\n" + self.log())
            wait_until(lambda: self.ask("status")["ticks"] > 0, "virtksmd has decided once")
        return self

    def is_listening(self):
        if self.process.poll() is not None:
            raise AssertionError("virtksmd has ended with %d:\n%s" % (self.process.returncode,
                                                                      self.log()))
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.socket) == 0

    def run(self, *args):
        """Runs the daemon's program until it ends by itself."""
        return run_program(self.command(*args))

    def send(self, number):
        self.process.send_signal(number)

    def in_its_mounts(self, *command):
        """Where its wrapper has given it mounts of its own."""
        subprocess.run(["nsenter", "-t", str(self.process.pid), "-m", *command], check=True)

    def kill(self):
        """Ends it without a chance to clean up."""
        self.killed = True
        self.process.kill()
        self.process.wait(WAIT_SECONDS)

    def wait_end(self, seconds=WAIT_SECONDS):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("virtksmd has not ended within %g s:\n%s"
                                 % (seconds, self.log())) from None

    def stop(self, number=signal.SIGTERM):
        """Ends it in the orderly way, and says what is wrong with how it ended."""
        runs = self.process and self.process.poll() is None
        if runs:
            self.send(number)
            self.wait_end()
        check_end(self.process.returncode if self.process and not self.killed else None,
                  self.log())
        if runs:
            self.host.check_found()

    def log(self):
        if os.path.exists(self.log_path):
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                self.log_text = VALGRINDS.sub("", file.read())
        return self.log_text

    # --- client ---

    @property
    def socket(self):
        return self.runtime_dir + "/virtksmd.sock"

    @property
    def hook_socket(self):
        return self.runtime_dir + "/hook.sock"

    def client_command(self, *args):
        return [os.environ["VIRTKSM"], "--socket", self.socket, *args]

    def client(self, *args):
        return run_program(self.client_command(*args))

    def ask(self, *args):
        """What virtksm prints as JSON, as Python values."""
        done = self.client("--format", "json", *args)
        if done.code != 0:
            raise AssertionError("virtksm %s: %s\n%s" % (" ".join(args), done, self.log()))
        return json.loads(done.out)

    def names(self):
        return [domain["name"] for domain in self.ask("list")["domains"]]

    def wait_connected(self, connected=True, seconds=WAIT_SECONDS):
        """Waits until it is connected to libvirt, or has noticed that it is not."""
        wait_until(lambda: self.ask("status")["libvirt"]["connected"] == connected,
                   lambda: "connected %s: %s" % (connected, self.ask("status")["libvirt"]), seconds)


class FakeTestCase(unittest.TestCase):
    """Hosts and daemons end with the test that made them."""

    maxDiff = None

    def setUp(self):
        self._logs = []

    def host(self, *args, **options):
        host = FakeHost(*args, **options)
        self.addCleanup(host.close)
        return host

    def daemon(self, host, *args, **options):
        daemon = FakeDaemon(host, *args, **options)
        self._logs.append(daemon.log)
        self.addCleanup(daemon.stop)
        return daemon

    def started(self, *args, host=None, **options):
        """A daemon that runs, on a new host unless one is given."""
        return self.daemon(host or self.host(), *args, **options).start()

    def follow(self, daemon, *args):
        """A client that goes on until it is ended: a process whose output the test reads."""
        process = subprocess.Popen(daemon.client_command(*args), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def manager(self, daemon):
        """The socket of a service manager that starts the daemon, and wants signs of life."""
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(notify.close)
        notify.bind(daemon.host.base + "/notify")
        daemon.environment.update(NOTIFY_SOCKET=daemon.host.base + "/notify",
                                  WATCHDOG_USEC="200000")
        return notify

    def hook(self, path, *arguments, data=b"", seconds=WAIT_SECONDS, **options):
        """One call of the hook, which must do and say nothing to libvirtd; path is of its socket.

        Returns how many seconds it took.
        """
        began = time.monotonic()
        done = subprocess.run([HOOK, *arguments], input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=seconds, check=False,
                              env=dict(os.environ, VIRTKSM_HOOK_SOCKET=path), **options)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""), arguments)
        return time.monotonic() - began

    def logs(self):
        return [log() for log in self._logs]

    def assert_settings(self, host, settings, what, seconds=30):
        """KSM gets these settings soon: run, pages_to_scan, sleep_millisecs."""
        wait_until(lambda: host.settings() == settings,
                   lambda: "%s: KSM has %s, want %s" % (what, host.settings(), settings), seconds)

    def assert_sums(self, report, what=None):
        """The figures of a report add up, whatever has happened."""
        host, others = report["host"], report["others"]
        saved = sum(row["saved_pages"] or 0 for row in report["domains"])
        self.assertEqual(saved + others["saved_pages"], host["saved_pages"], what)
        self.assertEqual(host["saved_pages"],
                         host["pages_sharing"] + (host["ksm_zero_pages"] or 0), what)
        merging = sum(row["merging_pages"] or 0 for row in report["domains"])
        self.assertEqual(merging + others["merging_pages"],
                         host["pages_shared"] + host["pages_sharing"], what)
        for row in report["domains"] + [others]:
            for key, value in row.items():
                if isinstance(value, int) and key not in ("net_saved_bytes", "profit_bytes"):
                    self.assertGreaterEqual(value, 0, "%s: %s" % (what, key))

    def assert_untouched(self, host, before, *folders):
        """No file has been written since before = host.stamps(*folders) was taken."""
        after = host.stamps(*folders)
        changed = [os.path.relpath(path, host.base) for path in sorted(before.keys() | after.keys())
                   if before.get(path) != after.get(path)]
        self.assertEqual(changed, [], "written, made or removed")

    def assert_came_back(self, daemon, times=1):
        """The log says that libvirt has gone, so often at least, and each time that it is back."""
        back = daemon.ask("status")["libvirt"]["reconnects"]
        log = daemon.log()
        self.assertGreaterEqual(back, times)
        self.assertEqual(log.count("libvirt: connected to"), back + 1)
        self.assertGreaterEqual(log.count("libvirt: not connected"), times)

    def assert_done(self, done, code, *texts):
        """A program ended with this code and printed these texts, on either channel."""
        self.assertEqual(done.code, code, str(done))
        for text in texts:
            self.assertIn(text, done.out + done.err)


def _tests_of(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _tests_of(test)
        else:
            yield test


def _run_one(test):
    result = unittest.TestResult()
    begin = time.monotonic()
    test.run(result)
    name = "%s.%s" % (type(test).__name__, test.id().rsplit(".", 1)[1])
    lines = ["%-4s %5.2f s  %s" % ("ok" if result.wasSuccessful() else "FAIL",
                                   time.monotonic() - begin, name)]
    for failed, trace in result.failures + result.errors:
        lines += ["", str(failed), trace]
    if not result.wasSuccessful() and isinstance(test, FakeTestCase):
        lines += ["log of virtksmd:\n" + log for log in test.logs() if log]
    for skipped, reason in result.skipped:
        lines.append(skip_line(skipped, reason))
    print("\n".join(lines), flush=True)
    return result.wasSuccessful()


def main():
    """Runs the tests of the program, or those that the command line names."""
    for variable in "VIRTKSMD", "VIRTKSM":
        if not os.access(os.environ.get(variable, ""), os.X_OK):
            sys.exit("the environment must name a program in %s" % variable)
    module = sys.modules["__main__"]
    loader = unittest.TestLoader()
    names = sys.argv[1:]
    suite = loader.loadTestsFromNames(names, module) if names else \
        loader.loadTestsFromModule(module)
    tests = list(_tests_of(suite))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            outcomes = list(pool.map(_run_one, tests))
        except Exception:  # a defect of this file: never to be taken for a success
            traceback.print_exc()
            sys.exit(2)
    print("%d of %d tests passed" % (sum(outcomes), len(tests)))
    sys.exit(0 if tests and all(outcomes) else 1)
