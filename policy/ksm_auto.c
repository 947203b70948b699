/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_auto.c - mode auto: scan as fast as the budget allows while it brings something
 *
 *              trigger or debt                     covered
 *   rest ---------------------------> burst --------------------> settle
 *    ^                                 ^  ^                          |
 *    |                                 |  +------ debt again --------+
 *    |                                 |                             | settle_ms without
 *    |        nothing to gain          +---- debt ---- maintain <----+
 *    +-----------------------------------------------------+
 *
 * Debt (debt.c) says what is still to be merged, ksmd's own run time (cpu_window.c) says what may
 * be spent on it. A burst uses large batches without a pause until the budget of the last minute
 * is used up; a small debt is scanned more gently, since it is paid in no time anyway. When
 * nothing is owed any more, settle watches for memory that still grows; maintain then looks for
 * churn so slowly that two passes fit into churn_s, or into cpu_idle_bp if that is less. Rest
 * stops ksmd: merged pages stay merged with run at 0.
 *
 * An event without facts (a start that was seen a moment ago) holds the burst open for a short
 * while, in which the facts arrive and open a debt, or do not.
 */
#include "policy/cpu_window.h"
#include "policy/debt.h"
#include "policy/rule.h"

#define US_PER_S  UINT64_C(1000000)
#define US_PER_MS UINT64_C(1000)

/* How long an event alone keeps the burst going: several ticks, so that facts have arrived. */
#define TRIGGER_HOLD_US (3 * US_PER_S)
/* How long ksmd is left running after a domain went away, to drop its records of it. */
#define CLEANUP_US (5 * US_PER_S)
/* A debt worth this much CPU time, or more, is scanned as fast as the budget allows. */
#define FULL_SPEED_US (200 * US_PER_MS)
/* Two passes over a new page: about 1 us for the checksum and 5 us for the comparison. */
#define COST_TWO_PASSES_NS UINT64_C(6000)
/* Cost of a page before it has been measured here: between unique and merged. */
#define COST_DEFAULT_NS UINT64_C(2500)
/* No page costs as much; what does is a counter that jumped. */
#define COST_MAX_NS UINT64_C(1000000)
/* A figure of cost needs this many pages, or the clock's grain shows in it. */
#define COST_MIN_PAGES UINT64_C(1000)
/* CPU time left in the window at which a burst begins to be stretched. */
#define STRETCH_US (1 * US_PER_S)
/* Slowest burst. */
#define DUTY_MIN_BP UINT64_C(500)
/* Longest pause of a burst, so that a changed budget acts soon (a new pause acts at once). */
#define SLEEP_MAX_MS UINT64_C(1000)
/* Size of one of KSM's records. Source: struct ksm_rmap_item, Documentation/.../ksm.rst */
#define RMAP_ITEM_BYTES  UINT64_C(64)

#define TICK_BURST_US    (250 * US_PER_MS)
#define TICK_SETTLE_US   (1 * US_PER_S)
#define TICK_MAINTAIN_US (10 * US_PER_S)
#define TICK_REST_US     (10 * US_PER_S)

static uint64_t
merged_pages(const HostSample *host)
{
    return sat_add(sat_add(known_or(host->ksm.pages_shared, 0),
                           known_or(host->ksm.pages_sharing, 0)),
                   known_or(host->ksm.ksm_zero_pages, 0));
}

static uint64_t
recorded_pages(const HostSample *host)
{
    return sat_add(
        sat_add(known_or(host->ksm.pages_shared, 0), known_or(host->ksm.pages_sharing, 0)),
        sat_add(known_or(host->ksm.pages_unshared, 0), known_or(host->ksm.pages_volatile, 0)));
}

static bool
is_profitable(const HostSample *host)
{
    uint64_t saved =
        sat_add(known_or(host->ksm.pages_sharing, 0), known_or(host->ksm.ksm_zero_pages, 0));

    return mul_div(saved, host->page_bytes, 1) > mul_div(recorded_pages(host), RMAP_ITEM_BYTES, 1);
}

static uint64_t
burst_budget_bp(const PolicyConf *conf, const HostSample *host)
{
    if (conf->cpu_burst > 0)
        return conf->cpu_burst * 100;
    if (host->cpus <= 1)
        return BP_ONE / 4;
    return host->cpus <= 4 ? BP_ONE / 2 : BP_ONE;
}

/* Learn what a page costs here, from what ksmd did since the last tick. */
static void
measure_cost(KsmAuto *a, const HostSample *host)
{
    uint64_t scanned = host->ksm.pages_scanned;
    uint64_t cpu_us = host->ksmd_cpu_us;

    if (is_known(scanned) && is_known(cpu_us) && is_known(a->last_scanned) &&
        scanned >= sat_add(a->last_scanned, COST_MIN_PAGES) && cpu_us > a->last_cpu_us) {
        uint64_t now_ns = mul_div(cpu_us - a->last_cpu_us, 1000, scanned - a->last_scanned);

        now_ns = clamp_u64(now_ns, 1, COST_MAX_NS);
        a->cost_ns = a->cost_ns == 0 ? now_ns : (a->cost_ns * 3 + now_ns) / 4;
    }
    if (is_known(scanned) && is_known(cpu_us) &&
        (!is_known(a->last_scanned) || scanned < a->last_scanned ||
         scanned >= sat_add(a->last_scanned, COST_MIN_PAGES))) {
        a->last_scanned = scanned;
        a->last_cpu_us = cpu_us;
    }
}

static uint64_t
cost_ns(const KsmAuto *a)
{
    return a->cost_ns > 0 ? a->cost_ns : COST_DEFAULT_NS;
}

static void
enter(KsmAuto *a, KsmPhase phase, const HostSample *host)
{
    if (a->phase == phase)
        return;
    if (phase == KSM_PHASE_BURST)
        a->burst_merged = merged_pages(host);
    a->phase = phase;
    a->phase_since_us = host->now_us;
}

static void
note_events(KsmAuto *a, const HostSample *host)
{
    if (host->triggers > 0)
        a->trigger_us = max_u64(host->now_us, 1);
    else if (a->trigger_us > 0 && sat_sub(host->now_us, a->trigger_us) >= TRIGGER_HOLD_US)
        a->trigger_us = 0;
    if (host->departures > 0)
        a->cleanup_us = max_u64(host->now_us, 1);
    else if (a->cleanup_us > 0 && sat_sub(host->now_us, a->cleanup_us) >= CLEANUP_US)
        a->cleanup_us = 0;
}

/* Share of a CPU at which to scan now. */
static uint64_t
burst_duty_bp(const KsmAuto *a, const Debt *debt, uint64_t left_us)
{
    uint64_t duty_bp = BP_ONE;

    if (a->trigger_us == 0) {
        uint64_t work_us = mul_div(debt->open_pages, COST_TWO_PASSES_NS, 1000);

        duty_bp = clamp_u64(mul_div(work_us, BP_ONE, FULL_SPEED_US), DUTY_MIN_BP, BP_ONE);
    }
    return min_u64(duty_bp, mul_div(left_us, BP_ONE, STRETCH_US));
}

/* Pause that gives batches of @pages the share @duty_bp of a CPU; duty 0 parks ksmd. */
static uint64_t
pause_ms(const KsmAuto *a, uint64_t pages, uint64_t duty_bp)
{
    uint64_t batch_us = mul_div(pages, cost_ns(a), 1000);

    if (duty_bp >= BP_ONE)
        return 0;
    if (duty_bp == 0)
        return SLEEP_MAX_MS;
    return clamp_u64(mul_div(batch_us, BP_ONE - duty_bp, duty_bp) / US_PER_MS, 1, SLEEP_MAX_MS);
}

static void
plan_burst(const PolicyConf *conf, const HostSample *host, const PolicyState *state,
           const Debt *debt, Plan *plan)
{
    const KsmAuto *a = &state->ksm_auto;
    uint64_t left_us = cpu_window_left(&state->window, burst_budget_bp(conf, host));
    uint64_t duty_bp = burst_duty_bp(a, debt, left_us);

    plan->ksm.knobs.run = KSM_RUN_MERGE;
    plan->ksm.knobs.pages_to_scan = duty_bp == 0 ? 1 : conf->batch_pages;
    plan->ksm.knobs.sleep_ms = pause_ms(a, conf->batch_pages, duty_bp);
    plan->ksm.budget_bp = duty_bp;
    plan->ksm.reason = debt->open_pages > 0 ? REASON_DEBT : REASON_TRIGGER;
    if (left_us < STRETCH_US)
        plan->ksm.reason = REASON_CPU_BUDGET;
    plan->next_tick_us = TICK_BURST_US;
}

/* Slow scanning: two passes over everything within churn_s, as far as cpu_idle_bp goes. */
static void
plan_trickle(const PolicyConf *conf, const HostSample *host, const KsmAuto *a, Plan *plan)
{
    uint64_t wanted = mul_div(recorded_pages(host), 2, conf->churn_s);
    uint64_t allowed = mul_div(conf->cpu_idle_bp * 100, 1000, cost_ns(a));
    uint64_t per_s = clamp_u64(wanted, 1, max_u64(allowed, 1));

    /* At most a batch at a time; below that, once a second. */
    plan->ksm.knobs.run = KSM_RUN_MERGE;
    plan->ksm.knobs.pages_to_scan = min_u64(per_s, conf->batch_pages);
    plan->ksm.knobs.sleep_ms =
        clamp_u64(mul_div(plan->ksm.knobs.pages_to_scan, 1000, per_s), 1, SLEEP_MAX_MS);
    plan->ksm.budget_bp = conf->cpu_idle_bp;
}

static void
plan_rest(const HostSample *host, const KsmAuto *a, Reason reason, Plan *plan)
{
    plan->next_tick_us = TICK_REST_US;
    plan->ksm.reason = reason;
    plan->ksm.knobs.run = KSM_RUN_STOP;
    if (a->cleanup_us > 0) {
        plan->ksm.reason = REASON_CLEANUP;
        plan->ksm.knobs.run = KSM_RUN_MERGE;
        plan->ksm.knobs.pages_to_scan = 100;
        plan->ksm.knobs.sleep_ms = 20;
        plan->next_tick_us = TICK_SETTLE_US;
    } else if (reason == REASON_NO_DOMAIN && host->initial.run == KSM_RUN_MERGE) {
        /* Others may rely on KSM here: without domains it runs as it was found. */
        plan->ksm.knobs = host->initial;
    }
}

/* REASON_NONE while there is something to gain. */
static Reason
why_rest(const Sample *sample, const Debt *debt)
{
    if (sample->n == 0)
        return REASON_NO_DOMAIN;
    if (debt->mergeable_pages == 0)
        return REASON_NOTHING_MERGEABLE;
    return is_profitable(&sample->host) ? REASON_NONE : REASON_NO_PROFIT;
}

static void
choose_phase(const PolicyConf *conf, const Sample *sample, KsmAuto *a, const Debt *debt)
{
    const HostSample *host = &sample->host;
    uint64_t since_us;

    if (debt->open_pages > 0 || a->trigger_us > 0) {
        enter(a, KSM_PHASE_BURST, host);
        return;
    }
    if (a->phase == KSM_PHASE_BURST)
        enter(a, KSM_PHASE_SETTLE, host);
    since_us = sat_sub(host->now_us, a->phase_since_us);
    if (a->phase == KSM_PHASE_SETTLE && since_us < conf->settle_ms * US_PER_MS)
        return;
    enter(a, why_rest(sample, debt) == REASON_NONE ? KSM_PHASE_MAINTAIN : KSM_PHASE_REST, host);
}

void
ksm_auto_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    const HostSample *host = &sample->host;
    KsmAuto *a = &state->ksm_auto;
    Debt debt = debt_update(conf, sample, state, plan);

    measure_cost(a, host);
    note_events(a, host);
    choose_phase(conf, sample, a, &debt);

    plan->ksm.phase = a->phase;
    plan->ksm.debt_pages = debt.open_pages;
    plan->ksm.cost_ns = a->cost_ns;
    plan->ksm.gained_pages = sat_sub(merged_pages(host), a->burst_merged);
    if (a->phase == KSM_PHASE_BURST) {
        plan_burst(conf, host, state, &debt, plan);
    } else if (a->phase == KSM_PHASE_REST) {
        plan_rest(host, a, why_rest(sample, &debt), plan);
    } else {
        bool settling = a->phase == KSM_PHASE_SETTLE;

        plan_trickle(conf, host, a, plan);
        plan->ksm.reason = settling ? REASON_SETTLING : REASON_CHURN_WATCH;
        plan->next_tick_us = settling ? TICK_SETTLE_US : TICK_MAINTAIN_US;
    }
}
