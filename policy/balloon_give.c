/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * balloon_give.c - what is free goes to those that need it
 *
 * First come domains that are short themselves, then those that are about to be, then those that
 * have less than their need, then, on a calm host, those from which memory was taken although they
 * can do without: up to where their balloon was found. All but the last get large steps at once;
 * where there is not enough for all that are short, each gets a fair part. All of it comes from
 * what is free now, above a mark which is the lower the more pressing the need is, less what was
 * given already and has not been touched. Memory that another domain has been asked for is not
 * free until it has come: first free, then grant. What those that are short cannot be given is
 * unmet; it makes the host tight, and so others give at the next decision.
 *
 * Two cases go further. A guest with hardly anything left and no swap of its own to turn to is
 * about to kill its programs. It gets a small step even where the host has to swap for it, up to
 * half of the host's free swap: that costs time, the other costs work. And one that has never been
 * seen to swap and is about to be short is given what it takes meanwhile in the same way: once it
 * has hardly anything left, memory would come too late.
 *
 *     ceiling |------------------------------------------------|
 *       found |----------------------------------------|   ^ short: up to the ceiling
 *        need |---------------------|- headroom -|   ^ calm: back to where it was found
 *       floor |--------|   ^ critical    ^ tight: down to here, by idle tax
 */
#include "policy/balloon.h"
#include "policy/bid.h"
#include "policy/memory.h"
#include "policy/need.h"
#include "policy/pace.h"

/* Whose turn it is to be given memory. */
typedef enum {
    TURN_SHORT, /* shows signs of shortage */
    TURN_DIRE,  /* is about to kill its programs */
    TURN_HASTE, /* takes memory so fast that it will be about to */
    TURN_SOON,  /* takes memory so fast that it will be short */
    TURN_NEED,  /* has less than it needs */
    TURN_HOME,  /* has less than it was found with */
    TURN_COUNT,
} Turn;

/* What was taken from it. A balloon that is not where we have sent it is at home wherever it is: an
 * operator or the domain's definition wants it there. */
static uint64_t
taken_bytes(const BalloonCase *c)
{
    uint64_t home_bytes = known_or(c->domain->found_bytes, c->domain->balloon_bytes);

    return sat_sub(min_u64(home_bytes, c->stake.high_bytes), c->stake.end_bytes);
}

/* It may be in need, and cannot say so: it is served after those that are short. */
static uint64_t
wish_silent(const BalloonCase *c)
{
    return min_u64(c->stake.grow_bytes, taken_bytes(c));
}

static uint64_t
wish_short(const BalloonCase *c)
{
    const Stake *stake = &c->stake;

    if (c->is_silent)
        return c->level == MEMORY_CRITICAL || balloon_is_moving(c) || balloon_is_dwelling(c)
                   ? 0
                   : wish_silent(c);
    if (!is_known(c->part->need_bytes) || !c->is_short ||
        (balloon_is_dwelling(c) && !balloon_has_told(c)))
        return 0;
    return max_u64(min_u64(min_u64(max_u64(c->fair_bytes, stake->shrink_bytes), stake->grow_bytes),
                           sat_sub(stake->high_bytes, stake->end_bytes)),
                   sat_sub(stake->low_bytes, stake->end_bytes));
}

static uint64_t
wish_dire(const BalloonCase *c)
{
    return c->track->need.is_dire ? min_u64(wish_short(c), c->stake.shrink_bytes) : 0;
}

static uint64_t
wish_soon(const BalloonCase *c)
{
    const Stake *stake = &c->stake;
    uint64_t soon_bytes = need_soon_bytes(c->track, c->host->now_us);

    if (soon_bytes == 0 || !is_known(c->part->need_bytes) || c->is_short ||
        (balloon_is_dwelling(c) && !balloon_has_told(c)))
        return 0;
    return max_u64(min_u64(min_u64(soon_bytes, stake->grow_bytes),
                           sat_sub(stake->high_bytes, stake->end_bytes)),
                   sat_sub(stake->low_bytes, stake->end_bytes));
}

static uint64_t
wish_haste(const BalloonCase *c)
{
    return pace_can_swap(c->domain) ? 0 : wish_soon(c);
}

static uint64_t
wish_need(const BalloonCase *c)
{
    const Stake *stake = &c->stake;
    uint64_t lack_bytes = sat_sub(stake->need_bytes, stake->end_bytes);

    if (!is_known(c->part->need_bytes) || c->is_short || lack_bytes <= stake->band_bytes ||
        (balloon_is_dwelling(c) && !balloon_has_told(c)))
        return 0;
    return max_u64(min_u64(stake->grow_bytes, lack_bytes),
                   sat_sub(stake->low_bytes, stake->end_bytes));
}

static uint64_t
wish_home(const BalloonCase *c)
{
    if (c->level != MEMORY_CALM || balloon_is_moving(c) || balloon_is_dwelling(c))
        return 0;
    return min_u64(c->stake.shrink_bytes, taken_bytes(c));
}

/* In order of need, by shares; what was taken goes back first to who was charged least. */
static uint64_t
wish_rank(const BalloonCase *c, Turn turn, uint64_t bytes)
{
    uint64_t lack_bp = mul_div(bytes, BP_ONE, sat_add(c->stake.end_bytes, bytes));

    if (turn == TURN_HOME)
        return sat_sub(UINT64_MAX, stake_charge(c->conf, c->host, c->domain, &c->stake));
    if (turn <= TURN_DIRE)
        lack_bp = BP_ONE + 1 - need_usable_bp(c->domain);
    return mul_div(lack_bp, c->domain->shares, 1);
}

static uint64_t
wish_of(const BalloonCase *c, Turn turn)
{
    static uint64_t (*const wishes[TURN_COUNT])(const BalloonCase *) = {
        [TURN_SHORT] = wish_short, [TURN_DIRE] = wish_dire, [TURN_HASTE] = wish_haste,
        [TURN_SOON] = wish_soon,   [TURN_NEED] = wish_need, [TURN_HOME] = wish_home,
    };

    return is_known(c->part->balloon_bytes) ? 0 : wishes[turn](c);
}

/* A part of a wish is worth a step unless it is small, or would leave the domain below its floor.
 */
static bool
is_worth(const BalloonCase *c, const Bid *bid)
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
        [TURN_SHORT] = marks.critical_bytes / 2, [TURN_DIRE] = marks.critical_bytes / 4,
        [TURN_HASTE] = marks.critical_bytes / 4, [TURN_SOON] = marks.critical_bytes,
        [TURN_NEED] = marks.tight_bytes,         [TURN_HOME] = marks.idle_bytes,
    };
    uint64_t promised = 0;
    uint64_t free_bytes;

    for (size_t i = 0; i < sample->n; i++) {
        const DomainTrack *track = &state->domains[i];

        if (turn > TURN_DIRE || need_is_short(track, sample->host.now_us))
            promised = sat_add(promised, track->balloon.promise_bytes);
    }
    free_bytes = memory_above(&sample->host, mark_of[turn]);
    if (turn == TURN_DIRE || turn == TURN_HASTE)
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
    BalloonCase c;

    bid_clear(sample->n, state);
    for (size_t i = 0; i < sample->n; i++) {
        uint64_t bytes;

        if (!balloon_case(conf, sample, state, plan, i, &c))
            continue;
        c.fair_bytes = fair;
        bytes = wish_of(&c, turn);
        bid_place(wish_rank(&c, turn, bytes), bytes, c.dry, c.track);
    }
    bid_award(sample->n, state, budget, false, false);
    bid_award(sample->n, state, budget, true, false);
    for (size_t i = 0; i < sample->n; i++) {
        Bid *bid = &state->domains[i].bid;

        if (!balloon_case(conf, sample, state, plan, i, &c))
            continue;
        if (is_worth(&c, bid))
            balloon_plan(&c, c.stake.end_bytes + bid->got_bytes, REASON_GIVE_BACK);
        else
            bid->got_bytes = 0;
        if (turn == TURN_SHORT && !c.dry && !c.is_silent)
            state->memory.unmet_bytes =
                sat_add(state->memory.unmet_bytes, bid->bytes - bid->got_bytes);
    }
}

void
balloon_give(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    for (Turn turn = TURN_SHORT; turn < TURN_COUNT; turn++)
        give(conf, sample, state, plan, turn);
}
