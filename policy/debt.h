/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debt.h - coverage debt: mergeable memory that two passes of ksmd have not covered */
#ifndef POLICY_DEBT_H
#define POLICY_DEBT_H

#include "policy/policy.h"

typedef struct {
    uint64_t open_pages;      /* weighted pages of domains whose debt is open */
    uint64_t mergeable_pages; /* pages of all domains that KSM may merge */
} Debt;

/**
 * debt_update() - open, pay and add up the debts of all domains
 * @conf:   growth_kib: growth that opens a debt again
 * @sample: facts
 * @state:  @state->domains is updated
 * @plan:   its domains get debt_pages, mergeable_pages and a reason
 *
 * Return: the sums.
 */
Debt debt_update(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

#endif
