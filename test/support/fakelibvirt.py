# SPDX-License-Identifier: LGPL-2.1-or-later
"""fakelibvirt.py - a libvirtd of a test's own, that knows nothing but libvirt's test driver

The domains of test:///default live in the memory of a process. Through a libvirtd that process is
another one: the daemon under test and virsh see the same domains, and libvirtd can be killed and
stopped. LIBVIRT_DRIVER_DIR keeps it from loading any other driver, so it has nothing to do with
the host's libvirtd, QEMU and state.

The driver forgets its domains with its last connection; hold() keeps one open.
"""
import os
import shutil
import signal
import socket
import subprocess

from fakecase import WAIT_SECONDS, wait_until

# What test:///default comes with.
TEST_NAME = "test"
TEST_UUID = "6695eb01-f6a4-8304-79aa-97f2502e193f"

# Each of many commands, on a machine that is busy with other tests.
COMMAND_SECONDS = 0.1

TEST_NAMESPACE = "http://libvirt.org/schemas/domain/test/1.0"

CONFIG = """listen_tls = 0
unix_sock_dir = "%s"
unix_sock_rw_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "3:stderr"
"""


def domain_xml(name, uuid=None, memory_kib=65536, extra=""):
    identity = "<uuid>%s</uuid>" % uuid if uuid else ""
    return "<domain type='test'><name>%s</name>%s<memory unit='KiB'>%d</memory>%s" \
           "<os><type>hvm</type></os></domain>\n" % (name, identity, memory_kib, extra)


def uuid_of(number):
    """Of one of many domains."""
    return "%08d-1111-4111-8111-111111111111" % number


def write_host(path, domains, extras=None):
    """A file for test://PATH: a host with these (name, uuid, is running).

    extras has more of the definition for some names.
    """
    with open(path, "w", encoding="utf-8") as file:
        file.write("<node>\n")
        for name, uuid, runs in domains:
            extra = (extras or {}).get(name, "")
            if not runs:
                extra += "<t:runstate xmlns:t='%s'>5</t:runstate>" % TEST_NAMESPACE
            file.write(domain_xml(name, uuid, extra=extra))
        file.write("</node>\n")
    return "test://" + path


def write_running(base, names, extras=None):
    """The same in the folder base: these domains run, and have uuid_of() of their numbers."""
    return write_host(base + "/node.xml",
                      [(name, uuid_of(number), True) for number, name in enumerate(names)], extras)


class FakeLibvirtd:
    """Not running yet; its socket is in the folder base."""

    def __init__(self, base):
        self.base = base
        self.socket = base + "/libvirt/libvirt-sock"
        self.uri = "test+unix:///default?socket=" + self.socket
        self.process = None
        self.holder = None
        self.log_path = base + "/libvirtd.log"
        os.makedirs(base + "/libvirt/no-drivers")
        with open(base + "/libvirtd.conf", "w", encoding="utf-8") as file:
            file.write(CONFIG % os.path.dirname(self.socket))

    @classmethod
    def for_test(cls, test, base):
        """One that runs, with a connection held, and ends with the test."""
        libvirtd = cls(base)
        test.addCleanup(libvirtd.close)
        return libvirtd.start().hold()

    def start(self):
        libvirtd = shutil.which("libvirtd") or "/usr/sbin/libvirtd"
        if not os.access(libvirtd, os.X_OK) or not shutil.which("virsh"):
            raise AssertionError("needs libvirtd and virsh (libvirt-daemon, libvirt-clients)")
        environment = dict(os.environ, LIBVIRT_DRIVER_DIR=self.base + "/libvirt/no-drivers")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [libvirtd, "-f", self.base + "/libvirtd.conf", "-p", self.base + "/libvirtd.pid"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        wait_until(self._answers, "libvirtd listens")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            with open(self.log_path, encoding="utf-8") as log:
                raise AssertionError("libvirtd has ended: " + log.read())
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.socket) == 0

    def hold(self):
        """Keeps a connection open until close(), so that the domains outlive all others."""
        # It never gives up, however long libvirtd stands still.
        self.holder = subprocess.Popen(["virsh", "-q", "-k", "0", "-c", self.uri],
                                       stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.holder.stdin.write("list --all --name\n")
        self.holder.stdin.flush()
        # An answer to anybody else would not say that this one is connected.
        if TEST_NAME not in (line.strip() for line in self.holder.stdout):
            raise AssertionError("no connection is held")
        return self

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(WAIT_SECONDS)

    def close(self):
        if self.holder:
            self.holder.stdin.close()
        if self.process and self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.kill()
        if self.holder:
            self.holder.wait(WAIT_SECONDS)
            self.holder.stdout.close()

    def virsh(self, *commands):
        """Runs commands, texts as virsh reads them, on one connection; all may take their time."""
        done = subprocess.run(["virsh", "-q", "-c", self.uri], input="\n".join(commands) + "\n",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=WAIT_SECONDS + len(commands) * COMMAND_SECONDS, check=False)
        if done.returncode != 0 or done.stderr:
            raise AssertionError("virsh %s: %s" % (commands[:3], done.stderr))
        return done.stdout

    def balloon_mib(self, name):
        for line in self.virsh("dominfo " + name).splitlines():
            if line.startswith("Used memory:"):
                return int(line.split()[2]) // 1024
        raise AssertionError("virsh dominfo has no used memory")

    def limit_mib(self, name):
        """The soft limit; None: there is none."""
        for line in self.virsh("memtune " + name).splitlines():
            words = line.split()
            if words and words[0] == "soft_limit":
                return int(words[2]) // 1024 if words[2].isdigit() and int(words[2]) else None
        raise AssertionError("virsh memtune has no soft limit")

    def period_s(self, name):
        """How often the guest is asked for figures; 0: never."""
        xml = self.virsh("dumpxml " + name)
        return int(xml.split("<stats period='", 1)[1].split("'")[0]) if "<stats" in xml else 0

    def define(self, *names):
        """Definitions of domains that virsh can start."""
        self.virsh(*["define " + self.file(name) for name in names])

    def file(self, name):
        path = "%s/libvirt/%s.xml" % (self.base, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(domain_xml(name))
        return path

    def wait_known(self, daemon):
        """Waits until the daemon knows the domains that run, each once, by number and name."""
        def known():
            return sorted((d["name"], d["id"]) for d in daemon.ask("list")["domains"])

        wanted = sorted(self.domains().items())
        wait_until(lambda: known() == wanted, lambda: "knows %s, want %s" % (known(), wanted))

    def rows(self):
        """The running domains: (name, number of the start, state), by name."""
        done = subprocess.run(["virsh", "-q", "-c", self.uri, "list"], stdout=subprocess.PIPE,
                              text=True, timeout=WAIT_SECONDS, check=True)
        fields = [line.split(maxsplit=2) for line in done.stdout.splitlines() if line]
        return sorted((name, int(number), state.strip()) for number, name, state in fields)

    def domains(self):
        """The running domains: name -> number of the start."""
        return {name: number for name, number, _ in self.rows()}
