/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process_in_time_test.c - processes that hold up who looks at them
 *
 * process_read() and process_find() are wrapped, to wait as the kernel lets them wait for a process
 * that holds its mappings.
 */
#include "agent/facts/process.h"

#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakehost.h"
#include "test/support/skipclock.h"
#include "test/support/value.h"

#define PROCESSES 4
#define FIRST_PID 100
/* Figures are a process's last ones for less than this. */
#define TOO_OLD_US (11 * G_USEC_PER_SEC)

/* What calls wait at; shared with threads, so all under the lock. */
static struct {
    GMutex lock;
    GCond moved;
    pid_t first_stuck; /* whose reading waits */
    pid_t last_stuck;  /* and that of all between; 0: none */
    bool find_waits;
    guint waiting;  /* now */
    guint reads;    /* so far */
    guint searches; /* likewise */
} door;

bool __real_process_read(const Process *process, ProcessSample *ret_sample);
bool __wrap_process_read(const Process *process, ProcessSample *ret_sample);
bool __real_process_find(int root_fd, const ProcessWanted *whose, Process *ret_process,
                         GError **error);
bool __wrap_process_find(int root_fd, const ProcessWanted *whose, Process *ret_process,
                         GError **error);

bool
__wrap_process_read(const Process *process, ProcessSample *ret_sample)
{
    g_mutex_lock(&door.lock);
    door.reads++;
    door.waiting++;
    while (process->pid >= door.first_stuck && process->pid <= door.last_stuck)
        g_cond_wait(&door.moved, &door.lock);
    door.waiting--;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
    return __real_process_read(process, ret_sample);
}

bool
__wrap_process_find(int root_fd, const ProcessWanted *whose, Process *ret_process, GError **error)
{
    g_mutex_lock(&door.lock);
    door.searches++;
    door.waiting++;
    while (door.find_waits)
        g_cond_wait(&door.moved, &door.lock);
    door.waiting--;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
    return __real_process_find(root_fd, whose, ret_process, error);
}

static void
hold(pid_t first, pid_t last)
{
    g_mutex_lock(&door.lock);
    door.first_stuck = first;
    door.last_stuck = last;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
}

static void
hold_search(bool is_held)
{
    g_mutex_lock(&door.lock);
    door.find_waits = is_held;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
}

/* Nobody is held up any more, and all that were have gone on. */
static void
let_go(void)
{
    hold(0, 0);
    hold_search(false);
    g_mutex_lock(&door.lock);
    while (door.waiting > 0)
        g_cond_wait(&door.moved, &door.lock);
    g_mutex_unlock(&door.lock);
}

static guint
count_reads(void)
{
    guint reads;

    g_mutex_lock(&door.lock);
    reads = door.reads;
    g_mutex_unlock(&door.lock);
    return reads;
}

typedef struct {
    FakeRoot *root;
    gint64 passed_us; /* ahead of the clock that GLib waits by: to be taken back */
    Process processes[PROCESSES];
    ProcessReading readings[PROCESSES];
} Crowd;

/* Each has 4000 records, and merges as many pages as ksm_stat says; its own file says 1999. */
static int
setup(void **state)
{
    Crowd *crowd = g_new0(Crowd, 1);

    crowd->root = fakeroot_new();
    for (int i = 0; i < PROCESSES; i++) {
        int pid = FIRST_PID + i;
        g_autofree char *uuid = fakehost_uuid(pid);
        g_autofree char *path = g_strdup_printf("proc/%d/ksm_merging_pages", pid);

        fakehost_add_process(crowd->root, pid, uuid, FAKEHOST_KSM_STAT);
        fakeroot_write(crowd->root, path, "1999\n");
        assert_true(process_find(fakeroot_fd(crowd->root), &(ProcessWanted){ "web", uuid, false },
                                 &crowd->processes[i], NULL));
    }
    door.reads = door.searches = 0;
    *state = crowd;
    return 0;
}

static int
teardown(void **state)
{
    Crowd *crowd = *state;

    let_go();
    skipclock_pass(-crowd->passed_us);
    for (size_t i = 0; i < PROCESSES; i++)
        process_done(&crowd->processes[i]);
    fakeroot_free(crowd->root);
    g_free(crowd);
    return 0;
}

static void
pass(Crowd *crowd, gint64 us)
{
    crowd->passed_us += us;
    skipclock_pass(us);
}

static bool
read_all(Crowd *crowd)
{
    for (size_t i = 0; i < PROCESSES; i++)
        crowd->readings[i] = (ProcessReading){ .process = &crowd->processes[i] };
    return process_read_in_time(crowd->readings, PROCESSES);
}

static void
assert_reading(const Crowd *crowd, size_t i, ProcfileResult access, uint64_t merging_pages,
               uint64_t rmap_items)
{
    const ProcessReading *reading = &crowd->readings[i];
    g_autofree char *who = g_strdup_printf("process %zu", i);

    assert_true(reading->runs);
    assert_value(who, "access", reading->sample.ksm_access, access);
    assert_value(who, "merging", reading->sample.merging_pages, merging_pages);
    assert_value(who, "items", reading->sample.rmap_items, rmap_items);
    assert_true(is_known(reading->sample.resident_bytes));
    assert_int_equal(is_known(reading->sample.ksm_zero_pages), is_known(rmap_items));
    assert_int_equal(is_known(reading->sample.profit_bytes), is_known(rmap_items));
}

static void
assert_now(const Crowd *crowd, size_t i)
{
    assert_reading(crowd, i, PROCFILE_READ, 2000, 4000);
}

static void
all_are_read_and_who_has_exited_is_told(void **state)
{
    Crowd *crowd = *state;

    assert_true(read_all(crowd));
    for (size_t i = 0; i < PROCESSES; i++)
        assert_now(crowd, i);
    fakeroot_remove(crowd->root, "proc/102/statm");
    assert_true(read_all(crowd));
    for (size_t i = 0; i < PROCESSES; i++)
        assert_int_equal(crowd->readings[i].runs, i != 2);
    assert_true(process_read_in_time(NULL, 0));
}

static void
who_holds_its_mappings_holds_up_nobody_else(void **state)
{
    Crowd *crowd = *state;

    assert_true(read_all(crowd));
    hold(101, 101);
    assert_false(read_all(crowd));
    assert_now(crowd, 0);
    assert_reading(crowd, 1, PROCFILE_BUSY, 1999, 4000); /* its last, but for what can be had */
    assert_now(crowd, 2);
    assert_now(crowd, 3);
}

static void
who_is_late_is_not_waited_for_again_before_its_reading_is_over(void **state)
{
    Crowd *crowd = *state;
    guint reads;

    hold(101, 101);
    assert_false(read_all(crowd));
    assert_reading(crowd, 1, PROCFILE_BUSY, 1999, VALUE_UNKNOWN); /* it has no last figures */
    pass(crowd, TOO_OLD_US);
    reads = count_reads();
    assert_false(read_all(crowd));
    assert_int_equal(count_reads(), reads + PROCESSES - 1);
    assert_reading(crowd, 1, PROCFILE_BUSY, 1999, VALUE_UNKNOWN);
    let_go();
    assert_true(patience_wait(crowd->processes[1].late, G_USEC_PER_SEC * 30));
    assert_true(read_all(crowd));
    assert_now(crowd, 1);
}

static void
who_was_late_has_five_seconds_even_if_it_is_over(void **state)
{
    Crowd *crowd = *state;

    hold(101, 101);
    assert_false(read_all(crowd));
    let_go();
    assert_true(patience_wait(crowd->processes[1].late, G_USEC_PER_SEC * 30));
    assert_false(read_all(crowd));
    assert_reading(crowd, 1, PROCFILE_BUSY, 1999, VALUE_UNKNOWN);
    pass(crowd, TOO_OLD_US);
    assert_true(read_all(crowd));
    assert_now(crowd, 1);
}

static void
last_figures_are_forgotten(void **state)
{
    Crowd *crowd = *state;

    assert_true(read_all(crowd));
    hold(101, 101);
    assert_false(read_all(crowd));
    assert_reading(crowd, 1, PROCFILE_BUSY, 1999, 4000);
    pass(crowd, TOO_OLD_US);
    assert_false(read_all(crowd));
    assert_reading(crowd, 1, PROCFILE_BUSY, 1999, VALUE_UNKNOWN);
}

/* Three are waited for; what remains of them is not known, but nobody hangs. */
static void
many_that_hold_their_mappings_cost_no_more_than_three(void **state)
{
    Crowd *crowd = *state;

    hold(100, 103);
    assert_false(read_all(crowd));
    for (size_t i = 0; i < PROCESSES; i++)
        assert_int_equal(crowd->processes[i].late != NULL, i < 3);
    for (size_t i = 0; i < 3; i++)
        assert_reading(crowd, i, PROCFILE_BUSY, 1999, VALUE_UNKNOWN);
    assert_true(crowd->readings[3].runs);
    assert_false(is_known(crowd->readings[3].sample.rmap_items));
}

static void
who_exits_while_it_is_late_is_told(void **state)
{
    Crowd *crowd = *state;

    hold(101, 101);
    assert_false(read_all(crowd));
    fakeroot_remove(crowd->root, "proc/101/statm");
    assert_false(read_all(crowd));
    assert_false(crowd->readings[1].runs);
}

static void
a_search_that_takes_long_is_not_begun_twice_and_its_result_counts(void **state)
{
    Crowd *crowd = *state;
    g_autofree char *uuid = fakehost_uuid(FIRST_PID);
    g_autofree char *other = fakehost_uuid(FIRST_PID + 1);
    ProcessWanted web = { "web", uuid, false };
    ProcessWanted db = { "db", other, false };
    int fd = fakeroot_fd(crowd->root);
    g_auto(Process) process = { 0 };
    g_auto(Process) second = { 0 };
    g_autoptr(GError) error = NULL;
    guint searches;

    hold_search(true);
    for (int i = 0; i < 3; i++) {
        assert_false(process_find_in_time(fd, &web, &process, &error));
        assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
        assert_int_equal(process.pid, 0);
        g_clear_error(&error);
    }
    let_go();
    g_mutex_lock(&door.lock);
    searches = door.searches;
    g_mutex_unlock(&door.lock);
    assert_int_equal(searches, 1);
    assert_true(process_find_in_time(fd, &db, &second, NULL));
    assert_int_equal(second.pid, FIRST_PID + 1);
    for (int i = 0; i < 30000 && !process_find_in_time(fd, &web, &process, NULL); i++)
        g_usleep(1000); /* the one that goes on is about to end */
    assert_int_equal(process.pid, FIRST_PID);
    g_mutex_lock(&door.lock);
    searches = door.searches;
    g_mutex_unlock(&door.lock);
    assert_int_equal(searches, 2);
    assert_false(
        process_find_in_time(fd, &(ProcessWanted){ "web", "web", false }, &process, &error));
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT));
}

static void
searches_that_hang_are_limited_and_nobody_waits_for_more(void **state)
{
    Crowd *crowd = *state;
    int fd = fakeroot_fd(crowd->root);
    g_auto(Process) process = { 0 };

    hold_search(true);
    for (int i = 0; i < 20; i++) {
        g_autofree char *uuid = fakehost_uuid(200 + i);
        g_autoptr(GError) error = NULL;

        assert_false(
            process_find_in_time(fd, &(ProcessWanted){ "x", uuid, false }, &process, &error));
        if (!strstr(error->message, i < 16 ? "the search has not" : "too many searches"))
            fail_msg("search %d: %s", i, error->message);
    }
    assert_true(read_all(crowd)); /* readings go on */
    let_go();
    pass(crowd, INT64_C(700) * G_USEC_PER_SEC); /* nobody asks for them any more */
    for (int i = 0; i < 30000; i++) {
        g_autofree char *uuid = fakehost_uuid(FIRST_PID);

        if (process_find_in_time(fd, &(ProcessWanted){ "web", uuid, false }, &process, NULL))
            break;
        g_usleep(1000);
    }
    assert_int_equal(process.pid, FIRST_PID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_are_read_and_who_has_exited_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(who_holds_its_mappings_holds_up_nobody_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            who_is_late_is_not_waited_for_again_before_its_reading_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(who_was_late_has_five_seconds_even_if_it_is_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(last_figures_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(many_that_hold_their_mappings_cost_no_more_than_three,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(who_exits_while_it_is_late_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_search_that_takes_long_is_not_begun_twice_and_its_result_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(searches_that_hang_are_limited_and_nobody_waits_for_more,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
