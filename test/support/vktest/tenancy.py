# SPDX-License-Identifier: LGPL-2.1-or-later
"""tenancy.py - domains of different groups, and a daemon that parts them"""
import re

from .case import RealTestCase
from .wait import wait_until

COMMON_MIB = 32
COMMON_PAGES = COMMON_MIB * 256
POLICY = "<metadata><v:policy xmlns:v='urn:virtksm:domain:1'><v:ksm group='%s'/></v:policy></metadata>"
CONFIG = """\
[ksm]
settle_ms = 500
cpu_pressure = 100
[agent]
memory_tight = {tight}
[tenancy]
enforce = yes
rule = {rule}
dwell_s = 10
"""


def is_marked(domain, mib=96):
    """Whether guest memory of that size is mergeable, by the flags of its mapping."""
    size = None
    with open("/proc/%d/smaps" % domain.pid, encoding="ascii") as file:
        for line in file:
            if match := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
                size = int(match[2], 16) - int(match[1], 16)
            elif line.startswith("VmFlags:") and size == mib << 20:
                return " mg" in line
    raise AssertionError("%s has no mapping of %d MiB" % (domain.name, mib))


class TenancyTestCase(RealTestCase):

    with_hook = True

    def hooked(self, rule="auto", tight=1):
        daemon = self.daemon(config=CONFIG.format(rule=rule, tight=tight))
        self.host.hook.point_to(daemon.runtime_dir + "/hook.sock")
        return daemon.start()

    def guest(self, name, group):
        return self.domain(name, content={"common": COMMON_MIB}, metadata=POLICY % group)

    def tenancy(self, daemon):
        return daemon.ask("status")["tenancy"]

    def merging(self, daemon, domain):
        rows = [row for row in daemon.ask("report")["domains"] if row["name"] == domain.name]
        return rows[0]["merging"] if rows else None

    def wait_settled(self, daemon, seconds=30):
        """Until everybody is as wanted and KSM has seen all."""
        wait_until(lambda: not self.tenancy(daemon)["paused"],
                   lambda: "settled: %s" % self.tenancy(daemon), seconds)
        wait_until(lambda: daemon.ask("status")["phase"] in ("maintain", "rest"),
                   lambda: "calm: %s" % daemon.ask("status"), seconds)

    @staticmethod
    def wait_shared(*domains):
        wait_until(lambda: min(each.ksm()["ksm_merging_pages"] for each in domains) >=
                   COMMON_PAGES, "they share what they have in common", 60)
