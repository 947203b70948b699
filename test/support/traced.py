# SPDX-License-Identifier: LGPL-2.1-or-later
"""traced.py - one thread of a process under ptrace: it stands still while the others run on, or
stops right before it writes to a file or syncs it

All requests of ptrace are to be made by one thread, so a test makes them itself. A sanitizer that
looks for leaks at the end of a process cannot while that is traced: let_go() before.

Source: ptrace(2), PTRACE_SEIZE, PTRACE_GET_SYSCALL_INFO
"""
import ctypes
import os
import platform
import signal
import struct

DETACH, SYSCALL = 17, 24
SEIZE, INTERRUPT, GET_SYSCALL_INFO = 0x4206, 0x4207, 0x420e
# Stops at system calls differ from those of signals.
SYSGOOD = 1
SYSCALL_STOP = signal.SIGTRAP | 0x80
AT_ENTRY = 1
# pwrite64 and fsync.
CALLS = {"x86_64": (18, 74), "aarch64": (67, 82)}.get(platform.machine(), ())
WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class Traced:
    """The main thread of a process, from now to let_go(); it runs."""

    def __init__(self, test, pid):
        self.pid = pid
        self.is_held = True
        self.stands = False
        self.signal = 0  # for which it stands, and which it gets when it goes on
        self._ptrace(SEIZE, 0, SYSGOOD)
        test.addCleanup(self.let_go)

    def _ptrace(self, request, address=0, data=0):
        result = _libc.ptrace(request, self.pid, address, data)
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, "ptrace %#x: %s" % (request, os.strerror(code)))
        return result

    def _await_stop(self):
        """Returns why it stands: a signal, SYSCALL_STOP, or more for another stop of ptrace's."""
        _, status = os.waitpid(self.pid, WALL)
        self.stands = self.is_held = os.WIFSTOPPED(status)
        if not self.stands:
            raise AssertionError("it has ended with status %#x" % status)
        why = status >> 8
        self.signal = why if why < SYSCALL_STOP else 0
        return why

    def stand_still(self):
        self._ptrace(INTERRUPT)
        self._await_stop()

    def send(self, number):
        """A signal for this thread: while it stands, one for the process would go to another."""
        if _libc.tgkill(self.pid, self.pid, int(number)) < 0:
            raise OSError(ctypes.get_errno(), "tgkill")

    def let_go(self):
        """It runs as before."""
        if not self.is_held:
            return
        if not self.stands:
            self.stand_still()
        self.is_held = False
        self._ptrace(DETACH, 0, self.signal)

    def next_write(self, folder):
        """Lets it run until it is about to write to, or to sync, what is in this folder.

        Returns the name there.
        """
        name = None
        if not self.stands:
            self.stand_still()
        while not name:
            self._ptrace(SYSCALL, 0, self.signal)
            name = self._written(folder) if self._await_stop() == SYSCALL_STOP else None
        return name

    def _written(self, folder):
        """What in this folder the call at hand is about to write to."""
        info = ctypes.create_string_buffer(88)
        size = self._ptrace(GET_SYSCALL_INFO, len(info), ctypes.addressof(info))
        if size < 40 or info.raw[0] != AT_ENTRY:
            return None
        number, descriptor = struct.unpack_from("=QQ", info.raw, 24)
        if number not in CALLS:
            return None
        where, name = os.path.split(os.readlink("/proc/%d/fd/%d" % (self.pid, descriptor)))
        return name if os.path.realpath(where) == os.path.realpath(folder) else None


# Waits until it is told to go on, and becomes the command then.
WAITING = ["sh", "-c", "read -r _ < \"$0\"; exec \"$@\""]


def start_traced(test, start, fifo):
    """A process from before its first instruction: start(wrapper) starts and returns it."""
    os.mkfifo(fifo)
    traced = Traced(test, start(WAITING + [fifo]).pid)
    with open(fifo, "w", encoding="ascii") as file:
        file.write("go\n")
    os.unlink(fifo)
    return traced
