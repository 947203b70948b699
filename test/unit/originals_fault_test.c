/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* originals_fault_test.c - full disks, forbidden directories and SIGKILL leave the record whole */
#define _GNU_SOURCE
#include "agent/actuator/originals.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/recordplace.h"

/* What the wrapped calls fail with; 0: they do what the system does. */
static struct {
    int access_errno;
    int sync_errno;
    int unlink_errno;
} kernel;

int __wrap_faccessat(int dir_fd, const char *path, int mode, int flags);
int __real_faccessat(int dir_fd, const char *path, int mode, int flags);
int __wrap_fsync(int fd);
int __real_fsync(int fd);
int __wrap_unlinkat(int dir_fd, const char *path, int flags);
int __real_unlinkat(int dir_fd, const char *path, int flags);

static int
fail_with(int code)
{
    errno = code;
    return -1;
}

int
__wrap_faccessat(int dir_fd, const char *path, int mode, int flags)
{
    return kernel.access_errno ? fail_with(kernel.access_errno)
                               : __real_faccessat(dir_fd, path, mode, flags);
}

int
__wrap_fsync(int fd)
{
    return kernel.sync_errno ? fail_with(kernel.sync_errno) : __real_fsync(fd);
}

int
__wrap_unlinkat(int dir_fd, const char *path, int flags)
{
    return kernel.unlink_errno ? fail_with(kernel.unlink_errno)
                               : __real_unlinkat(dir_fd, path, flags);
}

static int
setup(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    return recordplace_setup(state);
}

static void
a_record_that_cannot_be_read_is_not_taken_for_none(void **state)
{
    const RecordPlace *place = *state;
    g_autoptr(GError) error = NULL;
    Originals originals;

    assert_int_equal(g_mkdir_with_parents(place->path, 0700), 0);
    originals_init(&originals);
    assert_int_equal(originals_open(&originals, place->dir, RECORDPLACE_BOOT, &error),
                     ORIGINALS_UNREADABLE);
    assert_non_null(strstr(error->message, place->path));
    assert_false(originals_prepare(&originals, NULL));
    originals_done(&originals);
}

static void
a_full_disk_leaves_the_old_record_whole(void **state)
{
    const RecordPlace *place = *state;
    struct rlimit before;
    struct rlimit none;
    g_autoptr(GError) error = NULL;
    Originals originals;
    bool saved;

    recordplace_leave(place);
    recordplace_open(place, &originals);
    assert_true(originals_prepare(&originals, NULL));
    originals_set(&originals, "ksm", "sleep_millisecs", "20");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){ 0, before.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    saved = originals_save(&originals, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(saved);
    assert_non_null(strstr(error->message, "cannot be saved"));
    originals_done(&originals);

    assert_int_equal(recordplace_open(place, &originals), ORIGINALS_LOADED);
    recordplace_expect(&originals, "ksm", "run", "0");
    recordplace_expect(&originals, "ksm", "sleep_millisecs", NULL);
    originals_done(&originals);
}

static void
a_state_directory_that_cannot_be_used_is_said_before_anything_is_written(void **state)
{
    static const struct {
        const char *when;
        const char *dir; /* below the root */
        int access_errno;
        const char *says;
    } rows[] = {
        { "a file in the way", "file/virtksm", 0, "create state directory" },
        { "a file in its place", "file", 0, "state directory" },
        { "not ours", "dir", EACCES, "Permission denied" },
        { "read-only", "dir", EROFS, "Read-only" },
    };
    const RecordPlace *place = *state;

    fakeroot_write(place->root, "file", "x");
    fakeroot_write(place->root, "dir/other", "x");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *dir = g_build_filename(fakeroot_path(place->root), rows[i].dir, NULL);
        g_autoptr(GError) error = NULL;
        Originals originals;

        kernel.access_errno = rows[i].access_errno;
        originals_init(&originals);
        originals_open(&originals, dir, RECORDPLACE_BOOT, NULL);
        if (originals_prepare(&originals, &error))
            fail_msg("%s: taken", rows[i].when);
        kernel.access_errno = 0;
        if (!strstr(error->message, dir))
            fail_msg("%s: %s", rows[i].when, error->message);
        /* A file in the place of the directory is found when the record is looked for. */
        if (originals.outcome == ORIGINALS_EMPTY && !strstr(error->message, rows[i].says))
            fail_msg("%s: %s", rows[i].when, error->message);
        originals_done(&originals);
    }
}

static void
a_directory_that_cannot_be_synced_is_a_failure(void **state)
{
    g_autoptr(GError) error = NULL;
    Originals originals;

    recordplace_open(*state, &originals);
    assert_true(originals_prepare(&originals, NULL));
    originals_set(&originals, "ksm", "run", "0");
    kernel.sync_errno = EIO;
    assert_false(originals_save(&originals, &error));
    kernel.sync_errno = 0;
    assert_true(originals_save(&originals, NULL));
    originals_done(&originals);
}

static void
a_record_that_cannot_be_removed_is_a_failure_and_stays(void **state)
{
    g_autoptr(GError) error = NULL;
    Originals originals;

    recordplace_leave(*state);
    recordplace_open(*state, &originals);
    assert_true(originals_prepare(&originals, NULL));
    kernel.unlink_errno = EROFS;
    assert_false(originals_discard(&originals, &error));
    kernel.unlink_errno = 0;
    originals_done(&originals);
    assert_int_equal(recordplace_open(*state, &originals), ORIGINALS_LOADED);
    originals_done(&originals);
}

static void
a_killed_agent_leaves_the_old_record_or_the_new_one(void **state)
{
    recordplace_leave(*state);
    for (unsigned i = 0; i < 40; i++) {
        pid_t pid = fork();
        Originals originals;
        OriginalsOutcome outcome;
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
            recordplace_open(*state, &originals);
            if (!originals_prepare(&originals, NULL))
                _exit(1);
            for (unsigned n = 0;; n++) {
                originals_drop(&originals, "balloon", NULL);
                originals_set(&originals, "balloon", "target", n % 2 ? "1" : "22222222222222");
                originals_save(&originals, NULL);
            }
        }
        g_usleep(1000 + 500 * i);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        outcome = recordplace_open(*state, &originals);
        if (outcome != ORIGINALS_LOADED)
            fail_msg("killed after %u us: outcome %d", 1000 + 500 * i, outcome);
        recordplace_expect(&originals, "ksm", "run", "0");
        originals_done(&originals);
    }
}

#define ON_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, recordplace_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PLACE(a_record_that_cannot_be_read_is_not_taken_for_none),
        ON_PLACE(a_full_disk_leaves_the_old_record_whole),
        ON_PLACE(a_state_directory_that_cannot_be_used_is_said_before_anything_is_written),
        ON_PLACE(a_directory_that_cannot_be_synced_is_a_failure),
        ON_PLACE(a_record_that_cannot_be_removed_is_a_failure_and_stays),
        ON_PLACE(a_killed_agent_leaves_the_old_record_or_the_new_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
