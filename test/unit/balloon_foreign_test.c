/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon_foreign_test.c - what others do to a balloon is told from what we have done */
#define _GNU_SOURCE
#include "agent/actuator/balloon.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/balloonhost.h"
#include "test/support/skipclock.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, holdhost_setup, holdhost_teardown)

static void
a_balloon_on_its_way_is_ours_and_another_value_is_not(void **state)
{
    static const struct {
        const char *when;
        bool arrived;
        uint64_t bytes;
        bool deflates, rebooted;
        bool foreign;
    } rows[] = {
        { "there", false, 500 * MIB, false, false, false },
        { "halfway", false, 700 * MIB, false, false, false },
        { "not begun", false, 1000 * MIB, false, false, false },
        { "further down", false, 400 * MIB, false, false, true },
        { "not known", false, U, false, false, false },
        { "further down, and rebooted", false, 400 * MIB, true, true, true },
        { "there and stays", true, 500 * MIB, false, false, false },
        { "halfway back after it was there", true, 700 * MIB, false, false, true },
        { "back as found after it was there", true, 1000 * MIB, false, false, false },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Balloon balloon;

        balloonhost_start_asked(host, &balloon, 1000 * MIB);
        host->samples[0].balloon_bytes = rows[i].arrived ? 500 * MIB : 1000 * MIB;
        balloonhost_apply(host, &balloon);
        host->samples[0].balloon_bytes = rows[i].bytes;
        host->subjects[0].deflates = rows[i].deflates;
        host->subjects[0].rebooted_us = rows[i].rebooted ? (uint64_t)g_get_monotonic_time() : 0;
        for (int told = 0; told < 3; told++) {
            /* What may be older than our last change is no proof. */
            if (told < 2 && holdhost_is_foreign(host, &balloon.holds))
                fail_msg("%s: judged too early", rows[i].when);
            holdhost_tell(host);
            balloonhost_apply(host, &balloon);
        }
        if (holdhost_is_foreign(host, &balloon.holds) != rows[i].foreign)
            fail_msg("%s", rows[i].when);
        host->subjects[0].deflates = false;
        balloonhost_forget(host, &balloon);
        g_array_set_size(host->asked, 0);
    }
}

static void
a_balloon_goes_on_to_what_it_was_asked_for_before(void **state)
{
    static const struct {
        const char *when;
        uint64_t shown; /* when it is asked for something else on its way from 1000 to 500 MiB */
        uint64_t found; /* by the worker, next to that */
        uint64_t want;
        uint64_t shows; /* then */
        bool foreign;
    } rows[] = {
        { "further down, before it goes up", 700 * MIB, 690 * MIB, 900 * MIB, 520 * MIB, false },
        { "further down than it was ever asked for", 700 * MIB, 690 * MIB, 900 * MIB, 480 * MIB,
          true },
        { "less further down", 700 * MIB, 690 * MIB, 600 * MIB, 520 * MIB, false },
        { "where it was shown last", 700 * MIB, 690 * MIB, 600 * MIB, 700 * MIB, false },
        { "back up beyond that", 700 * MIB, 690 * MIB, 600 * MIB, 800 * MIB, true },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Balloon balloon;

        balloonhost_start_asked(host, &balloon, 1000 * MIB);
        host->samples[0].balloon_bytes = rows[i].shown;
        balloonhost_want(host, &balloon, rows[i].want);
        holdhost_answer(host, rows[i].want, CHANGE_DONE, rows[i].found);
        host->samples[0].balloon_bytes = rows[i].shows;
        for (int told = 0; told < 3; told++) {
            holdhost_tell(host);
            balloonhost_want(host, &balloon, rows[i].want);
        }
        if (holdhost_is_foreign(host, &balloon.holds) != rows[i].foreign)
            fail_msg("%s", rows[i].when);
        balloonhost_forget(host, &balloon);
        g_array_set_size(host->asked, 0);
    }
}

static void
a_guest_that_is_given_back_and_then_asked_for_some_is_nobody_elses(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    balloonhost_restart(host, &balloon);
    balloonhost_want(host, &balloon, U);
    holdhost_answer(host, 1000 * MIB, CHANGE_DONE, 500 * MIB);
    /* It has hardly begun when less is wanted, and all but arrives before it hears of that. */
    host->samples[0].balloon_bytes = 505 * MIB;
    balloonhost_want(host, &balloon, 600 * MIB);
    holdhost_answer(host, 600 * MIB, CHANGE_DONE, 505 * MIB);
    host->samples[0].balloon_bytes = 990 * MIB;
    for (int told = 0; told < 3; told++) {
        holdhost_tell(host);
        balloonhost_want(host, &balloon, 600 * MIB);
        assert_false(holdhost_is_foreign(host, &balloon.holds));
    }
    /* Once it is there, that is over. */
    host->samples[0].balloon_bytes = 600 * MIB;
    holdhost_tell(host);
    balloonhost_want(host, &balloon, 600 * MIB);
    host->samples[0].balloon_bytes = 990 * MIB;
    for (int told = 0; told < 2; told++) {
        holdhost_tell(host);
        balloonhost_want(host, &balloon, 600 * MIB);
    }
    assert_true(holdhost_is_foreign(host, &balloon.holds));
    balloon_done(&balloon);
}

static void
tell_thrice(HoldHost *host, Balloon *balloon)
{
    for (int told = 0; told < 3; told++) {
        holdhost_tell(host);
        balloonhost_apply(host, balloon);
    }
}

static void
a_guest_may_make_its_balloon_larger_itself(void **state)
{
    static const struct {
        const char *when;
        bool deflates, rebooted;
        bool tells;     /* its driver does, soon after the reboot */
        gint64 later_s; /* when it is larger, after the reboot */
        gint64 again_s; /* when it is larger again, after that */
        bool foreign;
    } rows[] = {
        { "nothing happened", false, false, false, 0, 0, true },
        { "its device gives way", true, false, false, 0, 0, false },
        { "it has just rebooted", false, true, false, 0, 0, false },
        { "its driver takes its time", false, true, false, 0, 119, false },
        { "it boots for half an hour", false, true, false, 1800, 0, false },
        { "it was there again for long", false, true, false, 1800, 121, true },
        { "nobody saw how it came back", false, true, true, 121, 0, true },
        { "it has only just come back", false, true, true, 119, 0, false },
        { "it has rebooted long ago", false, true, false, 3601, 0, true },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Balloon balloon;

        balloonhost_start_asked(host, &balloon, 900 * MIB);
        host->samples[0].balloon_bytes = 1000 * MIB;
        host->subjects[0].deflates = rows[i].deflates;
        host->subjects[0].rebooted_us = rows[i].rebooted ? (uint64_t)g_get_monotonic_time() : 0;
        host->subjects[0].has_driver = rows[i].tells;
        host->samples[0].balloon_bytes = 500 * MIB;
        tell_thrice(host, &balloon);
        skipclock_pass(rows[i].later_s * G_USEC_PER_SEC);
        host->samples[0].balloon_bytes = 1000 * MIB;
        tell_thrice(host, &balloon);
        if (rows[i].again_s > 0) {
            host->samples[0].balloon_bytes = 500 * MIB;
            tell_thrice(host, &balloon);
            skipclock_pass(rows[i].again_s * G_USEC_PER_SEC);
            host->samples[0].balloon_bytes = 1000 * MIB;
            tell_thrice(host, &balloon);
        }
        if (holdhost_is_foreign(host, &balloon.holds) != rows[i].foreign)
            fail_msg("%s", rows[i].when);
        balloonhost_forget(host, &balloon);
        g_array_set_size(host->asked, 0);
    }
}

static void
what_somebody_else_has_set_stays_until_told(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
    g_autofree char *note = NULL;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    balloonhost_want(host, &balloon, 400 * MIB);
    /* The worker has seen it before the facts have. */
    holdhost_answer(host, 400 * MIB, CHANGE_FOREIGN, 800 * MIB);
    host->samples[0].balloon_bytes = 800 * MIB;
    holdhost_tell(host);
    balloonhost_apply(host, &balloon);
    assert_int_equal(host->asked->len, 0);
    assert_int_equal(balloonhost_hold(host, &balloon)->foreign_bytes, 800 * MIB);
    entry = holdhost_entry(host, "balloon");
    assert_null(entry);
    assert_true(hold_table_restore(&balloon.holds, 1000, &note, NULL));
    assert_string_equal(note, "web: the balloon stays at 800 MiB, which somebody else has set");
    /* Told, it is managed again, from where it is. */
    hold_forget_foreign(&balloon.holds, host->subjects[0].uuid);
    balloonhost_want(host, &balloon, 400 * MIB);
    holdhost_answer(host, 400 * MIB, CHANGE_DONE, 800 * MIB);
    assert_int_equal(balloonhost_hold(host, &balloon)->known.found_bytes, 800 * MIB);
    balloon_done(&balloon);
}

static void
an_old_figure_before_our_first_change_is_nobodys_fault(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    balloonhost_want(host, &balloon, 400 * MIB);
    holdhost_answer(host, 400 * MIB, CHANGE_FOREIGN, 800 * MIB);
    assert_false(holdhost_is_foreign(host, &balloon.holds));
    host->samples[0].balloon_bytes = 800 * MIB;
    balloonhost_want(host, &balloon, 400 * MIB);
    entry = holdhost_entry(host, "balloon");
    assert_string_equal(entry, "3 838860800 419430400 838860800 419430400 -");
    holdhost_answer(host, 400 * MIB, CHANGE_DONE, 800 * MIB);
    balloon_done(&balloon);
}

static void
a_dimm_moves_the_figure_and_is_nobody_else(void **state)
{
    static const struct {
        const char *when;
        bool arrived;
        uint64_t maximum, shows; /* from 1000 and, once there, 500 MiB */
        bool foreign;
        uint64_t found, wrote; /* then */
    } rows[] = {
        { "plugged in", true, 1200 * MIB, 700 * MIB, false, 1200 * MIB, 700 * MIB },
        { "as large as what was taken", true, 1500 * MIB, 1000 * MIB, false, 1500 * MIB,
          1000 * MIB },
        { "pulled out", true, 900 * MIB, 400 * MIB, false, 900 * MIB, 400 * MIB },
        { "on its way", false, 1200 * MIB, 900 * MIB, false, 1200 * MIB, 700 * MIB },
        { "of a kind that does not count", true, 1200 * MIB, 500 * MIB, false, 1000 * MIB,
          500 * MIB },
        { "not told", true, 0, 700 * MIB, true, 1000 * MIB, 500 * MIB },
        { "and set by others", true, 1200 * MIB, 650 * MIB, true, 1000 * MIB, 500 * MIB },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Hold *hold;
        Balloon balloon;

        host->subjects[0].maximum_bytes = 1000 * MIB;
        balloonhost_start_asked(host, &balloon, 1000 * MIB);
        host->samples[0].balloon_bytes = rows[i].arrived ? 500 * MIB : 800 * MIB;
        balloonhost_apply(host, &balloon);
        host->subjects[0].maximum_bytes = rows[i].maximum;
        host->samples[0].balloon_bytes = rows[i].shows;
        host->plans[0].balloon_bytes = U;
        for (int told = 0; told < 3; told++) {
            holdhost_tell(host);
            balloonhost_apply(host, &balloon);
        }
        hold = balloonhost_hold(host, &balloon);
        if (holdhost_is_foreign(host, &balloon.holds) != rows[i].foreign ||
            hold->known.found_bytes != rows[i].found || hold->known.wrote_bytes != rows[i].wrote)
            fail_msg("%s: found %g MiB, wrote %g", rows[i].when,
                     (double)hold->known.found_bytes / (double)MIB,
                     (double)hold->known.wrote_bytes / (double)MIB);
        balloonhost_forget(host, &balloon);
        g_array_set_size(host->asked, 0);
    }
}

static void
a_restart_of_the_domain_begins_anew(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    host->subjects[0].id = 9;
    host->samples[0].balloon_bytes = 900 * MIB;
    balloonhost_want(host, &balloon, 500 * MIB);
    assert_int_equal(balloonhost_hold(host, &balloon)->known.found_bytes, 900 * MIB);
    entry = holdhost_entry(host, "balloon");
    assert_true(g_str_has_prefix(entry, "9 943718400 "));
    balloon_done(&balloon);
}

static void
a_later_start_that_comes_with_ours_is_given_what_was_found(void **state)
{
    static const struct {
        const char *when;
        uint64_t shows;
        bool agent_restarts;
        HoldState state; /* HOLD_STATE_COUNT: nothing is known of it any more */
        uint64_t asked;  /* U: nothing is */
    } rows[] = {
        { "restored from a file", 500 * MIB, false, HOLD_LEFT, 1000 * MIB },
        { "while the agent was away", 500 * MIB, true, HOLD_LEFT, 1000 * MIB },
        { "begun anew", 1000 * MIB, false, HOLD_STATE_COUNT, U },
        { "set by others meanwhile", 501 * MIB, true, HOLD_STATE_COUNT, U },
        { "no figure yet", U, false, HOLD_ENDED, U },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Hold *hold;
        Balloon balloon;

        host->sample.n = HOLDHOST_DOMAINS;
        host->subjects[0].id = 3;
        balloonhost_start_with_half(host, &balloon);
        host->sample.n = 0;
        balloonhost_apply(host, &balloon);
        if (rows[i].agent_restarts)
            balloonhost_restart(host, &balloon);
        host->sample.n = HOLDHOST_DOMAINS;
        host->subjects[0].id = 9;
        host->samples[0].balloon_bytes = rows[i].shows;
        host->plans[0].balloon_bytes = U;
        balloonhost_apply(host, &balloon);
        hold = balloonhost_hold(host, &balloon);
        if ((hold ? hold->state : HOLD_STATE_COUNT) != rows[i].state ||
            host->asked->len != is_known(rows[i].asked))
            fail_msg("%s: state %d", rows[i].when, hold ? (int)hold->state : -1);
        if (is_known(rows[i].asked))
            holdhost_answer(host, rows[i].asked, CHANGE_DONE, 500 * MIB);
        if (hold)
            hold_remove(&balloon.holds, hold_find(&balloon.holds, host->subjects[0].uuid));
        assert_true(originals_save(&host->originals, NULL));
        balloon_done(&balloon);
    }
}

static void
a_start_without_figures_costs_no_writing(void **state)
{
    HoldHost *host = *state;
    GStatBuf before;
    GStatBuf after;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    host->subjects[0].id = 9;
    host->samples[0].balloon_bytes = U;
    host->plans[0].balloon_bytes = U;
    balloonhost_apply(host, &balloon);
    assert_int_equal(g_stat(host->record, &before), 0);
    for (int i = 0; i < 3; i++)
        balloonhost_apply(host, &balloon);
    assert_int_equal(g_stat(host->record, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino); /* each writing makes another file */
    assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
    balloon_done(&balloon);
}

static void
no_more_than_some_that_have_ended_are_kept_in_mind(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start(host, &balloon);
    for (int id = 1; id <= 300; id++) {
        g_autofree char *uuid = g_strdup_printf("c7a5fdbd-edaf-9455-926a-%012d", id);
        const Subject subject = { .uuid = uuid, .name = uuid, .id = id };

        hold_need(&balloon.holds, &subject)->state = HOLD_OURS;
    }
    host->sample.n = 0;
    balloonhost_apply(host, &balloon);
    balloonhost_apply(host, &balloon);
    assert_int_equal(g_hash_table_size(balloon.holds.by_uuid), 256);
    assert_null(hold_find(&balloon.holds, "c7a5fdbd-edaf-9455-926a-000000000044"));
    assert_non_null(hold_find(&balloon.holds, "c7a5fdbd-edaf-9455-926a-000000000045"));
    balloon_done(&balloon);
}

static void
what_somebody_else_has_set_is_left_alone_by_the_next_run_too(void **state)
{
    static const struct {
        const char *when;
        int id; /* of the start that the next run finds */
        bool foreign;
    } rows[] = { { "the same start", 3, true }, { "another start", 9, false } };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Balloon balloon;

        host->subjects[0].id = 3;
        balloonhost_start_with_half(host, &balloon);
        balloonhost_want(host, &balloon, 400 * MIB);
        holdhost_answer(host, 400 * MIB, CHANGE_FOREIGN, 800 * MIB);
        host->samples[0].balloon_bytes = 800 * MIB;
        balloonhost_apply(host, &balloon);
        balloonhost_restart(host, &balloon);
        host->sample.n = 0; /* libvirt is not connected yet */
        host->decided.is_listed = false;
        balloonhost_apply(host, &balloon);
        host->sample.n = HOLDHOST_DOMAINS;
        host->decided.is_listed = true;
        host->subjects[0].id = rows[i].id;
        balloonhost_want(host, &balloon, 400 * MIB);
        if (holdhost_is_foreign(host, &balloon.holds) != rows[i].foreign ||
            (host->asked->len == 0) != rows[i].foreign)
            fail_msg("%s", rows[i].when);
        balloonhost_forget(host, &balloon);
        g_array_set_size(host->asked, 0);
    }
}

static void
what_the_guest_did_itself_is_not_held_against_others_by_the_worker_either(void **state)
{
    static const struct {
        const char *when;
        bool deflates, rebooted;
        uint64_t found;
        bool foreign;
    } rows[] = {
        { "nothing happened", false, false, 1000 * MIB, true },
        { "its device gives way", true, false, 1000 * MIB, false },
        { "it has just rebooted", false, true, 1000 * MIB, false },
        { "it gives way upwards only", true, true, 300 * MIB, true },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Balloon balloon;

        balloonhost_start_asked(host, &balloon, 900 * MIB);
        host->samples[0].balloon_bytes = 500 * MIB;
        host->subjects[0].deflates = rows[i].deflates;
        host->subjects[0].rebooted_us = rows[i].rebooted ? (uint64_t)g_get_monotonic_time() : 0;
        balloonhost_want(host, &balloon, 400 * MIB);
        holdhost_answer(host, 400 * MIB, CHANGE_FOREIGN, rows[i].found);
        if (holdhost_is_foreign(host, &balloon.holds) != rows[i].foreign)
            fail_msg("%s", rows[i].when);
        host->samples[0].balloon_bytes = rows[i].found;
        balloonhost_apply(host, &balloon);
        if (!rows[i].foreign &&
            !change_is_known(CHANGE_BALLOON, &g_array_index(host->asked, Change, 0).known,
                             rows[i].found))
            fail_msg("%s: it is not asked in a way that would succeed", rows[i].when);
        host->subjects[0].deflates = false;
        host->subjects[0].rebooted_us = 0;
        balloonhost_forget(host, &balloon);
        g_array_set_size(host->asked, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_balloon_on_its_way_is_ours_and_another_value_is_not),
        ON_HOST(a_balloon_goes_on_to_what_it_was_asked_for_before),
        ON_HOST(a_guest_that_is_given_back_and_then_asked_for_some_is_nobody_elses),
        ON_HOST(a_guest_may_make_its_balloon_larger_itself),
        ON_HOST(what_somebody_else_has_set_stays_until_told),
        ON_HOST(an_old_figure_before_our_first_change_is_nobodys_fault),
        ON_HOST(a_dimm_moves_the_figure_and_is_nobody_else),
        ON_HOST(a_restart_of_the_domain_begins_anew),
        ON_HOST(a_later_start_that_comes_with_ours_is_given_what_was_found),
        ON_HOST(a_start_without_figures_costs_no_writing),
        ON_HOST(no_more_than_some_that_have_ended_are_kept_in_mind),
        ON_HOST(what_somebody_else_has_set_is_left_alone_by_the_next_run_too),
        ON_HOST(what_the_guest_did_itself_is_not_held_against_others_by_the_worker_either),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
