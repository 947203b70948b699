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

#endif
