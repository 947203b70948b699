# SPDX-License-Identifier: LGPL-2.1-or-later
"""race_library.py - how much private memory the libvirt client library takes by itself

An agent cannot be smaller than the library that it speaks through. A fresh process of this
interpreter looks at itself, loads the library, connects and lists the domains, and looks again.
"""
import subprocess
import sys

_PROGRAM = """
import ctypes, sys
sys.path.insert(0, sys.argv[1])
from race_sample import memory_of
import os
before = memory_of(os.getpid())["dirty_kib"]
library = ctypes.CDLL("libvirt.so.0")
library.virConnectOpen.restype = ctypes.c_void_p
library.virEventRegisterDefaultImpl()
connection = library.virConnectOpen(b"qemu:///system")
domains = ctypes.c_void_p()
if not connection or library.virConnectListAllDomains(ctypes.c_void_p(connection),
                                                      ctypes.byref(domains), 0) < 0:
    sys.exit("no connection to libvirt")
print(memory_of(os.getpid())["dirty_kib"] - before)
"""


def library_kib(folder):
    """KiB; folder is where race_sample.py lies. libvirtd must be running."""
    done = subprocess.run([sys.executable, "-B", "-c", _PROGRAM, folder], check=True, timeout=60,
                          stdout=subprocess.PIPE, text=True)
    return int(done.stdout)
