#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_balloon.py - balloons of real guests, on a host that is short of memory and calm again

A process holds as much memory as it takes for the host to be below the mark that these tests set.
Where much is available that mark is high, and what is calm is said by a mark that is low.
"""
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import RealTestCase, main, virsh, wait_until  # noqa: E402
from vktest.memory import MIB, Hog, available_share  # noqa: E402

CONFIG = """\
[agent]
memory_tight = %s
calm_s = 1
[balloon]
enable = yes
shrink = 40
dwell_s = 1
"""
TIGHT, CALM = "90", "2"
TIGHT_SHARE = 0.8  # what ends on the host meanwhile gives memory back

MAXIMUM_MIB = 160
USED_MIB = 24
FREE_MIB = 96  # written once, and free since
FLOOR_MIB = MAXIMUM_MIB // 4
# What the guest has in use and a fifth of that; the balloon is left alone within 2 % of that.
NEED_MIB = (USED_MIB + 8) * 1.2
ENOUGH_MIB = max(FLOOR_MIB, NEED_MIB) + 0.02 * MAXIMUM_MIB + 1

NO_PERIOD = "<memballoon model='virtio'/>"
PERIOD_SECONDS = 2  # what the daemon asks for where nobody else does


class Balloons(RealTestCase):

    def setUp(self):
        super().setUp()
        self.guest = self.domain("balloon", memory_mib=MAXIMUM_MIB, balloon=NO_PERIOD,
                                 content={"unique": USED_MIB, "free": FREE_MIB}).start()
        self.agent = self.daemon("--mode", "off", config=CONFIG % CALM).start()
        self.hog = None
        self.addCleanup(self.release)
        wait_until(lambda: self.period() == PERIOD_SECONDS, "statistics are asked for")

    def release(self):
        if self.hog:
            self.hog.close()
        self.hog = None

    def tighten(self):
        self.hog = Hog(TIGHT_SHARE)
        self.set_mark(TIGHT)

    def relax(self):
        self.release()
        self.set_mark(CALM)

    def set_mark(self, mark):
        self.agent.write_config(CONFIG % mark)
        self.agent.send(signal.SIGHUP)

    # --- what libvirt says ---

    def balloon_mib(self):
        return self.guest.memory_statistics()["actual"] / 1024

    def period(self):
        """Seconds between two statistics of the guest; 0: they are not asked for."""
        found = re.search(r"<stats period='(\d+)'/>", virsh("dumpxml", self.guest.name))
        return int(found.group(1)) if found else 0

    def await_balloon(self, is_right, what, seconds=60):
        started = time.monotonic()
        wait_until(lambda: is_right(self.balloon_mib()),
                   lambda: "%s; the balloon is %g MiB, the host has %d %% available\n%s\n%s" % (
                       what, self.balloon_mib(), 100 * available_share(), self.explanation(),
                       self.agent.log()), seconds)
        print("%s after %.1f s" % (what, time.monotonic() - started), flush=True)

    def explanation(self):
        return self.agent.client("explain", self.guest.name).stdout

    def shrink(self):
        self.tighten()
        self.await_balloon(lambda mib: mib <= ENOUGH_MIB, "shrunk to what it needs")

    # --- tests ---

    def test_it_is_shrunk_while_memory_is_short_and_given_back_when_it_is_not(self):
        resident = self.guest.resident_bytes()
        self.assertEqual(self.balloon_mib(), MAXIMUM_MIB)
        self.shrink()
        self.assertGreaterEqual(self.balloon_mib(), FLOOR_MIB)
        freed = resident - self.guest.resident_bytes()
        print("the host has %.1f MiB more" % (freed / MIB))
        self.assertGreater(freed, 0.75 * FREE_MIB * MIB)
        self.relax()
        self.await_balloon(lambda mib: mib == MAXIMUM_MIB, "given back")
        self.assertEqual(self.agent.stop(), 0)
        self.assertEqual(self.period(), 0)
        self.assertNotIn("somebody else", self.agent.log())

    def test_a_stop_in_the_middle_gives_it_back(self):
        self.shrink()
        self.assertEqual(self.agent.stop(), 0)
        self.await_balloon(lambda mib: mib == MAXIMUM_MIB, "given back", 5)
        self.assertEqual(self.period(), 0)

    def test_a_restart_of_libvirtd_loses_nothing(self):
        self.shrink()
        self.host.restart_libvirtd()
        wait_until(lambda: self.agent.ask("status")["libvirt"]["reconnects"] >= 1, "connected", 60)
        self.assertGreaterEqual(self.balloon_mib(), FLOOR_MIB)
        self.assertLessEqual(self.balloon_mib(), ENOUGH_MIB)
        self.assertEqual(self.agent.stop(), 0)
        self.await_balloon(lambda mib: mib == MAXIMUM_MIB, "given back", 5)
        self.assertEqual(self.period(), 0)
        self.assertNotIn("somebody else", self.agent.log())

    def test_after_a_kill_restore_gives_it_back(self):
        self.shrink()
        self.agent.kill()
        self.assertLess(self.balloon_mib(), MAXIMUM_MIB)
        self.agent.restore()
        self.await_balloon(lambda mib: mib == MAXIMUM_MIB, "given back", 5)
        self.assertEqual(self.period(), 0)

    def test_what_an_operator_sets_stays(self):
        self.shrink()
        self.guest.set_balloon(128)
        wait_until(lambda: "somebody else has changed it" in self.agent.log(), "it is said")
        self.relax()
        time.sleep(4)
        self.tighten()
        time.sleep(4)
        self.assertEqual(self.balloon_mib(), 128)
        explained = self.agent.ask("explain", self.guest.name)["domains"][0]
        self.assertIn("somebody else", explained["balloon_reason"])
        self.assertEqual(self.agent.stop(), 0)
        self.assertEqual(self.balloon_mib(), 128)
        self.assertEqual(self.period(), 0)


if __name__ == "__main__":
    main()
