/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy.c - the list of rules, and one decision from end to end
 *
 *     Sample (facts) -> rule of the mode in force -> rules of reclaim -> Plan (settings, reasons)
 *                                 ^ |                     ^ |
 *                                 | v                     | v
 *                              PolicyState             PolicyState
 *
 * Who may be merged at all is decided before (tenancy.c), and may keep KSM from scanning.
 *
 * A mode has exactly one rule for KSM. Changing the mode forgets what the other rule remembered,
 * so that every mode starts from what is true now. The rules of reclaim come after it, since
 * merging is the cheapest way to get memory: they see what it is about to gain. Where neither
 * mechanism is in use only those run that tell how short the host is and what each domain needs,
 * which is worth knowing all the same; the others remember nothing. All are left out of decisions
 * in a hurry, whose figures of the domains are old: those say nothing of reclaim, and all stays as
 * it is.
 */
#include "policy/policy.h"
#include "policy/cpu_window.h"
#include "policy/debt.h"
#include "policy/motion.h"
#include "policy/rule.h"
#include "policy/tenancy.h"

#include <assert.h>
#include <string.h>

static const RuleStep ksm_rules[] = {
    [KSM_MODE_AUTO] = ksm_auto_step,
    [KSM_MODE_CLASSIC] = ksm_classic_step,
    [KSM_MODE_FIXED] = ksm_fixed_step,
    [KSM_MODE_OBSERVE] = ksm_auto_step, /* none of it is written */
    [KSM_MODE_OFF] = ksm_off_step,
};
static_assert(sizeof(ksm_rules) / sizeof(ksm_rules[0]) == KSM_MODE_COUNT,
              "ksm_rules[] and KsmMode differ");

/* How memory is reclaimed, in this order: each sees what those before it have planned. */
enum { RULE_MEMORY, RULE_MOTION, RULE_NEED, RULE_ARBITER, RULE_HIGH, RULE_BALLOON, RULE_COUNT };

static const RuleStep reclaim_rules[] = {
    [RULE_MEMORY] = memory_step,   [RULE_MOTION] = motion_step, [RULE_NEED] = need_step,
    [RULE_ARBITER] = arbiter_step, [RULE_HIGH] = high_step,     [RULE_BALLOON] = balloon_step,
};
static_assert(sizeof(reclaim_rules) / sizeof(reclaim_rules[0]) == RULE_COUNT,
              "reclaim_rules[] and its enum differ");

static const char *const phase_names[] = {
    [KSM_PHASE_OFF] = "off",
    [KSM_PHASE_FIXED] = "fixed",
    [KSM_PHASE_BURST] = "burst",
    [KSM_PHASE_SETTLE] = "settle",
    [KSM_PHASE_MAINTAIN] = "maintain",
    [KSM_PHASE_REST] = "rest",
    [KSM_PHASE_AGGRESSIVE] = "aggressive",
    [KSM_PHASE_STANDARD] = "standard",
    [KSM_PHASE_SLOW] = "slow",
    [KSM_PHASE_INITIAL] = "initial",
};
static_assert(sizeof(phase_names) / sizeof(phase_names[0]) == KSM_PHASE_COUNT,
              "phase_names[] and KsmPhase differ");

static const char *const level_names[] = {
    [MEMORY_CALM] = "calm",
    [MEMORY_TIGHT] = "tight",
    [MEMORY_CRITICAL] = "critical",
};
static_assert(sizeof(level_names) / sizeof(level_names[0]) == MEMORY_LEVEL_COUNT,
              "level_names[] and MemoryLevel differ");

/* How soon facts are wanted where no rule asks for more: nothing is being driven. */
#define IDLE_TICK_US (10 * US_PER_S)

const char *
ksm_phase_name(KsmPhase phase)
{
    return (unsigned)phase < KSM_PHASE_COUNT ? phase_names[phase] : "unknown";
}

const char *
memory_level_name(MemoryLevel level)
{
    return (unsigned)level < MEMORY_LEVEL_COUNT ? level_names[level] : "unknown";
}

void
policy_init(PolicyState *state)
{
    memset(state, 0, sizeof(*state));
    state->mode = KSM_MODE_COUNT;
    state->window.last_cpu_us = VALUE_UNKNOWN;
    state->memory.swap_in_pages = VALUE_UNKNOWN;
    state->memory.swap_out_pages = VALUE_UNKNOWN;
}

static void
plan_clear(const Sample *sample, Plan *plan)
{
    Reason idle = sample->host.is_quick ? REASON_NONE : REASON_MECHANISM_OFF;
    DomainPlan *domains = plan->domains;

    memset(plan, 0, sizeof(*plan));
    plan->domains = domains;
    plan->ksm.knobs = (KsmKnobs){ VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
                                  VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN };
    plan->tenancy.nodes = VALUE_UNKNOWN;
    plan->next_tick_us = IDLE_TICK_US;
    for (size_t i = 0; i < sample->n; i++) {
        DomainPlan *part = &plan->domains[i];

        memset(part, 0, sizeof(*part));
        part->key = sample->domains[i].key;
        part->need_bytes = VALUE_UNKNOWN;
        part->balloon_bytes = VALUE_UNKNOWN;
        part->balloon_reason = idle;
        part->limit_bytes = VALUE_UNKNOWN;
        part->high_reason = idle;
    }
}

/* A rule that was not in charge starts afresh: much may have happened to KSM meanwhile. */
static void
enter_mode(PolicyState *state, unsigned mode, size_t n)
{
    if (state->mode == mode)
        return;
    memset(&state->ksm_auto, 0, sizeof(state->ksm_auto));
    memset(&state->classic, 0, sizeof(state->classic));
    for (size_t i = 0; i < n; i++)
        debt_forget(&state->domains[i]);
    state->ksm_auto.phase = KSM_PHASE_REST;
    state->ksm_auto.last_scanned = VALUE_UNKNOWN;
    state->ksm_auto.yield.since_cpu_us = VALUE_UNKNOWN;
    state->ksm_auto.yield.kib_per_s = VALUE_UNKNOWN;
    state->mode = mode;
}

static void
forget_reclaim(size_t n, PolicyState *state)
{
    state->memory.unmet_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        DomainTrack *track = &state->domains[i];

        if (track->balloon.acted_us > 0)
            motion_forget(&track->balloon);
        track->high = (HighTrack){ 0 };
        track->bid = (Bid){ 0 };
    }
}

static void
reclaim(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    size_t n_rules = policy_conf_reclaims(conf) ? RULE_COUNT : RULE_NEED + 1;
    PolicyConf in_force = *conf;

    if (sample->host.is_quick) {
        plan->host.level = state->memory.level;
        return;
    }
    if (n_rules < RULE_COUNT)
        forget_reclaim(sample->n, state);
    /* What is not going to be done must not be waited for, nor told as done. */
    in_force.balloon_enable = policy_conf_enable(conf, conf->balloon_enable);
    in_force.high_enable = policy_conf_enable(conf, conf->high_enable);
    for (size_t rule = 0; rule < n_rules; rule++)
        reclaim_rules[rule](&in_force, sample, state, plan);
}

void
policy_decide(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    assert(conf->mode < KSM_MODE_COUNT);

    plan_clear(sample, plan);
    enter_mode(state, conf->mode, sample->n);
    cpu_window_add(&state->window, sample->host.now_us, sample->host.ksmd_cpu_us);
    tenancy_decide(conf, sample, state, plan);
    if (sample->host.has_ksm) {
        ksm_rules[conf->mode](conf, sample, state, plan);
        tenancy_hold(sample, plan);
    } else {
        plan->ksm.phase = KSM_PHASE_OFF;
        plan->ksm.reason = REASON_NO_KSM;
    }
    reclaim(conf, sample, state, plan);
}
