/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon.h - what other rules have to know of the balloon rule */
#ifndef POLICY_BALLOON_H
#define POLICY_BALLOON_H

#include "policy/policy.h"

/**
 * balloon_idle_bytes() - what a domain's balloon can give although not in one step
 * @plan: its host's level and its domains' needs are filled in
 * @i:    the domain
 *
 * Return: 0 where its balloon is not ours to move, may not be moved now, or is stuck.
 */
uint64_t balloon_idle_bytes(const PolicyConf *conf, const Sample *sample, const PolicyState *state,
                            const Plan *plan, size_t i);

#endif
