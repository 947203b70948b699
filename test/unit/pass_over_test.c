/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pass_over_test.c - passes that run over their end, or have missed what they were to merge */
#include "policy/pass.h"
#include "policy/reach.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/onepass.h"

/* A pass of 400000 pages ends after 420000, and ksmd is 20000 into the next. */
static void
run_over(One *one)
{
    one_init(one);
    one->sample.host.ksm.pages_scanned = 0;
    pass_begin(&one->sample, &one->state, 400000, false);
    pass_plan(&one->conf, &one->sample.host, &one->state.ksm_auto, BP_ONE, &one->plan);
    one->sample.host.ksm.pages_scanned = 420000;
    assert_int_equal(follow_after(one, 500 * MS, 1), 1);
    pass_begin(&one->sample, &one->state, 400000, false);
}

static void
a_pass_that_began_early_is_so_far_already(void **unused)
{
    One one;
    (void)unused;

    run_over(&one);
    /* Of 400000 pages at 2.5 us, less the margin of what was learnt. */
    assert_int_equal(reach_left_us(&one.sample.host, &one.state.ksm_auto, BP_ONE),
                     (400000 - 400000 / 20 - 1000 - 20000) * 5 / 2);
    assert_int_equal(one.state.ksm_auto.pass.stage, PASS_CRUISE);
}

static void
a_pass_that_began_early_ends_when_there_is_nothing_to_scan(void **unused)
{
    One one;
    (void)unused;

    run_over(&one);
    pass_plan(&one.conf, &one.sample.host, &one.state.ksm_auto, BP_ONE, &one.plan);
    one.sample.host.now_us += 4 * S; /* its guests are gone */
    assert_int_equal(pass_follow(&one.sample, &one.state), 2);
}

static void
where_ksmd_is_lost_no_pass_has_begun_early(void **unused)
{
    One one;
    (void)unused;

    run_over(&one);
    one.sample.host.ksm.pages_scanned += 420000;
    assert_int_equal(follow_after(&one, 500 * MS, 1), 1);
    assert_true(one.state.ksm_auto.pass.early);
    pass_lose(&one.state.ksm_auto.pass);
    one.sample.host.ksm.pages_scanned += 77;
    pass_begin(&one.sample, &one.state, 400000, false);
    assert_int_equal(one.state.ksm_auto.pass.visited, one.sample.host.ksm.pages_scanned);
}

/* Of what was skipped before the end, nothing was of the pass that began there. */
static void
a_pass_that_began_early_has_skipped_what_was_skipped_since_the_last_look(void **unused)
{
    static const struct {
        const char *when;
        uint64_t after_look;
        bool partial;
    } rows[] = { { "nothing", 0, false }, { "much", 100000, true } };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        One one;

        one_init(&one);
        one.sample.host.ksm.pages_skipped = 0;
        pass_begin(&one.sample, &one.state, 400000, false);
        one.sample.host.ksm.pages_skipped = 100000;
        pass_plan(&one.conf, &one.sample.host, &one.state.ksm_auto, BP_ONE, &one.plan);
        one.sample.host.ksm.pages_skipped += rows[i].after_look;
        assert_int_equal(follow_after(&one, 100 * MS, 1), 1);
        pass_begin(&one.sample, &one.state, 0, true);
        if (one.state.ksm_auto.pass.partial != rows[i].partial)
            fail_msg("%s was skipped since: it is %spartial", rows[i].when,
                     rows[i].partial ? "not " : "");
    }
}

static void
what_is_not_there_since_a_domain_left_is_not_learnt(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.ksm.pages_scanned = 0;
    pass_begin(&one.sample, &one.state, 400000, false);
    one.state.ksm_auto.cleanup_us = one.sample.host.now_us;
    one.sample.host.ksm.pages_scanned = 200000;
    assert_int_equal(follow_after(&one, 500 * MS, 1), 1);
    assert_int_equal(one.state.ksm_auto.pass.absent, 0);
}

static void
a_pass_that_has_missed_what_it_was_to_merge_only_looks(void **unused)
{
    static const struct {
        const char *when;
        uint64_t merged;
        uint64_t ends;
        uint64_t twice;
    } rows[] = {
        { "it has merged enough", 6000, 1, 100 * MIB },
        { "it has merged little", 100, 1, 0 },
        { "two passes have ended", 100, 2, 100 * MIB },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Match *match;
        One one;

        one_init(&one);
        match = &one.state.ksm_auto.match;
        one.track.once_bytes = 100 * MIB;
        pass_begin(&one.sample, &one.state, 400000, false);
        *match = (Match){ .risks = true, .due = 10000, .kept_bp = 6000 };
        one.sample.host.ksm.pages_sharing = rows[i].merged;
        follow_after(&one, 100 * MS, rows[i].ends);
        if (one.track.twice_bytes != rows[i].twice)
            fail_msg("%s: %" PRIu64 " bytes seen twice", rows[i].when, one.track.twice_bytes);
        assert_int_equal(match->due, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_that_began_early_is_so_far_already),
        cmocka_unit_test(a_pass_that_began_early_ends_when_there_is_nothing_to_scan),
        cmocka_unit_test(where_ksmd_is_lost_no_pass_has_begun_early),
        cmocka_unit_test(a_pass_that_began_early_has_skipped_what_was_skipped_since_the_last_look),
        cmocka_unit_test(what_is_not_there_since_a_domain_left_is_not_learnt),
        cmocka_unit_test(a_pass_that_has_missed_what_it_was_to_merge_only_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
