#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""hook_delay.py - what virtksm-hook adds to "virsh start"

Each round starts the same domain twice for each way, with the hook and without it, one right after
the other; the ways and the two starts come in random order. What is told of a way is the difference
within its pairs. "no hook" is the noise: pairs of starts that are both without it.

A start calls the hook three times. What one call takes is too little to be seen in a start, so it is
measured apart, beside a program that does nothing.

Needs what the tests with the label real need, and VIRTKSM_BUILD_DIR. The first argument is the
number of rounds.
"""
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../support"))
from vktest import Daemon, Domain, ksm, virsh  # noqa: E402
from vktest.host import Host, RUN_DIR, build_path  # noqa: E402

ROUNDS = 15
RESAMPLES = 2000

CALLS = 300
PROGRAM = build_path("hooks/virtksm-hook")
# "start" is told by nobody but the hook, and nothing follows from it. Of the usual size.
CALL = [PROGRAM, "vktest-delay", "start", "begin", "-"]
DEFINITION = (b"<domain id='1'><uuid>97cd1ea4-e674-4dc9-9f7f-7b618b2fc9e7</uuid>" + b" " * 6000 +
              b"</domain>")


class Ways:
    """How a domain can be started: with whom at the hook's other end."""

    def __init__(self, host):
        self.host = host
        self.daemon = Daemon("--connect", "none").start()
        self.full = RUN_DIR + "/full.sock"
        self.full_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.full_socket.bind(self.full)
        self._fill()

    def _fill(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                while True:
                    sender.sendto(b"x", self.full)
            except BlockingIOError:
                pass

    def close(self):
        self.daemon.send(signal.SIGCONT)
        self.daemon.close()
        self.full_socket.close()
        os.unlink(self.full)

    def without(self):
        self.host.hook.take_away()

    def up(self):
        self.host.hook.point_to(self.daemon.runtime_dir + "/hook.sock")

    def stopped(self):
        self.up()
        self.daemon.send(signal.SIGSTOP)

    def down(self):
        self.host.hook.point_to(RUN_DIR + "/nobody.sock")

    def full_queue(self):
        self.host.hook.point_to(self.full)

    def table(self):
        return (("no hook", self.without), ("agent up", self.up), ("agent down", self.down),
                ("agent stopped", self.stopped), ("queue full", self.full_queue))

    def tidy(self):
        """Whatever way it was, as at the beginning."""
        self.daemon.send(signal.SIGCONT)
        self.host.hook.put()


def start_seconds(domain, way, ways):
    way()
    began = time.monotonic()
    virsh("start", domain.name)
    took = time.monotonic() - began
    ways.tidy()
    domain.destroy()
    return took


def interval(values):
    """Where the median is in 95 of 100 samples that are drawn from these values again."""
    medians = sorted(statistics.median(random.choices(values, k=len(values)))
                     for _ in range(RESAMPLES))
    return medians[RESAMPLES // 40], medians[-RESAMPLES // 40]


def show(pairs):
    print("%-14s %10s %10s %12s %22s" % ("", "without", "with", "difference", "95 % of its median"))
    for name, times in pairs.items():
        differences = [1000 * (with_hook - without) for without, with_hook in times]
        medians = [1000 * statistics.median(values) for values in zip(*times)]
        print("%-14s %7.1f ms %7.1f ms %+9.1f ms    %+8.1f to %+6.1f ms" %
              (name, *medians, statistics.median(differences), *interval(differences)))


def start_pair(domain, way, ways):
    """Seconds that a start took without the hook and with it."""
    pair = {}
    for kind in random.sample(("without", "with"), 2):
        pair[kind] = start_seconds(domain, way if kind == "with" else ways.without, ways)
    return pair["without"], pair["with"]


def call_ms(command, environment):
    began = time.monotonic()
    subprocess.run(command, input=DEFINITION, env=environment, check=True)
    return 1000 * (time.monotonic() - began)


def show_calls(ways):
    sockets = {"agent up": ways.daemon.runtime_dir + "/hook.sock", "agent down": "/nowhere",
               "queue full": ways.full}
    rows = [("/bin/true", ["/bin/true"], {})]
    rows += [(name, CALL, {"VIRTKSM_HOOK_SOCKET": path}) for name, path in sockets.items()]
    print("\n%-14s %10s %10s" % ("one call", "median", "99 %"))
    for name, command, environment in rows:
        values = sorted(call_ms(command, environment) for _ in range(CALLS))
        print("%-14s %7.2f ms %7.2f ms" % (name, statistics.median(values),
                                           values[CALLS * 99 // 100]))


def measure(host, rounds):
    ways = Ways(host)
    pairs = {name: [] for name, _ in ways.table()}
    try:
        domain = Domain("delay", memory_mib=16).define()
        start_seconds(domain, ways.up, ways)  # the first start of a libvirtd takes longer
        for _ in range(rounds):
            for name, way in random.sample(ways.table(), len(ways.table())):
                pairs[name].append(start_pair(domain, way, ways))
        show(pairs)
        show_calls(ways)
    finally:
        ways.close()


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    if os.geteuid() != 0 or not ksm.available():
        sys.exit("needs root and a kernel with KSM")
    host = Host(with_hook=True)
    try:
        host.open()
        print("%d rounds" % rounds)
        measure(host, rounds)
    finally:
        host.close()


if __name__ == "__main__":
    main()
