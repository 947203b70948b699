/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_actuator_test.c - what opening finds, and which states write nothing */
#define _GNU_SOURCE
#include "agent/actuator/ksm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/ksmhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, ksmhost_setup, ksmhost_teardown)

static void
opening_writes_nothing_and_takes_what_is_there_for_the_original(void **state)
{
    KsmHost *host = *state;

    assert_int_equal(ksmhost_start(host, &plain), KSM_ACTUATOR_READY);
    assert_knobs(ksm_actuator_initial(&host->actuator), 0, 100, 20, 0);
    assert_false(ksmhost_has_record(host));
    assert_wrote(host, "");
}

static void
what_others_set_before_the_first_write_is_no_reason_to_yield(void **state)
{
    static const char *const files[][2] = {
        { KSM "run", "1" },
        { KSM "pages_to_scan", "64" },
        { KSM "sleep_millisecs", "7" },
        { KSM "advisor_mode", "none [scan-time]" },
    };
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
        fakeroot_write(host->root, files[i][0], "%s\n", files[i][1]);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
    assert_int_equal(ksm_actuator_foreign(&host->actuator)->count, 0);
}

static void
a_kernel_without_an_advisor_works_as_well(void **state)
{
    static const KsmKnobs with_advisor = { 1, 200, 20, 1, U, U };
    KsmHost *host = *state;

    fakeroot_remove(host->root, KSM "advisor_mode");
    assert_int_equal(ksmhost_start(host, &plain), KSM_ACTUATOR_READY);
    assert_int_equal(ksmhost_apply(host, &with_advisor), APPLY_DONE);
    assert_wrote(host, "pages_to_scan=200 run=1 ");
    assert_int_equal(ksmhost_apply(host, &with_advisor), APPLY_UNCHANGED);
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 20, U);
}

static void
a_wish_for_smart_scan_is_ignored_where_the_kernel_has_none_that_we_know(void **state)
{
    static const struct {
        const char *when;
        const char *text; /* of the file; NULL: there is none */
        uint64_t sampled; /* as the sample has it, right or wrong */
    } rows[] = {
        { "before 6.7", NULL, U },
        { "before 6.7, and a wrong sample", NULL, 1 },
        { "a kernel to come", "2\n", U },
    };
    static const KsmKnobs as_found = { 1, 200, 20, U, 0, U };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        KsmHost *host = *state;
        KsmKnobs sampled;

        fakeroot_remove(host->root, KSM "smart_scan");
        if (rows[i].text)
            fakeroot_write(host->root, KSM "smart_scan", "%s", rows[i].text);
        sampled = ksmhost_knobs(host);
        sampled.smart_scan = rows[i].sampled;
        if (ksmhost_start(host, &plain) != KSM_ACTUATOR_READY ||
            ksm_actuator_apply(&host->actuator, &as_found, &sampled, NULL) != APPLY_DONE)
            fail_msg("%s: %s", rows[i].when, ksm_actuator_text(&host->actuator));
        assert_wrote(host, "pages_to_scan=200 run=1 ");
        if (ksm_actuator_apply(&host->actuator, &as_found, &sampled, NULL) == APPLY_GONE ||
            ksmhost_apply(host, &as_found) != APPLY_UNCHANGED)
            fail_msg("%s: not settled", rows[i].when);
        assert_restores(host, NULL);
        assert_wrote(host, "pages_to_scan=100 run=0 ");
        ksmhost_teardown(state);
        ksmhost_setup(state);
    }
}

static void
what_stands_in_the_way_is_a_state_with_a_text_and_nothing_is_written(void **state)
{
    static const struct {
        const char *without; /* file removed first; NULL: none */
        int open_errno;
        KsmActuatorState want;
        const char *says;
    } rows[] = {
        { KSM, 0, KSM_ACTUATOR_ABSENT, "no KSM" },
        { KSM "run", 0, KSM_ACTUATOR_ABSENT, "no KSM" },
        { NULL, EROFS, KSM_ACTUATOR_READ_ONLY, "read-only" },
        { NULL, EACCES, KSM_ACTUATOR_NOT_PERMITTED, "root" },
        { NULL, EPERM, KSM_ACTUATOR_NOT_PERMITTED, "root" },
    };
    static const KsmKnobs sampled = { 0, 100, 20, 0, U, U };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        KsmHost *host = *state;

        if (rows[i].without)
            fakeroot_remove(host->root, rows[i].without);
        host->open_errno = rows[i].open_errno;
        if (ksmhost_start(host, &plain) != rows[i].want)
            fail_msg("row %zu: %s", i,
                     ksm_actuator_state_name(ksm_actuator_state(&host->actuator)));
        assert_non_null(strstr(ksm_actuator_text(&host->actuator), rows[i].says));
        assert_int_equal(ksm_actuator_apply(&host->actuator, &burst, &sampled, &error),
                         APPLY_REFUSED);
        assert_string_equal(error->message, ksm_actuator_text(&host->actuator));
        assert_wrote(host, "");
        assert_false(ksmhost_has_record(host));
        assert_restores(host, NULL);
        host->open_errno = 0;
        ksmhost_teardown(state);
        ksmhost_setup(state);
    }
}

static void
without_a_place_for_the_originals_nothing_is_written_until_there_is_one(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, "state", "a file in the way\n");
    ksmhost_start(host, &plain);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_STATE_UNWRITABLE);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_RETRY);
    assert_wrote(host, "");
    ksmhost_crash(host);

    fakeroot_remove(host->root, "state");
    ksmhost_start(host, &plain);
    fakeroot_remove(host->root, "state");
    fakeroot_write(host->root, "state", "a file in the way\n");
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_RETRY);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_STATE_UNWRITABLE);
    assert_non_null(strstr(ksm_actuator_text(&host->actuator), "could not be kept"));
    assert_wrote(host, "");
    fakeroot_remove(host->root, "state");
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
    assert_wrote(host, "pages_to_scan=4000 sleep_millisecs=0 run=1 ");
}

static void
a_second_agent_writes_nothing_while_the_first_lives(void **state)
{
    KsmHost *host = *state;
    KsmKnobs sampled;
    static const KsmKnobs run_only = { 1, U, U, U, U, U };
    Originals its_originals;
    KsmActuator second;
    char *note = NULL;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    originals_init(&its_originals);
    assert_int_equal(originals_open(&its_originals, host->state_dir, BOOT, NULL), ORIGINALS_LOADED);
    ksm_actuator_init(&second, fakeroot_fd(host->root), &its_originals, &plain);
    assert_int_equal(ksm_actuator_open(&second), KSM_ACTUATOR_STATE_UNWRITABLE);
    assert_non_null(strstr(ksm_actuator_text(&second), "another virtksmd"));
    sampled = ksmhost_knobs(host);
    assert_int_equal(ksm_actuator_apply(&second, &rest, &sampled, NULL), APPLY_RETRY);
    assert_in_force(host, 1, 4000, 0, 0);

    /* When the first has put everything back, the second begins afresh. */
    assert_restores(host, NULL);
    ksmhost_crash(host);
    sampled = ksmhost_knobs(host);
    assert_int_equal(ksm_actuator_apply(&second, &run_only, &sampled, NULL), APPLY_DONE);
    assert_true(ksmhost_has_record(host));
    assert_knobs(ksm_actuator_initial(&second), 0, 100, 20, 0);
    fakeroot_write(host->root, KSM "sleep_millisecs", "55\n");
    assert_true(ksm_actuator_restore(&second, &note, NULL));
    assert_null(note);
    assert_in_force(host, 0, 100, 55, 0);
    ksm_actuator_done(&second);
    originals_done(&its_originals);
}

static void
a_dry_run_writes_nothing_anywhere(void **state)
{
    KsmHost *host = *state;

    host->open_errno = EROFS;
    assert_int_equal(ksmhost_start(host, &dry), KSM_ACTUATOR_READY);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_UNCHANGED);
    assert_int_equal(ksmhost_apply(host, &(KsmKnobs){ 0, 100, 7, U, 0, U }), APPLY_UNCHANGED);
    assert_restores(host, NULL);
    assert_wrote(host, "");
    assert_false(g_file_test(host->state_dir, G_FILE_TEST_EXISTS));
}

static void
a_dry_run_shows_the_originals_of_a_crashed_run_and_leaves_them(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    ksmhost_crash(host);
    g_string_truncate(host->log, 0);
    assert_int_equal(ksmhost_start(host, &dry), KSM_ACTUATOR_READY);
    assert_knobs(ksm_actuator_initial(&host->actuator), 0, 100, 20, 0);
    assert_restores(host, NULL);
    assert_wrote(host, "");
    assert_true(ksmhost_has_record(host));
}

static void
its_row_in_the_list_does_the_same(void **state)
{
    KsmHost *host = *state;
    Sample sample = { .host.knobs = ksmhost_knobs(host) };
    Plan plan = { .ksm.knobs = burst };
    const Decided decided = { &sample, &plan, NULL, true };
    const Actuator *row = actuators[ACTUATOR_KSM];
    char *note = NULL;

    ksmhost_start(host, &plain);
    assert_string_equal(row->name, "ksm");
    assert_int_equal(row->apply(&host->actuator, &decided, NULL), APPLY_DONE);
    assert_in_force(host, 1, 4000, 0, 0);
    assert_true(row->restore(&host->actuator, &note, NULL));
    assert_in_force(host, 0, 100, 20, 0);
}

static void
the_dry_run_can_be_left_and_entered(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &dry);
    ksmhost_apply(host, &burst);
    ksm_actuator_set_options(&host->actuator, &plain);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_restores(host, NULL);
    g_string_truncate(host->log, 0);
    ksm_actuator_set_options(&host->actuator, &dry);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_UNCHANGED);
    assert_wrote(host, "");
    assert_in_force(host, 0, 100, 20, 0);
}

static void
every_state_has_a_word(void **unused)
{
    static const char *const words[] = { "ready",   "absent",  "read-only",       "not-permitted",
                                         "yielded", "damaged", "state-unwritable" };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        assert_string_equal(ksm_actuator_state_name((KsmActuatorState)i), words[i]);
    assert_string_equal(ksm_actuator_state_name(KSM_ACTUATOR_COUNT), "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(opening_writes_nothing_and_takes_what_is_there_for_the_original),
        ON_HOST(what_others_set_before_the_first_write_is_no_reason_to_yield),
        ON_HOST(a_kernel_without_an_advisor_works_as_well),
        ON_HOST(a_wish_for_smart_scan_is_ignored_where_the_kernel_has_none_that_we_know),
        ON_HOST(what_stands_in_the_way_is_a_state_with_a_text_and_nothing_is_written),
        ON_HOST(without_a_place_for_the_originals_nothing_is_written_until_there_is_one),
        ON_HOST(a_second_agent_writes_nothing_while_the_first_lives),
        ON_HOST(a_dry_run_writes_nothing_anywhere),
        ON_HOST(a_dry_run_shows_the_originals_of_a_crashed_run_and_leaves_them),
        ON_HOST(its_row_in_the_list_does_the_same),
        ON_HOST(the_dry_run_can_be_left_and_entered),
        cmocka_unit_test(every_state_has_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
