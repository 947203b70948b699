/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memcase.h - a host and a few domains at one moment, for tests of the rules of reclaim
 *
 * Fields are set by hand between decisions; nothing happens by itself.
 */
#ifndef TEST_SUPPORT_MEMCASE_H
#define TEST_SUPPORT_MEMCASE_H

#include "policy/policy.h"

#define MEMCASE_DOMAINS 4
#define MIB             UINT64_C(1048576)
#define S               UINT64_C(1000000)
#define U               VALUE_UNKNOWN
#define ROWS(a)         (sizeof(a) / sizeof((a)[0]))

typedef struct {
    PolicyConf conf;
    PolicyState state;
    HostSample host;
    DomainSample domains[MEMCASE_DOMAINS];
    size_t n;
    DomainTrack tracks[MEMCASE_DOMAINS];
    Plan plan;
    DomainPlan plans[MEMCASE_DOMAINS];
} MemCase;

/**
 * memcase_init() - everything enabled, KSM left alone
 * @n: domains, MEMCASE_DOMAINS at most
 *
 * The host has 10000 MiB, half of it available, and 1000 MiB of swap, all free. Each domain has
 * 1000 MiB, all of it resident and in its cgroup, and its guest uses 500 MiB, no caches.
 */
void memcase_init(MemCase *one, size_t n);

/** memcase_init_balloons() - a host that has been tight for long enough that a balloon would be
 * asked; cold reclaim is off */
void memcase_init_balloons(MemCase *one, size_t n);

/** memcase_init_reclaim() - a host that is tight, and has cold reclaim alone */
void memcase_init_reclaim(MemCase *one, size_t n);

/** memcase_init_limits() - the same with one domain, and without memory.reclaim */
void memcase_init_limits(MemCase *one);

/** memcase_init_tenancy() - mode fixed, [tenancy] enforce = yes; domains that are known, merge, and
 * have 100 MiB of merged memory each */
void memcase_init_tenancy(MemCase *one, size_t n);

/** memcase_decide() - a decision on the fields as they are */
void memcase_decide(MemCase *one);

/** memcase_after() - time passes, the guests tell the same again, and there is a decision */
void memcase_after(MemCase *one, uint64_t us);

/** memcase_available() - MemAvailable, in MiB */
void memcase_available(MemCase *one, uint64_t mib);

/** memcase_uses() - a guest uses so much of what it has, in MiB, and tells of it now */
void memcase_uses(MemCase *one, size_t i, uint64_t mib);

/** memcase_obey() - every balloon is where it was asked to be, and guests' figures follow */
void memcase_obey(MemCase *one);

/** memcase_assert_balloon() - a domain's balloon is wanted at @mib, or left alone at U */
void memcase_assert_balloon(const MemCase *one, size_t i, uint64_t mib, Reason reason,
                            const char *when);

/* A row's change of the facts. */
typedef void (*MemBend)(MemCase *one);

/** memcase_bend_nothing() - all stays as it is */
void memcase_bend_nothing(MemCase *one);

/** memcase_bend_calm() - the host has much memory */
void memcase_bend_calm(MemCase *one);

/** memcase_bend_fixed() - the first domain's memory must stay */
void memcase_bend_fixed(MemCase *one);

/** memcase_bend_still() - the first domain must not be moved now */
void memcase_bend_still(MemCase *one);

/** memcase_bend_unmerge() - somebody gives every page its own copy again */
void memcase_bend_unmerge(MemCase *one);

#endif
