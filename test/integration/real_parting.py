#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_parting.py - switching merging of real guests off, and what stands in its way

Too little memory for the copies, a QEMU that hangs or ends, memory in several pieces, memory that
cannot be merged.
"""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import ksm, main, virsh, wait_until  # noqa: E402
from vktest.memory import PAGE, Hog, of_host  # noqa: E402
from vktest.tenancy import COMMON_MIB, CONFIG, TenancyTestCase, is_marked  # noqa: E402
from vktest.watch import Watch  # noqa: E402

# Copies that are more than what others on the host take or free meanwhile.
LARGE_MIB = 256
OTHERS_BYTES = 96 << 20
DIMM = "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>"


class Least(Watch):
    """The least that a figure was, until it is ended."""

    def __init__(self, figure):
        self.value = figure()
        self._figure = figure
        super().__init__(0.005, self._note)

    def _note(self):
        self.value = min(self.value, self._figure())


class Memory(TenancyTestCase):

    def test_without_memory_nobody_is_parted_and_the_figures_say_so(self):
        daemon = self.hooked(tight=90)
        hog = Hog(0.8)
        self.addCleanup(hog.close)
        one, two = self.guest("one", "a").start(), self.guest("two", "a").start()
        self.wait_shared(one, two)
        daemon.client("set", two.name, "ksm.group=b")
        told = wait_until(  # figures may be a second old
            lambda: (lambda t: t["paused"] and t["need_bytes"] > COMMON_MIB << 19 and t)(
                self.tenancy(daemon)), lambda: "it waits: %s" % self.tenancy(daemon), 20)
        self.assertLess(told["headroom_bytes"], told["need_bytes"])
        self.assertTrue(is_marked(one) and is_marked(two))
        self.assertEqual(ksm.read("run"), 0)
        self.assertIn("merge-no-headroom", daemon.client("doctor", "--format", "json").stdout)
        daemon.write_config(CONFIG.format(rule="auto", tight=1))
        daemon.send(signal.SIGHUP)
        self.wait_settled(daemon)
        self.assertEqual(is_marked(one) + is_marked(two), 1)

    def test_with_memory_for_some_these_are_parted_and_the_rest_when_there_is_more(self):
        def states():
            return [self.merging(daemon, domain) for domain in domains]

        daemon = self.hooked("all")
        daemon.client("mode", "off")
        hog = Hog(0.8)  # a reserve is 90 % of the memory at most
        self.addCleanup(hog.close)
        domains = [self.domain(name, memory_mib=320, content={"common": LARGE_MIB}).start()
                   for name in ("one", "two", "three", "four")]
        unmerged = of_host("MemAvailable")
        daemon.client("mode", "auto")
        wait_until(lambda: ksm.read("pages_sharing") >= (len(domains) - 1) * LARGE_MIB * 256,
                   "they share what they have in common", 120)
        self.wait_settled(daemon)
        # What ksmd has just freed waits in lists of its CPU, and does not count as free there.
        available = unmerged + ksm.read("pages_sharing") * PAGE
        reserve = available - 5 * (LARGE_MIB << 20) // 2  # beyond it, copies of two have room
        least = Least(lambda: of_host("MemAvailable"))
        daemon.write_config(CONFIG.format(
            rule="listed", tight="%.2f" % (100 * reserve / of_host("MemTotal"))))
        daemon.send(signal.SIGHUP)
        wait_until(lambda: sorted(states()) == ["off", "off", "on", "on"] and
                   "merge-no-headroom" in daemon.client("doctor", "--format", "json").stdout,
                   lambda: "two are parted, and there is no memory for the others: %s, %s" %
                   (states(), self.tenancy(daemon)), 60)
        told = self.tenancy(daemon)
        least.end()
        print("MiB available before %d, at least %d, reserve %d; needed %d, there are %d" % tuple(
            each >> 20 for each in (available, least.value, reserve, told["need_bytes"],
                                    told["headroom_bytes"])), file=sys.stderr)
        self.assertLess(told["headroom_bytes"], told["need_bytes"])
        self.assertGreater(least.value, reserve - OTHERS_BYTES)
        self.assertEqual(ksm.read("run"), 0)
        daemon.write_config(CONFIG.format(rule="listed", tight=1))
        daemon.send(signal.SIGHUP)
        wait_until(lambda: states() == ["off"] * len(domains), states, 60)


class Hangs(TenancyTestCase):

    @staticmethod
    def wake(domain):
        try:
            os.kill(domain.pid, signal.SIGCONT)
        except (FileNotFoundError, ProcessLookupError):
            pass

    def hung(self, daemon):
        """Two domains that must be switched off, of which the second one's QEMU hangs."""
        one, two = self.guest("one", "a").start(), self.guest("two", "a").start()
        self.wait_settled(daemon)
        self.assertTrue(is_marked(one) and is_marked(two))
        os.kill(two.pid, signal.SIGSTOP)
        self.addCleanup(self.wake, two)
        # libvirt would wait for the one that hangs: nothing is asked of it here.
        daemon.write_config(CONFIG.format(rule="listed", tight=1))
        daemon.send(signal.SIGHUP)
        wait_until(lambda: not is_marked(one), "the other one is off", 60)
        self.assertTrue(is_marked(two))
        self.assertEqual(ksm.read("run"), 0)
        return one, two

    def test_a_hung_qemu_stops_scanning_and_nothing_else(self):
        daemon = self.hooked("all")
        _, two = self.hung(daemon)
        self.wake(two)
        wait_until(lambda: not is_marked(two), "it is off", 90)
        self.wait_settled(daemon, 60)

    def test_a_qemu_that_ends_in_the_middle_is_waited_for_no_more(self):
        daemon = self.hooked("all")
        one, two = self.hung(daemon)
        os.kill(two.pid, signal.SIGKILL)
        wait_until(lambda: not self.tenancy(daemon)["paused"], lambda: self.tenancy(daemon), 60)
        self.assertFalse(is_marked(one))


class Pieces(TenancyTestCase):

    def cells(self, machine):
        """A domain of two NUMA nodes, to which memory can be added."""
        domain = self.guest("cells", "a")
        domain.xml = domain.xml.replace("<memory ", "<maxMemory slots='2' unit='MiB'>512"
                                        "</maxMemory><memory ", 1)
        domain.xml = domain.xml.replace("<model>qemu64</model>", "<model>qemu64</model><numa>"
                                        "<cell id='0' cpus='0' memory='40' unit='MiB'/>"
                                        "<cell id='1' memory='56' unit='MiB'/></numa>", 1)
        domain.xml = domain.xml.replace("machine='pc'", "machine='%s'" % machine)
        return domain.start()

    def switch_every_piece(self, machine, pieces):
        """Of main memory, in MiB, and then of a DIMM."""
        daemon = self.hooked("none")
        domain = self.cells(machine)
        wait_until(lambda: self.merging(daemon, domain) == "off",
                   lambda: daemon.client("explain", domain.name).stdout + daemon.log(), 30)
        self.assertEqual([is_marked(domain, mib) for mib in pieces], [False] * len(pieces))
        with open(domain.console + ".dimm.xml", "w", encoding="ascii") as file:
            file.write(DIMM)
        virsh("attach-device", domain.name, file.name, "--live")
        wait_until(lambda: not is_marked(domain, 64), "the DIMM is off", 30)
        wait_until(lambda: self.merging(daemon, domain) == "off", "it is off again", 30)
        daemon.stop()
        self.assertEqual([is_marked(domain, mib) for mib in pieces + [64]],
                         [True] * (len(pieces) + 1))

    def test_every_piece_of_memory_is_switched_and_goes_back(self):
        self.switch_every_piece("pc", [40, 56])

    def test_an_old_machine_has_its_nodes_in_one_piece(self):
        self.switch_every_piece("pc-i440fx-5.0", [96])

    def test_memory_that_cannot_be_merged_is_left_alone(self):
        daemon = self.hooked("none")
        shared = self.domain("shared", backing=self.domain("x").MEMFD).start()
        wait_until(lambda: self.merging(daemon, shared) == "cannot merge", "it cannot merge", 20)
        self.wait_settled(daemon)
        self.assertNotIn("custom", virsh("dominfo", shared.name))


if __name__ == "__main__":
    main()
