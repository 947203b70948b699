/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample.h - what policy is told: facts about the host and its domains at one moment
 *
 * Plain values, owned by the caller. Bytes, microseconds, basis points. A figure that could not
 * be read, or that this kernel does not have, is VALUE_UNKNOWN.
 */
#ifndef POLICY_SAMPLE_H
#define POLICY_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    uint64_t max_page_sharing;   /* places one KSM page may serve */
    uint64_t merge_across_nodes; /* 0 or 1 */
} KsmCounters;

typedef struct {
    uint64_t now_us;              /* CLOCK_MONOTONIC at the moment of the sample */
    uint32_t cpus;                /* online processors; at least 1 */
    uint32_t page_bytes;          /* size of a page; at least 1 */
    uint64_t mem_total_bytes;     /* MemTotal */
    uint64_t mem_available_bytes; /* MemAvailable */
    uint64_t anon_bytes;          /* AnonPages */
    uint64_t ksmd_cpu_us;         /* run time of ksmd since boot */
    uint64_t cpu_stall_us;        /* since boot, time in which some task waited for a CPU */
    uint64_t memory_stall_us;     /* since boot, time in which some task waited for memory */
    uint64_t steal_us;            /* since boot, CPU time that went to others; this is a guest */
    bool has_ksm;                 /* this kernel has KSM */
    KsmKnobs knobs;               /* settings in force */
    KsmKnobs initial;             /* settings found before our first write */
    KsmCounters ksm;
    uint32_t triggers;   /* events since the last decision that ask for scanning */
    uint32_t departures; /* domains that went away since the last decision */
} HostSample;

typedef struct {
    uint64_t key;            /* of this start of this domain; unique for the life of the agent */
    uint64_t started_us;     /* when the agent first saw this start, CLOCK_MONOTONIC */
    uint64_t maximum_bytes;  /* defined memory */
    uint64_t balloon_bytes;  /* memory left to the guest by its balloon */
    uint64_t resident_bytes; /* resident set of its QEMU process */
    uint64_t merging_pages;  /* of its process (ksm_merging_pages) */
    uint64_t rmap_items;     /* pages of it that KSM keeps records of, 64 bytes each */
    uint32_t mergeable_bp;   /* share of its memory that KSM may merge, from its definition */
    uint32_t weight;         /* configured weight, 100 is normal, 0 counts nothing */
    bool latency_critical;   /* ksmd gives way as soon as it waits for a CPU */
    uint64_t wait_us;        /* time that its threads have waited for a CPU, since they began;
                                told for latency-critical domains only */
} DomainSample;

/* One moment, host and domains. */
typedef struct {
    HostSample host;
    const DomainSample *domains; /* borrowed; n of them */
    size_t n;
} Sample;

#endif
