/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* actuator.c - the list of what can be moved on this host */
#include "agent/actuator/actuator.h"

#include "agent/actuator/balloon.h"
#include "agent/actuator/ksm.h"
#include "agent/actuator/memory_high.h"
#include "agent/actuator/merge.h"
#include "agent/actuator/nodes.h"
#include "agent/actuator/stats_period.h"

const Actuator *const actuators[ACTUATOR_COUNT] = {
    [ACTUATOR_KSM] = &ksm_actuator,         [ACTUATOR_NODES] = &nodes_actuator,
    [ACTUATOR_MERGE] = &merge_actuator,     [ACTUATOR_MEMORY_HIGH] = &memory_high_actuator,
    [ACTUATOR_BALLOON] = &balloon_actuator, [ACTUATOR_STATS_PERIOD] = &stats_period_actuator,
};

/* What is only kept in mind is in other groups; what was found of the nodes stays on record as long
 * as something is merged. */
bool
actuators_have_left(const Originals *originals)
{
    if (originals->outcome == ORIGINALS_LASTING)
        return false; /* all that it tells of has ended */
    for (ActuatorId id = 0; id < ACTUATOR_COUNT; id++)
        if (id != ACTUATOR_NODES && originals_has_group(originals, actuators[id]->name))
            return true;
    return false;
}
