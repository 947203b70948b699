/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksmd.h - the kernel thread that scans, and the CPU time it has used
 */
#ifndef AGENT_FACTS_KSMD_H
#define AGENT_FACTS_KSMD_H

#include <stdint.h>
#include <sys/types.h>

#include "agent/facts/heldfile.h"

/* A zeroed struct is one that is not in use. */
typedef struct {
    pid_t pid; /* as seen in our /proc; 0: not found */
    /* private: */
    int root_fd;       /* borrowed; "/" or a test's fake root */
    int dir_fd;        /* owned if pid is not 0; its directory in /proc */
    HeldFile run_time; /* its schedstat */
    unsigned pause;    /* reads to go before it is searched for again */
} Ksmd;

/**
 * ksmd_init() - look for ksmd
 * @ksmd:    in any state but in use
 * @root_fd: "/" or a test's fake root; borrowed until ksmd_done()
 *
 * Costs a few microseconds for each process up to it; it is one of the first.
 */
void ksmd_init(Ksmd *ksmd, int root_fd);

/**
 * ksmd_done() - let go of ksmd
 * @ksmd: in use, done already, or zeroed
 */
void ksmd_done(Ksmd *ksmd);

/**
 * ksmd_cpu_us() - CPU time that ksmd has used since boot
 * @ksmd: from ksmd_init()
 *
 * ksmd is a kernel thread: in a container, where those are not seen, the search for it is
 * repeated once in 64 calls.
 *
 * Source: Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat"
 * Return: microseconds, exact where the kernel counts run time, else in clock ticks;
 * VALUE_UNKNOWN while ksmd is not to be seen.
 */
uint64_t ksmd_cpu_us(Ksmd *ksmd);

#endif
