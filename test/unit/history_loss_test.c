/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_loss_test.c - a history that is removed or replaced while it is written */
#define _GNU_SOURCE
#include "agent/report/history.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "test/support/fakehistory.h"

#define DAY FAKEHISTORY_DAY_S

/* How a history can get lost while it is written. */
typedef struct {
    const char *when;
    void (*happen)(const FakeHistory *fake);
    unsigned minutes; /* that are in the place of the old one after the next minute */
    const char *gone; /* end of the path that is told */
} Loss;

static char *
beside(const FakeHistory *fake, const char *name)
{
    g_autofree char *folder = g_path_get_dirname(fake->path);

    return g_build_filename(folder, name, NULL);
}

static void
remove_database(const FakeHistory *fake)
{
    assert_int_equal(unlink(fake->path), 0);
}

static void
remove_log(const FakeHistory *fake)
{
    g_autofree char *log = g_strconcat(fake->path, "-wal", NULL);

    assert_int_equal(unlink(log), 0);
}

static void
remove_folder(const FakeHistory *fake)
{
    remove_database(fake);
    remove_log(fake);
    assert_int_equal(rmdir(fakeroot_path(fake->root)), 0);
}

/* Its log stays, and does not belong to what is there then. */
static void
rename_database(const FakeHistory *fake)
{
    g_autofree char *renamed = beside(fake, "renamed");

    assert_int_equal(rename(fake->path, renamed), 0);
}

/* Another history, of two minutes, that was left as a kill leaves it: the minutes are in its log.
 */
static void
replace_both(const FakeHistory *fake)
{
    static const char *const names[] = { HISTORY_FILE, HISTORY_FILE "-wal" };
    FakeHistory *other;

    fakehistory_setup((void **)&other);
    fakehistory_write(other, DAY + 1000 * 60, 1);
    fakehistory_write(other, DAY + 1001 * 60, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *from = beside(other, names[i]);
        g_autofree char *new = beside(fake, "new");
        g_autofree char *to = beside(fake, names[i]);
        g_autofree char *data = NULL;
        gsize length;

        assert_true(g_file_get_contents(from, &data, &length, NULL));
        assert_true(g_file_set_contents(new, data, (gssize)length, NULL));
        assert_int_equal(rename(new, to), 0);
    }
    fakehistory_teardown((void **)&other);
}

/* A whole history without a log: ours is left beside it. */
static void
replace_database(const FakeHistory *fake)
{
    FakeHistory *other;

    fakehistory_setup((void **)&other);
    fakehistory_write(other, DAY + 1000 * 60, 1);
    fakehistory_reopen(other);
    assert_int_equal(rename(other->path, fake->path), 0);
    fakehistory_teardown((void **)&other);
}

static void
replace_with_rubbish(const FakeHistory *fake)
{
    assert_true(g_file_set_contents(fake->path, "rubbish", -1, NULL));
}

static void
replace_with_damage(const FakeHistory *fake)
{
    g_autofree char *damage = g_strnfill(8192, 'x');
    FILE *file;

    replace_database(fake);
    file = fopen(fake->path, "r+e");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(damage, 1, 8192, file), 8192);
    assert_int_equal(fclose(file), 0);
}

static const Loss losses[] = {
    { "the file is removed", remove_database, 1, HISTORY_FILE },
    { "the folder is removed", remove_folder, 1, HISTORY_FILE },
    { "the file is renamed", rename_database, 1, HISTORY_FILE },
    { "the file is replaced", replace_database, 2, HISTORY_FILE },
    { "file and log are replaced", replace_both, 3, HISTORY_FILE },
    { "the file is replaced with rubbish", replace_with_rubbish, 1, HISTORY_FILE },
    { "the file is replaced with a damaged one", replace_with_damage, 1, HISTORY_FILE },
    { "the log is removed", remove_log, 3, HISTORY_FILE "-wal" },
};

static void
expect_told_once(const FakeHistory *fake, const Loss *loss)
{
    g_autofree char *want = g_strdup_printf("/%s was removed or replaced", loss->gone);
    g_autofree char *note = history_take_note(fake->history);

    if (!note || !strstr(note, want))
        fail_msg("%s: told \"%s\", want \"%s\"", loss->when, note ? note : "nothing", want);
    assert_null(history_take_note(fake->history));
}

static void
a_history_that_is_removed_or_replaced_goes_on_where_others_look_for_it(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(losses); i++) {
        FakeHistory *fake;

        fakehistory_setup((void **)&fake);
        fakehistory_write(fake, DAY, 5);
        fakehistory_write(fake, DAY + 60, 5);
        losses[i].happen(fake);
        fakehistory_write(fake, DAY + 120, 5);
        expect_told_once(fake, &losses[i]);
        if (fakehistory_files(fake, HISTORY_FILE "-wal") != 1)
            fail_msg("%s: no log", losses[i].when);
        fakehistory_expect(fake, losses[i].minutes, losses[i].when);
        assert_null(history_take_note(fake->history));
        fakehistory_reopen(fake);
        fakehistory_expect(fake, losses[i].minutes, losses[i].when);
        assert_null(history_take_note(fake->history));
        fakehistory_teardown((void **)&fake);
    }
}

static void
one_that_was_renamed_takes_along_what_it_had(void **state)
{
    FakeHistory *fake = *state;
    g_autofree char *renamed = beside(fake, "renamed");

    fakehistory_write(fake, DAY, 5);
    rename_database(fake);
    fakehistory_write(fake, DAY + 60, 5);
    history_free(g_steal_pointer(&fake->history));
    assert_int_equal(rename(renamed, fake->path), 0);
    fakehistory_reopen(fake);
    fakehistory_expect(fake, 1, "renamed back");
}

static void
one_that_a_link_leads_to_is_written_no_more(void **state)
{
    FakeHistory *fake = *state;
    g_autofree char *renamed = beside(fake, "renamed");
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY + 60, 5);
    g_autoptr(GError) error = NULL;
    g_autofree char *note = NULL;

    fakehistory_write(fake, DAY, 5);
    rename_database(fake);
    assert_int_equal(symlink(renamed, fake->path), 0);
    assert_false(history_write(fake->history, batch, &fake->limits, &error));
    assert_non_null(strstr(error->message, "it is a symbolic link"));
    note = history_take_note(fake->history);
    assert_non_null(strstr(note, "was removed or replaced"));
    assert_int_equal(unlink(fake->path), 0);
    fakehistory_write(fake, DAY + 60, 5); /* tried again, without it */
    assert_null(history_take_note(fake->history));
    fakehistory_expect(fake, 1, "without the link");
}

/* A disk that takes nothing. */
static ssize_t
full_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    (void)fd;
    (void)data;
    (void)length;
    (void)offset;
    errno = ENOSPC;
    return -1;
}

static void
set_call(const char *name, sqlite3_syscall_ptr call)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    assert_int_equal(vfs->xSetSystemCall(vfs, name, call), SQLITE_OK);
}

static void
a_log_that_could_not_be_taken_over_is_not_left_to_another_database(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY + 120, 5);

    fakehistory_write(fake, DAY, 5);
    fakehistory_write(fake, DAY + 60, 5);
    replace_database(fake);
    set_call("pwrite", (sqlite3_syscall_ptr)full_pwrite);
    set_call("pwrite64", (sqlite3_syscall_ptr)full_pwrite);
    assert_false(history_write(fake->history, batch, &fake->limits, NULL));
    set_call("pwrite", NULL);
    set_call("pwrite64", NULL);
    fakehistory_write(fake, DAY + 120, 5);
    fakehistory_expect(fake, 2, "another one");
}

/* What SQLite sees of a file on a copy of the disk: the same number, on another device. */
static ino_t same_inode;

static int
copied_stat(const char *path, struct stat *status)
{
    int code = stat(path, status);

    status->st_ino = same_inode;
    return code;
}

static void
the_log_that_came_with_a_copy_of_the_disk_stays(void **state)
{
    FakeHistory *fake = *state;
    struct stat status;

    fakehistory_write(fake, DAY, 5);
    assert_int_equal(stat(fake->path, &status), 0);
    same_inode = status.st_ino;
    replace_both(fake);
    set_call("stat", (sqlite3_syscall_ptr)copied_stat);
    fakehistory_write(fake, DAY + 60, 5);
    set_call("stat", NULL);
    fakehistory_expect(fake, 3, "a copy");
}

int
main(void)
{
#define LOSS_TEST(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, fakehistory_setup, fakehistory_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_that_is_removed_or_replaced_goes_on_where_others_look_for_it),
        LOSS_TEST(one_that_was_renamed_takes_along_what_it_had),
        LOSS_TEST(one_that_a_link_leads_to_is_written_no_more),
        LOSS_TEST(a_log_that_could_not_be_taken_over_is_not_left_to_another_database),
        LOSS_TEST(the_log_that_came_with_a_copy_of_the_disk_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
