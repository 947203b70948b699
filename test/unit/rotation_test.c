/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rotation_test.c - meters that are lent to a thread, and come back
 *
 * The processes are fabricated, with marks to take off; time is the real one, with bins of some
 * milliseconds, but where a test lets it pass. Steps are wrapped, to hang as they do while a QEMU
 * holds its mappings.
 */
#define _GNU_SOURCE
#include "agent/rotation.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/await.h"
#include "test/support/fakeroot.h"
#include "test/support/skipclock.h"

#define MS INT64_C(1000)

/* What steps wait at; shared with threads, so all under the lock. */
static struct {
    GMutex lock;
    GCond moved;
    bool is_shut;
} door;

uint64_t __real_working_set_meter_step(WorkingSetMeter *meter, uint64_t now_us);
uint64_t __wrap_working_set_meter_step(WorkingSetMeter *meter, uint64_t now_us);

uint64_t
__wrap_working_set_meter_step(WorkingSetMeter *meter, uint64_t now_us)
{
    g_mutex_lock(&door.lock);
    while (door.is_shut)
        g_cond_wait(&door.moved, &door.lock);
    g_mutex_unlock(&door.lock);
    return __real_working_set_meter_step(meter, now_us);
}

static void
shut_door(bool is_shut)
{
    g_mutex_lock(&door.lock);
    door.is_shut = is_shut;
    g_cond_broadcast(&door.moved);
    g_mutex_unlock(&door.lock);
}

typedef struct {
    FakeRoot *root;
    Rotation *rotation;
    WorkingSetReport reports[100]; /* by key: what was told last; its state is
                                    * WORKING_SET_STATE_COUNT before */
} Fixture;

static void
note(uint64_t key, const WorkingSetReport *report, gpointer user)
{
    Fixture *fixture = user;

    assert_true(rotation_has(fixture->rotation, key));
    assert_true(key < G_N_ELEMENTS(fixture->reports));
    fixture->reports[key] = *report;
}

static void
add_process(FakeRoot *root, unsigned pid)
{
    g_autofree char *smaps = g_strdup_printf("proc/%u/smaps", pid);
    g_autofree char *maps = g_strdup_printf("proc/%u/maps", pid);
    g_autofree char *marks = g_strdup_printf("proc/%u/clear_refs", pid);

    fakeroot_write(root, smaps,
                   "7f0000000000-7f0040000000 rw-p 0 00:00 0\nRss: %u kB\n"
                   "Referenced: 1 kB\n",
                   pid);
    fakeroot_write(root, maps, "7f0000000000-7f0040000000 rw-p 0 00:00 0\n");
    fakeroot_write(root, marks, " ");
}

static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    WorkingSetHost host = { .edges = { { 10 * MS, 20 * MS }, 2 },
                            .age_us = 20 * MS,
                            .interval_us = 10 * MS,
                            .share_bp = 10000 };

    fixture->root = fakeroot_new();
    for (unsigned pid = 40; pid < 50; pid++)
        add_process(fixture->root, pid);
    host.root_fd = fakeroot_fd(fixture->root);
    fixture->rotation = rotation_new(&host);
    for (size_t i = 0; i < G_N_ELEMENTS(fixture->reports); i++)
        fixture->reports[i].state = WORKING_SET_STATE_COUNT;
    rotation_listen(fixture->rotation, note, fixture);
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;

    rotation_free(fixture->rotation);
    fakeroot_free(fixture->root);
    g_free(fixture);
    return 0;
}

/* A domain whose key is its pid. */
static void
add(Fixture *fixture, unsigned pid)
{
    g_autofree char *path = g_strdup_printf("proc/%u", pid);
    int dir_fd = openat(fakeroot_fd(fixture->root), path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    assert_true(dir_fd >= 0);
    rotation_add(fixture->rotation, pid, (pid_t)pid, dir_fd, NULL, false);
    close(dir_fd);
}

/* Runs the loop until the domain is in a state. */
static void
wait_for(const Fixture *fixture, uint64_t key, WorkingSetState want)
{
    AWAIT(fixture->reports[key].state == want);
}

static void
every_domain_is_measured(void **state)
{
    Fixture *fixture = *state;

    for (unsigned pid = 40; pid < 50; pid++)
        add(fixture, pid);
    assert_int_equal(fixture->reports[40].state, WORKING_SET_STATE_COUNT);
    for (unsigned pid = 40; pid < 50; pid++) {
        wait_for(fixture, pid, WORKING_SET_MEASURED);
        assert_int_equal(fixture->reports[pid].resident_bytes, pid * 1024);
    }
    assert_int_equal(fixture->reports[99].state, WORKING_SET_STATE_COUNT);
    assert_true(rotation_spent_us(fixture->rotation) > 0);
}

static void
a_domain_that_fails_leaves_the_others_alone(void **state)
{
    Fixture *fixture = *state;

    add(fixture, 40);
    add(fixture, 41);
    wait_for(fixture, 41, WORKING_SET_MEASURED);
    wait_for(fixture, 40, WORKING_SET_MEASURED);
    fakeroot_remove(fixture->root, "proc/40/smaps");
    wait_for(fixture, 40, WORKING_SET_NONE);
    add(fixture, 42);
    wait_for(fixture, 42, WORKING_SET_MEASURED);
    assert_int_equal(fixture->reports[41].state, WORKING_SET_MEASURED);
}

static void
a_domain_may_go_while_it_is_measured(void **state)
{
    Fixture *fixture = *state;

    add(fixture, 40); /* its first step begins at once */
    rotation_remove(fixture->rotation, 40);
    rotation_remove(fixture->rotation, 40);
    add(fixture, 41);
    wait_for(fixture, 41, WORKING_SET_MEASURED);
    assert_int_equal(fixture->reports[40].state, WORKING_SET_STATE_COUNT);
    rotation_remove(fixture->rotation, 41);
    assert_false(rotation_has(fixture->rotation, 41));
}

static void
one_that_hangs_is_told(void **state)
{
    Fixture *fixture = *state;

    shut_door(true);
    add(fixture, 41);
    AWAIT(!g_main_context_pending(NULL)); /* its step is under way */
    assert_int_equal(rotation_held_up_by(fixture->rotation), 0);
    skipclock_pass(31 * G_USEC_PER_SEC);
    assert_int_equal(rotation_held_up_by(fixture->rotation), 41);
    shut_door(false);
    wait_for(fixture, 41, WORKING_SET_MEASURED);
    assert_int_equal(rotation_held_up_by(fixture->rotation), 0);
}

static void
the_word_of_a_guest_counts_at_its_next_step(void **state)
{
    const WorkingSetGuest guest = { 1000,
                                    400,
                                    500,
                                    VALUE_UNKNOWN,
                                    VALUE_UNKNOWN,
                                    VALUE_UNKNOWN,
                                    (uint64_t)g_get_monotonic_time() };
    Fixture *fixture = *state;

    fakeroot_remove(fixture->root, "proc/40/smaps");
    add(fixture, 40);
    rotation_set_guest(fixture->rotation, 99, &guest);
    wait_for(fixture, 40, WORKING_SET_NONE);
    add(fixture, 41);
    rotation_set_guest(fixture->rotation, 41, &guest);
    wait_for(fixture, 41, WORKING_SET_MEASURED);
    assert_int_equal(fixture->reports[41].guest.total_bytes, 1000);
    assert_true(fixture->reports[40].guest.total_bytes == VALUE_UNKNOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_domain_is_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_that_fails_leaves_the_others_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_domain_may_go_while_it_is_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_hangs_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(the_word_of_a_guest_counts_at_its_next_step, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
