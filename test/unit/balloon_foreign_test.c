/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon_foreign_test.c - what others do to a balloon is told from what we have done */
#define _GNU_SOURCE
#include "agent/actuator/balloon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/balloonhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, holdhost_setup, holdhost_teardown)

static gint64 skipped_us;
gint64 __real_g_get_monotonic_time(void);
gint64 __wrap_g_get_monotonic_time(void);

gint64
__wrap_g_get_monotonic_time(void)
{
    return __real_g_get_monotonic_time() + skipped_us;
}

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

        host->samples[0].balloon_bytes = 1000 * MIB;
        balloonhost_start(host, &balloon);
        balloonhost_want(host, &balloon, 500 * MIB);
        holdhost_answer(host, 500 * MIB, CHANGE_DONE, 1000 * MIB);
        host->samples[0].balloon_bytes = rows[i].arrived ? 500 * MIB : 1000 * MIB;
        balloonhost_apply(host, &balloon);
        host->samples[0].balloon_bytes = rows[i].bytes;
        host->subjects[0].deflates = rows[i].deflates;
        host->subjects[0].rebooted_us = rows[i].rebooted ? (uint64_t)g_get_monotonic_time() : 0;
        for (int told = 0; told < 3; told++) {
            /* What may be older than our last change is no proof. */
            if (told < 2 && hold_is_foreign(&balloon.holds, host->subjects[0].uuid))
                fail_msg("%s: judged too early", rows[i].when);
            holdhost_tell(host);
            balloonhost_apply(host, &balloon);
        }
        if (hold_is_foreign(&balloon.holds, host->subjects[0].uuid) != rows[i].foreign)
            fail_msg("%s", rows[i].when);
        host->subjects[0].deflates = false;
        hold_remove(&balloon.holds, hold_find(&balloon.holds, host->subjects[0].uuid));
        assert_true(originals_save(&host->originals, NULL));
        balloon_done(&balloon);
        g_array_set_size(host->asked, 0);
    }
}

static void
a_guest_may_make_its_balloon_larger_itself(void **state)
{
    static const struct {
        const char *when;
        bool deflates, rebooted;
        gint64 later_s;
        bool foreign;
    } rows[] = {
        { "nothing happened", false, false, 0, true },
        { "its device gives way", true, false, 0, false },
        { "it has just rebooted", false, true, 0, false },
        { "it has rebooted long ago", false, true, 121, true },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Balloon balloon;

        host->samples[0].balloon_bytes = 900 * MIB;
        balloonhost_start(host, &balloon);
        balloonhost_want(host, &balloon, 500 * MIB);
        holdhost_answer(host, 500 * MIB, CHANGE_DONE, 900 * MIB);
        host->samples[0].balloon_bytes = 1000 * MIB;
        host->subjects[0].deflates = rows[i].deflates;
        host->subjects[0].rebooted_us = rows[i].rebooted ? (uint64_t)g_get_monotonic_time() : 0;
        skipped_us += rows[i].later_s * G_USEC_PER_SEC;
        for (int told = 0; told < 3; told++) {
            holdhost_tell(host);
            balloonhost_apply(host, &balloon);
        }
        if (hold_is_foreign(&balloon.holds, host->subjects[0].uuid) != rows[i].foreign)
            fail_msg("%s", rows[i].when);
        hold_remove(&balloon.holds, hold_find(&balloon.holds, host->subjects[0].uuid));
        assert_true(originals_save(&host->originals, NULL));
        balloon_done(&balloon);
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
    assert_false(hold_is_foreign(&balloon.holds, host->subjects[0].uuid));
    host->samples[0].balloon_bytes = 800 * MIB;
    balloonhost_want(host, &balloon, 400 * MIB);
    entry = holdhost_entry(host, "balloon");
    assert_string_equal(entry, "3 838860800 838860800 419430400 -");
    holdhost_answer(host, 400 * MIB, CHANGE_DONE, 800 * MIB);
    balloon_done(&balloon);
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
the_end_of_the_domain_leaves_nothing_to_restore(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    host->sample.n = 0;
    balloonhost_apply(host, &balloon);
    assert_null(balloonhost_hold(host, &balloon));
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    balloon_done(&balloon);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_balloon_on_its_way_is_ours_and_another_value_is_not),
        ON_HOST(a_guest_may_make_its_balloon_larger_itself),
        ON_HOST(what_somebody_else_has_set_stays_until_told),
        ON_HOST(an_old_figure_before_our_first_change_is_nobodys_fault),
        ON_HOST(a_restart_of_the_domain_begins_anew),
        ON_HOST(the_end_of_the_domain_leaves_nothing_to_restore),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
