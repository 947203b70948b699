/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_classic.c - mode classic: the timed ladder of the original KSM throttler
 *
 *   any state --trigger--> aggressive --30 s--> standard --120 s--> slow --120 s--> initial
 *
 * Aggressive scans a tenth of the anonymous pages every millisecond, standard a hundredth every
 * 10 ms, slow a five-hundredth every 100 ms; initial is what was found at the very first start.
 * The stage is a function of the time since the last trigger alone, so a late or missed tick
 * never leaves the ladder on the wrong rung. Nothing is measured; that is its flaw, and the
 * reason why mode auto exists. Kept because its users know it, and as the measure of auto.
 *
 * Source: README of the Kata Containers KSM throttler, "Throttling algorithm".
 */
#include "policy/rule.h"

/* The end of a stage is not worth more haste. */
#define TICK_MIN_US US_PER_MS

typedef struct {
    uint64_t ends_us;  /* time since the trigger at which the stage is over */
    uint64_t divisor;  /* of the anonymous pages */
    uint64_t sleep_ms; /* pause between batches */
    KsmPhase phase;
    Reason reason;
} Stage;

#define STAGE_COUNT 3

static void
stages_fill(const PolicyConf *conf, Stage stages[STAGE_COUNT])
{
    uint64_t aggressive_us = conf->aggressive_s * US_PER_S;
    uint64_t standard_us = aggressive_us + conf->standard_s * US_PER_S;
    uint64_t slow_us = standard_us + conf->slow_s * US_PER_S;

    stages[0] = (Stage){ aggressive_us, conf->aggressive_divisor, conf->aggressive_ms,
                         KSM_PHASE_AGGRESSIVE, REASON_LADDER_TRIGGER };
    stages[1] = (Stage){ standard_us, conf->standard_divisor, conf->standard_ms, KSM_PHASE_STANDARD,
                         REASON_LADDER_STANDARD };
    stages[2] =
        (Stage){ slow_us, conf->slow_divisor, conf->slow_ms, KSM_PHASE_SLOW, REASON_LADDER_SLOW };
}

/* A batch is never empty: pages_to_scan = 0 is accepted by the kernel and scans nothing. */
static uint64_t
batch_pages(const HostSample *host, uint64_t divisor)
{
    uint64_t pages = host->anon_bytes / host->page_bytes / divisor;

    return clamp_u64(pages, 1, UINT32_MAX);
}

static void
plan_initial(const HostSample *host, Reason reason, Plan *plan)
{
    plan->ksm.phase = KSM_PHASE_INITIAL;
    plan->ksm.reason = reason;
    plan->ksm.knobs = ksm_initial(host);
}

static void
plan_stage(const HostSample *host, const Stage *stage, Plan *plan)
{
    plan->ksm.phase = stage->phase;
    plan->ksm.reason = stage->reason;
    plan->ksm.knobs.run = KSM_RUN_MERGE;
    plan->ksm.knobs.sleep_ms = stage->sleep_ms;
    plan->ksm.knobs.smart_scan = host->initial.smart_scan; /* another mode may have moved it */
    plan->ksm.knobs.use_zero_pages = host->initial.use_zero_pages;
    if (is_known(host->anon_bytes))
        plan->ksm.knobs.pages_to_scan = batch_pages(host, stage->divisor);
    else
        plan->ksm.reason = REASON_FACT_MISSING;
}

void
ksm_classic_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    const HostSample *host = &sample->host;
    Stage stages[STAGE_COUNT];
    uint64_t elapsed_us;

    if (host->triggers > 0)
        state->classic.trigger_us = max_u64(host->now_us, 1);
    if (state->classic.trigger_us == 0) {
        plan_initial(host, sample->n == 0 ? REASON_NO_DOMAIN : REASON_LADDER_INITIAL, plan);
        return;
    }
    stages_fill(conf, stages);
    elapsed_us = sat_sub(host->now_us, state->classic.trigger_us);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        if (elapsed_us >= stages[i].ends_us)
            continue;
        plan_stage(host, &stages[i], plan);
        plan->next_tick_us =
            clamp_u64(stages[i].ends_us - elapsed_us, TICK_MIN_US, plan->next_tick_us);
        return;
    }
    plan_initial(host, REASON_LADDER_INITIAL, plan);
}
