#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_top.py - "virtksm top" on a terminal of tmux, on a bare one, and on none"""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakeanswers import FakeAnswers  # noqa: E402
from fakecase import PATIENCE, WAIT_SECONDS, FakeTestCase, main, wait_until  # noqa: E402
from vktest.ended import COMPLAINTS  # noqa: E402

MIB = 1 << 20
STATUS = {"version": "0.1.0", "mode": "auto", "phase": "maintain", "reason": "All is merged.",
          "ksmd_cpu_percent": 0.4}
ESCAPE = b"\x1b"
LEAVE_SCREEN = b"\x1b[?1049l"
SHOW_CURSOR = b"\x1b[?12l\x1b[?25h"


def domain(name, saved, resident=100 * MIB, **more):
    return {"name": name, "uuid": "u-" + name, "saved_pages": saved // 4096,
            "net_saved_bytes": saved - MIB, "resident_bytes": resident,
            "maximum_bytes": 512 * MIB, "metadata_bytes": MIB, "stats_age_ms": 500, **more}


def report(domains):
    return {"page_size": 4096, "domains": domains, "steady": True,
            "host": {"saved_pages": 2560, "metadata_bytes": 3 * MIB, "net_saved_bytes": 7 * MIB,
                     "total_bytes": 64 << 30, "available_bytes": 9 << 30,
                     "unshare_bytes": 10 * MIB},
            "others": {"saved_pages": 0}}


THREE = (domain("bee", 20 * MIB, 300 * MIB), domain("ant", 50 * MIB, 200 * MIB),
         domain("cow", 5 * MIB, 400 * MIB), {"name": "dim", "uuid": "u-dim"})


class Screen:
    """A window of tmux in which a command runs, and then waits."""

    def __init__(self, folder, command, width, height):
        if not shutil.which("tmux"):
            raise AssertionError("needs tmux")
        self.base = ["tmux", "-S", folder + "/tmux", "-f", "/dev/null"]
        line = "LC_ALL=C.UTF-8 %s; echo ended with $?; sleep 100" % " ".join(command)
        self.tmux("new-session", "-d", "-x", str(width), "-y", str(height), line)

    def tmux(self, *words):
        return subprocess.run(self.base + list(words), check=True, stdout=subprocess.PIPE,
                              text=True).stdout

    def close(self):
        self.tmux("kill-server")

    def lines(self, *words):
        return self.tmux("capture-pane", "-p", *words).rstrip("\n").split("\n")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def names(self):
        """The first column of the list."""
        lines = [line.split() for line in self.lines()]
        begin = next((i for i, words in enumerate(lines) if words and
                      words[0].startswith("DOMAIN")), len(lines))
        return [words[0] for words in lines[begin + 1:-1] if words]

    def wait_names(self, want):
        wait_until(lambda: self.names() == list(want),
                   lambda: "%s on\n%s" % (want, "\n".join(self.lines())))

    def wait_text(self, want):
        wait_until(lambda: any(want in line for line in self.lines()),
                   lambda: "'%s' on\n%s" % (want, "\n".join(self.lines())))


class Terminal:
    """A bare terminal, and a program on it."""

    def __init__(self, command, term="xterm-256color", **environment):
        self.master, self.slave = pty.openpty()
        self.size(80, 24)
        self.before = termios.tcgetattr(self.slave)
        self.out = b""
        self.process = subprocess.Popen(command, stdin=self.slave, stdout=self.slave,
                                        stderr=subprocess.PIPE, start_new_session=True,
                                        env=dict(os.environ, TERM=term, **environment))

    def size(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.out += os.read(self.master, 65536)
        return self.out

    def wait_out(self, want):
        wait_until(lambda: want in self.read(), lambda: "%r in %r" % (want, self.out))

    def wait_end(self, seconds=WAIT_SECONDS):
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()
            time.sleep(0.01)
        self.read()
        return self.process.poll()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)


class TopTestCase(FakeTestCase):

    def agent(self, domains=THREE):
        agent = FakeAnswers()
        self.addCleanup(agent.close)
        agent.answer("Report", report(list(domains)))
        agent.answer("Status", STATUS)
        return agent.start()

    def screen(self, agent, width=120, height=24, interval="0.1"):
        screen = Screen(agent.folder, agent.command("top", "--interval", interval), width, height)
        self.addCleanup(screen.close)
        return screen

    def terminal(self, agent, *words, **how):
        terminal = Terminal(agent.command("top", "--interval", "0.1", *words), **how)
        self.addCleanup(terminal.close)
        return terminal

    def assert_restored(self, terminal, what):
        """As a shell wants to find it."""
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before, what)
        end = terminal.out.rindex(LEAVE_SCREEN)
        self.assertGreater(terminal.out.rindex(SHOW_CURSOR), terminal.out.rindex(b"\x1b[?25l"),
                           what)
        self.assertNotIn(b"\x1b[", terminal.out[end + len(LEAVE_SCREEN):].replace(
            b"\x1b[?1l", b"").replace(SHOW_CURSOR, b"").replace(b"\x1b[23;0;0t", b""), what)


class Keys(TopTestCase):

    def test_it_sorts_by_each_column_both_ways(self):
        screen = self.screen(self.agent())
        screen.wait_names(["ant", "bee", "cow", "dim"])  # by what is saved
        screen.keys("r")
        screen.wait_names(["cow", "bee", "ant", "dim"])  # what is not known stays last
        screen.keys("r", ">", ">")
        screen.wait_names(["cow", "bee", "ant", "dim"])  # by what is resident
        screen.keys("<", "<", "<")
        screen.wait_names(["ant", "bee", "cow", "dim"])  # by name
        screen.keys("r")
        screen.wait_names(["dim", "cow", "bee", "ant"])
        screen.keys("q")
        screen.wait_text("ended with 0")

    def test_it_shows_the_units_that_are_asked_for(self):
        screen = self.screen(self.agent([domain("big", 3 << 30)]))
        screen.wait_text("3.0 GiB")
        screen.keys("u")
        screen.wait_text("3072.0 MiB")
        screen.keys("u")
        screen.wait_text("3.00 GiB")
        screen.keys("u")
        screen.wait_text("units (each its own)")

    def test_the_last_line_says_the_keys(self):
        screen = self.screen(self.agent())
        screen.wait_text("q quit  < > sort  r reverse  u units")
        self.assertIn("q quit", screen.lines()[23])

    def test_it_scrolls_through_a_thousand_domains(self):
        screen = self.screen(self.agent([domain("vm-%04d" % n, n * MIB) for n in range(1000)]))
        screen.wait_text("1000 domains")
        names = ["vm-%04d" % n for n in range(999, -1, -1)]
        room = len(screen.names())
        screen.wait_names(names[:room])
        for key, first in (("Down", 1), ("PageDown", room + 1), ("Up", room), ("PageUp", 0),
                           ("End", 1000 - room), ("Home", 0)):
            screen.keys(key)
            screen.wait_names(names[first:first + room])

    def test_names_cannot_leave_their_column(self):
        names = "a\nb", "\x1b[31mred", "\u4e2d" * 60, "x" * 200
        screen = self.screen(self.agent([domain(n, i * MIB) for i, n in enumerate(names)]))
        screen.wait_text("4 domains")
        for line in screen.lines()[5:9]:
            self.assertRegex(line, r"\s\d+\.\d MiB\s")
        text = "\n".join(screen.lines())
        for want in "a\\nb", "\\x1b[31mred", "\u4e2d\u4e2d~", "xx~":
            self.assertIn(want, text)


class Sizes(TopTestCase):

    def test_it_follows_the_size_of_the_window(self):
        screen = self.screen(self.agent())
        screen.wait_text("UNTOUCHED")
        screen.tmux("resize-window", "-x", "40", "-y", "10")
        wait_until(lambda: not any("UNTOUCHED" in line for line in screen.lines()), "40x10")
        screen.wait_names(["ant", "bee", "cow", "dim"])
        self.assertEqual(len(screen.lines()), 10)
        self.assertTrue(all(len(line) <= 40 for line in screen.lines()))
        self.assertIn("q quit", screen.lines()[9])
        screen.tmux("resize-window", "-x", "160", "-y", "30")
        screen.wait_text("AGE")
        screen.wait_names(["ant", "bee", "cow", "dim"])

    def test_the_column_that_sorts_is_always_there(self):
        screen = self.screen(self.agent(), width=40, height=10)
        screen.wait_text("SAVEDv")
        screen.keys(*[">"] * 10)
        screen.wait_text("AGEv")

    def test_no_size_is_too_small_or_too_large(self):
        terminal = self.terminal(self.agent())
        terminal.wait_out(b"q quit")
        for width, height in ((1, 1), (2, 3), (7, 2), (40, 1), (9, 40), (500, 200), (40, 10)):
            terminal.size(width, height)
            before = len(terminal.read())
            os.kill(terminal.process.pid, signal.SIGWINCH)
            wait_until(lambda: len(terminal.read()) > before,
                       lambda: "nothing drawn at %dx%d" % (width, height))
        self.assertIsNone(terminal.process.poll())
        os.write(terminal.master, b"q")
        self.assertEqual(terminal.wait_end(), 0)


class Ends(TopTestCase):

    def test_it_leaves_the_terminal_as_it_was(self):
        agent = self.agent()
        for what in b"q", signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            with self.subTest(what=what):
                terminal = self.terminal(agent)
                terminal.wait_out(b"q quit")
                self.assertNotEqual(termios.tcgetattr(terminal.slave), terminal.before)
                if isinstance(what, bytes):
                    os.write(terminal.master, what)
                else:
                    terminal.process.send_signal(what)
                self.assertEqual(terminal.wait_end(), 0)
                self.assert_restored(terminal, what)

    def test_it_ends_after_as_many_reports_as_asked_for(self):
        terminal = self.terminal(self.agent(), "--count", "3")
        self.assertEqual(terminal.wait_end(), 0)
        self.assert_restored(terminal, "count")

    def test_it_ends_at_once_while_the_agent_does_not_answer(self):
        agent = self.agent()
        terminal = self.terminal(agent)
        terminal.wait_out(b"q quit")
        agent.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(0.3)
            begin = time.monotonic()
            os.write(terminal.master, b"q")
            self.assertEqual(terminal.wait_end(), 0)
            self.assertLess(time.monotonic() - begin, 3 * PATIENCE)
            self.assert_restored(terminal, "hung agent")
        finally:
            agent.process.send_signal(signal.SIGCONT)

    def test_a_closed_terminal_ends_it(self):
        terminal = self.terminal(self.agent())
        terminal.wait_out(b"q quit")
        os.close(terminal.slave)
        os.close(terminal.master)
        self.assertEqual(terminal.process.wait(WAIT_SECONDS), 0)
        terminal.master, terminal.slave = os.pipe()


class Agent(TopTestCase):

    def test_it_survives_the_agents_restart(self):
        agent = self.agent()
        screen = self.screen(agent)
        screen.wait_names(["ant", "bee", "cow", "dim"])
        agent.stop()
        screen.wait_text("trying again: no virtksmd answers at")
        self.assertEqual(screen.names(), ["ant", "bee", "cow", "dim"])
        agent.answer("Report", report([domain("new", MIB)]))
        agent.start()
        screen.wait_names(["new"])
        self.assertFalse(any("trying again" in line for line in screen.lines()))

    def test_an_agent_that_was_never_there_is_an_error(self):
        agent = self.agent()
        agent.stop()
        terminal = self.terminal(agent)
        self.assertEqual(terminal.wait_end(), 1)
        self.assertEqual(terminal.out, b"")
        self.assertIn(b"no virtksmd answers at", terminal.process.stderr.read())


class Usage(TopTestCase):

    def test_what_makes_no_sense_is_refused_by_name(self):
        agent = self.agent()
        for option, value, want in (("interval", "0.09", "expected 0.1 to 3600 seconds"),
                                    ("interval", "3601", "expected 0.1 to 3600 seconds"),
                                    ("interval", "nan", "expected 0.1 to 3600 seconds"),
                                    ("interval", "2s", "expected 0.1 to 3600 seconds"),
                                    ("interval", "0", "expected 0.1 to 3600 seconds"),
                                    ("count", "0", "expected a whole number from 1 on"),
                                    ("count", "-1", "expected a whole number from 1 on"),
                                    ("count", "2.5", "expected a whole number from 1 on")):
            done = agent.client("top", "--%s=%s" % (option, value))
            self.assertEqual((done.code, done.out), (2, ""), value)
            self.assertIn("--%s '%s': %s" % (option, value, want), done.err)
        done = agent.client("top", "--interval=")
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn("--interval needs SECONDS", done.err)


class Colours(TopTestCase):

    def test_they_are_read_on_any_background(self):
        agent = self.agent()
        terminal = self.terminal(agent)
        terminal.wait_out(b"q quit")
        agent.stop()
        terminal.wait_out(b"trying again")
        colours = set(re.findall(rb"\x1b\[[\d;]*?((?:38;5;\d+|[34]\d|[39]\d|10\d))m", terminal.out))
        self.assertLessEqual(colours, {b"38;5;28", b"38;5;160", b"39", b"49"}, terminal.out)
        self.assertIn(b"38;5;160", colours)

    def test_no_color_means_none(self):
        terminal = self.terminal(self.agent(), NO_COLOR="1")
        terminal.wait_out(b"q quit")
        self.assertNotIn(b"38;5;", terminal.out)


class Lines(TopTestCase):

    def test_without_a_terminal_it_prints_reports(self):
        agent = self.agent()
        done = agent.client("top", "--count", "2", "--interval", "0.1")
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(done.out.count("DOMAIN"), 2)
        self.assertRegex(done.out, r"^\d\d:\d\d:\d\d\nDOMAIN ")
        self.assertNotIn("\x1b", done.out)

    def test_a_dumb_terminal_gets_lines(self):
        for term in "dumb", "", "no-such-terminal":
            with self.subTest(term=term):
                terminal = self.terminal(self.agent(), "--count", "2", term=term)
                self.assertEqual(terminal.wait_end(), 0)
                self.assertEqual(terminal.out.count(b"DOMAIN"), 2)
                self.assertNotIn(ESCAPE, terminal.out)
                self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_json_is_a_line_for_each_report(self):
        done = self.agent().client("top", "--count", "3", "--interval", "0.1", "--format", "json")
        lines = done.out.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertEqual(len(json.loads(line)["domains"]), 4)

    def test_an_agent_that_goes_and_comes_back_is_told_once(self):
        agent = self.agent()
        process = subprocess.Popen(agent.command("top", "--interval", "0.1"), text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        try:
            self.assertRegex(process.stdout.readline(), r"^\d\d:")
            agent.stop()
            self.assertIn("trying again", process.stderr.readline())
            agent.answer("Report", report([domain("new", MIB)]))
            agent.start()
            while "new" not in process.stdout.readline():
                pass
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=WAIT_SECONDS)
            self.assertEqual((process.returncode, errors), (0, ""))
        finally:
            process.kill()
            process.wait()

    def test_a_reader_that_goes_away_ends_it(self):
        process = subprocess.Popen(self.agent().command("top", "--interval", "0.1"),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read().decode()
        self.assertEqual(process.wait(WAIT_SECONDS), 1)
        self.assertIn("cannot write to standard output", errors)
        self.assertIsNone(COMPLAINTS.search(errors))
        process.stderr.close()


if __name__ == "__main__":
    main()
