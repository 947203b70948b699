/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.h - how short of memory the host is, and what that means in bytes */
#ifndef POLICY_MEMORY_H
#define POLICY_MEMORY_H

#include "policy/policy.h"

/* Marks of available memory, from the highest to the lowest. All 0 where memory is not known. */
typedef struct {
    uint64_t idle_bytes;     /* above it, memory is given back to those who do without it */
    uint64_t relief_bytes;   /* what reclaim aims for, and where the level may fall to calm */
    uint64_t tight_bytes;    /* below it the host is tight; above it, need is met */
    uint64_t critical_bytes; /* below it the state of the host is critical; above half of it, a
                                domain that is itself short gets some */
} MemoryMarks;

/** memory_is_known() - whether the host's total and available memory are */
bool memory_is_known(const HostSample *host);

/** memory_marks() - the marks of a host, by memory_tight_bp and memory_critical_bp of @conf */
MemoryMarks memory_marks(const PolicyConf *conf, const HostSample *host);

/**
 * memory_above() - what is available above a mark
 *
 * Return: bytes; 0 also where available memory is not known.
 */
uint64_t memory_above(const HostSample *host, uint64_t mark_bytes);

#endif
