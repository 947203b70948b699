# SPDX-License-Identifier: LGPL-2.1-or-later
"""fakehost.py - a host made of plain files, with a thread that plays ksmd

A FakeHost is a folder for --root: KSM's directory as one of three kernels has it, and /proc with
memory, ksmd and whatever processes a test adds. What the kernel changes is replaced by renaming,
so a reader sees the old or the new value, never half of one. What an administrator changes is
written in place, as a shell does it.

Ksmd scans while run is 1, in batches of pages_to_scan with pauses of sleep_millisecs. A process
whose pages it has passed twice is merged as far as the test said it could be. It is no model of
merging, only of what the daemon can see of it.

Plain files accept everything: that the kernel refuses pages_to_scan while its advisor is on is for
tests on a real kernel.
"""
import os
import shutil
import struct
import tempfile
import threading
import time
import uuid

KSM = "sys/kernel/mm/ksm/"
KNOBS = ("run", "pages_to_scan", "sleep_millisecs", "advisor_mode", "smart_scan",
         "use_zero_pages")
# KSM is driven without these: not every kernel has them.
OPTIONAL_KNOBS = ("advisor_mode", "smart_scan", "use_zero_pages")
BOOT_ID = "11111111-2222-4333-8444-555555555555"
OTHER_BOOT_ID = "11111111-2222-4333-8444-666666666666"
KSMD_PID = 37

# Files of Linux 5.10 and 6.1, and what Linux 6.18 has beyond them.
OLD_FILES = {
    "run": 0, "pages_to_scan": 100, "sleep_millisecs": 20, "full_scans": 0, "pages_shared": 0,
    "pages_sharing": 0, "pages_unshared": 0, "pages_volatile": 0, "max_page_sharing": 256,
    "merge_across_nodes": 1, "use_zero_pages": 0, "stable_node_chains": 0, "stable_node_dups": 0,
    "stable_node_chains_prune_millisecs": 2000,
}
NEW_FILES = {
    "advisor_mode": "[none] scan-time", "advisor_max_cpu": 70, "advisor_min_pages_to_scan": 500,
    "advisor_max_pages_to_scan": 30000, "advisor_target_scan_time": 200, "general_profit": 0,
    "ksm_zero_pages": 0, "pages_scanned": 0, "pages_skipped": 0, "smart_scan": 1,
}
KERNELS = ("5.10", "6.1", "6.18")

# A page costs this much of a CPU; a pass over a host without processes is this long.
SECONDS_PER_PAGE = 1e-6
EMPTY_PASS_PAGES = 1000
PLAY_SECONDS = 0.005


class FakeProcess:
    """A process below proc/; figures of None are missing from its files."""

    def __init__(self, host, pid, comm, arguments, resident_pages=0):
        self.host = host
        self.pid = pid
        self.mergeable_pages = 0  # become merged after two passes
        self.born_scans = 0
        self.folder = "proc/%d/" % pid
        host.write(self.folder + "cmdline", "\0".join(arguments) + "\0" if arguments else "")
        host.write(self.folder + "comm", comm[:15] + "\n")
        host.write(self.folder + "stat", stat_line(pid, comm[:15], 1))
        self.set_wait(0)
        self.set_resident(resident_pages)
        self.set_paging()
        self.set_ksm(merging=0, rmap_items=0, zero=0)

    def set_wait(self, wait_ns):
        """How long its one thread has waited for a CPU."""
        self.host.write("%stask/%d/schedstat" % (self.folder, self.pid),
                        "1000000 %d 100\n" % wait_ns)

    def set_resident(self, pages):
        self.resident_pages = pages
        self.host.write(self.folder + "statm", "%d %d 0 10 0 700 0\n" % (pages * 2 + 1, pages))

    def set_ksm(self, merging=None, rmap_items=None, zero=None):
        """Writes the process's figures in the files that this kernel has."""
        self.merging = merging
        lines = []
        if self.host.kernel != "5.10" and rmap_items is not None:
            lines.append("ksm_rmap_items %d" % rmap_items)
        if self.host.kernel == "6.18":
            lines += ["ksm_zero_pages %d" % zero] if zero is not None else []
            lines += ["ksm_merging_pages %d" % merging] if merging is not None else []
            lines += ["ksm_process_profit 0", "ksm_merge_any: no", "ksm_mergeable: yes"]
        if lines:
            self.host.write(self.folder + "ksm_stat", "\n".join(lines) + "\n")
        if self.host.kernel != "5.10" and merging is not None:
            self.host.write(self.folder + "ksm_merging_pages", "%d\n" % merging)

    def set_paging(self, swapped_kib=0, huge_kib=0):
        """What is swapped out, and what is on huge pages."""
        self.host.write(self.folder + "status", "Name:\tqemu\nVmSwap:\t%8d kB\n"
                        "HugetlbPages:\t%8d kB\n" % (swapped_kib, huge_kib))

    def set_overhead(self, heap_pages, guest_bytes=64 << 20):
        """Its mappings: guest memory, and a heap of which so many pages are there."""
        page = os.sysconf("SC_PAGESIZE")
        heap = 16
        guest = 1 << 28
        self.host.write(self.folder + "maps",
                        "%x-%x rw-p 00000000 00:00 0 [heap]\n%x-%x rw-p 00000000 00:00 0\n" % (
                            heap * page, (heap + heap_pages + 5) * page, guest,
                            guest + guest_bytes))
        words = [0] * heap + [1 << 63 | 1 << 56] * heap_pages + [0] * 5
        self.host.write(self.folder + "pagemap", struct.pack("=%dQ" % len(words), *words))

    def exit(self):
        """The process is gone, from one moment to the next."""
        self.host.processes.remove(self)
        gone = "proc/gone-%d" % self.pid
        os.rename(self.host.path(self.folder), self.host.path(gone))
        shutil.rmtree(self.host.path(gone))


def stat_line(pid, comm, parent):
    """52 fields, as proc(5) has them; 22 is the start time."""
    fields = ["0"] * 53
    fields[1:5] = [str(pid), "(%s)" % comm, "S", str(parent)]
    fields[22] = str(1000 + pid)
    return " ".join(fields[1:]) + "\n"


class FakeHost:
    """A new root folder; close() removes it.

    kernel     "5.10", "6.1" or "6.18"; None for a kernel without KSM
    run, pages, sleep, advisor   settings of KSM that the daemon finds; the advisor in 6.18 only
    anon_kib   anonymous memory of the host

    wants_found   KSM must be as it was found when a daemon has ended. A test may say no, and does
                  so when it sets something itself after the first start.
    """

    def __init__(self, kernel="6.18", run=0, pages=100, sleep=20, advisor="none",
                 anon_kib=4000000):
        self.kernel = kernel
        self.base = tempfile.mkdtemp(prefix="fint-")
        self.root = self.base + "/root"
        self.processes = []
        self.wants_found = True
        self._found = None  # settings before the first start of a daemon
        self.next_pid = 1000
        self.ksmd_cpu_ns = 0
        self._ksmd = None
        self._write_proc(anon_kib)
        for name, value in self._ksm_files().items():
            self.write(KSM + name, "%s\n" % value)
        if kernel:
            self.set_knobs(run, pages, sleep)
        if kernel == "6.18":
            self.set_advisor(advisor)

    def close(self):
        self.stop_ksmd()
        shutil.rmtree(self.base)

    def _ksm_files(self):
        if self.kernel is None:
            return {}
        return {**OLD_FILES, **NEW_FILES} if self.kernel == "6.18" else dict(OLD_FILES)

    def _write_proc(self, anon_kib):
        self.write("proc/meminfo", "MemTotal: 24684084 kB\nMemFree: 18472432 kB\n"
                   "MemAvailable: 18402780 kB\nAnonPages: %d kB\nHugePages_Total: 0\nHugetlb: 0 kB\n"
                   "SwapTotal: 1000 kB\nSwapFree: 400 kB\n%s" % (
                       anon_kib, "" if self.kernel == "5.10" else "Zswap: 50 kB\nZswapped: 200 kB\n"))
        self.write("proc/vmstat", "pswpin 3\n" + ("" if self.kernel == "5.10" else "cow_ksm 77\n"))
        self.write("proc/sys/kernel/random/boot_id", BOOT_ID + "\n")
        self.write("sys/devices/system/cpu/online", "0-3\n")
        self.write("proc/stat", "cpu  40 0 20 900 5 0 1 0 0 0\ncpu0 40 0 20 900 5 0 1 0 0 0\n")
        for name in "cpu", "memory":
            self.write("proc/pressure/" + name,
                       "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
                       "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
        self.write("proc/1/stat", stat_line(1, "init", 0))
        self.write("proc/1/comm", "init\n")
        self.write("proc/%d/stat" % KSMD_PID, stat_line(KSMD_PID, "ksmd", 2))
        self.write("proc/%d/comm" % KSMD_PID, "ksmd\n")
        self.add_ksmd_cpu(0)

    # --- files ---

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, text):
        """Replaces a file as the kernel changes a value: at once."""
        self._note_writer(name)
        data = text.encode() if isinstance(text, str) else text
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.rename(path + ".new", path)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def remove(self, name):
        os.unlink(self.path(name))

    # --- KSM ---

    def ksm(self, name):
        """A value of KSM: a number, or the word in brackets for advisor_mode."""
        text = self.read(KSM + name).split("\n", 1)[0]
        if name != "advisor_mode":
            return int(text)
        return text[text.index("[") + 1:text.index("]")] if "[" in text else text

    def set_counter(self, name, value):
        """Does nothing where this kernel has no such file."""
        if os.path.exists(self.path(KSM + name)):
            self.write(KSM + name, "%d\n" % value)

    def set_counters(self, **counters):
        for name, value in counters.items():
            self.set_counter(name, value)

    def knobs(self):
        """The settings in force: those of KNOBS that this kernel has."""
        names = [n for n in KNOBS if os.path.exists(self.path(KSM + n))]
        return {name: self.ksm(name) for name in names}

    def settings(self):
        """Run, pages_to_scan and sleep_millisecs."""
        return self.ksm("run"), self.ksm("pages_to_scan"), self.ksm("sleep_millisecs")

    def note_found(self):
        """Before a daemon starts."""
        if self._found is None and self.wants_found:
            self._found = self.knobs()

    def check_found(self):
        """After a daemon has ended in the orderly way."""
        if self.wants_found and self.knobs() != self._found:
            raise AssertionError("KSM has %s, and was found with %s" % (self.knobs(), self._found))

    def _note_writer(self, name):
        if self._found is not None and name in [KSM + knob for knob in KNOBS]:
            self.wants_found = False

    def set_knobs(self, run, pages, sleep):
        for name, value in zip(KNOBS, (run, pages, sleep)):
            self.write(KSM + name, "%d\n" % value)

    def set_advisor(self, mode):
        words = ("none", "scan-time")
        self.write(KSM + "advisor_mode",
                   " ".join("[%s]" % w if w == mode else w for w in words) + "\n")

    def echo(self, name, value):
        """Writes a setting in place, as another program does, and never empties the file."""
        self._note_writer(KSM + name)
        data = b"%d\n" % value
        fd = os.open(self.path(KSM + name), os.O_WRONLY)
        os.pwrite(fd, data, 0)
        os.ftruncate(fd, len(data))
        os.close(fd)

    def stamps(self, *folders):
        """What changes when anything below is written: times, sizes and contents of the files."""
        found = {}
        for folder in folders or (self.path(KSM),):
            for where, _, names in os.walk(folder):
                for name in names:
                    path = os.path.join(where, name)
                    if os.path.basename(path).startswith("history.db"):
                        continue  # grows while nothing happens
                    st = os.stat(path)
                    with open(path, "rb") as file:
                        found[path] = (st.st_mtime_ns, st.st_ctime_ns, st.st_ino, file.read())
        return found

    # --- processes and ksmd ---

    def add_process(self, comm, arguments=(), pid=None, resident_pages=0):
        if pid is None:
            pid, self.next_pid = self.next_pid, self.next_pid + 1
        process = FakeProcess(self, pid, comm, arguments, resident_pages)
        process.born_scans = self.ksm("full_scans") if self.kernel else 0
        self.processes.append(process)
        return process

    def add_qemu(self, name, domain_uuid=None, resident_pages=0, mergeable_pages=0):
        """The process of a domain, with its pid file, as libvirt starts it."""
        arguments = ("/usr/bin/qemu-system-x86_64", "-name", "guest=%s" % name,
                     "-uuid", domain_uuid or str(uuid.uuid4()), "-display", "none")
        process = self.add_process("qemu-system-x86", arguments, resident_pages=resident_pages)
        process.mergeable_pages = mergeable_pages
        self.write("run/libvirt/qemu/%s.pid" % name, "%d" % process.pid)
        return process

    def add_ksmd_cpu(self, nanoseconds):
        self.ksmd_cpu_ns += nanoseconds
        self.write("proc/%d/schedstat" % KSMD_PID, "%d 0 1\n" % self.ksmd_cpu_ns)

    def start_ksmd(self):
        self._ksmd = Ksmd(self)
        self._ksmd.start()

    def stop_ksmd(self):
        if self._ksmd:
            self._ksmd.stop()
            self._ksmd = None


class Burst:
    """Run, pages_to_scan and sleep_millisecs with which a burst begins: ksmd is woken for one step
    by a pause that is an hour long, and differs from the one before."""

    pages = 16000
    pauses = (3600000, 3600001)

    def __eq__(self, settings):
        run, pages, pause = settings
        return run == 1 and pages == self.pages and pause in self.pauses

    def __repr__(self):
        return "(1, %d, one of %s)" % (self.pages, self.pauses)


BURST = Burst()
# Settings of mode fixed, as shipped.
FIXED = (1, 1000, 20)


class Ksmd(threading.Thread):
    """Plays ksmd until stop()."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host = host
        self.position = 0  # pages into the current pass
        self.saved_up = 0.0  # seconds not yet spent on a batch
        self.pause = None  # sleep_millisecs when last looked at
        self.ending = threading.Event()

    def stop(self):
        self.ending.set()
        self.join()

    def run(self):
        last = time.monotonic()
        while not self.ending.wait(PLAY_SECONDS):
            now = time.monotonic()
            self.play(now - last)
            last = now

    def play(self, seconds):
        run, pages, sleep = self.host.settings()
        if run == 2:
            self.merge(lambda process: 0)
        if run != 1 or pages == 0:
            self.saved_up = 0.0
            return
        if self.pause not in (None, sleep):
            # Another pause wakes ksmd, for a batch that never crosses the end of a pass.
            self.scan(min(pages, self.length() - self.position))
        self.pause = sleep
        self.saved_up += seconds
        batch_seconds = pages * SECONDS_PER_PAGE + sleep / 1000
        batches = int(self.saved_up / batch_seconds)
        self.saved_up -= batches * batch_seconds
        if batches > 0:
            self.scan(batches * pages)

    def length(self):
        """Pages of a pass."""
        return sum(p.resident_pages for p in self.host.processes) or EMPTY_PASS_PAGES

    def scan(self, pages):
        host = self.host
        passes, self.position = divmod(self.position + pages, self.length())
        host.add_ksmd_cpu(int(pages * SECONDS_PER_PAGE * 1e9))
        if host.kernel == "6.18":
            host.set_counter("pages_scanned", host.ksm("pages_scanned") + pages)
        if passes > 0:
            scans = host.ksm("full_scans") + passes
            host.set_counter("full_scans", scans)
            self.merge(lambda p: p.mergeable_pages if scans - p.born_scans >= 2 else p.merging)

    def merge(self, merging_of):
        """Pages of all processes have the same contents: one page of each kind is kept."""
        for process in list(self.host.processes):
            merging = merging_of(process)
            if process.mergeable_pages and merging != process.merging:
                process.set_ksm(merging=merging, rmap_items=process.resident_pages, zero=0)
        merged = [p.merging or 0 for p in self.host.processes]
        shared = max(merged, default=0)
        self.host.set_counters(pages_shared=shared, pages_sharing=sum(merged) - shared)
