/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * match.c - where new memory finds its equals
 *
 * smart_scan skips pages that have stayed unique. The pass that merges new memory may not, if its
 * equals are among them: the second guest of a kind finds those of the first there. The third finds
 * merged pages, which are never skipped, and to compare all others again would be most of what the
 * pass costs. So it matters whether what was merged lately has joined KSM pages that were there, or
 * has made new ones.
 *
 *     many pages without equals?  -- no --> skip
 *          | yes
 *     did the last ones join, and is no more to be merged than is merged?  -- no --> look at all
 *          | yes
 *     skip; and if much less than last time is merged, look at all in the next pass
 *
 * Source: mm/ksm.c, should_skip_rmap_item(): pages of KSM are not skipped.
 */
#include "policy/match.h"

/* Fewer pages than this say nothing. */
#define PAGES_MIN UINT64_C(1000)
/* Pages have joined others if no more than this part of them has made a new KSM page. Those that
 * are equal to one other make one for two, six that are equal one for six. */
#define MADE_DIVISOR 8
/* A pass has missed something if it merged less than this part of what it was to. */
#define MISSED_DIVISOR 2

/* Whether pages without equals outnumber the merged. */
static bool
is_mostly_unique(const HostSample *host, uint64_t new_pages)
{
    uint64_t unique =
        sat_add(known_or(host->ksm.pages_unshared, 0), known_or(host->ksm.pages_volatile, 0));

    return sat_add(unique, new_pages) > ksm_merged_pages(&host->ksm);
}

bool
match_needs_all(const HostSample *host, const Debt *debt, const Match *match, uint64_t new_pages)
{
    if (!is_known(host->knobs.smart_scan) || !is_mostly_unique(host, new_pages))
        return false;
    return !match->joins || debt->open_pages > ksm_merged_pages(&host->ksm);
}

void
match_begin(const HostSample *host, const Debt *debt, bool merges, bool closing, Match *match)
{
    uint64_t due = merges ? sat_sub(debt->open_pages, debt->unseen_pages) : 0;

    match->due = due >= PAGES_MIN ? due : 0;
    match->risks = !closing && is_known(host->knobs.smart_scan) && is_mostly_unique(host, 0);
    match->merged = ksm_merged_pages(&host->ksm);
    match->shared = known_or(host->ksm.pages_shared, 0);
}

bool
match_end(const HostSample *host, Match *match)
{
    uint64_t gained = sat_sub(ksm_merged_pages(&host->ksm), match->merged);
    uint64_t made = sat_sub(known_or(host->ksm.pages_shared, 0), match->shared);
    uint64_t due = match->due;

    match_drop(match);
    if (due == 0)
        return false;
    if (match->risks && gained < mul_div(due, match->kept_bp, BP_ONE) / MISSED_DIVISOR) {
        match->joins = false;
        return true;
    }
    if (gained >= PAGES_MIN) {
        match->joins = made <= gained / MADE_DIVISOR;
        match->kept_bp = min_u64(mul_div(gained, BP_ONE, due), BP_ONE);
    }
    return false;
}

void
match_drop(Match *match)
{
    match->due = 0;
}
