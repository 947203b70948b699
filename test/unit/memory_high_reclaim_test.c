/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory_high_reclaim_test.c - memory is taken in a thread, within bounds, and nothing stays */
#define _GNU_SOURCE
#include "agent/actuator/memory_high.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/highhost.h"
#include "test/support/skipclock.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, holdhost_setup, holdhost_teardown)

static bool
is_reclaiming(const HighHost *fixture)
{
    return highhost_hold(fixture) && highhost_hold(fixture)->is_reclaiming;
}

/* Runs the loop until the thread has come back. */
static void
await_reclaim(HighHost *fixture)
{
    while (is_reclaiming(fixture))
        g_main_context_iteration(NULL, TRUE);
}

static void
memory_is_reclaimed_in_chunks_and_leaves_no_record(void **state)
{
    HoldHost *host = *state;
    char text[SYSFILE_TEXT_BYTES];
    HighHost fixture;

    highhost_start(host, &fixture, highhost_waiting);
    host->plans[0].high_apply = true;
    host->plans[0].reclaim_bytes = 40 * MIB;
    assert_int_equal(highhost_apply(&fixture), APPLY_DONE);
    assert_int_equal(highhost_apply(&fixture), APPLY_UNCHANGED); /* one at a time */
    await_reclaim(&fixture);
    assert_int_equal(highhost_hold(&fixture)->reclaimed_bytes, 40 * MIB);
    /* The last of three writes. */
    assert_int_equal(sysfile_get_text(fakeroot_fd(host->root), HIGHHOST_FOLDER "/memory.reclaim",
                                      text, NULL),
                     APPLY_UNCHANGED);
    assert_string_equal(text, "8388608");
    assert_false(g_file_test(host->state_dir, G_FILE_TEST_EXISTS));
    assert_int_equal(fixture.high.guard.fd, -1);
    highhost_stop(&fixture);
}

static void
reclaiming_knows_its_bounds(void **state)
{
    static const struct {
        const char *when;
        uint64_t want;
        uint64_t usage;
        bool cannot, still, off;
        bool taken;
    } rows[] = {
        { "down to the floor", 100 * MIB, 300 * MIB, false, false, false, true },
        { "below the floor", 101 * MIB, 300 * MIB, false, false, false, false },
        { "usage not known", 10 * MIB, U, false, false, false, false },
        { "older kernel", 10 * MIB, 300 * MIB, true, false, false, false },
        { "migrating", 10 * MIB, 300 * MIB, false, true, false, false },
        { "observed only", 10 * MIB, 300 * MIB, false, false, true, false },
        { "nothing", 0, 300 * MIB, false, false, false, false },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HighHost fixture;

        highhost_start(host, &fixture, highhost_waiting);
        if (is_known(rows[i].usage))
            fakeroot_write(host->root, HIGHHOST_FOLDER "/libvirt/memory.current", "%lu\n",
                           (unsigned long)rows[i].usage);
        else
            fakeroot_remove(host->root, HIGHHOST_FOLDER "/libvirt/memory.current");
        host->samples[0].can_reclaim = !rows[i].cannot;
        host->samples[0].is_still = rows[i].still;
        host->plans[0].high_apply = !rows[i].off;
        host->plans[0].reclaim_bytes = rows[i].want;
        highhost_apply(&fixture);
        if (is_reclaiming(&fixture) != rows[i].taken)
            fail_msg("%s", rows[i].when);
        await_reclaim(&fixture);
        highhost_stop(&fixture);
    }
}

static int write_errno;
static GMutex gate; /* the kernel reclaims while it is locked */
static gint writes; /* atomic; that have reached the kernel */
ssize_t __real_pwrite(int fd, const void *data, size_t length, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t length, off_t offset);

ssize_t
__wrap_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    g_atomic_int_inc(&writes);
    g_mutex_lock(&gate);
    g_mutex_unlock(&gate);
    if (write_errno == 0)
        return __real_pwrite(fd, data, length, offset);
    errno = write_errno;
    return -1;
}

static void
less_than_was_asked_for_is_no_failure_and_others_are(void **state)
{
    static const struct {
        int code;
        unsigned failures;
        ApplyResult result;
    } rows[] = {
        { EAGAIN, 0, APPLY_DONE },
        { EINTR, 0, APPLY_DONE },
        { EPERM, 1, APPLY_RETRY },
        { ENOMEM, 1, APPLY_RETRY },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HighHost fixture;

        highhost_start(host, &fixture, highhost_waiting);
        host->plans[0].high_apply = true;
        host->plans[0].reclaim_bytes = 40 * MIB;
        write_errno = rows[i].code;
        highhost_apply(&fixture);
        await_reclaim(&fixture);
        write_errno = 0;
        if (highhost_hold(&fixture)->failures != rows[i].failures ||
            highhost_hold(&fixture)->result != rows[i].result ||
            highhost_hold(&fixture)->reclaimed_bytes != 0)
            fail_msg("%s", g_strerror(rows[i].code));
        highhost_stop(&fixture);
    }
}

static void
what_has_waited_for_too_long_is_not_reclaimed_any_more(void **state)
{
    HoldHost *host = *state;
    const Hold *first;
    HighHost fixture;
    Hold *second;

    highhost_start(host, &fixture, highhost_waiting);
    second = hold_need(&fixture.high.holds, &host->subjects[1]);
    second->cgroup = g_strdup(HIGHHOST_CGROUP);
    host->plans[0].high_apply = true;
    host->plans[0].reclaim_bytes = 16 * MIB;
    writes = 0;
    g_mutex_lock(&gate);
    highhost_apply(&fixture);
    first = highhost_hold(&fixture);
    memory_high_reclaim(&fixture.high, second, 16 * MIB);
    while (g_atomic_int_get(&writes) == 0)
        g_usleep(1000);
    skipclock_pass(2 * G_USEC_PER_SEC);
    g_mutex_unlock(&gate);
    while (first->is_reclaiming || second->is_reclaiming)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(first->reclaimed_bytes, 16 * MIB);
    assert_int_equal(second->reclaimed_bytes, 0);
    assert_int_equal(writes, 1);
    assert_int_equal(second->failures, 0);
    highhost_stop(&fixture);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(memory_is_reclaimed_in_chunks_and_leaves_no_record),
        ON_HOST(reclaiming_knows_its_bounds),
        ON_HOST(less_than_was_asked_for_is_no_failure_and_others_are),
        ON_HOST(what_has_waited_for_too_long_is_not_reclaimed_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
