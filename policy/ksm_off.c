/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_off.c - mode off: nothing is wanted; what was found has been put back */
#include "policy/rule.h"

void
ksm_off_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    (void)conf;
    (void)sample;
    (void)state;
    plan->ksm.phase = KSM_PHASE_OFF;
    plan->ksm.reason = REASON_MODE_OFF;
}
