/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debt.c - what ksmd still owes each domain
 *
 * ksmd merges a page in the second pass that sees it unchanged: the first takes a checksum, the
 * second compares. So memory is covered when two whole passes have begun after it came, and the
 * debt of a domain is what is resident and not covered:
 *
 *        0        twice            once          begun       resident
 *        |--------|----------------|-------------|-----------|
 *          covered   merged by the    seen first    after the
 *                    next pass        by this pass  next pass
 *
 * A pass that ends moves the marks one to the left: twice = once, once = begun. New memory shows
 * as a resident set that grows: a guest that boots, a balloon that deflates, a hot-plugged DIMM. A
 * little growth is normal and opens no debt; an open debt is closed when only very little is left,
 * so that the end of a boot is covered as well. A resident set that shrinks takes the marks along.
 *
 * Not every page is worth the same: a domain whose old memory has little in common with others has
 * to grow by more before it opens a debt, and waits longer for a pass. That says nothing of memory
 * that is many times as much: QEMU's own is there first, and has nothing in common with any. One
 * that has nobody to share with can be merged with itself alone, which waits as long.
 *
 * Source for the two passes: Documentation/admin-guide/mm/ksm.rst and mm/ksm.c,
 * cmp_and_merge_page(): a page whose checksum changed since the last visit is left for the next.
 */
#include "policy/debt.h"

/* An open debt is closed below this part of growth_kib. */
#define REST_DIVISOR 16
/* Weight that counts a page as one page. */
#define WEIGHT_NORMAL 100
/* Part of its memory that any domain is expected to have in common with others. */
#define SHARE_MIN_BP (BP_ONE / 20)
/* What was found of some pages is expected of so many times as many. */
#define SHARE_HOLDS 4

/* As things are now. */
static uint64_t
mergeable_pages(const HostSample *host, const DomainSample *domain, uint64_t bytes)
{
    return domain->merge_state == MERGE_OFF ? 0 : sample_mergeable_pages(host, domain, bytes);
}

/*
 * What new memory is worth: the part of its old memory that was merged, once there is enough to go
 * by and as far as that goes, and the configured weight. Before that all of it, and of a domain
 * that has nobody to share with what any has in common with itself.
 */
static uint64_t
worth(const DomainSample *domain, const DomainTrack *track, const HostSample *host, bool is_alone,
      uint64_t pages)
{
    uint64_t usual_bp = is_alone ? SHARE_MIN_BP : BP_ONE;
    uint64_t share_bp = usual_bp;
    uint64_t records = known_or(domain->rmap_items, 0);
    uint64_t covered = track->twice_bytes / host->page_bytes;
    uint64_t alike = min_u64(pages, mul_div(covered, SHARE_HOLDS, 1));

    if (is_known(domain->merging_pages) && track->twice_bytes > 0 && records >= covered / 2)
        share_bp = clamp_u64(mul_div(domain->merging_pages, BP_ONE, max_u64(records, 1)),
                             SHARE_MIN_BP, BP_ONE);
    pages = sat_add(mul_div(pages - alike, usual_bp, BP_ONE), mul_div(alike, share_bp, BP_ONE));
    return mul_div(pages, domain->weight, WEIGHT_NORMAL);
}

void
debt_forget(DomainTrack *track)
{
    track->key = 0;
    track->begun_bytes = 0;
    track->once_bytes = 0;
    track->twice_bytes = 0;
    track->open = false;
    track->open_value = 0;
    track->boot = (BootTrack){ .is_up = true };
    track->wait_us = 0;
}

static void
track_update(const PolicyConf *conf, const HostSample *host, const DomainSample *domain,
             bool is_alone, DomainTrack *track)
{
    uint64_t least_pages = conf->growth_kib * 1024 / host->page_bytes;
    uint64_t value;
    uint64_t bytes;

    if (track->key != domain->key) {
        debt_forget(track);
        track->boot.is_up = false;
        track->key = domain->key;
        track->open = true;
        track->wait_us = VALUE_UNKNOWN;
    }
    bytes = sample_guest_bytes(domain, track->twice_bytes);
    track->begun_bytes = min_u64(track->begun_bytes, bytes);
    track->once_bytes = min_u64(track->once_bytes, bytes);
    track->twice_bytes = min_u64(track->twice_bytes, bytes);
    value = worth(domain, track, host, is_alone && track->open,
                  (bytes - track->twice_bytes) / host->page_bytes);
    if (domain->merge_state == MERGE_OFF)
        track->open = false;
    else if (!track->open)
        track->open = value > least_pages;
    else if (is_known(domain->resident_bytes))
        track->open = value > least_pages / REST_DIVISOR;
}

static Reason
contribution(const DomainSample *domain, const DomainTrack *track)
{
    if (domain->mergeable_bp == 0)
        return REASON_NOTHING_MERGEABLE;
    if (domain->merge_state == MERGE_OFF)
        return REASON_SWITCHED_OFF;
    if (!is_known(domain->resident_bytes))
        return REASON_FACT_MISSING;
    if (domain->weight == 0)
        return REASON_WEIGHT_ZERO;
    return track->open ? REASON_DEBT : REASON_CHURN_WATCH;
}

/* One open debt, added to the sum. */
static void
add_open(const HostSample *host, const DomainSample *domain, bool is_alone, DomainTrack *track,
         Debt *debt, DomainPlan *part)
{
    uint64_t bytes = sample_guest_bytes(domain, 0);
    uint64_t open = mergeable_pages(host, domain, sat_sub(bytes, track->twice_bytes));
    uint64_t unseen = mergeable_pages(host, domain, sat_sub(bytes, track->once_bytes));

    part->debt_pages = open;
    debt->open_pages = sat_add(debt->open_pages, open);
    debt->unseen_pages = sat_add(debt->unseen_pages, unseen);
    track->open_value = worth(domain, track, host, is_alone, open);
    debt->open_value = sat_add(debt->open_value, track->open_value);
    debt->unseen_value = sat_add(debt->unseen_value, worth(domain, track, host, is_alone, unseen));
}

/* Whether there is one domain only that may merge. */
static bool
is_one(const Sample *sample)
{
    size_t n = 0;

    for (size_t i = 0; i < sample->n && n < 2; i++)
        n += sample->domains[i].mergeable_bp > 0 && sample->domains[i].merge_state != MERGE_OFF;
    return n == 1;
}

Debt
debt_update(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan)
{
    const HostSample *host = &sample->host;
    bool is_alone = is_one(sample);
    Debt debt = { 0 };

    for (size_t i = 0; i < sample->n; i++) {
        const DomainSample *domain = &sample->domains[i];
        DomainTrack *track = &state->domains[i];
        DomainPlan *part = &plan->domains[i];

        track_update(conf, host, domain, is_alone, track);
        track->open_value = 0;
        part->mergeable_pages = mergeable_pages(host, domain, sample_guest_bytes(domain, 0));
        if (track->open)
            add_open(host, domain, is_alone, track, &debt, part);
        part->reason = contribution(domain, track);
        debt.incomplete = debt.incomplete || part->reason == REASON_FACT_MISSING;
        debt.mergeable_pages = sat_add(debt.mergeable_pages, part->mergeable_pages);
    }
    return debt;
}

void
debt_pass_begins(const Sample *sample, PolicyState *state)
{
    for (size_t i = 0; i < sample->n; i++)
        state->domains[i].begun_bytes =
            sample_guest_bytes(&sample->domains[i], state->domains[i].once_bytes);
}

void
debt_pass_ended(const Sample *sample, PolicyState *state, uint64_t passes)
{
    for (size_t i = 0; i < sample->n; i++) {
        DomainTrack *track = &state->domains[i];

        track->twice_bytes = passes > 1 ? track->begun_bytes : track->once_bytes;
        track->once_bytes = track->begun_bytes;
    }
}

void
debt_pass_seen(PolicyState *state, size_t n)
{
    for (size_t i = 0; i < n; i++)
        state->domains[i].once_bytes = state->domains[i].begun_bytes;
}
