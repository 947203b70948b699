#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_life.py - whatever becomes of domains, in any order, the daemon knows what libvirt knows

A walk by dice through all that can be done to a domain. libvirt is the model: after each step the
daemon has the same domains, each once, with the same number of the start, name and state. On the
way news is late (the daemon stands still), told again and told ahead (by the hook, as libvirtd
calls it), and lost (libvirtd is killed, and all domains with it).

What single events do is in fake_events.py; the table without libvirt is in unit/domain_life.
"""
import os
import random
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import TEST_NAME, TEST_UUID, FakeLibvirtd, domain_xml  # noqa: E402
from seed import seed  # noqa: E402

HOOK = os.path.join(os.environ.get("VIRTKSM_BUILD_DIR", ""), "hooks/virtksm-hook")
SEED = seed()
STEPS = 45
DEEDS = 6  # at most, in a step
UUIDS = {TEST_NAME: TEST_UUID}
UUIDS.update({name: "%08d-1111-4111-8111-111111111111" % n for n, name in enumerate("abc")})
HOOK_XML = "<domain type='kvm'%s><name>%s</name><uuid>%s</uuid></domain>"

# What can be done to a domain in a state, and the state after it; None: it does not run.
DEEDS_OF = {
    None: (("start %s", "running"),),
    "running": (("suspend %s", "paused"), ("suspend %s", "paused"), ("reboot %s", "running"),
                ("setmem %s 32M --live", "running"), ("undefine %s", "running"),
                ("desc %s --live --new-desc something", "running"), ("destroy %s", None),
                ("destroy %s", None), ("shutdown %s", None)),
    "paused": (("resume %s", "running"), ("resume %s", "running"), ("undefine %s", "paused"),
               ("destroy %s", None)),
}


class Life(FakeTestCase):

    def setUp(self):
        super().setUp()
        self.fake = self.host()
        self.libvirtd = FakeLibvirtd(self.fake.base)
        self.addCleanup(self.libvirtd.close)
        self.libvirtd.start().hold()
        self.agent = self.started(host=self.fake, connect=self.libvirtd.uri)
        self.begin()

    def begin(self):
        """As libvirtd is when it has started: all are defined, and one runs."""
        self.states = dict.fromkeys(UUIDS)
        self.states[TEST_NAME] = "running"
        self.defined = {TEST_NAME}
        self.libvirtd.virsh(*[self.define(name) for name in UUIDS if name != TEST_NAME])

    def define(self, name):
        """For virsh."""
        path = self.libvirtd.file(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(domain_xml(name, UUIDS[name]))
        self.defined.add(name)
        return "define " + path

    # --- what is ---

    def known(self):
        return sorted((d["name"], d["id"], d["state"])
                      for d in self.agent.ask("list")["domains"])

    def assert_truth(self, what):
        wanted = self.libvirtd.rows()
        self.assertEqual({name: state for name, _, state in wanted},
                         {name: state for name, state in self.states.items() if state},
                         "libvirt is not what the walk takes it for")
        wait_until(lambda: self.known() == wanted,
                   lambda: "%s: knows %s, want %s" % (what, self.known(), wanted))
        uuids = {d["name"]: d["uuid"] for d in self.agent.ask("list")["domains"]}
        self.assertEqual(uuids, {name: UUIDS[name] for name in uuids}, what)
        self.assertEqual(len(self.agent.ask("report")["domains"]), len(wanted), what)

    # --- what is done ---

    def tell(self, operation, name, number=None):
        """As libvirtd calls the hook: it does not give the number with the end."""
        end = "end" if number is None else "begin"
        identity = "" if number is None else " id='%d'" % number
        subprocess.run([HOOK, name, operation, end, "-"], text=True, check=True,
                       input=HOOK_XML % (identity, name, UUIDS[name]),
                       env={"VIRTKSM_HOOK_SOCKET": self.agent.runtime_dir + "/hook.sock"})

    def deed(self, dice):
        """One thing, done to one domain, as lines for virsh."""
        name = dice.choice(sorted(UUIDS))
        is_defined = name in self.defined
        lines = [] if is_defined or self.states[name] else [self.define(name)]
        words, after = dice.choice([row for row in DEEDS_OF[self.states[name]]
                                    if is_defined or "undefine" not in row[0]])
        if "undefine" in words:
            self.defined.discard(name)
        self.states[name] = after
        return lines + [words % name]

    def act(self, dice):
        self.libvirtd.virsh(*[line for _ in range(dice.randint(1, DEEDS))
                              for line in self.deed(dice)])

    def act_while_it_stands_still(self, dice):
        self.agent.send(signal.SIGSTOP)
        self.act(dice)
        self.agent.send(signal.SIGCONT)

    def act_and_tell_again(self, dice):
        """The hook is late, and has told some of it only."""
        self.act(dice)
        for name, number, _ in self.libvirtd.rows():
            for operation in dice.sample(("prepare", "start", "started"), 2):
                self.tell(operation, name, number)
        for name in sorted(UUIDS):
            if not self.states[name] and dice.random() < 0.5:
                self.tell("stopped", name)
                self.tell("release", name)

    def end_after_the_hook_has_told(self, dice):
        running = self.libvirtd.rows()
        if running:
            name, number, _ = dice.choice(running)
            self.tell("started", name, number)
            self.tell("stopped", name)
            self.tell("release", name)
            self.libvirtd.virsh("destroy " + name)
            self.states[name] = None

    def lose_libvirtd(self, _):
        """All domains end untold. Numbers begin anew, as QEMU's would not: they are made to go on."""
        highest = max((number for _, number, _ in self.libvirtd.rows()), default=0)
        self.libvirtd.kill()
        self.libvirtd.start().hold()
        self.libvirtd.virsh(*["destroy " + TEST_NAME, "start " + TEST_NAME] * highest)
        self.begin()

    def test_after_any_walk_it_knows_what_libvirt_knows(self):
        dice = random.Random(SEED)
        ways = [self.act] * 4 + [self.act_while_it_stands_still] * 3 + \
            [self.act_and_tell_again] * 4 + [self.end_after_the_hook_has_told] * 2
        for step in range(STEPS):
            way = self.lose_libvirtd if step % 15 == 14 else dice.choice(ways)
            way(dice)
            self.assert_truth("step %d of seed %d, %s" % (step, SEED, way.__name__))
        self.agent.stop()
        self.assertEqual(self.fake.settings(), (0, 100, 20))


if __name__ == "__main__":
    main()
