# SPDX-License-Identifier: LGPL-2.1-or-later
"""vktest - what tests on a real host need: libvirtd, guests, KSM, the daemon and its client

A test program has a class derived from RealTestCase (case.py) and ends in main(). The host is
used by one test program at a time and is left as it was found: KSM's knobs, libvirtd if it had to
be started, and every domain whose name begins with "vktest-", also after a failure and also those
that an earlier, killed run left behind.

    host.py     the one holder of the host: lock, libvirtd, leftovers, paths
    hook.py     virtksm-hook where libvirtd looks for it
    domain.py   domains that run the guest of test/support/guest
    ksm.py      KSM's knobs and counters, of the host and of a process
    memory.py   a host that is short of memory, and the memory cgroup of a domain
    watch.py    looking at something again and again meanwhile
    daemon.py   virtksmd and virtksm as a test starts them
    ended.py    how a daemon must not end, and what must not be in its log
    case.py     RealTestCase and main()
    skip.py     what a test prints that this machine cannot run
    tenancy.py  domains of different groups, and a daemon that parts them
"""
from .case import RealTestCase, main
from .daemon import Daemon
from .domain import Domain
from .host import virsh
from .skip import skip_program
from .wait import PATIENCE, wait_until

__all__ = ["PATIENCE", "Daemon", "Domain", "RealTestCase", "main", "skip_program", "virsh",
           "wait_until"]
