#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_originals.py - whatever ends the daemon, KSM goes back to what was before the first run"""
import os
import random
import sys
import threading
import time
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakehost import BURST, FIXED, OTHER_BOOT_ID  # noqa: E402
from seed import seed  # noqa: E402

FOUND = (0, 123, 45)
NOT_CLEAN = "the last run did not end cleanly"
KDAMONDS = "sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds"

# How often a busy daemon is killed. The seed is printed with a failure.
KILLS = 50
SEED = seed()
# Half of the kills come this soon after the start, the others this soon after the first write.
LIFE_SECONDS = 0.1


class Killed(FakeTestCase):

    def killed(self, *arguments, settings=FIXED, **options):
        """A host whose KSM a daemon has driven until it was killed, and that daemon."""
        host = self.host(run=FOUND[0], pages=FOUND[1], sleep=FOUND[2], **options)
        daemon = self.started(*(arguments or ("--mode", "fixed")), host=host)
        self.assertEqual(host.settings(), settings)
        daemon.kill()
        self.assertEqual(host.settings(), settings)
        return host, daemon

    def test_restore_puts_ksm_back_and_can_be_repeated(self):
        host, daemon = self.killed()
        self.assert_done(daemon.run("--restore"), 0, "KSM is as it was found")
        self.assertEqual(host.settings(), FOUND)
        self.assertEqual(daemon.state_files(), [])
        self.assert_done(daemon.run("--restore"), 0, "nothing to restore")
        self.assertEqual(host.settings(), FOUND)

    def test_who_puts_back_after_a_kill_says_that_there_was_one(self):
        for result, told in ("signal", True), ("watchdog", True), ("success", False), (None, False):
            with self.subTest(result=result):
                host, daemon = self.killed()
                with mock.patch.dict(os.environ, {"SERVICE_RESULT": result} if result else {}):
                    done = daemon.run("--restore")
                self.assert_done(done, 0, "KSM is as it was found")
                self.assertEqual("did not end cleanly (%s)" % result in done.err, told, done)
                self.assertEqual(host.settings(), FOUND)
        with mock.patch.dict(os.environ, {"SERVICE_RESULT": "signal"}):
            again = daemon.run("--restore")
        self.assertNotIn("did not end cleanly", again.err)  # nothing was left

    def test_restore_without_any_record_says_so(self):
        host = self.host()
        before = host.stamps()
        self.assert_done(self.daemon(host).run("--restore"), 0, "nothing to restore")
        self.assert_untouched(host, before)

    def test_restore_names_a_root_folder_that_is_not_there(self):
        host = self.host()
        root = host.base + "/none"
        self.assert_done(self.daemon(host).run("--restore", "--root", root), 1,
                         "cannot open the root folder %s: No such file" % root)

    def test_the_next_start_puts_ksm_back(self):
        for mode in "off", "observe":
            with self.subTest(mode=mode):
                host, first = self.killed()
                daemon = self.started("--mode", mode, host=host)
                self.assertEqual(host.settings(), FOUND)
                self.assertIn(NOT_CLEAN, daemon.log())
                self.assertFalse(os.path.exists(first.record), "the record is still there")

    def test_the_originals_are_those_of_the_first_run_after_any_number_of_crashes(self):
        host, daemon = self.killed()
        for _ in range(5):
            daemon = self.started("--mode", "fixed", host=host)
            self.assertEqual(host.settings(), FIXED)
            self.assertEqual(daemon.ask("status")["initial"]["pages_to_scan"], FOUND[1])
            daemon.kill()
        daemon = self.started("--mode", "fixed", host=host)
        daemon.stop()
        self.assertEqual(host.settings(), FOUND)
        self.assertEqual(daemon.state_files(), [])

    def test_restore_beside_a_running_daemon_is_refused(self):
        host = self.host()
        daemon = self.started("--mode", "fixed", host=host)
        self.assert_done(daemon.run("--restore"), 1, "another virtksmd", "is using")
        self.assertEqual(host.settings(), FIXED)

    def test_the_advisor_comes_back_too(self):
        host, daemon = self.killed(advisor="scan-time")
        self.assert_done(daemon.run("--restore"), 0)
        self.assertEqual(host.ksm("advisor_mode"), "scan-time")


class Nodes(FakeTestCase):
    """The kernel changes merge_across_nodes only while nothing is merged."""

    def test_what_was_found_lasts_until_nothing_is_merged(self):
        host = self.host()
        apart = "[ksm]\nmerge_across_nodes = no\n"
        for _ in range(2):
            daemon = self.started("--mode", "fixed", host=host, config=apart)
            wait_until(lambda: host.ksm("merge_across_nodes") == 0, "the nodes are apart")
            self.assertNotIn(NOT_CLEAN, daemon.log())
            host.set_counters(pages_shared=10, pages_sharing=90)
            daemon.stop()
            self.assertIn("merge_across_nodes stays at 0", daemon.log())
            self.assertEqual(host.ksm("merge_across_nodes"), 0)
        self.assert_done(daemon.run("--restore"), 0, "merge_across_nodes stays at 0")
        host.set_counters(pages_shared=0, pages_sharing=0)
        self.assert_done(daemon.run("--restore"), 0)
        self.assertEqual(host.ksm("merge_across_nodes"), 1)
        self.assertEqual(daemon.state_files(), [])


class Monitors(FakeTestCase):
    """Those of DAMON are in no record: by their number, 61, they are known as the daemon's."""

    def assert_given_back(self, host):
        # A plain file keeps what is behind the one digit that is written.
        self.assertEqual(host.read(KDAMONDS), "01\n")

    def test_those_of_a_running_daemon_are_left_alone(self):
        for mode in "observe", "fixed":
            with self.subTest(mode=mode):
                host = self.host()
                daemon = self.started("--mode", mode, host=host)
                host.write(KDAMONDS, "61\n")
                self.assert_done(daemon.run("--restore"), 1, "another virtksmd", "is using")
                self.assertEqual(host.read(KDAMONDS), "61\n")

    def test_restore_gives_back_those_of_a_killed_daemon(self):
        host = self.host()
        daemon = self.started("--mode", "observe", host=host)
        daemon.kill()
        host.write(KDAMONDS, "61\n")
        self.assert_done(daemon.run("--restore"), 0)
        self.assert_given_back(host)

    def test_restore_needs_no_state_directory_for_it_and_makes_none(self):
        host = self.host()
        host.write(KDAMONDS, "61\n")
        daemon = self.daemon(host)
        self.assert_done(daemon.run("--restore"), 0, "nothing to restore")
        self.assert_given_back(host)
        self.assertFalse(os.path.exists(daemon.state_dir))

    def test_the_next_start_gives_them_back(self):
        host = self.host()
        host.write(KDAMONDS, "61\n")
        self.started("--mode", "observe", host=host)
        self.assert_given_back(host)


class RandomMoments(FakeTestCase):
    """Half of the hosts are put back by --restore, half by the next start and stop."""

    def keep_busy(self, daemon, dice, ending):
        """A client that never rests, and does not mind whether it is answered."""
        while not ending.is_set():
            command = dice.choice((["kick"], ["kick"], ["mode", "fixed"], ["mode", "auto"],
                                   ["mode", "classic"], ["mode", "off"], ["mode", "observe"]))
            daemon.client(*command)

    def kill_once(self, number):
        dice = random.Random(SEED + number)
        found = (dice.choice((0, 1)), dice.randint(1, 5000), dice.randint(0, 500))
        host = self.host(run=found[0], pages=found[1], sleep=found[2])
        daemon = self.daemon(host, "--mode", dice.choice(("auto", "fixed", "classic")))
        daemon.start(wait=False)
        ending = threading.Event()
        self.addCleanup(ending.set)
        client = threading.Thread(target=self.keep_busy, daemon=True,
                                  args=(daemon, random.Random(number), ending))
        client.start()
        if number % 8 < 4:
            wait_until(lambda: host.settings() != found, "the first write")
        time.sleep(dice.uniform(0, LIFE_SECONDS))
        daemon.kill()
        ending.set()
        client.join()
        if number % 2:
            self.assert_done(daemon.run("--restore"), 0)
        else:
            self.daemon(host, "--mode", "fixed").start().stop()
        self.assertEqual(host.settings(), found, "number %d, seed %d: not as found\n%s"
                         % (number, SEED, daemon.log()))
        self.assertFalse(os.path.exists(daemon.record), "number %d: a record is left" % number)

    def kill_some(self, numbers):
        for number in numbers:
            self.kill_once(number)

    def test_first_quarter_of_fifty_kills(self):
        self.kill_some(range(0, KILLS, 4))

    def test_second_quarter_of_fifty_kills(self):
        self.kill_some(range(1, KILLS, 4))

    def test_third_quarter_of_fifty_kills(self):
        self.kill_some(range(2, KILLS, 4))

    def test_fourth_quarter_of_fifty_kills(self):
        self.kill_some(range(3, KILLS, 4))


class Damaged(FakeTestCase):

    DAMAGES = (
        ("empty", lambda text: b""),
        ("cut short", lambda text: text[:len(text) // 2]),
        ("last byte missing", lambda text: text[:-1]),
        ("one digit changed", lambda text: text.replace(b"123", b"124")),
        ("one digit of the sum changed", lambda text: text[:-2] + (b"0" if text[-2:-1] != b"0"
                                                                   else b"1") + b"\n"),
        ("garbage", lambda text: b"\xde\xad\xbe\xef" * 100),
        ("zeros", lambda text: bytes(len(text))),
        ("a line more", lambda text: text + b"run=1\n"),
        ("twice", lambda text: text * 2),
        ("very long", lambda text: b"[ksm]\n" * 100000),
    )

    def damaged(self, damage):
        """A host with a damaged record; its daemon; what must not change any more."""
        host = self.host(run=FOUND[0], pages=FOUND[1], sleep=FOUND[2])
        host.wants_found = False
        daemon = self.started("--mode", "fixed", host=host)
        daemon.kill()
        with open(daemon.record, "rb") as file:
            text = file.read()
        with open(daemon.record, "wb") as file:
            file.write(damage(text))
        self.assertNotEqual(damage(text), text)
        return host, daemon, host.stamps(host.root, daemon.state_dir)

    def test_a_damaged_record_is_named_and_nothing_is_written(self):
        for what, damage in self.DAMAGES:
            with self.subTest(what):
                host, _, before = self.damaged(damage)
                daemon = self.started(host=host)
                status = daemon.ask("status")
                self.assertEqual(status["actuator"], "damaged")
                self.assertIn(daemon.record, status["actuator_detail"])
                self.assertIn("remove the file", status["actuator_detail"])
                self.assertIn("is damaged", daemon.log())
                daemon.ask("kick")
                daemon.ask("mode", "fixed")
                self.assertEqual(daemon.ask("explain")["applied"], "refused")
                daemon.stop()
                self.assert_untouched(host, before, host.root, daemon.state_dir)

    def test_restore_from_a_damaged_record_fails_and_touches_nothing(self):
        for what, damage in self.DAMAGES:
            with self.subTest(what):
                host, daemon, before = self.damaged(damage)
                self.assert_done(daemon.run("--restore"), 1, "is damaged", daemon.record)
                self.assert_untouched(host, before, host.root, daemon.state_dir)

    def test_once_the_operator_has_removed_it_all_is_well(self):
        host, _, _ = self.damaged(lambda text: b"")
        daemon = self.started(host=host)
        os.unlink(daemon.record)
        daemon.stop()
        daemon = self.started(host=host)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")


class OtherBoot(FakeTestCase):

    def rebooted(self):
        """A host that was rebooted while a daemon drove KSM; the kernel has its own settings."""
        host = self.host(run=FOUND[0], pages=FOUND[1], sleep=FOUND[2])
        daemon = self.started("--mode", "fixed", host=host)
        daemon.kill()
        host.write("proc/sys/kernel/random/boot_id", OTHER_BOOT_ID + "\n")
        host.set_knobs(0, 100, 20)
        return host, daemon

    def test_a_record_of_an_earlier_boot_is_not_restored(self):
        host, _ = self.rebooted()
        daemon = self.started("--mode", "fixed", host=host)
        self.assertEqual(daemon.ask("status")["initial"]["pages_to_scan"], 100)
        self.assertNotIn(NOT_CLEAN, daemon.log())
        daemon.stop()
        self.assertEqual(host.settings(), (0, 100, 20))

    def test_restore_removes_a_record_of_an_earlier_boot(self):
        host, daemon = self.rebooted()
        before = host.stamps()
        self.assert_done(daemon.run("--restore"), 0, "earlier boot")
        self.assert_untouched(host, before)
        self.assertFalse(os.path.exists(daemon.record))


class StateDirectory(FakeTestCase):

    def test_without_a_record_nothing_is_written_until_one_can_be_kept(self):
        host = self.host()
        daemon = self.daemon(host)
        with open(daemon.state_dir, "w", encoding="utf-8"):
            pass  # a file is in the way of the directory
        before = host.stamps()
        daemon.start()
        daemon.ask("kick")
        status = daemon.ask("status")
        self.assertEqual(status["actuator"], "state-unwritable")
        self.assertIn(daemon.state_dir, status["actuator_detail"])
        self.assert_untouched(host, before)
        os.unlink(daemon.state_dir)
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")
        daemon.stop()
        self.assertEqual(host.settings(), (0, 100, 20))

    def test_a_second_daemon_on_one_state_directory_is_refused(self):
        for mode in "fixed", "observe":
            with self.subTest(mode=mode):
                host = self.host()
                first = self.started("--mode", mode, host=host)
                before = host.stamps(host.root, first.state_dir)
                second = self.daemon(host)
                second.runtime_dir = host.base + "/run2"
                done = second.run()
                self.assert_done(done, 1, "another virtksmd", first.state_dir)
                self.assertIn("(pid %d)" % first.process.pid, done.err)
                self.assertNotIn(NOT_CLEAN, done.err)
                self.assert_untouched(host, before, host.root, first.state_dir)
                first.stop()
                self.assertEqual(host.settings(), (0, 100, 20))

    def test_the_lock_of_a_killed_daemon_keeps_nobody_out(self):
        host = self.host()
        self.started("--mode", "observe", host=host).kill()
        daemon = self.started("--mode", "observe", host=host)
        self.assertNotIn(NOT_CLEAN, daemon.log())

    def test_it_is_closed_to_others(self):
        daemon = self.started("--mode", "fixed")
        self.assertEqual(os.stat(daemon.state_dir).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(daemon.record).st_mode & 0o777, 0o600)
        wait_until(lambda: daemon.state_files() == ["originals"], "no stray files")


if __name__ == "__main__":
    main()
