/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bid.h - a sum that is shared between domains by rank */
#ifndef POLICY_BID_H
#define POLICY_BID_H

#include "policy/policy.h"

/** bid_clear() - no domain bids */
void bid_clear(size_t n, PolicyState *state);

/** bid_place() - the bid of a domain; of @rank 0 to UINT64_MAX - 1, the highest comes first */
void bid_place(uint64_t rank, uint64_t bytes, bool dry, DomainTrack *track);

/** bid_sum() - all that is bid, by those that are observed (@dry) or by the others */
uint64_t bid_sum(size_t n, const PolicyState *state, bool dry);

/**
 * bid_award() - share a sum
 * @n:     domains
 * @state: got_bytes of their bids are set
 * @bytes: what there is to share
 * @dry:   between those that are observed, or between the others
 * @whole: the last bid that is taken is taken whole, so that more is awarded than @bytes;
 *         otherwise it gets what is left
 */
void bid_award(size_t n, PolicyState *state, uint64_t bytes, bool dry, bool whole);

#endif
