/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pace.h - how fast a guest takes memory, and what it takes until its balloon has answered */
#ifndef POLICY_PACE_H
#define POLICY_PACE_H

#include "policy/policy.h"

/** pace_presume() - a guest is met of which nothing is known yet; @track: its pace is set */
void pace_presume(const HostSample *host, const DomainSample *domain, DomainTrack *track);

/**
 * pace_follow() - a guest has told what it uses
 * @used_before: what it used when it told before; VALUE_UNKNOWN
 * @used_bytes:  what it uses now; VALUE_UNKNOWN
 * @elapsed_us:  between the two
 * @track:       its rates and soon_bytes are changed
 */
void pace_follow(const DomainSample *domain, uint64_t used_before, uint64_t used_bytes,
                 uint64_t elapsed_us, DomainTrack *track);

/**
 * pace_reserve_bytes() - what a guest without swap must have beyond what it uses
 *
 * Return: what it may take until its balloon has answered, at the pace that it has or was seen to
 * have; 0 where it has never been seen to grow, or can swap.
 */
uint64_t pace_reserve_bytes(const DomainSample *domain, const DomainTrack *track);

/** pace_can_swap() - whether the guest was seen to have swap of its own */
bool pace_can_swap(const DomainSample *domain);

#endif
