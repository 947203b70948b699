/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* high_limit_test.c - limits are lifted at once, and pauses depend on what probes do */
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The kernel does as it was told. */
static void
obey(MemCase *one)
{
    for (size_t i = 0; i < one->n; i++) {
        DomainSample *domain = &one->domains[i];
        const DomainPlan *plan = &one->plans[i];

        domain->cgroup_bytes -= plan->reclaim_bytes;
        if (!is_known(plan->limit_bytes) || !plan->high_apply)
            continue;
        domain->limit_bytes = plan->limit_bytes;
        domain->cgroup_bytes = min_u64(domain->cgroup_bytes, plan->limit_bytes);
    }
}

static void
bend_mode_off(MemCase *one)
{
    one->domains[0].high_mode = MECHANISM_OFF;
}

static void
bend_short(MemCase *one)
{
    memcase_uses(one, 0, 990);
}

static void
bend_reclaim(MemCase *one)
{
    one->domains[0].can_reclaim = true;
}

static void
bend_higher_floor(MemCase *one)
{
    one->domains[0].floor_bytes = 1000 * MIB;
}

static void
bend_stall(MemCase *one)
{
    one->domains[0].cgroup_stall_us += S / 100;
}

static void
bend_refaults(MemCase *one)
{
    one->domains[0].cgroup_refaults += 400;
}

static void
bend_growth(MemCase *one)
{
    one->domains[0].cgroup_highs += 16;
}

static void
bend_no_stall(MemCase *one)
{
    one->domains[0].cgroup_stall_us = U;
}

static void
bend_no_refaults(MemCase *one)
{
    one->domains[0].cgroup_refaults = U;
}

static void
bend_observe(MemCase *one)
{
    one->domains[0].high_mode = MECHANISM_OBSERVE;
}

/* Seconds until the next probe. */
static unsigned
wait_for_probe(MemCase *one, unsigned most)
{
    for (unsigned s = 1; s <= most; s++) {
        memcase_after(one, S);
        if (one->plans[0].high_reason == REASON_PROBE_DOWN)
            return s;
    }
    return 0;
}

static void
a_large_step_is_made_of_small_ones_as_far_as_the_domain_follows(void **unused)
{
    static const struct {
        const char *when;
        uint64_t in_force_mib; /* and a page */
        uint64_t used_mib;
        uint64_t want_mib; /* and a page */
    } rows[] = {
        { "as planned", 999, 999, 995 }, { "and again", 995, 980, 991 },
        { "and again", 991, 991, 987 },  { "and again", 987, 987, 983 },
        { "to the end", 983, 983, 980 }, { "there it stays", 980, 970, 980 },
    };
    static const struct {
        const char *when;
        uint64_t in_force_mib, used_mib;
    } stays[] = { { "not set yet", 1000, 996 }, { "not followed", 999, 1000 } };
    MemCase one;
    (void)unused;

    memcase_init_limits(&one);
    memcase_decide(&one);
    assert_int_equal(one.plans[0].limit_bytes, 999 * MIB + 4096);
    for (size_t r = 0; r < ROWS(stays); r++) {
        one.domains[0].limit_bytes = stays[r].in_force_mib * MIB + 4096;
        one.domains[0].cgroup_bytes = stays[r].used_mib * MIB;
        memcase_after(&one, S / 2);
        if (one.plans[0].limit_bytes != 999 * MIB + 4096)
            fail_msg("%s: %" PRIu64, stays[r].when, one.plans[0].limit_bytes);
    }
    for (size_t r = 0; r < ROWS(rows); r++) {
        one.domains[0].limit_bytes = rows[r].in_force_mib * MIB + 4096;
        one.domains[0].cgroup_bytes = rows[r].used_mib * MIB;
        memcase_after(&one, S / 2);
        if (one.plans[0].limit_bytes != rows[r].want_mib * MIB + 4096)
            fail_msg("%s: %" PRIu64, rows[r].when, one.plans[0].limit_bytes);
    }
}

/* Decisions until the step is done; no time passes. */
static void
finish_step(MemCase *one)
{
    for (int i = 0; i < 5; i++) {
        obey(one);
        memcase_decide(one);
    }
    obey(one);
}

static void
a_limit_goes_down_in_steps_and_is_renewed_until_the_host_is_calm(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_limits(&one);
    memcase_decide(&one);
    assert_int_equal(one.plans[0].lease_us, one.host.now_us + 60 * S);
    assert_true(one.plans[0].high_apply);
    assert_int_equal(one.plans[0].reclaim_bytes, 0);
    assert_int_equal(one.plan.next_tick_us, S / 2);
    finish_step(&one);
    memcase_after(&one, 5 * S);
    assert_int_equal(one.plans[0].high_reason, REASON_DWELL);
    assert_int_equal(one.plans[0].limit_bytes, 980 * MIB + 4096);
    assert_int_equal(one.plans[0].lease_us, one.host.now_us + 60 * S);
    memcase_after(&one, 5 * S);
    assert_int_equal(one.plans[0].high_reason, REASON_PROBE_DOWN);
    finish_step(&one);
    assert_true(one.plans[0].limit_bytes < 961 * MIB);
    memcase_available(&one, 5000);
    memcase_after(&one, S); /* on its way back to calm: held */
    assert_true(one.plans[0].limit_bytes < 961 * MIB);
    memcase_after(&one, 30 * S);
    assert_int_equal(one.plans[0].limit_bytes, LIMIT_NONE);
    assert_int_equal(one.plans[0].lease_us, 0);
    memcase_after(&one, S); /* the kernel still has it */
    assert_int_equal(one.plans[0].limit_bytes, LIMIT_NONE);
    obey(&one);
    memcase_after(&one, S);
    memcase_after(&one, S);
    assert_false(is_known(one.plans[0].limit_bytes));
    memcase_after(&one, S);
    assert_int_equal(one.plan.next_tick_us, 2 * S);
}

static void
a_limit_is_lifted_at_once_when_it_must_not_be(void **unused)
{
    static const struct {
        const char *when;
        MemBend bend;
        Reason reason;
    } rows[] = {
        { "it waits for memory", bend_stall, REASON_BACK_OFF },
        { "memory comes back", bend_refaults, REASON_BACK_OFF },
        { "nobody tells whether it waits", bend_no_stall, REASON_FACT_MISSING },
        { "nobody tells what comes back", bend_no_refaults, REASON_FACT_MISSING },
        { "its guest is short", bend_short, REASON_GUEST_SHORT },
        { "it migrates", memcase_bend_still, REASON_HOLD_STILL },
        { "it is switched off", bend_mode_off, REASON_MECHANISM_OFF },
        { "it is observed only", bend_observe, REASON_DWELL },
        { "a device is passed to it", memcase_bend_fixed, REASON_FIXED_MEMORY },
        { "others unmerge", memcase_bend_unmerge, REASON_HOLD_STILL },
        { "memory.reclaim appears", bend_reclaim, REASON_DWELL },
        { "its floor is raised", bend_higher_floor, REASON_DWELL },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_limits(&one);
        memcase_decide(&one);
        obey(&one);
        rows[r].bend(&one);
        memcase_after(&one, 2 * S);
        if (one.plans[0].limit_bytes != LIMIT_NONE || one.plans[0].lease_us != 0 ||
            !one.plans[0].high_apply || one.plans[0].high_reason != rows[r].reason)
            fail_msg("%s: %" PRIu64 " (%s), want %s", rows[r].when, one.plans[0].limit_bytes,
                     reason_name(one.plans[0].high_reason), reason_name(rows[r].reason));
    }
}

/* It takes libvirt as long as it takes, and the domain goes on meanwhile. */
static void
a_limit_that_comes_too_late_is_not_wanted_any_more(void **unused)
{
    static const struct {
        const char *when;
        uint64_t grown_mib; /* from 1000 */
        bool is_set;        /* in time */
        bool is_wanted;
    } rows[] = {
        { "as it was", 0, false, true },
        { "a little more", 6, false, true },
        { "far more", 8, false, false },
        { "far more, under the limit", 50, true, true },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_limits(&one);
        memcase_decide(&one);
        if (rows[r].is_set)
            obey(&one);
        one.domains[0].cgroup_bytes = (1000 + rows[r].grown_mib) * MIB;
        memcase_after(&one, S);
        if ((one.plans[0].limit_bytes == 999 * MIB + 4096) != rows[r].is_wanted)
            fail_msg("%s: %" PRIu64, rows[r].when, one.plans[0].limit_bytes);
    }
}

static void
a_limit_that_somebody_else_set_is_left_to_him(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_limits(&one);
    memcase_decide(&one);
    one.domains[0].limit_foreign = true;
    one.domains[0].limit_bytes = 500 * MIB;
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].high_reason, REASON_FOREIGN);
    assert_false(is_known(one.plans[0].limit_bytes));
    assert_int_equal(one.tracks[0].high.limit_bytes, 0);
}

static void
a_little_waiting_is_no_harm_but_the_same_all_the_time_is(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_limits(&one);
    memcase_decide(&one);
    obey(&one);
    one.domains[0].cgroup_stall_us += 4000; /* of two seconds, 10000 are too much */
    memcase_after(&one, S / 2);
    assert_int_equal(one.plans[0].high_reason, REASON_DWELL);
    one.domains[0].cgroup_stall_us += 4000;
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].high_reason, REASON_DWELL);
    one.domains[0].cgroup_stall_us += 4000;
    memcase_after(&one, S / 2);
    assert_int_equal(one.plans[0].high_reason, REASON_BACK_OFF);
    memcase_after(&one, S); /* until two seconds were quiet */
    assert_int_equal(one.plans[0].high_reason, REASON_BACK_OFF);
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].high_reason, REASON_DWELL);
}

static void
events_of_the_cgroup_tell_that_a_domain_is_to_be_let_go(void **unused)
{
    static const struct {
        const char *when;
        uint64_t highs, maxes, ooms;
        Reason want;
        unsigned pause_s; /* from then to the next probe */
    } rows[] = {
        { "nothing", 0, 0, 0, REASON_DWELL, 9 },
        { "it has touched the limit", 15, 0, 0, REASON_DWELL, 9 },
        { "it grows against the limit", 16, 0, 0, REASON_BACK_OFF, 20 },
        { "its hard limit", 0, 1, 0, REASON_HARD_LIMIT, 20 },
        { "out of memory", 0, 0, 1, REASON_HARD_LIMIT, 2560 },
        { "all of it", 20, 20, 20, REASON_HARD_LIMIT, 2560 },
        { "not counted", U, U, U, REASON_DWELL, 9 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        unsigned pause_s;
        Reason reason;
        MemCase one;

        memcase_init_limits(&one);
        one.domains[0].cgroup_highs = one.domains[0].cgroup_maxes = one.domains[0].cgroup_ooms =
            7; /* what was before is nothing of ours */
        memcase_decide(&one);
        obey(&one);
        one.domains[0].cgroup_highs = sat_add(one.domains[0].cgroup_highs, rows[r].highs);
        one.domains[0].cgroup_maxes = sat_add(one.domains[0].cgroup_maxes, rows[r].maxes);
        one.domains[0].cgroup_ooms = sat_add(one.domains[0].cgroup_ooms, rows[r].ooms);
        memcase_after(&one, S);
        reason = one.plans[0].high_reason;
        if (reason != rows[r].want ||
            (one.plans[0].limit_bytes == LIMIT_NONE) != (rows[r].want != REASON_DWELL))
            fail_msg("%s: %s, %" PRIu64, rows[r].when, reason_name(reason),
                     one.plans[0].limit_bytes);
        pause_s = wait_for_probe(&one, 5000);
        if (pause_s != rows[r].pause_s)
            fail_msg("%s: %u s", rows[r].when, pause_s);
    }
}

static void
without_a_limit_of_ours_nobody_grows_against_it(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_reclaim(&one, 1);
    one.domains[0].cgroup_highs = one.domains[0].cgroup_maxes = one.domains[0].cgroup_ooms = 0;
    memcase_decide(&one);
    bend_growth(&one); /* against a limit that somebody else has set */
    one.domains[0].cgroup_maxes++;
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].high_reason, REASON_DWELL);
    one.domains[0].cgroup_ooms++;
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].high_reason, REASON_HARD_LIMIT);
}

static void
pauses_double_with_each_failure_and_halve_with_each_success(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_reclaim(&one, 1);
    memcase_decide(&one);
    assert_int_equal(wait_for_probe(&one, 100), 10);
    bend_stall(&one);
    assert_int_equal(wait_for_probe(&one, 100), 21);
    bend_stall(&one);
    assert_int_equal(wait_for_probe(&one, 100), 21); /* halved by the probe, then doubled */
    assert_int_equal(wait_for_probe(&one, 100), 10);
    bend_refaults(&one); /* 400 pages of some 16000: it hurts, and is forgotten sooner */
    assert_int_equal(wait_for_probe(&one, 100), 21);
}

static void
what_comes_back_slowly_is_noticed_as_well(void **unused)
{
    unsigned waits[6];
    MemCase one;
    (void)unused;

    memcase_init_reclaim(&one, 1);
    memcase_decide(&one);
    for (size_t i = 0; i < ROWS(waits); i++) {
        for (waits[i] = 1; waits[i] < 3000; waits[i]++) {
            one.domains[0].cgroup_refaults += 150; /* a second: fewer than 200 */
            memcase_after(&one, S);
            if (one.plans[0].high_reason == REASON_PROBE_DOWN)
                break;
        }
    }
    assert_int_equal(waits[0], 10);
    assert_int_equal(waits[1], 20);
    assert_int_equal(waits[5], 320);
    memcase_available(&one, 300); /* in a crisis nobody rests for that long */
    assert_int_equal(wait_for_probe(&one, 100), 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_step_is_made_of_small_ones_as_far_as_the_domain_follows),
        cmocka_unit_test(a_limit_goes_down_in_steps_and_is_renewed_until_the_host_is_calm),
        cmocka_unit_test(a_limit_is_lifted_at_once_when_it_must_not_be),
        cmocka_unit_test(a_limit_that_comes_too_late_is_not_wanted_any_more),
        cmocka_unit_test(a_limit_that_somebody_else_set_is_left_to_him),
        cmocka_unit_test(a_little_waiting_is_no_harm_but_the_same_all_the_time_is),
        cmocka_unit_test(events_of_the_cgroup_tell_that_a_domain_is_to_be_let_go),
        cmocka_unit_test(without_a_limit_of_ours_nobody_grows_against_it),
        cmocka_unit_test(pauses_double_with_each_failure_and_halve_with_each_success),
        cmocka_unit_test(what_comes_back_slowly_is_noticed_as_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
