# SPDX-License-Identifier: LGPL-2.1-or-later
"""domain.py - domains that run the guest of test/support/guest

A domain takes about a second from start() to a filled memory, whose content the test chooses to
the page. QEMU always emulates in software: what is under test is the host's memory, and that
behaves alike on every machine then.
"""
import os
import re

from . import ksm
from .host import PREFIX, RUN_DIR, virsh
from .wait import wait_until

XML = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mib}</memory>
  <currentMemory unit='MiB'>{memory_mib}</currentMemory>
  {backing}
  <vcpu>1</vcpu>
  {metadata}
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{run_dir}/guest.elf</kernel>
    <cmdline>{cmdline}</cmdline>
  </os>
  <features><acpi/><tcg><tb-cache unit='MiB'>8</tb-cache></tcg></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>{on_reboot}</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <serial type='file'><source path='{console}'/></serial>
    {balloon}
    {devices}
  </devices>
  <seclabel type='none'/>
</domain>
"""


class Domain:
    """One domain, not started yet.

    memory_mib   memory of the domain
    content      the guest's parameters, e.g. {"common": 32, "unique": 16, "seed": 2}
    backing      what stands in <memoryBacking>, e.g. "<nosharepages/>" or MEMFD
    balloon      the <memballoon> element, e.g. BALLOON_NONE
    metadata     the <metadata> element
    devices      further elements of <devices>, e.g. VIDEO
    on_reboot    what becomes of it at reset(): destroy, restart
    """

    BALLOON = "<memballoon model='virtio'><stats period='1'/></memballoon>"
    BALLOON_NONE = "<memballoon model='none'/>"
    VIDEO = "<video><model type='vga' vram='16384'/></video>"
    MEMFD = "<source type='memfd'/><access mode='shared'/>"
    HUGE_PAGES = "<hugepages/>"
    NOSHAREPAGES = "<nosharepages/>"

    def __init__(self, name, memory_mib=96, content=None, backing="", balloon=BALLOON,
                 metadata="", devices="", on_reboot="destroy"):
        self.name = PREFIX + name
        self.console = "%s/%s.console" % (RUN_DIR, self.name)
        words = ["%s=%d" % pair for pair in (content or {}).items()]
        self.xml = XML.format(
            name=self.name, memory_mib=memory_mib, run_dir=RUN_DIR, console=self.console,
            cmdline=" ".join(words), balloon=balloon, metadata=metadata, devices=devices,
            on_reboot=on_reboot,
            backing=backing and "<memoryBacking>%s</memoryBacking>" % backing)

    def write_xml(self):
        path = "%s/%s.xml" % (RUN_DIR, self.name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.xml)
        return path

    def define(self):
        """Makes the domain persistent, so that it outlives being stopped."""
        virsh("define", self.write_xml())
        return self

    def start(self, wait=True):
        """Starts the domain, and waits until its memory is filled unless told otherwise."""
        if os.path.exists(self.console):
            os.unlink(self.console)
        if virsh("domid", self.name, check=False) is None:
            virsh("create", self.write_xml())
        else:
            virsh("start", self.name)
        return self.wait_for("READY") if wait else self

    def wait_for(self, word, seconds=30):
        """Waits until the guest has printed READY, LATE or SPLIT."""
        wait_until(lambda: word in self.console_text(), "%s says %s" % (self.name, word), seconds)
        return self

    def console_text(self):
        try:
            with open(self.console, encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def destroy(self):
        virsh("destroy", self.name)

    def reset(self):
        """As its reset button does. The console's file goes on."""
        virsh("reset", self.name)

    def suspend(self):
        virsh("suspend", self.name)

    def resume(self):
        virsh("resume", self.name)

    @property
    def uuid(self):
        return virsh("domuuid", self.name).strip()

    @property
    def pid(self):
        """Process id of the domain's QEMU."""
        with open("/run/libvirt/qemu/%s.pid" % self.name, encoding="ascii") as file:
            return int(file.read())

    def ksm(self):
        """What KSM did to the domain: see ksm.of_process()."""
        return ksm.of_process(self.pid)

    def set_balloon(self, mib):
        """Sets the balloon target: the domain shall have that many MiB."""
        virsh("setmem", self.name, "%dM" % mib, "--live")

    def memory_statistics(self):
        """virsh dommemstat as a dictionary, KiB."""
        return {name: int(value) for name, value in
                (line.split() for line in virsh("dommemstat", self.name).splitlines())}

    def resident_bytes(self):
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            return 1024 * int(re.search(r"^VmRSS:\s+(\d+) kB", file.read(), re.M).group(1))

    def cpu_seconds(self):
        """CPU time of the domain's QEMU so far, all threads."""
        with open("/proc/%d/stat" % self.pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
