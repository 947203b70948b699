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
 * Giving. First come domains that are short themselves, then those that have less than their need,
 * then, on a calm host, those from which memory was taken although they can do without: up to
 * where their balloon was found. The first two get large steps at once. All of it comes from what
 * is free now, above a mark which is the lower the more pressing the need is (memory.h), less what
 * was given already and has not been touched. Memory that another domain has been asked for is
 * not free until it has come: first free, then grant. What is needed and cannot be given is
 * unmet; it makes the host tight, and so others give at the next decision.
 *
 *     ceiling |------------------------------------------------|
 *       found |----------------------------------------|   ^ short: up to the ceiling
 *        need |---------------------|- headroom -|   ^ calm: back to where it was found
 *       floor |--------|   ^ critical    ^ tight: down to here, by idle tax
 *
 * A step down that is still on its way when the host is calm again, or when the guest turns out to
 * be short, is called off.
 *
 * Domains whose memory must stay, or must not move now, whose balloon others set, or of whose need
 * nothing is known, are left alone, with the reason. Only what was taken from the latter is given
 * back to them, as to those that are short but after them: they may be in need and unable to say.
 */
#include "policy/balloon.h"
#include "policy/bid.h"
#include "policy/memory.h"
#include "policy/motion.h"
#include "policy/need.h"
#include "policy/rule.h"
#include "policy/stake.h"

#define US_PER_S     UINT64_C(1000000)

#define TICK_BUSY_US US_PER_S
#define TICK_IDLE_US (2 * US_PER_S)

/* Whose turn it is to be given memory. */
typedef enum {
    TURN_SHORT, /* shows signs of shortage */
    TURN_DIRE,  /* is about to kill its programs */
    TURN_NEED,  /* has less than it needs */
    TURN_HOME,  /* has less than it was found with */
    TURN_COUNT,
} Turn;

/* One domain in one decision; pointers are borrowed. */
typedef struct {
    const PolicyConf *conf;     /* settings */
    const HostSample *host;     /* facts of the host */
    const DomainSample *domain; /* its facts */
    DomainTrack *track;         /* what is remembered of it */
    DomainPlan *part;           /* its part of the plan */
    MemoryLevel level;          /* of the host */
    Stake stake;                /* what it has and may have */
    bool is_short;              /* the guest shows signs of shortage */
    bool is_silent;             /* of its need nothing is known, and memory was taken from it */
    bool dry;                   /* it is only observed */
    uint64_t fair_bytes;        /* part of what there is for each that is short */
} Case;

/* Why nothing at all is done; REASON_NONE: something may be. */
static Reason
why_not(const PolicyConf *conf, const HostSample *host, const DomainSample *domain)
{
    if (mechanism_of(conf->balloon_enable, domain->balloon_mode) == ENABLE_NO)
        return REASON_MECHANISM_OFF;
    if (!domain->has_balloon)
        return REASON_NO_BALLOON;
    if (domain->is_fixed)
        return REASON_FIXED_MEMORY;
    if (domain->balloon_foreign)
        return REASON_FOREIGN;
    if (domain->is_still)
        return REASON_HOLD_STILL;
    if (!is_known(domain->maximum_bytes) || domain->balloon_bytes > domain->maximum_bytes ||
        domain->balloon_bytes == 0 || !memory_is_known(host))
        return REASON_FACT_MISSING;
    return REASON_NONE;
}

uint64_t
balloon_idle_bytes(const PolicyConf *conf, const Sample *sample, const PolicyState *state,
                   const Plan *plan, size_t i)
{
    const DomainSample *domain = &sample->domains[i];
    const DomainTrack *track = &state->domains[i];
    Stake stake;

    if (mechanism_of(conf->balloon_enable, domain->balloon_mode) != ENABLE_YES ||
        why_not(conf, &sample->host, domain) != REASON_NONE || track->balloon.stuck ||
        need_was_short(track, sample->host.now_us))
        return 0;
    stake = stake_of(conf, plan->host.level, domain, track, plan->domains[i].need_bytes);
    return stake.spare_bytes > stake.band_bytes ? stake.spare_bytes : 0;
}

static bool
case_of(const PolicyConf *conf, const Sample *sample, PolicyState *state, const Plan *plan,
        size_t i, Case *ret_case)
{
    const DomainSample *domain = &sample->domains[i];
    DomainTrack *track = &state->domains[i];

    if (why_not(conf, &sample->host, domain) != REASON_NONE)
        return false;
    *ret_case = (Case){
        .conf = conf,
        .host = &sample->host,
        .domain = domain,
        .track = track,
        .part = &plan->domains[i],
        .level = plan->host.level,
        .stake = stake_of(conf, plan->host.level, domain, track, plan->domains[i].need_bytes),
        .is_short = need_is_short(track, sample->host.now_us),
        .is_silent = !is_known(plan->domains[i].need_bytes) && track->balloon.acted_us > 0,
        .dry = mechanism_of(conf->balloon_enable, domain->balloon_mode) == ENABLE_OBSERVE,
    };
    return true;
}

static bool
is_moving(const Case *c)
{
    return c->track->balloon.asked_bytes > 0;
}

static bool
is_shrinking(const Case *c)
{
    return is_moving(c) && c->track->balloon.asked_bytes < c->domain->balloon_bytes;
}

/* Whether the last step is so fresh that the next one has to wait; half as long in a crisis. */
static bool
is_dwelling(const Case *c)
{
    uint64_t dwell_us = c->conf->balloon_dwell_s * US_PER_S;
    const BalloonTrack *balloon = &c->track->balloon;

    if (c->level == MEMORY_CRITICAL)
        dwell_us /= 2;
    return balloon->acted_us > 0 && sat_sub(c->host->now_us, balloon->acted_us) < dwell_us;
}

/* Whether the guest has told how it fares since the last step. */
static bool
has_told(const Case *c)
{
    return c->track->balloon.acted_us == 0 || c->track->need.told_us > c->track->balloon.acted_us;
}

static void
plan_target(const Case *c, uint64_t bytes, Reason reason)
{
    c->part->balloon_bytes = bytes;
    c->part->balloon_reason = reason;
    if (!c->dry)
        motion_ask(c->host->now_us, c->domain, bytes, c->track);
}

/* --- giving ----------------------------------------------------------------------------- */

/* It may be in need, and cannot say so. */
static uint64_t
wish_silent(const Case *c)
{
    uint64_t home_bytes = min_u64(c->track->balloon.home_bytes, c->stake.high_bytes);

    return min_u64(c->stake.grow_bytes, sat_sub(home_bytes, c->stake.end_bytes));
}

static uint64_t
wish_short(const Case *c)
{
    const Stake *stake = &c->stake;

    if (c->is_silent)
        return is_moving(c) || is_dwelling(c) ? 0 : wish_silent(c);
    if (!is_known(c->part->need_bytes) || !c->is_short || (is_dwelling(c) && !has_told(c)))
        return 0;
    return max_u64(min_u64(clamp_u64(c->fair_bytes, stake->shrink_bytes, stake->grow_bytes),
                           sat_sub(stake->high_bytes, stake->end_bytes)),
                   sat_sub(stake->low_bytes, stake->end_bytes));
}

static uint64_t
wish_dire(const Case *c)
{
    return c->track->need.is_dire ? min_u64(wish_short(c), c->stake.shrink_bytes) : 0;
}

static uint64_t
wish_need(const Case *c)
{
    const Stake *stake = &c->stake;
    uint64_t lack_bytes = sat_sub(stake->need_bytes, stake->end_bytes);

    if (!is_known(c->part->need_bytes) || c->is_short || lack_bytes <= stake->band_bytes ||
        (is_dwelling(c) && !has_told(c)))
        return 0;
    return max_u64(min_u64(stake->grow_bytes, lack_bytes),
                   sat_sub(stake->low_bytes, stake->end_bytes));
}

static uint64_t
wish_home(const Case *c)
{
    const Stake *stake = &c->stake;
    uint64_t home_bytes = min_u64(c->track->balloon.home_bytes, stake->high_bytes);

    if (c->level != MEMORY_CALM || is_moving(c) || is_dwelling(c))
        return 0;
    return min_u64(stake->shrink_bytes, sat_sub(home_bytes, stake->end_bytes));
}

/* In order of need, by shares; what was taken goes back first to who was charged least. */
static uint64_t
wish_rank(const Case *c, Turn turn, uint64_t bytes)
{
    uint64_t lack_bp = mul_div(bytes, BP_ONE, sat_add(c->stake.end_bytes, bytes));

    if (turn == TURN_HOME)
        return sat_sub(UINT64_MAX, stake_charge(c->conf, c->host, c->domain, &c->stake));
    if (turn <= TURN_DIRE)
        lack_bp = BP_ONE + 1 - need_usable_bp(c->domain);
    return mul_div(lack_bp, c->domain->shares, 1);
}

static uint64_t
wish_of(const Case *c, Turn turn)
{
    static uint64_t (*const wishes[TURN_COUNT])(const Case *) = {
        [TURN_SHORT] = wish_short,
        [TURN_DIRE] = wish_dire,
        [TURN_NEED] = wish_need,
        [TURN_HOME] = wish_home,
    };

    return is_known(c->part->balloon_bytes) ? 0 : wishes[turn](c);
}

/* A part of a wish is worth a step unless it is small, or would leave the domain below its floor.
 */
static bool
is_worth(const Case *c, const Bid *bid)
{
    if (bid->got_bytes == 0 || c->stake.end_bytes + bid->got_bytes < c->stake.low_bytes)
        return false;
    return bid->got_bytes == bid->bytes || bid->got_bytes >= max_u64(c->stake.band_bytes, 1);
}

/* Free memory that this turn may use; what others were promised is not free. */
static uint64_t
budget_of(const PolicyConf *conf, const Sample *sample, const PolicyState *state, Turn turn)
{
    MemoryMarks marks = memory_marks(conf, &sample->host);
    const uint64_t mark_of[TURN_COUNT] = {
        [TURN_SHORT] = marks.critical_bytes / 2,
        [TURN_DIRE] = 0,
        [TURN_NEED] = marks.tight_bytes,
        [TURN_HOME] = marks.idle_bytes,
    };
    uint64_t promised = 0;
    uint64_t free_bytes;

    for (size_t i = 0; i < sample->n; i++) {
        const DomainTrack *track = &state->domains[i];

        if (turn > TURN_DIRE || need_is_short(track, sample->host.now_us))
            promised = sat_add(promised, track->balloon.promise_bytes);
    }
    free_bytes = memory_above(&sample->host, mark_of[turn]);
    if (turn == TURN_DIRE)
        free_bytes = sat_add(free_bytes, known_or(sample->host.swap_free_bytes, 0) / 2);
    return sat_sub(free_bytes, promised);
}

static uint64_t
count_short(const Sample *sample, const PolicyState *state)
{
    uint64_t n = 0;

    for (size_t i = 0; i < sample->n; i++)
        n += need_is_short(&state->domains[i], sample->host.now_us);
    return n;
}

static void
give(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan, Turn turn)
{
    uint64_t budget = budget_of(conf, sample, state, turn);
    uint64_t fair = budget / max_u64(count_short(sample, state), 1);
    Case c;

    bid_clear(sample->n, state);
    for (size_t i = 0; i < sample->n; i++) {
        uint64_t bytes;

        if (!case_of(conf, sample, state, plan, i, &c))
            continue;
        c.fair_bytes = fair;
        bytes = wish_of(&c, turn);
        bid_place(wish_rank(&c, turn, bytes), bytes, c.dry, c.track);
    }
    bid_award(sample->n, state, budget, false, false);
    bid_award(sample->n, state, budget, true, false);
    for (size_t i = 0; i < sample->n; i++) {
        Bid *bid = &state->domains[i].bid;

        if (!case_of(conf, sample, state, plan, i, &c))
            continue;
        if (is_worth(&c, bid))
            plan_target(&c, c.stake.end_bytes + bid->got_bytes, REASON_GIVE_BACK);
        else
            bid->got_bytes = 0;
        if (turn == TURN_SHORT && !c.dry && !c.is_silent)
            state->memory.unmet_bytes =
                sat_add(state->memory.unmet_bytes, bid->bytes - bid->got_bytes);
    }
}

/* --- taking ----------------------------------------------------------------------------- */

/* Why a domain gives nothing; REASON_NONE: it might. */
static Reason
why_keep(const Case *c)
{
    const Stake *stake = &c->stake;

    if (c->is_short && stake->end_bytes >= stake->high_bytes)
        return REASON_AT_CEILING;
    if (need_was_short(c->track, c->host->now_us))
        return REASON_GUEST_SHORT;
    if (c->track->balloon.stuck)
        return REASON_STUCK;
    if (c->level == MEMORY_CALM)
        return REASON_CALM;
    if (is_moving(c) || is_dwelling(c) || !has_told(c))
        return REASON_DWELL;
    if (c->domain->balloon_bytes <= stake->low_bytes)
        return REASON_AT_FLOOR;
    if (stake->spare_bytes <= stake->band_bytes)
        return REASON_DEAD_BAND;
    /* A domain pays in one coin at a time. */
    return c->part->high_apply && c->part->high_reason == REASON_PROBE_DOWN ? REASON_PROBE_DOWN
                                                                            : REASON_NONE;
}

static uint64_t
offer_of(const Case *c)
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
    Case c;

    bid_clear(sample->n, state);
    for (size_t i = 0; i < sample->n; i++)
        if (case_of(conf, sample, state, plan, i, &c))
            bid_place(stake_charge(conf, &sample->host, c.domain, &c.stake), offer_of(&c), c.dry,
                      c.track);
    bid_award(sample->n, state, wanted, false, true);
    bid_award(sample->n, state, wanted, true, true);
    for (size_t i = 0; i < sample->n; i++)
        if (state->domains[i].bid.got_bytes > 0 && case_of(conf, sample, state, plan, i, &c))
            plan_target(&c, c.domain->balloon_bytes - state->domains[i].bid.got_bytes, REASON_TAKE);
}

/* --- the rest --------------------------------------------------------------------------- */

static void
call_off(const Case *c)
{
    bool unwanted = c->level == MEMORY_CALM || c->is_short;

    if (unwanted && is_shrinking(c) && c->domain->balloon_bytes >= c->stake.low_bytes)
        plan_target(c, min_u64(c->domain->balloon_bytes, c->domain->maximum_bytes),
                    REASON_GIVE_BACK);
}

/* Those that are left as they are have a reason, too. */
static void
settle(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan, size_t i)
{
    const DomainSample *domain = &sample->domains[i];
    DomainPlan *part = &plan->domains[i];
    Reason fault = need_fault(domain);
    Reason reason = why_not(conf, &sample->host, domain);
    Case c;

    if (!case_of(conf, sample, state, plan, i, &c)) {
        part->balloon_reason = reason;
        if (reason == REASON_MECHANISM_OFF)
            motion_forget(&state->domains[i].balloon);
        return;
    }
    part->balloon_apply = !c.dry;
    if (!is_known(part->balloon_bytes))
        call_off(&c);
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
        for (Turn turn = TURN_SHORT; turn < TURN_COUNT; turn++)
            give(conf, sample, state, plan, turn);
        take(conf, sample, state, plan);
        plan_tick(plan, is_busy(sample, state, plan) ? TICK_BUSY_US : TICK_IDLE_US);
    }
    for (size_t i = 0; i < sample->n; i++)
        settle(conf, sample, state, plan, i);
}
