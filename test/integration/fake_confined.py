#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_confined.py - a daemon that runs has only the rights that it needs, in all of its threads"""
import json
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import FakeTestCase, main, wait_until  # noqa: E402
from fakelibvirt import TEST_NAME, TEST_UUID  # noqa: E402

# Numbers of linux/capability.h.
DAC_OVERRIDE, DAC_READ_SEARCH, NET_BIND_SERVICE, SYS_PTRACE, SYS_ADMIN, SYS_RESOURCE = \
    1, 2, 10, 19, 21, 24
ALWAYS = {DAC_READ_SEARCH, NET_BIND_SERVICE, SYS_PTRACE, SYS_RESOURCE}
MEASURING = ALWAYS | {DAC_OVERRIDE, SYS_ADMIN}
# What doctor says where the generations of the kernel cannot be seen.
HIDDEN = "debugfs-absent"
OPEN, FILTERED = "0", "2"
# As virtksmd.service has it, but for sys_resource: containers have not got it, nor is it missed here.
NOBODY = 65534
AS_ANOTHER = {"user": NOBODY, "rights": "+dac_override,+dac_read_search,+sys_ptrace"}
# Of sysexits.h: systemd does not start it again.
EX_CONFIG = 78
SANITIZED = bool(os.environ.get("VIRTKSM_SANITIZE"))


def threads(pid):
    """The status of each thread, as name -> text."""
    found = []
    for thread in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, thread), encoding="utf-8") as file:
            found.append(dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line))
    return found


def findings(daemon):
    """Ids of what doctor says."""
    told = json.loads(daemon.client("--format", "json", "doctor").out)["findings"]
    return {finding["id"] for finding in told}


def capabilities(text):
    number = int(text, 16)
    return {bit for bit in range(64) if number >> bit & 1}


@unittest.skipUnless(os.geteuid() == 0, "only root has anything to give up")
class Confined(FakeTestCase):

    def check(self, daemon, most, filtered):
        wait_until(lambda: daemon.names() == [TEST_NAME], "libvirt's thread is there")
        daemon.ask("history")
        found = threads(daemon.process.pid)
        self.assertGreater(len(found), 1)
        for thread in found:
            for name in "CapPrm", "CapEff":
                more = capabilities(thread[name]) - most
                self.assertEqual(more, set(), "%s of %s" % (name, thread["Name"]))
            self.assertEqual(thread["NoNewPrivs"], "1" if filtered else "0", thread["Name"])
            self.assertEqual(thread["Seccomp"], FILTERED if filtered and not SANITIZED else OPEN,
                             thread["Name"])
        daemon.stop()
        self.assertNotIn("more rights than needed", daemon.log())

    def test_what_it_does_not_need_is_gone(self):
        daemon = self.started(connect="test:///default", config="[working_set]\nenable = false\n")
        self.check(daemon, ALWAYS, True)

    def test_measuring_working_sets_needs_more(self):
        self.check(self.started(connect="test:///default"), MEASURING, True)

    def test_another_user_with_the_rights_of_the_unit_drives_ksm_and_puts_it_back(self):
        host = self.host()
        found = host.settings()
        daemon = self.started(host=host, connect="test:///default", **AS_ANOTHER,
                              config="[working_set]\nenable = false\n[ksm]\nmode = fixed\n"
                                     "fixed_pages = 777\nfixed_sleep_ms = 33\n")
        self.assertEqual({thread["Uid"].split()[1] for thread in threads(daemon.process.pid)},
                         {str(NOBODY)})
        self.assert_settings(host, (1, 777, 33), "as configured")
        self.check(daemon, {DAC_OVERRIDE, DAC_READ_SEARCH, SYS_PTRACE}, True)
        self.assertEqual(host.settings(), found)

    def test_another_user_sees_what_is_in_a_folder_of_root(self):
        host = self.host()
        host.write("sys/kernel/mm/lru_gen/enabled", "0x0007\n")
        host.write("sys/kernel/debug/lru_gen", "")
        os.chmod(host.path("sys/kernel/debug"), 0o700)
        daemon = self.started(host=host, connect="test:///default", **AS_ANOTHER)
        self.assertNotIn(HIDDEN, findings(daemon))
        os.rename(host.path("sys/kernel/debug"), host.path("sys/kernel/elsewhere"))
        wait_until(lambda: HIDDEN in findings(daemon), "it can be told from one that is not there")

    def test_another_user_may_use_what_is_for_root_alone(self):
        host = self.host()
        process = host.add_qemu(TEST_NAME, TEST_UUID)
        host.write("proc/%d/maps" % process.pid,
                   "7f0000000000-7f0040000000 rw-p 00000000 00:00 0\n")
        host.write("sys/fs/cgroup/cgroup.controllers", "memory\n")
        host.write("sys/fs/cgroup/machine/qemu-1-test.libvirt-qemu/memory.current", "0\n")
        host.write("proc/%d/cgroup" % process.pid, "0::/machine/qemu-1-test.libvirt-qemu/emulator\n")
        host.write("sys/kernel/mm/lru_gen/enabled", "0x0007\n")
        host.write("sys/kernel/debug/lru_gen", "")
        os.chmod(host.path("sys/kernel/debug/lru_gen"), 0o600)
        os.chmod(host.path("sys/kernel/debug"), 0o700)
        daemon = self.started(host=host, connect="test:///default", **AS_ANOTHER)

        def told():
            return [d["reason"] for d in daemon.ask("working-set")["domains"]
                    if "lru_gen: " in (d["reason"] or "")]
        # It was opened, and has nothing about the domain.
        self.assertIn("lru_gen: its memory cgroup is not in",
                      wait_until(told, "it was tried")[0])

    def test_another_user_is_told_what_another_group_takes(self):
        daemon = self.daemon(self.host(), **AS_ANOTHER, config="[rpc]\ngroup = root\n")
        done = daemon.run()
        self.assertEqual(done.code, EX_CONFIG, done)
        self.assertIn("cannot set the group of %s: " % daemon.socket, done.err)
        self.assertIn("Group=root", done.err)

    def test_it_can_be_switched_off_at_the_start_alone(self):
        daemon = self.started(connect="test:///default", config="[agent]\nconfine = false\n")
        daemon.write_config("[agent]\nconfine = true\n")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "read again" in daemon.log(), "the settings are read")
        self.assertIn("[agent] confine has changed", daemon.log())
        self.check(daemon, set(range(64)), False)


if __name__ == "__main__":
    main()
