/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach.h - how far it is to the end of a pass, and what that takes */
#ifndef POLICY_REACH_H
#define POLICY_REACH_H

#include "policy/debt.h"

/* A figure of cost needs this many pages, or the clock's grain shows in it. */
#define REACH_COST_PAGES UINT64_C(1000)

/** reach_visited() - pages that ksmd has come by since boot, whatever it did with them
 *
 * Return: VALUE_UNKNOWN on a kernel that does not tell (before 6.4).
 */
uint64_t reach_visited(const HostSample *host);

/** reach_page_ns() - what a page costs ksmd, as measured lately; a usual figure before that */
uint64_t reach_page_ns(const KsmAuto *a);

/** reach_page_ns_since() - what a page has cost since there were these counts of pages visited and
 * of run time; before that can be told, as reach_page_ns() */
uint64_t reach_page_ns_since(const HostSample *host, const KsmAuto *a, uint64_t before_visited,
                             uint64_t before_cpu_us);

/** reach_next_visited() - reach_visited() as it was where the next pass began, if this one ran over
 * its end: about, and no earlier than at the last look */
uint64_t reach_next_visited(const HostSample *host, const Pass *pass);

/** reach_learn() - a pass has ended: see how much of what was expected was not there */
void reach_learn(const HostSample *host, Pass *pass);

/**
 * reach_left_us() - CPU time that the running pass takes until it is so far
 * @share_bp: of what it is expected to look at
 *
 * Return: microseconds, from what its pages have cost; 0: it is so far.
 */
uint64_t reach_left_us(const HostSample *host, const KsmAuto *a, uint64_t share_bp);

/**
 * reach_cost_us() - CPU time that one whole pass will take about
 * @debt: what is owed
 *
 * From what each kind of page costs ksmd, so it tells more about a pass to come than the average
 * of the last one does.
 *
 * Return: microseconds.
 */
uint64_t reach_cost_us(const HostSample *host, const Debt *debt);

#endif
