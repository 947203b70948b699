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
    return conf->tenancy_enforce == TENANCY_ENFORCE_YES && ksm_mode_drives((KsmMode)conf->mode);
}

/** tenancy_own_group() - number of the group that a domain without a group is alone in */
static inline uint64_t
tenancy_own_group(uint64_t key)
{
    return UINT64_C(1) << 63 | key;
}

/** tenancy_group_of() - number of the group that a domain is merged with */
static inline uint64_t
tenancy_group_of(const DomainSample *domain)
{
    return domain->group ? domain->group : tenancy_own_group(domain->key);
}

/** tenancy_is_concerned() - whether a domain can be merged by anybody, as far as is known */
static inline bool
tenancy_is_concerned(const DomainSample *domain)
{
    return domain->is_tenant && (domain->mergeable_bp > 0 || !domain->is_defined);
}

/** tenancy_is_copying() - whether QEMU may be making copies of a domain at this moment, however
 * long that has taken already */
static inline bool
tenancy_is_copying(const DomainSample *domain)
{
    return domain->merge_state == MERGE_MOVING || domain->is_switching;
}

/**
 * tenancy_has_room() - whether a domain's own limit holds it with copies of all that is merged
 *
 * Merged pages count as resident already, pages of zeros that share the kernel's own do not.
 *
 * Source: mm/ksm.c, replace_page(), which takes these from the process's count.
 */
static inline bool
tenancy_has_room(const HostSample *host, const DomainSample *domain)
{
    uint64_t zeros = is_known(domain->merging_pages)
                         ? sat_sub(known_or(domain->unshare_pages, 0), domain->merging_pages)
                         : 0;
    uint64_t bytes = sat_add(domain->resident_bytes, mul_div(zeros, host->page_bytes, 1));

    return domain->hard_limit_bytes == 0 || !is_known(domain->resident_bytes) ||
           bytes <= domain->hard_limit_bytes;
}

/**
 * tenancy_decide() - who may share memory; before KSM is decided on
 * @state: remembers the group that is merged, and what each domain has brought
 * @plan:  its tenancy, and the merging of each domain, are filled
 */
void tenancy_decide(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/**
 * tenancy_hold() - no scanning while it could merge what must not be; after KSM is decided on
 * @plan: after tenancy_decide(); its settings of KSM change
 */
void tenancy_hold(const Sample *sample, Plan *plan);

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
