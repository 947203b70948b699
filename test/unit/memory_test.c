/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory_test.c - the level rises at once, falls a step at a time, and knows who is to be believed
 */
#include "policy/memory.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
every_witness_is_heard_where_it_is_to_be_believed(void **unused)
{
    static const struct {
        const char *when;
        uint64_t available_mib; /* U: not known */
        uint64_t stall_us;      /* waiting for memory in the last second */
        uint64_t swap_in_pages; /* in the last second */
        uint32_t alarm;
        MemoryLevel want;
        Reason reason;
    } rows[] = {
        { "plenty", 5000, 0, 0, ALARM_NONE, MEMORY_CALM, REASON_CALM },
        { "at the mark", 1000, 0, 0, ALARM_NONE, MEMORY_CALM, REASON_CALM },
        { "below it", 999, 0, 0, ALARM_NONE, MEMORY_TIGHT, REASON_HOST_TIGHT },
        { "far below", 399, 0, 0, ALARM_NONE, MEMORY_CRITICAL, REASON_HOST_CRITICAL },
        { "waiting, with plenty", 2000, S / 2, 0, ALARM_NONE, MEMORY_CALM, REASON_CALM },
        { "waiting, not far off", 1999, S / 50, 0, ALARM_NONE, MEMORY_TIGHT, REASON_HOST_TIGHT },
        { "hardly waiting", 1999, S / 200, 0, ALARM_NONE, MEMORY_CALM, REASON_CALM },
        { "waiting long", 999, S / 5, 0, ALARM_NONE, MEMORY_CRITICAL, REASON_HOST_CRITICAL },
        { "swapping in, with plenty", 2000, 0, 9999, ALARM_NONE, MEMORY_CALM, REASON_CALM },
        { "swapping in", 1500, 0, 9999, ALARM_NONE, MEMORY_TIGHT, REASON_HOST_TIGHT },
        { "a little", 1500, 0, 9, ALARM_NONE, MEMORY_CALM, REASON_CALM },
        { "a low alarm", 1500, 0, 0, ALARM_LOW, MEMORY_CALM, REASON_CALM },
        { "an alarm, with plenty", 2000, 0, 0, ALARM_MEDIUM, MEMORY_CALM, REASON_CALM },
        { "an alarm, not far off", 1999, 0, 0, ALARM_MEDIUM, MEMORY_TIGHT, REASON_HOST_TIGHT },
        { "an alarm, no figures", U, 0, 0, ALARM_MEDIUM, MEMORY_TIGHT, REASON_HOST_TIGHT },
        { "the worst, with plenty", 2000, 0, 0, ALARM_CRITICAL, MEMORY_CALM, REASON_CALM },
        { "the worst", 1500, 0, 0, ALARM_CRITICAL, MEMORY_CRITICAL, REASON_HOST_CRITICAL },
        { "no figures, calm", U, 0, 0, ALARM_NONE, MEMORY_CALM, REASON_CALM },
        { "no figures, waiting", U, S / 50, 0, ALARM_NONE, MEMORY_TIGHT, REASON_HOST_TIGHT },
        { "nothing at all", U, U, U, ALARM_NONE, MEMORY_CALM, REASON_FACT_MISSING },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 0);
        memcase_decide(&one);
        memcase_available(&one, rows[r].available_mib);
        if (rows[r].available_mib == U)
            one.host.mem_available_bytes = U;
        one.host.memory_stall_us = rows[r].stall_us;
        one.host.swap_in_pages = rows[r].swap_in_pages;
        one.host.alarm = rows[r].alarm;
        memcase_after(&one, S);
        if (one.plan.host.level != rows[r].want || one.plan.host.reason != rows[r].reason)
            fail_msg("%s: %s (%s), want %s (%s)", rows[r].when,
                     memory_level_name(one.plan.host.level), reason_name(one.plan.host.reason),
                     memory_level_name(rows[r].want), reason_name(rows[r].reason));
    }
}

static void
it_falls_a_step_at_a_time_and_only_well_above_the_mark(void **unused)
{
    static const struct {
        const char *when;
        uint64_t after_s;
        uint64_t available_mib;
        uint32_t alarm;
        MemoryLevel want;
    } rows[] = {
        { "a crisis", 0, 300, ALARM_NONE, MEMORY_CRITICAL },
        { "a little better", 1, 450, ALARM_NONE, MEMORY_CRITICAL },
        { "for long", 100, 450, ALARM_NONE, MEMORY_CRITICAL },
        { "much better", 1, 5000, ALARM_NONE, MEMORY_CRITICAL },
        { "not for long", 29, 5000, ALARM_NONE, MEMORY_CRITICAL },
        { "worse between", 0, 450, ALARM_NONE, MEMORY_CRITICAL },
        { "again", 1, 5000, ALARM_NONE, MEMORY_CRITICAL },
        { "long enough", 30, 5000, ALARM_NONE, MEMORY_TIGHT },
        { "the next step waits as long", 29, 5000, ALARM_NONE, MEMORY_TIGHT },
        { "a low alarm holds", 1, 5000, ALARM_LOW, MEMORY_TIGHT },
        { "once more", 1, 5000, ALARM_NONE, MEMORY_TIGHT },
        { "calm", 30, 5000, ALARM_NONE, MEMORY_CALM },
        { "up at once", 0, 900, ALARM_NONE, MEMORY_TIGHT },
        { "above the mark, below relief", 60, 1240, ALARM_NONE, MEMORY_TIGHT },
        { "still", 60, 1240, ALARM_NONE, MEMORY_TIGHT },
        { "relief", 1, 1250, ALARM_NONE, MEMORY_TIGHT },
        { "calm again", 30, 1250, ALARM_NONE, MEMORY_CALM },
    };
    MemCase one;
    (void)unused;

    memcase_init(&one, 0);
    for (size_t r = 0; r < ROWS(rows); r++) {
        memcase_available(&one, rows[r].available_mib);
        one.host.alarm = rows[r].alarm;
        memcase_after(&one, rows[r].after_s * S);
        if (one.plan.host.level != rows[r].want)
            fail_msg("%s: %s, want %s", rows[r].when, memory_level_name(one.plan.host.level),
                     memory_level_name(rows[r].want));
    }
}

static void
a_storm_of_alarms_is_one_alarm(void **unused)
{
    uint64_t wanted;
    MemCase one;
    (void)unused;

    memcase_init(&one, 2);
    memcase_available(&one, 1200);
    one.host.alarm = ALARM_MEDIUM;
    memcase_decide(&one);
    wanted = one.plan.host.wanted_bytes;
    assert_true(wanted > 0);
    for (unsigned i = 0; i < 100; i++) {
        memcase_after(&one, 1000);
        assert_int_equal(one.plan.host.level, MEMORY_TIGHT);
        assert_true(one.plan.host.wanted_bytes <= wanted);
    }
}

static void
a_guest_that_is_short_and_gets_nothing_makes_the_host_tight(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 2);
    memcase_decide(&one);
    one.state.memory.unmet_bytes = 100 * MIB;
    memcase_after(&one, S);
    assert_int_equal(one.plan.host.level, MEMORY_TIGHT);
    assert_int_equal(one.plan.host.reason, REASON_GUEST_SHORT);
}

static void
marks_of_a_host_are_in_order_and_those_of_an_unknown_one_are_nothing(void **unused)
{
    MemoryMarks marks;
    MemCase one;
    (void)unused;

    memcase_init(&one, 0);
    marks = memory_marks(&one.conf, &one.host);
    assert_int_equal(marks.idle_bytes, 1500 * MIB);
    assert_int_equal(marks.relief_bytes, 1250 * MIB);
    assert_int_equal(marks.tight_bytes, 1000 * MIB);
    assert_int_equal(marks.critical_bytes, 400 * MIB);
    assert_int_equal(memory_above(&one.host, marks.idle_bytes), 3500 * MIB);
    one.conf.memory_critical_bp = 2000;
    marks = memory_marks(&one.conf, &one.host);
    assert_int_equal(marks.critical_bytes, marks.tight_bytes);
    one.host.mem_total_bytes = U;
    marks = memory_marks(&one.conf, &one.host);
    assert_int_equal(marks.idle_bytes, 0);
    assert_int_equal(memory_above(&one.host, 0), 0);
}

/* What may go to swap, in MiB, when @mib were planned and @pages were written in @us. */
static uint64_t
budget_after(MemCase *one, uint64_t mib, uint64_t pages, uint64_t us)
{
    one->state.memory.swap_planned_bytes += mib * MIB;
    one->state.memory.swap_budget_bytes -= mib * MIB;
    one->host.swap_out_pages += pages;
    memcase_after(one, us);
    return one->state.memory.swap_budget_bytes / MIB;
}

static void
what_is_written_to_swap_is_charged_and_what_was_not_is_given_back(void **unused)
{
    static const struct {
        const char *when;
        uint64_t planned_mib;
        uint64_t pages;
        uint64_t us;
        uint64_t want_mib;
    } rows[] = {
        { "at first two seconds' worth", 0, 0, S, 40 },
        { "planned and written", 40, 40 * 256, S, 20 },
        { "too soon to look", 5, 0, S / 10, 15 },
        { "planned, but not written", 0, 0, S, 40 },
        { "others write", 0, 30 * 256, S, 30 },
        { "more than there was", 0, 99 * 256, S, 0 },
        { "saved up", 0, 0, 60 * S, 40 },
    };
    MemCase one;
    (void)unused;

    memcase_init(&one, 0);
    memcase_decide(&one);
    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t mib = budget_after(&one, rows[r].planned_mib, rows[r].pages, rows[r].us);

        if (mib != rows[r].want_mib)
            fail_msg("%s: %" PRIu64 " MiB, want %" PRIu64, rows[r].when, mib, rows[r].want_mib);
    }
}

static void
a_host_that_fills_up_fast_is_short_before_it_is(void **unused)
{
    static const struct {
        const char *when;
        uint64_t available_mib; /* a second later */
        MemoryLevel want;
        Reason reason;
    } rows[] = {
        { "a lot goes at once", 3000, MEMORY_CALM, REASON_CALM },
        { "and no more", 3000, MEMORY_CALM, REASON_CALM },
        { "some goes", 2900, MEMORY_CALM, REASON_CALM },
        { "and goes on, with time to spare", 2800, MEMORY_CALM, REASON_CALM },
        { "faster", 2650, MEMORY_CALM, REASON_CALM },
        { "at that pace it will be at the mark", 2500, MEMORY_CALM, REASON_CALM },
        { "below it", 2340, MEMORY_TIGHT, REASON_HOST_FILLS },
        { "faster for a moment", 2090, MEMORY_TIGHT, REASON_HOST_FILLS },
        { "for longer than that", 1840, MEMORY_CRITICAL, REASON_HOST_FILLS },
        { "it stands", 1840, MEMORY_CRITICAL, REASON_HOST_CRITICAL },
        { "it is short in fact", 399, MEMORY_CRITICAL, REASON_HOST_CRITICAL },
    };
    MemCase one;
    (void)unused;

    memcase_init(&one, 0);
    memcase_decide(&one);
    for (size_t r = 0; r < ROWS(rows); r++) {
        memcase_available(&one, rows[r].available_mib);
        memcase_after(&one, S);
        if (one.plan.host.level != rows[r].want || one.plan.host.reason != rows[r].reason)
            fail_msg("%s: %s (%s), want %s (%s)", rows[r].when,
                     memory_level_name(one.plan.host.level), reason_name(one.plan.host.reason),
                     memory_level_name(rows[r].want), reason_name(rows[r].reason));
    }
    memcase_available(&one, 1840);
    memcase_after(&one, S);
    memcase_after(&one, one.conf.calm_s * S);
    assert_int_equal(one.plan.host.level, MEMORY_TIGHT);
}

static void
every_level_has_a_word(void **unused)
{
    (void)unused;

    assert_string_equal(memory_level_name(MEMORY_CALM), "calm");
    assert_string_equal(memory_level_name(MEMORY_TIGHT), "tight");
    assert_string_equal(memory_level_name(MEMORY_CRITICAL), "critical");
    assert_string_equal(memory_level_name(MEMORY_LEVEL_COUNT), "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_witness_is_heard_where_it_is_to_be_believed),
        cmocka_unit_test(it_falls_a_step_at_a_time_and_only_well_above_the_mark),
        cmocka_unit_test(a_storm_of_alarms_is_one_alarm),
        cmocka_unit_test(a_guest_that_is_short_and_gets_nothing_makes_the_host_tight),
        cmocka_unit_test(marks_of_a_host_are_in_order_and_those_of_an_unknown_one_are_nothing),
        cmocka_unit_test(what_is_written_to_swap_is_charged_and_what_was_not_is_given_back),
        cmocka_unit_test(a_host_that_fills_up_fast_is_short_before_it_is),
        cmocka_unit_test(every_level_has_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
