/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon_test.c - slowly from those who do not need it, at once to those who do */
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
bend_off(MemCase *one)
{
    one->conf.balloon_enable = ENABLE_NO;
}

static void
bend_mode_off(MemCase *one)
{
    one->domains[0].balloon_mode = MECHANISM_OFF;
}

static void
bend_mode_on_where_all_is_off(MemCase *one)
{
    one->conf.balloon_enable = ENABLE_NO;
    one->domains[0].balloon_mode = MECHANISM_ON;
}

static void
bend_no_balloon(MemCase *one)
{
    one->domains[0].has_balloon = false;
}

static void
bend_virtio_mem(MemCase *one)
{
    one->domains[0].has_virtio_mem = true;
}

static void
bend_foreign(MemCase *one)
{
    one->domains[0].balloon_foreign = true;
}

static void
bend_stale(MemCase *one)
{
    one->domains[0].guest_age_us = 10 * S;
}

static void
bend_absurd(MemCase *one)
{
    one->domains[0].guest_usable_bytes = 2000 * MIB;
}

static void
bend_no_maximum(MemCase *one)
{
    one->domains[0].maximum_bytes = U;
}

static void
bend_more_than_maximum(MemCase *one)
{
    one->domains[0].balloon_bytes = 1001 * MIB;
}

static void
bend_no_size(MemCase *one)
{
    one->domains[0].balloon_bytes = 0;
}

static void
bend_no_host_figures(MemCase *one)
{
    one->host.mem_available_bytes = U;
}

static void
bend_busy(MemCase *one)
{
    memcase_uses(one, 0, 820);
}

static void
bend_busy_over_ceiling(MemCase *one)
{
    bend_busy(one);
    one->domains[0].ceiling_bytes = 700 * MIB;
}

/* Half of its memory is free, and the host has it. */
static void
bend_reported(MemCase *one)
{
    one->domains[0].reports_free = true;
    one->domains[0].resident_bytes = 500 * MIB;
}

static void
bend_reported_and_busy(MemCase *one)
{
    bend_busy(one);
    one->domains[0].reports_free = true;
    one->domains[0].resident_bytes = 820 * MIB;
}

static void
bend_reports_and_holds(MemCase *one)
{
    one->domains[0].reports_free = true;
}

static void
bend_short(MemCase *one)
{
    memcase_uses(one, 0, 960);
}

static void
bend_at_floor(MemCase *one)
{
    one->domains[0].floor_bytes = 1000 * MIB;
}

static void
near_the_floor(MemCase *one)
{
    one->domains[0].floor_bytes = 970 * MIB;
}

static void
bend_headroom(MemCase *one)
{
    memcase_uses(one, 0, 800);
    memcase_available(one, 300);
}

static void
whoever_is_not_asked_has_a_reason(void **unused)
{
    static const struct {
        const char *when;
        MemBend bend;
        uint64_t want_mib;
        Reason reason;
    } rows[] = {
        { "tight", memcase_bend_nothing, 950, REASON_TAKE },
        { "calm", memcase_bend_calm, U, REASON_CALM },
        { "off", bend_off, U, REASON_MECHANISM_OFF },
        { "off for it", bend_mode_off, U, REASON_MECHANISM_OFF },
        { "on for it only", bend_mode_on_where_all_is_off, U, REASON_MECHANISM_OFF },
        { "no device", bend_no_balloon, U, REASON_NO_BALLOON },
        { "resized by other means", bend_virtio_mem, U, REASON_VIRTIO_MEM },
        { "passthrough", memcase_bend_fixed, U, REASON_FIXED_MEMORY },
        { "set by others", bend_foreign, U, REASON_FOREIGN },
        { "migrating", memcase_bend_still, U, REASON_HOLD_STILL },
        { "stale", bend_stale, U, REASON_STATS_STALE },
        { "absurd", bend_absurd, U, REASON_STATS_ABSURD },
        { "no maximum", bend_no_maximum, U, REASON_FACT_MISSING },
        { "more than maximum", bend_more_than_maximum, U, REASON_FACT_MISSING },
        { "no size", bend_no_size, U, REASON_FACT_MISSING },
        { "no figures of the host", bend_no_host_figures, U, REASON_FACT_MISSING },
        { "needs almost all", bend_busy, U, REASON_DEAD_BAND },
        { "needs almost all, and more than its ceiling", bend_busy_over_ceiling, U,
          REASON_DEAD_BAND },
        { "what is free is the host's already", bend_reported, U, REASON_REPORTS_FREE },
        { "that, and needs the rest", bend_reported_and_busy, U, REASON_DEAD_BAND },
        { "might report, and does not", bend_reports_and_holds, 950, REASON_TAKE },
        { "short at its maximum", bend_short, U, REASON_AT_CEILING },
        { "at its floor", bend_at_floor, U, REASON_AT_FLOOR },
        { "near its floor", near_the_floor, 970, REASON_TAKE },
        { "headroom in a crisis", bend_headroom, 900, REASON_TAKE },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_balloons(&one, 1);
        rows[r].bend(&one);
        memcase_decide(&one);
        memcase_assert_balloon(&one, 0, rows[r].want_mib, rows[r].reason, rows[r].when);
    }
}

static void
what_is_observed_is_planned_again_and_again_and_not_applied(void **unused)
{
    static const struct {
        const char *when;
        unsigned mode;
        unsigned enable;
        uint32_t domains;
    } rows[] = {
        { "by the configuration", KSM_MODE_OFF, ENABLE_OBSERVE, MECHANISM_ON },
        { "by its metadata", KSM_MODE_OFF, ENABLE_YES, MECHANISM_OBSERVE },
        { "by the mode", KSM_MODE_OBSERVE, ENABLE_YES, MECHANISM_ON },
    };
    MemCase one;
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        memcase_init_balloons(&one, 1);
        one.conf.mode = rows[r].mode;
        one.conf.balloon_enable = rows[r].enable;
        one.domains[0].balloon_mode = rows[r].domains;
        for (unsigned tick = 0; tick < 3; tick++) {
            memcase_after(&one, S);
            memcase_assert_balloon(&one, 0, 950, REASON_TAKE, rows[r].when);
            if (one.plans[0].balloon_apply || one.tracks[0].balloon.asked_bytes != 0)
                fail_msg("%s: it is asked for", rows[r].when);
        }
        assert_int_equal(one.state.memory.unmet_bytes, 0);
    }
}

static void
who_is_only_observed_from_now_on_is_not_waited_for(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 1);
    memcase_decide(&one);
    assert_int_equal(one.tracks[0].balloon.asked_bytes, 950 * MIB);
    one.conf.mode = KSM_MODE_OBSERVE;
    memcase_after(&one, S);
    assert_int_equal(one.tracks[0].balloon.asked_bytes, 0);
    memcase_after(&one, 100 * S);
    memcase_assert_balloon(&one, 0, 950, REASON_TAKE, "it would be asked");
    one.conf.mode = KSM_MODE_AUTO;
    memcase_after(&one, S);
    memcase_assert_balloon(&one, 0, 950, REASON_TAKE, "it is asked");
    assert_true(one.plans[0].balloon_apply);
}

static void
a_step_waits_for_the_one_before_it_and_for_the_guest_to_tell(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 1);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 950, REASON_TAKE, "first");
    assert_true(one.plans[0].balloon_apply);
    memcase_after(&one, 20 * S);
    memcase_assert_balloon(&one, 0, U, REASON_DWELL, "on its way");
    one.domains[0].balloon_bytes = 950 * MIB;
    memcase_uses(&one, 0, 500);
    memcase_after(&one, S);
    memcase_assert_balloon(&one, 0, 900, REASON_TAKE, "there, and told");
    memcase_obey(&one);
    one.domains[0].guest_period_us = 10 * S;
    one.domains[0].guest_age_us = 12 * S;
    memcase_after(&one, 9 * S);
    memcase_assert_balloon(&one, 0, U, REASON_DWELL, "too soon");
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, U, REASON_DWELL, "told of before");
    one.domains[0].guest_age_us = 0;
    memcase_after(&one, S);
    memcase_assert_balloon(&one, 0, 850, REASON_TAKE, "told");
}

static void
it_goes_down_to_need_with_headroom_and_never_below_the_floor(void **unused)
{
    static const struct {
        const char *when;
        uint64_t uses_mib, available_mib, low_mib, high_mib;
    } rows[] = {
        { "need", 500, 900, 600, 620 },
        { "floor", 50, 900, 250, 270 },
        { "half the headroom", 500, 300, 550, 570 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_balloons(&one, 1);
        memcase_uses(&one, 0, rows[r].uses_mib);
        memcase_available(&one, rows[r].available_mib);
        for (unsigned tick = 0; tick < 100; tick++) {
            memcase_after(&one, 20 * S);
            memcase_obey(&one);
        }
        if (one.domains[0].balloon_bytes < rows[r].low_mib * MIB ||
            one.domains[0].balloon_bytes > rows[r].high_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, one.domains[0].balloon_bytes / MIB);
    }
}

static void
the_idle_pay_first_and_equals_pay_alike(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 3);
    memcase_uses(&one, 0, 700);
    memcase_uses(&one, 1, 100);
    memcase_uses(&one, 2, 100);
    for (unsigned tick = 0; tick < 8; tick++) {
        memcase_available(&one, 1240); /* wants a little at a time */
        one.state.memory.level = MEMORY_TIGHT;
        memcase_after(&one, 20 * S);
        memcase_obey(&one);
    }
    assert_int_equal(one.domains[0].balloon_bytes, 1000 * MIB);
    assert_int_equal(one.domains[1].balloon_bytes, 800 * MIB);
    assert_int_equal(one.domains[2].balloon_bytes, 800 * MIB);
}

static void
a_step_down_is_called_off_when_it_is_not_wanted_any_more(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 2);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 950, REASON_TAKE, "asked");
    memcase_assert_balloon(&one, 1, 950, REASON_TAKE, "asked");
    one.domains[0].ceiling_bytes = 980 * MIB;
    memcase_uses(&one, 0, 990);
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, 1000, REASON_GIVE_BACK, "it is short");
    memcase_assert_balloon(&one, 1, U, REASON_DWELL, "on its way");
    one.state.memory.level = MEMORY_CALM;
    memcase_available(&one, 5000);
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 1, 1000, REASON_GIVE_BACK, "the host is calm");
}

static void
bend_short_now(MemCase *one)
{
    memcase_uses(one, 0, 990);
    one->domains[0].ceiling_bytes = 1000 * MIB;
}

static void
bend_silent(MemCase *one)
{
    one->domains[0].guest_age_us = U;
}

static void
bend_higher_floor(MemCase *one)
{
    one->domains[0].floor_bytes = 960 * MIB;
}

static void
bend_refused(MemCase *one)
{
    one->domains[0].balloon_refuses = true;
}

static void
bend_passed_on(MemCase *one)
{
    one->domains[0].balloon_waits = false;
}

static void
what_was_not_passed_on_is_wanted_for_as_long_as_it_is_right(void **unused)
{
    static const struct {
        const char *when;
        MemBend bend;
        uint64_t want_mib;
        Reason reason;
        uint64_t asked_mib;
    } rows[] = {
        { "still tight", memcase_bend_nothing, 950, REASON_WAITING, 950 },
        { "passed on", bend_passed_on, U, REASON_DWELL, 950 },
        { "short now", bend_short_now, 1000, REASON_GIVE_BACK, 1000 },
        { "silent", bend_silent, U, REASON_STATS_STALE, 0 },
        { "below its floor", bend_higher_floor, U, REASON_DWELL, 0 },
        { "a job", memcase_bend_still, U, REASON_HOLD_STILL, 950 },
        { "refused", bend_refused, U, REASON_REFUSED, 0 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init_balloons(&one, 1);
        memcase_decide(&one);
        memcase_assert_balloon(&one, 0, 950, REASON_TAKE, rows[r].when);
        one.domains[0].balloon_waits = true;
        rows[r].bend(&one);
        for (unsigned tick = 0; tick < 2; tick++) {
            memcase_after(&one, S);
            if (tick == 0)
                memcase_assert_balloon(&one, 0, rows[r].want_mib, rows[r].reason, rows[r].when);
            if (one.tracks[0].balloon.asked_bytes != rows[r].asked_mib * MIB)
                fail_msg("%s: %" PRIu64 " MiB are asked", rows[r].when,
                         one.tracks[0].balloon.asked_bytes / MIB);
        }
    }
}

static void
a_stuck_balloon_is_told_and_not_asked_again(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 1);
    memcase_decide(&one);
    memcase_after(&one, 60 * S);
    memcase_assert_balloon(&one, 0, U, REASON_STUCK, "stuck");
    memcase_after(&one, 600 * S);
    memcase_assert_balloon(&one, 0, U, REASON_STUCK, "still stuck");
    assert_int_equal(one.plan.next_tick_us, S);
}

static void
others_wait_while_one_is_enough(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 2);
    memcase_available(&one, 999);
    memcase_decide(&one);
    memcase_obey(&one);
    memcase_available(&one, 1249);
    one.tracks[1].balloon = (BalloonTrack){ 0 };
    one.domains[1].balloon_bytes = 1000 * MIB;
    memcase_uses(&one, 1, 500);
    memcase_after(&one, 20 * S);
    memcase_assert_balloon(&one, 0, U, REASON_HOST_TIGHT, "has paid more already");
    memcase_assert_balloon(&one, 1, 950, REASON_TAKE, "has more");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_not_asked_has_a_reason),
        cmocka_unit_test(what_is_observed_is_planned_again_and_again_and_not_applied),
        cmocka_unit_test(who_is_only_observed_from_now_on_is_not_waited_for),
        cmocka_unit_test(a_step_waits_for_the_one_before_it_and_for_the_guest_to_tell),
        cmocka_unit_test(it_goes_down_to_need_with_headroom_and_never_below_the_floor),
        cmocka_unit_test(the_idle_pay_first_and_equals_pay_alike),
        cmocka_unit_test(a_step_down_is_called_off_when_it_is_not_wanted_any_more),
        cmocka_unit_test(what_was_not_passed_on_is_wanted_for_as_long_as_it_is_right),
        cmocka_unit_test(a_stuck_balloon_is_told_and_not_asked_again),
        cmocka_unit_test(others_wait_while_one_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
