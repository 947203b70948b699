/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe_test.c - looking again: closer together where it brings something, farther where not */
#include "policy/probe.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S UINT64_C(1000000)

typedef struct {
    PolicyConf conf;
    HostSample host;
    KsmAuto a;
} One;

static void
one_init(One *one)
{
    memset(one, 0, sizeof(*one));
    policy_conf_default(&one->conf);
    one->host.now_us = 1000 * S;
    one->host.page_bytes = 4096;
    one->a.yield.kib_per_s = VALUE_UNKNOWN;
    probe_reset(&one->conf, &one->host, 1000, false, &one->a.probe);
}

/* What is news: more than counts as new memory. */
static uint64_t
news(const One *one)
{
    return one->conf.growth_kib * 1024 / one->host.page_bytes + 1;
}

/* Wait for the next part of a probe; returns for how long. */
static uint64_t
wait_for_part(One *one)
{
    uint64_t wait_us = probe_due_us(&one->host, &one->a.probe);

    one->host.now_us += wait_us;
    return wait_us;
}

/* Let a part of the running pass be done, of 8000 pages in all, a tenth of a millisecond each. */
static void
scan(One *one, uint64_t pages)
{
    one->a.pass.stage = PASS_CRUISE;
    one->a.pass.pages = 8000;
    one->host.ksm.pages_scanned += pages;
    one->host.ksmd_cpu_us += pages * 100;
}

/* A probe of eight parts begins, and the first is done. */
static void
begin_parts(One *one)
{
    probe_reset(&one->conf, &one->host, 800 * 1000, false, &one->a.probe);
    wait_for_part(one);
    assert_true(probe_advance(&one->conf, &one->host, 0, &one->a));
    scan(one, 1000);
}

/* The running pass ends, and another one would begin. */
static bool
end_pass(One *one)
{
    bool goes_on = probe_advance(&one->conf, &one->host, 1, &one->a);

    one->a.pass.stage = PASS_PARKED;
    one->a.pass.visited = one->host.ksm.pages_scanned;
    return goes_on;
}

/* Wait for the next probe and let it run: a pass of @pass_us; returns its distance. */
static uint64_t
run_probe(One *one, uint64_t pass_us, uint64_t gained)
{
    uint64_t begin_us = one->host.now_us;

    one->host.now_us += one->a.probe.interval_us;
    assert_true(probe_advance(&one->conf, &one->host, 0, &one->a));
    one->host.ksmd_cpu_us += pass_us;
    one->host.ksm.pages_sharing += gained;
    assert_false(end_pass(one));
    return one->host.now_us - begin_us;
}

static void
probes_that_bring_nothing_back_off_to_the_configured_time(void **unused)
{
    One one;
    uint64_t last_us = 0;
    (void)unused;

    one_init(&one);
    for (int i = 0; i < 10; i++) {
        uint64_t distance_us = run_probe(&one, 1000, 0);

        assert_true(distance_us >= last_us);
        last_us = distance_us;
    }
    assert_int_equal(last_us, one.conf.churn_s * S / 2); /* seen by one, merged by the next */
}

static void
probes_that_bring_something_come_closer(void **unused)
{
    One one;
    uint64_t first_us;
    (void)unused;

    one_init(&one);
    first_us = run_probe(&one, 1000, 5);
    assert_int_equal(run_probe(&one, 1000, 5), first_us / 2);
    assert_in_range(run_probe(&one, 1000, 5), 10 * S, first_us / 2); /* but not closer than that */
}

static void
probes_cost_no_more_than_their_budget(void **unused)
{
    One one;
    uint64_t cpu_us;
    uint64_t begin_us;
    (void)unused;

    one_init(&one);
    run_probe(&one, 2 * S, 1000); /* by now the cost is known */
    begin_us = one.host.now_us;
    cpu_us = one.host.ksmd_cpu_us;
    for (int i = 0; i < 10; i++)
        run_probe(&one, 2 * S, 1000);
    one.host.now_us += one.a.probe.interval_us; /* the last one is paid by then */
    assert_true((one.host.ksmd_cpu_us - cpu_us) * BP_ONE <=
                (one.host.now_us - begin_us) * one.conf.cpu_idle_bp);
}

static void
a_probe_that_gains_less_than_the_floor_brings_nothing(void **unused)
{
    static const struct {
        const char *when;
        uint64_t gained_pages; /* in 20 ms of ksmd; the floor is 10 MiB in a second */
        bool is_closer;
    } rows[] = {
        { "nothing", 0, false },
        { "a page below the floor", 52, false },
        { "the floor", 53, true }, /* net of its records: 64 bytes per page */
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t first_us;
        One one;

        one_init(&one);
        one.conf.yield_floor = 10;
        first_us = run_probe(&one, S / 50, rows[i].gained_pages);
        if ((run_probe(&one, S / 50, 0) < first_us * 2) != rows[i].is_closer)
            fail_msg("%s: the next probe is not where it should be", rows[i].when);
    }
}

static void
the_first_probe_is_affordable_too(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    probe_reset(&one.conf, &one.host, 3 * S, false, &one.a.probe);
    assert_int_equal(one.a.probe.interval_us, 3 * S * BP_ONE / one.conf.cpu_idle_bp);
    probe_reset(&one.conf, &one.host, 3 * S, true, &one.a.probe);
    assert_int_equal(one.a.probe.interval_us, 30 * S); /* the burst has paid for it */
    assert_int_equal(one.a.probe.parts, 1);
    one.host.ksm.pages_volatile = VALUE_UNKNOWN; /* two passes are a probe then */
    probe_reset(&one.conf, &one.host, 3 * S, false, &one.a.probe);
    assert_int_equal(one.a.probe.interval_us, 6 * S * BP_ONE / one.conf.cpu_idle_bp);
}

static void
a_pass_that_takes_long_is_cut_into_parts(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    probe_reset(&one.conf, &one.host, 800 * 1000, false, &one.a.probe);
    assert_int_equal(one.a.probe.parts, 8);
    for (unsigned i = 1; i < 8; i++) {
        assert_int_equal(wait_for_part(&one), one.a.probe.interval_us / 8);
        assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
        scan(&one, 999);
        assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
        scan(&one, 1);
        assert_false(probe_advance(&one.conf, &one.host, 0, &one.a));
    }
    wait_for_part(&one);
    scan(&one, 1000);
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a)); /* its end is what counts */
    assert_false(end_pass(&one));
    assert_int_equal(one.a.probe.left, 0);
}

static void
parts_are_half_a_minute_apart_at_least(void **unused)
{
    static const struct {
        uint64_t cpu_idle_bp;
        unsigned want;
    } rows[] = { { BP_ONE, 1 }, { 134, 1 }, { 132, 2 }, { 88, 3 }, { 30, 8 }, { 3, 8 } };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        One one;

        one_init(&one);
        one.conf.cpu_idle_bp = rows[i].cpu_idle_bp;
        probe_reset(&one.conf, &one.host, 800 * 1000, false, &one.a.probe);
        if (one.a.probe.parts != rows[i].want)
            fail_msg("%u parts of %" PRIu64 " us, want %u", one.a.probe.parts,
                     one.a.probe.interval_us, rows[i].want);
    }
}

static void
a_part_ends_where_it_should(void **unused)
{
    One one;
    uint64_t begin_us;
    uint64_t interval_us;
    (void)unused;

    one_init(&one);
    one.a.cost_ns = 100000;
    probe_reset(&one.conf, &one.host, 800 * 1000, false, &one.a.probe);
    begin_us = one.host.now_us;
    interval_us = one.a.probe.interval_us;
    wait_for_part(&one);
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    scan(&one, 500);
    assert_int_equal(probe_left_us(&one.host, &one.a), 50 * 1000);
    scan(&one, 500);
    assert_int_equal(probe_left_us(&one.host, &one.a), 0);
    one.a.probe.hurry = true;
    assert_true(probe_left_us(&one.host, &one.a) == UINT64_MAX);
    one.a.probe.hurry = false;
    assert_false(end_pass(&one)); /* so soon: that brings the next one no closer */
    assert_int_equal(one.a.probe.ended_us, begin_us + interval_us);
}

static void
a_change_is_followed_at_once_and_so_is_what_lies_behind(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    begin_parts(&one);
    one.host.ksm.pages_volatile += news(&one) - 1;
    assert_false(probe_advance(&one.conf, &one.host, 0, &one.a)); /* not much yet */
    wait_for_part(&one);
    scan(&one, 1000);
    one.host.ksm.pages_volatile++;
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    scan(&one, 6000);
    assert_true(end_pass(&one)); /* a second pass: it merges some, and sees what it had passed by */
    one.host.ksm.pages_volatile -= 500;
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    one.host.ksm.pages_volatile += 500;
    one.host.ksm.pages_sharing += 1000;
    assert_true(end_pass(&one));  /* so much is not merged yet: a third */
    assert_false(end_pass(&one)); /* and no more */
    assert_int_equal(one.a.probe.vain, 0);
}

static void
what_changes_all_the_time_is_no_news(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    for (int i = 0; i < 3; i++) {
        one.host.now_us += one.a.probe.interval_us;
        assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
        one.host.ksm.pages_volatile += 5 * news(&one);
        assert_int_equal(end_pass(&one), i == 0); /* for nothing, so there is no third */
        if (i == 0)
            assert_false(end_pass(&one));
        one.host.ksm.pages_volatile -= 5 * news(&one);
    }
    one.host.now_us += one.a.probe.interval_us;
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    one.host.ksm.pages_volatile += 7 * news(&one);
    assert_true(end_pass(&one)); /* more than that is */
}

static void
what_changed_in_the_burst_already_is_no_news(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.host.ksm.pages_volatile = news(&one);
    probe_reset(&one.conf, &one.host, 1000, false, &one.a.probe);
    one.host.now_us += one.a.probe.interval_us;
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    one.host.ksm.pages_volatile += 8 * news(&one);
    assert_false(end_pass(&one));
    probe_reset(&one.conf, &one.host, 1000, false,
                &one.a.probe); /* a burst changes nothing in that */
    one.host.now_us += one.a.probe.interval_us;
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    one.host.ksm.pages_volatile += 80 * news(&one);
    assert_true(end_pass(&one));
}

static void
a_kernel_that_does_not_tell_gets_both_passes_at_once(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.host.ksm.pages_scanned = VALUE_UNKNOWN;
    probe_reset(&one.conf, &one.host, 800 * 1000, false, &one.a.probe);
    assert_int_equal(wait_for_part(&one), one.a.probe.interval_us);
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    one.host.ksm.pages_volatile += 5 * news(&one);
    assert_true(end_pass(&one));
    assert_false(end_pass(&one));
}

static void
a_cleanup_is_one_pass_and_moves_no_probe_closer(void **unused)
{
    One one;
    uint64_t interval_us;
    (void)unused;

    one_init(&one);
    interval_us = one.a.probe.interval_us;
    probe_cleanup(&one.host, &one.a.probe);
    one.host.ksm.pages_sharing = 100;
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    one.host.ksm.pages_sharing = 50;
    assert_false(probe_advance(&one.conf, &one.host, 1, &one.a));
    assert_int_equal(one.a.probe.interval_us, interval_us);
    assert_int_equal(probe_due_us(&one.host, &one.a.probe), interval_us);
}

static void
who_is_gone_makes_a_probe_that_stands_still_go_on(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    begin_parts(&one);
    assert_false(probe_advance(&one.conf, &one.host, 0, &one.a));
    probe_cleanup(&one.host, &one.a.probe);
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    assert_false(end_pass(&one));
    assert_true(probe_due_us(&one.host, &one.a.probe) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_that_bring_nothing_back_off_to_the_configured_time),
        cmocka_unit_test(probes_that_bring_something_come_closer),
        cmocka_unit_test(probes_cost_no_more_than_their_budget),
        cmocka_unit_test(a_probe_that_gains_less_than_the_floor_brings_nothing),
        cmocka_unit_test(the_first_probe_is_affordable_too),
        cmocka_unit_test(a_pass_that_takes_long_is_cut_into_parts),
        cmocka_unit_test(parts_are_half_a_minute_apart_at_least),
        cmocka_unit_test(a_part_ends_where_it_should),
        cmocka_unit_test(a_change_is_followed_at_once_and_so_is_what_lies_behind),
        cmocka_unit_test(what_changes_all_the_time_is_no_news),
        cmocka_unit_test(what_changed_in_the_burst_already_is_no_news),
        cmocka_unit_test(a_kernel_that_does_not_tell_gets_both_passes_at_once),
        cmocka_unit_test(a_cleanup_is_one_pass_and_moves_no_probe_closer),
        cmocka_unit_test(who_is_gone_makes_a_probe_that_stands_still_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
