/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* actuator.c - the list of what can be moved on this host */
#include "agent/actuator/actuator.h"

#include "agent/actuator/ksm.h"

const Actuator *const actuators[ACTUATOR_COUNT] = {
    [ACTUATOR_KSM] = &ksm_actuator,
};
