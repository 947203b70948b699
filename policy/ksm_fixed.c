/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_fixed.c - mode fixed: the configured settings, whatever happens */
#include "policy/rule.h"

void
ksm_fixed_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    (void)state;
    plan->ksm.phase = KSM_PHASE_FIXED;
    plan->ksm.reason = REASON_MODE_FIXED;
    plan->ksm.knobs = (KsmKnobs){
        .run = KSM_RUN_MERGE,
        .pages_to_scan = conf->fixed_pages,
        .sleep_ms = conf->fixed_sleep_ms,
        .advisor = VALUE_UNKNOWN, /* switched off where it is in the way, as the plan is applied */
        .smart_scan = sample->host.initial.smart_scan, /* another mode may have moved it */
        .use_zero_pages = ksm_zero_pages(conf, &sample->host),
    };
}
