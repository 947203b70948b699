/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debt.c - what ksmd still owes each domain
 *
 * ksmd merges a page in the second pass that sees it unchanged: the first takes a checksum, the
 * second compares. So memory that is new opens a debt, and the debt is paid when full_scans has
 * moved past two complete passes. A pass that is under way when the debt opens may be behind the
 * new memory already, which is why three ends of a pass are counted.
 *
 * New memory is a start of a domain, or a resident set that has grown by more than growth_kib
 * since the debt was last opened; it shows a guest that boots, a balloon that deflates, a
 * hot-plugged DIMM. A resident set that shrinks lowers the base, so that growing back counts.
 *
 * Source for the two passes: Documentation/admin-guide/mm/ksm.rst and mm/ksm.c,
 * cmp_and_merge_page(): a page whose checksum changed since the last visit is left for the next.
 */
#include "policy/debt.h"

#include <string.h>

/* Ends of a pass after which new memory has been seen twice: the running one and two whole. */
#define PASSES_TO_PAY 3
/* Weight that counts a page as one page. */
#define WEIGHT_NORMAL 100

/*
 * Pages that KSM may merge. A domain that has just started is not resident yet: what its balloon
 * leaves it bounds what will come, its resident set says what is there.
 */
static uint64_t
mergeable_pages(const HostSample *host, const DomainSample *domain)
{
    uint64_t bytes = known_or(domain->resident_bytes, 0);

    if (is_known(domain->balloon_bytes))
        bytes = min_u64(bytes, domain->balloon_bytes);
    return mul_div(bytes / host->page_bytes, domain->mergeable_bp, BP_ONE);
}

static uint64_t
scans_to_pay(const HostSample *host)
{
    return is_known(host->ksm.full_scans) ? sat_add(host->ksm.full_scans, PASSES_TO_PAY)
                                          : VALUE_UNKNOWN;
}

static void
track_open(DomainTrack *track, const HostSample *host, uint64_t resident_bytes)
{
    track->open = true;
    track->base_bytes = resident_bytes;
    track->paid_scans = scans_to_pay(host);
}

static void
track_update(const PolicyConf *conf, const HostSample *host, const DomainSample *domain,
             DomainTrack *track)
{
    uint64_t resident_bytes = known_or(domain->resident_bytes, track->base_bytes);

    if (track->key != domain->key) {
        memset(track, 0, sizeof(*track));
        track->key = domain->key;
        track_open(track, host, known_or(domain->resident_bytes, 0));
        return;
    }
    track->base_bytes = min_u64(track->base_bytes, resident_bytes);
    if (resident_bytes - track->base_bytes > conf->growth_kib * 1024) {
        track_open(track, host, resident_bytes);
        return;
    }
    if (!is_known(track->paid_scans))
        track->paid_scans = scans_to_pay(host);
    else if (known_or(host->ksm.full_scans, 0) >= track->paid_scans)
        track->open = false;
}

static Reason
contribution(const DomainPlan *plan, const DomainSample *domain, const DomainTrack *track)
{
    if (domain->mergeable_bp == 0)
        return REASON_NOTHING_MERGEABLE;
    if (!is_known(domain->resident_bytes))
        return REASON_FACT_MISSING;
    if (plan->debt_pages > 0 || track->open)
        return REASON_DEBT;
    return REASON_CHURN_WATCH;
}

Debt
debt_update(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    Debt debt = { 0, 0 };

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainTrack *track = &state->domains[i];
        DomainPlan *part = &plan->domains[i];

        track_update(conf, &sample->host, domain, track);
        part->mergeable_pages = mergeable_pages(&sample->host, domain);
        part->debt_pages = track->open ? part->mergeable_pages : 0;
        part->reason = contribution(part, domain, track);
        debt.mergeable_pages = sat_add(debt.mergeable_pages, part->mergeable_pages);
        debt.open_pages =
            sat_add(debt.open_pages, mul_div(part->debt_pages, domain->weight, WEIGHT_NORMAL));
    }
    return debt;
}
