/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* high.h - what cold reclaim could bring at this decision */
#ifndef POLICY_HIGH_H
#define POLICY_HIGH_H

#include "policy/policy.h"

/* A limit is at most so far below what is used, twice the largest step, when it is set: who sets it
 * reclaims all that is in between, whoever needs it. */
#define HIGH_LIMIT_FAR (UINT64_C(8) << 20)

/**
 * high_offer() - let the domains bid for cold reclaim
 * @plan:  its host's level and its domains' needs are filled in
 * @state: bids are placed, which high_step() awards; counters are looked at
 *
 * Return: bytes that could be reclaimed now; those that are only observed do not count.
 */
uint64_t high_offer(const PolicyConf *conf, const Sample *sample, PolicyState *state,
                    const Plan *plan);

#endif
