#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_promises.py - what the agent promises, a test for each, named after it

Each is a run from end to end; what can go wrong on the way has tests of its own, in the programs
named with it. Of what goes back, merging of single domains needs a QEMU: real_tenancy.py.
"""
import os
import random
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fake_metrics import MetricsTestCase, fetch, figures  # noqa: E402
from fake_reclaim import (FOUND_MIB, LONG_MS, MAXIMUM_MIB, ON, RECLAIM, SEED,  # noqa: E402
                          STANDS_SECONDS, Reclaim)
from fakecase import (FakeTestCase, main, wait_until, with_microhttpd,  # noqa: E402
                      with_systemd)
from fakehost import BURST, FIXED  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_NAME, TEST_UUID, write_host  # noqa: E402
from traced import Traced  # noqa: E402

FLOOR_MIB = MAXIMUM_MIB * 5 // 100  # as ON has it
FOUND = (0, 123, 45)
IMPATIENT = "[libvirt]\nkeepalive_s = 1\nkeepalive_count = 1\n"
# How long libvirtd would wait for a hook before anybody minds; it reads for a second at most.
HOOK_SECONDS = 8
HEARTBEAT = "virtksm_heartbeat_timestamp_seconds"
# Of the watchdog, that pass by.
PERIODS = 20


class Restored(Reclaim):
    """See fake_originals, fake_disk, fake_reclaim; real_crash."""

    def everything(self):
        return (self.fake.settings(), self.balloon_mib(), self.limit(),
                self.libvirtd.period_s(TEST_NAME))

    def move_everything(self):
        daemon = self.running(mode="fixed")
        self.script(balloon=1024, limit=700, lease=LONG_MS)
        self.await_balloon(1024, "wanted")
        self.await_limit(700, "wanted")
        self.play_kernel(700)
        self.script(balloon=1024, limit=700, lease=LONG_MS, in_force=700)
        wait_until(lambda: self.libvirtd.period_s(TEST_NAME) > 0, "guests are asked")
        self.assertEqual(self.fake.settings(), FIXED)
        return daemon

    def test_whatever_kills_it_all_goes_back_to_what_was_before_its_first_run(self):
        self.fake.set_knobs(*FOUND)
        self.libvirtd.virsh("dommemstat %s --period 0 --live" % TEST_NAME)
        found = self.everything()
        self.assertEqual(found, (FOUND, FOUND_MIB, None, 0))
        for number in signal.SIGKILL, signal.SIGUSR1, signal.SIGALRM:
            daemon = self.move_everything()
            daemon.killed = True
            daemon.send(number)
            daemon.wait_end()
            self.assertNotEqual(self.everything(), found)
            self.script()
        self.assert_done(daemon.run("--restore"), 0)
        self.assertEqual(self.everything(), found)
        self.move_everything().kill()
        self.script()
        self.running().stop()
        self.assertEqual(self.everything(), found, "the next start and stop")
        self.move_everything().stop()
        self.assertEqual(self.everything(), found, "a stop")

    def test_originals_are_on_disk_before_the_first_write(self):
        self.fake.set_knobs(*FOUND)
        daemon = self.running()
        os.rename(daemon.state_dir, daemon.state_dir + ".gone")
        with open(daemon.state_dir, "w", encoding="utf-8"):
            pass
        found = self.everything()
        before = self.fake.stamps()
        self.script(balloon=1024, limit=700, lease=LONG_MS)
        daemon.ask("mode", "fixed")
        ticks = daemon.ask("status")["ticks"]
        wait_until(lambda: daemon.ask("status")["ticks"] > ticks + 3, "some decisions")
        self.assertEqual(self.everything(), found)
        self.assert_untouched(self.fake, before)
        self.assertEqual(daemon.ask("status")["actuator"], "state-unwritable")
        os.unlink(daemon.state_dir)
        daemon.ask("kick")
        self.await_balloon(1024, "there is a place for the record")
        self.assertEqual(self.fake.settings(), FIXED)


class OtherWriters(Reclaim):
    """See fake_rival, fake_outage.Agent, fake_reclaim."""

    def test_another_writer_is_noticed_and_named_and_not_fought(self):
        self.fake.add_process("ksmtuned")
        daemon = self.with_balloon(1024, mode="fixed")
        self.fake.echo("pages_to_scan", 777)
        self.libvirtd.virsh("setmem %s 1536M --live" % TEST_NAME)
        wait_until(lambda: daemon.ask("status")["actuator"] == "yielded", "KSM's is noticed")
        wait_until(lambda: "somebody else has changed it" in daemon.log(), "the balloon's is")
        self.assertIn("probably ksmtuned", daemon.ask("status")["actuator_detail"])
        self.assertIn("another program drives KSM", daemon.log())
        self.script(balloon=800)
        before = self.fake.stamps()
        for _ in range(5):
            daemon.ask("kick")
        self.assert_untouched(self.fake, before)
        self.assertEqual(self.balloon_mib(), 1536)
        daemon.stop()
        self.assertEqual((self.fake.ksm("pages_to_scan"), self.balloon_mib()), (777, 1536))

    def test_what_virsh_has_set_before_it_took_anything_stays(self):
        """Policy itself decides; the host is calm."""
        daemon = self.started("--mode", "off", host=self.fake, config=ON, connect=self.libvirtd.uri)
        wait_until(lambda: daemon.names() == [TEST_NAME], "the domain is known")
        for mib in FOUND_MIB, 1024, 3000:
            self.libvirtd.virsh("setmem %s %dM --live" % (TEST_NAME, mib))
            wait_until(lambda: self.seen_balloon(daemon) == mib << 20, "it is seen")
            time.sleep(STANDS_SECONDS)
            self.decide(daemon)
            self.assertEqual(self.balloon_mib(), mib)
        daemon.stop()
        self.assertEqual(self.balloon_mib(), 3000)


class Libvirtd(FakeTestCase):
    """See fake_events, fake_outage.Libvirt; real_libvirtd, real_hook."""

    def test_libvirtd_absent_hanging_or_restarted_costs_no_domain_and_doubles_none(self):
        host = self.host()
        libvirtd = FakeLibvirtd(host.base)
        self.addCleanup(libvirtd.close)
        daemon = self.started(host=host, connect=libvirtd.uri, config=IMPATIENT)
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST, "it works without")
        libvirtd.start().hold()
        libvirtd.define("web", "db")
        libvirtd.virsh("start web", "start db")
        daemon.wait_connected()
        libvirtd.wait_known(daemon)

        libvirtd.send(signal.SIGSTOP)
        daemon.wait_connected(False)
        self.assertEqual(daemon.names(), ["db", TEST_NAME, "web"], "it goes on with what it knows")
        daemon.ask("kick")
        libvirtd.send(signal.SIGCONT)
        libvirtd.virsh("destroy db", "destroy web", "start web")
        daemon.wait_connected()
        libvirtd.wait_known(daemon)

        libvirtd.kill()
        daemon.wait_connected(False)
        self.assertEqual(daemon.names(), [TEST_NAME, "web"])
        libvirtd.start().hold()
        daemon.wait_connected()
        libvirtd.wait_known(daemon)
        self.assertEqual(daemon.names(), [TEST_NAME], "what the new one has")
        self.assert_came_back(daemon, 2)


class Hook(FakeTestCase):
    """See fake_hook.Program; real_hook, test/bench/hook_delay.py."""

    def test_the_hook_never_delays_or_vetoes_a_domain(self):
        daemon = self.started()
        good = "<domain type='kvm'><name>web</name><uuid>%s</uuid></domain>" % TEST_UUID
        calls = [(operation, text) for operation in ("prepare", "started", "migrate", "nonsense")
                 for text in (good, "", "<domain", "x" * 1000000)]

        def call_all(socket_path, what):
            for operation, text in calls:
                with self.subTest(what, operation=operation, bytes=len(text)):
                    self.hook(socket_path, "web", operation, "begin", "-", data=text.encode(),
                              seconds=HOOK_SECONDS)

        path = daemon.hook_socket
        call_all(path, "to a daemon")
        daemon.send(signal.SIGSTOP)
        for _ in range(2):  # more than its queue holds
            call_all(path, "to one that hangs")
        daemon.send(signal.SIGCONT)
        daemon.ask("kick")
        daemon.kill()
        call_all(path, "to one that was killed")
        call_all("/nowhere", "to none")


class Inputs(Reclaim):
    """See fake_kernels.Hostile, fake_sockets, fake_hook, fake_log; test/fuzz."""

    PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    METADATA = "<metadata><virtksm:policy xmlns:virtksm='urn:virtksm:domain:1'>" \
               "<virtksm:balloon floor='%s' ceiling='%s'/><virtksm:ksm weight='%s'/>" \
               "</virtksm:policy></metadata>"

    def shout(self, daemon, dice):
        """Bytes at random, alone and as frames of HTTP/2, and as datagrams of the hook."""
        for number in range(40):
            noise = dice.randbytes(dice.randrange(1, 3000))
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(daemon.socket)
                try:
                    client.sendall((self.PREFACE if number % 2 else b"") + noise)
                except OSError:
                    pass  # it has had enough
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.connect(daemon.hook_socket)
                client.send(noise)

    def test_no_input_makes_it_crash(self):
        dice = random.Random(SEED)
        hostile = ("-1", "%s%n", "18446744073709551616", "&lt;!--", "9" * 5000)
        uri = write_host(self.fake.base + "/node.xml",
                         [("d%d" % n, None, True) for n in range(len(hostile))],
                         {"d%d" % n: self.METADATA % ((word,) * 3)
                          for n, word in enumerate(hostile)})
        daemon = self.started(host=self.fake, connect=uri)
        wait_until(lambda: len(daemon.names()) == len(hostile), "the domains")
        self.shout(daemon, dice)
        for name in sorted(os.listdir(self.fake.path("sys/kernel/mm/ksm"))):
            self.fake.write("sys/kernel/mm/ksm/" + name, dice.randbytes(100))
        for command in "kick", "report", "explain", "status", "list":
            daemon.ask(command)
        daemon.stop()

    def assert_kept(self, daemon, figures, what):
        """Over several decisions; what waits for an answer of libvirt comes with a later one."""
        for _ in range(4):
            self.decide(daemon)
            self.assertEqual(figures(), what)

    def test_no_plan_makes_it_write_outside_the_bounds(self):
        for mib in 0, 1, FLOOR_MIB - 1, MAXIMUM_MIB + 1, 2 ** 43:
            with self.subTest(mib=mib):
                daemon = self.running()  # one that has refused something waits for minutes
                self.script(balloon=mib, limit=mib, lease=LONG_MS)
                wait_until(lambda d=daemon: "is not set: only" in d.log(), "it is refused")
                if mib < FLOOR_MIB:
                    wait_until(lambda d=daemon: "is not applied" in d.log(), "the limit too")
                # There is no limit that is too high: the domain's group holds QEMU as well.
                self.assert_kept(daemon, lambda: (self.balloon_mib(),
                                                  self.limit() in range(FLOOR_MIB)),
                                 (FOUND_MIB, False))
                self.script()
                daemon.stop()

    def test_no_plan_makes_it_give_ksm_what_it_must_not_have(self):
        daemon = self.running(mode="fixed")
        for setting in (2, 1000, 20), (1, 0, 20), (1, 2 ** 32, 20), (1, 1000, 2 ** 32):
            with self.subTest(setting=setting):
                lines = daemon.log().count("is not written: only")
                self.write_script("ksm %d %d %d\n" % setting)
                wait_until(lambda n=lines: daemon.log().count("is not written: only") > n,
                           "it is refused")
                self.assert_kept(daemon, self.fake.settings, FIXED)

    def test_no_plan_makes_it_reclaim_below_the_floor(self):
        daemon = self.running()
        self.write_script("- - 0 16 none\n", FLOOR_MIB + 15)
        wait_until(lambda: "reclaiming of 16 MiB is not applied" in daemon.log(), "it is refused")
        self.assert_kept(daemon, lambda: self.fake.read(RECLAIM), "")


class Silence(MetricsTestCase):
    """See fake_explain, fake_metrics, fake_start.Notifications."""

    @staticmethod
    def unprinted(daemon):
        """Reasons that there are not, or that explain does not print."""
        explain = daemon.ask("explain")
        printed = daemon.client("explain").out
        reasons = [("decision", decision["reason"]) for decision in explain["decisions"]]
        for domain in explain["domains"]:
            reasons += [(domain["name"] + " " + what, domain[what])
                        for what in ("reason", "balloon_reason", "high_reason")]
        return [(what, text) for what, text in reasons if not text or text not in printed]

    def test_every_decision_has_a_reason_that_explain_prints(self):
        host = self.host()
        uri = write_host(host.base + "/node.xml", [("web", None, True), ("db", None, True)])
        daemon = self.started(host=host, connect=uri, config=ON)
        wait_until(lambda: daemon.names() == ["db", "web"], "the domains")
        for mode in "auto", "classic", "fixed", "observe", "off":
            daemon.ask("mode", mode)
            daemon.ask("kick")
            # Another decision may come before it is printed.
            wait_until(lambda: not self.unprinted(daemon),
                       lambda mode=mode: "%s: %s" % (mode, self.unprinted(daemon)))
            explain = daemon.ask("explain")
            self.assertEqual(explain["reason"], explain["decisions"][0]["reason"])
            self.assertTrue(all(decision["reason_name"] for decision in explain["decisions"]))

    def watched(self):
        """A daemon that runs, and the socket of its service manager."""
        daemon = self.daemon(self.host())
        notify = self.manager(daemon)
        notify.setblocking(False)
        return daemon.start(), notify

    @staticmethod
    def signs(notify):
        """Signs of life since the last look."""
        count = 0
        try:
            while True:
                count += b"WATCHDOG=1" in notify.recv(4096)
        except BlockingIOError:
            return count

    @with_systemd
    def test_a_watchdog_covers_the_agent_itself(self):
        """Also if nothing but its loop stands still. The clock is the watchdog of another one."""
        daemon, notify = self.watched()
        clock = self.watched()[1]
        wait_until(lambda: self.signs(notify), "a sign of life")
        traced = Traced(self, daemon.process.pid)
        traced.stand_still()
        self.signs(notify)
        self.signs(clock)
        seen = [0]

        def has_time_passed():
            seen[0] += self.signs(clock)
            return seen[0] > PERIODS

        wait_until(has_time_passed, "the other one's signs of life")
        self.assertEqual(self.signs(notify), 0, "one that stands still gives signs of life")
        traced.let_go()
        wait_until(lambda: self.signs(notify), "it goes on")

    @with_microhttpd
    def test_a_heartbeat_metric_covers_the_agent_itself(self):
        """Whose loop stands still is scraped as before, and its heartbeat stands still too."""
        daemon, port = self.scraped()
        other, clock = self.scraped()

        def heartbeat(place):
            return figures(fetch(place))[HEARTBEAT]

        def has_passed(mine, place, since, seconds):
            mine.client("kick")
            return heartbeat(place) > since + seconds

        before = heartbeat(port)
        wait_until(lambda: has_passed(daemon, port, before, 0), "it beats")
        traced = Traced(self, daemon.process.pid)
        traced.stand_still()
        still, now = heartbeat(port), heartbeat(clock)
        wait_until(lambda: has_passed(other, clock, now, 2), "the other one's heart beats on")
        self.assertEqual(heartbeat(port), still, "one that stands still has a heartbeat")
        traced.let_go()
        wait_until(lambda: has_passed(daemon, port, still, 2), "it goes on")


if __name__ == "__main__":
    main()
