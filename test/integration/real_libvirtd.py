#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_libvirtd.py - libvirtd goes away, hangs and comes back: no domain is lost or doubled

The agent connects through a proxy of the test's own, so that the connection can break and hang
without touching a libvirtd that may be somebody else's.
"""
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import RealTestCase, ksm, main, virsh, wait_until  # noqa: E402

LIBVIRT_SOCKET = "/run/libvirt/libvirt-sock"
KEEPALIVE = "[libvirt]\nkeepalive_s = 1\nkeepalive_count = 2\n[ksm]\nsettle_ms = 500\n"


class Proxy:
    """A UNIX socket in front of libvirtd's."""

    def __init__(self, path):
        self.path = path
        self.hung = threading.Event()
        self.pairs = []
        self.listener = None

    def open(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        return self

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(LIBVIRT_SOCKET)
            self.pairs.append((client, server))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source, sink):
        try:
            while data := source.recv(65536):
                while self.hung.is_set():
                    time.sleep(0.01)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """As when libvirtd is killed: every connection ends, and nobody listens."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()
        self.pairs.clear()


class Libvirtd(RealTestCase):

    def setUp(self):
        super().setUp()
        self.proxy_path = "/run/vktest/proxy.sock"
        self.proxy = Proxy(self.proxy_path).open()

    def through_proxy(self):
        return self.daemon("--connect", "qemu+unix:///system?socket=" + self.proxy_path,
                           config=KEEPALIVE)

    def names(self, daemon):
        return [row["name"] for row in daemon.ask("list")["domains"]]

    def connected(self, daemon):
        return daemon.ask("status")["libvirt"]["connected"]

    def test_absent_at_the_start_it_is_connected_to_when_it_comes(self):
        one = self.domain("before", content={"common": 8}).start()
        self.proxy.cut()
        daemon = self.through_proxy().start()
        self.assertFalse(self.connected(daemon))
        self.assertEqual(daemon.client("kick").returncode, 0)
        self.assertEqual(ksm.read("run"), 1)
        self.proxy.open()
        wait_until(lambda: self.names(daemon) == [one.name], "the domain is found", 40)

    def test_what_happened_while_it_was_away_is_made_up_for(self):
        stays = self.domain("stays", content={"common": 8}).define().start()
        goes = self.domain("goes", content={"common": 8}).start()
        again = self.domain("again", content={"common": 8}).define().start()
        daemon = self.through_proxy().start()
        wait_until(lambda: len(self.names(daemon)) == 3, "three domains", 20)
        ids = {row["name"]: row["id"] for row in daemon.ask("list")["domains"]}
        seen = {row["name"]: row["seen_ms"] for row in daemon.ask("list")["domains"]}
        self.proxy.cut()
        wait_until(lambda: not self.connected(daemon), "disconnected")
        self.assertEqual(len(self.names(daemon)), 3)
        goes.destroy()
        again.destroy()
        again.start()
        new = self.domain("new", content={"common": 8}).start()
        self.proxy.open()
        wait_until(lambda: self.connected(daemon), "connected again", 40)
        wait_until(lambda: self.names(daemon) == sorted(d.name for d in (stays, again, new)),
                   lambda: "the right domains; now %s" % self.names(daemon))
        rows = {row["name"]: row for row in daemon.ask("list")["domains"]}
        self.assertEqual(rows[stays.name]["id"], ids[stays.name])
        self.assertGreater(rows[stays.name]["seen_ms"], seen[stays.name])
        self.assertNotEqual(rows[again.name]["id"], ids[again.name])
        self.assertLess(rows[again.name]["seen_ms"], seen[again.name] + 60000)
        self.assertGreaterEqual(daemon.ask("status")["libvirt"]["reconnects"], 1)
        wait_until(lambda: all(row["pid"] for row in daemon.ask("list")["domains"]), "processes")

    def test_hung_it_does_not_hang_the_agent(self):
        daemon = self.through_proxy().start()
        one = self.domain("steady", content={"common": 8}).start()
        wait_until(lambda: self.names(daemon) == [one.name], "the domain")
        self.proxy.hung.set()
        try:
            for _ in range(20):
                started = time.monotonic()
                self.assertEqual(daemon.client("kick").returncode, 0)
                daemon.ask("report")
                self.assertLess(time.monotonic() - started, 2)
                time.sleep(0.1)
            # Two unanswered signs of life, a second apart.
            wait_until(lambda: not self.connected(daemon),
                       lambda: "given up; log:\n" + daemon.log(), 20)
            self.assertEqual(self.names(daemon), [one.name])
        finally:
            self.proxy.hung.clear()
        wait_until(lambda: self.connected(daemon), "connected again", 60)
        self.assertEqual(self.names(daemon), [one.name])

    def test_the_end_of_the_agent_does_not_wait_for_it(self):
        found = ksm.knobs()
        daemon = self.through_proxy().start()
        self.domain("last", content={"common": 8}).start()
        self.proxy.hung.set()
        try:
            daemon.client("kick")
            started = time.monotonic()
            self.assertEqual(daemon.stop(), 0)
            self.assertLess(time.monotonic() - started, 5)
        finally:
            self.proxy.hung.clear()
        self.assertEqual(ksm.knobs(), found)

    def test_events_of_a_session_daemon_arrive_too(self):
        uri = "qemu:///session"
        daemon = self.daemon("--connect", uri, config=KEEPALIVE).start()
        wait_until(lambda: self.connected(daemon), lambda: daemon.log(), 60)
        one = self.domain("session", content={"common": 8})
        path = one.write_xml()
        virsh("create", path, uri=uri)
        try:
            wait_until(lambda: self.names(daemon) == [one.name], "the domain")
            wait_until(lambda: daemon.ask("list")["domains"][0]["pid"], "its process", 15)
        finally:
            virsh("destroy", one.name, uri=uri)
        wait_until(lambda: self.names(daemon) == [], "no domain")


if __name__ == "__main__":
    main()
