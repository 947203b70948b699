/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reach.c - how far ksmd has to go until the end of a pass, and what that takes
 *
 * How far the end is, is a guess: what is resident is not all mergeable, QEMU's own memory least of
 * all. How much was not there is learnt from each pass for the next. It is a number of pages rather
 * than a part of them: guests that fill their memory come to have more, their QEMU does not.
 *
 *     |---------------- expected ----------------|
 *     |------- seen -------|-- to go --|- absent -|
 */
#include "policy/reach.h"

/* Cost of a page before it has been measured here: between unique and merged. */
#define COST_DEFAULT_NS UINT64_C(2500)
/* What kinds of page cost, measured on Linux 6.18: the relations matter, not the figures. */
#define MERGED_NS   170
#define CHECKSUM_NS 1050
#define UNIQUE_NS   5000
/* What is learnt of a pass is meant for the next one with a margin, a GiB at most, and within
 * bounds. */
#define MARGIN_DIVISOR 20
#define MARGIN_PAGES   UINT64_C(262144)
#define THERE_DIVISOR  4

uint64_t
reach_page_ns(const KsmAuto *a)
{
    return a->cost_ns > 0 ? a->cost_ns : COST_DEFAULT_NS;
}

uint64_t
reach_visited(const HostSample *host)
{
    if (!is_known(host->ksm.pages_scanned))
        return VALUE_UNKNOWN;
    return sat_add(host->ksm.pages_scanned, known_or(host->ksm.pages_skipped, 0));
}

uint64_t
reach_page_ns_since(const HostSample *host, const KsmAuto *a, uint64_t before_visited,
                    uint64_t before_cpu_us)
{
    uint64_t visited = reach_visited(host);
    uint64_t done = sat_sub(visited, before_visited);

    if (!is_known(visited) || !is_known(before_visited) || !is_known(host->ksmd_cpu_us) ||
        !is_known(before_cpu_us) || done < REACH_COST_PAGES)
        return reach_page_ns(a);
    return max_u64(mul_div(sat_sub(host->ksmd_cpu_us, before_cpu_us), 1000, done), 1);
}

uint64_t
reach_cost_us(const HostSample *host, const Debt *debt)
{
    uint64_t seen_once = sat_sub(debt->open_pages, debt->unseen_pages);
    uint64_t changing = sat_sub(known_or(host->ksm.pages_volatile, 0), seen_once);
    uint64_t ns = mul_div(ksm_merging_pages(&host->ksm), MERGED_NS, 1);

    ns = sat_add(ns, mul_div(known_or(host->ksm.pages_unshared, 0), UNIQUE_NS, 1));
    ns = sat_add(ns, mul_div(seen_once, UNIQUE_NS, 1));
    ns = sat_add(ns, mul_div(sat_add(changing, debt->unseen_pages), CHECKSUM_NS, 1));
    return ns / 1000;
}

/* Pages that the running pass is likely to come by. */
static uint64_t
pages_there(const Pass *pass)
{
    return max_u64(sat_sub(pass->pages, pass->absent), pass->pages / THERE_DIVISOR);
}

uint64_t
reach_next_visited(const HostSample *host, const Pass *pass)
{
    /* What is more than was expected of this one was of the next. */
    uint64_t visited = reach_visited(host);
    uint64_t since_look = sat_sub(visited, known_or(pass->look_visited, visited));
    uint64_t beyond =
        sat_sub(sat_sub(visited, known_or(pass->visited, visited)), pages_there(pass));

    return is_known(visited) ? visited - min_u64(since_look, beyond) : visited;
}

void
reach_learn(const HostSample *host, Pass *pass)
{
    uint64_t visited = reach_visited(host);

    if (!is_known(visited) || !is_known(pass->visited) || pass->first_pages < REACH_COST_PAGES)
        return;
    visited = sat_sub(visited, pass->visited);
    /* What came meanwhile may have been seen or not: it is taken to have been. */
    pass->absent = sat_add(sat_sub(pass->first_pages, visited),
                           min_u64(visited / MARGIN_DIVISOR, MARGIN_PAGES));
}

uint64_t
reach_left_us(const HostSample *host, const KsmAuto *a, uint64_t share_bp)
{
    const Pass *pass = &a->pass;
    uint64_t pages = mul_div(pages_there(pass), share_bp, BP_ONE);
    uint64_t whole_us = mul_div(pages, reach_page_ns(a), 1000);
    uint64_t visited = reach_visited(host);

    if (is_known(visited) && is_known(pass->visited))
        return mul_div(sat_sub(pages, sat_sub(visited, pass->visited)),
                       reach_page_ns_since(host, a, pass->begun_visited, pass->began_cpu_us), 1000);
    return sat_sub(whole_us, sat_sub(host->now_us, pass->began_us));
}
