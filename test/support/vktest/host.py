# SPDX-License-Identifier: LGPL-2.1-or-later
"""host.py - the one holder of the host: lock, libvirtd, leftovers, paths

KSM is one for the whole host, so tests that use it cannot run side by side. A lock file makes a
second test program wait for the first.
"""
import fcntl
import os
import shutil
import subprocess

from . import ksm
from .hook import Hook
from .wait import PATIENCE

URI = "qemu:///system"
PREFIX = "vktest-"
SOURCE_DIR = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))

# Fixed, so that a run can clean up after one that was killed. QEMU's user must get at it.
RUN_DIR = "/run/vktest"


def build_path(*parts):
    """A file of the build, which ctest names in VIRTKSM_BUILD_DIR."""
    return os.path.join(os.environ.get("VIRTKSM_BUILD_DIR", SOURCE_DIR + "/build"), *parts)


def _virsh_process(*args, uri=URI):
    return subprocess.Popen(["virsh", "-q", "-c", uri] + list(args), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def virsh(*args, check=True, seconds=60, uri=URI):
    """Runs virsh and returns what it printed. With check=False, None after a failure."""
    process = _virsh_process(*args, uri=uri)
    try:
        output, errors = process.communicate(timeout=seconds * PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    if process.returncode == 0:
        return output
    if check:
        raise AssertionError("virsh %s: %s" % (" ".join(args), errors.strip()))
    return None


def program_of(pid):
    """Name of the program that a process runs; None for kernel threads and zombies."""
    try:
        return os.path.basename(os.readlink("/proc/%s/exe" % pid)).replace(" (deleted)", "")
    except OSError:
        return None


def has_root_of_its_own(pid):
    """Whether a virtksmd looks at a fabricated host: it is in nobody's way."""
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as file:
            return b"--root" in file.read().split(b"\0")
    except OSError:
        return True


def is_of_another_host(pid):
    """Whether a libvirtd is in a container, or knows nothing of this host: see fakelibvirt.py."""
    try:
        with open("/proc/%s/environ" % pid, "rb") as file:
            words = file.read().split(b"\0")
        return (not os.path.samefile("/proc/%s/ns/pid" % pid, "/proc/self/ns/pid") or
                any(word.startswith(b"LIBVIRT_DRIVER_DIR=") for word in words))
    except OSError:
        return True


def domain_names(running_only=False):
    """Names of the host's domains, those of others too."""
    which = ["list", "--name"] if running_only else ["list", "--name", "--all"]
    return virsh(*which).split()


class Host:
    """Between open() and close() the host belongs to this test program.

    with_hook   libvirtd has virtksm-hook; see hook.py
    """

    def __init__(self, with_hook=False):
        self.hook = Hook(build_path("hooks/virtksm-hook"), RUN_DIR + "/hook-record")
        self._with_hook = with_hook
        self._lock = None
        self._knobs = None

    def sweep(self):
        """Takes away the hook that a test which was killed has left. Returns what was there."""
        self._take_lock()
        try:
            left = self.hook.made()
            self.hook.remove()
        finally:
            self._lock.close()
        return left

    def open(self):
        self._take_lock()
        # What a run that was killed has left
        self.hook.remove()
        self._remove_files()
        if self._with_hook:
            self._install_hook()
        self._libvirtd("libvirtd_start")
        self.remove_domains()
        self._refuse_company()
        shutil.copy(build_path("test/support/guest/guest.elf"), RUN_DIR + "/guest.elf")
        self._knobs = ksm.knobs()

    def close(self):
        """Puts everything back; also after an open() that failed half way."""
        try:
            self.remove_domains()
        finally:
            if self._knobs:
                ksm.restore(self._knobs)
            self._libvirtd("libvirtd_stop")
            self.hook.remove()
            self._remove_files()
            self._lock.close()

    def _take_lock(self):
        os.makedirs(RUN_DIR + "/libvirtd", exist_ok=True)
        os.chmod(RUN_DIR, 0o711)
        self._lock = open(RUN_DIR + "/lock", "w", encoding="ascii")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def restart_libvirtd(self):
        """As an update of libvirt does it: the domains go on, and so do their consoles."""
        self._libvirtd("libvirtd_restart")

    def _install_hook(self):
        self._libvirtd("libvirtd_stop")
        pids = [pid for pid in os.listdir("/proc") if pid.isdigit() and
                program_of(pid) in ("libvirtd", "virtqemud") and not is_of_another_host(pid)]
        if pids:
            raise AssertionError("a libvirtd runs already, pid %s: it would not see a hook that is "
                                 "installed now" % " ".join(pids))
        self.hook.install()

    @staticmethod
    def _remove_files():
        """All but the lock, for which somebody may be waiting."""
        for name in os.listdir(RUN_DIR):
            if not os.path.isdir("%s/%s" % (RUN_DIR, name)) and name != "lock":
                os.unlink("%s/%s" % (RUN_DIR, name))

    @staticmethod
    def _refuse_company():
        """Others who drive KSM, or have memory that it merges, would spoil every count."""
        pids = [pid for pid in os.listdir("/proc") if pid.isdigit() and
                program_of(pid) == "virtksmd" and not has_root_of_its_own(pid)]
        if pids:
            raise AssertionError("a virtksmd runs already, pid %s" % " ".join(pids))
        if domain_names(running_only=True):
            raise AssertionError("domains run that are no test's: %s" %
                                 " ".join(domain_names(running_only=True)))

    @staticmethod
    def remove_domains():
        """Destroys and undefines every domain that a test made.

        All at once, because libvirt waits until the QEMU process is gone, and some hosts take
        their time to reap it.
        """
        names = [name for name in domain_names() if name.startswith(PREFIX)]
        for process in [_virsh_process("destroy", name) for name in names]:
            process.communicate(timeout=60 * PATIENCE)
        for name in names:
            virsh("undefine", name, check=False)

    @staticmethod
    def _libvirtd(function):
        script = '. "$1/packaging/demo/libvirtd.sh" && "$2" "$3"'
        subprocess.run(["bash", "-c", script, "bash", SOURCE_DIR, function, RUN_DIR + "/libvirtd"],
                       timeout=300, check=True)
