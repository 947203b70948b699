/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * actuator.h - what can be moved on this host: one row per actuator
 *
 * An actuator turns one part of the plan into writes, and knows how to undo them. It decides
 * nothing: policy says what is wanted, the actuator says what became of it.
 */
#ifndef AGENT_ACTUATOR_ACTUATOR_H
#define AGENT_ACTUATOR_ACTUATOR_H

#include "agent/actuator/sysfile.h"
#include "policy/plan.h"
#include "policy/sample.h"

#include <glib.h>
#include <stdbool.h>

typedef struct {
    /* Stem of its file, and its group in the record of originals. */
    const char *name;
    /* Find out whether it can work here; @error says why not. May be asked again. */
    bool (*probe)(void *context, GError **error);
    /* Bring the host in line with @plan; @sample is what @plan was made from. On the event path:
     * must not wait for anything but the kernel. */
    ApplyResult (*apply)(void *context, const Sample *sample, const Plan *plan, GError **error);
    /* Put back what was found. @ret_note (the caller frees it): what was left alone and why, or
     * NULL. Harmless when there is nothing to put back. */
    bool (*restore)(void *context, char **ret_note, GError **error);
} Actuator;

/* All actuators, in the order in which they are applied; restored in reverse. */
typedef enum {
    ACTUATOR_KSM, /* context: KsmActuator */
    ACTUATOR_COUNT,
} ActuatorId;

extern const Actuator *const actuators[ACTUATOR_COUNT];

#endif
