/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* match.h - where new memory finds its equals: among merged pages, or among those without any */
#ifndef POLICY_MATCH_H
#define POLICY_MATCH_H

#include "policy/debt.h"

/**
 * match_needs_all() - whether a pass that merges must not skip pages that have stayed unique
 * @new_pages: pages that KSM has no records of yet
 *
 * Return: true: the equals of what is owed may be among them; false: most have theirs among the
 * merged, or this kernel skips nothing.
 */
bool match_needs_all(const HostSample *host, const Debt *debt, const Match *match,
                     uint64_t new_pages);

/**
 * match_begin() - a pass of a burst begins
 * @merges:  most of what is owed has been seen once, so that this pass merges it
 * @closing: it skips nothing
 */
void match_begin(const HostSample *host, const Debt *debt, bool merges, bool closing, Match *match);

/**
 * match_end() - it has ended: learn from what it has merged
 *
 * Return: whether it has merged less than it should have, and may have skipped the equals.
 */
bool match_end(const HostSample *host, Match *match);

/** match_drop() - nothing is to be learnt from the pass that is running, or none is */
void match_drop(Match *match);

#endif
