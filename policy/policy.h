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

/* What the auto controller remembers from tick to tick. */
typedef struct {
    KsmPhase phase;
    uint64_t phase_since_us; /* CLOCK_MONOTONIC */
    uint64_t trigger_us;     /* last event that asked for scanning; 0: none is open */
    uint64_t cleanup_us;     /* last departure that ksmd has not cleaned up yet; 0: none */
    uint64_t burst_merged;   /* merged pages when the current burst began */
    uint64_t last_scanned;   /* pages_scanned at the last sample; VALUE_UNKNOWN: none */
    uint64_t last_cpu_us;    /* ksmd's run time then */
    uint64_t cost_ns;        /* smoothed cost of one scanned page; 0: not measured yet */
} KsmAuto;

/* What the classic ladder remembers. */
typedef struct {
    uint64_t trigger_us; /* last trigger; 0: none yet */
} KsmClassic;

/* What policy remembers of one start of one domain. */
typedef struct {
    uint64_t key;        /* DomainSample.key it belongs to; 0: not seen by policy yet */
    uint64_t base_bytes; /* resident set when debt was last opened */
    uint64_t paid_scans; /* full_scans at which the debt is paid; VALUE_UNKNOWN: not told yet */
    bool open;           /* debt is open */
} DomainTrack;

typedef struct {
    unsigned mode;    /* KsmMode that the rest belongs to */
    CpuWindow window; /* what ksmd has used, in any mode */
    KsmAuto ksm_auto;
    KsmClassic classic;
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
