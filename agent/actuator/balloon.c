/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * balloon.c - moving the balloons of domains, and putting them back
 *
 * libvirt passes a target on to the guest's driver and answers at once; the guest gets there in
 * its own time, or not at all. So a change that was taken is no change yet: what policy sees is
 * what the guest has done (balloon.current), and whether it is stuck is policy's to judge.
 *
 * Policy's bounds are checked again here, on the figures at hand: whatever goes wrong there, no
 * domain is left with less than its floor or offered more than its ceiling. A target out of
 * bounds is refused as a whole: cutting it to fit would hide the mistake.
 */
#include "agent/actuator/balloon.h"

#include "policy/stake.h"

/* Pages of any guest are as large or smaller. */
#define GRAIN_BYTES (UINT64_C(64) << 10)

void
balloon_init(Balloon *balloon, Originals *originals, const Changer *changer)
{
    *balloon = (Balloon){ .holds = { .group = balloon_actuator.name,
                                     .noun = "balloon",
                                     .kind = CHANGE_BALLOON,
                                     .restore_us = BALLOON_RESTORE_US,
                                     .originals = originals,
                                     .changer = *changer } };
    hold_table_init(&balloon->holds);
    hold_table_load(&balloon->holds);
}

void
balloon_done(Balloon *balloon)
{
    hold_table_done(&balloon->holds);
}

void
balloon_set_options(Balloon *balloon, const BalloonOptions *options)
{
    balloon->options = *options;
}

static bool
is_on(const Balloon *balloon, const DomainSample *sample)
{
    return balloon->options.is_on && mechanism_acts(sample->balloon_mode);
}

/* Whether nothing keeps us from moving it. */
static bool
is_movable(const Subject *subject, const DomainSample *sample)
{
    return subject->id >= 0 && sample->has_balloon && !sample->is_fixed && !sample->is_still &&
           is_known(sample->balloon_bytes) && is_known(sample->maximum_bytes);
}

/* What it may be left: its ceiling, or what it has by now, if that is more. */
static uint64_t
most_bytes(const Balloon *balloon, const DomainSample *sample)
{
    return max_u64(stake_ceiling(sample, balloon->options.floor_bp),
                   min_u64(sample->balloon_bytes, sample->maximum_bytes));
}

/* Whether @want is between the domain's floor and its ceiling; if not, that is its failure. */
static bool
check_bounds(Balloon *balloon, Hold *hold, const DomainSample *sample, uint64_t want)
{
    uint64_t least = stake_floor(sample, balloon->options.floor_bp);
    uint64_t most = most_bytes(balloon, sample);
    g_autofree char *text = hold_bytes_text(want);
    g_autofree char *least_text = hold_bytes_text(least);
    g_autofree char *most_text = hold_bytes_text(most);
    g_autofree char *detail = NULL;

    if (want >= least && want <= most)
        return true;
    detail = g_strdup_printf("a balloon of %s is not set: only %s to %s is allowed", text,
                             least_text, most_text);
    if (hold_may_try(hold))
        hold_fail(&balloon->holds, hold, APPLY_REFUSED, detail);
    return false;
}

/* Whole pages of any guest, but not more than it may have. */
static uint64_t
round_up(uint64_t bytes, uint64_t most)
{
    uint64_t rounded = sat_add(bytes, GRAIN_BYTES - 1) / GRAIN_BYTES * GRAIN_BYTES;

    return rounded > most ? bytes : rounded;
}

/* Return: whether something is to be asked for. */
static bool
apply_one(Balloon *balloon, const Decided *decided, size_t i)
{
    const Subject *subject = &decided->subjects[i];
    const DomainSample *sample = &decided->sample->domains[i];
    const DomainPlan *plan = &decided->plan->domains[i];
    Hold *hold = hold_look(&balloon->holds, subject, sample->balloon_bytes);
    uint64_t want;

    if (!is_on(balloon, sample)) {
        if (hold && !sample->is_still)
            hold_give_back(&balloon->holds, hold);
        return false;
    }
    if (!sample->is_still && !is_known(plan->balloon_bytes))
        hold_unwish(hold);
    if (!plan->balloon_apply || !is_known(plan->balloon_bytes) || !is_movable(subject, sample))
        return false;
    want = round_up(plan->balloon_bytes, most_bytes(balloon, sample));
    hold = hold ? hold : hold_need(&balloon->holds, subject);
    return check_bounds(balloon, hold, sample, want) &&
           hold_wish(&balloon->holds, hold, sample->balloon_bytes, want);
}

ApplyResult
balloon_apply(Balloon *balloon, const Decided *decided, GError **error)
{
    bool has_asked = false;

    if (hold_table_is_idle(&balloon->holds) && !balloon->options.is_on)
        return APPLY_UNCHANGED;
    for (size_t i = 0; i < decided->sample->n; i++)
        has_asked |= apply_one(balloon, decided, i);
    return hold_end_apply(&balloon->holds, decided, has_asked, error);
}

static ApplyResult
row_apply(void *context, const Decided *decided, GError **error)
{
    return balloon_apply(context, decided, error);
}

const Actuator balloon_actuator = { "balloon", row_apply, hold_row_restore };
