/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample.h - what policy is told: facts about the host and its domains at one moment
 *
 * Plain values, owned by the caller. Bytes, microseconds, basis points. A figure that could not
 * be read, or that this kernel does not have, is VALUE_UNKNOWN.
 */
#ifndef POLICY_SAMPLE_H
#define POLICY_SAMPLE_H

#include "policy/arith.h"

#include <stddef.h>

/* A limit that is not there: memory.high reads "max". */
#define LIMIT_NONE (UINT64_MAX - 1)
/* Shares of a domain whose metadata says nothing. */
#define SHARES_NORMAL 100
/* Memory of KSM's record of a page. Source: mm/ksm.c, struct ksm_rmap_item, on 64 bits */
#define KSM_RECORD_BYTES 64

/* Values of /sys/kernel/mm/ksm/run. Source: Documentation/admin-guide/mm/ksm.rst */
typedef enum {
    KSM_RUN_STOP = 0,    /* no scanning; merged pages stay merged */
    KSM_RUN_MERGE = 1,   /* scan and merge */
    KSM_RUN_UNMERGE = 2, /* stop and give every page its own copy again */
    KSM_RUN_COUNT,
} KsmRun;

/* The settings of KSM that this project moves. */
typedef struct {
    uint64_t run;            /* KsmRun; VALUE_UNKNOWN: not read */
    uint64_t pages_to_scan;  /* pages per batch */
    uint64_t sleep_ms;       /* pause between batches; 0: none */
    uint64_t advisor;        /* 0: none, 1: scan-time; VALUE_UNKNOWN: the kernel has none */
    uint64_t smart_scan;     /* 1: pages that stayed unique are skipped more and more;
                                VALUE_UNKNOWN: the kernel has none (before 6.7) */
    uint64_t use_zero_pages; /* 1: pages of zeros are replaced by the kernel's zero page */
} KsmKnobs;

/* Counters of KSM. Each is VALUE_UNKNOWN on a kernel without it. */
typedef struct {
    uint64_t full_scans;         /* complete passes since boot */
    uint64_t pages_shared;       /* KSM pages in use */
    uint64_t pages_sharing;      /* further places that share them: the saving */
    uint64_t pages_unshared;     /* looked at, unique, checked again at each pass */
    uint64_t pages_volatile;     /* changing too fast to be placed in a tree */
    uint64_t ksm_zero_pages;     /* places that use the kernel's zero page instead of their own */
    uint64_t pages_scanned;      /* since boot (6.4) */
    uint64_t pages_skipped;      /* passed over by smart_scan, since boot (6.7) */
    uint64_t general_profit;     /* the kernel's own saving less metadata, bytes, signed as u64 */
    uint64_t merge_across_nodes; /* 0 or 1 */
} KsmCounters;

/* What the kernel's notifications say of memory: triggers of PSI, vmpressure of a v1 cgroup. */
typedef enum {
    ALARM_NONE,     /* nothing was told */
    ALARM_LOW,      /* vmpressure low: memory is being reclaimed */
    ALARM_MEDIUM,   /* vmpressure medium, PSI some: tasks wait, or swapping begins */
    ALARM_CRITICAL, /* vmpressure critical, PSI full: near the end of memory */
    ALARM_COUNT,
} MemoryAlarm;

/* What a domain's metadata says of a mechanism. */
typedef enum {
    MECHANISM_INHERIT, /* nothing: the configuration decides */
    MECHANISM_OFF,     /* leave the domain alone */
    MECHANISM_OBSERVE, /* decide and report */
    MECHANISM_ON,      /* as far as the configuration lets it */
    MECHANISM_COUNT,
} MechanismMode;

/* Whether the memory of a domain is marked as mergeable. */
typedef enum {
    MERGE_AS_FOUND, /* as QEMU has begun with it; nothing of ours is in force */
    MERGE_OFF,      /* switched off, and its mappings were seen to be */
    MERGE_MOVING,   /* being switched, or not looked at since */
    MERGE_STUCK,    /* cannot be switched */
    MERGE_STATE_COUNT,
} MergeState;

/* What a domain's metadata says of merging it. */
typedef enum {
    MERGE_WISH_NONE, /* nothing */
    MERGE_WISH_NO,   /* never, whatever the rule */
    MERGE_WISH_YES,  /* it is listed */
    MERGE_WISH_COUNT,
} MergeWish;

typedef struct {
    uint64_t now_us;              /* CLOCK_MONOTONIC at the moment of the sample */
    uint32_t cpus;                /* online processors; at least 1 */
    uint32_t page_bytes;          /* size of a page; at least 1 */
    uint64_t mem_total_bytes;     /* MemTotal without the pool of huge pages */
    uint64_t mem_available_bytes; /* MemAvailable */
    uint64_t anon_bytes;          /* AnonPages */
    uint64_t swap_total_bytes;    /* SwapTotal; 0: there is no swap */
    uint64_t swap_free_bytes;     /* SwapFree */
    uint64_t swap_in_pages;       /* since boot (pswpin) */
    uint64_t swap_out_pages;      /* since boot (pswpout) */
    uint64_t ksmd_cpu_us;         /* run time of ksmd since boot */
    uint64_t cpu_stall_us;        /* since boot, time in which some task waited for a CPU */
    uint64_t memory_stall_us;     /* since boot, time in which some task waited for memory */
    uint64_t steal_us;            /* since boot, CPU time that went to others; this is a guest */
    bool has_ksm;                 /* this kernel has KSM */
    KsmKnobs knobs;               /* settings in force */
    KsmKnobs initial;             /* settings found before our first write */
    KsmCounters ksm;
    uint32_t triggers;   /* events since the last decision that ask for scanning */
    uint32_t kicks;      /* of those, what somebody asks for, whatever the facts say */
    uint32_t departures; /* domains that went away, or were switched off, since the last decision */
    uint32_t starting;   /* domains that are about to run and are not among the samples yet */
    uint32_t alarm;      /* MemoryAlarm: the worst that was told since the last decision */
    bool is_quick;       /* decided in a hurry, for KSM alone: nothing has been read of the domains
                            since the last decision */
    bool is_resumed;     /* whoever is met now was here under an agent that was killed */
} HostSample;

typedef struct {
    uint64_t key;            /* of this start of this domain; unique for the life of the agent */
    uint64_t started_us;     /* when the agent first saw this start, CLOCK_MONOTONIC */
    uint64_t maximum_bytes;  /* defined memory */
    uint64_t balloon_bytes;  /* memory left to the guest by its balloon */
    uint64_t found_bytes;    /* the same before we moved it; VALUE_UNKNOWN: it is not where we have
                                sent it, but where its guest or others want it */
    uint64_t resident_bytes; /* resident set of its QEMU process */
    uint64_t merging_pages;  /* of its process (ksm_merging_pages) */
    uint64_t rmap_items;     /* pages of it that KSM keeps records of */
    uint32_t mergeable_bp;   /* share of its memory that KSM may merge, from its definition */
    uint32_t weight;         /* configured weight, 100 is normal, 0 counts nothing */
    bool latency_critical;   /* ksmd gives way as soon as it waits for a CPU */
    uint64_t wait_us;        /* time that its threads have waited for a CPU, since they began;
                                told for latency-critical domains only */

    bool is_tenant;            /* libvirt's, or its QEMU was found: it may be merged */
    bool is_defined;           /* what follows is known */
    uint64_t group;            /* number of the group that it belongs to; 0: it says none */
    uint32_t merge_wish;       /* MergeWish, of its metadata */
    uint32_t merge_state;      /* MergeState */
    bool is_switching;         /* QEMU was asked to switch it, and has not answered */
    uint64_t unshare_pages;    /* pages that get copies when it is switched off */
    uint64_t hard_limit_bytes; /* of its cgroup, from its definition; 0: none */

    bool has_balloon;     /* it has a balloon device that is not of model none */
    bool has_virtio_mem;  /* it has memory that its balloon cannot move, counted in its maximum */
    bool reports_free;    /* its guest may give back what is free by itself: free page reporting */
    bool is_fixed;        /* its memory must stay: passthrough, locked, huge, confidential */
    bool is_still;        /* nothing of it may move now: migration, restore, snapshot, another
                             job, paused, shutting down */
    bool balloon_foreign; /* somebody else set its balloon: hands off until told */
    bool limit_foreign;   /* somebody else set its limit: hands off until told */
    bool balloon_waits;   /* what was asked of its balloon last has not been passed on yet */
    bool balloon_refuses; /* asking is of no use for now: libvirt refuses, or fails again and again
                           */
    bool can_reclaim;     /* its cgroup has memory.reclaim, and it may be written */
    bool can_limit;       /* its cgroup has memory.high (cgroup v2) */

    uint64_t guest_age_us;          /* age of what the guest told; VALUE_UNKNOWN: it never did */
    uint64_t guest_period_us;       /* at which it is asked; 0: it is not */
    uint64_t guest_available_bytes; /* guest: all memory that it can use */
    uint64_t guest_usable_bytes;    /* guest: could be had without swapping (its MemAvailable) */
    uint64_t guest_unused_bytes;    /* guest: not used for anything */
    uint64_t guest_caches_bytes;    /* guest: disk caches */
    uint64_t guest_swap_in_bytes;   /* guest: since its boot, from its own swap */
    uint64_t guest_swap_out_bytes;  /* guest: since its boot, to its own swap */
    uint64_t guest_major_faults;    /* guest: since its boot */

    uint64_t cgroup_bytes;      /* memory.current (v1: memory.usage_in_bytes) */
    uint64_t cgroup_file_bytes; /* of those, cache of files */
    uint64_t cgroup_stall_us;   /* its start until now, some task of it waited for memory */
    uint64_t cgroup_refaults;   /* pages that were reclaimed and came back, since its start */
    uint64_t limit_bytes;       /* memory.high in force; LIMIT_NONE: none */
    uint64_t cgroup_highs;      /* times that its tasks had to reclaim, being above that */
    uint64_t cgroup_maxes;      /* times that it would have gone over its hard limit */
    uint64_t cgroup_ooms;       /* times that it ran out of memory, and tasks killed for that */

    uint64_t working_set_bytes; /* memory in use, measured from outside */
    uint64_t floor_bytes;       /* it is to have at least that; VALUE_UNKNOWN: not said */
    uint64_t ceiling_bytes;     /* and at most that; VALUE_UNKNOWN: not said */
    uint32_t shares;            /* of memory when it is short; SHARES_NORMAL */
    uint32_t balloon_mode;      /* MechanismMode, of its metadata */
    uint32_t high_mode;         /* MechanismMode, of its metadata */
} DomainSample;

/* One moment, host and domains. */
typedef struct {
    HostSample host;
    const DomainSample *domains; /* borrowed; n of them */
    size_t n;
} Sample;

/**
 * host_sample_unknown() - a host of which nothing is known
 *
 * Whoever makes a sample begins with it, so that what is not filled in is not known.
 */
static inline HostSample
host_sample_unknown(void)
{
    const uint64_t u = VALUE_UNKNOWN;
    const KsmKnobs knobs = { u, u, u, u, u, u };

    return (HostSample){
        .cpus = 1,
        .page_bytes = 1,
        .mem_total_bytes = u,
        .mem_available_bytes = u,
        .anon_bytes = u,
        .swap_total_bytes = u,
        .swap_free_bytes = u,
        .swap_in_pages = u,
        .swap_out_pages = u,
        .ksmd_cpu_us = u,
        .cpu_stall_us = u,
        .memory_stall_us = u,
        .steal_us = u,
        .knobs = knobs,
        .initial = knobs,
        .ksm = { u, u, u, u, u, u, u, u, u, u },
    };
}

/**
 * domain_sample_unknown() - a domain of which nothing is known; it may not be merged
 *
 * Whoever makes a sample begins with it, so that what is not filled in is not known.
 */
static inline DomainSample
domain_sample_unknown(void)
{
    const uint64_t u = VALUE_UNKNOWN;

    return (DomainSample){
        .maximum_bytes = u,
        .balloon_bytes = u,
        .found_bytes = u,
        .resident_bytes = u,
        .merging_pages = u,
        .rmap_items = u,
        .unshare_pages = u,
        .weight = 100,
        .wait_us = u,
        .guest_age_us = u,
        .guest_available_bytes = u,
        .guest_usable_bytes = u,
        .guest_unused_bytes = u,
        .guest_caches_bytes = u,
        .guest_swap_in_bytes = u,
        .guest_swap_out_bytes = u,
        .guest_major_faults = u,
        .cgroup_bytes = u,
        .cgroup_file_bytes = u,
        .cgroup_stall_us = u,
        .cgroup_refaults = u,
        .limit_bytes = u,
        .cgroup_highs = u,
        .cgroup_maxes = u,
        .cgroup_ooms = u,
        .working_set_bytes = u,
        .floor_bytes = u,
        .ceiling_bytes = u,
        .shares = SHARES_NORMAL,
    };
}

/* --- what follows from the above; a figure that is not known counts as 0 ------------------- */

/** ksm_merging_pages() - places that share a KSM page: ksm_merging_pages of all processes */
static inline uint64_t
ksm_merging_pages(const KsmCounters *ksm)
{
    return sat_add(known_or(ksm->pages_shared, 0), known_or(ksm->pages_sharing, 0));
}

/** ksm_merged_pages() - these, and places that use the kernel's zero page */
static inline uint64_t
ksm_merged_pages(const KsmCounters *ksm)
{
    return sat_add(ksm_merging_pages(ksm), known_or(ksm->ksm_zero_pages, 0));
}

/** ksm_saved_pages() - pages that merging saves: places beyond the first of each KSM page, and
 * those that use the zero page */
static inline uint64_t
ksm_saved_pages(const KsmCounters *ksm)
{
    return sat_add(known_or(ksm->pages_sharing, 0), known_or(ksm->ksm_zero_pages, 0));
}

/**
 * ksm_recorded_pages() - pages that KSM keeps records of: ksm_rmap_items of all processes
 *
 * Source: mm/ksm.c, pages_volatile_show()
 */
static inline uint64_t
ksm_recorded_pages(const KsmCounters *ksm)
{
    return sat_add(ksm_merging_pages(ksm),
                   sat_add(known_or(ksm->pages_unshared, 0), known_or(ksm->pages_volatile, 0)));
}

/** mechanism_acts() - whether a MechanismMode lets a mechanism do more than observe */
static inline bool
mechanism_acts(uint32_t mode)
{
    return mode != MECHANISM_OFF && mode != MECHANISM_OBSERVE;
}

/** sample_saved_pages() - a domain's part of pages_sharing, by its part of the places that share */
static inline uint64_t
sample_saved_pages(const HostSample *host, const DomainSample *domain)
{
    uint64_t merging_pages = ksm_merging_pages(&host->ksm);

    if (merging_pages == 0)
        return 0;
    return mul_div(known_or(domain->merging_pages, 0), known_or(host->ksm.pages_sharing, 0),
                   merging_pages);
}

/**
 * sample_guest_bytes() - of what is resident of a domain, the most that may be its guest's
 * @fallback: taken for what is resident where that is not known
 *
 * Return: bytes; no more than the balloon leaves it, as QEMU's own memory is resident as well.
 */
static inline uint64_t
sample_guest_bytes(const DomainSample *domain, uint64_t fallback)
{
    return min_u64(known_or(domain->resident_bytes, fallback), domain->balloon_bytes);
}

/** sample_mergeable_pages() - of @bytes of a guest, pages that KSM may merge by its definition */
static inline uint64_t
sample_mergeable_pages(const HostSample *host, const DomainSample *domain, uint64_t bytes)
{
    return mul_div(bytes / host->page_bytes, domain->mergeable_bp, BP_ONE);
}

#endif
