/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bid.c - who comes first where many domains bid for one sum
 *
 * A rule that wants a sum from many domains, or has a sum for them, lets them bid: how much, and
 * with what rank. The highest ranks get all that they bid until the sum is used up; so few domains
 * are touched, each by a step that is worth it, and others have their turn when their rank has
 * become the highest. Between equal ranks the order of the sample decides.
 *
 * There is no memory to sort in. The rank from which on bids fit into the sum is found by halving,
 * in a fixed number of walks over the domains, or in one, where there is enough for all.
 */
#include "policy/bid.h"

void
bid_clear(size_t n, PolicyState *state)
{
    for (size_t i = 0; i < n; i++)
        state->domains[i].bid = (Bid){ 0 };
}

void
bid_place(uint64_t rank, uint64_t bytes, bool dry, DomainTrack *track)
{
    track->bid = (Bid){ .rank = min_u64(rank, UINT64_MAX - 1), .bytes = bytes, .dry = dry };
}

/* Of bids of at least this rank. */
static uint64_t
sum_from(size_t n, const PolicyState *state, bool dry, uint64_t rank)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        const Bid *bid = &state->domains[i].bid;

        if (bid->dry == dry && bid->rank >= rank)
            sum = sat_add(sum, bid->bytes);
    }
    return sum;
}

uint64_t
bid_sum(size_t n, const PolicyState *state, bool dry)
{
    return sum_from(n, state, dry, 0);
}

/* The lowest rank from which on all bids together fit. */
static uint64_t
find_rank(size_t n, const PolicyState *state, bool dry, uint64_t bytes)
{
    uint64_t low = 0;
    uint64_t high = UINT64_MAX;

    if (bid_sum(n, state, dry) <= bytes)
        return 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (sum_from(n, state, dry, middle) <= bytes)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void
bid_award(size_t n, PolicyState *state, uint64_t bytes, bool dry, bool whole)
{
    uint64_t rank;

    bytes = min_u64(bytes, UINT64_MAX - 1); /* less than a sum without end */
    if (bytes == 0 || bid_sum(n, state, dry) == 0)
        return;
    rank = find_rank(n, state, dry, bytes);
    bytes -= sum_from(n, state, dry, rank);
    for (size_t i = 0; i < n; i++) {
        Bid *bid = &state->domains[i].bid;

        if (bid->dry != dry)
            continue;
        if (bid->rank >= rank) {
            bid->got_bytes = bid->bytes;
        } else if (bid->rank == rank - 1 && bytes > 0) {
            bid->got_bytes = whole ? bid->bytes : min_u64(bid->bytes, bytes);
            bytes = sat_sub(bytes, bid->got_bytes);
        }
    }
}
