/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debt.h - coverage debt: mergeable memory that two passes of ksmd have not covered */
#ifndef POLICY_DEBT_H
#define POLICY_DEBT_H

#include "policy/policy.h"

typedef struct {
    uint64_t open_pages;      /* pages of open debts, not covered by two passes */
    uint64_t unseen_pages;    /* of those, not even seen by one */
    uint64_t open_value;      /* open_pages, by what they are expected to bring and by weight */
    uint64_t unseen_value;    /* unseen_pages, likewise */
    uint64_t mergeable_pages; /* pages of all domains that KSM may merge */
    bool incomplete;          /* a domain that may merge has memory that is not known */
} Debt;

/**
 * debt_update() - open, close and add up the debts of all domains
 * @conf:   growth_kib: growth that opens a debt
 * @sample: facts
 * @state:  @state->domains is updated
 * @plan:   its domains get debt_pages, mergeable_pages and a reason
 *
 * Return: the sums.
 */
Debt debt_update(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** debt_forget() - of a domain, all that has to do with merging */
void debt_forget(DomainTrack *track);

/** debt_pass_begins() - what is resident now will have been seen by the pass that begins */
void debt_pass_begins(const Sample *sample, PolicyState *state);

/** debt_pass_ended() - so many whole passes have seen what was resident when they began */
void debt_pass_ended(const Sample *sample, PolicyState *state, uint64_t passes);

/** debt_pass_seen() - a pass has seen that once, but may not have merged what was seen before */
void debt_pass_seen(PolicyState *state, size_t n);

#endif
