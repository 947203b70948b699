/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge_look_test.c - looks at mappings that hang, and what is looked at again
 *
 * merging_read() is wrapped: it waits as long as a QEMU holds its mappings, and says what the test
 * wants to be seen.
 */
#define _GNU_SOURCE
#include "agent/actuator/merge.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "agent/facts/merging.h"
#include "agent/virt/merge.h"
#include "agent/virt/worker.h"
#include "test/support/holdhost.h"
#include "test/support/skipclock.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define LIMIT_US      20000000
/* A look takes too long after this. */
#define LATE_US 31000000

/* What a look sees; shared with threads, so all under the lock. */
static struct {
    GMutex lock;
    GCond moved;
    uint64_t held_bytes; /* who has a backend of this size holds its mappings; 0: nobody */
    bool is_marked;
    guint looks; /* begun so far */
} seen;

static const uint64_t sizes[HOLDHOST_DOMAINS][1] = { { 96 * MIB }, { 64 * MIB } };
static Process process;
static Merge merge;

bool __wrap_merging_read(int dir_fd, const uint64_t *backends, size_t n, bool *ret_any,
                         GError **error);

bool
__wrap_merging_read(int dir_fd, const uint64_t *backends, size_t n, bool *ret_any, GError **error)
{
    (void)dir_fd;
    (void)n;
    (void)error;
    g_mutex_lock(&seen.lock);
    seen.looks++;
    g_cond_broadcast(&seen.moved);
    while (seen.held_bytes == backends[0])
        g_cond_wait(&seen.moved, &seen.lock);
    *ret_any = seen.is_marked;
    g_mutex_unlock(&seen.lock);
    return true;
}

static void
hold(uint64_t bytes)
{
    g_mutex_lock(&seen.lock);
    seen.held_bytes = bytes;
    g_cond_broadcast(&seen.moved);
    g_mutex_unlock(&seen.lock);
}

static guint
count_looks(void)
{
    guint looks;

    g_mutex_lock(&seen.lock);
    looks = seen.looks;
    g_mutex_unlock(&seen.lock);
    return looks;
}

/* Until so many looks have begun: their threads may take a moment. */
static void
await_begun(guint n)
{
    gint64 end_us = g_get_monotonic_time() + LIMIT_US;

    g_mutex_lock(&seen.lock);
    while (seen.looks < n)
        assert_true(g_cond_wait_until(&seen.moved, &seen.lock, end_us));
    g_mutex_unlock(&seen.lock);
}

static int
setup(void **state)
{
    HoldHost *host;

    holdhost_setup(state);
    host = *state;
    fakeroot_write(host->root, "proc/42/statm", "1 1 1 1 0 1 0\n");
    process = (Process){ .pid = 42,
                         .dir_fd = openat(fakeroot_fd(host->root), "proc/42",
                                          O_PATH | O_DIRECTORY | O_CLOEXEC) };
    for (size_t i = 0; i < HOLDHOST_DOMAINS; i++) {
        host->subjects[i].process = &process;
        host->subjects[i].backends = sizes[i];
        host->subjects[i].n_backends = 1;
        host->subjects[i].ksm_pages = VALUE_UNKNOWN;
    }
    seen.is_marked = false;
    seen.looks = 0;
    merge_init(&merge, &host->originals, &host->changer);
    merge_set_on(&merge, true, true);
    return 0;
}

static int
teardown(void **state)
{
    hold(0);
    merge_done(&merge);
    process_done(&process);
    return holdhost_teardown(state);
}

static void
apply(HoldHost *host)
{
    g_autoptr(GError) error = NULL;

    merge_apply(&merge, &host->decided, &error);
    if (error)
        fail_msg("%s", error->message);
}

static bool
is_looking(gpointer most)
{
    return merge.looks->len > GPOINTER_TO_UINT(most);
}

/* Until so many looks are still under way. */
static void
await_looks(guint most)
{
    assert_true(worker_wait(is_looking, GUINT_TO_POINTER(most), LIMIT_US));
    assert_int_equal(merge.looks->len, most);
}

static MergeState
state_of(const HoldHost *host, size_t i)
{
    const Subject *subject = &host->subjects[i];

    return merge_status(&merge, &(MergeDomain){ subject->uuid, subject->id, 1 }).state;
}

/* The first @n domains are to be off, and QEMU says that they are. */
static void
switch_off(HoldHost *host, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        host->plans[i].merge = MERGING_OFF;
        host->plans[i].merge_apply = true;
    }
    apply(host);
    for (size_t i = 0; i < n; i++)
        holdhost_answer(host, MERGE_VALUE_OFF, CHANGE_DONE, MERGE_VALUE_ON);
    apply(host);
}

/* What policy says of a domain that is off: it is to stay so, and nothing is to be done. */
static void
settle(HoldHost *host)
{
    await_looks(0);
    assert_int_equal(state_of(host, 0), MERGE_OFF);
    host->plans[0].merge_apply = false;
}

static void
a_look_that_hangs_holds_up_no_other(void **state)
{
    HoldHost *host = *state;

    hold(sizes[0][0]);
    switch_off(host, 2);
    await_begun(2);
    await_looks(1);
    assert_int_equal(state_of(host, 0), MERGE_MOVING);
    assert_int_equal(state_of(host, 1), MERGE_OFF);
    skipclock_pass(LATE_US);
    assert_int_equal(state_of(host, 0), MERGE_STUCK);
    for (int i = 0; i < 3; i++)
        apply(host); /* says why, and begins no other look */
    assert_int_equal(count_looks(), 2);
    assert_string_equal(hold_find(&merge.holds, host->subjects[0].uuid)->detail,
                        "looking at its mappings takes too long");
    assert_int_equal(state_of(host, 1), MERGE_OFF);
    hold(0);
    await_looks(0);
    assert_int_equal(state_of(host, 0), MERGE_OFF);
}

static void
a_look_that_hangs_does_not_keep_the_agent_from_ending(void **state)
{
    HoldHost *host = *state;

    hold(sizes[0][0]);
    switch_off(host, 2);
    await_looks(1);
    merge_done(&merge);
    hold(0);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    merge_init(&merge, &host->originals, &host->changer); /* for the fixture */
}

static void
who_marks_its_memory_again_is_found_out(void **state)
{
    HoldHost *host = *state;

    host->subjects[0].ksm_pages = 3000; /* of its video memory */
    switch_off(host, 1);
    settle(host);
    host->subjects[0].ksm_pages = 100; /* ksmd has passed it since */
    apply(host);
    host->subjects[0].ksm_pages = 1224;
    apply(host);
    assert_int_equal(count_looks(), 1);
    host->subjects[0].ksm_pages = 1225; /* the screen, or more */
    apply(host);
    assert_int_equal(state_of(host, 0), MERGE_OFF);
    await_looks(0);
    assert_int_equal(count_looks(), 2);
    assert_int_equal(state_of(host, 0), MERGE_OFF);
    host->subjects[0].ksm_pages = 2 * 1225 + 1024;
    apply(host);
    assert_int_equal(count_looks(), 2);
    host->subjects[0].ksm_pages++;
    seen.is_marked = true;
    apply(host);
    await_looks(0);
    assert_int_equal(count_looks(), 3);
    assert_int_equal(state_of(host, 0), MERGE_STUCK);
}

/* Before ksmd has passed it, KSM has its records still, and there can be no more of them. */
static void
who_marks_its_memory_at_once_is_found_out_after_two_passes(void **state)
{
    HoldHost *host = *state;

    host->subjects[0].ksm_pages = 100000;
    host->sample.host.ksm.full_scans = 7;
    switch_off(host, 1);
    settle(host);
    host->sample.host.ksm.full_scans = 8;
    apply(host);
    assert_int_equal(count_looks(), 1);
    host->sample.host.ksm.full_scans = 9;
    apply(host);
    await_looks(0);
    assert_int_equal(count_looks(), 2);
    assert_int_equal(state_of(host, 0), MERGE_OFF);
    host->sample.host.ksm.full_scans = 1000; /* that was it */
    apply(host);
    assert_int_equal(count_looks(), 2);
}

static void
who_holds_its_mappings_is_not_off_any_more(void **state)
{
    HoldHost *host = *state;

    host->subjects[0].ksm_pages = 0;
    switch_off(host, 1);
    settle(host);
    hold(sizes[0][0]);
    host->subjects[0].ksm_pages = 100000;
    apply(host);
    assert_int_equal(state_of(host, 0), MERGE_OFF);
    skipclock_pass(LATE_US);
    assert_int_equal(state_of(host, 0), MERGE_STUCK);
    apply(host);
    assert_string_equal(hold_find(&merge.holds, host->subjects[0].uuid)->detail,
                        "looking at its mappings takes too long");
    hold(0);
    await_looks(0);
    assert_int_equal(state_of(host, 0), MERGE_OFF);
}

/* What is merged as it was found is not stuck, whatever an old look does. */
static void
a_look_that_hangs_says_nothing_of_a_domain_that_was_given_back(void **state)
{
    HoldHost *host = *state;

    hold(sizes[0][0]);
    switch_off(host, 1);
    host->plans[0].merge = MERGING_ON;
    apply(host);
    holdhost_answer(host, MERGE_VALUE_ON, CHANGE_DONE, MERGE_VALUE_OFF);
    skipclock_pass(LATE_US);
    apply(host);
    assert_int_equal(state_of(host, 0), MERGE_AS_FOUND);
    hold(0);
    await_looks(0);
    assert_int_equal(state_of(host, 0), MERGE_AS_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_look_that_hangs_holds_up_no_other),
        ON_HOST(a_look_that_hangs_does_not_keep_the_agent_from_ending),
        ON_HOST(who_marks_its_memory_again_is_found_out),
        ON_HOST(who_marks_its_memory_at_once_is_found_out_after_two_passes),
        ON_HOST(who_holds_its_mappings_is_not_off_any_more),
        ON_HOST(a_look_that_hangs_says_nothing_of_a_domain_that_was_given_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
