/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_schema_test.c - files that the agent may find in place of its history */
#define _GNU_SOURCE
#include "agent/report/history.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <sqlite3.h>

#include "agent/error.h"
#include "test/support/fakehistory.h"

#define DAY FAKEHISTORY_DAY_S

/* Runs SQL on the file, beside the agent. */
static void
sql(const FakeHistory *fake, const char *text)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    assert_int_equal(sqlite3_open(fake->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    sqlite3_close(db);
}

/* A history with an hour in it, closed. */
static void
fill(FakeHistory *fake)
{
    for (int64_t minute = 0; minute < 60; minute++)
        fakehistory_write(fake, DAY + minute * 60, 20);
    history_free(g_steal_pointer(&fake->history));
}

static char *
contents(const FakeHistory *fake, gsize *ret_length)
{
    char *text = NULL;

    assert_true(g_file_get_contents(fake->path, &text, ret_length, NULL));
    return text;
}

static void
overwrite(const FakeHistory *fake, const char *text, gsize length)
{
    assert_true(g_file_set_contents(fake->path, text, (gssize)length, NULL));
}

/* The next start finds damage, says so, keeps the old file, and goes on with a new one. */
static void
expect_new_beginning(FakeHistory *fake, const char *when)
{
    g_autofree char *note = NULL;
    g_autoptr(HistoryAnswer) answer = NULL;
    g_autoptr(GError) error = NULL;

    history_free(fake->history);
    fake->history = history_new(fakeroot_path(fake->root));
    if (!history_open(fake->history, &error))
        fail_msg("%s: %s", when, error->message);
    note = history_take_note(fake->history);
    if (!note || !strstr(note, HISTORY_FILE ".corrupt-"))
        fail_msg("%s: %s", when, note ? note : "nothing was said");
    if (fakehistory_files(fake, HISTORY_FILE ".corrupt-") != 1)
        fail_msg("%s: %u files are aside", when, fakehistory_files(fake, HISTORY_FILE ".corrupt-"));
    fakehistory_write(fake, DAY + 7200, 1);
    answer = fakehistory_ask(fake, NULL, HISTORY_HOUR, DAY, DAY + 86400);
    if (answer->rows->len != 1)
        fail_msg("%s: %u rows in the new one", when, answer->rows->len);
}

static void
what_is_no_database_of_ours_is_moved_aside(void **state)
{
    static const struct {
        const char *when;
        const char *text;
    } rows[] = {
        { "text", "this is not a database, but it is long enough to have a header, which is one "
                  "hundred bytes, and a little more" },
        { "the beginning of a header", "SQLite format 3" },
        { "one byte", "x" },
    };
    FakeHistory *fake = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakehistory_reopen(fake);
        overwrite(fake, rows[i].text, strlen(rows[i].text));
        expect_new_beginning(fake, rows[i].when);
    }
}

static void
the_database_of_something_else_is_moved_aside_whole(void **state)
{
    FakeHistory *fake = *state;

    sql(fake, "PRAGMA application_id = 4711; CREATE TABLE t (x);");
    expect_new_beginning(fake, "of another program");
    sql(fake, "SELECT 1"); /* the lock is the agent's: this one only opens */
    history_free(g_steal_pointer(&fake->history));
    sql(fake, "DROP TABLE minute");
    expect_new_beginning(fake, "without a table");
    history_free(g_steal_pointer(&fake->history));
    sql(fake, "DROP TABLE domain");
    expect_new_beginning(fake, "without domains");
}

static void
an_empty_file_and_no_file_are_a_beginning(void **state)
{
    FakeHistory *fake = *state;

    overwrite(fake, "", 0);
    fakehistory_write(fake, DAY, 1);
    assert_null(history_take_note(fake->history));
    fakehistory_reopen(fake);
    g_unlink(fake->path);
    fakehistory_write(fake, DAY, 1);
    assert_null(history_take_note(fake->history));
    assert_int_equal(fakehistory_files(fake, HISTORY_FILE ".corrupt-"), 0);
}

static void
damage_anywhere_is_found_or_does_no_harm(void **state)
{
    FakeHistory *fake = *state;
    g_autofree char *good = NULL;
    gsize length = 0;
    unsigned found = 0;
    unsigned pages;

    fill(fake);
    good = contents(fake, &length);
    pages = (unsigned)(length / 4096);
    assert_true(pages > 20);
    for (unsigned page = 0; page < pages; page++) {
        g_autofree char *bad = g_memdup2(good, length);
        g_autofree char *note = NULL;

        memset(bad + page * 4096 + (page == 0 ? 100 : 0), 0xa5, page == 0 ? 3996 : 4096);
        overwrite(fake, bad, length);
        fakehistory_reopen(fake);
        fakehistory_write(fake, DAY + 86400, 20);
        note = history_take_note(fake->history);
        found += note ? 1 : 0;
        history_free(g_steal_pointer(&fake->history));
    }
    /* All but pages that are free or are just a map of the others. */
    if (found < pages - 2)
        fail_msg("found in %u of %u pages", found, pages);
    assert_int_equal(fakehistory_files(fake, HISTORY_FILE ".corrupt-"), 1);
}

static void
a_file_that_is_cut_short_is_moved_aside(void **state)
{
    FakeHistory *fake = *state;
    g_autofree char *good = NULL;
    gsize length = 0;

    fill(fake);
    good = contents(fake, &length);
    overwrite(fake, good, length / 2);
    expect_new_beginning(fake, "half of it");
}

/* In place, as a disk would: all but the header. */
static void
spoil(const FakeHistory *fake, gsize length)
{
    g_autofree char *junk = g_malloc(length);
    int fd = open(fake->path, O_WRONLY | O_CLOEXEC);

    memset(junk, 0xa5, length);
    assert_true(pwrite(fd, junk, length - 4096, 4096) == (ssize_t)(length - 4096));
    close(fd);
}

static void
damage_that_comes_while_it_runs_is_moved_aside_too(void **state)
{
    FakeHistory *fake = *state;
    HistoryQuery query = { NULL, DAY, DAY + 86400, HISTORY_MINUTE };
    g_autoptr(HistoryAnswer) answer = NULL;
    g_autofree char *note = NULL;

    /* More than SQLite keeps in memory. */
    for (int64_t minute = 0; minute < 400; minute++)
        fakehistory_write(fake, DAY + minute * 60, 200);
    fakehistory_reopen(fake);
    assert_true(history_open(fake->history, NULL));
    spoil(fake, history_size_bytes(fake->history));
    assert_false(history_query(fake->history, &query, &answer, NULL));
    note = history_take_note(fake->history);
    assert_non_null(note);
    fakehistory_write(fake, DAY + 86400, 1);
    answer = fakehistory_ask(fake, NULL, HISTORY_MINUTE, DAY, DAY + 2 * 86400);
    assert_int_equal(answer->rows->len, 1);
}

static void
a_newer_version_is_left_untouched_and_returns_when_it_is_gone(void **state)
{
    FakeHistory *fake = *state;
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    gsize length = 0;
    gsize length_after = 0;
    struct stat stamp;
    struct stat stamp_after;

    fill(fake);
    sql(fake, "PRAGMA user_version = 99");
    before = contents(fake, &length);
    assert_int_equal(stat(fake->path, &stamp), 0);
    fake->history = history_new(fakeroot_path(fake->root));
    for (unsigned i = 0; i < 3; i++) {
        g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY, 1);
        g_autoptr(HistoryAnswer) answer = NULL;
        g_autoptr(GError) error = NULL;
        HistoryQuery query = { NULL, DAY, DAY + 60, HISTORY_MINUTE };

        assert_false(history_write(fake->history, batch, &fake->limits, &error));
        assert_non_null(strstr(error->message, "newer virtksmd (format 99, this one knows 1)"));
        assert_false(history_query(fake->history, &query, &answer, NULL));
    }
    after = contents(fake, &length_after);
    assert_int_equal(length, length_after);
    assert_memory_equal(before, after, length);
    assert_int_equal(stat(fake->path, &stamp_after), 0);
    assert_int_equal(stamp.st_mtim.tv_nsec, stamp_after.st_mtim.tv_nsec);
    assert_int_equal(fakehistory_files(fake, HISTORY_FILE), 1);
    g_unlink(fake->path);
    fakehistory_write(fake, DAY, 1);
}

static void
a_history_of_an_older_build_gets_the_columns_that_are_new(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryAnswer) answer = NULL;
    const HistoryRecord *row;

    fill(fake);
    sql(fake, "ALTER TABLE hour DROP COLUMN resident_kib_s; ALTER TABLE minute DROP COLUMN "
              "resident_kib_s; ALTER TABLE day DROP COLUMN resident_kib_s;"
              "ALTER TABLE hour ADD COLUMN of_a_later_build INTEGER");
    fake->history = history_new(fakeroot_path(fake->root));
    fakehistory_write(fake, DAY + 3600, 1);
    assert_null(history_take_note(fake->history));
    answer = fakehistory_ask(fake, "d0", HISTORY_HOUR, DAY, DAY + 7200);
    assert_int_equal(answer->rows->len, 2);
    row = g_ptr_array_index(answer->rows, 0);
    assert_false(history_is_known(&row->sums, fakehistory_column("resident_gib_hours")));
    assert_true(fakehistory_figure(&row->sums, "saved_gib_hours") == 1.0);
    row = g_ptr_array_index(answer->rows, 1);
    assert_true(fakehistory_figure(&row->sums, "resident_gib_hours") > 0);
}

static void
triggers_in_a_file_do_not_run(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryAnswer) answer = NULL;

    fill(fake);
    sql(fake, "CREATE TRIGGER t AFTER INSERT ON day BEGIN DELETE FROM minute; END");
    fake->history = history_new(fakeroot_path(fake->root));
    fakehistory_write(fake, DAY + 3600, 1);
    answer = fakehistory_ask(fake, NULL, HISTORY_MINUTE, DAY, DAY + 7200);
    assert_int_equal(answer->rows->len, 61);
}

static void
a_file_that_another_program_holds_is_waited_for(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY + 3600, 1);
    g_autoptr(GError) error = NULL;
    sqlite3 *db = NULL;

    fill(fake);
    fake->history = history_new(fakeroot_path(fake->root));
    assert_int_equal(sqlite3_open(fake->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; DELETE "
                                  "FROM day",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_false(history_write(fake->history, batch, &fake->limits, &error));
    assert_non_null(strstr(error->message, "locked"));
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    assert_true(history_write(fake->history, batch, &fake->limits, NULL));
    assert_null(history_take_note(fake->history));
}

int
main(void)
{
#define HISTORY_TEST(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fakehistory_setup, fakehistory_teardown)
    const struct CMUnitTest tests[] = {
        HISTORY_TEST(what_is_no_database_of_ours_is_moved_aside),
        HISTORY_TEST(the_database_of_something_else_is_moved_aside_whole),
        HISTORY_TEST(an_empty_file_and_no_file_are_a_beginning),
        HISTORY_TEST(damage_anywhere_is_found_or_does_no_harm),
        HISTORY_TEST(a_file_that_is_cut_short_is_moved_aside),
        HISTORY_TEST(damage_that_comes_while_it_runs_is_moved_aside_too),
        HISTORY_TEST(a_newer_version_is_left_untouched_and_returns_when_it_is_gone),
        HISTORY_TEST(a_history_of_an_older_build_gets_the_columns_that_are_new),
        HISTORY_TEST(triggers_in_a_file_do_not_run),
        HISTORY_TEST(a_file_that_another_program_holds_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
