/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats_period.c - having guests tell of their memory, where nobody else does
 *
 * A balloon has statistics only if QEMU asks the guest for them, at a period that is part of the
 * domain's definition and usually not set. Without them nothing can be said of what a guest needs,
 * so while reclaim is on they are asked for, and the period is put back when it is not.
 *
 * libvirt tells no one when a period is changed. What is in force is therefore what the definition
 * said when it was last read, or what we have set since; next to a change of ours, the worker reads
 * it again (change.c), and a period that is somebody else's stays. After each change of ours the
 * agent has the definition read again (reclaim.c): a killed run's period, found in the definition
 * at the start and put back since, is not there to stay.
 */
#include "agent/actuator/stats_period.h"

#include "policy/arith.h"

void
stats_period_init(StatsPeriod *period, Originals *originals, const Changer *changer)
{
    *period = (StatsPeriod){ .holds = { .group = stats_period_actuator.name,
                                        .noun = "period of statistics",
                                        .kind = CHANGE_STATS_PERIOD,
                                        .restore_us = STATS_PERIOD_RESTORE_US,
                                        .originals = originals,
                                        .changer = *changer } };
    hold_table_init(&period->holds);
    hold_table_load(&period->holds);
}

void
stats_period_done(StatsPeriod *period)
{
    hold_table_done(&period->holds);
}

void
stats_period_set_on(StatsPeriod *period, bool is_on)
{
    period->is_on = is_on;
}

uint64_t
stats_period_in_force(const StatsPeriod *period, const char *uuid, uint64_t defined_s)
{
    const Hold *hold = hold_find(&period->holds, uuid);
    bool is_ours = hold && hold->state == HOLD_OURS && defined_s == hold->known.found_bytes;

    if (!is_ours)
        return defined_s;
    return hold->is_busy ? hold->before.wrote_bytes : hold->known.wrote_bytes;
}

static bool
is_left_alone(const DomainSample *sample)
{
    return !mechanism_acts(sample->balloon_mode) && !mechanism_acts(sample->high_mode);
}

static bool
is_wanted(const StatsPeriod *period, const DomainSample *sample)
{
    return period->is_on && sample->has_balloon && !sample->is_fixed && !is_left_alone(sample);
}

/* Return: whether something is to be asked for. */
static bool
apply_one(StatsPeriod *period, const Subject *subject, const DomainSample *sample)
{
    uint64_t now_s = sample->guest_period_us / 1000000;
    /* Without a balloon the definition has none, or is not known yet. */
    Hold *hold = hold_look(&period->holds, subject, sample->has_balloon ? now_s : VALUE_UNKNOWN);

    if (sample->is_still || subject->id < 0)
        return false;
    if (!is_wanted(period, sample)) {
        if (hold)
            hold_give_back(&period->holds, hold);
        return false;
    }
    if (now_s != 0)
        return false;
    hold = hold ? hold : hold_need(&period->holds, subject);
    return hold_wish(&period->holds, hold, now_s, STATS_PERIOD_S);
}

ApplyResult
stats_period_apply(StatsPeriod *period, const Decided *decided, GError **error)
{
    bool has_asked = false;

    if (hold_table_is_idle(&period->holds) && !period->is_on)
        return APPLY_UNCHANGED;
    for (size_t i = 0; i < decided->sample->n; i++)
        has_asked |= apply_one(period, &decided->subjects[i], &decided->sample->domains[i]);
    return hold_end_apply(&period->holds, decided, has_asked, error);
}

static ApplyResult
row_apply(void *context, const Decided *decided, GError **error)
{
    return stats_period_apply(context, decided, error);
}

const Actuator stats_period_actuator = { "stats_period", row_apply, hold_row_restore };
