/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process_test.c - the figures of a process, and never those of another
 *
 * The last tests use real children below the real /proc: they show what the kernel does with a
 * directory of a process that is no more, which is what process.c is built on.
 */
#define _GNU_SOURCE

#include "agent/facts/process.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakehost.h"
#include "test/support/value.h"

/* Any user that is not root and owns nothing. */
#define NOBODY 65534

/* Holds the fabricated QEMU in a tree. */
static void
hold_qemu(FakeRoot *root, Process *process)
{
    fakehost_add_qemu(root);
    assert_true(process_find(fakeroot_fd(root),
                             &(ProcessWanted){ "web", FAKEHOST_QEMU_UUID, false }, process, NULL));
}

static void
reads_what_each_kernel_tells(void **unused)
{
    static const struct {
        const char *when;
        const char *ksm_stat;          /* NULL: no such file */
        const char *ksm_merging_pages; /* NULL: no such file */
        uint64_t merging_pages;
        uint64_t rmap_items;
        uint64_t ksm_zero_pages;
        uint64_t profit_bytes;
        ProcfileResult access;
    } rows[] = {
        { "5.10", NULL, NULL, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
          PROCFILE_ABSENT },
        { "5.19", NULL, "11\n", 11, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, PROCFILE_ABSENT },
        { "6.1", "ksm_rmap_items 22\n", "11\n", 11, 22, VALUE_UNKNOWN, VALUE_UNKNOWN,
          PROCFILE_READ },
        { "6.18",
          "ksm_rmap_items 22\nksm_zero_pages 33\nksm_merging_pages 44\nksm_process_profit -64\n"
          "ksm_merge_any: no\nksm_mergeable: yes\n",
          "11\n", 44, 22, 33, (uint64_t)-64, PROCFILE_READ },
        { "minus one",
          "ksm_rmap_items -1\nksm_zero_pages 18446744073709551615\nksm_merging_pages -1\n", "-1\n",
          VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, PROCFILE_READ },
        { "garbage", "ksm_rmap_items many\nksm_zero_pages\nksm_merging_pages 4 4\n", "x",
          VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, PROCFILE_READ },
        { "empty", "", "", VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
          PROCFILE_READ },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        g_auto(Process) process = { 0 };
        ProcessSample sample;

        hold_qemu(root, &process);
        if (rows[i].ksm_stat)
            fakeroot_write(root, "proc/42/ksm_stat", "%s", rows[i].ksm_stat);
        if (rows[i].ksm_merging_pages)
            fakeroot_write(root, "proc/42/ksm_merging_pages", "%s", rows[i].ksm_merging_pages);
        assert_true(process_read(&process, &sample));
        assert_value(rows[i].when, "merging", sample.merging_pages, rows[i].merging_pages);
        assert_value(rows[i].when, "items", sample.rmap_items, rows[i].rmap_items);
        assert_value(rows[i].when, "zero", sample.ksm_zero_pages, rows[i].ksm_zero_pages);
        assert_value(rows[i].when, "profit", sample.profit_bytes, rows[i].profit_bytes);
        assert_value(rows[i].when, "access", sample.ksm_access, rows[i].access);
    }
}

static void
reads_memory_and_tells_a_dead_process_by_it(void **unused)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const struct {
        const char *when;
        const char *statm; /* NULL: no such file */
        bool is_running;
        uint64_t resident_bytes;
        uint64_t anon_bytes;
    } rows[] = {
        { "running", "9000 5000 1000 10 0 700 0\n", true, 5000 * page, 4000 * page },
        { "zombie", "0 0 0 0 0 0 0\n", false, 0, 0 },
        { "reaped", NULL, false, 0, 0 },
        { "all swapped out", "9000 0 0 10 0 700 0\n", true, 0, 0 },
        { "more shared than resident", "9000 10 11 10 0 7 0\n", true, 10 * page, VALUE_UNKNOWN },
        { "minus one", "9000 18446744073709551615 0 1 0 7 0\n", true, VALUE_UNKNOWN,
          VALUE_UNKNOWN },
        { "more than can be", "9000 18446744073709551614 0 1 0 7 0\n", true, VALUE_UNKNOWN,
          VALUE_UNKNOWN },
        { "garbage", "rss\n", true, VALUE_UNKNOWN, VALUE_UNKNOWN },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        g_auto(Process) process = { 0 };
        ProcessSample sample = { 0 };

        hold_qemu(root, &process);
        if (rows[i].statm)
            fakeroot_write(root, "proc/42/statm", "%s", rows[i].statm);
        else
            fakeroot_remove(root, "proc/42/statm");
        if (process_read(&process, &sample) != rows[i].is_running)
            fail_msg("%s: running=%d", rows[i].when, !rows[i].is_running);
        assert_value(rows[i].when, "resident", sample.resident_bytes, rows[i].resident_bytes);
        assert_value(rows[i].when, "anon", sample.anon_bytes, rows[i].anon_bytes);
    }
}

/* Runs in a child with no rights at all; 0 is success. */
static int
read_as_nobody(const Process *process)
{
    ProcessSample sample;

    if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return 1;
    if (!process_read(process, &sample))
        return 2;
    if (sample.ksm_access != PROCFILE_REFUSED || is_known(sample.merging_pages) ||
        is_known(sample.rmap_items))
        return 3;
    return is_known(sample.resident_bytes) ? 0 : 4;
}

static void
tells_refused_from_absent_and_still_reads_the_rest(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_auto(Process) process = { 0 };
    int status = -1;
    pid_t child;
    (void)unused;

    hold_qemu(root, &process);
    fakeroot_write(root, "proc/42/ksm_stat", "ksm_rmap_items 22\n");
    assert_int_equal(fchmodat(fakeroot_fd(root), "proc/42/ksm_stat", 0, 0), 0);
    child = fork();
    if (child == 0)
        _exit(read_as_nobody(&process));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A program with the arguments of a QEMU, which waits; its uuid is made up on the spot. */
typedef struct {
    char *uuid;   /* owned */
    GPid pid;     /* its number; a zombie after it ended, until it is reaped */
    int input_fd; /* owned; it ends when this is closed */
    int root_fd;  /* owned; the real "/" */
    Process held; /* owned; found by its uuid */
} Child;

static void
child_start(Child *child)
{
    char *arguments[] = { (char[]){ "sh" },
                          (char[]){ "-c" },
                          (char[]){ "echo; read line" },
                          (char[]){ "sh" },
                          (char[]){ "-uuid" },
                          NULL,
                          NULL };
    int output_fd;
    char c;

    *child = (Child){ .uuid = g_uuid_string_random() };
    arguments[5] = child->uuid;
    assert_true(g_spawn_async_with_pipes(
        NULL, arguments, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
        &child->pid, &child->input_fd, &output_fd, NULL, NULL));
    /* Once it writes, it is the shell: not this program any more, on the way to there. */
    assert_int_equal(read(output_fd, &c, 1), 1);
    close(output_fd);
    child->root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(process_find(child->root_fd,
                             &(ProcessWanted){ "no-such-domain", child->uuid, false }, &child->held,
                             NULL));
}

static void
child_kill(Child *child)
{
    siginfo_t info;

    assert_int_equal(kill(child->pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
}

static void
child_reap(Child *child)
{
    assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
}

static void
child_done(Child *child)
{
    process_done(&child->held);
    close(child->root_fd);
    close(child->input_fd);
    g_free(child->uuid);
}

static void
reads_a_real_process_until_it_is_killed(void **unused)
{
    ProcessSample sample;
    Child child;
    (void)unused;

    child_start(&child);
    assert_int_equal(child.held.pid, child.pid);
    assert_true(process_read(&child.held, &sample));
    assert_in_range(sample.resident_bytes, 4096, 64 * 1024 * 1024);
    assert_in_range(sample.anon_bytes, 4096, sample.resident_bytes);
    assert_true(sample.merging_pages == 0 || sample.ksm_access != PROCFILE_READ);

    child_kill(&child);
    assert_false(process_read(&child.held, &sample));
    child_reap(&child);
    assert_false(process_read(&child.held, &sample));
    assert_false(process_find(
        child.root_fd, &(ProcessWanted){ "no-such-domain", child.uuid, false }, &child.held, NULL));
    child_done(&child);
}

/* A process with a certain number, which waits; needs CAP_SYS_ADMIN, else -1 with EPERM. */
static pid_t
fork_with_pid(pid_t pid)
{
    struct clone_args how = {
        .exit_signal = SIGCHLD,
        .set_tid = (uint64_t)(uintptr_t)&pid,
        .set_tid_size = 1,
    };
    long child = syscall(SYS_clone3, &how, sizeof(how));

    if (child == 0)
        for (;;)
            pause();
    return (pid_t)child;
}

static void
never_reads_a_later_process_of_the_same_pid(void **unused)
{
    ProcessSample sample;
    pid_t later;
    Child child;
    (void)unused;

    child_start(&child);
    assert_true(process_read(&child.held, &sample));
    child_kill(&child);
    child_reap(&child);

    later = fork_with_pid(child.pid);
    /* Without the right to choose a pid the number stays free, and the promise is the same. */
    assert_true(later == child.pid || (later < 0 && (errno == EPERM || errno == ENOSYS)));
    assert_int_equal(kill(child.pid, 0), later > 0 ? 0 : -1);
    assert_false(process_read(&child.held, &sample));
    if (later > 0) {
        kill(later, SIGKILL);
        waitpid(later, NULL, 0);
    }
    child_done(&child);
}

static void
when_a_process_began_is_told_by_the_clock_that_others_use(void **unused)
{
    const uint64_t tick_us = G_USEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t before_us = (uint64_t)g_get_monotonic_time();
    uint64_t started_us;
    uint64_t begun_us;
    uint64_t took_us;
    Child child;
    (void)unused;

    child_start(&child);
    started_us = (uint64_t)g_get_monotonic_time();
    begun_us = process_begun_us(&child.held);
    took_us = (uint64_t)g_get_monotonic_time() - started_us;
    assert_true(begun_us <= started_us);
    assert_true(begun_us + took_us + 2 * tick_us >= before_us);
    child_kill(&child);
    child_reap(&child);
    assert_int_equal(process_begun_us(&child.held), VALUE_UNKNOWN);
    child_done(&child);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_each_kernel_tells),
        cmocka_unit_test(reads_memory_and_tells_a_dead_process_by_it),
        cmocka_unit_test(tells_refused_from_absent_and_still_reads_the_rest),
        cmocka_unit_test(reads_a_real_process_until_it_is_killed),
        cmocka_unit_test(never_reads_a_later_process_of_the_same_pid),
        cmocka_unit_test(when_a_process_began_is_told_by_the_clock_that_others_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
