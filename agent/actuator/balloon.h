/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * balloon.h - moving the balloons of domains, and putting them back
 */
#ifndef AGENT_ACTUATOR_BALLOON_H
#define AGENT_ACTUATOR_BALLOON_H

#include "agent/actuator/hold.h"

typedef struct {
    bool is_on; /* [balloon] enable = yes, and mode observe is not set */
    uint64_t
        floor_bp; /* share of its maximum that a domain keeps which does not say more or less */
} BalloonOptions;

typedef struct {
    /* private: use the functions below, and hold_find() on @holds */
    HoldTable holds; /* first: see hold_row_restore() */
    BalloonOptions options;
} Balloon;

/**
 * balloon_init() - no balloon moved yet; what a killed run has left is to be put back
 * @balloon:   overwritten
 * @originals: after originals_open() (borrowed; must outlive @balloon)
 * @changer:   copied; what is in it is borrowed
 */
void balloon_init(Balloon *balloon, Originals *originals, const Changer *changer);

/**
 * balloon_set_options() - from now on; what is switched off is put back at the next apply
 * @options: copied
 */
void balloon_set_options(Balloon *balloon, const BalloonOptions *options);

/**
 * balloon_apply() - ask for the balloons that policy wants
 * @decided: of this decision
 * @error:   the record of originals cannot be kept: nothing was asked for
 *
 * Asks libvirt and does not wait. Leaves alone who is being moved, is fixed, was changed by
 * somebody else, or has failed lately; a target out of bounds is a failure.
 *
 * Return: APPLY_DONE if a change was asked for; APPLY_RETRY with @error.
 */
ApplyResult balloon_apply(Balloon *balloon, const Decided *decided, GError **error);

/** balloon_done() - let go of memory; restores nothing */
void balloon_done(Balloon *balloon);

/* How long a stop waits for libvirt to take the balloons back. */
#define BALLOON_RESTORE_US 5000000

extern const Actuator balloon_actuator;

#endif
