#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_reclaim.py - balloons and limits of domains are moved, and go back whatever happens

The domains are those of a libvirtd with libvirt's test driver, which takes balloons and soft
limits as they come; what the kernel would do with a soft limit is played here. What is to be done
to the domains is in a script that the daemon reads in the place of policy.
"""
import os
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import VALGRIND, FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import FakeLibvirtd, TEST_NAME, TEST_UUID  # noqa: E402
from processes import children, is_running  # noqa: E402
from seed import seed  # noqa: E402

# The domain that test:///default comes with.
MAXIMUM_MIB = 8192
FOUND_MIB = 2048
SCOPE = "/machine.slice/machine-qemu\\x2d1\\x2dtest.scope"
HIGH = "sys/fs/cgroup" + SCOPE + "/libvirt/memory.high"
CURRENT = "sys/fs/cgroup" + SCOPE + "/libvirt/memory.current"
RECLAIM = "sys/fs/cgroup" + SCOPE + "/memory.reclaim"
ON = "[libvirt]\nstats_period_ms = 100\n[balloon]\nenable = yes\nfloor = 5\n" \
     "[memory_high]\nenable = yes\n"
STANDS_SECONDS = 1  # before it is moved for the first time
# A limit that is set outlasts this only if nobody lifts it.
LONG_MS = 60000
SHORT_MS = 1000
SEED = seed()  # printed with a failure
LIFE_SECONDS = 0.4


class Reclaim(FakeTestCase):

    def setUp(self):
        super().setUp()
        self.fake = self.host()
        self.libvirtd = FakeLibvirtd.for_test(self, self.fake.base)
        # The daemon would set one, and keep what was found on record for as long as it runs.
        self.libvirtd.virsh("dommemstat %s --period 5 --live" % TEST_NAME)
        process = self.fake.add_qemu(TEST_NAME, TEST_UUID)
        self.fake.write("proc/%d/cgroup" % process.pid, "0::%s/libvirt/emulator\n" % SCOPE)
        self.fake.write(HIGH, "max\n")
        self.fake.write(RECLAIM, "")
        self.script()

    def script(self, balloon="-", limit="-", lease=0, reclaim=0, in_force="none"):
        """What the daemon is to want of the domain from its next decision on."""
        self.write_script("%s %s %d %d %s\n" % (balloon, limit, lease, reclaim, in_force),
                          MAXIMUM_MIB if limit == "-" else limit)

    def write_script(self, text, used_mib=MAXIMUM_MIB):
        self.fake.write(CURRENT, "%d\n" % (used_mib << 20))
        self.fake.write("../script", text)

    def scripted(self, config=ON, mode="off"):
        daemon = self.daemon(self.fake, "--mode", mode, config=config,
                             connect=self.libvirtd.uri, program="VIRTKSM_SCRIPTED")
        daemon.environment["VIRTKSM_SCRIPT"] = self.fake.base + "/script"
        return daemon

    def running(self, **options):
        daemon = self.scripted(**options).start()
        wait_until(lambda: daemon.names() == [TEST_NAME], "the domain is known")
        return daemon

    # --- what libvirt and the kernel say ---

    def balloon_mib(self):
        return self.libvirtd.balloon_mib(TEST_NAME)

    def limit(self):
        return self.libvirtd.limit_mib(TEST_NAME)

    def play_kernel(self, mib):
        """What libvirt's QEMU driver does with a soft limit."""
        self.fake.write(HIGH, "%d\n" % (mib << 20))

    def await_balloon(self, mib, what):
        wait_until(lambda: self.balloon_mib() == mib,
                   lambda: "%s: the balloon is %d MiB, not %d" % (what, self.balloon_mib(), mib))

    def await_limit(self, mib, what):
        wait_until(lambda: self.limit() == mib,
                   lambda: "%s: the limit is %s MiB, not %s" % (what, self.limit(), mib))

    # --- what a test begins with ---

    def with_balloon(self, mib, **options):
        daemon = self.running(**options)
        self.script(balloon=mib)
        self.await_balloon(mib, "wanted")
        wait_until(lambda: self.seen_balloon(daemon) == mib << 20, "it is seen in force")
        self.decide(daemon)
        return daemon

    def with_limit(self, mib, found="none", **options):
        daemon = self.running(**options)
        self.script(limit=mib, lease=LONG_MS, in_force=found)
        self.await_limit(mib, "wanted")
        self.play_kernel(mib)
        self.script(limit=mib, lease=LONG_MS, in_force=mib)
        self.decide(daemon)  # and see it in force
        return daemon

    def shorten_lease(self, daemon, mib):
        """The limit's. Once it has lapsed nothing sets the limit anew, however slow the machine is."""
        self.script(lease=SHORT_MS, in_force=mib)
        self.decide(daemon)

    @staticmethod
    def decide(daemon):
        """Waits for a whole decision that has the latest figures and the latest script."""
        ticks = daemon.ask("status")["ticks"]
        wait_until(lambda: daemon.ask("status")["ticks"] > ticks + 1, "two decisions")

    @staticmethod
    def seen_balloon(daemon):
        """By the agent's latest figures; bytes."""
        return daemon.ask("report")["domains"][0]["balloon_bytes"]

    def assert_lifted(self, what):
        wait_until(lambda: self.fake.read(HIGH) == "max\n", what + ": memory.high is lifted")
        self.await_limit(None, what)

    def left(self, daemon):
        """Sections of the record in which there is something to put back."""
        try:
            with open(daemon.record, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        return [line for line in lines
                if line.startswith("[") and line != "[originals]" and not line.endswith("_apart]")]

    def assert_no_record(self, daemon):
        wait_until(lambda: not self.left(daemon), "nothing is left to restore")


class Balloons(Reclaim):

    def test_a_stop_gives_the_balloon_back(self):
        daemon = self.with_balloon(1024)
        daemon.stop()
        self.assertEqual(self.balloon_mib(), FOUND_MIB)
        self.assert_no_record(daemon)

    def test_a_stop_gives_it_back_even_if_ksm_is_left_as_it_is(self):
        self.with_balloon(1024, config=ON + "[agent]\nrestore_at_stop = false\n").stop()
        self.assertEqual(self.balloon_mib(), FOUND_MIB)

    def test_after_a_kill_restore_gives_it_back_and_can_be_repeated(self):
        daemon = self.with_balloon(1024)
        daemon.kill()
        self.assertEqual(self.balloon_mib(), 1024)
        self.assert_done(daemon.run("--restore"), 0, "balloon of 1 domains: as found")
        self.assertEqual(self.balloon_mib(), FOUND_MIB)
        self.assert_no_record(daemon)
        self.assert_done(daemon.run("--restore"), 0, "nothing to restore")

    def test_after_a_kill_the_next_start_gives_it_back_in_any_mode(self):
        for config in ON, "", "[balloon]\nenable = observe\n":
            with self.subTest(config=config):
                self.with_balloon(1024).kill()
                self.script()
                daemon = self.running(config=config)
                self.await_balloon(FOUND_MIB, "started again")
                daemon.stop()
                self.assert_no_record(daemon)

    def test_the_found_value_is_that_of_the_first_run_after_several_kills(self):
        for mib in 1024, 1500, 600:
            self.with_balloon(mib).kill()
        daemon = self.running()
        daemon.stop()
        self.assertEqual(self.balloon_mib(), FOUND_MIB)

    def test_restore_without_libvirtd_fails_and_keeps_the_record(self):
        daemon = self.with_balloon(1024)
        daemon.kill()
        done = self.daemon(self.fake, connect="test+unix:///default?socket=%s/none" %
                           self.fake.base, program="VIRTKSM_SCRIPTED").run("--restore")
        self.assert_done(done, 1, "domains cannot be restored")
        self.assertTrue(os.path.exists(daemon.record))
        self.assert_done(daemon.run("--restore"), 0, "as found")

    def test_what_virsh_has_set_stays(self):
        daemon = self.with_balloon(1024)
        self.libvirtd.virsh("setmem %s 1536M --live" % TEST_NAME)
        wait_until(lambda: "somebody else has changed it" in daemon.log(), "it is said")
        self.script(balloon=800)
        time.sleep(0.5)
        self.assertEqual(self.balloon_mib(), 1536)
        self.assertEqual(daemon.log().count("somebody else has changed it"), 1)
        self.assertIn("the balloon is 1536 MiB", daemon.log())
        daemon.stop()
        self.assertEqual(self.balloon_mib(), 1536)
        self.assertIn("the balloon stays at 1536 MiB", daemon.log())

    def test_set_lets_the_agent_go_on_with_what_somebody_else_has_changed(self):
        daemon = self.with_balloon(1024)

        def is_found():
            return "[reclaim-foreign]" in daemon.client("doctor", TEST_NAME).out

        self.assertFalse(is_found())
        self.libvirtd.virsh("setmem %s 1536M --live" % TEST_NAME)
        wait_until(is_found, "it is found")
        self.script(balloon=800)
        time.sleep(0.5)
        self.assertEqual(self.balloon_mib(), 1536)
        daemon.ask("set", TEST_NAME, "balloon.mode=on")
        self.await_balloon(800, "told to go on")
        wait_until(lambda: not is_found(), "it is mended")

    def test_what_somebody_else_has_set_counts_as_found_where_that_is_wanted(self):
        daemon = self.with_balloon(1024, config=ON + "[agent]\non_foreign_change = adopt\n")
        self.libvirtd.virsh("setmem %s 1536M --live" % TEST_NAME)
        wait_until(lambda: "goes on from there" in daemon.log(), "it is told")
        self.await_balloon(1024, "gone on")
        daemon.stop()
        self.assertEqual(self.balloon_mib(), 1536)

    def test_what_virsh_has_set_while_the_daemon_was_dead_stays(self):
        daemon = self.with_balloon(1024)
        daemon.kill()
        self.libvirtd.virsh("setmem %s 1536M --live" % TEST_NAME)
        self.assert_done(daemon.run("--restore"), 0, "the balloon stays at 1536 MiB")
        self.assertEqual(self.balloon_mib(), 1536)
        self.assert_no_record(daemon)

    def test_a_restarted_domain_is_not_given_what_an_earlier_start_had(self):
        daemon = self.with_balloon(1024)
        daemon.kill()
        self.libvirtd.virsh("destroy " + TEST_NAME, "start " + TEST_NAME,
                            "setmem %s 1025M --live" % TEST_NAME)
        self.assert_done(daemon.run("--restore"), 0)
        self.assertEqual(self.balloon_mib(), 1025)
        self.assert_no_record(daemon)
        self.script()
        self.running().stop()
        self.assertEqual(self.balloon_mib(), 1025)

    def test_a_domain_that_comes_out_of_a_file_with_our_balloon_gets_back_what_was_found(self):
        for meanwhile in "stopped", "killed", "rebooted":
            with self.subTest(meanwhile=meanwhile):
                daemon = self.with_balloon(1024)
                self.script()
                daemon.send(signal.SIGSTOP)
                # A domain comes out of a file with its balloon, not with another one before.
                self.libvirtd.virsh("destroy " + TEST_NAME, "start " + TEST_NAME,
                                    "setmem %s 1024M --live" % TEST_NAME)
                if meanwhile == "rebooted":  # any other id is that of another boot
                    self.fake.write("proc/sys/kernel/random/boot_id", TEST_UUID + "\n")
                if meanwhile == "stopped":
                    daemon.send(signal.SIGCONT)
                else:
                    daemon.kill()
                    daemon = self.running()
                self.await_balloon(FOUND_MIB, "it is back")
                daemon.stop()
                self.assert_no_record(daemon)

    def test_a_guest_that_was_given_more_than_was_found_keeps_it(self):
        for end in "stop", "kill", "off":
            with self.subTest(end=end):
                self.libvirtd.virsh("setmem %s 1G --live" % TEST_NAME)
                daemon = self.with_balloon(3000)
                if end == "stop":
                    daemon.stop()
                    self.assertIn("the balloon stays at 3000 MiB, more than the 1024 MiB",
                                  daemon.log())
                elif end == "kill":
                    daemon.kill()
                    self.assert_done(daemon.run("--restore"), 0,
                                     "the balloon stays at 3000 MiB, more than the 1024 MiB")
                else:
                    daemon.ask("mode", "observe")
                    wait_until(lambda: "the balloon stays at 3000 MiB" in daemon.log(),
                               "it is said")
                    daemon.stop()
                self.assertEqual(self.balloon_mib(), 3000)
                self.assert_no_record(daemon)

    def test_what_virsh_has_set_stays_after_a_restart_of_the_agent(self):
        daemon = self.with_balloon(1024)
        self.libvirtd.virsh("setmem %s 1536M --live" % TEST_NAME)
        wait_until(lambda: "somebody else has changed it" in daemon.log(), "it is said")
        daemon.stop()
        self.script(balloon=800)
        daemon = self.running()
        time.sleep(STANDS_SECONDS + 0.5)
        self.assertEqual(self.balloon_mib(), 1536)
        wait_until(lambda: "[reclaim-foreign]" in daemon.client("doctor", TEST_NAME).out,
                   "it is told")
        self.assertNotIn("did not end cleanly", daemon.log())
        daemon.ask("set", TEST_NAME, "balloon.mode=on")
        self.await_balloon(800, "told to go on")

    def test_observing_writes_nothing(self):
        for config, mode in (("[balloon]\nenable = observe\n", "off"), ("", "off"),
                             (ON, "observe")):
            with self.subTest(config=config, mode=mode):
                daemon = self.scripted(config, mode).start()
                wait_until(lambda: daemon.names() == [TEST_NAME], "the domain is known")
                self.script(balloon=1024, limit=700, lease=LONG_MS, reclaim=16)
                time.sleep(STANDS_SECONDS + 0.5)
                self.assertEqual((self.balloon_mib(), self.limit()), (FOUND_MIB, None))
                self.assertEqual(self.fake.read(RECLAIM), "")
                daemon.stop()
                self.assertFalse(os.path.exists(daemon.record))

    def test_mode_observe_gives_back(self):
        daemon = self.with_balloon(1024)
        daemon.ask("mode", "observe")
        self.await_balloon(FOUND_MIB, "observed")
        self.assert_no_record(daemon)

    def test_out_of_bounds_is_not_set_and_is_said(self):
        for mib in 100, MAXIMUM_MIB + 1:
            daemon = self.running()
            self.script(balloon=mib)
            wait_until(lambda: "a balloon of %d MiB is not set" % mib in daemon.log(), "it is said")
            self.assertEqual(self.balloon_mib(), FOUND_MIB)
            daemon.stop()

    def test_a_pause_of_libvirtd_loses_nothing(self):
        daemon = self.with_balloon(1024)
        self.libvirtd.send(signal.SIGSTOP)
        self.script(balloon=700)
        time.sleep(0.5)
        self.libvirtd.send(signal.SIGCONT)
        self.await_balloon(700, "after a pause of libvirtd")
        daemon.stop()
        self.assertEqual(self.balloon_mib(), FOUND_MIB)


class RandomMoments(Reclaim):
    """Half of the kills are followed by --restore, half by the next start and stop."""

    def kill_once(self, number):
        dice = random.Random(SEED + number)
        daemon = self.running()
        end = time.monotonic() + STANDS_SECONDS + dice.uniform(0, LIFE_SECONDS)
        while time.monotonic() < end:
            self.script(balloon=dice.randint(500, FOUND_MIB), limit=dice.randint(600, 4000),
                        lease=LONG_MS)
            time.sleep(0.03)
        daemon.kill()
        self.script()
        if number % 2:
            self.assert_done(daemon.run("--restore"), 0)
        else:
            self.running().stop()
        self.assertEqual((self.balloon_mib(), self.limit()), (FOUND_MIB, None),
                         "number %d, seed %d: not as found" % (number, SEED))
        self.assert_no_record(daemon)

    def test_twelve_kills(self):
        for number in range(12):
            self.kill_once(number)


@unittest.skipIf(VALGRIND, "valgrind cannot start the daemon's program once more, as its guard")
class Limits(Reclaim):

    def test_a_stop_lifts_the_limit_and_leaves_no_guard(self):
        daemon = self.with_limit(700)
        guards = children(daemon.process.pid)
        self.assertEqual(len(guards), 1)
        daemon.stop()
        self.assertEqual(self.limit(), None)
        self.assertEqual(self.fake.read(HIGH), "max\n")
        self.assert_no_record(daemon)
        wait_until(lambda: not is_running(guards[0]), "the guard ends")

    def test_a_stop_lifts_it_even_if_nothing_else_is_to_be_restored(self):
        self.with_limit(700, config=ON + "[agent]\nrestore_at_stop = false\n").stop()
        self.assertEqual(self.limit(), None)

    def test_there_is_no_guard_without_a_limit(self):
        self.assertEqual(children(self.with_balloon(1024).process.pid), [])

    def test_a_killed_agent_leaves_no_limit(self):
        daemon = self.with_limit(700)
        guard = children(daemon.process.pid)[0]
        daemon.kill()
        self.assert_lifted("killed")
        self.assertIn("the agent is gone: lifting its limits", daemon.log())
        wait_until(lambda: not is_running(guard), "the guard ends")
        # What is on record is the next start's business, and no limit comes back.
        self.script()
        daemon = self.running()
        self.assert_no_record(daemon)
        self.assertEqual(self.limit(), None)

    def test_a_stopped_agent_leaves_no_limit(self):
        daemon = self.with_limit(700)
        self.shorten_lease(daemon, 700)
        daemon.send(signal.SIGSTOP)
        self.assert_lifted("stopped")
        self.script()
        daemon.send(signal.SIGCONT)
        self.assertIn("has not renewed its limits in time: lifting its limits", daemon.log())
        self.assert_no_record(daemon)
        self.assertEqual(daemon.log().count("somebody else has changed it"), 0)
        daemon.stop()

    def test_killed_with_its_guard_restore_lifts(self):
        daemon = self.with_limit(700)
        guard = children(daemon.process.pid)[0]
        daemon.send(signal.SIGSTOP)
        os.kill(guard, signal.SIGKILL)
        daemon.kill()
        self.assertEqual(self.limit(), 700)
        self.assert_done(daemon.run("--restore"), 0, "soft limit of 1 domains: as found")
        self.assertEqual((self.limit(), self.fake.read(HIGH)), (None, "max\n"))

    def test_a_guard_that_was_killed_is_replaced(self):
        daemon = self.with_limit(700)
        guard = children(daemon.process.pid)[0]
        os.kill(guard, signal.SIGKILL)
        wait_until(lambda: children(daemon.process.pid) not in ([], [guard]), "there is another")
        self.assertEqual(daemon.log().count("the guard of limits has ended"), 1)
        daemon.kill()
        self.assert_lifted("killed")

    def test_a_guard_is_not_ended_by_what_ends_the_agent_politely(self):
        daemon = self.with_limit(700)
        guard = children(daemon.process.pid)[0]
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            os.kill(guard, number)
        time.sleep(0.3)
        self.assertTrue(is_running(guard))

    def test_a_killed_agent_leaves_no_limit_even_without_libvirtd(self):
        daemon = self.with_limit(700)
        self.libvirtd.send(signal.SIGSTOP)
        daemon.kill()
        wait_until(lambda: self.fake.read(HIGH) == "max\n", "memory.high is lifted")
        self.libvirtd.send(signal.SIGCONT)
        self.await_limit(None, "libvirtd goes on")

    def test_a_lease_that_is_not_renewed_lapses(self):
        daemon = self.with_limit(700)
        self.shorten_lease(daemon, 700)
        self.script(in_force=700)
        self.assert_lifted("lapsed")
        self.assert_no_record(daemon)
        wait_until(lambda: children(daemon.process.pid) == [], "no guard is needed")

    def test_what_memtune_has_set_stays(self):
        daemon = self.with_limit(700)
        self.libvirtd.virsh("memtune %s --soft-limit 512M --live" % TEST_NAME)
        self.play_kernel(512)
        self.script(limit=600, lease=LONG_MS, in_force=512)
        wait_until(lambda: "somebody else has changed it" in daemon.log(), "it is said")
        time.sleep(0.3)
        self.assertEqual(self.limit(), 512)
        daemon.kill()
        time.sleep(0.5)
        self.assertEqual((self.limit(), self.fake.read(HIGH)), (512, "%d\n" % (512 << 20)))

    def test_a_limit_that_was_found_comes_back(self):
        self.libvirtd.virsh("memtune %s --soft-limit 4G --live" % TEST_NAME)
        self.play_kernel(4096)
        daemon = self.running()
        self.script(limit=5000, lease=LONG_MS, in_force=4096)
        time.sleep(0.3)
        self.assertEqual(self.limit(), 4096, "never above what was found")
        self.script(in_force=4096)
        time.sleep(0.3)
        daemon.stop()
        daemon = self.with_limit(700, found=4096)
        daemon.kill()
        self.await_limit(4096, "killed")
        self.assertEqual(self.fake.read(HIGH), "%d\n" % (4096 << 20))


class Amounts(Reclaim):

    def test_memory_is_reclaimed_without_a_limit_or_a_record(self):
        daemon = self.running()
        self.script(reclaim=24)
        wait_until(lambda: self.fake.read(RECLAIM) == "%d\n" % (8 << 20), "the last of two chunks")
        self.script()
        self.assertEqual(self.fake.read(HIGH), "max\n")
        self.assertFalse(os.path.exists(daemon.record))
        self.assertEqual(children(daemon.process.pid), [])


if __name__ == "__main__":
    main()
