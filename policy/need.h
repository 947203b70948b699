/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* need.h - how much memory a domain needs, as far as it can be told */
#ifndef POLICY_NEED_H
#define POLICY_NEED_H

#include "policy/policy.h"

/**
 * need_fault() - why a domain's need cannot be told
 *
 * Return: REASON_STATS_STALE, REASON_STATS_ABSURD; REASON_NONE: it can.
 */
Reason need_fault(const DomainSample *domain);

/** need_has_working_set() - whether it is known from outside what the domain has used lately */
bool need_has_working_set(const DomainSample *domain);

/** need_is_short() - whether the guest itself is short, by what it told last */
bool need_is_short(const DomainTrack *track, uint64_t now_us);

/**
 * need_soon_bytes() - whether the guest is about to be short, by what it told last
 *
 * Return: what it takes, at its pace, before more can be there, where that is more than it has
 * left; 0: it is not.
 */
uint64_t need_soon_bytes(const DomainTrack *track, uint64_t now_us);

/** need_was_short() - whether it is, or was a moment ago: nothing is to be taken from it */
bool need_was_short(const DomainTrack *track, uint64_t now_us);

/** need_usable_bytes() - what a guest whose statistics hold could hand out without swapping */
uint64_t need_usable_bytes(const DomainSample *domain);

/** need_usable_bp() - share of its memory that the guest could hand out without swapping; BP_ONE
 * where it does not say */
uint64_t need_usable_bp(const DomainSample *domain);

#endif
