/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * match.c - where new memory finds its equals
 *
 * smart_scan skips pages that have stayed unique. The pass that merges new memory may not, if its
 * equals are among them: the second guest of a kind finds those of the first there. The third finds
 * merged pages, which are never skipped, and to compare all others again would be most of what the
 * pass costs. So where much of what came last was merged, what comes next is taken to be of its
 * kind:
 *
 *     many pages without equals?  -- no --> skip
 *          | yes
 *     was much merged lately, and is as much of this no more than is merged?  -- no --> look at all
 *          | yes
 *     skip; and if much less than last time is merged, look at all in the next pass
 *
 * That may be wrong: a guest has pages that are equal to each other, zeros most of all, so that
 * much of it is merged though it is the first of its kind. So what was skipped is owed, and looked
 * at by the first probe after the burst, which comes soon then (probe.c). Guests that start one
 * after the other, which end each other's bursts, owe it once.
 *
 * Source: mm/ksm.c, should_skip_rmap_item(): pages of KSM are not skipped.
 */
#include "policy/match.h"

/* Fewer pages than this say nothing. */
#define PAGES_MIN UINT64_C(1000)
/* Of what was to be merged, at least this part was, or what comes next may be anything. */
#define KEPT_MIN_BP (BP_ONE / 4)
/* A pass has missed something if it merged less than this part of what it should have. */
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
    return match->kept_bp == 0 || debt->open_pages < PAGES_MIN ||
           mul_div(debt->open_pages, match->kept_bp, BP_ONE) > ksm_merging_pages(&host->ksm);
}

void
match_begin(const HostSample *host, const Debt *debt, bool merges, bool closing, Match *match)
{
    uint64_t due = merges ? sat_sub(debt->open_pages, debt->unseen_pages) : 0;

    match->due = due >= PAGES_MIN ? due : 0;
    match->risks = !closing && is_known(host->knobs.smart_scan) && is_mostly_unique(host, 0);
    match->merged = ksm_merging_pages(&host->ksm);
}

bool
match_end(const HostSample *host, Match *match)
{
    uint64_t gained = sat_sub(ksm_merging_pages(&host->ksm), match->merged);
    uint64_t usual = mul_div(match->due, match->kept_bp, BP_ONE);
    uint64_t due = match->due;
    uint64_t kept_bp;

    match_drop(match);
    if (due == 0)
        return false;
    kept_bp = min_u64(mul_div(gained, BP_ONE, due), BP_ONE);
    match->kept_bp = kept_bp >= KEPT_MIN_BP ? kept_bp : 0;
    match->owes = match->risks;
    if (!match->risks || gained >= usual / MISSED_DIVISOR)
        return false;
    match->kept_bp = 0;
    return true;
}

void
match_drop(Match *match)
{
    match->due = 0;
}
