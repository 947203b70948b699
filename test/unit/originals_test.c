/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* originals_test.c - the record of what to restore survives everything, or says that it did not */
#define _GNU_SOURCE
#include "agent/actuator/originals.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "test/support/recordplace.h"

static void
a_directory_without_a_record_is_empty_and_is_not_made_by_looking(void **state)
{
    const RecordPlace *place = *state;
    Originals originals;

    assert_int_equal(recordplace_open(place, &originals), ORIGINALS_EMPTY);
    assert_false(originals_has_group(&originals, "ksm"));
    recordplace_expect(&originals, "ksm", "run", NULL);
    assert_false(g_file_test(place->dir, G_FILE_TEST_EXISTS));
    originals_done(&originals);
}

static void
what_was_saved_is_there_for_the_next_run_of_the_same_boot(void **state)
{
    Originals originals;

    recordplace_leave(*state);
    assert_int_equal(recordplace_open(*state, &originals), ORIGINALS_LOADED);
    recordplace_expect(&originals, "ksm", "run", "0");
    recordplace_expect(&originals, "ksm", "advisor_mode", "scan-time");
    recordplace_expect(&originals, "memory_high", RECORDPLACE_OTHER_BOOT, "max");
    recordplace_expect(&originals, "ksm", "sleep_millisecs", NULL);
    assert_false(originals_has_group(&originals, "originals"));
    originals_done(&originals);
}

static void
record_and_directory_are_for_their_owner_only(void **state)
{
    const RecordPlace *place = *state;
    GStatBuf status;

    recordplace_leave(place);
    assert_int_equal(g_stat(place->dir, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(g_stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void
values_of_every_kind_come_back_as_they_were(void **state)
{
    static const char *const values[] = {
        "0",          "18446744073709551615", "",         " lead", "trail ", "a=b;c#d",
        "two\nlines", "back\\slash",          "\xc3\xa4", "[ksm]"
    };
    Originals originals;

    recordplace_open(*state, &originals);
    assert_true(originals_prepare(&originals, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *key = g_strdup_printf("key-%zu", i);

        originals_set(&originals, "ksm", key, values[i]);
    }
    assert_true(originals_save(&originals, NULL));
    originals_done(&originals);
    assert_int_equal(recordplace_open(*state, &originals), ORIGINALS_LOADED);
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *key = g_strdup_printf("key-%zu", i);

        recordplace_expect(&originals, "ksm", key, values[i]);
    }
    originals_done(&originals);
}

static void
only_the_first_value_is_the_original(void **state)
{
    Originals originals;

    recordplace_leave(*state);
    recordplace_open(*state, &originals);
    assert_true(originals_prepare(&originals, NULL));
    originals_set(&originals, "ksm", "run", "1");
    recordplace_expect(&originals, "ksm", "run", "0");
    originals_done(&originals);
}

/* As recordplace_leave(), but nothing of a domain. */
static void
leave_record_of_kernel(const RecordPlace *place)
{
    Originals originals;

    recordplace_leave(place);
    recordplace_open(place, &originals);
    assert_true(originals_prepare(&originals, NULL));
    originals_drop(&originals, "memory_high", NULL);
    assert_true(originals_save(&originals, NULL));
    originals_done(&originals);
}

static void
what_an_earlier_boot_says_of_domains_is_kept(void **state)
{
    const RecordPlace *place = *state;
    Originals originals;

    recordplace_leave(place);
    for (int i = 0; i < 2; i++) { /* reading it changes nothing */
        originals_init(&originals);
        assert_int_equal(originals_open(&originals, place->dir, RECORDPLACE_OTHER_BOOT, NULL),
                         ORIGINALS_LASTING);
        assert_false(originals_has_group(&originals, "ksm"));
        recordplace_expect(&originals, "memory_high", RECORDPLACE_OTHER_BOOT, "max");
        assert_true(originals_prepare(&originals, NULL));
        assert_int_equal(originals.outcome, ORIGINALS_LASTING);
        assert_false(originals_is_dirty(&originals));
        originals_done(&originals);
    }
    /* From the first writing on, the record is of this boot. */
    originals_init(&originals);
    originals_open(&originals, place->dir, RECORDPLACE_OTHER_BOOT, NULL);
    assert_true(originals_prepare(&originals, NULL));
    originals_set(&originals, "ksm", "run", "1");
    assert_true(originals_save(&originals, NULL));
    originals_done(&originals);
    originals_init(&originals);
    assert_int_equal(originals_open(&originals, place->dir, RECORDPLACE_OTHER_BOOT, NULL),
                     ORIGINALS_LOADED);
    recordplace_expect(&originals, "ksm", "run", "1");
    recordplace_expect(&originals, "memory_high", RECORDPLACE_OTHER_BOOT, "max");
    originals_done(&originals);
}

static void
a_record_of_an_earlier_boot_is_recognised_and_can_be_discarded(void **state)
{
    const RecordPlace *place = *state;
    Originals originals;
    g_autoptr(GError) error = NULL;

    leave_record_of_kernel(place);
    originals_init(&originals);
    assert_int_equal(originals_open(&originals, place->dir, RECORDPLACE_OTHER_BOOT, &error),
                     ORIGINALS_OLD_BOOT);
    assert_null(error);
    assert_false(originals_has_group(&originals, "ksm"));
    assert_true(g_file_test(place->path, G_FILE_TEST_EXISTS));
    assert_true(originals_prepare(&originals, NULL));
    assert_true(originals_discard(&originals, NULL));
    assert_true(originals_discard(&originals, NULL));
    assert_false(g_file_test(place->path, G_FILE_TEST_EXISTS));
    originals_done(&originals);
}

static void
the_file_goes_with_the_last_entry(void **state)
{
    const RecordPlace *place = *state;
    Originals originals;

    recordplace_leave(place);
    recordplace_open(place, &originals);
    assert_true(originals_prepare(&originals, NULL));
    originals_drop(&originals, "ksm", NULL);
    assert_true(originals_save(&originals, NULL));
    assert_true(g_file_test(place->path, G_FILE_TEST_EXISTS));
    originals_drop(&originals, "memory_high", RECORDPLACE_OTHER_BOOT);
    assert_false(originals_has_group(&originals, "memory_high"));
    assert_true(originals_save(&originals, NULL));
    assert_false(g_file_test(place->path, G_FILE_TEST_EXISTS));
    originals_done(&originals);
}

static void
saving_without_a_change_touches_nothing(void **state)
{
    const RecordPlace *place = *state;
    Originals originals;
    GStatBuf before;
    GStatBuf after;

    recordplace_leave(place);
    assert_int_equal(g_stat(place->path, &before), 0);
    recordplace_open(place, &originals);
    assert_true(originals_prepare(&originals, NULL));
    originals_set(&originals, "ksm", "run", "0");
    originals_drop(&originals, "balloon", NULL);
    assert_true(originals_save(&originals, NULL));
    assert_int_equal(g_stat(place->path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    originals_done(&originals);
}

static void
a_second_agent_is_kept_out_until_the_first_is_gone(void **state)
{
    g_autoptr(GError) error = NULL;
    Originals first;
    Originals second;

    recordplace_leave(*state);
    recordplace_open(*state, &first);
    recordplace_open(*state, &second);
    assert_true(originals_prepare(&first, NULL));
    assert_true(originals_prepare(&first, NULL));
    assert_false(originals_prepare(&second, &error));
    assert_non_null(strstr(error->message, "another virtksmd"));
    assert_non_null(strstr(error->message, "is using"));
    originals_set(&first, "ksm", "sleep_millisecs", "20");
    assert_true(originals_save(&first, NULL));
    originals_done(&first);

    assert_true(originals_prepare(&second, NULL));
    recordplace_expect(&second, "ksm", "sleep_millisecs", "20");
    originals_done(&second);
}

static void
a_claimed_directory_is_nobody_elses_and_a_record_in_it_is_as_the_last_one_left_it(void **state)
{
    const RecordPlace *place = *state;
    g_autoptr(GError) error = NULL;
    Originals first;
    Originals second;

    recordplace_open(place, &first);
    recordplace_open(place, &second);
    assert_true(originals_claim(&first, NULL));
    assert_false(originals_claim(&second, &error));
    assert_non_null(strstr(error->message, place->dir));
    assert_true(originals_prepare(&first, NULL));
    originals_set(&first, "ksm", "run", "0");
    assert_true(originals_save(&first, NULL));
    originals_done(&first);

    assert_int_equal(second.outcome, ORIGINALS_EMPTY);
    assert_true(originals_claim(&second, NULL));
    assert_int_equal(second.outcome, ORIGINALS_LOADED);
    recordplace_expect(&second, "ksm", "run", "0");
    originals_done(&second);
}

static void
a_place_where_nothing_can_be_kept_is_claimed_all_the_same(void **state)
{
    const RecordPlace *place = *state;
    Originals originals;

    fakeroot_write(place->root, "var/lib/virtksm", "a file is in the way");
    recordplace_open(place, &originals);
    assert_true(originals_claim(&originals, NULL));
    assert_false(originals_prepare(&originals, NULL));
    originals_done(&originals);
}

static void
what_a_killed_writer_left_goes_when_the_directory_is_ours(void **state)
{
    static const struct {
        const char *name;
        bool goes;
    } rows[] = {
        { "originals.JX08Y3", true },   { "originals", false },  { "originals.bak", false },
        { "originals.backup", false },  { "history.db", false }, { "my-originals.JX08Y3", false },
        { "originals.JX08Y3x", false },
    };
    const RecordPlace *place = *state;
    Originals originals;

    recordplace_leave(place);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_build_filename(place->dir, rows[i].name, NULL);

        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            assert_true(g_file_set_contents(path, "half a rec", -1, NULL));
    }
    recordplace_open(place, &originals);
    assert_true(originals_claim(&originals, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_build_filename(place->dir, rows[i].name, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS) == rows[i].goes)
            fail_msg("%s is %s", rows[i].name, rows[i].goes ? "still there" : "gone");
    }
    recordplace_expect(&originals, "ksm", "run", "0");
    originals_done(&originals);
}

static void
the_boot_is_read_from_below_the_root(void **state)
{
    const RecordPlace *place = *state;
    g_autofree char *boot_id = NULL;
    g_autoptr(GError) error = NULL;
    char *untouched = NULL;
    int root_fd = fakeroot_fd(place->root);

    assert_false(originals_read_boot_id(root_fd, &untouched, NULL));
    fakeroot_write(place->root, "proc/sys/kernel/random/boot_id", "not a boot\n");
    assert_false(originals_read_boot_id(root_fd, &untouched, &error));
    assert_non_null(strstr(error->message, "not a boot"));
    assert_null(untouched);
    fakeroot_write(place->root, "proc/sys/kernel/random/boot_id", RECORDPLACE_BOOT "\n");
    assert_true(originals_read_boot_id(root_fd, &boot_id, NULL));
    assert_string_equal(boot_id, RECORDPLACE_BOOT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDPLACE_TEST(a_directory_without_a_record_is_empty_and_is_not_made_by_looking),
        RECORDPLACE_TEST(what_was_saved_is_there_for_the_next_run_of_the_same_boot),
        RECORDPLACE_TEST(record_and_directory_are_for_their_owner_only),
        RECORDPLACE_TEST(values_of_every_kind_come_back_as_they_were),
        RECORDPLACE_TEST(only_the_first_value_is_the_original),
        RECORDPLACE_TEST(what_an_earlier_boot_says_of_domains_is_kept),
        RECORDPLACE_TEST(a_record_of_an_earlier_boot_is_recognised_and_can_be_discarded),
        RECORDPLACE_TEST(the_file_goes_with_the_last_entry),
        RECORDPLACE_TEST(saving_without_a_change_touches_nothing),
        RECORDPLACE_TEST(a_second_agent_is_kept_out_until_the_first_is_gone),
        RECORDPLACE_TEST(
            a_claimed_directory_is_nobody_elses_and_a_record_in_it_is_as_the_last_one_left_it),
        RECORDPLACE_TEST(a_place_where_nothing_can_be_kept_is_claimed_all_the_same),
        RECORDPLACE_TEST(what_a_killed_writer_left_goes_when_the_directory_is_ours),
        RECORDPLACE_TEST(the_boot_is_read_from_below_the_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
