/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * high.c - reclaiming memory that seems cold, a little at a time
 *
 * Nobody knows from outside which memory of a domain is cold; the kernel's own reclaim knows
 * best. So a short host asks it for a small part of a domain's memory and watches what happens to
 * the domain: as long as its tasks hardly wait for memory and little of what was taken comes back,
 * it was cold, and after dwell_s there is another probe. Where either goes over its bound, or an
 * eighth of what the last probes took has come back by and by, there is none for a time that
 * doubles with every such failure and halves with every success; in a crisis, dwell_s will do.
 *
 *     probe   probe   probe      hurt                           probe
 *     --|-------|-------|----------|-----------------------------|----
 *        dwell_s         dwell_s     twice, four times .. 256 times
 *
 * A domain that has idle memory, which its balloon can take, is not probed but in a crisis.
 * Domains take turns: who has rested longest is next. A probe never goes below the domain's
 * floor, nor, where its working set was measured, below that with headroom (half of it in a
 * crisis); and all of them together never beyond what may be written to swap (memory.c). Without
 * free swap only the cache of files can go, and not more than half of it.
 *
 * memory.reclaim is preferred: it takes what it is asked for and leaves nothing behind. Where
 * there is only memory.high, the limit is set a step below what is used; it holds until the next
 * step down, and is lifted at once when the domain hurts, when its guest is short, when the host
 * is calm, or when the domain is no longer ours to squeeze. Who sets a limit reclaims until the
 * usage is below it, even when the limit has been lifted meanwhile; so a large step is made of
 * small ones, the first the smallest, the next when the domain is below the last. It has a lease,
 * renewed at every decision, so that it goes when the agent does. One that was not set before the
 * domain has grown far beyond it is not wanted any more.
 *
 * Waiting and refaults are counted over two seconds, but judged as soon as there has been more of
 * them than two seconds may have: a domain that is squeezed too hard is let go at the next tick. So
 * is one that grows against our limit, or beyond it and up to its own. To be at its own limit, with
 * none of ours, says little: caches of files grow up to there. But one that has run out of memory
 * there rests for as long as a pause can be.
 *
 * The idea of asking for a little and looking at the pressure is that of J. Weiner's senpai.
 * Source: Documentation/admin-guide/cgroup-v2.rst, memory.high, memory.reclaim, memory.pressure;
 * workingset_refault_* in memory.stat; memory.events; memory_high_write() in mm/memcontrol.c, which
 * counts no event of its own.
 */
#include "policy/high.h"
#include "policy/balloon.h"
#include "policy/bid.h"
#include "policy/need.h"
#include "policy/rule.h"
#include "policy/stake.h"

#define MIB UINT64_C(1048576)

/* Waiting and refaults are counted over so long. */
#define WINDOW_US (2 * US_PER_S)
/* Longest pause after probes that hurt, times dwell_s. */
#define PAUSE_MAX 256
/* A domain whose tasks had to reclaim so often, being above our limit, is growing. */
#define BREACHES 16
/* Where more than this part of what was taken comes back, it was not cold. */
#define BACK_DIVISOR 8
/* What was taken and came back counts less by this part with each probe. */
#define MEMORY_DIVISOR 8
/* Less is not worth a probe. */
#define PROBE_MIN MIB
/* A limit goes down by so much at a time, but for the first step of a probe, which finds out
 * whether the domain is at work; the next time when no more than the slack is used beyond it. What
 * the kernel has taken from its accounts beforehand for each CPU counts as used. */
#define LIMIT_STEP  (4 * MIB)
#define LIMIT_FIRST MIB
#define LIMIT_SLACK (MIB / 2)
/* This part of swap is left free. */
#define SWAP_FULL_DIVISOR 20
/* The kernel takes more than it is asked for: a fifth more was seen, and little is doubled by huge
 * pages. So only this part of what is above the floor is asked for. */
#define FLOOR_DIVISOR 2
/* Part of the cache of files that can go. */
#define FILES_DIVISOR 2

/* How soon a limit, or a probe, is looked after. */
#define TICK_PROBING_US (US_PER_S / 2)
#define TICK_IDLE_US    (2 * US_PER_S)

/* --- how it fares ----------------------------------------------------------------------- */

static uint64_t
since(uint64_t now, uint64_t before)
{
    return is_known(now) && is_known(before) ? sat_sub(now, before) : 0;
}

static uint64_t
dwell_us(const PolicyConf *conf)
{
    return conf->high_dwell_s * US_PER_S;
}

/* Why a domain is to be let go, by what it went through since the counters were taken; REASON_NONE:
 * it fares well. */
static Reason
what_hurts(const PolicyConf *conf, const DomainSample *domain, const HighTrack *high)
{
    uint64_t stall_us = since(domain->cgroup_stall_us, high->stall_us);
    uint64_t refaults = since(domain->cgroup_refaults, high->refaults);
    bool limited = high->limit_bytes > 0;
    uint64_t highs = limited ? since(domain->cgroup_highs, high->highs) : 0;
    uint64_t maxes = limited ? since(domain->cgroup_maxes, high->maxes) : 0;

    if (maxes > 0 || since(domain->cgroup_ooms, high->ooms) > 0)
        return REASON_HARD_LIMIT;
    if (stall_us >= mul_div(WINDOW_US, conf->high_stall_bp, BP_ONE) ||
        refaults >= conf->high_refault * (WINDOW_US / US_PER_S) || highs >= BREACHES)
        return REASON_BACK_OFF;
    return REASON_NONE;
}

/* Whether there is nothing to compare with before now. */
static bool
is_first(const DomainSample *domain, const HighTrack *high)
{
    return high->at_us == 0 || (is_known(domain->cgroup_stall_us) && !is_known(high->stall_us)) ||
           (is_known(domain->cgroup_refaults) && !is_known(high->refaults));
}

static void
follow(const PolicyConf *conf, uint64_t now_us, const DomainSample *domain, HighTrack *high)
{
    bool first = is_first(domain, high);
    Reason over = first ? REASON_NONE : what_hurts(conf, domain, high);
    bool ended = first || sat_sub(now_us, high->at_us) >= WINDOW_US;

    if (over != REASON_NONE && high->hurt_by == REASON_NONE && high->rested_us > 0)
        high->pause_us =
            min_u64(max_u64(high->pause_us, dwell_us(conf)) * 2, dwell_us(conf) * PAUSE_MAX);
    if (since(domain->cgroup_ooms, high->ooms) > 0 && !first)
        high->pause_us = dwell_us(conf) * PAUSE_MAX;
    if (over != REASON_NONE)
        high->rested_us = max_u64(now_us, 1);
    if (first)
        high->back_count = domain->cgroup_refaults; /* what came back before is not our doing */
    if (over == REASON_NONE && !ended)
        return;
    high->hurt_by = over;
    high->at_us = max_u64(now_us, 1);
    high->stall_us = domain->cgroup_stall_us;
    high->refaults = domain->cgroup_refaults;
    high->highs = domain->cgroup_highs;
    high->maxes = domain->cgroup_maxes;
    high->ooms = domain->cgroup_ooms;
}

/* --- who is probed ---------------------------------------------------------------------- */

/* Why a domain is none of ours; REASON_NONE: it is. */
static Reason
why_not(const PolicyConf *conf, const HostSample *host, const DomainSample *domain)
{
    if (mechanism_of(conf->high_enable, domain->high_mode) == ENABLE_NO)
        return REASON_MECHANISM_OFF;
    if (domain->is_fixed)
        return REASON_FIXED_MEMORY;
    if (domain->limit_foreign)
        return REASON_FOREIGN;
    if (domain->is_still || host->knobs.run == KSM_RUN_UNMERGE)
        return REASON_HOLD_STILL;
    if (!is_known(domain->cgroup_bytes) || (!domain->can_reclaim && !domain->can_limit))
        return REASON_NO_CGROUP;
    return REASON_NONE;
}

/* A limit squeezes for as long as it is there: how the domain fares under it has to be seen. */
static bool
is_blind(const DomainSample *domain)
{
    return !domain->can_reclaim &&
           (!is_known(domain->cgroup_stall_us) || !is_known(domain->cgroup_refaults));
}

/* Why a domain is to be held down no longer; REASON_NONE: no need to. */
static Reason
why_lift(const PolicyConf *conf, const Sample *sample, const PolicyState *state, const Plan *plan,
         size_t i)
{
    const DomainTrack *track = &state->domains[i];
    Reason reason = why_not(conf, &sample->host, &sample->domains[i]);

    if (reason != REASON_NONE)
        return reason;
    if (track->high.hurt_by != REASON_NONE)
        return track->high.hurt_by;
    if (plan->host.level == MEMORY_CALM)
        return plan->host.reason;
    if (need_was_short(track, sample->host.now_us))
        return REASON_GUEST_SHORT;
    if (!is_known(sample->domains[i].maximum_bytes) || is_blind(&sample->domains[i]))
        return REASON_FACT_MISSING;
    return REASON_NONE;
}

/* What still fits into swap; some of it is left to others. */
static uint64_t
swap_room_bytes(const HostSample *host)
{
    if (!is_known(host->swap_total_bytes) || !is_known(host->swap_free_bytes))
        return 0;
    return sat_sub(host->swap_free_bytes, host->swap_total_bytes / SWAP_FULL_DIVISOR);
}

static bool
has_swap(const HostSample *host)
{
    return swap_room_bytes(host) >= PROBE_MIN;
}

/* What all probes of this decision may take. */
static uint64_t
most_bytes(const HostSample *host, const MemoryState *memory)
{
    return has_swap(host) ? min_u64(memory->swap_budget_bytes, swap_room_bytes(host)) : UINT64_MAX;
}

/* What a domain may be asked for before it is at a bound. */
static uint64_t
room_above(const DomainSample *domain, uint64_t bound_bytes)
{
    return sat_sub(domain->cgroup_bytes, bound_bytes) / FLOOR_DIVISOR;
}

/* What it has used lately, with headroom; its floor where that is more, or nothing is measured. */
static uint64_t
kept_bytes(const PolicyConf *conf, MemoryLevel level, const DomainSample *domain)
{
    uint64_t floor_bytes = stake_floor(domain, conf->balloon_floor_bp);
    uint64_t headroom_bytes;

    if (!need_has_working_set(domain))
        return floor_bytes;
    headroom_bytes = mul_div(domain->working_set_bytes, conf->balloon_headroom_bp, BP_ONE);
    if (level == MEMORY_CRITICAL)
        headroom_bytes /= 2;
    return max_u64(floor_bytes, sat_add(domain->working_set_bytes, headroom_bytes));
}

/* The next probe: a step, as far as floor, working set and files allow. */
static uint64_t
probe_bytes(const PolicyConf *conf, const HostSample *host, MemoryLevel level,
            const DomainSample *domain)
{
    uint64_t step_bytes = mul_div(domain->cgroup_bytes, conf->high_step_bp, BP_ONE);

    step_bytes = min_u64(step_bytes, room_above(domain, kept_bytes(conf, level, domain)));
    if (!has_swap(host))
        step_bytes = min_u64(step_bytes, known_or(domain->cgroup_file_bytes, 0) / FILES_DIVISOR);
    return step_bytes;
}

/* In a crisis nobody rests for longer than usual. */
static bool
is_resting(const PolicyConf *conf, uint64_t now_us, MemoryLevel level, const HighTrack *high)
{
    uint64_t pause_us = level == MEMORY_CRITICAL ? 0 : high->pause_us;

    return high->rested_us > 0 &&
           sat_sub(now_us, high->rested_us) < max_u64(pause_us, dwell_us(conf));
}

/* Why a domain that may be held down is not probed now; REASON_NONE: it may be. */
static Reason
why_wait(const PolicyConf *conf, const Sample *sample, const PolicyState *state, const Plan *plan,
         size_t i)
{
    const DomainSample *domain = &sample->domains[i];
    const DomainTrack *track = &state->domains[i];

    if (plan->host.level < MEMORY_CRITICAL && plan->domains[i].debt_pages > 0)
        return REASON_DEBT;
    if (plan->host.level < MEMORY_CRITICAL && balloon_idle_bytes(conf, sample, state, plan, i) > 0)
        return REASON_IDLE_FIRST;
    if (track->balloon.asked_bytes > 0 ||
        is_resting(conf, sample->host.now_us, plan->host.level, &track->high))
        return REASON_DWELL;
    if (room_above(domain, stake_floor(domain, conf->balloon_floor_bp)) < PROBE_MIN)
        return REASON_AT_FLOOR;
    if (room_above(domain, kept_bytes(conf, plan->host.level, domain)) < PROBE_MIN)
        return REASON_IN_USE;
    if (has_swap(&sample->host))
        return most_bytes(&sample->host, &state->memory) < PROBE_MIN ? REASON_SWAP_RATE
                                                                     : REASON_NONE;
    return probe_bytes(conf, &sample->host, plan->host.level, domain) < PROBE_MIN ? REASON_NO_SWAP
                                                                                  : REASON_NONE;
}

uint64_t
high_offer(const PolicyConf *conf, const Sample *sample, PolicyState *state, const Plan *plan)
{
    uint64_t now_us = sample->host.now_us;

    bid_clear(sample->n, state);
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainTrack *track = &state->domains[i];

        follow(conf, now_us, domain, &track->high);
        if (why_lift(conf, sample, state, plan, i) == REASON_NONE &&
            why_wait(conf, sample, state, plan, i) == REASON_NONE)
            bid_place(sat_sub(now_us, track->high.rested_us),
                      probe_bytes(conf, &sample->host, plan->host.level, domain),
                      mechanism_of(conf->high_enable, domain->high_mode) == ENABLE_OBSERVE, track);
    }
    return min_u64(bid_sum(sample->n, state, false), most_bytes(&sample->host, &state->memory));
}

/* --- what is done ----------------------------------------------------------------------- */

/*
 * Before the next probe: were the ones before it worth it? Memory may come back long after it was
 * taken, so the last few are judged together.
 */
static void
judge(const PolicyConf *conf, const HostSample *host, const DomainSample *domain, uint64_t bytes,
      HighTrack *high)
{
    uint64_t back_pages =
        sat_add(high->back_pages, since(domain->cgroup_refaults, high->back_count));
    uint64_t pause_us = max_u64(high->pause_us, dwell_us(conf));

    if (back_pages > high->taken_pages / BACK_DIVISOR)
        high->pause_us = min_u64(pause_us * 2, dwell_us(conf) * PAUSE_MAX);
    else
        high->pause_us = max_u64(pause_us / 2, dwell_us(conf));
    high->back_pages = back_pages - back_pages / MEMORY_DIVISOR;
    high->taken_pages -= high->taken_pages / MEMORY_DIVISOR;
    high->taken_pages = sat_add(high->taken_pages, bytes / host->page_bytes);
    high->back_count = domain->cgroup_refaults;
}

/* A limit is ours until the kernel says otherwise. */
static void
plan_lift(const DomainSample *domain, HighTrack *high, DomainPlan *part)
{
    if (high->limit_bytes == 0)
        return;
    part->limit_bytes = LIMIT_NONE;
    part->high_apply = true;
    if (domain->limit_bytes != high->limit_bytes)
        high->limit_bytes = 0;
}

static void
plan_limit(const PolicyConf *conf, uint64_t now_us, uint64_t bytes, DomainPlan *part)
{
    part->limit_bytes = bytes;
    part->lease_us = sat_add(now_us, conf->high_lease_s * US_PER_S);
}

/* A limit of whole pages, since the kernel keeps no others. */
static uint64_t
limit_below(const HostSample *host, const DomainSample *domain, uint64_t step_bytes)
{
    uint64_t pages = (domain->cgroup_bytes - step_bytes) / host->page_bytes;

    return mul_div(sat_add(pages, 1), host->page_bytes, 1);
}

static void
plan_probe(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan, size_t i)
{
    const DomainSample *domain = &sample->domains[i];
    HighTrack *high = &state->domains[i].high;
    DomainPlan *part = &plan->domains[i];
    uint64_t bytes = state->domains[i].bid.got_bytes;
    bool dry = state->domains[i].bid.dry;

    part->high_reason = REASON_PROBE_DOWN;
    high->rested_us = max_u64(sample->host.now_us, 1);
    judge(conf, &sample->host, domain, bytes, high);
    if (domain->can_reclaim) {
        part->reclaim_bytes = bytes;
        plan_lift(domain, high, part);
    } else {
        uint64_t limit_bytes = limit_below(&sample->host, domain, min_u64(bytes, LIMIT_FIRST));

        plan_limit(conf, sample->host.now_us, limit_bytes, part);
        high->goal_bytes = limit_below(&sample->host, domain, bytes);
        if (!dry)
            high->limit_bytes = limit_bytes;
    }
    if (dry || !has_swap(&sample->host))
        return;
    state->memory.swap_planned_bytes = sat_add(state->memory.swap_planned_bytes, bytes);
    state->memory.swap_budget_bytes = sat_sub(state->memory.swap_budget_bytes, bytes);
}

/* A limit that is not in force, and that the domain has outgrown, would not be the small step that
 * it was meant to be. */
static bool
is_outgrown(const DomainSample *domain, const HighTrack *high)
{
    return domain->limit_bytes != high->limit_bytes &&
           sat_sub(domain->cgroup_bytes, high->limit_bytes) > HIGH_LIMIT_FAR;
}

/* The limit as it is to be now: on its way to where the probe ends. */
static uint64_t
next_limit(const DomainSample *domain, const HighTrack *high)
{
    if (domain->limit_bytes != high->limit_bytes ||
        domain->cgroup_bytes > sat_add(high->limit_bytes, LIMIT_SLACK))
        return high->limit_bytes;
    return max_u64(high->goal_bytes, sat_sub(high->limit_bytes, LIMIT_STEP));
}

/* Of a domain that is not probed now. */
static void
plan_rest(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan, size_t i)
{
    const DomainSample *domain = &sample->domains[i];
    HighTrack *high = &state->domains[i].high;
    DomainPlan *part = &plan->domains[i];
    Reason reason = why_lift(conf, sample, state, plan, i);

    part->high_reason = reason;
    if (reason == REASON_FOREIGN) {
        high->limit_bytes = 0; /* not even lifted: it is theirs now */
    } else if (reason != REASON_NONE || domain->can_reclaim || !part->high_apply ||
               high->limit_bytes < stake_floor(domain, conf->balloon_floor_bp) ||
               is_outgrown(domain, high)) {
        plan_lift(domain, high, part);
    } else {
        high->limit_bytes = next_limit(domain, high);
        plan_limit(conf, sample->host.now_us, high->limit_bytes, part);
    }
    if (reason != REASON_NONE)
        return;
    reason = why_wait(conf, sample, state, plan, i);
    part->high_reason = reason != REASON_NONE ? reason : plan->host.reason;
}

static bool
is_probing(const Sample *sample, const PolicyState *state)
{
    for (size_t i = 0; i < sample->n; i++) {
        const HighTrack *high = &state->domains[i].high;

        if (high->limit_bytes > 0 ||
            (high->rested_us > 0 && sat_sub(sample->host.now_us, high->rested_us) < WINDOW_US))
            return true;
    }
    return false;
}

/* The last of a sum may be too little; and who is only observed is first let go. */
static bool
is_worth(const DomainTrack *track)
{
    if (track->bid.dry && track->high.limit_bytes > 0)
        return false;
    return track->bid.got_bytes >= max_u64(min_u64(PROBE_MIN, track->bid.bytes), 1);
}

void
high_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    uint64_t would_bytes =
        min_u64(plan->host.wanted_bytes, most_bytes(&sample->host, &state->memory));

    bid_award(sample->n, state, plan->host.reclaim_bytes, false, false);
    bid_award(sample->n, state, would_bytes, true, false);
    for (size_t i = 0; i < sample->n; i++) {
        Enable enable = mechanism_of(conf->high_enable, sample->domains[i].high_mode);

        plan->domains[i].high_apply = enable == ENABLE_YES;
        if (is_worth(&state->domains[i]))
            plan_probe(conf, sample, state, plan, i);
        else
            plan_rest(conf, sample, state, plan, i);
    }
    if (conf->high_enable != ENABLE_NO)
        plan_tick(plan, is_probing(sample, state) ? TICK_PROBING_US : TICK_IDLE_US);
}
