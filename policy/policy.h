/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.h - from facts to wanted settings, without touching the world
 *
 * One call per tick. The same inputs give the same plan, byte for byte, in the daemon, in the
 * simulator and in the replay of a trace. No clock, no files, no allocation, no failure.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/arith.h"
#include "policy/conf.h"
#include "policy/plan.h"
#include "policy/sample.h"

/*
 * Seconds over which the CPU budget of ksmd is kept. One slot more than the minute that is
 * promised, because the oldest and the newest second of the window are both only partly inside it.
 */
#define CPU_WINDOW_S 61

/* ksmd's run time, second by second, over the last minute. */
typedef struct {
    uint32_t used_us[CPU_WINDOW_S]; /* by second modulo the window */
    uint64_t second;                /* the second that was filled last */
    uint64_t last_cpu_us;           /* counter at the last sample; VALUE_UNKNOWN before the first */
} CpuWindow;

/* How ksmd is kept going through a pass; see pass.c. */
typedef enum {
    PASS_PARKED, /* stands still */
    PASS_CRUISE, /* batch after batch; far from the end */
    PASS_HALT,   /* ends its batch and stands still */
    PASS_STEP,   /* woken for one batch at a time; near the end */
} PassStage;

/* One pass of ksmd over everything, as far as it is followed. */
typedef struct {
    PassStage stage;
    bool aligned;           /* it began where a pass begins; else its end proves nothing */
    bool early;             /* it has begun already, when the one before ran over its end */
    bool chained;           /* the next begins where it ends, as things are now */
    bool closing;           /* what waits was seen once, and this pass skips nothing */
    bool partial;           /* it has skipped: what it was to merge is not all merged by it */
    unsigned beat;          /* 0 or 1; added to the pause, which wakes ksmd when it changes */
    uint64_t scans;         /* full_scans when it began; VALUE_UNKNOWN: not told */
    uint64_t began_us;      /* CLOCK_MONOTONIC */
    uint64_t began_cpu_us;  /* ksmd's run time when it began; VALUE_UNKNOWN */
    uint64_t pages;         /* pages that it is expected to look at */
    uint64_t first_pages;   /* of those, what was expected when it began */
    uint64_t told_pages;    /* pages of all domains that may be merged, as was told last */
    uint64_t absent;        /* of what the last pass expected, pages that there were not */
    uint64_t begun_visited; /* pages_scanned and pages_skipped when it was begun; VALUE_UNKNOWN */
    uint64_t visited;       /* as they were where ksmd came into it, if that was before */
    uint64_t skipped;       /* pages_skipped when it began; VALUE_UNKNOWN */
    uint64_t next_visited;  /* as visited, when the one that began early did so, about */
    uint64_t step_visited;  /* as visited, when the last step was made */
    uint64_t step_cpu_us;   /* run time of ksmd then */
    uint64_t look_visited;  /* as visited, at the last look */
    uint64_t look_skipped;  /* pages_skipped at the last look while cruising */
    uint64_t step_us;       /* CLOCK_MONOTONIC of the last step */
    bool driven;            /* by the last decision ksmd is to scan, not only now and then */
    uint64_t idle_us;       /* CLOCK_MONOTONIC since when it is, or the beginning of the pass */
    uint64_t idle_cpu_us;   /* run time of ksmd then; VALUE_UNKNOWN */
} Pass;

/* Whether what is to be merged has its equals among the merged; see match.c. */
typedef struct {
    bool risks;      /* the pass that is running, or the last one, skips pages that may be equals */
    bool owes;       /* such a pass has ended, and none that skipped nothing since */
    uint64_t due;    /* pages that the running one is to merge; 0: nothing is learnt from it */
    uint64_t merged; /* merged pages when it began */
    uint64_t kept_bp; /* of what was due last, the part that was merged; 0: too little to go by */
} Match;

/* Looking for memory that has changed, at intervals that depend on what that brings. */
typedef struct {
    uint64_t interval_us; /* from the end of one to when the next has gone over everything */
    uint64_t ended_us;    /* CLOCK_MONOTONIC of the last, or of the end of the burst */
    uint64_t cpu_us;      /* ksmd's run time when the running one began; VALUE_UNKNOWN */
    uint64_t merged;      /* merged pages when the running one began */
    uint64_t settled;     /* least pages_volatile since then; VALUE_UNKNOWN: not told */
    uint64_t changed;     /* most pages that it has found changed at a time */
    uint64_t vain;        /* pages that the last one found changed and that brought nothing */
    unsigned parts;       /* into which the first pass is cut */
    unsigned left;        /* passes to go; 0: none is running */
    unsigned more;        /* passes that may follow while more has changed than in vain */
    bool hurry;           /* the rest is not cut: it has found a change, or is wanted soon */
    bool cleanup;         /* only lets ksmd drop what it knows of a domain that is gone */
} Probe;

/* How short the host is; see pressure.c. */
typedef struct {
    uint64_t at_us;           /* CLOCK_MONOTONIC of the last look; 0: none */
    uint64_t cpu_stall_us;    /* counters at the last look; VALUE_UNKNOWN */
    uint64_t memory_stall_us; /* the same */
    uint64_t steal_us;        /* the same */
    uint64_t cpu_bp;          /* share of the time in which tasks waited for a CPU */
    uint64_t memory_bp;       /* share of the time in which tasks waited for memory */
    uint64_t steal_bp;        /* share of the CPUs that was stolen */
    uint64_t wait_bp;         /* waiting of the latency-critical domain that waited most */
} Pressure;

/* What waiting for a pass costs; see price.c. */
typedef struct {
    uint64_t waited;     /* pages times microseconds since the last pass began */
    uint64_t looked_us;  /* CLOCK_MONOTONIC of the last look at growth */
    uint64_t pages;      /* mergeable pages then */
    uint64_t growth;     /* pages that come in a second */
    uint64_t due;        /* pages that the last pass was to merge; 0: too few to learn from */
    uint64_t merged;     /* merged pages when it began */
    uint64_t kept_bp;    /* of what was due lately, the part that was merged; 0: not known yet */
    uint64_t learnt;     /* pages that the last pass was to merge from which that was learnt */
    uint64_t cpu_us;     /* ksmd's run time when the last pass began; VALUE_UNKNOWN */
    uint64_t pass_us;    /* that it was expected to take; 0: learnt from already */
    uint64_t pass_pages; /* mergeable pages then */
    bool defers;         /* what waits is put off until guests are up */
    uint64_t
        deferred_us;  /* CLOCK_MONOTONIC since when it may have been; 0: since the last pass not */
    bool second;      /* the last pass saw most for the first time, and another one follows */
    uint64_t dear_bp; /* what passes have taken lately, of what they were expected to; 0: none */
} Price;

/* What ksmd's work brings; see yield.c. */
typedef struct {
    uint64_t since_cpu_us;  /* ksmd's run time when the work began; VALUE_UNKNOWN */
    uint64_t since_saved;   /* bytes saved then */
    uint64_t since_records; /* bytes that KSM's records took then */
    bool disturbed;         /* a domain went away meanwhile, and its savings with it */
    uint64_t kib_per_s;     /* gained per second of ksmd by the last work; VALUE_UNKNOWN */
} Yield;

/* What the auto controller remembers from tick to tick. */
typedef struct {
    KsmPhase phase;
    uint64_t phase_since_us; /* CLOCK_MONOTONIC */
    uint64_t now_us;         /* of the last decision; 0: none */
    uint64_t trigger_us;     /* last event that asked for scanning; 0: none is open */
    unsigned forced;         /* passes that it still wants, whatever the facts say */
    bool kicked;             /* the first of them at once */
    uint64_t cleanup_us;     /* last departure that ksmd has not cleaned up yet; 0: none */
    Price price;             /* what waiting has cost */
    uint64_t boot_us;        /* age at which guests grew for the last time; 0: not known; boot.c */
    uint64_t burst_merged;   /* merged pages when the current burst began */
    Yield yield;             /* what ksmd's last work brought */
    bool poor;               /* the last burst, and no probe since, brought too little */
    uint64_t last_scanned;   /* pages_scanned at the last sample; VALUE_UNKNOWN: none */
    uint64_t last_cpu_us;    /* ksmd's run time then */
    uint64_t cost_ns;        /* smoothed cost of one scanned page; 0: not measured yet */
    Pass pass;
    Match match;
    Probe probe;
} KsmAuto;

/* What the classic ladder remembers. */
typedef struct {
    uint64_t trigger_us; /* last trigger; 0: none yet */
} KsmClassic;

/* How short of memory the host is, and how it swaps; see memory.c. */
typedef struct {
    MemoryLevel level;
    uint64_t better_us;          /* CLOCK_MONOTONIC since which a lower level would do; 0: it
                                    would not */
    uint64_t at_us;              /* CLOCK_MONOTONIC of the last look at the counters; 0: none */
    uint64_t swap_in_pages;      /* counter then; VALUE_UNKNOWN */
    uint64_t swap_out_pages;     /* counter then; VALUE_UNKNOWN */
    uint64_t swap_in_rate;       /* bytes per second that came back from swap before then */
    uint64_t swap_budget_bytes;  /* that may go to swap now */
    uint64_t swap_planned_bytes; /* of reclaim that was planned since then */
    uint64_t unmet_bytes;        /* that domains lack and did not get at the last decision */
    uint64_t available_bytes;    /* at that look; VALUE_UNKNOWN */
    uint64_t fall_rate;          /* bytes per second by which it fell before then */
    uint64_t soon_bytes;         /* by which it falls before balloons answer, if it goes on so */
} MemoryState;

/* Which group is merged, see group.c, and whether all are parted, see nodes.c. */
typedef struct {
    uint64_t group;      /* rule same-group: that one; 0: none was chosen yet */
    uint64_t since_us;   /* CLOCK_MONOTONIC of the choice */
    uint64_t looked_us;  /* CLOCK_MONOTONIC of the last look whether another is better */
    uint64_t parting_us; /* CLOCK_MONOTONIC since when all are parted for merge_across_nodes; 0:
                            they are not */
    uint64_t parted_us;  /* CLOCK_MONOTONIC when that was given up last; 0: it was not */
} TenancyState;

/* What merging a domain has brought, see group.c, and whether it is left out, see distil.c. */
typedef struct {
    uint64_t share_bp;  /* of its memory, what it saved when it was merged last */
    bool is_measured;   /* share_bp is filled */
    bool was_off;       /* it was switched off at the last look */
    uint64_t on_us;     /* CLOCK_MONOTONIC when it was switched on last; 0: never */
    uint64_t stuck_us;  /* CLOCK_MONOTONIC since when it cannot be switched off; 0: it can */
    uint64_t parked_us; /* CLOCK_MONOTONIC since when it is left out; 0: it is not */
    uint32_t parks;     /* times that it was, without having paid in between */
} TenancyTrack;

/* A slot of the table of groups; lives while one is chosen. See group.c. */
typedef struct {
    uint32_t first;       /* as a bucket: 1 + number of the slot of its first group; 0: none */
    uint32_t next;        /* 1 + number of the slot of the bucket's next group; 0: none */
    uint64_t group;       /* number of the group that is summed here; 0: none */
    uint32_t members;     /* domains of it */
    bool may_merge;       /* one of them at least, as far as its metadata goes */
    uint64_t saved_pages; /* that those are known to save when they are merged */
    uint64_t new_pages;   /* mergeable pages of the others */
} GroupSum;

/* What a guest has told of its need; see need.c. */
typedef struct {
    uint64_t told_us;        /* CLOCK_MONOTONIC of what it told last; 0: nothing yet */
    uint64_t swap_in_bytes;  /* counter then; VALUE_UNKNOWN */
    uint64_t swap_out_bytes; /* counter then; VALUE_UNKNOWN */
    uint64_t major_faults;   /* counter then; VALUE_UNKNOWN */
    uint64_t used_bytes;     /* what it used then; VALUE_UNKNOWN */
    uint64_t soon_bytes;     /* what it will take before more can be there, if that is more than is
                                usable; 0: it is not */
    uint64_t rate_bytes_s;   /* by which that grew since it told before, in a second */
    uint64_t pace_bytes_s;   /* by which it was seen to grow, in a second; forgotten slowly */
    bool is_short;           /* it was short then */
    bool is_dire;            /* and about to kill its programs */
    uint64_t short_us;       /* CLOCK_MONOTONIC of the last time that it was; 0: never */
    uint64_t short_bytes;    /* what its balloon left it when it was, the most lately */
    uint64_t reserve_bytes;  /* of its memory that the guest keeps from its own accounts */
    bool counts_all;         /* it counts what its balloon has taken as its own, in use */
    uint64_t told_bytes;     /* need as told, smoothed downwards; 0: none yet */
    uint64_t bare_bytes;     /* need without headroom, by all that is known; 0: none yet */
    uint64_t now_bytes;      /* of it, what the guest needs as it told last, whatever was before */
    uint64_t least_bytes;    /* what a host that is critical leaves it, if its need is known */
} NeedTrack;

/* What has been done to a balloon; see motion.c. */
typedef struct {
    uint64_t seen_bytes;     /* at the last look; 0: not seen yet */
    uint64_t moved_us;       /* CLOCK_MONOTONIC of the last look at which it had moved; 0: never */
    uint64_t asked_bytes;    /* where it is on its way to; 0: nowhere */
    uint64_t acted_us;       /* CLOCK_MONOTONIC of the last step that was asked for; 0: none */
    uint64_t left_bytes;     /* of the way, at the last progress */
    uint64_t progress_us;    /* CLOCK_MONOTONIC of that */
    bool stuck;              /* asked, and hardly moved */
    bool waits;              /* what was asked had not been passed on at the last look */
    uint64_t promise_bytes;  /* given and not touched yet */
    uint64_t resident_bytes; /* resident set at the last look; VALUE_UNKNOWN */
    uint64_t from_us;        /* CLOCK_MONOTONIC since when its speed is measured; 0: it is not */
    uint64_t from_bytes;     /* and where it was then */
    uint64_t speed_bytes_s;  /* how fast it is, in a second; 0: not known, or fast */
} BalloonTrack;

/* What has been done to a cgroup; see high.c. */
typedef struct {
    uint64_t at_us;       /* CLOCK_MONOTONIC of the counters below; 0: none */
    uint64_t stall_us;    /* counter then; VALUE_UNKNOWN */
    uint64_t refaults;    /* counter then; VALUE_UNKNOWN */
    uint64_t highs;       /* counter then; VALUE_UNKNOWN */
    uint64_t maxes;       /* counter then; VALUE_UNKNOWN */
    uint64_t ooms;        /* counter then; VALUE_UNKNOWN */
    Reason hurt_by;       /* why it was let go, lately; REASON_NONE: it fares well */
    uint64_t limit_bytes; /* ours, in force; 0: none */
    uint64_t goal_bytes;  /* where it is on its way to, at most limit_bytes */
    uint64_t rested_us;   /* CLOCK_MONOTONIC of the last probe, or of when it hurt last; 0: none */
    uint64_t pause_us;    /* from then to the next probe; 0: the usual */
    uint64_t taken_pages; /* by its last probes, older ones counting less */
    uint64_t back_pages;  /* that came back meanwhile, likewise */
    uint64_t back_count;  /* counter of refaults at the last probe; VALUE_UNKNOWN */
} HighTrack;

/* An offer to a rule that chooses between domains; lives for a part of one decision. See bid.c. */
typedef struct {
    uint64_t rank;      /* who comes first; the highest does */
    uint64_t bytes;     /* offered, or asked for; 0: no bid */
    uint64_t got_bytes; /* what the rule took of it, or gave */
    bool dry;           /* of a domain that is only observed */
} Bid;

/* How a guest comes up; see boot.c. */
typedef struct {
    uint64_t seen_bytes; /* resident when it had grown last; 0: not seen yet */
    uint64_t grown_us;   /* CLOCK_MONOTONIC when it was seen to have grown last; 0: never */
    bool is_up;          /* it has stood still for a while */
} BootTrack;

/* What policy remembers of one start of one domain; see debt.c. */
typedef struct {
    uint64_t key;         /* DomainSample.key it belongs to; 0: not seen by policy yet */
    uint64_t begun_bytes; /* resident when the running pass, or the last one, began */
    uint64_t once_bytes;  /* of its resident memory, what one whole pass has seen */
    uint64_t twice_bytes; /* and what two have seen: covered */
    bool open;            /* debt is open */
    uint64_t open_value;  /* of it, what it is expected to bring, in pages; see debt.c */
    BootTrack boot;
    TenancyTrack tenancy;
    uint64_t wait_us; /* DomainSample.wait_us at the last look of pressure.c */
    NeedTrack need;
    BalloonTrack balloon;
    HighTrack high;
    Bid bid;
    GroupSum sum;
} DomainTrack;

typedef struct {
    unsigned mode;    /* KsmMode that the rest belongs to */
    CpuWindow window; /* what ksmd has used, in any mode */
    Pressure pressure;
    KsmAuto ksm_auto;
    KsmClassic classic;
    MemoryState memory;
    TenancyState tenancy;
    DomainTrack *domains; /* caller's array, in the order of Sample.domains */
} PolicyState;

/**
 * policy_init() - the state before the first decision
 * @state: overwritten; its domains pointer is set to NULL
 */
void policy_init(PolicyState *state);

/**
 * policy_decide() - one decision
 * @conf:   validated settings (within the ranges of policy_knobs())
 * @sample: facts of this moment
 * @state:  memory from tick to tick; @state->domains has one element per domain of @sample, all
 *          zero for a domain that is new. Its elements are updated in place.
 * @plan:   overwritten; @plan->domains must have one element per domain of @sample
 */
void policy_decide(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

#endif
