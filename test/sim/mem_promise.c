/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mem_promise.c - a plan is held against the facts that it was made of */
#include "test/sim/mem_promise.h"

/* Rounding: balloons and limits are set in KiB. */
#define SLACK_BYTES 4096

uint64_t
mem_floor(const PolicyConf *conf, const DomainSample *domain)
{
    uint64_t share = mul_div(domain->maximum_bytes, conf->balloon_floor_bp, BP_ONE);

    return min_u64(known_or(domain->floor_bytes, share), domain->maximum_bytes);
}

static bool
is_told(const DomainSample *domain)
{
    return is_known(domain->guest_age_us) && is_known(domain->guest_usable_bytes) &&
           domain->guest_usable_bytes <= domain->maximum_bytes;
}

static const char *
balloon_broken(const PolicyConf *conf, const DomainSample *domain, const DomainPlan *plan)
{
    uint64_t target = plan->balloon_bytes;

    if (!plan->balloon_apply || !is_known(target) || target == domain->balloon_bytes)
        return NULL;
    if (!domain->has_balloon)
        return "a balloon is moved that is not there";
    if (domain->is_fixed || domain->is_still)
        return "a balloon is moved that must not move";
    if (target > min_u64(domain->maximum_bytes, known_or(domain->ceiling_bytes, UINT64_MAX)))
        return "a balloon is left more than the maximum";
    if (target > domain->balloon_bytes)
        return NULL;
    if (target + SLACK_BYTES < mem_floor(conf, domain))
        return "a balloon is to go below the floor";
    if (!is_told(domain))
        return "memory is taken from a guest that tells nothing of itself";
    return NULL;
}

static const char *
high_broken(const PolicyConf *conf, const Sample *sample, const DomainSample *domain,
            const DomainPlan *plan)
{
    bool limits = is_known(plan->limit_bytes) && plan->limit_bytes != LIMIT_NONE;
    uint64_t now_us = sample->host.now_us;

    if (!plan->high_apply || (!limits && plan->reclaim_bytes == 0))
        return NULL;
    if (domain->is_fixed || domain->is_still)
        return "memory is reclaimed that must stay";
    if (plan->reclaim_bytes > 0 && !domain->can_reclaim)
        return "memory.reclaim is written that is not there";
    if (plan->reclaim_bytes > 0 &&
        sat_sub(domain->cgroup_bytes, plan->reclaim_bytes) < mem_floor(conf, domain))
        return "reclaim goes below the floor";
    if (!limits)
        return NULL;
    if (!domain->can_limit)
        return "memory.high is written that is not there";
    if (plan->limit_bytes + SLACK_BYTES < mem_floor(conf, domain))
        return "a limit is below the floor";
    if (plan->lease_us <= now_us || plan->lease_us > now_us + conf->high_lease_s * 1000000)
        return "a limit has no lease, or too long a one";
    return NULL;
}

/*
 * What is granted in one plan must be there: in memory, or in swap for what others have cold, where
 * a guest would kill a program otherwise. What is taken must be held by somebody.
 */
static const char *
sums_broken(const Sample *sample, const Plan *plan)
{
    uint64_t granted = 0;
    uint64_t reclaimed = 0;
    uint64_t held = 0;
    uint64_t files = 0; /* need no swap */

    for (size_t i = 0; i < sample->n; i++) {
        const DomainPlan *domain = &plan->domains[i];
        uint64_t now = sample->domains[i].balloon_bytes;

        if (domain->balloon_apply && is_known(domain->balloon_bytes))
            granted += sat_sub(domain->balloon_bytes, now);
        if (domain->high_apply)
            reclaimed += domain->reclaim_bytes;
        held += sample->domains[i].cgroup_bytes;
        files += sample->domains[i].cgroup_file_bytes;
    }
    if (granted > sat_add(sample->host.mem_available_bytes, sample->host.swap_free_bytes))
        return "more is granted than the host has";
    if (reclaimed > sat_add(sample->host.swap_free_bytes, files))
        return "more is reclaimed than fits into swap";
    if (plan->host.balloon_bytes > held || plan->host.reclaim_bytes > held)
        return "more is asked for than all domains hold";
    return NULL;
}

const char *
mem_promise(const PolicyConf *conf, const Sample *sample, const Plan *plan, size_t *ret_index)
{
    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        const char *broken = balloon_broken(conf, domain, &plan->domains[i]);

        if (!broken)
            broken = high_broken(conf, sample, domain, &plan->domains[i]);
        if (broken) {
            *ret_index = i;
            return broken;
        }
    }
    return sums_broken(sample, plan);
}
