/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * balloon.c - how much memory each domain's balloon leaves to it
 *
 * Taking. A calm host takes nothing. A short one takes what the arbiter asks of balloons, from
 * idle memory alone: what a domain has beyond its need with headroom, or, while the host's state
 * is critical, with half the headroom; never below its floor. Who is charged most for it (stake.c)
 * gives first. A step is small, and the next one waits until the balloon has arrived, dwell_s is
 * over and the guest has told how it fares; so figures that lag behind cause no storm. A domain
 * that is itself short gives nothing.
 *
 * Giving is in balloon_give.c, and comes first.
 *
 * A step that could not be passed on to the balloon yet is planned again at each decision, until it
 * has been, for as long as it would still be right to take it.
 *
 * A step down that is still on its way when the host is calm again, or when the guest turns out to
 * be short or about to be, or to need what is being taken and to have no swap, is called off.
 *
 * Domains whose memory must stay, or must not move now, whose balloon others set, or of whose need
 * nothing is known, are left alone, with the reason. Only what was taken from the latter is given
 * back to them, as to those that are short but after them: they may be in need and unable to say.
 */
#include "policy/balloon.h"
#include "policy/bid.h"
#include "policy/motion.h"
#include "policy/need.h"
#include "policy/pace.h"
#include "policy/rule.h"
#include "policy/stake.h"

#define TICK_BUSY_US US_PER_S
#define TICK_IDLE_US (2 * US_PER_S)

/* --- taking ----------------------------------------------------------------------------- */

static bool
is_soon_short(const BalloonCase *c)
{
    return need_soon_bytes(c->track, c->host->now_us) > 0;
}

/* Why a domain gives nothing; REASON_NONE: it might. */
static Reason
why_keep(const BalloonCase *c)
{
    const Stake *stake = &c->stake;

    if (c->is_short && stake->end_bytes >= stake->high_bytes)
        return REASON_AT_CEILING;
    if (need_was_short(c->track, c->host->now_us) || is_soon_short(c))
        return REASON_GUEST_SHORT;
    if (c->track->balloon.stuck)
        return REASON_STUCK;
    if (c->level == MEMORY_CALM)
        return REASON_CALM;
    if (balloon_is_moving(c) || balloon_is_dwelling(c) || !balloon_has_told(c))
        return REASON_DWELL;
    if (c->domain->balloon_bytes <= stake->low_bytes)
        return REASON_AT_FLOOR;
    if (stake->spare_bytes <= stake->band_bytes)
        return stake->over_bytes > stake->band_bytes ? REASON_REPORTS_FREE : REASON_DEAD_BAND;
    /* A domain pays in one coin at a time. */
    return c->part->high_apply && c->part->high_reason == REASON_PROBE_DOWN ? REASON_PROBE_DOWN
                                                                            : REASON_NONE;
}

static uint64_t
offer_of(const BalloonCase *c)
{
    if (is_known(c->part->balloon_bytes) || why_keep(c) != REASON_NONE ||
        !is_known(c->part->need_bytes))
        return 0;
    return min_u64(c->stake.spare_bytes, c->stake.shrink_bytes);
}

static void
take(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    uint64_t wanted = plan->host.balloon_bytes;
    BalloonCase c;

    bid_clear(sample->n, state);
    for (size_t i = 0; i < sample->n; i++)
        if (balloon_case(conf, sample, state, plan, i, &c))
            bid_place(stake_charge(conf, &sample->host, c.domain, &c.stake), offer_of(&c), c.dry,
                      c.track);
    bid_award(sample->n, state, wanted, false, true);
    bid_award(sample->n, state, wanted, true, true);
    for (size_t i = 0; i < sample->n; i++)
        if (state->domains[i].bid.got_bytes > 0 && balloon_case(conf, sample, state, plan, i, &c))
            balloon_plan(&c, c.domain->balloon_bytes - state->domains[i].bid.got_bytes,
                         REASON_TAKE);
}

/* --- the rest --------------------------------------------------------------------------- */

static bool
is_shrinking(const BalloonCase *c)
{
    return balloon_is_moving(c) && c->track->balloon.asked_bytes < c->domain->balloon_bytes;
}

/* By what it has told since, it would be left less than it is to keep. */
static bool
is_too_far(const BalloonCase *c)
{
    return !pace_can_swap(c->domain) && is_known(c->part->need_bytes) &&
           sat_sub(c->domain->balloon_bytes, c->track->balloon.asked_bytes) >
               sat_add(c->stake.over_bytes, c->stake.band_bytes);
}

static void
call_off(const BalloonCase *c)
{
    bool unwanted = c->level == MEMORY_CALM || c->is_short || is_soon_short(c) || is_too_far(c);

    if (unwanted && is_shrinking(c) && c->domain->balloon_bytes >= c->stake.low_bytes)
        balloon_plan(c, min_u64(c->domain->balloon_bytes, c->domain->maximum_bytes),
                     REASON_GIVE_BACK);
}

/* Whether a step that was planned before may still be taken. */
static bool
is_right(const BalloonCase *c)
{
    uint64_t asked_bytes = c->track->balloon.asked_bytes;

    if (asked_bytes < c->stake.low_bytes)
        return false;
    if (asked_bytes >= c->domain->balloon_bytes)
        return asked_bytes <= max_u64(c->stake.high_bytes, c->domain->balloon_bytes);
    return c->level != MEMORY_CALM && !c->is_short && is_known(c->part->need_bytes);
}

static void
plan_again(const BalloonCase *c)
{
    if (!c->domain->balloon_waits || !balloon_is_moving(c))
        return;
    if (c->dry || !is_right(c)) {
        motion_withdraw(c->domain, &c->track->balloon);
        return;
    }
    c->part->balloon_bytes = c->track->balloon.asked_bytes;
    c->part->balloon_reason = REASON_WAITING;
}

/* Those that are left as they are have a reason, too. */
static void
settle(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan, size_t i)
{
    const DomainSample *domain = &sample->domains[i];
    DomainPlan *part = &plan->domains[i];
    Reason fault = need_fault(domain);
    Reason reason = balloon_why_not(conf, &sample->host, domain);
    BalloonCase c;

    if (!balloon_case(conf, sample, state, plan, i, &c)) {
        part->balloon_reason = reason;
        if (reason == REASON_MECHANISM_OFF)
            motion_forget(&state->domains[i].balloon);
        else if (domain->balloon_waits && reason != REASON_HOLD_STILL)
            motion_withdraw(domain, &state->domains[i].balloon);
        return;
    }
    part->balloon_apply = !c.dry;
    if (c.dry &&
        balloon_is_moving(&c)) /* what was asked for before it was only observed goes back */
        motion_withdraw(domain, &state->domains[i].balloon);
    if (!is_known(part->balloon_bytes))
        call_off(&c);
    if (!is_known(part->balloon_bytes))
        plan_again(&c);
    if (is_known(part->balloon_bytes))
        return;
    reason = fault != REASON_NONE ? fault : why_keep(&c);
    part->balloon_reason = reason != REASON_NONE ? reason : plan->host.reason;
}

static bool
is_busy(const Sample *sample, const PolicyState *state, const Plan *plan)
{
    if (plan->host.level > MEMORY_CALM)
        return true;
    for (size_t i = 0; i < sample->n; i++)
        if (state->domains[i].balloon.asked_bytes > 0)
            return true;
    return false;
}

void
balloon_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    state->memory.unmet_bytes = 0;
    if (conf->balloon_enable != ENABLE_NO) {
        balloon_give(conf, sample, state, plan);
        take(conf, sample, state, plan);
        plan_tick(plan, is_busy(sample, state, plan) ? TICK_BUSY_US : TICK_IDLE_US);
    }
    for (size_t i = 0; i < sample->n; i++)
        settle(conf, sample, state, plan, i);
}
