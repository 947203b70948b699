#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""fake_doctor.py - what is wrong with a host and its domains is found, with the file that shows it

Domains are told by the hook, as that can tell any definition.
"""
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from fakecase import HOOK, FakeTestCase, main, run_program, wait_until  # noqa: E402
from fakehost import KSM, stat_line  # noqa: E402

NOBODY = 65534
HOOK_PATH = "etc/libvirt/hooks/qemu.d/50-virtksm"
UUID = "97cd1ea4-e674-4dc9-9f7f-7b618b2fc9e7"
BALLOON = "<devices><memballoon model='virtio'><stats period='10'/></memballoon></devices>"

XML = """<domain type='kvm' id='5'>
  <name>%s</name>
  <uuid>%s</uuid>
  <memory unit='KiB'>1048576</memory>
  %s
</domain>
"""

# Processes are fabricated without what working sets are measured by, which is a finding.
UNMEASURED = "[working_set]\nenable = false\n"

FINE, FOUND, NOT_ASKED, NO_DOMAIN = 0, 1, 2, 3


class DoctorTestCase(FakeTestCase):

    def healthy(self, kernel="6.1", **options):
        """A host of which there is nothing to tell: it has KSM, swap, cgroup v2 and our hook."""
        host = self.host(kernel, run=1, **options)
        host.write("proc/meminfo", host.read("proc/meminfo") + "SwapTotal: 4 kB\n")
        host.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
        host.write("sys/devices/system/node/online", "0-1\n")
        host.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        self.install_hook(host)
        return host

    @staticmethod
    def install_hook(host):
        os.makedirs(os.path.dirname(host.path(HOOK_PATH)), exist_ok=True)
        shutil.copy(HOOK, host.path(HOOK_PATH))
        os.chmod(host.path(HOOK_PATH), 0o755)

    def doctor(self, daemon, *words, code):
        done = daemon.client("--format", "json", "doctor", *words)
        self.assertEqual(done.code, code, str(done))
        return json.loads(done.out)

    def found(self, daemon, *words, code, subject=None):
        """Id, severity, source and value of each finding."""
        return [(f["id"], f["severity"], f["source"], f["value"])
                for f in self.doctor(daemon, *words, code=code)["findings"]
                if subject in (None, f["subject"])]

    def tell(self, daemon, name, extra, uuid=UUID):
        for operation in "prepare", "started":
            self.hook(daemon.hook_socket, name, operation, "begin", "-",
                      data=(XML % (name, uuid, extra)).encode())
        wait_until(lambda: name in daemon.names(), "the domain")


class Host(DoctorTestCase):

    def test_a_healthy_host_has_no_finding(self):
        daemon = self.started("--mode", "observe", host=self.healthy())
        answer = self.doctor(daemon, code=FINE)
        self.assertEqual(answer["findings"], [])
        self.assertEqual((answer["errors"], answer["warnings"], answer["infos"]), (0, 0, 0))
        self.assertGreater(answer["checks"], 20)

    def test_what_is_wrong_is_found_with_its_file(self):
        def nodes(host):
            host.write(KSM + "merge_across_nodes", "0\n")

        def no_psi(host):
            host.remove("proc/pressure/memory")

        def rival(host):
            host.add_process("ksmtuned", pid=812)

        def late_hook(host):
            host.write("proc/stat", "cpu  1 0 2 9 5 0 1 0 0 0\nbtime 1000\n")
            host.write("proc/77/stat", stat_line(77, "virtqemud", 1))

        for change, finding in (
                (nodes, ("numa-apart", "warning", "/" + KSM + "merge_across_nodes", "0")),
                (no_psi, ("pressure-unknown", "warning", "/proc/pressure/memory", None)),
                (rival, ("rival-service", "warning", "/proc/812/comm", "ksmtuned")),
                (lambda h: h.write(HOOK_PATH, "#!/bin/sh\n"),
                 ("hook-stale", "warning", "/" + HOOK_PATH,
                  "not executable, so libvirt passes it over")),
                (lambda h: h.remove(HOOK_PATH),
                 ("hook-missing", "warning", "/" + HOOK_PATH, None)),
                (lambda h: h.write(KSM + "run", "2\n"),
                 ("ksm-unmerging", "error", "/" + KSM + "run", "2")),
                (lambda h: h.write(KSM + "run", "0\n"),
                 ("ksm-stopped", "warning", "/" + KSM + "run", "0"))):
            with self.subTest(finding=finding[0]):
                host = self.healthy()
                change(host)
                daemon = self.started("--mode", "observe", host=host)
                self.assertEqual(self.found(daemon, code=FOUND), [finding])
                daemon.stop()
        host = self.healthy()
        late_hook(host)
        daemon = self.started("--mode", "observe", host=host)
        (name, severity, _, value), = self.found(daemon, code=FOUND)
        self.assertEqual((name, severity), ("hook-unseen", "warning"))
        self.assertRegex(value, "^put there [0-9]+ s after virtqemud started$")

    def test_what_is_good_to_know_is_nothing_wrong(self):
        host = self.healthy("6.18", advisor="scan-time")
        host.write("proc/meminfo", re.sub("SwapTotal: .*", "SwapTotal: 0 kB",
                                          host.read("proc/meminfo")))
        host.write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n")
        host.write("proc/cpuinfo", "processor: 0\nflags: fpu hypervisor\n")
        host.remove("sys/fs/cgroup/cgroup.controllers")
        daemon = self.started("--mode", "observe", host=host)
        findings = self.found(daemon, code=FINE)
        self.assertEqual([f[0] for f in findings],
                         ["ksm-advisor", "smart-scan", "thp-always", "no-swap", "no-cgroup-v2",
                          "nested-host"])
        self.assertEqual({f[1] for f in findings}, {"info"})

    def test_a_host_without_ksm(self):
        host = self.healthy()
        shutil.rmtree(host.path(KSM))
        daemon = self.started(host=host)
        self.assertEqual(self.found(daemon, code=FOUND),
                         [("ksm-absent", "error", "/" + KSM + "run", None)])

    def test_what_is_mended_is_not_found_any_more(self):
        host = self.healthy()
        rival = host.add_process("ksmtuned")
        daemon = self.started("--mode", "observe", host=host)
        self.assertEqual([f[0] for f in self.found(daemon, code=FOUND)], ["rival-service"])
        rival.exit()
        self.assertEqual(self.found(daemon, code=FINE), [])

    def test_another_writer_is_named(self):
        host = self.healthy()
        daemon = self.started(host=host)
        daemon.ask("kick")
        host.add_process("ksmtuned")
        host.echo("pages_to_scan", 4321)
        daemon.ask("kick")
        wait_until(lambda: daemon.ask("status")["actuator"] == "yielded", "it yields")
        findings = {f[0]: f for f in self.found(daemon, code=FOUND)}
        self.assertEqual(findings["ksm-yielded"][1], "error")
        self.assertIn("4321", findings["ksm-yielded"][3])
        self.assertIn("rival-service", findings)


class Domains(DoctorTestCase):

    def test_reasons_in_the_definition(self):
        host = self.healthy()
        daemon = self.started("--mode", "observe", host=host, config=UNMEASURED)
        backing = "<memoryBacking>%s</memoryBacking>" + BALLOON
        for number, (extra, finding) in enumerate((
                (BALLOON, None),
                (backing % "<nosharepages/>",
                 ("nosharepages", "warning", "<memoryBacking>", "<nosharepages/>")),
                (backing % "<hugepages/>",
                 ("huge-pages", "warning", "<memoryBacking><hugepages>", "1024 of 1024 MiB")),
                (backing % "<source type='memfd'/>",
                 ("shared-memory", "warning", "<memoryBacking><source type='memfd'/>",
                  "1024 of 1024 MiB")),
                (backing % "<locked/>",
                 ("locked-memory", "info", "<memoryBacking>", "<locked/>")),
                (BALLOON + "<launchSecurity type='sev'/>",
                 ("confidential-guest", "warning", "<launchSecurity>", "sev")),
                ("<devices><memballoon model='none'/></devices>",
                 ("no-balloon", "info", "<devices><memballoon>", "model='none'")),
                ("<devices><memballoon model='virtio'/></devices>",
                 ("no-balloon-statistics", "info", "<memballoon><stats period=>", None)))):
            name, uuid = "d%d" % number, "%08d-1111-4111-8111-111111111111" % number
            host.add_qemu(name, uuid)
            self.tell(daemon, name, extra, uuid)
            with self.subTest(extra=extra):
                wait_until(lambda: {d["name"]: d["pid"] for d in daemon.ask("list")["domains"]}
                           [name], "its process")  # pylint: disable=cell-var-from-loop
                code = FOUND if finding and finding[1] == "warning" else FINE
                findings = self.found(daemon, name, code=code, subject="domain")
                self.assertEqual([f for f in findings if f[0] != "not-scanned-yet"],
                                 [finding] if finding else [])

    def test_a_kernel_that_does_not_count_what_a_process_has(self):
        host = self.healthy("5.10")
        host.add_qemu("web", UUID)
        daemon = self.started("--mode", "observe", host=host, config=UNMEASURED)
        self.tell(daemon, "web", BALLOON)
        wait_until(lambda: daemon.ask("list")["domains"][0]["pid"], "its process")
        findings = [f for f in self.found(daemon, "web", code=FINE, subject="domain")
                    if f[0] != "not-scanned-yet"]
        self.assertEqual(findings, [("process-uncounted", "info",
                                     "/proc/PID/ksm_merging_pages, /proc/PID/ksm_stat", None)])
        self.assertIsNone(daemon.ask("report")["domains"][0]["merging_pages"])

    def test_a_domain_whose_working_set_nothing_can_tell(self):
        host = self.healthy()
        host.write("sys/kernel/mm/lru_gen/enabled", "0x0007\n")
        host.write("sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "1\n")
        host.add_qemu("web", UUID)
        daemon = self.started("--mode", "observe", host=host)
        self.tell(daemon, "web", BALLOON)
        wait_until(lambda: "damon" in (daemon.ask("working-set")["domains"][0]["reason"] or ""),
                   "a look at it")
        measured = daemon.ask("working-set", "web")["domains"][0]
        self.assertEqual((measured["state"], measured["backend"], measured["working_set_bytes"]),
                         ("none", None, None))
        findings = {f[0]: f for f in self.found(daemon, code=FINE)}
        self.assertIn("debugfs-absent", findings)
        self.assertEqual(findings["damon-busy"][3], "another program")
        self.assertIn("damon: another program uses DAMON", findings["working-set-unknown"][3])
        self.assertIn("referenced: its maps cannot be read", findings["working-set-unknown"][3])

    def test_one_domain_or_all_or_none(self):
        daemon = self.started("--mode", "observe", host=self.healthy())
        self.tell(daemon, "one", BALLOON, UUID)
        self.tell(daemon, "two \"b\",\nx", BALLOON, UUID.replace("9", "8"))
        for words, names in ((["one"], {"one"}), ([UUID], {"one"}),
                             ([], {"one", "two \"b\",\nx"})):
            answer = self.doctor(daemon, *words, code=FOUND)
            self.assertEqual({f["name"] for f in answer["findings"]}, names)
            self.assertEqual({f["id"] for f in answer["findings"]}, {"process-unknown"})
        self.assert_done(daemon.client("doctor", "three"), NO_DOMAIN, '"three"')
        table = daemon.client("doctor").out
        self.assertIn('two "b",\\nx: Its QEMU process', table)
        rows = list(csv.DictReader(io.StringIO(daemon.client("--format", "csv", "doctor").out)))
        self.assertEqual([row["name"] for row in rows], ["one", "two \"b\",\nx"])


class NotAsked(DoctorTestCase):
    """What can be seen of a daemon without it."""

    def assert_local(self, daemon, name, text):
        answer = self.doctor(daemon, code=NOT_ASKED)
        finding, = answer["findings"]
        self.assertEqual((finding["id"], finding["severity"], finding["source"]),
                         (name, "error", daemon.socket))
        self.assertIn(text, finding["value"])
        self.assertIsNone(answer["checks"])

    def test_a_daemon_that_is_not_there(self):
        daemon = self.daemon(self.host())
        self.assert_local(daemon, "agent-absent", "No such file")

    def test_a_daemon_that_was_killed(self):
        daemon = self.started()
        daemon.kill()
        self.assert_local(daemon, "agent-not-listening", "refused")

    def test_a_daemon_that_hangs(self):
        daemon = self.started()
        daemon.send(signal.SIGSTOP)
        try:
            self.assert_local(daemon, "agent-not-answering", "did not answer within")
        finally:
            daemon.send(signal.SIGCONT)

    @staticmethod
    def doctor_as_nobody(daemon, *words, group=NOBODY):
        os.chmod(daemon.host.base, 0o755)
        return subprocess.run(daemon.client_command(*words, "doctor"),
                              user=NOBODY, group=group, extra_groups=[], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @unittest.skipUnless(os.geteuid() == 0, "only root can call as somebody else")
    def test_somebody_who_may_not_ask(self):
        done = self.doctor_as_nobody(self.started())
        self.assertEqual(done.returncode, NOT_ASKED, done)
        self.assertIn("agent-not-permitted", done.stdout)
        self.assertIn("mode 0660, user 0", done.stdout)

    @unittest.skipUnless(os.geteuid() == 0, "only root can call as somebody else")
    def test_somebody_whom_the_daemon_does_not_tell(self):
        daemon = self.started(config="[access]\nread_only_for_all = true\ndomain_figures = root\n")
        why = "figures of single domains are not for you, see [access] domain_figures"
        for group, name in ((os.getegid(), "virtksmd.sock"), (NOBODY, "virtksmd-ro.sock")):
            with self.subTest(name):
                path = "%s/%s" % (daemon.runtime_dir, name)
                done = self.doctor_as_nobody(daemon, "--format", "json", group=group)
                self.assertEqual(done.returncode, NOT_ASKED, done)
                finding, = json.loads(done.stdout)["findings"]
                self.assertEqual((finding["id"], finding["source"], finding["value"]),
                                 ("agent-refused", path, why))
                # Nobody may write the file in which is counted what is run of the code.
                self.assertEqual([line for line in done.stderr.splitlines()
                                  if not line.startswith("LLVM Profile Error: ")],
                                 ["virtksm: not permitted by virtksmd at %s: %s" % (path, why)])

    def test_help_tells_the_exit_codes(self):
        done = run_program([os.environ["VIRTKSM"], "doctor", "--help"])
        self.assert_done(done, 0, "  1  there are warnings or errors", "  2  the daemon could not")


if __name__ == "__main__":
    main()
