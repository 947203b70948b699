/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon_actuator_test.c - balloons move within bounds, with a way back on disk, and nobody is
 * fought */
#define _GNU_SOURCE
#include "agent/actuator/balloon.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/log.h"
#include "test/support/balloonhost.h"
#include "test/support/skipclock.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, holdhost_setup, holdhost_teardown)

static void
what_was_found_is_on_disk_before_the_first_change(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    assert_int_equal(balloonhost_apply(host, &balloon), APPLY_UNCHANGED);
    assert_false(g_file_test(host->state_dir, G_FILE_TEST_EXISTS));
    balloonhost_want(host, &balloon, 500 * MIB);
    assert_int_equal(host->asked->len, 1);
    assert_false(host->is_unguarded);
    entry = holdhost_entry(host, "balloon");
    assert_string_equal(entry, "3 1048576000 524288000 1048576000 524288000 -");
    /* One at a time. */
    assert_int_equal(balloonhost_apply(host, &balloon), APPLY_UNCHANGED);
    assert_int_equal(host->asked->len, 1);
    holdhost_answer(host, 500 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_int_equal(balloonhost_hold(host, &balloon)->state, HOLD_OURS);
    assert_int_equal(balloonhost_hold(host, &balloon)->result, APPLY_DONE);
    balloon_done(&balloon);
}

static void
nothing_is_asked_for_when_the_record_cannot_be_kept(void **state)
{
    HoldHost *host = *state;
    g_autoptr(GError) error = NULL;
    Balloon balloon;

    assert_true(g_file_set_contents(host->state_dir, "in the way", -1, NULL));
    balloonhost_start(host, &balloon);
    host->plans[0].balloon_bytes = 500 * MIB;
    host->plans[0].balloon_apply = true;
    assert_int_equal(balloon_apply(&balloon, &host->decided, &error), APPLY_RETRY);
    assert_non_null(strstr(error->message, host->state_dir));
    assert_int_equal(host->asked->len, 0);
    assert_int_equal(unlink(host->state_dir), 0);
    assert_int_equal(balloonhost_apply(host, &balloon), APPLY_DONE);
    assert_int_equal(host->asked->len, 1);
    balloon_done(&balloon);
}

static void
who_must_be_left_alone_is(void **state)
{
    static const struct {
        const char *when;
        uint64_t want;
        uint64_t floor;
        uint64_t ceiling;
        bool not_told, fixed, still, no_balloon, no_number, no_figure, observe;
    } rows[] = {
        { .when = "below its floor", .want = 199 * MIB, .floor = 200 * MIB },
        { .when = "below the share that is left to all", .want = 249 * MIB, .floor = U },
        { .when = "above its maximum", .want = 1001 * MIB, .floor = 200 * MIB },
        { .when = "above its ceiling", .want = 901 * MIB, .floor = U, .ceiling = 900 * MIB },
        { .when = "absurd", .want = U - 1, .floor = 200 * MIB },
        { .when = "nothing wanted", .want = U, .floor = 200 * MIB },
        { .when = "only observed", .want = 500 * MIB, .floor = U, .not_told = true },
        { .when = "its memory must stay", .want = 500 * MIB, .floor = U, .fixed = true },
        { .when = "a migration is on", .want = 500 * MIB, .floor = U, .still = true },
        { .when = "no balloon", .want = 500 * MIB, .floor = U, .no_balloon = true },
        { .when = "not libvirt's", .want = 500 * MIB, .floor = U, .no_number = true },
        { .when = "no figure", .want = 500 * MIB, .floor = U, .no_figure = true },
        { .when = "metadata says observe", .want = 500 * MIB, .floor = U, .observe = true },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Balloon balloon;

        balloonhost_start(host, &balloon);
        host->samples[0].floor_bytes = rows[i].floor;
        host->samples[0].ceiling_bytes = rows[i].ceiling > 0 ? rows[i].ceiling : U;
        host->samples[0].is_fixed = rows[i].fixed;
        host->samples[0].is_still = rows[i].still;
        host->samples[0].has_balloon = !rows[i].no_balloon;
        host->samples[0].balloon_bytes = rows[i].no_figure ? U : 800 * MIB;
        host->samples[0].balloon_mode = rows[i].observe ? MECHANISM_OBSERVE : MECHANISM_INHERIT;
        host->subjects[0].id = rows[i].no_number ? -1 : 3;
        host->plans[0].balloon_bytes = rows[i].want;
        host->plans[0].balloon_apply = !rows[i].not_told;
        if (balloonhost_apply(host, &balloon) != APPLY_UNCHANGED || host->asked->len > 0)
            fail_msg("%s: it was asked for", rows[i].when);
        balloon_done(&balloon);
    }
    assert_false(g_file_test(host->state_dir, G_FILE_TEST_EXISTS));
}

static void
out_of_bounds_is_said_and_in_bounds_works_later(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    balloonhost_want(host, &balloon, 100 * MIB);
    assert_string_equal(balloonhost_hold(host, &balloon)->detail,
                        "a balloon of 100 MiB is not set: only 200 MiB to 1000 MiB is allowed");
    balloonhost_want(host, &balloon, 200 * MIB);
    assert_int_equal(host->asked->len, 0);
    skipclock_pass(301 * G_USEC_PER_SEC);
    balloonhost_want(host, &balloon, 200 * MIB);
    holdhost_answer(host, 200 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_null(balloonhost_hold(host, &balloon)->detail);
    balloon_done(&balloon);
}

static void
what_is_switched_off_goes_back(void **state)
{
    static const BalloonOptions off = { false, 2500 };
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    balloon_set_options(&balloon, &off);
    host->samples[0].is_still = true;
    balloonhost_apply(host, &balloon);
    assert_int_equal(host->asked->len, 0); /* not now */
    host->samples[0].is_still = false;
    balloonhost_apply(host, &balloon);
    holdhost_answer(host, 1000 * MIB, CHANGE_DONE, 500 * MIB);
    /* It takes its time, and what it shows meanwhile is ours. */
    for (uint64_t mib = 600; mib < 1000; mib += 100) {
        host->samples[0].balloon_bytes = mib * MIB;
        holdhost_tell(host);
        balloonhost_apply(host, &balloon);
    }
    assert_int_equal(host->asked->len, 0);
    assert_true(g_file_test(host->record, G_FILE_TEST_EXISTS));
    host->samples[0].balloon_bytes = 1000 * MIB;
    balloonhost_apply(host, &balloon);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    assert_int_equal(balloonhost_hold(host, &balloon)->state, HOLD_IDLE);
    balloon_done(&balloon);
}

static void
what_a_killed_run_has_left_goes_back_first(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    balloonhost_restart(host, &balloon);
    host->is_away = true;
    balloonhost_want(host, &balloon, 400 * MIB); /* libvirt is not there yet */
    host->is_away = false;
    balloonhost_want(host, &balloon, 400 * MIB);
    assert_int_equal(host->asked->len, 1);
    assert_int_equal(g_array_index(host->asked, Change, 0).known.wrote_bytes, 500 * MIB);
    holdhost_answer(host, 1000 * MIB, CHANGE_DONE, 500 * MIB);
    /* Then it is as any other. */
    balloonhost_want(host, &balloon, 400 * MIB);
    holdhost_answer(host, 400 * MIB, CHANGE_DONE, 1000 * MIB);
    balloon_done(&balloon);
}

static void
what_a_killed_run_has_left_of_a_domain_that_ended_is_kept_in_mind(void **state)
{
    HoldHost *host = *state;
    g_autofree char *left = NULL;
    g_autofree char *apart = NULL;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    balloonhost_restart(host, &balloon);
    host->sample.n = 0;
    balloonhost_apply(host, &balloon);
    holdhost_answer(host, 1000 * MIB, CHANGE_GONE, U);
    balloonhost_apply(host, &balloon);
    left = holdhost_entry(host, "balloon");
    assert_null(left);
    apart = holdhost_entry(host, "balloon_apart");
    assert_string_equal(apart, "ended 3 1048576000 524288000 524288000 524288000 -");
    balloon_done(&balloon);
}

static void
what_a_living_run_has_done_is_left_to_it(void **state)
{
    HoldHost *host = *state;
    Originals others;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    balloon_done(&balloon);
    holdhost_reopen(host);
    /* It has the record. */
    originals_init(&others);
    originals_open(&others, host->state_dir, HOLDHOST_BOOT, NULL);
    assert_true(originals_prepare(&others, NULL));
    balloonhost_start(host, &balloon);
    host->plans[0].balloon_bytes = U;
    balloonhost_apply(host, &balloon);
    assert_int_equal(host->asked->len, 0);
    /* It has ended, and given everything back. */
    originals_drop(&others, "balloon", NULL);
    assert_true(originals_save(&others, NULL));
    originals_done(&others);
    balloonhost_apply(host, &balloon);
    assert_int_equal(host->asked->len, 0);
    assert_null(balloonhost_hold(host, &balloon));
    balloon_done(&balloon);
}

static void
an_answer_about_an_earlier_start_is_no_answer(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    balloonhost_want(host, &balloon, 500 * MIB);
    holdhost_begin(host);
    host->subjects[0].id = 9;
    balloonhost_want(host, &balloon, 600 * MIB);
    holdhost_answer(host, 500 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_true(balloonhost_hold(host, &balloon)->is_busy);
    holdhost_answer(host, 600 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_int_equal(balloonhost_hold(host, &balloon)->known.wrote_bytes, 600 * MIB);
    assert_int_equal(balloon.holds.busy, 0);
    balloon_done(&balloon);
}

static void
a_stop_gives_back_and_waits_but_not_for_ever(void **state)
{
    HoldHost *host = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *note = NULL;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    /* One change is under way when the stop comes. */
    balloonhost_want(host, &balloon, 400 * MIB);
    assert_false(hold_table_restore(&balloon.holds, 50000, &note, &error));
    assert_non_null(strstr(error->message, "web"));
    assert_true(g_file_test(host->record, G_FILE_TEST_EXISTS));
    holdhost_answer_soon(host, 2);
    assert_true(hold_table_restore(&balloon.holds, 10000000, &note, NULL));
    assert_null(note);
    assert_int_equal(host->asked->len, 0);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    balloon_done(&balloon);
}

static void
a_stop_without_libvirt_keeps_the_record(void **state)
{
    HoldHost *host = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *note = NULL;
    g_autofree char *entry = NULL;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    host->is_away = true;
    assert_false(hold_table_restore(&balloon.holds, 10000000, &note, &error));
    assert_non_null(strstr(error->message, "libvirt is not connected"));
    entry = holdhost_entry(host, "balloon");
    assert_non_null(entry);
    balloon_done(&balloon);
}

static void
the_record_covers_all_that_may_be_in_force(void **state)
{
    static const struct {
        const char *when;
        uint64_t shown; /* by figures that may be old */
        uint64_t want;
        const char *entry;
    } rows[] = {
        { "on", 700 * MIB, 400 * MIB, "3 1048576000 419430400 734003200 419430400 -" },
        { "on, there already", 500 * MIB, 400 * MIB,
          "3 1048576000 419430400 524288000 419430400 -" },
        { "back", 700 * MIB, 900 * MIB, "3 1048576000 524288000 943718400 943718400 -" },
        { "to a stop", 700 * MIB, 600 * MIB, "3 1048576000 524288000 734003200 629145600 -" },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *entry = NULL;
        Balloon balloon;

        balloonhost_start_asked(host, &balloon, 1000 * MIB);
        host->samples[0].balloon_bytes = rows[i].shown;
        balloonhost_want(host, &balloon, rows[i].want);
        entry = holdhost_entry(host, "balloon");
        if (g_strcmp0(entry, rows[i].entry) != 0)
            fail_msg("%s: %s", rows[i].when, entry);
        balloonhost_forget(host, &balloon);
        g_array_set_size(host->asked, 0);
    }
}

static void
nobody_waits_for_certainty(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    balloonhost_want(host, &balloon, 500 * MIB);
    holdhost_answer_text(host, CHANGE_BUSY, "a job");
    balloonhost_want(host, &balloon, 950 * MIB); /* never 500 once more */
    entry = holdhost_entry(host, "balloon");
    assert_string_equal(entry, "3 1048576000 524288000 1048576000 996147200 -"); /* from 500 on */
    holdhost_answer_text(host, CHANGE_BUSY, "a job");
    balloonhost_want(host, &balloon, 300 * MIB);
    holdhost_answer(host, 300 * MIB, CHANGE_DONE, 1000 * MIB);
    balloon_done(&balloon);
}

static void
a_domain_that_fails_three_times_is_left_alone_for_a_while(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    for (int i = 0; i < 3; i++) {
        balloonhost_want(host, &balloon, 500 * MIB);
        assert_int_equal(host->asked->len, 1);
        holdhost_answer_text(host, CHANGE_FAILED, "monitor: no");
    }
    assert_int_equal(balloonhost_hold(host, &balloon)->failures, 3);
    assert_string_equal(balloonhost_hold(host, &balloon)->detail, "monitor: no");
    balloonhost_want(host, &balloon, 500 * MIB);
    assert_int_equal(host->asked->len, 0);
    /* It may have happened, so the way back stays. */
    entry = holdhost_entry(host, "balloon");
    assert_non_null(entry);
    skipclock_pass(301 * G_USEC_PER_SEC);
    balloonhost_want(host, &balloon, 500 * MIB);
    holdhost_answer(host, 500 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_int_equal(balloonhost_hold(host, &balloon)->failures, 0);
    balloon_done(&balloon);
}

static void
a_refusal_leaves_nothing_to_restore(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    balloonhost_want(host, &balloon, 500 * MIB);
    holdhost_answer_text(host, CHANGE_REFUSED, "no balloon device");
    assert_int_equal(balloonhost_hold(host, &balloon)->result, APPLY_REFUSED);
    balloonhost_want(host, &balloon, 500 * MIB);
    assert_int_equal(host->asked->len, 0);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    balloon_done(&balloon);
}

static void
a_record_that_is_not_understood_moves_nothing(void **state)
{
    static const char *const texts[] = { "",
                                         "3 1 2",
                                         "3 1 2 3 x -",
                                         "-3 1 2 3 3 -",
                                         "3 1 2 3 18446744073709551615 -",
                                         "3 1 2 3 3",
                                         "ended 3 1 2 3 3 -" };
    HoldHost *host = *state;
    Balloon balloon;

    log_open(LOG_LEVEL_ERROR);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        assert_true(originals_prepare(&host->originals, NULL));
        originals_set(&host->originals, "balloon", host->subjects[0].uuid, texts[i]);
        balloonhost_start(host, &balloon);
        balloonhost_apply(host, &balloon);
        if (balloonhost_hold(host, &balloon) || host->asked->len > 0)
            fail_msg("\"%s\" was taken", texts[i]);
        originals_drop(&host->originals, "balloon", NULL);
        balloon_done(&balloon);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(what_was_found_is_on_disk_before_the_first_change),
        ON_HOST(nothing_is_asked_for_when_the_record_cannot_be_kept),
        ON_HOST(who_must_be_left_alone_is),
        ON_HOST(out_of_bounds_is_said_and_in_bounds_works_later),
        ON_HOST(what_is_switched_off_goes_back),
        ON_HOST(what_a_killed_run_has_left_goes_back_first),
        ON_HOST(what_a_killed_run_has_left_of_a_domain_that_ended_is_kept_in_mind),
        ON_HOST(what_a_living_run_has_done_is_left_to_it),
        ON_HOST(an_answer_about_an_earlier_start_is_no_answer),
        ON_HOST(a_stop_gives_back_and_waits_but_not_for_ever),
        ON_HOST(a_stop_without_libvirt_keeps_the_record),
        ON_HOST(the_record_covers_all_that_may_be_in_force),
        ON_HOST(nobody_waits_for_certainty),
        ON_HOST(a_domain_that_fails_three_times_is_left_alone_for_a_while),
        ON_HOST(a_refusal_leaves_nothing_to_restore),
        ON_HOST(a_record_that_is_not_understood_moves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
