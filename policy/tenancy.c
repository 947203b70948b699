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
#include "policy/rule.h"

#define US_PER_S UINT64_C(1000000)
/* Part of its memory that a domain of a group, or one that is alone, is expected to save, until it
 * was measured. */
#define EXPECTED_BP (BP_ONE * 3 / 10)
#define ALONE_BP    (BP_ONE / 20)
/* Another group has to bring so much more, since the change costs what has been merged. */
#define BETTER_BP (BP_ONE * 5 / 4)
/* Between two looks at whether another group is better. */
#define LOOK_US (10 * US_PER_S)
/* While somebody is being switched, and while something is waited for that takes longer. */
#define TICK_MOVING_US (100 * UINT64_C(1000))
#define TICK_WAIT_US   (1 * US_PER_S)
/* How long the first choice waits for the figures of a domain that was just seen. */
#define FACTS_US (5 * US_PER_S)
/* Copies of so little are made in no time. */
#define SMALL_BYTES (UINT64_C(16) << 20)

static uint64_t
group_of(const DomainSample *domain)
{
    return domain->group ? domain->group : tenancy_own_group(domain->key);
}

/* Whether it can be merged by anybody. */
static bool
is_concerned(const DomainSample *domain)
{
    return domain->is_tenant && (domain->mergeable_bp > 0 || !domain->is_defined);
}

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

/* --- what a group is worth -------------------------------------------------------------- */

static uint64_t
mergeable_pages(const HostSample *host, const DomainSample *domain)
{
    uint64_t bytes = min_u64(known_or(domain->resident_bytes, 0), domain->balloon_bytes);

    return mul_div(bytes / host->page_bytes, domain->mergeable_bp, BP_ONE);
}

/* While it is on and ksmd has seen most of it, what it saves is what it would save again. */
static void
learn(const HostSample *host, const DomainSample *domain, DomainTrack *track)
{
    uint64_t pages = mergeable_pages(host, domain);
    uint64_t merged =
        sat_add(known_or(host->ksm.pages_sharing, 0), known_or(host->ksm.pages_shared, 0));
    uint64_t saved;

    if (domain->merge_state != MERGE_AS_FOUND || !is_known(domain->merging_pages) || pages == 0 ||
        merged == 0 || track->twice_bytes / host->page_bytes < pages / 2)
        return;
    saved = mul_div(domain->merging_pages, known_or(host->ksm.pages_sharing, 0), merged);
    track->tenancy.share_bp = min_u64(mul_div(saved, BP_ONE, pages), BP_ONE);
    track->tenancy.is_measured = true;
}

static size_t
members_of(const Sample *sample, uint64_t group)
{
    size_t n = 0;

    for (size_t i = 0; i < sample->n; i++)
        n += is_concerned(&sample->domains[i]) && group_of(&sample->domains[i]) == group;
    return n;
}

static uint64_t
worth_of(const Sample *sample, const PolicyState *state, uint64_t group)
{
    uint64_t usual_bp = members_of(sample, group) > 1 ? EXPECTED_BP : ALONE_BP;
    uint64_t worth = 0;

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        const TenancyTrack *track = &state->domains[i].tenancy;

        if (!is_concerned(domain) || group_of(domain) != group)
            continue;
        worth = sat_add(worth, mul_div(mergeable_pages(&sample->host, domain),
                                       track->is_measured ? track->share_bp : usual_bp, BP_ONE));
    }
    return worth;
}

/* The best of all; the first of several that are as good. 0: there is none. */
static uint64_t
best_group(const Sample *sample, const PolicyState *state, uint64_t *ret_worth)
{
    uint64_t best = 0;

    *ret_worth = 0;
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        uint64_t worth;

        if (!is_concerned(domain) || !domain->is_defined || domain->merge_wish == MERGE_WISH_NO)
            continue;
        worth = worth_of(sample, state, group_of(domain));
        if (best == 0 || worth > *ret_worth) {
            best = group_of(domain);
            *ret_worth = worth;
        }
    }
    return best;
}

/* --- which group it is ------------------------------------------------------------------ */

/* The group of those who cannot be switched off. 0: there are none, or they are of several. */
static uint64_t
stuck_group(const Sample *sample)
{
    uint64_t group = 0;

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];

        if (!is_concerned(domain) || domain->merge_state != MERGE_STUCK)
            continue;
        if (group != 0 && group != group_of(domain))
            return 0;
        group = group_of(domain);
    }
    return group;
}

/* Whether a choice can be made on what is known. */
static bool
has_facts(const Sample *sample)
{
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        bool is_new = sat_sub(sample->host.now_us, domain->started_us) < FACTS_US;

        if (is_concerned(domain) &&
            (!domain->is_defined || (is_new && !is_known(domain->resident_bytes))))
            return false;
    }
    return true;
}

static void
take_group(TenancyState *state, uint64_t group, uint64_t now_us)
{
    state->looked_us = now_us;
    if (group == state->group)
        return;
    state->group = group;
    state->since_us = now_us;
}

/* Merged pages count as resident already, so with its own copies it has what is resident. */
static bool
has_room(const DomainSample *domain)
{
    return domain->hard_limit_bytes == 0 || !is_known(domain->resident_bytes) ||
           domain->resident_bytes <= domain->hard_limit_bytes;
}

/* Whether there is memory for what all of a group have merged, were it switched off. */
static bool
can_be_parted(const PolicyConf *conf, const Sample *sample, uint64_t group)
{
    uint64_t need = 0;

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];

        if (!is_concerned(domain) || group_of(domain) != group)
            continue;
        if (!has_room(domain))
            return false;
        need = sat_add(need, tenancy_need_bytes(&sample->host, domain));
    }
    return need <= tenancy_headroom_bytes(conf, &sample->host);
}

static void
choose_group(const PolicyConf *conf, const Sample *sample, PolicyState *state)
{
    TenancyState *tenancy = &state->tenancy;
    uint64_t now_us = sample->host.now_us;
    uint64_t stuck = stuck_group(sample);
    uint64_t worth;
    uint64_t best;

    if (tenancy->group == 0 || members_of(sample, tenancy->group) == 0) {
        best = has_facts(sample) ? best_group(sample, state, &worth) : 0;
        take_group(tenancy, stuck ? stuck : best, now_us);
        return;
    }
    if (sat_sub(now_us, tenancy->since_us) < conf->tenancy_dwell_s * US_PER_S ||
        sat_sub(now_us, tenancy->looked_us) < LOOK_US)
        return;
    best = best_group(sample, state, &worth);
    if (stuck)
        take_group(tenancy, stuck, now_us);
    else if (worth > mul_div(worth_of(sample, state, tenancy->group), BETTER_BP, BP_ONE) &&
             can_be_parted(conf, sample, tenancy->group))
        take_group(tenancy, best, now_us);
    else
        tenancy->looked_us = now_us;
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
        *ret_reason = group_of(domain) == group ? REASON_MERGED_GROUP : REASON_OTHER_GROUP;
        return group_of(domain) == group;
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

/* A group that is yet to be chosen leaves everybody undecided. */
static void
want(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainPlan *part = &plan->domains[i];
        bool may;

        if (!is_concerned(domain))
            continue;
        if (!domain->is_defined ||
            (plan->tenancy.rule == TENANCY_SAME_GROUP && state->tenancy.group == 0)) {
            part->merge_reason = REASON_UNDECIDED;
            continue;
        }
        may = may_merge((TenancyRule)plan->tenancy.rule, state->tenancy.group, domain,
                        &part->merge_reason);
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
book_moving(const Sample *sample, const Plan *plan, uint64_t *headroom)
{
    bool is_copying = false;

    for (size_t i = 0; i < sample->n; i++) {
        uint64_t need = tenancy_need_bytes(&sample->host, &sample->domains[i]);

        if (plan->domains[i].merge != MERGING_OFF || sample->domains[i].merge_state != MERGE_MOVING)
            continue;
        is_copying = is_copying || need > SMALL_BYTES;
        *headroom = sat_sub(*headroom, need);
    }
    return is_copying;
}

/* Switches off whoever fits. */
static void
switch_off(const Sample *sample, Plan *plan)
{
    uint64_t headroom = plan->tenancy.headroom_bytes;
    bool is_copying = book_moving(sample, plan, &headroom);

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainPlan *part = &plan->domains[i];
        uint64_t need = tenancy_need_bytes(&sample->host, domain);

        if (part->merge != MERGING_OFF || is_off(domain))
            continue;
        plan->tenancy.need_bytes = sat_add(plan->tenancy.need_bytes, need);
        if (domain->merge_state == MERGE_MOVING) {
            part->merge_apply = true;
            part->merge_reason = REASON_MERGE_WAIT;
        } else if (need > headroom || !has_room(domain)) {
            part->merge_reason = REASON_NO_HEADROOM;
        } else if (need > SMALL_BYTES && is_copying) {
            part->merge_reason = REASON_MERGE_WAIT;
        } else {
            part->merge_apply = true;
            part->merge_reason =
                domain->merge_state == MERGE_STUCK ? REASON_MERGE_STUCK : REASON_MERGE_WAIT;
            headroom = sat_sub(headroom, need);
            is_copying = is_copying || need > SMALL_BYTES;
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
        bool is_undecided = is_concerned(domain) && part->merge == MERGING_LEAVE;

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
        learn(&sample->host, domain, track);
    }
}

void
tenancy_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    TenancyPlan *tenancy = &plan->tenancy;

    follow_switches(sample, state);
    tenancy->rule = rule_in_force(conf, sample);
    if (tenancy->rule == TENANCY_SAME_GROUP)
        choose_group(conf, sample, state);
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
    switch_on(sample, plan);
}

void
tenancy_hold_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    TenancyPlan *tenancy = &plan->tenancy;
    const uint64_t u = VALUE_UNKNOWN;

    (void)conf;
    (void)state;
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
