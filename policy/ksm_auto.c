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
 * Debt (debt.c) says what is still to be merged, ksmd's own run time (cpu_window.c) what may be
 * spent on it; pass.c makes ksmd go round once and stand still again.
 *
 * When to begin a pass is a matter of price (price.c): while a guest fills its memory there is a
 * pass now and then, and two right behind each other at the end.
 *
 * When nothing is owed any more, settle watches for memory that still grows. Maintain looks for
 * churn by probes (probe.c). Rest is for hosts where nothing can be gained: without mergeable
 * memory ksmd is stopped (merged pages stay merged with run at 0); where merging does not pay for
 * its own records, only the probes go on, since that may change.
 *
 * An event ends settle, maintain and rest at once, before there are facts. A kick is a pass at
 * once. For a domain that starts KSM is set up, and with the facts that follow the pass begins, or
 * waits until it is worth its price: to send ksmd off before would take it past the place where a
 * guest that starts is put, and cost a pass. One that a probe has begun goes on to its end.
 */
#include "policy/boot.h"
#include "policy/cpu_window.h"
#include "policy/debt.h"
#include "policy/match.h"
#include "policy/pass.h"
#include "policy/pressure.h"
#include "policy/price.h"
#include "policy/probe.h"
#include "policy/reach.h"
#include "policy/rule.h"
#include "policy/yield.h"

/* How long an event alone keeps the burst going, so that facts have arrived. */
#define TRIGGER_HOLD_US (1 * US_PER_S)
/* Passes that an event wants, whatever the facts say: memory may be new in old places. */
#define TRIGGER_PASSES 2
/* How long ksmd is left running where no domain can be merged, to drop its records of others. */
#define CLEANUP_US (5 * US_PER_S)
/* No page costs as much; what does is a counter that jumped. */
#define COST_MAX_NS UINT64_C(1000000)
/* CPU time left in the window at which a burst begins to be stretched. */
#define STRETCH_US (1 * US_PER_S)
/* What ksmd may have under way when its budget is used up: a step; no more than a part of that. */
#define UNDER_WAY_US      (100 * US_PER_MS)
#define UNDER_WAY_DIVISOR 8

#define TICK_BURST_MIN_US (20 * US_PER_MS)
#define TICK_BURST_US     (250 * US_PER_MS)
#define TICK_BOOTING_US   (500 * US_PER_MS)
#define TICK_SETTLE_US    (500 * US_PER_MS)
#define TICK_MAINTAIN_US  (10 * US_PER_S)
#define TICK_REST_US      (10 * US_PER_S)

/* What a decision goes by, beside the facts. */
typedef struct {
    Debt debt;      /* what is owed */
    uint64_t ended; /* passes that have ended since the last decision */
    uint64_t left;  /* what waiting has yet to cost before a pass is worth it, as price_left() */
} Outlook;

static uint64_t
burst_budget_bp(const PolicyConf *conf, const HostSample *host)
{
    if (conf->cpu_burst_bp > 0)
        return conf->cpu_burst_bp;
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
    uint64_t now_ns;

    if (!is_known(scanned) || !is_known(cpu_us))
        return;
    if (is_known(a->last_scanned) && scanned >= a->last_scanned &&
        scanned - a->last_scanned < REACH_COST_PAGES)
        return;
    if (is_known(a->last_scanned) && scanned > a->last_scanned && cpu_us > a->last_cpu_us) {
        now_ns = mul_div(cpu_us - a->last_cpu_us, 1000, scanned - a->last_scanned);
        now_ns = clamp_u64(now_ns, 1, COST_MAX_NS);
        a->cost_ns = a->cost_ns == 0 ? now_ns : (a->cost_ns * 3 + now_ns) / 4;
    }
    a->last_scanned = scanned;
    a->last_cpu_us = cpu_us;
}

static void
enter(const PolicyConf *conf, KsmAuto *a, KsmPhase phase, const HostSample *host)
{
    if (a->phase == phase)
        return;
    if (phase == KSM_PHASE_BURST) {
        a->burst_merged = ksm_merged_pages(&host->ksm);
        yield_begin(host, &a->yield);
    } else if (a->phase == KSM_PHASE_BURST) {
        yield_end(host, &a->yield);
        a->poor = yield_is_low(conf, &a->yield);
    }
    a->phase = phase;
    a->phase_since_us = host->now_us;
}

static void
note_events(KsmAuto *a, const HostSample *host, uint64_t ended)
{
    a->forced -= (unsigned)min_u64(ended, a->forced);
    if (ended == 1 && a->pass.partial && a->phase == KSM_PHASE_BURST)
        price_missed(&a->price);
    if (ended > 0)
        price_learn(host, ended, &a->price);
    if (host->triggers > 0) {
        price_forget(&a->price);
        if (a->forced == 0 || a->trigger_us == 0) /* the oldest that nothing was done for */
            a->trigger_us = max_u64(host->now_us, 1);
        a->forced = TRIGGER_PASSES;
        a->kicked = a->kicked || host->kicks > 0;
    } else if (a->trigger_us > 0 && a->forced == 0 &&
               sat_sub(host->now_us, a->trigger_us) >= TRIGGER_HOLD_US) {
        a->trigger_us = 0;
    }
    a->yield.disturbed = a->yield.disturbed || host->departures > 0;
    if (host->departures > 0)
        a->cleanup_us = max_u64(host->now_us, 1);
    else if (ended > 0 && a->pass.began_us >= a->cleanup_us)
        a->cleanup_us = 0;
}

/* Where nothing can be scanned, passes that an event alone wants are not waited for. */
static void
drop_forced(KsmAuto *a, const HostSample *host, const Debt *debt)
{
    if (debt->open_value > 0 || !pass_is_hindered(host, &a->pass))
        return;
    a->forced = 0;
    a->kicked = false;
    a->trigger_us = 0;
}

/* CPU time that may be spent now, so that what is under way then does not exceed the budget. */
static uint64_t
budget_left_us(const CpuWindow *window, uint64_t budget_bp)
{
    uint64_t whole_us = mul_div((CPU_WINDOW_S - 1) * US_PER_S, budget_bp, BP_ONE);

    return sat_sub(cpu_window_left(window, budget_bp),
                   min_u64(UNDER_WAY_US, whole_us / UNDER_WAY_DIVISOR));
}

/* A pass gets what the budget and the other tasks of the host leave it. */
static void
plan_pass(const PolicyConf *conf, const HostSample *host, PolicyState *state, Reason reason,
          Plan *plan)
{
    uint64_t left_us = budget_left_us(&state->window, burst_budget_bp(conf, host));
    uint64_t duty_bp = min_u64(BP_ONE, mul_div(left_us, BP_ONE, STRETCH_US));
    bool tight = pressure_is_tight(conf, host, &state->pressure);
    uint64_t cap_bp = tight ? BP_ONE : pressure_cap_bp(&state->pressure);

    pass_plan(conf, host, &state->ksm_auto, min_u64(duty_bp, cap_bp), plan);
    plan->ksm.reason = reason;
    if (duty_bp < min_u64(cap_bp, BP_ONE))
        plan->ksm.reason = REASON_CPU_BUDGET;
    else if (cap_bp < BP_ONE)
        plan->ksm.reason = REASON_LATENCY;
    else if (reason == REASON_DEBT && tight)
        plan->ksm.reason = REASON_MEMORY_LOW;
}

/* A kick is a pass at once. For a start there is one when the facts have had time to show what it
 * is about, and say nothing. */
static bool
is_forced(const HostSample *host, const KsmAuto *a, bool owed)
{
    if (a->kicked)
        return true;
    return a->forced > 0 && !owed && sat_sub(host->now_us, a->trigger_us) >= TRIGGER_HOLD_US;
}

/* Whether what waits is worth a pass by now. */
static bool
is_due(const Outlook *outlook)
{
    return outlook->debt.open_value > 0 && outlook->left == 0;
}

static void
begin_pass(const Sample *sample, PolicyState *state, const Debt *debt)
{
    Match *match = &state->ksm_auto.match;
    bool merges = debt->unseen_pages < debt->open_pages / 2;
    bool closing = merges && match_needs_all(&sample->host, debt, match, 0);

    match_begin(&sample->host, debt, merges, closing, match);
    if (state->ksm_auto.cleanup_us > 0)
        match_drop(match); /* what goes with a domain is no loss of the pass */
    pass_begin(sample, state, debt->unseen_pages, closing);
}

static void
plan_burst(const PolicyConf *conf, const Sample *sample, PolicyState *state, const Outlook *outlook,
           Plan *plan)
{
    const HostSample *host = &sample->host;
    const Debt *debt = &outlook->debt;
    KsmAuto *a = &state->ksm_auto;
    bool owed = debt->open_value > 0;

    if (!pass_is_running(&a->pass) && (is_forced(host, a, owed) || is_due(outlook))) {
        a->kicked = false;
        price_paid(host, debt, &a->price);
        begin_pass(sample, state, debt);
    }
    if (pass_is_running(&a->pass)) {
        plan_pass(conf, host, state, owed ? REASON_DEBT : REASON_TRIGGER, plan);
        return;
    }
    pass_ready(conf, &a->pass, plan);
    plan->ksm.reason = owed ? REASON_GATHERING : REASON_TRIGGER;
    plan->next_tick_us = TICK_BURST_US;
    if (owed)
        plan->next_tick_us =
            clamp_u64(outlook->left / debt->open_value, TICK_BURST_MIN_US, TICK_BURST_US);
    if (a->price.defers) {
        plan->ksm.reason = REASON_BOOTING;
        plan->next_tick_us = TICK_BOOTING_US;
    } else if (owed && pressure_price_bp(conf, &state->pressure) > BP_ONE) {
        plan->ksm.reason = REASON_CPU_PRESSURE;
    }
}

/* Maintain, and rest where merging may pay again: probes, and ksmd parked between them. */
static void
plan_probes(const PolicyConf *conf, const Sample *sample, PolicyState *state, uint64_t ended,
            Reason reason, Plan *plan)
{
    const HostSample *host = &sample->host;
    KsmAuto *a = &state->ksm_auto;
    bool is_hindered = pass_is_hindered(host, &a->pass);

    if (a->cleanup_us > 0)
        probe_cleanup(host, &a->probe);
    if (!is_hindered && probe_advance(conf, host, ended, a)) {
        pass_begin(sample, state, 0, !a->probe.cleanup);
        plan_pass(conf, host, state, a->probe.cleanup ? REASON_CLEANUP : REASON_PROBE, plan);
        plan->next_tick_us =
            min_u64(plan->next_tick_us, max_u64(probe_left_us(host, a), TICK_BURST_MIN_US));
        return;
    }
    pass_park(&a->pass, plan);
    plan->ksm.reason = reason;
    plan->next_tick_us =
        is_hindered ? TICK_MAINTAIN_US
                    : clamp_u64(probe_due_us(host, &a->probe), TICK_BURST_MIN_US, TICK_MAINTAIN_US);
}

/* Nothing can be merged: stop. */
static void
plan_rest(const HostSample *host, KsmAuto *a, Reason reason, Plan *plan)
{
    bool is_scanning = pass_is_running(&a->pass) || a->cleanup_us > 0;

    if (sat_sub(host->now_us, max_u64(a->cleanup_us, a->phase_since_us)) >= CLEANUP_US)
        a->cleanup_us = 0;
    pass_stop(&a->pass);
    pass_lose(&a->pass); /* ksmd goes where others send it */
    plan->next_tick_us = TICK_REST_US;
    plan->ksm.reason = reason;
    plan->ksm.knobs.run = KSM_RUN_STOP;
    if (a->cleanup_us > 0) {
        plan->ksm.reason = REASON_CLEANUP;
        plan->ksm.knobs.run = KSM_RUN_MERGE;
        plan->ksm.knobs.pages_to_scan = 100;
        plan->ksm.knobs.sleep_ms = 20;
        plan->next_tick_us = TICK_SETTLE_US;
    } else if (reason == REASON_FACT_MISSING) {
        if (is_scanning)
            pass_park(&a->pass, plan);
        plan->ksm.knobs.run = VALUE_UNKNOWN; /* as is, until the domains' memory is known */
    } else if (host->initial.run == KSM_RUN_MERGE) {
        /* Others may rely on KSM here: where no domain needs it, it runs as it was found. */
        plan->ksm.knobs = host->initial;
    }
}

/* REASON_NONE while there is something to gain. */
static Reason
why_rest(const Sample *sample, const KsmAuto *a, const Debt *debt)
{
    if (sample->n == 0)
        return REASON_NO_DOMAIN;
    if (debt->mergeable_pages == 0)
        return debt->incomplete ? REASON_FACT_MISSING : REASON_NOTHING_MERGEABLE;
    if (!yield_pays(&sample->host))
        return REASON_NO_PROFIT;
    return a->poor ? REASON_LOW_YIELD : REASON_NONE;
}

static void
choose_phase(const PolicyConf *conf, const Sample *sample, KsmAuto *a, const Debt *debt)
{
    const HostSample *host = &sample->host;
    uint64_t since_us;

    if (debt->open_value > 0 || a->trigger_us > 0) {
        enter(conf, a, KSM_PHASE_BURST, host);
        return;
    }
    if (a->phase == KSM_PHASE_BURST) {
        probe_reset(conf, host, reach_cost_us(host, debt), a->match.owes, &a->probe);
        a->match.owes = false;
        pass_stop(&a->pass);
        price_leave(&a->price);
        match_drop(&a->match);
        enter(conf, a, KSM_PHASE_SETTLE, host);
    }
    since_us = sat_sub(host->now_us, a->phase_since_us);
    if (a->phase == KSM_PHASE_SETTLE && since_us < conf->settle_ms * US_PER_MS)
        return;
    enter(conf, a, why_rest(sample, a, debt) == REASON_NONE ? KSM_PHASE_MAINTAIN : KSM_PHASE_REST,
          host);
}

static void
plan_phase(const PolicyConf *conf, const Sample *sample, PolicyState *state, const Outlook *outlook,
           Plan *plan)
{
    KsmAuto *a = &state->ksm_auto;
    Reason reason = why_rest(sample, a, &outlook->debt);

    switch (a->phase) {
    case KSM_PHASE_BURST:
        plan_burst(conf, sample, state, outlook, plan);
        return;
    case KSM_PHASE_SETTLE:
        pass_park(&a->pass, plan);
        plan->ksm.reason = REASON_SETTLING;
        plan->next_tick_us = TICK_SETTLE_US;
        return;
    default:
        if (reason == REASON_NO_DOMAIN || reason == REASON_NOTHING_MERGEABLE ||
            reason == REASON_FACT_MISSING)
            plan_rest(&sample->host, a, reason, plan);
        else
            plan_probes(conf, sample, state, outlook->ended,
                        reason == REASON_NONE ? REASON_CHURN_WATCH : reason, plan);
    }
}

void
ksm_auto_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    const HostSample *host = &sample->host;
    KsmAuto *a = &state->ksm_auto;
    Outlook outlook = { .ended = pass_follow(sample, state) };
    const Debt *debt = &outlook.debt;
    uint64_t boot_wait;

    outlook.debt = debt_update(conf, sample, state, plan);
    boot_wait = boot_update(conf, sample, state);
    pressure_update(sample, state);
    price_update(host, debt, a);
    measure_cost(a, host);
    note_events(a, host, outlook.ended);
    drop_forced(a, host, debt);
    choose_phase(conf, sample, a, debt);
    price_defer(conf, host, state, debt, boot_wait);
    outlook.left = price_left(conf, host, state, debt);
    pass_expect(&a->pass, debt->mergeable_pages,
                is_due(&outlook) && !match_needs_all(host, debt, &a->match, debt->unseen_pages));

    plan->ksm.debt_pages = debt->open_pages;
    plan->ksm.cost_ns = a->cost_ns;
    plan->ksm.gained_pages = sat_sub(ksm_merged_pages(&host->ksm), a->burst_merged);
    plan->ksm.budget_bp =
        a->phase == KSM_PHASE_BURST ? burst_budget_bp(conf, host) : conf->cpu_idle_bp;
    plan->ksm.knobs.use_zero_pages = ksm_zero_pages(conf, host);
    plan_phase(conf, sample, state, &outlook, plan);
    plan->ksm.phase = a->phase;
    a->now_us = host->now_us;
}
