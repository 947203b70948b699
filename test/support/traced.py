# SPDX-License-Identifier: LGPL-2.1-or-later
"""traced.py - one thread of a process under ptrace: it stands still while the others run on, or
stops right before each of its writes

All requests of ptrace are to be made by one thread, so a test makes them itself. A sanitizer that
looks for leaks at the end of a process cannot while that is traced: let_go() before.

Source: ptrace(2), PTRACE_SEIZE, PTRACE_GET_SYSCALL_INFO
"""
import ctypes
import os
import platform
import signal
import struct

from fakecase import wait_until
from processes import is_stopped

DETACH, SYSCALL = 17, 24
SEIZE, INTERRUPT, GET_SYSCALL_INFO = 0x4206, 0x4207, 0x420e
# Options: stops at system calls differ from signals; an exec brings no signal.
OPTIONS = 0x01 | 0x10
SYSCALL_STOP = signal.SIGTRAP | 0x80
AT_ENTRY = 1
PWRITE = {"x86_64": 18, "aarch64": 67}.get(platform.machine())
WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class Traced:
    """The main thread of a process, from now to let_go(); it runs."""

    def __init__(self, test, pid):
        self.pid = pid
        self.is_held = True
        self.at_write = False
        self._ptrace(SEIZE, 0, OPTIONS)
        test.addCleanup(self.let_go)

    def _ptrace(self, request, address=0, data=0):
        result = _libc.ptrace(request, self.pid, address, data)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, "ptrace %#x: %s" % (request, os.strerror(code)))
        return result

    def stand_still(self):
        self._ptrace(INTERRUPT)
        wait_until(lambda: is_stopped(self.pid), "it stands still")

    def let_go(self):
        """It runs as before, if it is not gone."""
        if not self.is_held:
            return
        self.is_held = False
        try:
            if not is_stopped(self.pid):
                self.stand_still()
            self._ptrace(DETACH)
        except (OSError, AssertionError):
            if os.path.exists("/proc/%d" % self.pid):
                raise

    # --- from write to write ---

    def next_write(self, folder):
        """Lets it run until it is about to write to a file in this folder. Returns its name."""
        self._ptrace(SYSCALL if self.at_write else INTERRUPT)
        while True:
            _, status = os.waitpid(self.pid, WALL)
            if not os.WIFSTOPPED(status):
                raise AssertionError("it has ended with status %#x" % status)
            number = os.WSTOPSIG(status)
            name = self._written(folder) if number == SYSCALL_STOP else None
            self.at_write = name is not None
            if name:
                return name
            # A signal is for it, unless the stop is one of ours.
            is_own = number == SYSCALL_STOP or status >> 16
            self._ptrace(SYSCALL, 0, 0 if is_own else number)

    def _written(self, folder):
        """The file in this folder that the call at hand is about to write to."""
        info = ctypes.create_string_buffer(88)
        size = self._ptrace(GET_SYSCALL_INFO, len(info), ctypes.addressof(info))
        if size < 40 or info.raw[0] != AT_ENTRY:
            return None
        number, descriptor = struct.unpack_from("=QQ", info.raw, 24)
        if number != PWRITE:
            return None
        where, name = os.path.split(os.readlink("/proc/%d/fd/%d" % (self.pid, descriptor)))
        return name if os.path.realpath(where) == os.path.realpath(folder) else None
