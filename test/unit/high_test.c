/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* high_test.c - a little at a time, and let go at the first sign that it hurts */
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
bend_off(MemCase *one)
{
    one->conf.high_enable = ENABLE_NO;
}

static void
bend_mode_off(MemCase *one)
{
    one->domains[0].high_mode = MECHANISM_OFF;
}

static void
bend_foreign(MemCase *one)
{
    one->domains[0].limit_foreign = true;
}

static void
bend_no_cgroup(MemCase *one)
{
    one->domains[0].cgroup_bytes = U;
}

static void
bend_old_cgroup(MemCase *one)
{
    one->domains[0].can_limit = one->domains[0].can_reclaim = false;
}

static void
bend_no_maximum(MemCase *one)
{
    one->domains[0].maximum_bytes = U;
}

static void
bend_short(MemCase *one)
{
    memcase_uses(one, 0, 990);
}

static void
bend_floor(MemCase *one)
{
    one->domains[0].floor_bytes = 1000 * MIB;
}

static void
bend_near_floor(MemCase *one)
{
    one->domains[0].floor_bytes = 990 * MIB;
}

/* A huge page more than is asked for, and it would be below. */
static void
bend_nearly_floor(MemCase *one)
{
    one->domains[0].floor_bytes = 1000 * MIB - MIB * 3 / 2;
}

/* With a headroom of a fifth. */
static void
bend_cold(MemCase *one)
{
    one->domains[0].working_set_bytes = 500 * MIB;
}

static void
bend_near_use(MemCase *one)
{
    one->domains[0].working_set_bytes = 825 * MIB;
}

static void
bend_in_use(MemCase *one)
{
    one->domains[0].working_set_bytes = 900 * MIB;
}

static void
bend_in_use_in_a_crisis(MemCase *one)
{
    bend_in_use(one);
    memcase_available(one, 100);
}

static void
bend_impossible_use(MemCase *one)
{
    one->domains[0].working_set_bytes = 1001 * MIB;
}

static void
bend_no_swap(MemCase *one)
{
    one->host.swap_total_bytes = one->host.swap_free_bytes = 0;
}

static void
bend_swap_unknown(MemCase *one)
{
    one->host.swap_free_bytes = U;
    one->domains[0].cgroup_file_bytes = U;
}

static void
bend_swap_full(MemCase *one)
{
    one->host.swap_free_bytes = 50 * MIB;
}

static void
bend_no_swap_but_files(MemCase *one)
{
    bend_no_swap(one);
    one->domains[0].cgroup_file_bytes = 10 * MIB;
}

static void
bend_swap_rate(MemCase *one)
{
    one->conf.high_swap_rate = 1;
    memcase_available(one, 5000);
    memcase_decide(one);
    memcase_available(one, 900);
    one->host.swap_out_pages += 10000;
    one->host.now_us += S;
}

static void
bend_little_swap(MemCase *one)
{
    one->host.swap_free_bytes = 55 * MIB;
}

static void
bend_idle(MemCase *one)
{
    one->conf.balloon_enable = ENABLE_YES;
}

static void
bend_idle_in_a_crisis(MemCase *one)
{
    one->conf.balloon_enable = ENABLE_YES;
    memcase_uses(one, 0, 800);
    memcase_available(one, 100);
}

static void
bend_balloon_under_way(MemCase *one)
{
    one->tracks[0].balloon.seen_bytes = 1000 * MIB;
    one->tracks[0].balloon.asked_bytes = one->tracks[0].balloon.left_bytes = 500 * MIB;
    one->tracks[0].balloon.progress_us = one->host.now_us;
}

static void
whoever_is_not_probed_has_a_reason(void **unused)
{
    static const struct {
        const char *when;
        MemBend bend;
        uint64_t want_mib;
        Reason reason;
    } rows[] = {
        { "tight", memcase_bend_nothing, 20, REASON_PROBE_DOWN },
        { "calm", memcase_bend_calm, 0, REASON_CALM },
        { "off", bend_off, 0, REASON_MECHANISM_OFF },
        { "off for it", bend_mode_off, 0, REASON_MECHANISM_OFF },
        { "passthrough", memcase_bend_fixed, 0, REASON_FIXED_MEMORY },
        { "set by others", bend_foreign, 0, REASON_FOREIGN },
        { "migrating", memcase_bend_still, 0, REASON_HOLD_STILL },
        { "others unmerge", memcase_bend_unmerge, 0, REASON_HOLD_STILL },
        { "no cgroup", bend_no_cgroup, 0, REASON_NO_CGROUP },
        { "no such files", bend_old_cgroup, 0, REASON_NO_CGROUP },
        { "no maximum", bend_no_maximum, 0, REASON_FACT_MISSING },
        { "short", bend_short, 0, REASON_GUEST_SHORT },
        { "at its floor", bend_floor, 0, REASON_AT_FLOOR },
        { "near its floor", bend_near_floor, 5, REASON_PROBE_DOWN },
        { "nearly at its floor", bend_nearly_floor, 0, REASON_AT_FLOOR },
        { "no swap", bend_no_swap, 0, REASON_NO_SWAP },
        { "swap not known", bend_swap_unknown, 0, REASON_NO_SWAP },
        { "swap full", bend_swap_full, 0, REASON_NO_SWAP },
        { "no swap, but files", bend_no_swap_but_files, 5, REASON_PROBE_DOWN },
        { "little swap", bend_little_swap, 5, REASON_PROBE_DOWN },
        { "a small working set", bend_cold, 20, REASON_PROBE_DOWN },
        { "near its working set", bend_near_use, 5, REASON_PROBE_DOWN },
        { "at its working set", bend_in_use, 0, REASON_IN_USE },
        { "at it in a crisis", bend_in_use_in_a_crisis, 5, REASON_PROBE_DOWN },
        { "a working set that cannot be", bend_impossible_use, 20, REASON_PROBE_DOWN },
        { "swapping enough", bend_swap_rate, 0, REASON_SWAP_RATE },
        { "idle memory", bend_idle, 0, REASON_IDLE_FIRST },
        { "idle memory in a crisis", bend_idle_in_a_crisis, 20, REASON_PROBE_DOWN },
        { "its balloon moves", bend_balloon_under_way, 0, REASON_DWELL },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_reclaim(&one, 1);
        rows[r].bend(&one);
        memcase_decide(&one);
        if (one.plans[0].reclaim_bytes != rows[r].want_mib * MIB ||
            one.plans[0].high_reason != rows[r].reason)
            fail_msg("%s: %" PRIu64 " MiB (%s), want %" PRIu64 " (%s)", rows[r].when,
                     one.plans[0].reclaim_bytes / MIB, reason_name(one.plans[0].high_reason),
                     rows[r].want_mib, reason_name(rows[r].reason));
        assert_false(is_known(one.plans[0].limit_bytes));
        assert_int_equal(one.plans[0].lease_us, 0);
    }
}

static void
it_hurts_from_the_first_figures_on(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_reclaim(&one, 1);
    one.domains[0].cgroup_stall_us = one.domains[0].cgroup_refaults = U;
    memcase_decide(&one);
    one.domains[0].cgroup_stall_us = 0;
    one.domains[0].cgroup_refaults = 1000000;
    memcase_after(&one, S / 4);
    assert_int_not_equal(one.plans[0].high_reason, REASON_BACK_OFF);
    one.domains[0].cgroup_refaults += 400;
    memcase_after(&one, S / 4);
    assert_int_equal(one.plans[0].high_reason, REASON_BACK_OFF);
}

static void
what_came_back_before_the_first_probe_is_not_held_against_it(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_reclaim(&one, 1);
    one.domains[0].cgroup_refaults = 1000000;
    memcase_decide(&one);
    assert_int_equal(one.plans[0].high_reason, REASON_PROBE_DOWN);
    memcase_after(&one, one.conf.high_dwell_s * S);
    assert_int_equal(one.plans[0].high_reason, REASON_PROBE_DOWN);
}

static void
memory_that_is_still_to_be_merged_waits(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_reclaim(&one, 1);
    one.conf.mode = KSM_MODE_AUTO;
    one.host.has_ksm = true;
    one.host.triggers = 1;
    one.domains[0].mergeable_bp = BP_ONE;
    memcase_decide(&one);
    assert_int_equal(one.plans[0].high_reason, REASON_DEBT);
    assert_int_equal(one.plans[0].reclaim_bytes, 0);
    memcase_available(&one, 300);
    memcase_after(&one, S);
    assert_int_equal(one.plans[0].high_reason, REASON_PROBE_DOWN);
}

static void
domains_take_turns_within_what_may_go_to_swap(void **unused)
{
    MemCase one;
    uint64_t taken = 0;
    (void)unused;

    memcase_init_reclaim(&one, 4);
    memcase_decide(&one); /* 40 MiB of swap for four steps of 20 */
    assert_int_equal(one.plans[0].reclaim_bytes + one.plans[1].reclaim_bytes, 40 * MIB);
    assert_int_equal(one.plans[2].high_reason, REASON_SWAP_RATE);
    memcase_after(&one, S / 4);
    assert_int_equal(one.plans[2].high_reason, REASON_SWAP_RATE);
    one.host.swap_out_pages += 40 * 256;
    memcase_after(&one, S); /* 25 more */
    assert_int_equal(one.plans[0].high_reason, REASON_DWELL);
    assert_int_equal(one.plans[2].reclaim_bytes, 20 * MIB);
    assert_int_equal(one.plans[3].reclaim_bytes, 5 * MIB);
    for (unsigned tick = 0; tick < 100; tick++) {
        one.host.swap_out_pages += taken / 4096;
        memcase_after(&one, S);
        taken = 0;
        for (size_t i = 0; i < 4; i++)
            taken += one.plans[i].reclaim_bytes;
        assert_true(taken <= 40 * MIB);
    }
}

static void
what_is_observed_is_planned_and_not_applied(void **unused)
{
    static const struct {
        unsigned mode;
        unsigned enable;
    } rows[] = { { KSM_MODE_OFF, ENABLE_OBSERVE }, { KSM_MODE_OBSERVE, ENABLE_YES } };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_limits(&one);
        one.conf.mode = rows[r].mode;
        one.conf.high_enable = rows[r].enable;
        memcase_decide(&one);
        assert_int_equal(one.plans[0].high_reason, REASON_PROBE_DOWN);
        assert_int_equal(one.plans[0].limit_bytes, 999 * MIB + 4096);
        assert_false(one.plans[0].high_apply);
        assert_int_equal(one.tracks[0].high.limit_bytes, 0);
        assert_int_equal(one.plan.host.reclaim_bytes, 0);
        memcase_after(&one, S);
        assert_false(is_known(one.plans[0].limit_bytes));
        one.domains[0].can_reclaim = true;
        memcase_after(&one, 20 * S);
        assert_int_equal(one.plans[0].reclaim_bytes, 20 * MIB);
        assert_false(one.plans[0].high_apply);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_not_probed_has_a_reason),
        cmocka_unit_test(it_hurts_from_the_first_figures_on),
        cmocka_unit_test(what_came_back_before_the_first_probe_is_not_held_against_it),
        cmocka_unit_test(memory_that_is_still_to_be_merged_waits),
        cmocka_unit_test(domains_take_turns_within_what_may_go_to_swap),
        cmocka_unit_test(what_is_observed_is_planned_and_not_applied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
