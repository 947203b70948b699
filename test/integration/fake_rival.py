#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_rival.py - another program writes KSM's settings: it is noticed, named and not fought"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakehost import BURST, FIXED, KNOBS, KSM  # noqa: E402
from traced import Traced, start_traced  # noqa: E402

RIVALS = (("ksmtuned", "ksmtuned"), ("momd", "MOM"), ("mom-vdsm", "MOM"), ("vdsmd", "VDSM"),
          ("ksm-throttler", "Kata"), ("kata-ksm-throttler", "Kata"), ("tuned", "tuned"))


class Rival(FakeTestCase):

    def yielded(self, host, **echoes):
        """A daemon on this host that was driving KSM until somebody wrote these values."""
        daemon = self.started(host=host)
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        for name, value in echoes.items():
            host.echo(name, value)
        daemon.ask("kick")
        wait_until(lambda: daemon.ask("status")["actuator"] == "yielded",
                   lambda: "yielded: %s" % daemon.ask("status"), 5)
        return daemon

    def test_it_yields_and_writes_no_more(self):
        host = self.host()
        daemon = self.yielded(host, pages_to_scan=777)
        before = host.stamps()
        for _ in range(5):
            daemon.ask("kick")
        time.sleep(0.6)  # some decisions of the burst go by
        self.assert_untouched(host, before)
        self.assertEqual(daemon.ask("explain")["applied"], "refused")
        detail = daemon.ask("status")["actuator_detail"]
        for text in "pages_to_scan is 777", "16000", "does not know", "virtksm mode auto":
            self.assertIn(text, detail)
        self.assertEqual(daemon.ask("kick")["hint"], detail)
        self.assertIsNone(daemon.ask("mode", "auto")["hint"])
        self.assertEqual(daemon.log().count("another program drives KSM"), 1, "said more than once")

    def test_every_setting_is_watched(self):
        for name, value in (("run", 0), ("run", 2), ("sleep_millisecs", 500)):
            with self.subTest(name=name, value=value):
                host = self.host()
                daemon = self.yielded(host, **{name: value})
                self.assertIn("%s is %d" % (name, value), daemon.ask("status")["actuator_detail"])
                self.assertEqual(host.ksm(name), value)

    def test_it_is_noticed_without_any_event(self):
        host = self.host()
        daemon = self.started(host=host)
        daemon.ask("kick")
        host.echo("pages_to_scan", 777)
        wait_until(lambda: daemon.ask("status")["actuator"] == "yielded",
                   "yielded at the next decision", 5)
        self.assertEqual(host.ksm("pages_to_scan"), 777)

    def test_programs_that_are_known_to_do_it_are_named(self):
        for comm, name in RIVALS:
            with self.subTest(comm=comm):
                host = self.host()
                host.add_process("tuned")
                host.add_process("bash")
                rival = host.add_process(comm)
                daemon = self.yielded(host, pages_to_scan=777)
                detail = daemon.ask("status")["actuator_detail"]
                self.assertIn("probably %s" % name, detail)
                if comm != "tuned":
                    self.assertIn("(process %d)" % rival.pid, detail)

    def test_a_client_takes_over(self):
        host = self.host()
        daemon = self.yielded(host, pages_to_scan=777)
        daemon.ask("mode", "auto")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")
        daemon.stop()
        self.assertEqual(host.settings(), (0, 100, 20))

    def test_setting_the_mode_takes_over_before_it_returns(self):
        host = self.host()
        daemon = self.yielded(host, pages_to_scan=777)
        daemon.ask("mode", "fixed")
        self.assertEqual(host.settings(), FIXED)

    def test_what_nobody_has_noticed_yet_is_taken_over_as_well(self):
        host = self.host()
        daemon = self.started("--mode", "fixed", host=host)
        host.echo("pages_to_scan", 777)
        daemon.ask("mode", "fixed")
        self.assertEqual(host.settings(), FIXED)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")

    def test_it_yields_again_after_it_has_taken_over(self):
        host = self.host()
        daemon = self.yielded(host, pages_to_scan=777)
        daemon.ask("mode", "fixed")
        host.echo("sleep_millisecs", 99)
        daemon.ask("kick")
        self.assertEqual(daemon.ask("status")["actuator"], "yielded")
        self.assertEqual(host.ksm("sleep_millisecs"), 99)

    def test_take_over_in_the_file_writes_on(self):
        host = self.host()
        daemon = self.started(host=host, config="[ksm]\ntake_over = true\n")
        for value in 777, 888:
            daemon.ask("kick")
            host.echo("pages_to_scan", value)
            self.assert_settings(host, BURST, "take_over", 5)
        self.assertEqual(daemon.ask("status")["actuator"], "ready")
        daemon.stop()
        self.assertEqual(host.settings(), (0, 100, 20))

    def test_what_the_other_has_set_stays_at_the_end(self):
        host = self.host()
        daemon = self.yielded(host, pages_to_scan=777)
        daemon.stop()
        self.assertEqual(host.settings(), (0, 777, 20))
        self.assertIn("pages_to_scan stays at 777", daemon.log())
        self.assertFalse(os.path.exists(daemon.record))

    def test_who_is_yielded_to_does_not_find_ksmd_asleep(self):
        host = self.host()
        daemon = self.yielded(host, pages_to_scan=777)
        self.assertEqual(host.settings(), (1, 777, 20))
        host.echo("pages_to_scan", 778)
        host.echo("run", 1)
        daemon.ask("mode", "auto")
        daemon.ask("kick")
        self.assertEqual(host.settings(), BURST)
        self.assertEqual(daemon.ask("status")["initial"]["pages_to_scan"], 100)
        daemon.stop()
        self.assertEqual(host.settings(), (0, 100, 20))

    def test_mode_off_puts_back_what_is_not_the_others(self):
        for mode in "off", "observe":
            with self.subTest(mode=mode):
                host = self.host()
                daemon = self.yielded(host, pages_to_scan=777)
                daemon.ask("mode", mode)
                self.assertEqual(host.settings(), (0, 777, 20))
                self.assertFalse(os.path.exists(daemon.record))
                self.assertIn("pages_to_scan stays at 777", daemon.log())
                before = host.stamps()
                daemon.stop()
                self.assert_untouched(host, before)

    def test_what_was_set_before_the_first_write_is_no_rivalry(self):
        host = self.host()
        daemon = self.started("--mode", "observe", host=host)
        host.echo("pages_to_scan", 777)
        daemon.ask("mode", "fixed")
        self.assertEqual(daemon.ask("status")["actuator"], "ready")
        self.assertEqual(host.settings(), FIXED)
        daemon.stop()
        self.assertEqual(host.settings(), (0, 777, 20))

    def test_the_advisor_switched_on_by_somebody_is_named(self):
        host = self.host("6.18")
        daemon = self.started(host=host)
        daemon.ask("kick")
        host.set_advisor("scan-time")
        wait_until(lambda: daemon.ask("status")["actuator"] == "yielded",
                   lambda: "yielded: %s" % daemon.ask("status"), 5)
        self.assertIn("the kernel's advisor", daemon.ask("status")["actuator_detail"])
        self.assertEqual(host.ksm("advisor_mode"), "scan-time")


class Moments(FakeTestCase):
    """Somebody writes at a moment that the agent cannot choose: it stands right before a write."""

    FOUND = (0, 123, 45)
    FOREIGN = {"run": 2, "pages_to_scan": 777, "sleep_millisecs": 99, "use_zero_pages": 1,
               "smart_scan": 0}

    def setUp(self):
        super().setUp()
        self.fake = self.host(run=0, pages=123, sleep=45)
        self.folder = self.fake.path(KSM)
        self.found = self.fake.knobs()

    def begun(self, daemon, *arguments):
        """The daemon, or another run of its program, from its first instruction on."""
        def start(wrapper):
            daemon.wrapper = wrapper
            daemon.args += arguments
            daemon.start(wait=False)
            return daemon.process

        self.addCleanup(setattr, daemon, "wrapper", [])
        return start_traced(self, start, self.fake.base + "/go")

    def assert_left(self, **foreign):
        self.assertEqual(self.fake.knobs(), {**self.found, **foreign})

    def put_back(self):
        for name, value in self.found.items():
            if name != "advisor_mode":
                self.fake.echo(name, value)

    def set_while_saving(self, name, end):
        value = self.FOREIGN[name]
        self.put_back()
        daemon = self.daemon(self.fake, "--mode", "fixed")
        traced = self.begun(daemon)
        traced.next_write(daemon.state_dir)
        self.assert_left()
        self.fake.echo(name, value)
        traced.let_go()
        said = "another program has set %s to %d" % (name, value)
        wait_until(lambda: said in daemon.log(), "it is named")
        wait_until(daemon.is_listening, "it listens")
        daemon.ask("kick")
        self.assertEqual(self.fake.settings(), FIXED)
        if end == "stop":
            daemon.stop()
        else:
            daemon.kill()
            self.assert_done(daemon.run("--restore"), 0, "KSM is as it was found")
        self.assert_left(**{name: value})
        self.assertFalse(os.path.exists(daemon.record))

    def test_what_is_set_while_the_record_is_saved_counts_as_found(self):
        for name, end in (("run", "stop"), ("pages_to_scan", "kill"), ("smart_scan", "stop")):
            with self.subTest(name, end=end):
                self.set_while_saving(name, end)

    def test_what_is_set_between_two_writes_of_the_start_stays(self):
        daemon = self.daemon(self.fake, "--mode", "fixed")
        traced = self.begun(daemon)
        name = traced.next_write(self.folder)
        traced.next_write(self.folder)
        self.fake.echo(name, self.FOREIGN[name])
        traced.let_go()
        wait_until(daemon.is_listening, "it listens")
        daemon.ask("kick")
        self.assertIn("another program drives KSM", daemon.log())
        self.assertIn("%s is %d" % (name, self.FOREIGN[name]), daemon.log())
        daemon.stop()
        self.assertIn("%s stays at %d" % (name, self.FOREIGN[name]), daemon.log())
        self.assert_left(**{name: self.FOREIGN[name]})

    def test_what_is_set_as_it_is_told_to_end_stays(self):
        for name, value in self.FOREIGN.items():
            with self.subTest(name):
                self.put_back()
                daemon = self.started("--mode", "fixed", host=self.fake)
                traced = Traced(self, daemon.process.pid)
                traced.stand_still()
                traced.send(signal.SIGTERM)
                self.fake.echo(name, value)
                traced.let_go()
                daemon.stop()
                self.assert_left(**{name: value})
                if name in KNOBS[:3]:
                    self.assertIn("%s stays at %d: another program has set it" % (name, value),
                                  daemon.log())

    def assert_last_word(self, traced, end):
        """Of somebody who writes after it has put the first setting back, and before the second."""
        name = traced.next_write(self.folder)
        traced.next_write(self.folder)
        self.fake.echo(name, self.FOREIGN[name])
        traced.let_go()
        end()
        self.assert_left(**{name: self.FOREIGN[name]})

    def test_what_is_set_while_it_puts_back_stays(self):
        daemon = self.started("--mode", "fixed", host=self.fake)
        traced = Traced(self, daemon.process.pid)
        traced.stand_still()
        traced.send(signal.SIGTERM)
        self.assert_last_word(traced, daemon.stop)

    def test_what_is_set_during_restore_stays(self):
        daemon = self.started("--mode", "fixed", host=self.fake)
        daemon.kill()
        self.assert_last_word(self.begun(daemon, "--restore"), daemon.wait_end)


class Second(FakeTestCase):
    """Two agents drive one KSM; neither state nor sockets are shared."""

    FOUND = (0, 123, 45)

    def setUp(self):
        super().setUp()
        self.fake = self.host(run=0, pages=123, sleep=45)
        self.fake.wants_found = False  # while one of two still drives it

    def another(self, *arguments):
        daemon = self.daemon(self.fake, *arguments)
        daemon.runtime_dir += "2"
        daemon.state_dir += "2"
        daemon.record = daemon.state_dir + "/originals"
        return daemon

    def assert_yielded(self, second, first):
        """Whatever either is asked to do."""
        for daemon in first, second, first, second:
            daemon.ask("kick")
            self.assertEqual(self.fake.settings(), FIXED)
        status = second.ask("status")
        self.assertEqual(status["actuator"], "yielded", status)
        self.assertIn("another virtksmd (pid %d)" % first.process.pid, status["actuator_detail"])
        self.assertEqual(second.log().count("another virtksmd (pid"), 1)
        self.assertEqual(first.ask("status")["actuator"], "ready")

    def test_the_later_one_yields_whoever_ends_first(self):
        for is_first_gone_first in True, False:
            with self.subTest(is_first_gone_first):
                first = self.started("--mode", "fixed", host=self.fake)
                second = self.another().start()
                self.assert_yielded(second, first)
                second.ask("mode", "classic")
                self.assertEqual(self.fake.settings(), FIXED, "it takes nothing over")
                (first if is_first_gone_first else second).stop()
                if is_first_gone_first:
                    self.assertEqual(self.fake.settings(), self.FOUND)
                    second.ask("mode", "fixed")
                    self.assertEqual(second.ask("status")["actuator"], "ready")
                self.assertEqual(self.fake.settings(), FIXED)
                first.stop()
                second.stop()
                self.assertEqual(self.fake.settings(), self.FOUND)

    def test_one_that_is_off_or_observes_is_in_nobodys_way(self):
        for mode in "off", "observe":
            with self.subTest(mode):
                first = self.started("--mode", "fixed", host=self.fake)
                first.ask("mode", mode)
                second = self.another("--mode", "fixed").start()
                self.assertEqual(self.fake.settings(), FIXED)
                self.assertEqual(second.ask("status")["actuator"], "ready")
                first.stop()
                second.stop()
                self.assertEqual(self.fake.settings(), self.FOUND)

    def test_what_a_dead_one_has_left_is_not_put_back_under_one_that_lives(self):
        dead = self.another().start()
        dead.ask("kick")
        dead.kill()
        first = self.started("--mode", "fixed", host=self.fake)
        self.assert_done(dead.run("--restore"), 1, "another virtksmd (pid %d)" % first.process.pid)
        self.assertEqual(self.fake.settings(), FIXED)
        self.assertEqual(first.ask("status")["actuator"], "ready")
        first.stop()
        self.assert_done(dead.run("--restore"), 0, "KSM is as it was found")
        self.assertEqual(self.fake.settings(), self.FOUND)


if __name__ == "__main__":
    main()
