#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_hook.py - virtksm-hook is called as libvirtd does it, with and without somebody who listens

Whatever happens: it ends soon, with 0, and has printed nothing.
"""
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import HOOK, FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_NAME, TEST_UUID, domain_xml  # noqa: E402

UUID = "97cd1ea4-e674-4dc9-9f7f-7b618b2fc9e7"

# It gives up reading after a second. The rest is for a busy machine.
READ_SECONDS = 1
SECONDS = 8

XML = """<domain type='kvm'%s>
  <name>%s</name>
  <uuid>%s</uuid>
  <memory unit='KiB'>1048576</memory>
  %s
</domain>
"""


def definition(name="web", uuid=UUID, number=None, extra=""):
    return (XML % ("" if number is None else " id='%d'" % number, name, uuid, extra)).encode()


class HookTestCase(FakeTestCase):

    def hook(self, *arguments, **options):
        return super().hook(*arguments, seconds=SECONDS, **options)

    def tell(self, daemon, operation, name="web", uuid=UUID, number=None, extra=""):
        sub_operation = "end" if operation in ("stopped", "release") else "begin"
        self.hook(daemon.hook_socket, name, operation, sub_operation, "-",
                  data=definition(name, uuid, number, extra))

    def source(self, daemon):
        source, = [s for s in daemon.ask("status")["sources"] if s["name"] == "hook"]
        return source


class Alone(HookTestCase):
    """Without libvirt."""

    def test_a_domain_lives_and_is_reported_on_hooks_alone(self):
        host = self.host()
        host.start_ksmd()
        daemon = self.started(host=host)
        qemu = host.add_qemu("web", UUID, resident_pages=5000, mergeable_pages=1000)
        other = host.add_qemu("db", resident_pages=5000, mergeable_pages=1000)
        self.tell(daemon, "prepare", number=5)
        self.assertEqual(daemon.names(), [])
        self.tell(daemon, "start", number=5)
        self.tell(daemon, "started", number=5)
        wait_until(lambda: daemon.names() == ["web"], "the domain")
        wait_until(lambda: daemon.ask("list")["domains"][0]["pid"] == qemu.pid, "its process")
        row, = daemon.ask("list")["domains"]
        self.assertEqual((row["uuid"], row["id"], row["merge"]), (UUID, 5, "can merge"))
        wait_until(lambda: daemon.ask("report")["domains"][0]["merging_pages"] == 1000, "merged")
        report = daemon.ask("report")
        row, = report["domains"]
        self.assertEqual(row["maximum_bytes"], 1 << 30)
        self.assertIsNone(row["balloon_bytes"])
        self.assertGreater(row["saved_pages"], 0)
        self.assertEqual(row["saved_pages"] + report["others"]["saved_pages"],
                         report["host"]["saved_pages"])
        self.tell(daemon, "stopped")
        wait_until(lambda: daemon.ask("list")["domains"][0]["state"] == "stopping", "stopping")
        self.tell(daemon, "release")
        wait_until(lambda: daemon.names() == [], "no domain")
        self.assertEqual(self.source(daemon)["events"], 4)
        self.assertGreater(other.pid, qemu.pid)

    def test_a_start_moves_ksm_at_once_and_what_cannot_merge_does_not_keep_it_up(self):
        host = self.host()
        host.add_qemu("web", UUID, resident_pages=100000000)
        daemon = self.started(host=host)
        self.tell(daemon, "started", number=1)
        wait_until(lambda: host.ksm("run") == 1, "KSM scans")
        self.assertEqual(daemon.ask("status")["phase"], "burst")
        self.tell(daemon, "release")
        wait_until(lambda: daemon.names() == [], "no domain")
        huge = "<memoryBacking><hugepages/></memoryBacking>"
        self.tell(daemon, "started", name="huge", number=2, extra=huge)
        wait_until(lambda: daemon.ask("list")["domains"][0]["merge"] == "huge pages",
                   lambda: "its definition; now %s" % daemon.ask("list"))

    def test_a_domain_that_was_running_is_learned_of_when_libvirtd_comes_back(self):
        daemon = self.started()
        self.tell(daemon, "reconnect", number=3)
        wait_until(lambda: daemon.names() == ["web"], "the domain")
        self.tell(daemon, "reconnect", number=3)
        self.tell(daemon, "reconnect", name="db", uuid=UUID.replace("9", "8"), number=4)
        wait_until(lambda: daemon.names() == ["db", "web"], "two domains")

    def test_a_daemon_that_is_restarted_knows_what_runs(self):
        host = self.host()
        qemu = host.add_qemu("web", UUID, resident_pages=100)
        host.write("run/libvirt/qemu/web.xml", "<domstatus state='running' pid='%d'>%s</domstatus>" %
                   (qemu.pid, definition(number=5).decode()))
        first = self.started(host=host)
        wait_until(lambda: first.names() == ["web"], "the domain")
        first.stop()
        second = self.started(host=host)
        wait_until(lambda: second.names() == ["web"], "the domain again")
        row, = second.ask("list")["domains"]
        self.assertEqual((row["uuid"], row["id"], row["merge"]), (UUID, 5, "can merge"))
        self.tell(second, "stopped")
        self.tell(second, "release")
        wait_until(lambda: second.names() == [], "no domain")

    def test_what_was_not_told_is_noticed(self):
        host = self.host()
        daemon = self.started(host=host)
        self.tell(daemon, "prepare", number=5)
        qemu = host.add_qemu("web", UUID, resident_pages=100)
        wait_until(lambda: daemon.names() == ["web"], "a start that was not told")
        wait_until(lambda: daemon.ask("list")["domains"][0]["pid"] == qemu.pid, "its process")
        qemu.exit()
        wait_until(lambda: daemon.names() == [], "an end that was not told")

    def test_the_socket_is_taken_over_from_a_killed_daemon(self):
        host = self.host()
        first = self.started(host=host)
        first.kill()
        second = self.started(host=host)
        self.tell(second, "started", number=1)
        wait_until(lambda: second.names() == ["web"], "the domain")
        second.stop()
        self.assertFalse(os.path.exists(second.hook_socket))

    def test_switched_off_there_is_no_socket(self):
        daemon = self.started(config="[hook]\nenable = false\n")
        self.assertEqual(self.source(daemon)["state"], "closed")
        self.assertFalse(os.path.exists(daemon.hook_socket))
        self.tell(daemon, "started")
        self.assertEqual(daemon.names(), [])

    def test_nonsense_is_counted_said_once_and_does_no_harm(self):
        daemon = self.started()
        path = daemon.hook_socket
        self.assertEqual(self.source(daemon)["state"], "open")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(path)
            for data in b"", b"x", os.urandom(1000), b"\x0a" * 100000, b"\x78\x01" * 60000:
                for _ in range(3):
                    client.send(data)
        self.tell(daemon, "hibernated")
        self.hook(path, "web", "started", "begin", "-", data=b"no definition")
        self.tell(daemon, "started", number=1, extra="</memory>")
        wait_until(lambda: daemon.names() == ["web"], "a domain with a definition that is none")
        detail = self.source(daemon)["detail"]
        for part in ("not a message", "3 without an operation", "1 without a uuid",
                     "1 of an unknown operation", "1 with a definition that is not understood"):
            self.assertIn(part, detail)
        self.assertEqual(daemon.log().count("a datagram not a message"), 1)


class BesideLibvirt(HookTestCase):

    def pair(self):
        host = self.host()
        libvirtd = FakeLibvirtd.for_test(self, host.base)
        daemon = self.started(host=host, connect=libvirtd.uri)
        daemon.wait_connected()
        with open(host.base + "/web.xml", "w", encoding="utf-8") as file:
            file.write(domain_xml("web", UUID))
        libvirtd.virsh("define %s/web.xml" % host.base)
        return libvirtd, daemon

    def row(self, daemon, name):
        rows = [row for row in daemon.ask("list")["domains"] if row["name"] == name]
        self.assertLessEqual(len(rows), 1, "doubled")
        return rows[0] if rows else None

    def test_a_domain_that_both_tell_of_is_one_domain(self):
        libvirtd, daemon = self.pair()
        number = max(libvirtd.domains().values()) + 1
        self.tell(daemon, "prepare", number=number)
        libvirtd.virsh("start web")
        self.assertEqual(libvirtd.domains()["web"], number)
        wait_until(lambda: self.row(daemon, "web"), "the domain")
        seen_ms = self.row(daemon, "web")["seen_ms"]
        self.tell(daemon, "started", number=number)
        wait_until(lambda: self.source(daemon)["events"] == 2, "both have told")
        self.assertEqual(self.row(daemon, "web")["id"], number)
        self.assertGreaterEqual(self.row(daemon, "web")["seen_ms"], seen_ms)

    def test_what_runs_on_after_a_lost_connection_is_not_on_its_way_out(self):
        libvirtd, daemon = self.pair()
        self.tell(daemon, "stopped", name=TEST_NAME, uuid=TEST_UUID, number=1)
        wait_until(lambda: self.row(daemon, TEST_NAME)["state"] == "stopping", "stopping")
        libvirtd.kill()
        daemon.wait_connected(False, 15)
        self.assertEqual(self.row(daemon, TEST_NAME)["state"], "stopping")
        libvirtd.close()
        libvirtd.start().hold()
        daemon.wait_connected(True, 15)
        wait_until(lambda: self.row(daemon, TEST_NAME)["state"] == "running", "it runs")
        self.assertEqual(self.row(daemon, TEST_NAME)["id"], 1)

    def test_who_is_on_its_way_out_after_a_lost_connection_stays_so(self):
        libvirtd, daemon = self.pair()
        self.tell(daemon, "stopped", name=TEST_NAME, uuid=TEST_UUID, number=1)
        libvirtd.kill()
        daemon.wait_connected(False, 15)
        self.tell(daemon, "stopped", name=TEST_NAME, uuid=TEST_UUID, number=1)
        libvirtd.close()
        libvirtd.start().hold()
        daemon.wait_connected(True, 15)
        libvirtd.wait_known(daemon)
        self.assertEqual(self.row(daemon, TEST_NAME)["state"], "stopping")

    def test_an_end_has_a_line_of_each_who_tells_why(self):
        libvirtd, daemon = self.pair()
        libvirtd.virsh("start web")
        number = wait_until(lambda: self.row(daemon, "web"), "the domain")["id"]
        self.tell(daemon, "release", number=number)
        wait_until(lambda: not self.row(daemon, "web"), "it is gone")
        libvirtd.virsh("destroy web")
        wait_until(lambda: "web: stopped destroyed, says libvirt\n" in daemon.log(), daemon.log)
        self.assertIn("web: has ended (hook: release", daemon.log())
        self.assertEqual(daemon.log().count("web: runs (libvirt: started"), 1)

    def test_the_end_that_libvirt_tells_late_is_not_that_of_the_next_start(self):
        libvirtd, daemon = self.pair()
        libvirtd.virsh("start web")
        wait_until(lambda: self.row(daemon, "web"), "the domain")
        number = self.row(daemon, "web")["id"]
        # The hook is ahead of libvirt by a whole start: it is told before libvirt acts.
        self.tell(daemon, "stopped")
        self.tell(daemon, "release")
        self.tell(daemon, "prepare", number=number + 1)
        self.tell(daemon, "started", number=number + 1)
        wait_until(lambda: (self.row(daemon, "web") or {}).get("id") == number + 1, "the next")
        seen = self.libvirt_events(daemon)
        libvirtd.virsh("destroy web")
        wait_until(lambda: self.libvirt_events(daemon) > seen, "libvirt has told the end")
        self.assertEqual(self.row(daemon, "web")["id"], number + 1)
        libvirtd.virsh("start web")
        wait_until(lambda: self.libvirt_events(daemon) > seen + 1, "libvirt has told the start")
        self.assertEqual(self.row(daemon, "web")["id"], number + 1)
        libvirtd.virsh("destroy web")
        wait_until(lambda: not self.row(daemon, "web"), "no domain")

    def test_a_start_that_is_told_while_libvirtd_is_away_stands(self):
        """Of a domain that libvirt had, and does not list afterwards: the list may be the older."""
        old, daemon = self.pair()
        old.virsh("start web")
        number = wait_until(lambda: self.row(daemon, "web"), "the domain")["id"]
        os.mkdir(old.base + "/next")
        new = FakeLibvirtd.for_test(self, old.base + "/next")
        new.send(signal.SIGSTOP)
        os.rename(new.socket, old.socket)
        old.kill()
        daemon.wait_connected(False)
        self.tell(daemon, "stopped")
        self.tell(daemon, "release")
        wait_until(lambda: daemon.names() == [TEST_NAME], "the end")
        self.tell(daemon, "started", number=number + 1)
        wait_until(lambda: self.row(daemon, "web"), "the start")
        new.send(signal.SIGCONT)
        daemon.wait_connected()
        self.assert_came_back(daemon)
        self.assertEqual(daemon.names(), [TEST_NAME, "web"])
        self.assertEqual(self.row(daemon, "web")["id"], number + 1)
        self.tell(daemon, "release")
        wait_until(lambda: daemon.names() == [TEST_NAME], "the end of that start")

    def libvirt_events(self, daemon):
        source, = [s for s in daemon.ask("status")["sources"] if s["name"] == "libvirt"]
        return source["events"]


class Program(HookTestCase):
    """The program itself."""

    ARGUMENTS = ("web", "prepare", "begin", "-")

    def listener(self):
        host = self.host()
        path = host.base + "/listener"
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(path)
        receiver.settimeout(SECONDS)
        return path, receiver

    def test_it_does_not_mind_who_is_there(self):
        path, receiver = self.listener()
        nowhere = os.path.dirname(path) + "/nowhere"
        stream = os.path.dirname(path) + "/stream"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(stream)
            for case in nowhere, "/" + "long" * 100, "", stream, "/dev/null", path + "/below":
                with self.subTest(path=case[:40]):
                    self.assertLess(self.hook(case, *self.ARGUMENTS, data=definition()), SECONDS)
        receiver.close()
        self.hook(path, *self.ARGUMENTS, data=definition())

    def test_a_full_queue_and_a_stopped_daemon_do_not_hold_it_up(self):
        daemon = self.started()
        daemon.send(signal.SIGSTOP)
        try:
            took = [self.hook(daemon.hook_socket, *self.ARGUMENTS,
                              data=definition()) for _ in range(40)]
        finally:
            daemon.send(signal.SIGCONT)
        # Sorted: one of them may have met a busy machine.
        self.assertLess(sorted(took)[-3], READ_SECONDS)
        self.assertGreater(self.source(daemon)["events"], 0)
        self.assertLess(self.source(daemon)["events"], 40)

    def test_input_is_read_to_its_end_whatever_its_size(self):
        path, receiver = self.listener()
        for size in 0, 1, 131072, 131073, 20 << 20:
            with self.subTest(size=size):
                with subprocess.Popen([HOOK, *self.ARGUMENTS], stdin=subprocess.PIPE,
                                      env={"VIRTKSM_HOOK_SOCKET": path}) as process:
                    process.stdin.write(b"x" * size)  # raises when nobody reads any more
                    process.stdin.close()
                    self.assertEqual(process.wait(SECONDS), 0)
                received = len(receiver.recv(1 << 20))
                self.assertEqual(received > size, size <= 131072, received)

    def test_input_without_an_end_is_given_up(self):
        path, receiver = self.listener()
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        with open("/dev/zero", "rb") as zero, os.fdopen(reading, "rb") as silent:
            for what in zero, silent:
                began = time.monotonic()
                done = subprocess.run([HOOK, *self.ARGUMENTS], stdin=what, check=False,
                                      env={"VIRTKSM_HOOK_SOCKET": path}, timeout=SECONDS)
                self.assertEqual(done.returncode, 0)
                self.assertGreaterEqual(time.monotonic() - began, READ_SECONDS)
                self.assertIn(b"prepare", receiver.recv(1 << 20))

    def test_every_signal_that_can_be_caught_ends_it_well(self):
        for number in sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}):
            with self.subTest(number=number):
                with subprocess.Popen([HOOK, *self.ARGUMENTS], stdin=subprocess.PIPE,
                                      stdout=subprocess.DEVNULL) as process:
                    wait_until(lambda: self.is_polling(process.pid), "it waits for input")
                    process.send_signal(number)
                    if number in (signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT):
                        process.stdin.close()
                    self.assertEqual(process.wait(SECONDS), 0)

    @staticmethod
    def is_polling(pid):
        """Whether the program has got so far that it waits in poll()."""
        with open("/proc/%d/wchan" % pid, encoding="ascii") as file:
            if "poll" in file.read():
                return True
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            asleep = file.read().rpartition(")")[2].split()[0] == "S"
        with open("/proc/%d/comm" % pid, encoding="ascii") as file:
            return asleep and file.read().startswith("virtksm-hook")

    def test_it_needs_neither_descriptors_nor_arguments(self):
        closed = "exec <&- >&- 2>&-; exec \"$0\" \"$@\""
        for command in [["sh", "-c", closed, HOOK, *self.ARGUMENTS], [HOOK], [HOOK, "web"],
                        [HOOK, "", "", "", ""], [HOOK, "w" * 100000, "prepare"]]:
            with self.subTest(command=command[:3]):
                done = subprocess.run(command, input=b"", stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, timeout=SECONDS, check=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    @unittest.skipIf(os.environ.get("VIRTKSM_SANITIZE") == "thread",
                     "the thread sanitizer needs more than this leaves")
    def test_it_needs_no_more_than_one_descriptor_and_writes_no_file(self):
        # The build with sanitizers has libraries to load, which takes a descriptor.
        with open(HOOK, "rb") as file:
            descriptors = 4 if b"/ld-linux" in file.read(4096) else 3  # its interpreter

        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        self.hook("/nowhere", *self.ARGUMENTS, data=definition(), preexec_fn=few)

    def test_blocked_and_ignored_signals_of_its_parent_do_not_matter(self):
        def block():
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        with open("/dev/zero", "rb") as zero:
            done = subprocess.run([HOOK, *self.ARGUMENTS], stdin=zero, preexec_fn=block,
                                  timeout=SECONDS, check=False)
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    main()
