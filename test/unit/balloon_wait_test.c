/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon_wait_test.c - what could not be passed on at once is not lost, and nobody waits for a
 * domain that hangs; and nobody is made smaller on the way back */
#define _GNU_SOURCE
#include "agent/actuator/balloon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/balloonhost.h"
#include "test/support/skipclock.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, holdhost_setup, holdhost_teardown)

static bool
waits(HoldHost *host, Balloon *balloon)
{
    return hold_waits(balloonhost_hold(host, balloon));
}

/* One turn of the loop, with nothing else to do in it. */
static void
turn(void)
{
    assert_true(g_main_context_iteration(NULL, FALSE));
    assert_false(g_main_context_pending(NULL));
}

static void
what_is_wished_waits_until_libvirt_has_taken_it(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    assert_false(waits(host, &balloon));
    host->is_away = true;
    balloonhost_want(host, &balloon, 500 * MIB);
    assert_true(waits(host, &balloon));
    host->is_away = false;
    balloonhost_want(host, &balloon, 500 * MIB);
    assert_true(waits(host, &balloon));
    holdhost_answer(host, 500 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_false(waits(host, &balloon));
    balloonhost_want(host, &balloon, 400 * MIB);
    balloonhost_want(host, &balloon, 300 * MIB);
    holdhost_answer(host, 400 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_true(waits(host, &balloon)); /* not for what it was asked last */
    balloonhost_want(host, &balloon, U);
    assert_false(waits(host, &balloon)); /* withdrawn */
    balloon_done(&balloon);
}

static void
a_job_of_the_domain_does_not_make_a_wish_forgotten(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    host->is_away = true;
    balloonhost_want(host, &balloon, 500 * MIB);
    host->samples[0].is_still = true;
    balloonhost_want(host, &balloon, U);
    assert_true(waits(host, &balloon));
    balloon_done(&balloon);
}

static void
whom_it_is_of_no_use_to_ask_is_known(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    balloonhost_want(host, &balloon, 500 * MIB);
    assert_false(hold_is_refused(balloonhost_hold(host, &balloon)));
    holdhost_answer_text(host, CHANGE_REFUSED, "no balloon device");
    assert_true(hold_is_refused(balloonhost_hold(host, &balloon)));
    assert_false(waits(host, &balloon));
    skipclock_pass(301 * G_USEC_PER_SEC);
    assert_false(hold_is_refused(balloonhost_hold(host, &balloon)));
    balloon_done(&balloon);
}

static void
more_is_asked_for_as_soon_as_what_is_under_way_is_over(void **state)
{
    static const struct {
        const char *when;
        uint64_t then;
        bool is_still;
        guint asked;
    } rows[] = {
        { "more", 900 * MIB, false, 1 },
        { "more, but a job has begun", 900 * MIB, true, 0 },
        { "less can wait for the next decision", 300 * MIB, false, 0 },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Balloon balloon;

        balloonhost_start(host, &balloon);
        balloonhost_want(host, &balloon, 500 * MIB);
        balloonhost_want(host, &balloon, rows[i].then);
        host->samples[0].is_still = rows[i].is_still;
        if (rows[i].is_still)
            balloonhost_want(host, &balloon, U);
        holdhost_answer(host, 500 * MIB, CHANGE_DONE, 1000 * MIB);
        if (rows[i].asked > 0)
            turn();
        if (host->asked->len != rows[i].asked)
            fail_msg("%s", rows[i].when);
        if (rows[i].asked > 0)
            holdhost_answer(host, rows[i].then, CHANGE_DONE, 800 * MIB);
        host->samples[0].is_still = false;
        balloonhost_forget(host, &balloon);
    }
}

/* Two balloons have got what they were asked for, and more is wished by now. */
static void
start_with_more(HoldHost *host, Balloon *balloon)
{
    balloonhost_start(host, balloon);
    for (int i = 0; i < 2; i++) {
        host->plans[1].balloon_bytes = i == 0 ? 600 * MIB : 900 * MIB;
        host->plans[1].balloon_apply = true;
        balloonhost_want(host, balloon, i == 0 ? 600 * MIB : 900 * MIB);
    }
    holdhost_answer(host, 600 * MIB, CHANGE_DONE, 1000 * MIB);
    holdhost_answer(host, 600 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_int_equal(host->asked->len, 0);
}

static void
what_many_answers_lead_to_is_recorded_and_asked_for_at_once(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    start_with_more(host, &balloon);
    turn();
    assert_int_equal(host->asked->len, 2);
    holdhost_answer(host, 900 * MIB, CHANGE_DONE, 1000 * MIB);
    holdhost_answer(host, 900 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_false(g_main_context_pending(NULL));
    balloon_done(&balloon);
}

static void
a_stop_asks_for_no_more(void **state)
{
    HoldHost *host = *state;
    g_autofree char *note = NULL;
    Balloon balloon;

    start_with_more(host, &balloon);
    holdhost_answer_soon(host, 2);
    assert_true(hold_table_restore(&balloon.holds, 10 * G_USEC_PER_SEC, &note, NULL));
    assert_int_equal(host->asked->len, 0);
    assert_null(holdhost_entry(host, "balloon"));
    balloon_done(&balloon);
}

static void
what_is_let_go_of_asks_for_nothing(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    start_with_more(host, &balloon);
    balloon_done(&balloon);
    assert_false(g_main_context_pending(NULL));
}

/* Both domains are asked, and libvirt does not come to an end with the first. */
static void
start_hanging(HoldHost *host, Balloon *balloon)
{
    balloonhost_start(host, balloon);
    host->plans[1].balloon_bytes = 600 * MIB;
    host->plans[1].balloon_apply = true;
    balloonhost_want(host, balloon, 500 * MIB);
    assert_int_equal(host->asked->len, 2);
    if (strcmp(g_array_index(host->asked, Change, 0).uuid, host->subjects[0].uuid) != 0)
        fail_msg("the first is asked first");
    holdhost_begin(host);
    skipclock_pass(4 * G_USEC_PER_SEC);
}

static void
nobody_waits_behind_a_domain_that_hangs(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    start_hanging(host, &balloon);
    balloonhost_want(host, &balloon, 900 * MIB); /* it is asked for more meanwhile */
    assert_int_equal(host->asked->len, 2);
    assert_int_equal(balloon.holds.busy, 1); /* the other one, anew */
    assert_true(waits(host, &balloon));
    assert_true(g_array_index(host->asked, Change, 1).want_bytes == 600 * MIB);
    for (int i = 0; i < 5; i++) {
        skipclock_pass(4 * G_USEC_PER_SEC);
        balloonhost_want(host, &balloon, 900 * MIB);
    }
    assert_int_equal(host->asked->len, 2); /* nobody is asked twice at once */
    holdhost_answer(host, 500 * MIB, CHANGE_DONE, 1000 * MIB);
    turn();
    assert_int_equal(host->asked->len, 2); /* it goes on, and gets more */
    assert_int_equal(balloon.holds.busy, 2);
    holdhost_answer(host, 600 * MIB, CHANGE_DONE, 1000 * MIB);
    holdhost_answer(host, 900 * MIB, CHANGE_DONE, 1000 * MIB);
    assert_int_equal(balloon.holds.busy, 0);
    balloon_done(&balloon);
}

static void
what_was_withdrawn_leaves_nothing_to_restore(void **state)
{
    HoldHost *host = *state;
    const Hold *other;
    Balloon balloon;

    start_hanging(host, &balloon);
    host->plans[1].balloon_bytes = U;
    balloonhost_want(host, &balloon, U);
    other = hold_find(&balloon.holds, host->subjects[1].uuid);
    assert_int_equal(other->state, HOLD_IDLE);
    assert_int_equal(balloonhost_hold(host, &balloon)->state, HOLD_OURS);
    balloon_done(&balloon);
}

static void
a_stop_gives_back_behind_a_domain_that_hangs(void **state)
{
    HoldHost *host = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *note = NULL;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    host->plans[1].balloon_bytes = 600 * MIB;
    host->plans[1].balloon_apply = true;
    balloonhost_want(host, &balloon, 500 * MIB);
    holdhost_answer(host, 500 * MIB, CHANGE_DONE, 1000 * MIB);
    holdhost_answer(host, 600 * MIB, CHANGE_DONE, 1000 * MIB);
    balloonhost_want(host, &balloon, 400 * MIB);
    holdhost_begin(host);
    skipclock_pass(4 * G_USEC_PER_SEC);
    assert_false(hold_table_restore(&balloon.holds, 300000, &note, &error));
    assert_non_null(strstr(error->message, "2 domains"));
    assert_int_equal(host->asked->len, 2);
    assert_int_equal(g_array_index(host->asked, Change, 1).want_bytes, 1000 * MIB);
    assert_string_equal(g_array_index(host->asked, Change, 1).uuid, host->subjects[1].uuid);
    balloon_done(&balloon);
}

/* It was found with 500 MiB, and was given 900 MiB since. */
static void
start_grown(HoldHost *host, Balloon *balloon)
{
    balloonhost_start(host, balloon);
    host->samples[0].balloon_bytes = 500 * MIB;
    balloonhost_want(host, balloon, 900 * MIB);
    holdhost_answer(host, 900 * MIB, CHANGE_DONE, 500 * MIB);
    host->samples[0].balloon_bytes = 900 * MIB;
    balloonhost_want(host, balloon, U);
}

static void
who_has_got_more_than_was_found_keeps_it_at_a_stop(void **state)
{
    HoldHost *host = *state;
    g_autofree char *note = NULL;
    Balloon balloon;

    start_grown(host, &balloon);
    assert_true(hold_table_restore(&balloon.holds, 1000, &note, NULL));
    assert_int_equal(host->asked->len, 0);
    assert_string_equal(note, "web: the balloon stays at 900 MiB, more than the 500 MiB that were "
                              "found");
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    balloon_done(&balloon);
}

static void
who_has_got_more_than_was_found_keeps_it_when_it_is_switched_off(void **state)
{
    static const BalloonOptions off = { false, 2500 };
    HoldHost *host = *state;
    Balloon balloon;

    start_grown(host, &balloon);
    balloon_set_options(&balloon, &off);
    balloonhost_apply(host, &balloon);
    assert_int_equal(host->asked->len, 0);
    assert_int_equal(balloonhost_hold(host, &balloon)->state, HOLD_IDLE);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    balloon_done(&balloon);
}

static void
who_has_got_more_than_was_found_keeps_it_after_a_kill(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    start_grown(host, &balloon);
    balloonhost_restart(host, &balloon);
    balloonhost_apply(host, &balloon);
    /* Whether it has heard of it is not known: it is told again. */
    holdhost_answer(host, 900 * MIB, CHANGE_DONE, 900 * MIB);
    balloon_done(&balloon);
}

static void
what_was_taken_of_it_since_goes_back(void **state)
{
    HoldHost *host = *state;
    g_autofree char *note = NULL;
    Balloon balloon;

    start_grown(host, &balloon);
    balloonhost_want(host, &balloon, 400 * MIB);
    holdhost_answer(host, 400 * MIB, CHANGE_DONE, 900 * MIB);
    holdhost_answer_soon(host, 1);
    assert_true(hold_table_restore(&balloon.holds, 10000000, &note, NULL));
    assert_null(note);
    balloon_done(&balloon);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(what_is_wished_waits_until_libvirt_has_taken_it),
        ON_HOST(a_job_of_the_domain_does_not_make_a_wish_forgotten),
        ON_HOST(whom_it_is_of_no_use_to_ask_is_known),
        ON_HOST(more_is_asked_for_as_soon_as_what_is_under_way_is_over),
        ON_HOST(what_many_answers_lead_to_is_recorded_and_asked_for_at_once),
        ON_HOST(a_stop_asks_for_no_more),
        ON_HOST(what_is_let_go_of_asks_for_nothing),
        ON_HOST(nobody_waits_behind_a_domain_that_hangs),
        ON_HOST(what_was_withdrawn_leaves_nothing_to_restore),
        ON_HOST(a_stop_gives_back_behind_a_domain_that_hangs),
        ON_HOST(who_has_got_more_than_was_found_keeps_it_at_a_stop),
        ON_HOST(who_has_got_more_than_was_found_keeps_it_when_it_is_switched_off),
        ON_HOST(who_has_got_more_than_was_found_keeps_it_after_a_kill),
        ON_HOST(what_was_taken_of_it_since_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
