/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * history_fault_test.c - a disk that is full, read-only or failing, and a process that is killed
 *
 * SQLite lets its calls to the system be replaced: that is how the disk fails here, at any write.
 */
#define _GNU_SOURCE
#include "agent/report/history.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "test/support/dice.h"
#include "test/support/fakehistory.h"

#define DAY FAKEHISTORY_DAY_S

/* Writes until the disk fails, and how; < 0: never. */
static int writes_left = -1;
static int write_errno;

static ssize_t
failing_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    if (writes_left == 0) {
        errno = write_errno;
        return -1;
    }
    if (writes_left > 0)
        writes_left--;
    return pwrite(fd, data, length, offset);
}

static void
set_disk(int writes, int reason)
{
    static const char *const calls[] = { "pwrite", "pwrite64" };
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
        vfs->xSetSystemCall(vfs, calls[i], (sqlite3_syscall_ptr)failing_pwrite);
    writes_left = writes;
    write_errno = reason;
}

static int
teardown(void **state)
{
    writes_left = -1;
    return fakehistory_teardown(state);
}

static bool
try_minute(FakeHistory *fake, int64_t minute, unsigned domains)
{
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY + minute * 60, domains);

    return history_prune(fake->history, &fake->limits, DAY + minute * 60, NULL) &&
           history_write(fake->history, batch, &fake->limits, NULL);
}

static void
a_disk_that_fails_at_any_write_loses_the_minute_at_most(void **state)
{
    static const int reasons[] = { ENOSPC, EIO, EROFS, EDQUOT };
    FakeHistory *fake = *state;
    unsigned minutes = 0;
    unsigned failures = 0;

    fakehistory_write(fake, DAY, 5);
    minutes = 1;
    for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++) {
        for (int writes = 0; writes < 40; writes++) {
            g_autofree char *note = NULL;
            g_autofree char *when =
                g_strdup_printf("%s after %d writes", g_strerror(reasons[i]), writes);
            bool taken;

            set_disk(writes, reasons[i]);
            taken = try_minute(fake, minutes, 5);
            minutes += taken ? 1 : 0;
            failures += taken ? 0 : 1;
            set_disk(-1, 0);
            fakehistory_expect(fake, minutes, when);
            note = history_take_note(fake->history);
            if (note)
                fail_msg("%s: %s", when, note);
        }
    }
    assert_in_range(failures, 20, 159);
    /* The same minutes are there for the next run. */
    fakehistory_reopen(fake);
    fakehistory_expect(fake, minutes, "after all");
}

static void
a_disk_that_is_full_at_the_start_is_tried_again(void **state)
{
    FakeHistory *fake = *state;

    for (int writes = 0; writes < 30; writes++) {
        set_disk(writes, ENOSPC);
        try_minute(fake, 0, 1);
        set_disk(-1, 0);
        fakehistory_reopen(fake);
        assert_true(history_open(fake->history, NULL));
        assert_null(history_take_note(fake->history));
    }
}

/* A link, to nothing or to a file that anybody may have made: whose it is is not ours to say. */
static void
nothing_is_made_or_written_through_a_link(void **state)
{
    static const bool dangles[] = { true, false };
    FakeHistory *fake = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(dangles); i++) {
        g_autofree char *folder = g_path_get_dirname(fake->path);
        g_autofree char *target = g_build_filename(folder, "target", NULL);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        if (!dangles[i])
            assert_true(g_file_set_contents(target, "", 0, NULL));
        assert_int_equal(symlink(target, fake->path), 0);
        assert_false(history_open(fake->history, &error));
        assert_non_null(strstr(error->message, fake->path));
        assert_non_null(strstr(error->message, "it is a symbolic link"));
        assert_null(history_take_note(fake->history));
        assert_int_equal(g_file_get_contents(target, &text, NULL, NULL), !dangles[i]);
        assert_string_equal(text ? text : "", "");
        assert_int_equal(unlink(fake->path), 0);
    }
    assert_true(history_open(fake->history, NULL)); /* tried again, without it */
}

static void
the_folder_may_be_a_link(void **state)
{
    FakeHistory *fake = *state;
    g_autofree char *folder = g_path_get_dirname(fake->path);
    g_autofree char *link = g_strconcat(folder, "/link", NULL);
    g_autoptr(History) history = history_new(link);

    assert_int_equal(symlink(folder, link), 0);
    assert_true(history_open(history, NULL));
    assert_true(g_file_test(fake->path, G_FILE_TEST_IS_REGULAR));
    unlink(link);
}

/* Writes until it is told to stop by a limit of the system. */
static void
child_writes_against_a_limit(FakeHistory *fake)
{
    struct rlimit limit = { 200000, 200000 };
    int64_t minute = 1;
    unsigned failures = 0;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        _exit(10);
    for (; minute < 300; minute++)
        failures += try_minute(fake, minute, 20) ? 0 : 1;
    _exit(failures > 10 ? 0 : 11);
}

static void
a_file_that_may_not_grow_does_no_damage(void **state)
{
    FakeHistory *fake = *state;
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        child_writes_against_a_limit(fake);
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(history_open(fake->history, NULL));
    assert_null(history_take_note(fake->history));
    fakehistory_write(fake, DAY + 400 * 60, 20);
}

/* Writes minutes for ever, and reports each that was taken. */
static void
child_writes(const char *folder, int64_t minute, int report)
{
    g_autoptr(History) history = history_new(folder);
    HistoryLimits limits = { .keep_s = { 86400, 31 * 86400, 731 * 86400 },
                             .size_bytes = 64 * 1048576 };

    for (;; minute++) {
        g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY + minute * 60, 30);

        if (!history_prune(history, &limits, DAY + minute * 60, NULL) ||
            !history_write(history, batch, &limits, NULL) ||
            write(report, &minute, sizeof(minute)) != sizeof(minute))
            _exit(1);
    }
}

/* Kills a child in the middle of the minutes after the first few that it tells of.
 *
 * Return: the last minute that it had taken by then. */
static int64_t
kill_one(const FakeHistory *fake, int64_t first, Dice *dice)
{
    uint64_t few = 1 + dice_below(dice, 30);
    int64_t minute = first - 1;
    int64_t seen;
    int report[2];
    pid_t child;
    int status = 0;

    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    child = fork();
    if (child == 0)
        child_writes(fakeroot_path(fake->root), first, report[1]);
    close(report[1]);
    for (; few > 0 && read(report[0], &seen, sizeof(seen)) == sizeof(seen); few--)
        minute = seen;
    usleep((useconds_t)dice_below(dice, 1000));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status));
    while (read(report[0], &seen, sizeof(seen)) == sizeof(seen))
        minute = seen;
    close(report[0]);
    return minute;
}

static void
sigkill_at_any_moment_loses_nothing_that_was_taken(void **state)
{
    FakeHistory *fake = *state;
    Dice dice = dice_new();
    int64_t next = 0;

    for (unsigned round = 0; round < 60; round++) {
        int64_t last = kill_one(fake, next, &dice);
        g_autoptr(HistoryAnswer) answer = NULL;
        g_autofree char *when = g_strdup_printf("round %u", round);

        fakehistory_reopen(fake);
        answer = fakehistory_ask(fake, NULL, HISTORY_DAY, DAY, DAY + 86400 * 30);
        /* One more may have been taken than could be reported. */
        next = answer->rows->len == 0
                   ? 0
                   : (int64_t)(fakehistory_figure(&answer->host, "running_s") / 60.0);
        if (next < last + 1 || next > last + 2)
            fail_msg("%s: %" G_GINT64_FORMAT " minutes, %" G_GINT64_FORMAT " were taken", when,
                     (gint64)next, (gint64)last + 1);
        assert_null(history_take_note(fake->history));
        history_free(g_steal_pointer(&fake->history));
    }
    assert_true(next > 60);
}

int
main(void)
{
#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, fakehistory_setup, teardown)
    const struct CMUnitTest tests[] = {
        FAULT_TEST(a_disk_that_fails_at_any_write_loses_the_minute_at_most),
        FAULT_TEST(a_disk_that_is_full_at_the_start_is_tried_again),
        FAULT_TEST(nothing_is_made_or_written_through_a_link),
        FAULT_TEST(the_folder_may_be_a_link),
        FAULT_TEST(a_file_that_may_not_grow_does_no_damage),
        FAULT_TEST(sigkill_at_any_moment_loses_nothing_that_was_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
