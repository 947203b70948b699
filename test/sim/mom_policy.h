/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mom_policy.h - ballooning by the published rules of the Memory Overcommitment Manager
 *
 * What virtksmd is compared with. Only the numbers and the comparisons are MOM's.
 *
 * Source: oVirt MOM, doc/balloon.rules and doc/mom-balloon.conf
 */
#ifndef TEST_SIM_MOM_POLICY_H
#define TEST_SIM_MOM_POLICY_H

#include "policy/plan.h"

typedef struct Mom Mom;

/** mom_new() - before the first decision; end with mom_free() */
Mom *mom_new(void);

/** mom_free() - accepts NULL */
void mom_free(Mom *mom);

/**
 * mom_decide() - what MOM would order now
 * @sample: domains in the order of their starts
 * @plan:   its domains' keys and balloon members are overwritten
 *
 * Called at least once in five seconds; it looks every five and decides every ten.
 */
void mom_decide(Mom *mom, const Sample *sample, Plan *plan);

#endif
