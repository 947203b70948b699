/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* high.h - what cold reclaim could bring at this decision */
#ifndef POLICY_HIGH_H
#define POLICY_HIGH_H

#include "policy/policy.h"

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
