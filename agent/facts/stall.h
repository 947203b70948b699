/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stall.h - how much of its time the host spends waiting: for memory, for a CPU, for its host
 */
#ifndef AGENT_FACTS_STALL_H
#define AGENT_FACTS_STALL_H

#include <stdint.h>

#include "agent/facts/heldfile.h"

/* Sums since boot: what happened lately is the difference of two readings. */
typedef struct {
    uint64_t cpu_stall_us;    /* in which some task waited for a CPU; VALUE_UNKNOWN: not told */
    uint64_t memory_stall_us; /* in which some task waited for memory; VALUE_UNKNOWN: not told */
    uint64_t steal_us;        /* of all CPUs, taken by the hypervisor below; VALUE_UNKNOWN */
} Stalls;

/* The files of stalls_read(). A zeroed struct is one that holds nothing. */
typedef struct {
    /* private: */
    HeldFile cpu;    /* proc/pressure/cpu */
    HeldFile memory; /* proc/pressure/memory */
    HeldFile stat;   /* proc/stat */
} StallFiles;

/**
 * stall_us() - what one pressure file says of "some"
 * @dir_fd: directory that @path is relative to (borrowed)
 * @path:   "proc/pressure/cpu", or "memory.pressure" of a cgroup
 *
 * Source: Documentation/accounting/psi.rst, "some" is the first line
 * Return: microseconds since the beginning; VALUE_UNKNOWN.
 */
uint64_t stall_us(int dir_fd, const char *path);

/**
 * stalls_read() - what the host has waited for since boot
 * @files:      hold nothing, or the files of @root_fd from an earlier call
 * @root_fd:    "/" or a test's fake root (borrowed)
 * @ret_stalls: filled; each figure is VALUE_UNKNOWN by itself
 *
 * Three small reads. Stalls is not told by a kernel without CONFIG_PSI or started with psi=0.
 * Time stolen counts in clock ticks, and stays 0 on a host that is no guest itself.
 *
 * Source: Documentation/accounting/psi.rst ("total" is microseconds);
 * Documentation/filesystems/proc.rst, "Miscellaneous kernel statistics in /proc/stat"
 */
void stalls_read(StallFiles *files, int root_fd, Stalls *ret_stalls);

/**
 * stall_files_close() - hold no file any more
 * @files: from stalls_read(), or zeroed
 */
void stall_files_close(StallFiles *files);

#endif
