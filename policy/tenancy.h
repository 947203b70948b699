/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tenancy.h - which domains may share memory with each other; words for reports
 */
#ifndef POLICY_TENANCY_H
#define POLICY_TENANCY_H

#include "policy/policy.h"

/**
 * tenancy_is_enforced() - whether domains are switched, and scanning waits for it
 *
 * Modes off and observe leave everything as found.
 */
static inline bool
tenancy_is_enforced(const PolicyConf *conf)
{
    return conf->tenancy_enforce == TENANCY_ENFORCE_YES && conf->mode != KSM_MODE_OFF &&
           conf->mode != KSM_MODE_OBSERVE;
}

/** tenancy_own_group() - number of the group that a domain without a group is alone in */
static inline uint64_t
tenancy_own_group(uint64_t key)
{
    return UINT64_C(1) << 63 | key;
}

/**
 * tenancy_need_bytes() - memory for the copies that switching a domain off takes
 * @domain: of which the most is taken that is not known to be less
 *
 * Return: bytes.
 */
uint64_t tenancy_need_bytes(const HostSample *host, const DomainSample *domain);

/**
 * tenancy_headroom_bytes() - what copies may take of the host's memory
 *
 * What is available beyond the share at which domains are asked for memory (memory_tight). Nothing
 * where that is not known.
 */
uint64_t tenancy_headroom_bytes(const PolicyConf *conf, const HostSample *host);

#endif
