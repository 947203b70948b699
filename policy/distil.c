/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * distil.c - domains that do not pay are left out of scanning for a while
 *
 *              covered, on for dwell_s, and gains less than park_floor
 *     on ------------------------------------------------------------> parked
 *      ^                                                                 |
 *      +-----------------------------------------------------------------+
 *            after park_retry_s, twice as long each time in a row
 *
 * What a domain gains is what it saves less KSM's records of its pages. ksmd looks at each of them
 * again and again, whether it brings something or not; without them it has time for those that pay.
 * Parking takes copies of what is merged, so it must not cost more than it gives back.
 */
#include "policy/distil.h"

#define MIB (UINT64_C(1) << 20)
/* The part that two passes must have covered before a domain is judged. */
#define COVERED_BP (BP_ONE * 9 / 10)
/* Doublings of the time until the next attempt. */
#define DOUBLINGS_MAX 4

static bool
is_due(const PolicyConf *conf, uint64_t now_us, const TenancyTrack *track)
{
    uint64_t doublings = min_u64(sat_sub(track->parks, 1), DOUBLINGS_MAX);

    return sat_sub(now_us, track->parked_us) >=
           mul_div(conf->park_retry_s * US_PER_S, UINT64_C(1) << doublings, 1);
}

/* Whether all is known that it is judged by, and ksmd has had its time. */
static bool
is_ripe(const PolicyConf *conf, const HostSample *host, const DomainSample *domain,
        const DomainTrack *track)
{
    uint64_t since_us = max_u64(domain->started_us, track->tenancy.on_us);
    uint64_t bytes = sample_guest_bytes(domain, 0);

    return domain->merge_state == MERGE_AS_FOUND && is_known(domain->merging_pages) &&
           is_known(domain->rmap_items) && is_known(domain->unshare_pages) &&
           is_known(host->ksm.pages_sharing) && is_known(host->ksm.pages_shared) && bytes > 0 &&
           !track->open && track->twice_bytes >= mul_div(bytes, COVERED_BP, BP_ONE) &&
           sat_sub(host->now_us, since_us) >= conf->tenancy_dwell_s * US_PER_S;
}

bool
distil_is_parked(const PolicyConf *conf, const HostSample *host, const DomainSample *domain,
                 DomainTrack *track)
{
    TenancyTrack *tenancy = &track->tenancy;
    uint64_t floor_bytes = conf->park_floor_mib * MIB;
    uint64_t record_bytes;
    uint64_t saved_bytes;

    if (conf->park_retry_s == 0) {
        tenancy->parked_us = 0;
        tenancy->parks = 0;
        return false;
    }
    if (tenancy->parked_us > 0 && !is_due(conf, host->now_us, tenancy))
        return true;
    tenancy->parked_us = 0;
    if (!is_ripe(conf, host, domain, track))
        return false;
    record_bytes = mul_div(domain->rmap_items, KSM_RECORD_BYTES, 1);
    saved_bytes = mul_div(sample_saved_pages(host, domain), host->page_bytes, 1);
    if (saved_bytes >= sat_add(record_bytes, floor_bytes)) {
        tenancy->parks = 0;
        return false;
    }
    if (mul_div(domain->unshare_pages, host->page_bytes, 1) > sat_add(record_bytes, floor_bytes))
        return false;
    tenancy->parked_us = max_u64(host->now_us, 1);
    tenancy->parks++;
    return true;
}
