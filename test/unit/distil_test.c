/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* distil_test.c - who does not pay is left out for a while, and tried again */
#include "policy/distil.h"
#include "test/support/memcase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PAGES (MIB / 4096)

/* A domain of 1000 MiB that ksmd has covered long ago, and that saves nothing. */
static void
init(MemCase *one)
{
    memcase_init_tenancy(one, 1);
    one->conf.mode = KSM_MODE_AUTO;
    one->conf.park_retry_s = 1800;
    one->host.now_us = 10000 * S;
    one->host.ksm.pages_sharing = 500;
    one->host.ksm.pages_shared = 500;
    one->domains[0].started_us = S;
    one->domains[0].merging_pages = 0;
    one->domains[0].unshare_pages = 0;
    one->domains[0].rmap_items = 256000; /* 15.6 MiB of records */
    one->tracks[0].key = one->domains[0].key;
    one->tracks[0].twice_bytes = 1000 * MIB;
}

static bool
is_parked(MemCase *one)
{
    return distil_is_parked(&one->conf, &one->host, &one->domains[0], &one->tracks[0]);
}

static void
a_domain_is_parked_if_that_gives_back_more_than_it_takes(void **unused)
{
    static const struct {
        const char *when;
        uint64_t merging_mib; /* half of it is saved */
        uint64_t unshare_mib;
        bool want;
    } rows[] = {
        { "it saves nothing", 0, 0, true },
        { "less than its records", 10, 10, true },
        { "its copies would take more than its records", 25, 25, false },
        { "it pays", 100, 100, false },
        { "zero pages would have to be copied", 10, 60, false },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        init(&one);
        one.domains[0].merging_pages = rows[r].merging_mib * PAGES;
        one.domains[0].unshare_pages = rows[r].unshare_mib * PAGES;
        if (is_parked(&one) != rows[r].want)
            fail_msg("%s", rows[r].when);
    }
}

static void
where_nothing_is_merged_nobody_saves_anything(void **unused)
{
    MemCase one;
    (void)unused;

    init(&one);
    one.host.ksm.pages_sharing = one.host.ksm.pages_shared = 0;
    one.domains[0].merging_pages = 100 * PAGES; /* of an earlier moment than the host's */
    assert_true(is_parked(&one));
}

static void
who_cannot_be_judged_is_not_parked(void **unused)
{
    enum { OFF_BY_CONF, MOVING, NEW, UNCOVERED, OPEN, NO_FIGURES, NO_RECORDS, CASES };
    (void)unused;

    for (unsigned r = 0; r < CASES; r++) {
        MemCase one;

        init(&one);
        one.conf.park_retry_s = r == OFF_BY_CONF ? 0 : 1800;
        one.domains[0].merge_state = r == MOVING ? MERGE_MOVING : MERGE_AS_FOUND;
        one.domains[0].started_us = r == NEW ? one.host.now_us - 100 * S : S;
        one.tracks[0].twice_bytes = (r == UNCOVERED ? 500 : 1000) * MIB;
        one.tracks[0].open = r == OPEN;
        one.domains[0].merging_pages = r == NO_FIGURES ? U : 0;
        one.domains[0].rmap_items = r == NO_RECORDS ? U : 256000;
        if (is_parked(&one))
            fail_msg("case %u", r);
    }
}

static void
it_is_tried_again_later_and_later(void **unused)
{
    static const unsigned factors[] = { 1, 2, 4, 8, 16, 16 };
    MemCase one;
    (void)unused;

    init(&one);
    for (size_t i = 0; i < ROWS(factors); i++) {
        uint64_t wait_us = one.conf.park_retry_s * factors[i] * S;

        assert_true(is_parked(&one));
        one.host.now_us += wait_us - S;
        assert_true(is_parked(&one));
        one.host.now_us += S;
        one.tracks[0].tenancy.on_us = one.host.now_us; /* it is on again */
        assert_false(is_parked(&one));
        one.host.now_us += one.conf.tenancy_dwell_s * S;
    }
    one.domains[0].merging_pages = 100 * PAGES; /* it pays at last */
    assert_false(is_parked(&one));
    one.domains[0].merging_pages = 0;
    assert_true(is_parked(&one));
    one.host.now_us += one.conf.park_retry_s * S;
    one.tracks[0].tenancy.on_us = one.host.now_us;
    assert_false(is_parked(&one)); /* and has begun anew */
}

static void
scanning_does_not_wait_for_who_is_parked(void **unused)
{
    MemCase one;
    (void)unused;

    init(&one);
    memcase_decide(&one); /* which forgets what a mode before has covered */
    one.tracks[0].twice_bytes = 1000 * MIB;
    one.tracks[0].open = false;
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].merge, MERGING_OFF);
    assert_true(one.plans[0].merge_apply);
    assert_false(one.plan.tenancy.is_paused);
    assert_int_equal(one.plan.tenancy.pending, 0);
    one.domains[0].merge_state = MERGE_OFF;
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].merge_reason, REASON_PARKED);
    one.conf.park_retry_s = 0;
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].merge, MERGING_ON);
    assert_true(one.plans[0].merge_apply);
}

/* Parked while it may be merged; then it may not, and QEMU has not said yet that it is off. */
static void
who_may_not_be_merged_any_more_is_waited_for(void **unused)
{
    MemCase one;
    (void)unused;

    init(&one);
    memcase_decide(&one);
    one.tracks[0].twice_bytes = 1000 * MIB;
    one.tracks[0].open = false;
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].merge_reason, REASON_MERGE_WAIT);
    assert_int_equal(one.plan.tenancy.pending, 0);
    one.domains[0].merge_wish = MERGE_WISH_NO;
    memcase_after(&one, S);
    assert_int_equal(one.plan.tenancy.pending, 1);
    assert_true(one.plan.tenancy.is_paused);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_is_parked_if_that_gives_back_more_than_it_takes),
        cmocka_unit_test(where_nothing_is_merged_nobody_saves_anything),
        cmocka_unit_test(who_cannot_be_judged_is_not_parked),
        cmocka_unit_test(it_is_tried_again_later_and_later),
        cmocka_unit_test(scanning_does_not_wait_for_who_is_parked),
        cmocka_unit_test(who_may_not_be_merged_any_more_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
