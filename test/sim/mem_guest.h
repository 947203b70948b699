/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_guest.h - a model of one guest's memory, as it is inside and as the host sees it
 */
#ifndef TEST_SIM_MEM_GUEST_H
#define TEST_SIM_MEM_GUEST_H

#include "test/sim/mem_load.h"

#define MEM_PAGE UINT64_C(4096)
/* memory.high: none. */
#define MEM_NO_LIMIT UINT64_MAX

/* How soon memory is used again. */
typedef enum {
    MEM_HOT,   /* every second */
    MEM_WARM,  /* every minute */
    MEM_COLD,  /* every two hours */
    MEM_STALE, /* never: free in the guest, but it was written once, so the host keeps it */
    MEM_AGE_COUNT,
} MemAge;

/* What a guest tells about itself. */
typedef struct {
    uint64_t available_bytes; /* all that it manages */
    uint64_t usable_bytes;    /* it could give to a program without swapping */
    uint64_t unused_bytes;    /* nobody uses */
    uint64_t caches_bytes;    /* of files */
    uint64_t swap_in_bytes;   /* since its boot */
    uint64_t swap_out_bytes;  /* since its boot */
    uint64_t major_faults;    /* since its boot */
    uint64_t at_us;           /* when it told; 0: never yet */
} MemStats;

typedef struct {
    uint64_t key; /* of this start, unique in a host */
    MemSpec spec;
    MemLoad load;
    uint64_t started_us;          /* its boot */
    uint64_t anon_bytes;          /* its programs have, own swap included */
    uint64_t swapped_bytes;       /* of that, in its own swap */
    uint64_t cache_bytes;         /* files in its memory */
    uint64_t balloon_bytes;       /* memory left to it */
    uint64_t target_bytes;        /* what its balloon was told last */
    uint64_t target_us;           /* and when */
    uint64_t size[MEM_AGE_COUNT]; /* of its memory that the host holds, bytes by age */
    uint64_t out[MEM_AGE_COUNT];  /* and of that, in the host's swap */
    uint64_t touched_out_bytes;   /* in the host's swap, and wanted back at once */
    uint64_t limit_bytes;         /* memory.high; MEM_NO_LIMIT */
    uint64_t limit_until_us;      /* when the limit ends; 0: no limit */
    MemStats stats;               /* as told last */
    uint64_t swap_in_bytes;       /* own swap, since boot */
    uint64_t swap_out_bytes;      /* own swap, since boot */
    uint64_t major_faults;        /* since boot */
    uint64_t host_in_bytes;       /* host's swap, since boot */
    uint64_t host_out_bytes;      /* host's swap, since boot */
    uint64_t stall_us;            /* it waited for memory of the host, since boot */
    uint64_t step_stall_us;       /* of that, in this step */
    uint64_t own_stall_us;        /* it waited for its own swap, since boot */
    uint64_t short_bytes;         /* what it lacked in the last step and had to swap out */
    uint64_t killed_us;           /* when its kernel killed a program last; 0: never */
    bool is_still;                /* it migrates: nothing may move */
    unsigned ooms;                /* programs that its kernel has killed */
} MemGuest;

/** mem_guest_start() - a guest boots, with all its memory */
void mem_guest_start(MemGuest *guest, const MemSpec *spec, uint64_t seed, uint64_t now_us);

/**
 * mem_guest_step() - let time pass inside the guest
 * @now_us:  end of the step
 * @step_us: its length
 *
 * What it then wants back from the host's swap is in touched_out_bytes, for mem_host.c.
 */
void mem_guest_step(MemGuest *guest, uint64_t now_us, uint64_t step_us);

/** mem_guest_target() - order its balloon to leave it so much */
void mem_guest_target(MemGuest *guest, uint64_t bytes, uint64_t now_us);

/** mem_guest_used() - what it holds for itself: kernel, programs, files; Return: bytes */
uint64_t mem_guest_used(const MemGuest *guest);

/** mem_guest_idle() - what it would hardly miss: free, or not used for a minute; Return: bytes */
uint64_t mem_guest_idle(const MemGuest *guest);

/** mem_guest_resident() - its memory in the host's memory; Return: bytes */
uint64_t mem_guest_resident(const MemGuest *guest);

/** mem_guest_out() - its memory in the host's swap; Return: bytes */
uint64_t mem_guest_out(const MemGuest *guest);

#endif
