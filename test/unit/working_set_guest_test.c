/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_guest_test.c - what the host has seen and what the guest says, as one figure */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/faketarget.h"

#define S FAKETARGET_S

#define U VALUE_UNKNOWN

/* A guest of 1,000 bytes that said so after a minute. */
static WorkingSetGuest
guest_of(uint64_t unused_bytes, uint64_t usable_bytes)
{
    return (WorkingSetGuest){ 1000, unused_bytes, usable_bytes, U, U, U, 60 * S };
}

/* 10, 90, 500 and 400 bytes in bins of 1, 10 and 60 seconds. */
static WorkingSetReport
report_of(WorkingSetState state, uint64_t horizon_us)
{
    WorkingSetReport report = { .state = state, .horizon_us = horizon_us, .n_nodes = 2 };

    assert_true(working_set_edges_parse("1,10,60", &report.edges));
    report.nodes[0].bins[0].bytes[WORKING_SET_ANON] = 10;
    report.nodes[0].bins[1].bytes[WORKING_SET_FILE] = 90;
    report.nodes[1].bins[2].bytes[WORKING_SET_ANON] = 500;
    report.nodes[1].bins[3].bytes[WORKING_SET_ANON] = 400;
    return report;
}

static void
the_working_set_is_what_both_can_agree_on(void **unused)
{
    static const struct {
        const char *when;
        WorkingSetState state;
        uint64_t horizon_us;
        uint64_t unused_bytes, usable_bytes;
        uint64_t age_us;
        uint64_t resident, working_set, cold;
    } rows[] = {
        { "the host alone", WORKING_SET_MEASURED, 60 * S, U, U, 10 * S, 1000, 100, 900 },
        { "a longer age", WORKING_SET_MEASURED, 60 * S, U, U, 60 * S, 1000, 600, 400 },
        { "between two bounds", WORKING_SET_MEASURED, 60 * S, U, U, 35 * S, 1000, 350, 650 },
        { "the guest has all in use", WORKING_SET_MEASURED, 60 * S, 0, 0, 60 * S, 1000, 600, 400 },
        { "some of it is free by now", WORKING_SET_MEASURED, 60 * S, 700, 800, 60 * S, 1000, 300,
          700 },
        { "not watched for that long", WORKING_SET_MEASURED, 10 * S, U, U, 60 * S, 1000, U, U },
        { "nothing seen yet", WORKING_SET_WARMING, 0, 100, 300, 60 * S, U, U, U },
        { "the guest alone", WORKING_SET_GUEST, 0, 100, 300, 60 * S, U, 700, 200 },
        { "that tells little", WORKING_SET_GUEST, 0, U, 300, 60 * S, U, 700, 300 },
        { "nobody", WORKING_SET_NONE, 0, U, U, 60 * S, U, U, U },
    };
    const WorkingSetGuest before = guest_of(U, U);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        WorkingSetReport report = report_of(rows[i].state, rows[i].horizon_us);

        report.guest = guest_of(rows[i].unused_bytes, rows[i].usable_bytes);
        working_set_fuse(&report, &before, rows[i].age_us);
        if (report.resident_bytes != rows[i].resident ||
            report.working_set_bytes != rows[i].working_set || report.cold_bytes != rows[i].cold)
            fail_msg("%s: %" PRIu64 " resident, %" PRIu64 " used, %" PRIu64 " cold", rows[i].when,
                     report.resident_bytes, report.working_set_bytes, report.cold_bytes);
    }
}

/* What was free then may be in use by now. */
static void
an_old_word_does_not_lower_what_the_host_has_seen(void **unused)
{
    static const struct {
        const char *when;
        uint64_t age_us; /* of the word at the moment of the report */
        uint64_t want;
    } rows[] = {
        { "fresh", 10 * S, 300 },
        { "five minutes old", 300 * S, 300 },
        { "older", 301 * S, 600 },
    };
    const WorkingSetGuest before = guest_of(U, U);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        WorkingSetReport report = report_of(WORKING_SET_MEASURED, 60 * S);

        report.guest = guest_of(700, 800);
        report.moment_us = report.guest.told_us + rows[i].age_us;
        working_set_fuse(&report, &before, 60 * S);
        if (report.working_set_bytes != rows[i].want || report.cold_bytes != 1000 - rows[i].want)
            fail_msg("%s: %" PRIu64 " used, %" PRIu64 " cold", rows[i].when,
                     report.working_set_bytes, report.cold_bytes);
    }
}

static void
a_guest_that_swaps_or_reads_back_is_short(void **unused)
{
    static const struct {
        const char *when;
        uint64_t swap_before, swap_now;
        uint64_t faults_before, faults_now; /* in ten seconds */
        bool was_short;
        bool want;
    } rows[] = {
        { "quiet", 5, 5, 100, 100, false, false },
        { "swaps in", 5, 6, 100, 100, false, true },
        { "a program starts", 5, 5, 100, 200, false, false },
        { "reads back all the time", 5, 5, 100, 201, false, true },
        { "quiet again", 5, 5, 100, 100, true, false },
        { "was reset", 500, 0, 5000, 0, false, false },
        { "does not say", U, U, U, U, true, false },
        { "begins to say", U, 700, U, 700, false, false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        WorkingSetReport report = report_of(WORKING_SET_MEASURED, 60 * S);
        WorkingSetGuest before = guest_of(0, 0);

        before.swap_in_bytes = rows[i].swap_before;
        before.major_faults = rows[i].faults_before;
        report.guest = guest_of(0, 0);
        report.guest.told_us += 10 * S;
        report.guest.swap_in_bytes = rows[i].swap_now;
        report.guest.major_faults = rows[i].faults_now;
        report.is_short = rows[i].was_short;
        working_set_fuse(&report, &before, 10 * S);
        if (report.is_short != rows[i].want)
            fail_msg("%s: %d", rows[i].when, report.is_short);
    }
}

static void
the_same_word_twice_changes_nothing(void **unused)
{
    WorkingSetReport report = report_of(WORKING_SET_MEASURED, 60 * S);
    const WorkingSetGuest before = guest_of(0, 0);
    (void)unused;

    report.guest = before;
    report.is_short = true;
    working_set_fuse(&report, &before, 10 * S);
    assert_true(report.is_short);
}

static void
a_word_has_to_be_there_and_fresh(void **unused)
{
    static const struct {
        const char *when;
        uint64_t total, usable;
        uint64_t age_us; /* of the word at the step */
        bool opens, steps;
    } rows[] = {
        { "fresh", 1000, 300, 10 * S, true, true },
        { "five minutes old", 1000, 300, 300 * S, true, true },
        { "older", 1000, 300, 301 * S, true, false },
        { "no total", U, 300, S, false, false },
        { "an old driver that does not tell what is usable", 1000, U, S, false, false },
        { "a guest that lies", 1000, 1001, S, false, false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = faketarget_new();
        g_autoptr(GError) error = NULL;
        WorkingSetReading reading = { 0 };
        gpointer state = NULL;

        fake->target.guest =
            (WorkingSetGuest){ rows[i].total, 0, rows[i].usable, U, U, U, 1000 * S };
        if (working_set_guest.open(&fake->target, &state, NULL) != rows[i].opens)
            fail_msg("%s: opens", rows[i].when);
        if (!rows[i].opens)
            continue;
        if (working_set_guest.step(state, &fake->target, 1000 * S + rows[i].age_us, &reading,
                                   &error) != rows[i].steps)
            fail_msg("%s: steps", rows[i].when);
        assert_false(reading.has_bins);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_working_set_is_what_both_can_agree_on),
        cmocka_unit_test(an_old_word_does_not_lower_what_the_host_has_seen),
        cmocka_unit_test(a_guest_that_swaps_or_reads_back_is_short),
        cmocka_unit_test(the_same_word_twice_changes_nothing),
        cmocka_unit_test(a_word_has_to_be_there_and_fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
