/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest_stats.h - what a guest says of its own memory, through its balloon */
#ifndef AGENT_VIRT_GUEST_STATS_H
#define AGENT_VIRT_GUEST_STATS_H

#include <stdint.h>

/* Each is VALUE_UNKNOWN if it was not told, or cannot be true. */
typedef struct {
    uint64_t available_bytes; /* all memory that it can use */
    uint64_t usable_bytes;    /* what it could have without swapping (its MemAvailable) */
    uint64_t unused_bytes;    /* not used for anything (its MemFree) */
    uint64_t caches_bytes;    /* disk caches that it could drop */
    uint64_t swap_in_bytes;   /* from its own swap, since its boot */
    uint64_t swap_out_bytes;  /* to its own swap, since its boot */
    uint64_t major_faults;    /* since its boot */
} GuestStats;

/**
 * guest_stats_clear() - nothing is known
 * @guest: filled
 */
void guest_stats_clear(GuestStats *guest);

/**
 * guest_stats_age_us() - how long ago a guest said so
 * @said_s:  wall clock, in whole seconds; 0: it never spoke; VALUE_UNKNOWN: not told
 * @wall_us: wall clock of now
 *
 * A time that is still to come tells that the clock has been set back since: how old it is then
 * cannot be known. A moment of it is rounding.
 *
 * Return: microseconds; VALUE_UNKNOWN.
 */
uint64_t guest_stats_age_us(uint64_t said_s, uint64_t wall_us);

#endif
