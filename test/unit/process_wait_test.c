/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process_wait_test.c - the wait of all threads of a process, for a bounded price */
#define _GNU_SOURCE

#include "agent/facts/process.h"

#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakehost.h"

#define TASK "proc/42/task/"

/* Holds the fabricated QEMU in a tree; its two threads are 42 and 43. */
static void
hold_qemu(FakeRoot *root, Process *process)
{
    fakehost_add_qemu(root);
    assert_true(process_find(fakeroot_fd(root),
                             &(ProcessWanted){ "web", FAKEHOST_QEMU_UUID, false }, process, NULL));
}

static void
assert_wait(const char *when, const Process *process, uint64_t want)
{
    uint64_t have = process_wait_us(process);

    if (have != want)
        fail_msg("%s: %" PRIu64 " us, want %" PRIu64, when, have, want);
}

static void
adds_up_the_threads_and_forgets_those_that_ended(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_auto(Process) process = { 0 };
    (void)unused;

    hold_qemu(root, &process);
    assert_wait("two threads", &process, 7000);
    fakeroot_write(root, TASK "50/schedstat", "1 500001 1\n");
    assert_wait("a third", &process, 7501);
    fakeroot_remove(root, TASK "43");
    assert_wait("the second ended", &process, 3500);
}

static void
threads_without_a_figure_count_nothing_and_all_without_one_are_not_known(void **unused)
{
    static const struct {
        const char *when;
        const char *schedstat; /* of the second thread; NULL: no such file */
        uint64_t want;         /* the first has waited 3000 us */
    } rows[] = {
        { "never ran", "0 0 0\n", 3000 },
        { "no file", NULL, 3000 },
        { "empty", "", 3000 },
        { "one field", "5\n", 3000 },
        { "minus one", "5 -1 2\n", 3000 },
        { "garbage", "a b c\n", 3000 },
        { "ran and never waited", "5 0 1\n", 3000 },
        { "more than can be", "5 18446744073709551614 1\n", UINT64_MAX / 1000 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        g_auto(Process) process = { 0 };

        hold_qemu(root, &process);
        fakeroot_remove(root, TASK "43/schedstat");
        if (rows[i].schedstat)
            fakeroot_write(root, TASK "43/schedstat", "%s", rows[i].schedstat);
        assert_wait(rows[i].when, &process, rows[i].want);
        fakeroot_write(root, TASK "42/schedstat", "0 0 0\n");
        fakeroot_write(root, TASK "43/schedstat", "0 0 0\n");
        assert_wait("a kernel that does not count", &process, VALUE_UNKNOWN);
        fakeroot_remove(root, TASK "42/schedstat");
        fakeroot_remove(root, TASK "43/schedstat");
        assert_wait("a kernel without the file", &process, VALUE_UNKNOWN);
        fakeroot_remove(root, TASK);
        assert_wait("no threads at all", &process, VALUE_UNKNOWN);
    }
}

static void
looks_at_no_more_than_1024_threads(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_auto(Process) process = { 0 };
    (void)unused;

    hold_qemu(root, &process);
    fakeroot_remove(root, TASK);
    for (unsigned tid = 1; tid <= 1100; tid++) {
        g_autofree char *path = g_strdup_printf(TASK "%u/schedstat", tid);

        fakeroot_write(root, path, "1 1000 1\n");
    }
    assert_wait("1100 threads that waited 1 us each", &process, 1024);
}

static void
takes_only_directories_of_threads_for_threads(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_auto(Process) process = { 0 };
    (void)unused;

    hold_qemu(root, &process);
    fakeroot_write(root, TASK "self/schedstat", "1 9000000 1\n");
    fakeroot_write(root, TASK "-1/schedstat", "1 9000000 1\n");
    fakeroot_write(root, TASK "44", "1 9000000 1\n");
    assert_wait("others beside them", &process, 7000);
}

static void
no_process_has_no_wait_and_a_real_one_has(void **unused)
{
    const Process none = { 0 };
    g_auto(Process) self = { 0 };
    int proc_fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)unused;

    assert_wait("no process", &none, VALUE_UNKNOWN);
    assert_true(proc_fd >= 0);
    self = (Process){ .pid = getpid(), .dir_fd = proc_fd };
    /* This kernel is built as those of distributions are; the test is one that has run. */
    assert_in_range(process_wait_us(&self), 0, UINT64_C(3600) * 1000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_up_the_threads_and_forgets_those_that_ended),
        cmocka_unit_test(threads_without_a_figure_count_nothing_and_all_without_one_are_not_known),
        cmocka_unit_test(looks_at_no_more_than_1024_threads),
        cmocka_unit_test(takes_only_directories_of_threads_for_threads),
        cmocka_unit_test(no_process_has_no_wait_and_a_real_one_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
