#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_reclaim.py - cold memory of real domains: real cgroups, real swap, a host that is short

An idle domain gives memory. One that is at work is let go within a second after it has come to
wait for memory, and nobody stays squeezed when the agent is killed or stands still.

Both ways to the memory are shown. The kernel's memory.reclaim is hidden from the agent by making
the one file read-only, as if the kernel did not have it; then limits are all that is left.
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import RealTestCase, main, skip_program, virsh, wait_until  # noqa: E402
from vktest.memory import (DWELL_SECONDS, LEASE_SECONDS, MIB, PAGE, SHORT,  # noqa: E402
                           SHORT_SHARE, Cgroup, Course, Hidden, Hog, Swap, has_cgroup_v2)

# As shipped.
WINDOW_SECONDS = 2
STALL_US = 0.005 * WINDOW_SECONDS * 1000000
REFAULTS = 200 * WINDOW_SECONDS

MAXIMUM_MIB = 192
FLOOR_MIB = MAXIMUM_MIB // 2
IDLE = {"unique": 144}
# All of it is written every few seconds.
BUSY = {"volatile": 112, "rate": 14000}

LET_GO_SECONDS = 1
# Twice the dwell time is the least that a domain is spared after it was hurt.
SPARED_SECONDS = 2 * DWELL_SECONDS - 1


def first_hurt(looks):
    """When a domain first waited, or had memory come back, for more than two seconds may have."""
    for i, look in enumerate(looks):
        for before in reversed(looks[:i]):
            if look["at"] - before["at"] > WINDOW_SECONDS:
                break
            if (look["stall_us"] - before["stall_us"] >= STALL_US or
                    look["refaults"] - before["refaults"] >= REFAULTS):
                return look["at"]
    return None


def story(looks, since):
    """What happened, twice a second."""
    return "\n".join("%+5.1f s: %5.1f MiB, limit %s, %5.1f MiB taken, %d refaults, %d ms waited, "
                     "%d times above it" % (
        look["at"] - since, look["current"] / MIB, look["high"] and look["high"] // MIB,
        look["stolen"] * PAGE / MIB, look["refaults"], look["stall_us"] // 1000, look["highs"])
        for look in looks[::10])


class Reclaim(RealTestCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        swap = Swap(1024)
        cls.addClassCleanup(swap.close)
        swap.open()

    def setUp(self):
        super().setUp()
        self.agent = self.daemon("--mode", "off", config=SHORT)

    def start(self, name, content, with_reclaim):
        guest = self.domain(name, memory_mib=MAXIMUM_MIB, content=content).start()
        cgroup = Cgroup(guest.pid)
        if not with_reclaim:
            hidden = Hidden(cgroup.path + "/memory.reclaim").open()
            self.addCleanup(hidden.close)
        return guest, cgroup

    def be_short(self):
        hog = Hog(SHORT_SHARE)
        self.addCleanup(hog.close)
        self.agent.start()
        wait_until(lambda: self.agent.ask("status")["memory"]["level"] == "tight", "tight")

    def course(self, cgroup):
        course = Course(cgroup)
        self.addCleanup(course.end)
        return course

    def explained(self, guest):
        return self.agent.ask("explain", guest.name)["domains"][0]

    def asked_bytes(self, guest, seen):
        """What was asked of memory.reclaim so far; the daemon keeps the last few decisions."""
        for row in self.explained(guest)["reclaim"]:
            at = time.monotonic() - row["first_ms"] / 1000
            if row["mechanism"] == "memory.high" and row["reclaim_bytes"]:
                same = [key for key in seen if abs(key - at) < DWELL_SECONDS / 2]
                seen[same[0] if same else at] = row["reclaim_bytes"]
        return sum(seen.values())

    # --- an idle domain ---

    def check_idle(self, guest, cgroup):
        before = cgroup.look()
        course = self.course(cgroup)
        asked = {}
        self.be_short()

        def is_near_floor():
            self.asked_bytes(guest, asked)
            return cgroup.number("memory.current") < (FLOOR_MIB + 8) * MIB

        wait_until(is_near_floor, lambda: "at its floor; now %s\n%s\n%s" % (
            cgroup.look(), self.agent.client("explain", guest.name).stdout, self.agent.log()), 30)
        time.sleep(2 * DWELL_SECONDS)
        self.asked_bytes(guest, asked)
        looks = course.end()
        gained = before["current"] - looks[-1]["current"]
        swapped = looks[-1]["swap"] - before["swap"]
        lowest = min(look["current"] for look in looks)
        print("idle: %.1f of %.1f MiB taken in %.1f s, lowest %.1f, swap +%.1f, asked %.1f, %d "
              "times above a limit" % (
            gained / MIB, before["current"] / MIB, looks[-1]["at"] - before["at"], lowest / MIB,
            swapped / MIB, self.asked_bytes(guest, asked) / MIB,
            looks[-1]["highs"] - before["highs"]), flush=True)
        self.assertGreater(gained, 40 * MIB)
        self.assertGreaterEqual(lowest, FLOOR_MIB * MIB, story(looks, before["at"]))
        return gained, swapped, self.asked_bytes(guest, asked)

    def test_an_idle_domain_gives_memory_down_to_its_floor(self):
        guest, cgroup = self.start("idle", IDLE, True)
        gained, swapped, asked = self.check_idle(guest, cgroup)
        self.assertAlmostEqual(asked, gained, delta=0.25 * gained)
        self.assertIsNone(cgroup.number("memory.high"))
        reported = self.agent.ask("report", guest.name)["domains"][0]
        self.assertAlmostEqual(reported["swapped_bytes"], swapped, delta=0.1 * swapped)
        self.assertIsNone(reported["limit_bytes"])

    def test_an_idle_domain_gives_memory_by_limits_where_there_is_no_reclaim(self):
        guest, cgroup = self.start("idle", IDLE, False)
        self.check_idle(guest, cgroup)
        reported = self.agent.ask("report", guest.name)["domains"][0]
        self.assertEqual(reported["limit_bytes"], cgroup.number("memory.high"))
        self.assertEqual(self.agent.stop(), 0)
        self.assertIsNone(cgroup.number("memory.high"))

    # --- one that is at work ---

    def check_busy(self, guest, cgroup):
        course = self.course(cgroup)
        self.be_short()
        hurt_at = wait_until(lambda: first_hurt(list(course.looks)),
                             lambda: "hurt; now %s\n%s" % (cgroup.look(), self.agent.log()), 30)
        time.sleep(max(0, hurt_at + LET_GO_SECONDS + SPARED_SECONDS - time.monotonic()))
        looks = course.end()
        after = [look for look in looks if look["at"] > hurt_at]
        spared = [look for look in after if look["at"] > hurt_at + LET_GO_SECONDS]
        limited = [look["at"] - hurt_at for look in after if look["high"] is not None]
        final = after[-1]["stolen"]
        taking = [look["at"] - hurt_at for look in after if look["stolen"] < final]
        print("busy: a limit until %.2f s, and memory taken until %.2f s, after it was hurt; "
              "%.1f MiB taken, %d refaults, %.0f ms waited, %d times above the limit" % (
                  max(limited, default=0), max(taking, default=0),
                  (final - looks[0]["stolen"]) * PAGE / MIB,
                  after[-1]["refaults"] - looks[0]["refaults"],
                  (after[-1]["stall_us"] - looks[0]["stall_us"]) / 1000,
                  after[-1]["highs"] - looks[0]["highs"]), flush=True)
        self.assertGreater(final, looks[0]["stolen"], "nothing was tried")
        told = "%s\n%s" % (story(looks, hurt_at), self.agent.client("explain", guest.name).stdout)
        self.assertLess(max(limited, default=0), LET_GO_SECONDS, told)
        self.assertEqual({look["stolen"] for look in spared}, {final}, told)
        self.assertTrue(any(row["reason_name"] == "back-off"
                            for row in self.explained(guest)["reclaim"]), told)

    def test_a_busy_domain_is_let_go_within_a_second(self):
        guest, cgroup = self.start("busy", BUSY, True)
        self.check_busy(guest, cgroup)

    def test_a_busy_domain_under_a_limit_is_let_go_within_a_second(self):
        guest, cgroup = self.start("busy", BUSY, False)
        self.check_busy(guest, cgroup)

    # --- an agent that is gone ---

    def limited(self):
        guest, cgroup = self.start("limited", IDLE, False)
        self.be_short()
        wait_until(lambda: cgroup.number("memory.high") is not None,
                   lambda: "a limit\n" + self.agent.log())
        return guest, cgroup

    def await_lifted(self, guest, cgroup, what, seconds):
        started = time.monotonic()
        while cgroup.number("memory.high") is not None:
            self.assertLess(time.monotonic() - started, seconds, "a limit, " + what)
            time.sleep(0.05)
        print("%s: no limit after %.2f s" % (what, time.monotonic() - started), flush=True)
        wait_until(lambda: "soft_limit     : unlimited" in virsh("memtune", guest.name),
                   "libvirt knows of no limit")

    def test_a_killed_agent_leaves_no_limit(self):
        guest, cgroup = self.limited()
        self.agent.kill()
        self.await_lifted(guest, cgroup, "killed", LEASE_SECONDS)

    def test_an_agent_that_stands_still_leaves_no_limit(self):
        guest, cgroup = self.limited()
        self.agent.send(signal.SIGSTOP)
        # The guard leaves the agent some time to do it itself.
        self.await_lifted(guest, cgroup, "stopped", 2 * LEASE_SECONDS)
        self.agent.send(signal.SIGCONT)
        wait_until(lambda: self.agent.client("status").returncode == 0, "the agent goes on")
        self.assertEqual(self.agent.stop(), 0)
        self.assertIsNone(cgroup.number("memory.high"))


if __name__ == "__main__":
    if not has_cgroup_v2():
        skip_program("needs cgroup v2; test/hostvm/run makes a host with it")
    main()
