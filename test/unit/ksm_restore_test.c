/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_restore_test.c - whatever ended the agent, KSM's settings go back, or nothing is touched */
#define _GNU_SOURCE
#include "agent/actuator/ksm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/ksmhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, ksmhost_setup, ksmhost_teardown)

static void
a_clean_stop_puts_everything_back_and_twice_is_harmless(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    assert_restores(host, NULL);
    ksmhost_apply(host, &thorough);
    assert_true(ksmhost_has_record(host));
    g_string_truncate(host->log, 0);
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 20, 0);
    assert_string_equal(host->log->str, "smart_scan=1 pages_to_scan=100 sleep_millisecs=20 run=0 ");
    assert_false(ksmhost_has_record(host));
    g_string_truncate(host->log, 0);
    assert_restores(host, NULL);
    assert_wrote(host, "");
    /* It goes on working, with what is there now as the original. */
    fakeroot_write(host->root, KSM "sleep_millisecs", "33\n");
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_int_equal(ksm_actuator_initial(&host->actuator)->sleep_ms, 33);
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 33, 0);
}

static void
after_a_crash_the_record_has_the_originals_and_not_the_kernel(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    for (int i = 0; i < 2; i++) {
        ksmhost_crash(host);
        assert_int_equal(ksmhost_start(host, &plain), KSM_ACTUATOR_READY);
        assert_knobs(ksm_actuator_initial(&host->actuator), 0, 100, 20, 0);
        assert_int_equal(ksmhost_apply(host, &rest), i == 0 ? APPLY_DONE : APPLY_UNCHANGED);
    }
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 20, 0);
    assert_false(ksmhost_has_record(host));
}

static void
a_record_of_an_earlier_boot_is_thrown_away(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    ksmhost_crash(host);
    assert_int_equal(ksmhost_start_after_reboot(host), KSM_ACTUATOR_READY);
    assert_knobs(ksm_actuator_initial(&host->actuator), 1, 4000, 0, 0);
    assert_false(ksmhost_has_record(host));
}

static void
a_damaged_record_stops_all_writing(void **state)
{
    KsmHost *host = *state;
    g_autofree char *note = NULL;
    g_autoptr(GError) error = NULL;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    ksmhost_crash(host);
    g_string_truncate(host->log, 0);
    assert_int_equal(truncate(host->record, 30), 0);
    assert_int_equal(ksmhost_start(host, &plain), KSM_ACTUATOR_DAMAGED);
    assert_non_null(strstr(ksm_actuator_text(&host->actuator), host->record));
    assert_knobs(ksm_actuator_initial(&host->actuator), U, U, U, U);
    assert_int_equal(ksmhost_apply(host, &rest), APPLY_REFUSED);
    assert_false(
        ksm_actuator_restore_from_disk(fakeroot_fd(host->root), &host->originals, &note, &error));
    assert_non_null(strstr(error->message, "damaged"));
    assert_wrote(host, "");
    assert_true(ksmhost_has_record(host));
}

static void
a_record_of_impossible_values_stops_all_writing(void **state)
{
    static const struct {
        const char *key;
        const char *value;
    } rows[] = {
        { "run", "3" },
        { "pages_to_scan", "4294967296" },
        { "sleep_millisecs", "-1" },
        { "advisor_mode", "sometimes" },
        { "smart_scan", "2" },
        { "use_zero_pages", "yes" },
        { "run", "" },
    };
    KsmHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        originals_open(&host->originals, host->state_dir, BOOT, NULL);
        assert_true(originals_prepare(&host->originals, NULL));
        originals_set(&host->originals, "ksm", rows[i].key, rows[i].value);
        originals_set(&host->originals, "ksm", "run", "0");
        originals_set(&host->originals, "ksm", "pages_to_scan", "100");
        originals_set(&host->originals, "ksm", "sleep_millisecs", "20");
        assert_true(originals_save(&host->originals, NULL));
        ksmhost_crash(host);
        if (ksmhost_start(host, &plain) != KSM_ACTUATOR_DAMAGED ||
            !strstr(ksm_actuator_text(&host->actuator), rows[i].key) ||
            ksmhost_apply(host, &burst) != APPLY_REFUSED)
            fail_msg("%s=%s was taken", rows[i].key, rows[i].value);
        assert_true(ksmhost_has_record(host));
        originals_drop(&host->originals, "ksm", NULL);
        assert_true(originals_save(&host->originals, NULL));
        ksmhost_crash(host);
    }
    assert_wrote(host, "");
}

static void
a_stop_puts_the_advisor_back_last(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "advisor_mode", "none [scan-time]\n");
    fakeroot_write(host->root, KSM "pages_to_scan", "700\n");
    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    g_string_truncate(host->log, 0);
    assert_restores(host, NULL);
    assert_wrote(host, "pages_to_scan=700 sleep_millisecs=20 run=0 advisor_mode=scan-time ");
    assert_restores(host, NULL);
    assert_wrote(host, "");
}

static void
smart_scan_set_by_another_program_since_stays(void **state)
{
    static const KsmKnobs as_found = { 1, 4000, 0, U, 1, U };
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &thorough);
    ksmhost_apply(host, &as_found);
    fakeroot_write(host->root, KSM "smart_scan", "0\n");
    assert_restores(host, "smart_scan stays at 0");
    assert_int_equal(ksmhost_knobs(host).smart_scan, 0);
    assert_in_force(host, 0, 100, 20, 0);
}

static void
what_another_program_has_set_since_stays(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    fakeroot_write(host->root, KSM "pages_to_scan", "64\n");
    ksmhost_apply(host, &burst);
    assert_restores(host, "pages_to_scan stays at 64");
    assert_in_force(host, 0, 64, 20, 0);
    assert_false(ksmhost_has_record(host));
}

static void
what_another_program_has_put_back_already_is_no_matter(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    fakeroot_write(host->root, KSM "pages_to_scan", "100\n");
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 20, 0);
}

static void
an_advisor_switched_on_by_another_stays_with_its_batch_size(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    fakeroot_write(host->root, KSM "advisor_mode", "none [scan-time]\n");
    fakeroot_write(host->root, KSM "pages_to_scan", "500\n");
    assert_restores(host, NULL);
    assert_in_force(host, 0, 500, 20, 1);
}

static void
what_was_never_written_is_not_restored(void **state)
{
    static const KsmKnobs run_only = { 1, U, U, U, U, U };
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &run_only);
    fakeroot_write(host->root, KSM "sleep_millisecs", "55\n");
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 55, 0);
}

static void
unmerging_is_repeated_only_if_memory_can_hold_the_pages(void **state)
{
    static const struct {
        const char *when;
        const char *meminfo; /* NULL: none; with pages of 4 KiB the 1024 pages need 4096 kB */
        uint64_t want;
        const char *note;
    } rows[] = {
        { "plenty", "MemTotal: 9 kB\nMemAvailable:   800000 kB\n", KSM_RUN_UNMERGE, NULL },
        { "too tight", "MemAvailable: 4096 kB\n", KSM_RUN_STOP, "run is 0 instead of 2" },
        { "too tight for the zero pages", "MemAvailable: 4500 kB\n", KSM_RUN_STOP,
          "run is 0 instead of 2" },
        { "no figure", "MemTotal: 800000 kB\n", KSM_RUN_STOP, "run is 0 instead of 2" },
        { "no file", NULL, KSM_RUN_STOP, "run is 0 instead of 2" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        KsmHost *host = *state;

        fakeroot_write(host->root, KSM "run", "2\n");
        if (rows[i].meminfo)
            fakeroot_write(host->root, "proc/meminfo", "%s", rows[i].meminfo);
        ksmhost_start(host, &plain);
        assert_int_equal(ksmhost_apply(host, &(KsmKnobs){ 2, 100, 20, U, U, U }), APPLY_UNCHANGED);
        assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
        assert_restores(host, rows[i].note);
        if (ksmhost_knobs(host).run != rows[i].want)
            fail_msg("%s: run is %d", rows[i].when, (int)ksmhost_knobs(host).run);
        ksmhost_teardown(state);
        ksmhost_setup(state);
    }
}

static void
an_interrupted_restore_is_tried_again_at_once(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    host->fail_name = "run";
    host->fail_errno = EINTR;
    host->fail_times = 2;
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 20, 0);
}

static void
a_restore_that_fails_in_part_keeps_the_record(void **state)
{
    KsmHost *host = *state;
    g_autoptr(GError) error = NULL;
    char *note = NULL;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    host->fail_name = "pages_to_scan";
    host->fail_errno = EBUSY;
    host->fail_times = 1000;
    assert_false(ksm_actuator_restore(&host->actuator, &note, &error));
    assert_non_null(strstr(error->message, "pages_to_scan"));
    assert_non_null(strstr(error->message, "--restore"));
    assert_null(note);
    assert_in_force(host, 0, 4000, 20, 0);
    assert_true(ksmhost_has_record(host));
    host->fail_times = 0;
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 20, 0);
}

/* What --restore does, from a process of its own. Return: its note, or NULL if it failed. */
static char *
restore_from_disk(KsmHost *host, const char *boot_id)
{
    Originals originals;
    char *note = NULL;
    bool ok;

    originals_init(&originals);
    originals_open(&originals, host->state_dir, boot_id, NULL);
    ok = ksm_actuator_restore_from_disk(fakeroot_fd(host->root), &originals, &note, NULL);
    originals_done(&originals);
    assert_int_equal(ok, note != NULL);
    return note;
}

static void
assert_restored_from_disk(KsmHost *host, const char *boot_id, const char *want)
{
    g_autofree char *note = restore_from_disk(host, boot_id);

    if (!note || !strstr(note, want))
        fail_msg("\"%s\", want \"%s\"", note ? note : "(failed)", want);
}

static void
the_record_of_a_dead_agent_is_restored_from_disk(void **state)
{
    KsmHost *host = *state;

    assert_restored_from_disk(host, BOOT, "nothing to restore");
    assert_false(g_file_test(host->state_dir, G_FILE_TEST_EXISTS));
    ksmhost_start(host, &plain);
    ksmhost_apply(host, &thorough);
    assert_null(restore_from_disk(host, BOOT));
    assert_in_force(host, 1, 4000, 0, 0);
    ksmhost_crash(host);

    host->fail_name = "run";
    host->fail_errno = EACCES;
    host->fail_times = 1;
    assert_null(restore_from_disk(host, BOOT));
    assert_true(ksmhost_has_record(host));
    assert_restored_from_disk(host, BOOT, "as it was found");
    assert_in_force(host, 0, 100, 20, 0);
    assert_int_equal(ksmhost_knobs(host).smart_scan, 1);
    assert_false(ksmhost_has_record(host));
    g_string_truncate(host->log, 0);
    assert_restored_from_disk(host, BOOT, "nothing to restore");
    assert_wrote(host, "");
}

static void
the_record_of_another_boot_is_not_restored_from_disk(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    ksmhost_crash(host);
    g_string_truncate(host->log, 0);
    assert_restored_from_disk(host, OTHER_BOOT, "earlier boot");
    assert_wrote(host, "");
    assert_false(ksmhost_has_record(host));
}

/* Leaves a record as the version before use_zero_pages was a knob did, and what it had set. */
static void
leave_an_older_record(KsmHost *host)
{
    ksmhost_start(host, &plain);
    ksmhost_apply(host, &thorough);
    originals_drop(&host->originals, "ksm", "use_zero_pages");
    assert_true(originals_save(&host->originals, NULL));
    ksmhost_crash(host);
    g_string_truncate(host->log, 0);
}

static void
a_record_of_a_version_that_knew_fewer_settings_is_completed_before_they_are_written(void **state)
{
    KsmHost *host = *state;

    leave_an_older_record(host);
    assert_int_equal(ksmhost_start(host, &plain), KSM_ACTUATOR_READY);
    assert_knobs(ksm_actuator_initial(&host->actuator), 0, 100, 20, 0);
    assert_int_equal(ksmhost_apply(host, &with_zeros), APPLY_DONE);
    assert_wrote(host, "use_zero_pages=1 ");
    assert_knobs(ksm_actuator_initial(&host->actuator), 0, 100, 20, 0);
    assert_int_equal(ksm_actuator_initial(&host->actuator)->use_zero_pages, 0);
    ksmhost_crash(host);
    assert_restored_from_disk(host, BOOT, "as it was found");
    assert_in_force(host, 0, 100, 20, 0);
    assert_int_equal(ksmhost_knobs(host).use_zero_pages, 0);
}

static void
a_record_of_a_version_that_knew_fewer_settings_restores_those(void **state)
{
    KsmHost *host = *state;

    leave_an_older_record(host);
    fakeroot_write(host->root, KSM "use_zero_pages", "1\n");
    assert_restored_from_disk(host, BOOT, "as it was found");
    assert_in_force(host, 0, 100, 20, 0);
    assert_int_equal(ksmhost_knobs(host).use_zero_pages, 1);
}

static void
an_older_record_that_cannot_be_completed_stays_and_nothing_is_written(void **state)
{
    KsmHost *host = *state;
    g_autofree char *aside = g_strconcat(host->state_dir, "-aside", NULL);

    leave_an_older_record(host);
    assert_int_equal(ksmhost_start(host, &plain), KSM_ACTUATOR_READY);
    assert_int_equal(rename(host->state_dir, aside), 0);
    assert_true(g_file_set_contents(host->state_dir, "in the way\n", -1, NULL));
    assert_int_equal(ksmhost_apply(host, &with_zeros), APPLY_RETRY);
    assert_wrote(host, "");
    assert_null(originals_get(&host->originals, "ksm", "use_zero_pages")); /* it is not on disk */
    assert_int_equal(unlink(host->state_dir), 0);
    assert_int_equal(rename(aside, host->state_dir), 0);
    assert_int_equal(ksmhost_apply(host, &with_zeros), APPLY_DONE);
    assert_wrote(host, "use_zero_pages=1 ");
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 20, 0);
    assert_int_equal(ksmhost_knobs(host).use_zero_pages, 0);
}

static void
entries_of_other_actuators_stay_when_ksm_is_restored(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    originals_set(&host->originals, "memory_high", OTHER_BOOT, "max");
    ksmhost_apply(host, &burst);
    assert_restores(host, NULL);
    assert_true(ksmhost_has_record(host));
    ksmhost_crash(host);
    assert_restored_from_disk(host, BOOT, "KSM: nothing to restore");
    assert_true(ksmhost_has_record(host));
    assert_in_force(host, 0, 100, 20, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_clean_stop_puts_everything_back_and_twice_is_harmless),
        ON_HOST(after_a_crash_the_record_has_the_originals_and_not_the_kernel),
        ON_HOST(a_record_of_an_earlier_boot_is_thrown_away),
        ON_HOST(a_damaged_record_stops_all_writing),
        ON_HOST(a_record_of_impossible_values_stops_all_writing),
        ON_HOST(a_stop_puts_the_advisor_back_last),
        ON_HOST(smart_scan_set_by_another_program_since_stays),
        ON_HOST(what_another_program_has_set_since_stays),
        ON_HOST(what_another_program_has_put_back_already_is_no_matter),
        ON_HOST(an_advisor_switched_on_by_another_stays_with_its_batch_size),
        ON_HOST(what_was_never_written_is_not_restored),
        ON_HOST(unmerging_is_repeated_only_if_memory_can_hold_the_pages),
        ON_HOST(an_interrupted_restore_is_tried_again_at_once),
        ON_HOST(a_restore_that_fails_in_part_keeps_the_record),
        ON_HOST(the_record_of_a_dead_agent_is_restored_from_disk),
        ON_HOST(the_record_of_another_boot_is_not_restored_from_disk),
        ON_HOST(
            a_record_of_a_version_that_knew_fewer_settings_is_completed_before_they_are_written),
        ON_HOST(a_record_of_a_version_that_knew_fewer_settings_restores_those),
        ON_HOST(an_older_record_that_cannot_be_completed_stays_and_nothing_is_written),
        ON_HOST(entries_of_other_actuators_stay_when_ksm_is_restored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
