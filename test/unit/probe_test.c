/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe_test.c - looking again: closer together where it brings something, farther where not */
#include "policy/probe.h"

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
    probe_reset(&one->conf, &one->host, 1000, &one->a.probe);
}

/* Wait for the next probe and let it run: two passes of @pass_us each; returns its distance. */
static uint64_t
run_probe(One *one, uint64_t pass_us, uint64_t gained)
{
    uint64_t distance_us = probe_due_us(&one->host, &one->a.probe);

    one->host.now_us += distance_us;
    assert_true(probe_advance(&one->conf, &one->host, 0, &one->a));
    one->host.ksmd_cpu_us += pass_us;
    assert_true(probe_advance(&one->conf, &one->host, 1, &one->a));
    one->host.ksmd_cpu_us += pass_us;
    one->host.ksm.pages_sharing += gained;
    assert_false(probe_advance(&one->conf, &one->host, 1, &one->a));
    return distance_us;
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
    assert_int_equal(last_us, one.conf.churn_s * S);
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
    one.host.now_us += probe_due_us(&one.host, &one.a.probe); /* the last one is paid by then */
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
        first_us = run_probe(&one, S / 100, rows[i].gained_pages);
        if ((run_probe(&one, S / 100, 0) < first_us * 2) != rows[i].is_closer)
            fail_msg("%s: the next probe is not where it should be", rows[i].when);
    }
}

static void
the_first_probe_is_affordable_too(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    probe_reset(&one.conf, &one.host, 3 * S, &one.a.probe);
    assert_int_equal(probe_due_us(&one.host, &one.a.probe), 6 * S * BP_ONE / one.conf.cpu_idle_bp);
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
a_probe_that_is_under_way_is_due_now_and_is_not_cut_short(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.host.now_us += probe_due_us(&one.host, &one.a.probe);
    assert_true(probe_advance(&one.conf, &one.host, 0, &one.a));
    assert_int_equal(probe_due_us(&one.host, &one.a.probe), 0);
    probe_cleanup(&one.host, &one.a.probe); /* a cleanup is one pass */
    assert_true(probe_advance(&one.conf, &one.host, 1, &one.a));
    assert_false(probe_advance(&one.conf, &one.host, 1, &one.a));
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
        cmocka_unit_test(a_cleanup_is_one_pass_and_moves_no_probe_closer),
        cmocka_unit_test(a_probe_that_is_under_way_is_due_now_and_is_not_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
