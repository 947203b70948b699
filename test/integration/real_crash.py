#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""real_crash.py - SIGKILL at random moments of a busy run: KSM is put back every time

Half of the kills are followed by virtksmd --restore, half by the next start of the daemon and a
clean end.
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from seed import seed  # noqa: E402
from vktest import RealTestCase, ksm, main  # noqa: E402

KILLS = 50
SEED = seed()


class Crash(RealTestCase):

    def churn(self, daemon, stop):
        """What a busy host does to the agent: starts, kicks, changes of mode."""
        modes = ("auto", "classic", "fixed", "observe", "off")
        turn = 0
        while not stop.is_set():
            daemon.client("mode", modes[turn % len(modes)])
            daemon.client("kick")
            turn += 1

    def test_fifty_kills_leave_ksm_as_it_was_found(self):
        dice = random.Random(SEED)
        self.domain("crash1", content={"common": 16}).start()
        self.domain("crash2", content={"common": 16}).start()
        ksm.write("pages_to_scan", 123)
        ksm.write("sleep_millisecs", 45)
        found = ksm.knobs()
        daemon = self.daemon(config="[ksm]\nsettle_ms = 100\n")
        moved = 0
        for turn in range(KILLS):
            daemon.start(wait=False)
            stop = threading.Event()
            thread = threading.Thread(target=self.churn, args=(daemon, stop))
            thread.start()
            time.sleep(dice.uniform(0.02, 1.2))
            daemon.kill()
            stop.set()
            thread.join()
            moved += ksm.knobs() != found
            if turn % 2 == 0:
                daemon.restore()
            else:
                daemon.start()
                self.assertEqual(daemon.stop(), 0)
            self.assertEqual(ksm.knobs(), found, "kill %d of seed %d" % (turn, SEED))
            self.assertNotIn("originals", os.listdir(daemon.state_dir))
        # Otherwise the kills proved nothing.
        self.assertGreater(moved, KILLS // 4)
        print("%d kills, %d of them with KSM moved, restored each time" % (KILLS, moved))


if __name__ == "__main__":
    main()
