/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.h - what policy wants: settings with a reason; somebody else applies them
 */
#ifndef POLICY_PLAN_H
#define POLICY_PLAN_H

#include "policy/reason.h"
#include "policy/sample.h"

/* Where the controller of KSM stands. The last four belong to mode classic. */
typedef enum {
    KSM_PHASE_OFF,        /* not driving KSM */
    KSM_PHASE_FIXED,      /* configured settings */
    KSM_PHASE_BURST,      /* something new to merge */
    KSM_PHASE_SETTLE,     /* covered, watching */
    KSM_PHASE_MAINTAIN,   /* looking for churn */
    KSM_PHASE_REST,       /* nothing to gain */
    KSM_PHASE_AGGRESSIVE, /* classic: a tenth of the anonymous pages every millisecond */
    KSM_PHASE_STANDARD,   /* classic: a hundredth every 10 ms */
    KSM_PHASE_SLOW,       /* classic: a five-hundredth every 100 ms */
    KSM_PHASE_INITIAL,    /* classic: settings found at the first start */
    KSM_PHASE_COUNT,
} KsmPhase;

typedef struct {
    KsmPhase phase;
    Reason reason;
    KsmKnobs knobs;        /* wanted; a VALUE_UNKNOWN member is left alone */
    uint64_t debt_pages;   /* input: mergeable pages that two passes have not covered */
    uint64_t budget_bp;    /* input: share of one CPU that ksmd may use, over a minute; 0: none */
    uint64_t duty_bp;      /* share of one CPU that the running pass takes; 0: none is running */
    uint64_t gained_pages; /* input: pages merged since the current burst began */
    uint64_t cost_ns;      /* input: measured cost of one scanned page; 0: not measured yet */
} KsmPlan;

/* How short of memory the host is. */
typedef enum {
    MEMORY_CALM,     /* nothing is wanted back */
    MEMORY_TIGHT,    /* domains are asked for what they do not need */
    MEMORY_CRITICAL, /* and for half of their headroom */
    MEMORY_LEVEL_COUNT,
} MemoryLevel;

/* What the host wants back from its domains, and from whom. */
typedef struct {
    MemoryLevel level;
    Reason reason;          /* of the level; REASON_NONE: nothing was decided of reclaim */
    uint64_t wanted_bytes;  /* in all, beyond what is on its way; 0 while calm */
    uint64_t reclaim_bytes; /* of those, asked of cold reclaim */
    uint64_t balloon_bytes; /* of those, asked of balloons */
} HostPlan;

/* Who may share memory, as far as the host goes; see tenancy.c. */
typedef struct {
    uint32_t rule;           /* TenancyRule in force; never TENANCY_AUTO */
    uint64_t group;          /* that is merged, by rule same-group; 0: none, or another rule */
    bool is_enforced;        /* false: all of this is only reported */
    bool is_paused;          /* scanning stands still until what is pending is as wanted */
    uint32_t pending;        /* domains that may still be merged and should not */
    Reason reason;           /* of the gravest of them; REASON_NONE: there is none */
    uint64_t need_bytes;     /* for copies, of all that are still to be switched off */
    uint64_t headroom_bytes; /* that copies may take */
    uint64_t nodes;          /* for merge_across_nodes, now; VALUE_UNKNOWN: it is left alone */
    Reason nodes_reason;     /* why it is not as configured; REASON_NONE: it is, or may be any */
} TenancyPlan;

typedef enum {
    MERGING_LEAVE, /* not decided, or it cannot be merged anyway */
    MERGING_ON,
    MERGING_OFF,
    MERGING_COUNT,
} Merging;

typedef struct {
    uint64_t key;             /* of the DomainSample this belongs to */
    uint64_t debt_pages;      /* mergeable pages of it that two passes have not covered */
    uint64_t mergeable_pages; /* pages of it that KSM may merge, as far as is known */
    Reason reason;            /* what it contributes, and why */

    uint32_t merge;      /* Merging that the rule of tenancy wants */
    bool merge_apply;    /* to be done now; false: report only, or not yet */
    Reason merge_reason; /* of these */

    uint64_t need_bytes;    /* what it is thought to need, with headroom; VALUE_UNKNOWN */
    uint64_t balloon_bytes; /* wanted balloon; VALUE_UNKNOWN: leave it alone */
    Reason balloon_reason;  /* of that; REASON_NONE: nothing was decided, it stays as it is */
    bool balloon_apply;     /* false: report only */
    bool high_apply;        /* false: report only */
    Reason high_reason;     /* of the next three; REASON_NONE as above */
    uint64_t limit_bytes;   /* wanted memory.high; VALUE_UNKNOWN: leave it alone; LIMIT_NONE: lift
                               ours, back to what was found */
    uint64_t reclaim_bytes; /* for memory.reclaim, now; 0: nothing */
    uint64_t lease_us;      /* the limit is to be lifted at this CLOCK_MONOTONIC unless it is
                               renewed; 0: no limit of ours */
} DomainPlan;

typedef struct {
    KsmPlan ksm;
    HostPlan host;
    TenancyPlan tenancy;
    DomainPlan *domains;   /* caller's array, as long as Sample.domains */
    uint64_t next_tick_us; /* how soon fresh facts are wanted; at least 1 ms */
} Plan;

/**
 * ksm_phase_name() - word for a phase: "burst"
 * @phase: any value; out of range gives "unknown"
 *
 * Return: static text.
 */
const char *ksm_phase_name(KsmPhase phase);

/**
 * memory_level_name() - word for a level: "tight"
 * @level: any value; out of range gives "unknown"
 *
 * Return: static text.
 */
const char *memory_level_name(MemoryLevel level);

#endif
