/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tenancy.c - which domains may share memory with each other
 *
 * The kernel merges all that is marked as mergeable with each other, whoever it belongs to. What
 * can be chosen is who is marked:
 *
 *     all          everybody
 *     same-group   one group at a time, the one where it brings most, for dwell_s at least
 *     listed       who has opted in
 *     none         nobody
 *
 * A domain without a group is a group of its own. What is not yet as wanted must not be scanned:
 *
 *     new domain, or another choice --> scanning stands still --> switch off --> all are off -->
 *     switch on those who may --> scanning goes on
 *
 * Nobody is switched on before everybody else is seen to be off, so at no moment are two groups
 * both scanned. Whoever cannot be switched off decides the choice: merging goes on only within that
 * domain's group, and not at all if there are two such groups.
 *
 * Switching off makes a copy of each merged page. Memory for it has to be there first, beyond the
 * reserve of the host: so one domain after the other, each only if its copies fit, and none for
 * which the domain's own limit would be too small.
 */
#include "policy/tenancy.h"
#include "policy/distil.h"
#include "policy/group.h"
#include "policy/nodes.h"
#include "policy/rule.h"

/* While somebody is being switched, and while something is waited for that takes longer. */
#define TICK_MOVING_US (100 * US_PER_MS)
#define TICK_WAIT_US   US_PER_S
/* Copies of so little are made in no time. */
#define SMALL_BYTES (UINT64_C(16) << 20)

static bool
is_off(const DomainSample *domain)
{
    return domain->merge_state == MERGE_OFF;
}

static TenancyRule
rule_in_force(const PolicyConf *conf, const Sample *sample)
{
    if (conf->tenancy_rule != TENANCY_AUTO)
        return (TenancyRule)conf->tenancy_rule;
    for (size_t i = 0; i < sample->n; i++)
        if (sample->domains[i].group)
            return TENANCY_SAME_GROUP;
    return TENANCY_ALL;
}

/* --- what is wanted of a domain --------------------------------------------------------- */

/* Whether it may be merged, and why. */
static bool
may_merge(TenancyRule rule, uint64_t group, const DomainSample *domain, Reason *ret_reason)
{
    if (domain->merge_wish == MERGE_WISH_NO) {
        *ret_reason = REASON_OPTED_OUT;
        return false;
    }
    switch (rule) {
    case TENANCY_SAME_GROUP:
        *ret_reason = tenancy_group_of(domain) == group ? REASON_MERGED_GROUP : REASON_OTHER_GROUP;
        return tenancy_group_of(domain) == group;
    case TENANCY_LISTED:
        *ret_reason =
            domain->merge_wish == MERGE_WISH_YES ? REASON_MERGED_LISTED : REASON_NOT_LISTED;
        return domain->merge_wish == MERGE_WISH_YES;
    case TENANCY_NONE:
        *ret_reason = REASON_MERGED_NONE;
        return false;
    default:
        *ret_reason = REASON_MERGED_ALL;
        return true;
    }
}

/* Of a domain that is decided on. */
static bool
want_one(const Plan *plan, const DomainSample *domain, bool is_parting, Reason *ret_reason)
{
    if (is_parting) {
        *ret_reason = REASON_NODES;
        return false;
    }
    return may_merge((TenancyRule)plan->tenancy.rule, plan->tenancy.group, domain, ret_reason);
}

/* A group that is yet to be chosen leaves everybody undecided. */
static void
want(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    bool is_parting = nodes_is_parting(conf, sample, state, plan);

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainPlan *part = &plan->domains[i];
        bool may;

        if (!tenancy_is_concerned(domain))
            continue;
        if (!domain->is_defined ||
            (plan->tenancy.rule == TENANCY_SAME_GROUP && state->tenancy.group == 0)) {
            part->merge_reason = REASON_UNDECIDED;
            continue;
        }
        may = want_one(plan, domain, is_parting, &part->merge_reason);
        part->merge = may ? MERGING_ON : MERGING_OFF;
        if (!may)
            state->domains[i].tenancy.parked_us = 0; /* off for another reason now */
        if (may && plan->tenancy.is_enforced &&
            distil_is_parked(conf, &sample->host, domain, &state->domains[i])) {
            part->merge = MERGING_OFF;
            part->merge_reason = REASON_PARKED;
        }
    }
}

uint64_t
tenancy_need_bytes(const HostSample *host, const DomainSample *domain)
{
    uint64_t most = known_or(domain->resident_bytes, known_or(domain->maximum_bytes, 0));

    if (!is_known(domain->unshare_pages))
        return mul_div(most, domain->mergeable_bp, BP_ONE);
    return mul_div(domain->unshare_pages, host->page_bytes, 1);
}

uint64_t
tenancy_headroom_bytes(const PolicyConf *conf, const HostSample *host)
{
    if (!is_known(host->mem_available_bytes) || !is_known(host->mem_total_bytes))
        return 0;
    return sat_sub(host->mem_available_bytes,
                   mul_div(host->mem_total_bytes, conf->memory_tight_bp, BP_ONE));
}

/* What is on its way needs its memory still. Return: whether a large one is. */
static bool
book_copying(const Sample *sample, const Plan *plan, uint64_t *headroom)
{
    bool is_large = false;

    for (size_t i = 0; i < sample->n; i++) {
        uint64_t need = tenancy_need_bytes(&sample->host, &sample->domains[i]);

        if (plan->domains[i].merge != MERGING_OFF || is_off(&sample->domains[i]) ||
            !tenancy_is_copying(&sample->domains[i]))
            continue;
        is_large = is_large || need > SMALL_BYTES;
        *headroom = sat_sub(*headroom, need);
    }
    return is_large;
}

/* Switches off whoever fits. */
static void
switch_off(const Sample *sample, Plan *plan)
{
    uint64_t headroom = plan->tenancy.headroom_bytes;
    bool is_large = book_copying(sample, plan, &headroom);

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainPlan *part = &plan->domains[i];
        uint64_t need = tenancy_need_bytes(&sample->host, domain);

        if (part->merge != MERGING_OFF || is_off(domain))
            continue;
        plan->tenancy.need_bytes = sat_add(plan->tenancy.need_bytes, need);
        part->merge_reason =
            domain->merge_state == MERGE_STUCK ? REASON_MERGE_STUCK : REASON_MERGE_WAIT;
        if (tenancy_is_copying(domain)) {
            part->merge_apply = true;
        } else if (need > headroom || !tenancy_has_room(&sample->host, domain)) {
            part->merge_reason = REASON_NO_HEADROOM;
        } else if (need > SMALL_BYTES && is_large) {
            part->merge_reason = REASON_MERGE_WAIT;
        } else {
            part->merge_apply = true;
            headroom = sat_sub(headroom, need);
            is_large = is_large || need > SMALL_BYTES;
        }
    }
}

/* How many may still be scanned that must not be. Who is only left out may be. */
static uint32_t
count_pending(const Sample *sample, const PolicyState *state, Plan *plan)
{
    uint32_t n = 0;

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        const DomainPlan *part = &plan->domains[i];
        bool is_undecided = tenancy_is_concerned(domain) && part->merge == MERGING_LEAVE;

        if (!is_undecided && (part->merge != MERGING_OFF || is_off(domain) ||
                              state->domains[i].tenancy.parked_us > 0))
            continue;
        n++;
        /* The gravest is what the host waits for. */
        if (plan->tenancy.reason < part->merge_reason || n == 1)
            plan->tenancy.reason = part->merge_reason;
    }
    return n;
}

static void
switch_on(const Sample *sample, Plan *plan)
{
    for (size_t i = 0; i < sample->n; i++) {
        DomainPlan *part = &plan->domains[i];

        if (part->merge != MERGING_ON)
            continue;
        part->merge_apply = plan->tenancy.pending == 0;
        if (!part->merge_apply && is_off(&sample->domains[i]))
            part->merge_reason = REASON_MERGE_WAIT;
    }
}

/* What was off and is on again is all new to ksmd. */
static void
follow_switches(const Sample *sample, PolicyState *state)
{
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainTrack *track = &state->domains[i];
        bool was_off = track->tenancy.was_off && track->key == domain->key;

        if (was_off && !is_off(domain)) {
            track->begun_bytes = 0;
            track->once_bytes = 0;
            track->twice_bytes = 0;
            track->open = true;
            track->tenancy.on_us = sample->host.now_us;
        }
        track->tenancy.was_off = is_off(domain);
        group_follow(&sample->host, domain, track);
    }
}

void
tenancy_decide(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    TenancyPlan *tenancy = &plan->tenancy;

    follow_switches(sample, state);
    tenancy->rule = rule_in_force(conf, sample);
    if (tenancy->rule == TENANCY_SAME_GROUP)
        group_choose(conf, sample, state);
    else
        state->tenancy.group = 0;
    tenancy->group = state->tenancy.group;
    tenancy->is_enforced = tenancy_is_enforced(conf);
    tenancy->headroom_bytes = tenancy_headroom_bytes(conf, &sample->host);
    want(conf, sample, state, plan);
    if (!tenancy->is_enforced)
        return;
    switch_off(sample, plan);
    tenancy->pending = count_pending(sample, state, plan);
    if (tenancy->pending > 0)
        tenancy->nodes = VALUE_UNKNOWN;
    switch_on(sample, plan);
}

void
tenancy_hold(const Sample *sample, Plan *plan)
{
    TenancyPlan *tenancy = &plan->tenancy;
    const uint64_t u = VALUE_UNKNOWN;

    tenancy->is_paused =
        tenancy->is_enforced && (tenancy->pending > 0 || sample->host.starting > 0);
    if (!tenancy->is_paused && (!tenancy->is_enforced || tenancy->rule != TENANCY_NONE))
        return;
    if (tenancy->is_paused && tenancy->pending == 0)
        tenancy->reason = REASON_UNDECIDED;
    /* Nothing else is written: another pause between batches would wake ksmd for one more. */
    plan->ksm.knobs = (KsmKnobs){ KSM_RUN_STOP, u, u, u, u, u };
    plan->ksm.duty_bp = 0;
    plan->ksm.reason = tenancy->is_paused ? REASON_TENANCY : REASON_MERGED_NONE;
    if (tenancy->is_paused)
        plan_tick(plan, tenancy->reason == REASON_MERGE_WAIT ? TICK_MOVING_US : TICK_WAIT_US);
}
