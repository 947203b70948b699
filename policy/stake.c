/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stake.c - what a domain has to give, and is charged for: the idle tax
 *
 * Every domain is charged for the memory that it has, by its shares. A page that it needs costs
 * one; an idle page costs 1 / (1 - tax), four at a tax of 75 %. Who is charged most for a share
 * misses a page least, and gives first:
 *
 *     charge = (needed + idle / (1 - tax)) / shares
 *
 * So of two domains with equal shares and equal memory the idle one pays; of two that are equally
 * idle the one with more idle memory does, until they are level; twice the shares let a domain
 * hold twice the memory. Pages that are merged are shared with others already: taking them frees
 * next to nothing, so they are not charged.
 *
 * Nor is what a guest does not use and has given back by itself, by free page reporting: the host
 * has it already, and a balloon would gain nothing there. What is free in the guest and still held
 * by the host, because it lies in pieces too small to be reported or because the guest's driver
 * reports nothing, counts as it does anywhere.
 *
 * The idea is that of C. Waldspurger, "Memory Resource Management in VMware ESX Server", OSDI 2002,
 * section 5.2; here need takes the place of sampled activity.
 */
#include "policy/stake.h"
#include "policy/motion.h"

uint64_t
stake_floor(const DomainSample *domain, uint64_t floor_bp)
{
    uint64_t usual_bytes = mul_div(domain->maximum_bytes, floor_bp, BP_ONE);

    if (!is_known(domain->maximum_bytes))
        return VALUE_UNKNOWN;
    return min_u64(known_or(domain->floor_bytes, usual_bytes), domain->maximum_bytes);
}

uint64_t
stake_ceiling(const DomainSample *domain, uint64_t floor_bp)
{
    uint64_t maximum_bytes = domain->maximum_bytes;

    return clamp_u64(known_or(domain->ceiling_bytes, maximum_bytes), stake_floor(domain, floor_bp),
                     maximum_bytes);
}

static uint64_t
share_of_maximum(const DomainSample *domain, uint64_t share_bp)
{
    return mul_div(domain->maximum_bytes, share_bp, BP_ONE);
}

/* Free in the guest, and not held by the host any more. */
static uint64_t
reported_bytes(const DomainSample *domain)
{
    if (!domain->reports_free || !is_known(domain->resident_bytes) ||
        !is_known(domain->guest_unused_bytes))
        return 0;
    return min_u64(domain->guest_unused_bytes,
                   sat_sub(domain->balloon_bytes, domain->resident_bytes));
}

Stake
stake_of(const PolicyConf *conf, MemoryLevel level, const DomainSample *domain,
         const DomainTrack *track, uint64_t need_bytes)
{
    uint64_t shrink_bytes = share_of_maximum(domain, conf->balloon_shrink_bp);
    Stake stake = {
        .low_bytes = stake_floor(domain, conf->balloon_floor_bp),
        .end_bytes = motion_end_bytes(domain, track),
        .held_bytes = domain->balloon_bytes - reported_bytes(domain),
        .band_bytes = share_of_maximum(domain, conf->balloon_dead_band_bp),
        .shrink_bytes = level == MEMORY_CRITICAL ? shrink_bytes * 2 : shrink_bytes,
    };
    uint64_t kept_bytes = need_bytes;

    stake.grow_bytes = sat_sub(share_of_maximum(domain, conf->balloon_grow_bp),
                               stake.end_bytes - domain->balloon_bytes);
    stake.high_bytes = stake_ceiling(domain, conf->balloon_floor_bp);
    stake.need_bytes = stake.low_bytes;
    if (is_known(need_bytes)) {
        if (level == MEMORY_CRITICAL)
            kept_bytes = track->need.least_bytes;
        stake.need_bytes = clamp_u64(need_bytes, stake.low_bytes, stake.high_bytes);
        kept_bytes = clamp_u64(kept_bytes, stake.low_bytes, domain->maximum_bytes);
        stake.over_bytes = sat_sub(domain->balloon_bytes, kept_bytes);
        stake.spare_bytes = sat_sub(stake.held_bytes, kept_bytes);
    }
    return stake;
}

/* Part of its resident memory that is merged. */
static uint64_t
merged_bp(const HostSample *host, const DomainSample *domain)
{
    uint64_t merged_bytes = mul_div(known_or(domain->merging_pages, 0), host->page_bytes, 1);

    if (!is_known(domain->resident_bytes) || domain->resident_bytes == 0)
        return 0;
    return min_u64(BP_ONE, mul_div(merged_bytes, BP_ONE, domain->resident_bytes));
}

uint64_t
stake_charge(const PolicyConf *conf, const HostSample *host, const DomainSample *domain,
             const Stake *stake)
{
    uint64_t idle_bytes = sat_sub(stake->held_bytes, stake->need_bytes);
    uint64_t charge = mul_div(idle_bytes, BP_ONE, BP_ONE - conf->balloon_idle_tax_bp);

    charge = sat_add(charge, min_u64(stake->held_bytes, stake->need_bytes));
    charge = mul_div(charge, BP_ONE - merged_bp(host, domain), BP_ONE);
    return mul_div(charge, SHARES_NORMAL, max_u64(domain->shares, 1));
}
