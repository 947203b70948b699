/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stake.h - what a domain has to give, what it may have, and what it is charged for it */
#ifndef POLICY_STAKE_H
#define POLICY_STAKE_H

#include "policy/policy.h"

/* Of one domain whose maximum and balloon are known. */
typedef struct {
    uint64_t low_bytes;    /* floor */
    uint64_t high_bytes;   /* ceiling */
    uint64_t end_bytes;    /* what it has, and what it was given and has not taken yet */
    uint64_t held_bytes;   /* what it has, but for free memory that its guest has given back */
    uint64_t need_bytes;   /* with headroom, within floor and ceiling; floor if not known */
    uint64_t over_bytes;   /* what it has beyond that, or while the host's state is critical beyond
                              need with half the headroom; 0 if need is not known */
    uint64_t spare_bytes;  /* the same of held_bytes */
    uint64_t band_bytes;   /* dead band */
    uint64_t grow_bytes;   /* largest step up, less what is on its way */
    uint64_t shrink_bytes; /* largest step down */
} Stake;

/**
 * stake_floor() - what a domain keeps whatever happens
 * @floor_bp: of its maximum, where its definition does not say
 *
 * Return: bytes, at most its maximum; VALUE_UNKNOWN if that is not known.
 */
uint64_t stake_floor(const DomainSample *domain, uint64_t floor_bp);

/** stake_ceiling() - what a domain, whose maximum is known, may have: no less than its floor */
uint64_t stake_ceiling(const DomainSample *domain, uint64_t floor_bp);

/**
 * stake_of() - what a domain has, needs and may have
 * @level: of the host
 * @need_bytes: DomainPlan.need_bytes
 */
Stake stake_of(const PolicyConf *conf, MemoryLevel level, const DomainSample *domain,
               const DomainTrack *track, uint64_t need_bytes);

/**
 * stake_charge() - what a domain is charged for each share, for the memory that it has
 *
 * Return: bytes in use, for SHARES_NORMAL shares; idle ones count more, merged ones less.
 */
uint64_t stake_charge(const PolicyConf *conf, const HostSample *host, const DomainSample *domain,
                      const Stake *stake);

#endif
