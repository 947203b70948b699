/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pass_test.c - one pass of ksmd: begun, led to its end, booked */
#include "policy/pass.h"
#include "policy/reach.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/onepass.h"

#define PARK UINT64_C(3600000)

static const KsmKnobs *
plan_now(One *one)
{
    one->plan.ksm.knobs = (KsmKnobs){ U, U, U, U, U, U };
    pass_plan(&one->conf, &one->sample.host, &one->state.ksm_auto, BP_ONE, &one->plan);
    return &one->plan.ksm.knobs;
}

static void
a_short_pass_is_made_of_steps_that_each_wake_ksmd_once(void **unused)
{
    One one;
    uint64_t first;
    (void)unused;

    one_init(&one);
    pass_begin(&one.sample, &one.state, 25600, false);
    assert_int_equal(plan_now(&one)->run, KSM_RUN_MERGE);
    assert_int_equal(one.plan.ksm.knobs.pages_to_scan, 4 * one.conf.batch_pages);
    first = one.plan.ksm.knobs.sleep_ms;
    assert_true(first == PARK || first == PARK + 1);
    assert_int_equal(follow_after(&one, 20 * MS, 0), 0);
    assert_int_equal(plan_now(&one)->sleep_ms, PARK + (first == PARK));
    assert_int_equal(follow_after(&one, 20 * MS, 1), 1);
    assert_false(pass_is_running(&one.state.ksm_auto.pass));
    assert_int_equal(one.track.once_bytes, 100 * MIB);
    pass_park(&one.state.ksm_auto.pass, &one.plan);
    assert_int_equal(one.plan.ksm.knobs.sleep_ms, PARK + (first == PARK)); /* wakes nobody */
}

static void
a_long_pass_cruises_halts_and_steps(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    pass_begin(&one.sample, &one.state, 400000, false); /* a second of it */
    assert_int_equal(plan_now(&one)->sleep_ms, 0);
    assert_int_equal(one.plan.ksm.knobs.pages_to_scan, one.conf.batch_pages);
    assert_int_equal(follow_after(&one, 950 * MS, 0), 0);
    assert_true(plan_now(&one)->sleep_ms >= PARK);
    assert_int_equal(one.state.ksm_auto.pass.beat, 0); /* comes to a halt: nobody is woken */
    assert_int_equal(follow_after(&one, 20 * MS, 0), 0);
    assert_int_equal(plan_now(&one)->sleep_ms, PARK + 1);
    assert_int_equal(follow_after(&one, 20 * MS, 1), 1);
    assert_false(one.state.ksm_auto.pass.early);
}

static void
a_pass_that_is_longer_than_thought_cruises(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    pass_begin(&one.sample, &one.state, 0, false);
    assert_true(plan_now(&one)->sleep_ms >= PARK);
    pass_expect(&one.state.ksm_auto.pass, 400000, false);
    assert_int_equal(plan_now(&one)->sleep_ms, 0);
}

static void
a_pass_that_began_in_the_middle_proves_nothing(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.state.ksm_auto.pass.aligned = false;
    pass_begin(&one.sample, &one.state, 25600, false);
    assert_int_equal(follow_after(&one, 20 * MS, 1), 0);
    assert_false(pass_is_running(&one.state.ksm_auto.pass));
    assert_int_equal(one.track.once_bytes, 0);
    assert_true(one.state.ksm_auto.pass.aligned); /* but now ksmd stands where one begins */
}

static void
running_over_the_end_begins_the_next_pass(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    pass_begin(&one.sample, &one.state, 400000, false);
    assert_int_equal(follow_after(&one, 100 * MS, 1), 1);
    assert_true(one.state.ksm_auto.pass.early);
    one.domain.resident_bytes = 200 * MIB; /* comes after the next one has begun */
    pass_begin(&one.sample, &one.state, 400000, false);
    assert_int_equal(follow_after(&one, 100 * MS, 1), 1);
    assert_int_equal(one.track.once_bytes, 100 * MIB);
    assert_int_equal(one.track.twice_bytes, 100 * MIB);
}

static void
a_closing_pass_that_began_by_skipping_pages_only_looks(void **unused)
{
    static const struct {
        const char *when;
        uint64_t skipped;
        uint64_t twice;
    } rows[] = {
        { "nothing was skipped", 500, 100 * MIB },
        { "hardly a page was skipped", 500 + 400000 / 256, 100 * MIB },
        { "pages were skipped", 501 + 400000 / 256, 0 },
        { "a kernel that does not tell", U, 100 * MIB },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        One one;

        one_init(&one);
        one.sample.host.ksm.pages_skipped = is_known(rows[i].skipped) ? 500 : U;
        pass_begin(&one.sample, &one.state, 400000, false);
        one.sample.host.ksm.pages_skipped = rows[i].skipped;
        assert_int_equal(follow_after(&one, 100 * MS, 1), 1);
        pass_begin(&one.sample, &one.state, 0, true);
        follow_after(&one, 100 * MS, 1);
        if (one.track.once_bytes != 100 * MIB || one.track.twice_bytes != rows[i].twice)
            fail_msg("%s: %" PRIu64 " bytes seen twice", rows[i].when, one.track.twice_bytes);
    }
}

static void
pages_that_are_skipped_bring_the_end_nearer(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.ksm.pages_scanned = 0;
    one.sample.host.ksm.pages_skipped = 0;
    pass_begin(&one.sample, &one.state, 400000, false);
    assert_true(plan_now(&one)->sleep_ms < PARK);
    one.sample.host.now_us += 100 * MS;
    one.sample.host.ksmd_cpu_us += 100 * MS;
    one.sample.host.ksm.pages_scanned = 20000;
    one.sample.host.ksm.pages_skipped = 375000;
    assert_true(plan_now(&one)->sleep_ms >= PARK); /* brought to a halt, for steps */
}

/* A pass of 25600 pages, made of steps of 16000, of which the first has begun. */
static void
step_init(One *one)
{
    one_init(one);
    one->sample.host.ksm.pages_scanned = 1000;
    one->sample.host.ksm.pages_skipped = 0;
    pass_begin(&one->sample, &one->state, 25600, false);
    plan_now(one);
}

static void
a_step_begins_when_the_last_is_over_or_was_missed(void **unused)
{
    static const struct {
        const char *when;
        uint64_t scanned[2]; /* at two looks */
        bool wakes;          /* at the second */
    } rows[] = {
        { "the step is over", { 10000, 16000 }, true },
        { "ksmd is still at it", { 10000, 12000 }, false },
        { "ksmd was busy when it was woken", { 300, 300 }, true },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t before;
        One one;

        step_init(&one);
        for (size_t look = 0; look < 2; look++) {
            before = one.state.ksm_auto.pass.beat;
            one.sample.host.now_us += 20 * MS;
            one.sample.host.ksm.pages_scanned = 1000 + rows[i].scanned[look];
            plan_now(&one);
        }
        if ((one.state.ksm_auto.pass.beat != before) != rows[i].wakes)
            fail_msg("%s", rows[i].when);
    }
}

static void
a_step_is_looked_at_again_when_it_should_be_over(void **unused)
{
    One one;
    (void)unused;

    step_init(&one);
    one.sample.host.now_us += 80 * MS;
    one.sample.host.ksm.pages_scanned += 8000; /* half of it: others have the CPUs */
    plan_now(&one);
    assert_in_range(one.plan.next_tick_us, 79 * MS, 81 * MS);
}

static void
a_step_is_expected_to_take_as_long_as_the_one_before(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.ksm.pages_scanned = 1000;
    one.sample.host.ksmd_cpu_us = 1 * S;
    pass_begin(&one.sample, &one.state, 38000, false);
    plan_now(&one);
    one.sample.host.now_us += 40 * MS;
    one.sample.host.ksmd_cpu_us += 16 * MS; /* merged pages, which cost little */
    one.sample.host.ksm.pages_scanned += 16000;
    plan_now(&one);
    assert_in_range(one.plan.next_tick_us, 15 * MS, 17 * MS);
}

static void
what_there_was_of_the_expected_is_expected_of_the_next_pass(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.ksm.pages_scanned = 0;
    pass_begin(&one.sample, &one.state, 400000, false);
    one.sample.host.ksm.pages_scanned = 200000;
    assert_int_equal(follow_after(&one, 500 * MS, 1), 1);
    assert_int_equal(one.state.ksm_auto.pass.absent, 200000 + 200000 / 20);
    one.state.ksm_auto.pass.early = false;
    pass_begin(&one.sample, &one.state, 400000, false);
    one.sample.host.now_us += 450 * MS;
    one.sample.host.ksmd_cpu_us += 450 * MS;
    one.sample.host.ksm.pages_scanned += 180000;
    assert_true(plan_now(&one)->sleep_ms >= PARK); /* close to the end: brought to a halt */
}

static void
a_pass_that_the_next_one_follows_at_once_may_run_over_its_end(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    pass_begin(&one.sample, &one.state, 400000, false);
    plan_now(&one);
    pass_expect(&one.state.ksm_auto.pass, 0, true);
    assert_int_equal(follow_after(&one, 990 * MS, 0), 0);
    assert_int_equal(plan_now(&one)->sleep_ms, 0);
    assert_int_equal(follow_after(&one, 20 * MS, 0), 0);
    assert_int_equal(plan_now(&one)->sleep_ms, 0);
    assert_int_equal(one.plan.next_tick_us, 50 * MS); /* it may be over at any moment */
}

/* In three seconds from now in which ksmd does nothing the pass is over. */
static void
assert_stalls(One *one)
{
    one->sample.host.now_us += 2 * S;
    assert_int_equal(pass_follow(&one->sample, &one->state), 0);
    one->sample.host.now_us += 2 * S;
    assert_int_equal(pass_follow(&one->sample, &one->state), 2);
}

static void
a_pass_in_which_ksmd_does_nothing_ends(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    pass_begin(&one.sample, &one.state, 25600, false);
    plan_now(&one);
    assert_stalls(&one);
    assert_int_equal(one.track.twice_bytes, 100 * MIB);
}

static void
where_ksmd_may_not_scan_it_has_not_seen_that_there_is_nothing(void **unused)
{
    static const struct {
        const char *why;
        uint64_t duty_bp;
        uint64_t run;
    } rows[] = {
        { "the budget is used up", 0, KSM_RUN_MERGE },
        { "little of the budget is left", BP_ONE / 200, KSM_RUN_MERGE },
        { "merging is held, or only observed", BP_ONE, KSM_RUN_STOP },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        HostSample *host;
        One one;

        one_init(&one);
        host = &one.sample.host;
        pass_begin(&one.sample, &one.state, 25600, false);
        for (unsigned minute = 0; minute < 3; minute++) {
            pass_plan(&one.conf, host, &one.state.ksm_auto, rows[i].duty_bp, &one.plan);
            host->knobs.run = rows[i].run;
            host->now_us += 60 * S;
            if (pass_follow(&one.sample, &one.state) != 0)
                fail_msg("%s, and a pass has ended", rows[i].why);
        }
        assert_int_equal(one.track.twice_bytes, 0);
        host->knobs.run = KSM_RUN_MERGE;
        plan_now(&one);
        assert_stalls(&one);
    }
}

static void
a_pass_that_cannot_go_on_is_looked_at_seldom(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.knobs.run = KSM_RUN_STOP;
    pass_begin(&one.sample, &one.state, 25600, false);
    plan_now(&one);
    assert_true(one.plan.next_tick_us < S); /* it was stopped before, and is let go now */
    one.sample.host.now_us += 100 * MS;
    plan_now(&one);
    assert_int_equal(one.plan.next_tick_us, S);
}

static void
where_ksmd_is_out_of_sight_its_counter_tells_that_it_does_nothing(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.ksmd_cpu_us = U;
    one.sample.host.ksm.pages_scanned = 777;
    pass_begin(&one.sample, &one.state, 25600, false);
    plan_now(&one);
    assert_stalls(&one);
}

static void
what_a_pass_has_to_go_is_told_by_the_counter_or_else_by_time(void **unused)
{
    static const struct {
        const char *when;
        uint64_t scanned; /* since it began, a microsecond each; U: the kernel does not count */
        uint64_t left_us; /* of the whole, and of a half */
        uint64_t half_us;
    } rows[] = {
        { "it has just begun", 0, 10000, 5000 },
        { "a quarter", 2500, 7500, 2500 },
        { "halfway", 5000, 5000, 0 },
        { "at its end", 10000, 0, 0 },
        { "longer than expected", 30000, 0, 0 },
        { "the counter is gone", U, 10000, 5000 },
    };
    One one;
    KsmAuto *a = &one.state.ksm_auto;
    uint64_t cpu_us;
    (void)unused;

    one_init(&one);
    a->cost_ns = 1000;
    one.sample.host.ksm.pages_scanned = 777;
    cpu_us = one.sample.host.ksmd_cpu_us;
    pass_begin(&one.sample, &one.state, 0, false);
    pass_expect(&a->pass, 10000, false);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is_told = rows[i].scanned != U;

        one.sample.host.ksm.pages_scanned = is_told ? 777 + rows[i].scanned : U;
        one.sample.host.ksmd_cpu_us = cpu_us + (is_told ? rows[i].scanned : 0);
        if (reach_left_us(&one.sample.host, a, BP_ONE) != rows[i].left_us ||
            reach_left_us(&one.sample.host, a, BP_ONE / 2) != rows[i].half_us)
            fail_msg("%s: %" PRIu64 ", %" PRIu64, rows[i].when,
                     reach_left_us(&one.sample.host, a, BP_ONE),
                     reach_left_us(&one.sample.host, a, BP_ONE / 2));
    }
}

static void
without_the_kernels_counter_time_ends_a_pass(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.sample.host.ksm.full_scans = U;
    pass_begin(&one.sample, &one.state, 25600, false);
    plan_now(&one);
    one.sample.host.now_us += S;
    one.sample.host.ksmd_cpu_us += S;
    assert_int_equal(pass_follow(&one.sample, &one.state), 0);
    one.sample.host.now_us += 3 * S;
    assert_int_equal(pass_follow(&one.sample, &one.state), 1);
}

static void
only_the_closing_pass_looks_at_every_page(void **unused)
{
    static const struct {
        const char *when;
        uint64_t have;
        bool closing;
        uint64_t want;
    } rows[] = {
        { "still filling", 1, false, 1 },
        { "closing", 1, true, 0 },
        { "a kernel without it", U, true, U },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        One one;

        one_init(&one);
        one.sample.host.knobs.smart_scan = rows[i].have;
        pass_begin(&one.sample, &one.state, 25600, rows[i].closing);
        if (plan_now(&one)->smart_scan != rows[i].want)
            fail_msg("%s", rows[i].when);
    }
}

static void
without_budget_ksmd_is_parked_where_it_stands(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    pass_begin(&one.sample, &one.state, 400000, false);
    pass_plan(&one.conf, &one.sample.host, &one.state.ksm_auto, 0, &one.plan);
    assert_true(one.plan.ksm.knobs.sleep_ms >= PARK);
    assert_true(pass_is_running(&one.state.ksm_auto.pass));
    pass_plan(&one.conf, &one.sample.host, &one.state.ksm_auto, BP_ONE / 2, &one.plan);
    assert_in_range(one.plan.ksm.knobs.sleep_ms, 9, 11); /* as long as a batch */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_pass_is_made_of_steps_that_each_wake_ksmd_once),
        cmocka_unit_test(a_long_pass_cruises_halts_and_steps),
        cmocka_unit_test(a_pass_that_is_longer_than_thought_cruises),
        cmocka_unit_test(a_pass_that_began_in_the_middle_proves_nothing),
        cmocka_unit_test(running_over_the_end_begins_the_next_pass),
        cmocka_unit_test(a_closing_pass_that_began_by_skipping_pages_only_looks),
        cmocka_unit_test(pages_that_are_skipped_bring_the_end_nearer),
        cmocka_unit_test(a_step_begins_when_the_last_is_over_or_was_missed),
        cmocka_unit_test(a_step_is_looked_at_again_when_it_should_be_over),
        cmocka_unit_test(a_step_is_expected_to_take_as_long_as_the_one_before),
        cmocka_unit_test(what_there_was_of_the_expected_is_expected_of_the_next_pass),
        cmocka_unit_test(a_pass_that_the_next_one_follows_at_once_may_run_over_its_end),
        cmocka_unit_test(a_pass_in_which_ksmd_does_nothing_ends),
        cmocka_unit_test(where_ksmd_may_not_scan_it_has_not_seen_that_there_is_nothing),
        cmocka_unit_test(a_pass_that_cannot_go_on_is_looked_at_seldom),
        cmocka_unit_test(where_ksmd_is_out_of_sight_its_counter_tells_that_it_does_nothing),
        cmocka_unit_test(what_a_pass_has_to_go_is_told_by_the_counter_or_else_by_time),
        cmocka_unit_test(without_the_kernels_counter_time_ends_a_pass),
        cmocka_unit_test(only_the_closing_pass_looks_at_every_page),
        cmocka_unit_test(without_budget_ksmd_is_parked_where_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
