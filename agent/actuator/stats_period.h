/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats_period.h - having guests tell of their memory, where nobody else does
 */
#ifndef AGENT_ACTUATOR_STATS_PERIOD_H
#define AGENT_ACTUATOR_STATS_PERIOD_H

#include "agent/actuator/hold.h"

/* Between two answers of a guest: what it needs can change within seconds, and an answer costs it
 * some microseconds. */
#define STATS_PERIOD_S 2

/* How long a stop waits for libvirt to take the periods back. */
#define STATS_PERIOD_RESTORE_US 3000000

typedef struct {
    /* private: use the functions below, and hold_find() on @holds; its values are seconds */
    HoldTable holds; /* first: see hold_row_restore() */
    bool is_on;      /* periods may be set */
} StatsPeriod;

/**
 * stats_period_init() - no period set yet; what a killed run has left is to be put back
 * @period:    overwritten
 * @originals: after originals_open() (borrowed; must outlive @period)
 * @changer:   copied; what is in it is borrowed
 */
void stats_period_init(StatsPeriod *period, Originals *originals, const Changer *changer);

/**
 * stats_period_set_on() - whether periods may be set from now on
 * @is_on: a mechanism that lives on what guests tell is on, and mode observe is not set
 *
 * When it is switched off, they are put back at the next apply.
 */
void stats_period_set_on(StatsPeriod *period, bool is_on);

/**
 * stats_period_in_force() - the period of a domain
 * @uuid:      of the domain
 * @defined_s: what its definition said when it was last read; 0: none
 *
 * Return: seconds; 0: none.
 */
uint64_t stats_period_in_force(const StatsPeriod *period, const char *uuid, uint64_t defined_s);

/**
 * stats_period_apply() - ask for a period where there is none
 * @decided: of this decision; its samples tell what is in force
 * @error:   the record of originals cannot be kept: nothing was asked for
 *
 * Asks libvirt and does not wait. A period that somebody else has set stays, and so does that of a
 * domain with which nothing is going to be done.
 *
 * Return: APPLY_DONE if a change was asked for; APPLY_RETRY with @error.
 */
ApplyResult stats_period_apply(StatsPeriod *period, const Decided *decided, GError **error);

/** stats_period_done() - let go of memory; restores nothing */
void stats_period_done(StatsPeriod *period);

extern const Actuator stats_period_actuator;

#endif
