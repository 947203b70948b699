/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* actuator.c - the list of what can be moved on this host */
#include "agent/actuator/actuator.h"

#include "agent/actuator/ksm.h"

const Actuator *const actuators[] = {
    &ksm_actuator, /* context: KsmActuator */
    NULL,
};
