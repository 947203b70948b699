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

#include "test/support/fakeroot.h"

#define BOOT       "11111111-2222-4333-8444-555555555555"
#define OTHER_BOOT "11111111-2222-4333-8444-666666666666"

typedef struct {
    FakeRoot *root; /* owned */
    char *dir;      /* owned; state directory; not there yet */
    char *path;     /* owned; the record in it */
} Place;

static int
setup(void **state)
{
    Place *place = g_new0(Place, 1);

    place->root = fakeroot_new();
    place->dir = g_build_filename(fakeroot_path(place->root), "var", "lib", "virtksm", NULL);
    place->path = g_build_filename(place->dir, "originals", NULL);
    *state = place;
    return 0;
}

static int
teardown(void **state)
{
    Place *place = *state;

    fakeroot_free(place->root);
    g_free(place->dir);
    g_free(place->path);
    g_free(place);
    return 0;
}

static OriginalsOutcome
open_record(Originals *originals, const Place *place)
{
    originals_init(originals);
    return originals_open(originals, place->dir, BOOT, NULL);
}

/* A run that recorded two groups and was killed. */
static void
leave_record(const Place *place)
{
    Originals originals;

    open_record(&originals, place);
    assert_true(originals_prepare(&originals, NULL));
    originals_set(&originals, "ksm", "run", "0");
    originals_set(&originals, "ksm", "advisor_mode", "scan-time");
    originals_set(&originals, "memory_high", OTHER_BOOT, "max");
    assert_true(originals_save(&originals, NULL));
    originals_done(&originals);
}

static void
assert_entry(const Originals *originals, const char *group, const char *key, const char *want)
{
    g_autofree char *value = originals_get(originals, group, key);

    if (g_strcmp0(value, want) != 0)
        fail_msg("%s/%s is %s, want %s", group, key, value ? value : "absent",
                 want ? want : "absent");
}

static void
a_directory_without_a_record_is_empty_and_is_not_made_by_looking(void **state)
{
    const Place *place = *state;
    Originals originals;

    assert_int_equal(open_record(&originals, place), ORIGINALS_EMPTY);
    assert_false(originals_has_group(&originals, "ksm"));
    assert_entry(&originals, "ksm", "run", NULL);
    assert_false(g_file_test(place->dir, G_FILE_TEST_EXISTS));
    originals_done(&originals);
}

static void
what_was_saved_is_there_for_the_next_run_of_the_same_boot(void **state)
{
    Originals originals;

    leave_record(*state);
    assert_int_equal(open_record(&originals, *state), ORIGINALS_LOADED);
    assert_entry(&originals, "ksm", "run", "0");
    assert_entry(&originals, "ksm", "advisor_mode", "scan-time");
    assert_entry(&originals, "memory_high", OTHER_BOOT, "max");
    assert_entry(&originals, "ksm", "sleep_millisecs", NULL);
    assert_false(originals_has_group(&originals, "originals"));
    originals_done(&originals);
}

static void
record_and_directory_are_for_their_owner_only(void **state)
{
    const Place *place = *state;
    GStatBuf status;

    leave_record(place);
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

    open_record(&originals, *state);
    assert_true(originals_prepare(&originals, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *key = g_strdup_printf("key-%zu", i);

        originals_set(&originals, "ksm", key, values[i]);
    }
    assert_true(originals_save(&originals, NULL));
    originals_done(&originals);
    assert_int_equal(open_record(&originals, *state), ORIGINALS_LOADED);
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *key = g_strdup_printf("key-%zu", i);

        assert_entry(&originals, "ksm", key, values[i]);
    }
    originals_done(&originals);
}

static void
only_the_first_value_is_the_original(void **state)
{
    Originals originals;

    leave_record(*state);
    open_record(&originals, *state);
    assert_true(originals_prepare(&originals, NULL));
    originals_set(&originals, "ksm", "run", "1");
    assert_entry(&originals, "ksm", "run", "0");
    originals_done(&originals);
}

static void
a_record_of_an_earlier_boot_is_recognised_and_can_be_discarded(void **state)
{
    const Place *place = *state;
    Originals originals;
    g_autoptr(GError) error = NULL;

    leave_record(place);
    originals_init(&originals);
    assert_int_equal(originals_open(&originals, place->dir, OTHER_BOOT, &error),
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
    const Place *place = *state;
    Originals originals;

    leave_record(place);
    open_record(&originals, place);
    assert_true(originals_prepare(&originals, NULL));
    originals_drop(&originals, "ksm", NULL);
    assert_true(originals_save(&originals, NULL));
    assert_true(g_file_test(place->path, G_FILE_TEST_EXISTS));
    originals_drop(&originals, "memory_high", OTHER_BOOT);
    assert_false(originals_has_group(&originals, "memory_high"));
    assert_true(originals_save(&originals, NULL));
    assert_false(g_file_test(place->path, G_FILE_TEST_EXISTS));
    originals_done(&originals);
}

static void
saving_without_a_change_touches_nothing(void **state)
{
    const Place *place = *state;
    Originals originals;
    GStatBuf before;
    GStatBuf after;

    leave_record(place);
    assert_int_equal(g_stat(place->path, &before), 0);
    open_record(&originals, place);
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

    leave_record(*state);
    open_record(&first, *state);
    open_record(&second, *state);
    assert_true(originals_prepare(&first, NULL));
    assert_true(originals_prepare(&first, NULL));
    assert_false(originals_prepare(&second, &error));
    assert_non_null(strstr(error->message, "another virtksmd"));
    assert_non_null(strstr(error->message, "is using"));
    originals_set(&first, "ksm", "sleep_millisecs", "20");
    assert_true(originals_save(&first, NULL));
    originals_done(&first);

    assert_true(originals_prepare(&second, NULL));
    assert_entry(&second, "ksm", "sleep_millisecs", "20");
    originals_done(&second);
}

static void
a_claimed_directory_is_nobody_elses_and_a_record_in_it_is_as_the_last_one_left_it(void **state)
{
    const Place *place = *state;
    g_autoptr(GError) error = NULL;
    Originals first;
    Originals second;

    open_record(&first, place);
    open_record(&second, place);
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
    assert_entry(&second, "ksm", "run", "0");
    originals_done(&second);
}

static void
a_place_where_nothing_can_be_kept_is_claimed_all_the_same(void **state)
{
    const Place *place = *state;
    Originals originals;

    fakeroot_write(place->root, "var/lib/virtksm", "a file is in the way");
    open_record(&originals, place);
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
    const Place *place = *state;
    Originals originals;

    leave_record(place);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_build_filename(place->dir, rows[i].name, NULL);

        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            assert_true(g_file_set_contents(path, "half a rec", -1, NULL));
    }
    open_record(&originals, place);
    assert_true(originals_claim(&originals, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_build_filename(place->dir, rows[i].name, NULL);

        if (g_file_test(path, G_FILE_TEST_EXISTS) == rows[i].goes)
            fail_msg("%s is %s", rows[i].name, rows[i].goes ? "still there" : "gone");
    }
    assert_entry(&originals, "ksm", "run", "0");
    originals_done(&originals);
}

static void
the_boot_is_read_from_below_the_root(void **state)
{
    const Place *place = *state;
    g_autofree char *boot_id = NULL;
    g_autoptr(GError) error = NULL;
    char *untouched = NULL;
    int root_fd = fakeroot_fd(place->root);

    assert_false(originals_read_boot_id(root_fd, &untouched, NULL));
    fakeroot_write(place->root, "proc/sys/kernel/random/boot_id", "not a boot\n");
    assert_false(originals_read_boot_id(root_fd, &untouched, &error));
    assert_non_null(strstr(error->message, "not a boot"));
    assert_null(untouched);
    fakeroot_write(place->root, "proc/sys/kernel/random/boot_id", BOOT "\n");
    assert_true(originals_read_boot_id(root_fd, &boot_id, NULL));
    assert_string_equal(boot_id, BOOT);
}

static void
every_outcome_has_a_word(void **unused)
{
    static const char *const words[] = { "empty", "loaded", "old-boot", "damaged", "unreadable" };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        assert_string_equal(originals_outcome_name((OriginalsOutcome)i), words[i]);
    assert_string_equal(originals_outcome_name(ORIGINALS_COUNT), "unknown");
}

#define ON_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PLACE(a_directory_without_a_record_is_empty_and_is_not_made_by_looking),
        ON_PLACE(what_was_saved_is_there_for_the_next_run_of_the_same_boot),
        ON_PLACE(record_and_directory_are_for_their_owner_only),
        ON_PLACE(values_of_every_kind_come_back_as_they_were),
        ON_PLACE(only_the_first_value_is_the_original),
        ON_PLACE(a_record_of_an_earlier_boot_is_recognised_and_can_be_discarded),
        ON_PLACE(the_file_goes_with_the_last_entry),
        ON_PLACE(saving_without_a_change_touches_nothing),
        ON_PLACE(a_second_agent_is_kept_out_until_the_first_is_gone),
        ON_PLACE(a_claimed_directory_is_nobody_elses_and_a_record_in_it_is_as_the_last_one_left_it),
        ON_PLACE(a_place_where_nothing_can_be_kept_is_claimed_all_the_same),
        ON_PLACE(what_a_killed_writer_left_goes_when_the_directory_is_ours),
        ON_PLACE(the_boot_is_read_from_below_the_root),
        cmocka_unit_test(every_outcome_has_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
