/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* group_test.c - of however many groups, the one that brings most is chosen */
#include "policy/group.h"

#include "test/support/dice.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Domains of 1000 MiB each that have been there for a while. */
typedef struct {
    PolicyConf conf;
    PolicyState state;
    HostSample host;
    DomainSample *domains; /* owned; n of them */
    size_t n;
} Crowd;

static void
crowd_init(Crowd *crowd, size_t n)
{
    memset(crowd, 0, sizeof(*crowd));
    policy_conf_default(&crowd->conf);
    policy_init(&crowd->state);
    crowd->host = host_sample_unknown();
    crowd->host.now_us = 1000 * S;
    crowd->host.page_bytes = 4096;
    crowd->host.mem_total_bytes = 10000 * MIB;
    crowd->host.mem_available_bytes = 5000 * MIB;
    crowd->n = n;
    crowd->domains = calloc(n, sizeof(*crowd->domains));
    crowd->state.domains = calloc(n, sizeof(*crowd->state.domains));
    assert_non_null(crowd->domains);
    assert_non_null(crowd->state.domains);
    for (size_t i = 0; i < n; i++) {
        crowd->domains[i] = domain_sample_unknown();
        crowd->domains[i].key = i + 1;
        crowd->domains[i].resident_bytes = crowd->domains[i].balloon_bytes = 1000 * MIB;
        crowd->domains[i].mergeable_bp = BP_ONE;
        crowd->domains[i].is_tenant = crowd->domains[i].is_defined = true;
        crowd->domains[i].unshare_pages = 0;
    }
}

static void
crowd_done(Crowd *crowd)
{
    free(crowd->domains);
    free(crowd->state.domains);
}

static uint64_t
choose(Crowd *crowd)
{
    const Sample sample = { crowd->host, crowd->domains, crowd->n };

    group_choose(&crowd->conf, &sample, &crowd->state);
    return crowd->state.tenancy.group;
}

/* As it is meant, by looking at every domain for every domain. */
static uint64_t
worth_of(const Crowd *crowd, uint64_t group, bool *ret_may_merge)
{
    uint64_t saved = 0;
    uint64_t new_pages = 0;
    size_t members = 0;

    *ret_may_merge = false;
    for (size_t i = 0; i < crowd->n; i++) {
        const DomainSample *domain = &crowd->domains[i];
        uint64_t pages = domain->resident_bytes / 4096;

        if (domain->group != group || domain->mergeable_bp == 0)
            continue;
        members++;
        *ret_may_merge |= domain->merge_wish != MERGE_WISH_NO;
        if (crowd->state.domains[i].tenancy.is_measured)
            saved += pages * crowd->state.domains[i].tenancy.share_bp / BP_ONE;
        else
            new_pages += pages;
    }
    return saved + new_pages * (members > 1 ? 3000 : 500) / BP_ONE;
}

static uint64_t
best_of(const Crowd *crowd)
{
    uint64_t best = 0;
    uint64_t most = 0;

    for (size_t i = 0; i < crowd->n; i++) {
        bool may_merge;
        uint64_t worth = worth_of(crowd, crowd->domains[i].group, &may_merge);

        if (crowd->domains[i].mergeable_bp > 0 && may_merge && (best == 0 || worth > most)) {
            best = crowd->domains[i].group;
            most = worth;
        }
    }
    return best;
}

static void
the_best_is_what_a_look_at_every_pair_finds(void **unused)
{
    Dice dice = dice_new();
    (void)unused;

    for (unsigned round = 0; round < 500; round++) {
        size_t n = 1 + dice_below(&dice, 40);
        uint64_t groups = 1 + dice_below(&dice, 20);
        uint64_t want;
        Crowd crowd;

        crowd_init(&crowd, n);
        for (size_t i = 0; i < n; i++) {
            DomainSample *domain = &crowd.domains[i];

            /* Numbers that share their buckets, and numbers that do not. */
            domain->group = 1 + dice_below(&dice, groups) * (dice_below(&dice, 2) ? 1 : n);
            domain->resident_bytes = dice_below(&dice, 1000) * MIB;
            domain->merge_wish = dice_below(&dice, 4) == 0 ? MERGE_WISH_NO : MERGE_WISH_NONE;
            domain->mergeable_bp = dice_below(&dice, 8) == 0 ? 0 : BP_ONE;
            crowd.state.domains[i].tenancy.is_measured = dice_below(&dice, 2);
            crowd.state.domains[i].tenancy.share_bp = dice_below(&dice, BP_ONE + 1);
        }
        want = best_of(&crowd);
        if (choose(&crowd) != want)
            fail_msg("round %u: group %" PRIu64 " instead of %" PRIu64, round,
                     crowd.state.tenancy.group, want);
        crowd_done(&crowd);
    }
}

/* So many that a look at every pair would not end within the time that a test has. */
static void
many_domains_in_groups_of_their_own_are_no_trouble(void **unused)
{
    enum { MANY = 200000, LARGEST = 123456 };
    Crowd crowd;
    (void)unused;

    crowd_init(&crowd, MANY);
    crowd.domains[LARGEST].resident_bytes = crowd.domains[LARGEST].balloon_bytes = 2000 * MIB;
    assert_true(choose(&crowd) == (UINT64_C(1) << 63 | (LARGEST + 1)));
    crowd_done(&crowd);
}

/* Two groups; the second brings more by far, so the first is to be parted. */
static void
a_group_is_left_for_a_better_one_only_if_there_is_room_for_its_copies(void **unused)
{
    static const struct {
        const char *when;
        uint64_t unshare_mib; /* of the one domain in the first group */
        uint64_t limit_mib;   /* of that domain; 0: none */
        uint64_t want;        /* group */
    } rows[] = {
        { "nothing to copy", 0, 0, 2 },          { "room on the host", 100, 0, 2 },
        { "no room on the host", 900000, 0, 1 }, { "room in its limit", 100, 1000, 2 },
        { "no room in its limit", 100, 999, 1 },
    };
    (void)unused;

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        Crowd crowd;

        crowd_init(&crowd, 3);
        crowd.domains[0].group = 1;
        crowd.domains[1].group = crowd.domains[2].group = 2;
        crowd.state.tenancy.group = 1;
        crowd.domains[0].unshare_pages = rows[r].unshare_mib * MIB / 4096;
        crowd.domains[0].hard_limit_bytes = rows[r].limit_mib * MIB;
        if (choose(&crowd) != rows[r].want)
            fail_msg("%s: group %" PRIu64, rows[r].when, crowd.state.tenancy.group);
        crowd_done(&crowd);
    }
}

static void
nobody_there_is_no_group(void **unused)
{
    Crowd crowd;
    (void)unused;

    crowd_init(&crowd, 1);
    crowd.n = 0;
    assert_int_equal(choose(&crowd), 0);
    crowd_done(&crowd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_is_what_a_look_at_every_pair_finds),
        cmocka_unit_test(many_domains_in_groups_of_their_own_are_no_trouble),
        cmocka_unit_test(a_group_is_left_for_a_better_one_only_if_there_is_room_for_its_copies),
        cmocka_unit_test(nobody_there_is_no_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
