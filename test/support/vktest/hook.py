# SPDX-License-Identifier: LGPL-2.1-or-later
"""hook.py - virtksm-hook in libvirt's own folder, for as long as a test has the host

libvirt looks for hooks when it starts, so the hook is there before the libvirtd of the tests is.
An operator's libvirtd would have to be restarted, twice: that is refused.

The hook sends to /run/virtksm/hook.sock, as it does when installed. There a symbolic link leads to
the daemon under test. All that is made is written down first, so that the next run can remove what
a killed one has left.
"""
import os
import shutil

FOLDER = "/etc/libvirt/hooks/qemu.d"
PROGRAM = FOLDER + "/50-virtksm"
ONLY_HOOK = "/etc/libvirt/hooks/qemu"  # of libvirt before 6.5; later ones have it too
SOCKET_FOLDER = "/run/virtksm"
SOCKET = SOCKET_FOLDER + "/hook.sock"


class Hook:
    """Not installed yet. The record of what was made is a file that may be there from a run before.
    """

    def __init__(self, program, record):
        self.program = program
        self.record = record

    def install(self):
        for path in PROGRAM, ONLY_HOOK, SOCKET:
            if os.path.lexists(path):
                raise AssertionError("%s is there already, and no test's" % path)
        for folder in FOLDER, SOCKET_FOLDER:
            self._make_folder(folder)
        self._note(SOCKET)
        self.put()

    def put(self, path=PROGRAM):
        """Makes the program be there, after take_away()."""
        self._note(path)
        shutil.copy(self.program, path + ".new")
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)

    def put_script(self, text, path=ONLY_HOOK):
        """Makes a shell script a hook."""
        self._note(path)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)

    @staticmethod
    def take_away(path=PROGRAM):
        """As if it had never been installed: libvirt looks into the folder at each call."""
        os.unlink(path)

    @staticmethod
    def point_to(socket):
        """From now on, the hook sends to this socket."""
        os.symlink(socket, SOCKET + ".new")
        os.rename(SOCKET + ".new", SOCKET)

    def made(self):
        """What was made, by this run or by one before, and is there."""
        return [path for path in self._noted() if os.path.lexists(path)]

    def remove(self):
        """Removes what was made, by this run or by one before. There may be nothing."""
        for path in reversed(self._noted()):
            for leftover in path + ".new", path:
                if os.path.isdir(leftover) and not os.path.islink(leftover):
                    os.rmdir(leftover)
                elif os.path.lexists(leftover):
                    os.unlink(leftover)
        if os.path.exists(self.record):
            os.unlink(self.record)

    def _noted(self):
        if not os.path.exists(self.record):
            return []
        with open(self.record, encoding="ascii") as file:
            return file.read().split()

    def _note(self, path):
        if path not in self._noted():
            with open(self.record, "a", encoding="ascii") as file:
                file.write(path + "\n")

    def _make_folder(self, path):
        if not os.path.isdir(path):
            self._note(path)
            os.mkdir(path)
