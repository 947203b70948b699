/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conf.h - settings of the policy library and the rows that describe them
 */
#ifndef POLICY_CONF_H
#define POLICY_CONF_H

#include "policy/knob.h"

typedef enum {
    KSM_MODE_AUTO,    /* closed loop */
    KSM_MODE_CLASSIC, /* timed ladder of the original throttler */
    KSM_MODE_FIXED,   /* configured settings */
    KSM_MODE_OBSERVE, /* decide as auto, write nothing */
    KSM_MODE_OFF,     /* settings as found */
    KSM_MODE_COUNT,
} KsmMode;

/** ksm_mode_drives() - whether KSM is driven in a mode; if not, it is as it was found */
static inline bool
ksm_mode_drives(KsmMode mode)
{
    return mode != KSM_MODE_OFF && mode != KSM_MODE_OBSERVE;
}

/* What becomes of the kernel's use_zero_pages. */
typedef enum {
    ZERO_PAGES_AS_FOUND, /* left alone */
    ZERO_PAGES_ON,       /* pages of zeros use the kernel's zero page */
    ZERO_PAGES_OFF,      /* pages of zeros merge with each other, as all pages do */
    ZERO_PAGES_COUNT,
} ZeroPages;

/* What becomes of the kernel's merge_across_nodes. */
typedef enum {
    NODES_AS_FOUND, /* left alone */
    NODES_TOGETHER, /* equal pages are merged wherever they are */
    NODES_APART,    /* only those on the same NUMA node */
    NODES_COUNT,
} MergeNodes;

/* Whether a mechanism is used. */
typedef enum {
    ENABLE_NO,      /* leave every domain alone */
    ENABLE_OBSERVE, /* decide and report, write nothing */
    ENABLE_YES,     /* where a domain's metadata does not say otherwise */
    ENABLE_COUNT,
} Enable;

/* Which domains may share memory with each other; see tenancy.c. */
typedef enum {
    TENANCY_AUTO,       /* same-group once any group is declared, all until then */
    TENANCY_SAME_GROUP, /* one group at a time */
    TENANCY_ALL,        /* everybody */
    TENANCY_LISTED,     /* who has opted in */
    TENANCY_NONE,       /* nobody */
    TENANCY_RULE_COUNT,
} TenancyRule;

/* Whether domains are switched by the rule. */
typedef enum {
    TENANCY_ENFORCE_NO, /* only reported */
    TENANCY_ENFORCE_YES,
    TENANCY_ENFORCE_COUNT,
} TenancyEnforce;

typedef struct {
    unsigned mode;               /* KsmMode */
    unsigned use_zero_pages;     /* ZeroPages; modes auto and fixed */
    unsigned merge_across_nodes; /* MergeNodes; modes auto, classic and fixed */
    unsigned balloon_enable;     /* Enable */
    unsigned high_enable;        /* Enable */
    unsigned tenancy_rule;       /* TenancyRule */
    unsigned tenancy_enforce;    /* TenancyEnforce */

    /* auto */
    uint64_t cpu_burst_bp;    /* of one CPU, over any minute while debt is open; 0: by CPUs */
    uint64_t cpu_idle_bp;     /* of one CPU, while covered */
    uint64_t cpu_pressure_bp; /* time in which tasks wait for a CPU, from which ksmd gives way */
    uint64_t memory_low_bp;   /* share of memory available below which merging does not wait */
    uint64_t batch_pages;     /* pages per batch while bursting */
    uint64_t settle_ms;       /* how long to watch after coverage is complete */
    uint64_t churn_s;         /* time within which changed memory is found */
    uint64_t growth_kib;      /* growth of a resident set that counts as new memory */
    uint64_t cpu_price;       /* MiB times seconds of waiting that a second of ksmd is worth */
    uint64_t yield_floor;     /* MiB gained per second of ksmd below which it rests */

    /* classic */
    uint64_t aggressive_s;       /* length of the stage, seconds */
    uint64_t standard_s;         /* length of the stage, seconds */
    uint64_t slow_s;             /* length of the stage, seconds */
    uint64_t aggressive_divisor; /* anonymous pages divided by this are scanned per batch */
    uint64_t standard_divisor;   /* the same for the second stage */
    uint64_t slow_divisor;       /* the same for the third stage */
    uint64_t aggressive_ms;      /* pause between batches */
    uint64_t standard_ms;        /* the same for the second stage */
    uint64_t slow_ms;            /* the same for the third stage */

    /* fixed */
    uint64_t fixed_pages;    /* pages per batch */
    uint64_t fixed_sleep_ms; /* pause between batches */

    /* how short the host is */
    uint64_t memory_tight_bp;    /* share of memory available below which the host is tight */
    uint64_t memory_critical_bp; /* and below which its state is critical */
    uint64_t calm_s;             /* how long it must be better before the level falls by one */

    /* balloons; shares of a domain's maximum unless something else is named */
    uint64_t balloon_floor_bp;     /* left to a domain whose metadata does not say more or less */
    uint64_t balloon_headroom_bp;  /* of the need: granted beyond it */
    uint64_t balloon_grow_bp;      /* largest step up */
    uint64_t balloon_shrink_bp;    /* largest step down */
    uint64_t balloon_dead_band_bp; /* differences below this are left as they are */
    uint64_t balloon_dwell_s;      /* least time between an action and the next step down */
    uint64_t balloon_idle_tax_bp;  /* of idle memory: the dearer, the sooner it is taken */
    uint64_t balloon_stuck_s;      /* without progress for so long, a balloon is stuck */

    /* cold reclaim */
    uint64_t high_step_bp;   /* of a domain's usage, per probe */
    uint64_t high_stall_bp;  /* share of the time that a domain may wait for memory */
    uint64_t high_refault;   /* pages per second that may come back to a domain */
    uint64_t high_dwell_s;   /* least time between two probes of a domain */
    uint64_t high_swap_rate; /* MiB per second that may go to swap, of the whole host */
    uint64_t high_lease_s;   /* a limit that is not renewed for so long is lifted */

    /* tenancy */
    uint64_t tenancy_dwell_s; /* how long a group is merged at least */
    uint64_t park_floor_mib;  /* what a domain has to gain, net, not to be left out */
    uint64_t park_retry_s;    /* how long it is left out, the first time; 0: nobody is */
} PolicyConf;

/* Words for KsmMode, in its order, NULL-terminated. */
extern const char *const ksm_mode_words[];

/* Words for ZeroPages, in its order, NULL-terminated. */
extern const char *const zero_pages_words[];

/* Words for MergeNodes, in its order, NULL-terminated. */
extern const char *const merge_nodes_words[];

/* Words for Enable, in its order, NULL-terminated. */
extern const char *const enable_words[];

/* Words for TenancyRule, in its order, NULL-terminated. */
extern const char *const tenancy_rule_words[];

/* Words for TenancyEnforce, in its order, NULL-terminated. */
extern const char *const tenancy_enforce_words[];

/**
 * policy_knobs() - the rows that describe PolicyConf
 * @ret_n: number of rows
 *
 * Return: static table; Knob.offset is within PolicyConf.
 */
const Knob *policy_knobs(size_t *ret_n);

/**
 * policy_conf_default() - settings of an empty configuration file
 * @conf: filled
 *
 * Reads the same rows that the configuration file is checked against.
 */
void policy_conf_default(PolicyConf *conf);

/** policy_conf_enable() - what becomes of a mechanism that is enabled so: in mode observe it is
 * observed at most */
Enable policy_conf_enable(const PolicyConf *conf, unsigned enable);

/** policy_conf_reclaims() - whether balloon or memory_high is enabled, if only to observe */
bool policy_conf_reclaims(const PolicyConf *conf);

#endif
