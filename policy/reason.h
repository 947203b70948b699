/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reason.h - why a decision was taken, in words that log, metrics and explain share
 */
#ifndef POLICY_REASON_H
#define POLICY_REASON_H

typedef enum {
    REASON_NONE,              /* no decision yet */
    REASON_NO_KSM,            /* the kernel has no KSM */
    REASON_MODE_OFF,          /* mode off: settings as found */
    REASON_MODE_FIXED,        /* mode fixed: configured settings */
    REASON_TRIGGER,           /* an event asked for scanning; facts follow */
    REASON_DEBT,              /* memory that two passes have not covered yet */
    REASON_GATHERING,         /* debt is open, too little waits to be worth a pass yet */
    REASON_BOOTING,           /* debt is open, of guests that come up: it waits until they are */
    REASON_CPU_BUDGET,        /* debt is open, ksmd has used its CPU budget of the last minute */
    REASON_CPU_PRESSURE,      /* debt is open, others wait for the CPUs: a pass has to bring more */
    REASON_LATENCY,           /* debt is open, a latency-critical domain waits for a CPU */
    REASON_MEMORY_LOW,        /* debt is open and memory is short: as fast as the budget allows */
    REASON_SETTLING,          /* covered; watching whether anything still moves */
    REASON_CHURN_WATCH,       /* covered and paying: look for changes slowly */
    REASON_NO_DOMAIN,         /* nothing runs that could be merged */
    REASON_NOTHING_MERGEABLE, /* domains run, none of their memory may be merged */
    REASON_WEIGHT_ZERO,       /* the domain's weight says that it does not count */
    REASON_NO_PROFIT,         /* merging brings less than its records cost */
    REASON_LOW_YIELD,         /* the last work brought less than yield_floor */
    REASON_PROBE,             /* covered; a pass in parts looks for what has changed */
    REASON_CLEANUP,           /* a domain went away: let ksmd drop its records */
    REASON_LADDER_TRIGGER,    /* classic: triggered within the first interval */
    REASON_LADDER_STANDARD,   /* classic: no trigger since the first interval */
    REASON_LADDER_SLOW,       /* classic: no trigger since the second interval */
    REASON_LADDER_INITIAL,    /* classic: no trigger since the third interval */
    REASON_FACT_MISSING,      /* a figure the rule needs could not be read: leave as is */
    REASON_MECHANISM_OFF,     /* the mechanism is off: by configuration, or for this domain */
    REASON_CALM,              /* the host has memory to spare: nothing is taken */
    REASON_HOLD_STILL,        /* migration, restore, snapshot, pause, a job: nothing may move */
    REASON_FIXED_MEMORY,      /* passthrough, locked, huge or confidential memory */
    REASON_NO_BALLOON,        /* it has no balloon device */
    REASON_VIRTIO_MEM,        /* it has memory that its balloon cannot move */
    REASON_STATS_STALE,       /* the guest has told nothing of its memory lately */
    REASON_STATS_ABSURD,      /* what the guest tells of its memory cannot be true */
    REASON_FOREIGN,           /* somebody else changed it */
    REASON_WAITING,           /* what was asked has not been passed on yet */
    REASON_REFUSED,           /* libvirt does not do what was asked */
    REASON_STUCK,             /* its balloon was asked to move and hardly does */
    REASON_DWELL,             /* the last step is too fresh to be judged */
    REASON_DEAD_BAND,         /* too little to be worth a step */
    REASON_AT_FLOOR,          /* it has no more than its floor */
    REASON_AT_CEILING,        /* short, and at its ceiling or maximum */
    REASON_GUEST_SHORT,       /* the guest itself is short of memory */
    REASON_TAKE,              /* memory that it does not need is taken */
    REASON_GIVE_BACK,         /* memory is given to it */
    REASON_PROBE_DOWN,        /* a little of its memory is reclaimed */
    REASON_BACK_OFF,          /* it waits for memory, or memory comes back */
    REASON_NO_SWAP,           /* there is no swap to take its memory */
    REASON_SWAP_RATE,         /* the host writes to swap as fast as it may */
    REASON_IDLE_FIRST,        /* its balloon can give memory that it does not use at all */
    REASON_NO_CGROUP,         /* its cgroup cannot be limited or is not known */
    REASON_HOST_TIGHT,        /* the host is short of memory */
    REASON_HOST_CRITICAL,     /* the host has almost no memory left */
    REASON_IN_USE,            /* it has used nearly all that is resident lately */
    REASON_SWITCHED_OFF,      /* merging of it is switched off */
    REASON_TENANCY,           /* no scanning until what must not be merged is off */
    REASON_MERGED_ALL,        /* all domains may share memory */
    REASON_MERGED_GROUP,      /* its group is the one that is merged */
    REASON_MERGED_LISTED,     /* it has opted in */
    REASON_MERGED_NONE,       /* no domain may share memory */
    REASON_OTHER_GROUP,       /* another group is merged */
    REASON_NOT_LISTED,        /* it has not opted in */
    REASON_OPTED_OUT,         /* its metadata says that it must not be merged */
    REASON_PARKED,            /* it gains too little to be scanned */
    REASON_PAGES_MERGED,      /* merge_across_nodes cannot change while pages are merged */
    REASON_OTHERS_MERGED,     /* nor while processes that are no domains have much merged */
    REASON_NODES,             /* all are parted, so that it can change */
    REASON_MERGE_WAIT,        /* its turn comes when others are off, or it is being switched */
    REASON_UNDECIDED,         /* its definition is not known yet */
    REASON_MERGE_STUCK,       /* it cannot be switched */
    REASON_NO_HEADROOM,       /* there is no memory for the copies that switching it off makes */
    REASON_HOST_FILLS,        /* the host will be short before balloons can answer */
    REASON_HARD_LIMIT,        /* its cgroup is at its hard limit, or out of memory */
    REASON_REPORTS_FREE,      /* its guest has given back what it does not use by itself */
    REASON_COUNT,
} Reason;

/**
 * reason_name() - short word for programs: "debt"
 * @reason: any value; out of range gives "unknown"
 *
 * Return: static text.
 */
const char *reason_name(Reason reason);

/**
 * reason_text() - one sentence for people
 * @reason: any value; out of range gives the text for "unknown"
 *
 * Return: static text.
 */
const char *reason_text(Reason reason);

/**
 * reason_change() - what would lead to another decision
 * @reason: any value; out of range gives "unknown"
 *
 * Return: static text, no whole sentence: "a domain that starts".
 */
const char *reason_change(Reason reason);

/**
 * reason_bound() - the setting whose bound held
 * @reason: any value
 *
 * Return: static key of a row of policy_knobs(): "cpu_burst" in [ksm], "balloon.shrink" with its
 * section in any other; NULL: no bound did.
 */
const char *reason_bound(Reason reason);

#endif
