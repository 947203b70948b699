/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nodes_actuator_test.c - merge_across_nodes is written where nothing is merged, and goes back */
#define _GNU_SOURCE
#include "agent/actuator/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/ksmhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, ksmhost_teardown)

static Nodes nodes;

static int
setup(void **state)
{
    KsmHost *host;

    ksmhost_setup(state);
    host = *state;
    fakeroot_write(host->root, KSM "merge_across_nodes", "1\n");
    fakeroot_write(host->root, KSM "pages_shared", "0\n");
    fakeroot_write(host->root, "proc/meminfo", "MemAvailable: 1000000 kB\n");
    return 0;
}

static void
start(KsmHost *host, const KsmActuatorOptions *options)
{
    ksmhost_start(host, options);
    nodes_init(&nodes, fakeroot_fd(host->root), &host->originals, &host->actuator);
}

static ApplyResult
apply_as(bool is_enforced, uint64_t value)
{
    const Plan plan = { .tenancy.nodes = value, .tenancy.is_enforced = is_enforced };
    const Decided decided = { NULL, &plan, NULL, true };

    return nodes_actuator.apply(&nodes, &decided, NULL);
}

static ApplyResult
apply(uint64_t value)
{
    return apply_as(true, value);
}

/* Puts back, and says something like @want_note; NULL: nothing. */
static void
assert_back(const char *want_note)
{
    g_autofree char *note = NULL;
    g_autoptr(GError) error = NULL;

    if (!nodes_actuator.restore(&nodes, &note, &error))
        fail_msg("%s", error->message);
    if ((note != NULL) != (want_note != NULL) || (note && !strstr(note, want_note)))
        fail_msg("\"%s\"", note ? note : "");
}

static void
it_is_written_and_goes_back(void **state)
{
    KsmHost *host = *state;

    start(host, &plain);
    assert_int_equal(apply(U), APPLY_UNCHANGED);
    assert_int_equal(apply(1), APPLY_UNCHANGED);
    assert_wrote(host, "");
    assert_false(ksmhost_has_record(host));
    assert_int_equal(apply(0), APPLY_DONE);
    assert_wrote(host, "merge_across_nodes=0 ");
    assert_int_equal(host->unguarded, 0);
    assert_true(ksmhost_has_record(host));
    assert_back(NULL);
    assert_wrote(host, "merge_across_nodes=1 ");
    assert_false(ksmhost_has_record(host));
    assert_back(NULL);
    assert_wrote(host, "");
}

static void
what_others_have_merged_is_parted_and_ksm_goes_on(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "pages_shared", "10\n");
    start(host, &plain);
    assert_int_equal(apply(0), APPLY_DONE);
    assert_wrote(host, "run=2 merge_across_nodes=0 run=0 ");
    assert_int_equal(host->unguarded, 0);
    /* Nobody is parted on the way back. */
    assert_back("stays at 0");
    assert_wrote(host, "");
    assert_true(ksmhost_has_record(host));
}

static void
what_stays_while_pages_are_merged_goes_back_in_a_later_run(void **state)
{
    KsmHost *host = *state;

    start(host, &plain);
    assert_int_equal(apply(0), APPLY_DONE);
    fakeroot_write(host->root, KSM "pages_shared", "10\n");
    assert_back("virtksmd --restore");
    ksmhost_crash(host);
    /* The next run finds our value in force, and changes it both ways. */
    start(host, &plain);
    assert_int_equal(apply(0), APPLY_UNCHANGED);
    fakeroot_write(host->root, KSM "pages_shared", "0\n");
    assert_int_equal(apply(1), APPLY_DONE);
    assert_int_equal(apply(0), APPLY_DONE);
    fakeroot_write(host->root, KSM "pages_shared", "10\n");
    assert_back("stays at 0");
    ksmhost_crash(host);
    start(host, &plain);
    fakeroot_write(host->root, KSM "pages_shared", "0\n");
    g_string_truncate(host->log, 0);
    assert_back(NULL);
    assert_wrote(host, "merge_across_nodes=1 ");
    assert_false(ksmhost_has_record(host));
}

static void
a_record_that_cannot_be_written_stays_and_nothing_is_put_back(void **state)
{
    g_autofree char *note = NULL;
    g_autoptr(GError) error = NULL;
    KsmHost *host = *state;
    int fd;

    start(host, &plain);
    assert_int_equal(apply(0), APPLY_DONE);
    ksmhost_crash(host);
    fd = open(host->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    start(host, &plain);
    g_string_truncate(host->log, 0);
    assert_false(nodes_actuator.restore(&nodes, &note, &error));
    assert_non_null(error);
    assert_wrote(host, "");
    close(fd);
    assert_back(NULL);
    assert_wrote(host, "merge_across_nodes=1 ");
    assert_false(ksmhost_has_record(host));
}

static void
a_reboot_has_put_it_back(void **state)
{
    KsmHost *host = *state;

    start(host, &plain);
    assert_int_equal(apply(0), APPLY_DONE);
    ksmhost_crash(host);
    g_string_truncate(host->log, 0);
    ksmhost_start_after_reboot(host);
    nodes_init(&nodes, fakeroot_fd(host->root), &host->originals, &host->actuator);
    assert_int_equal(host->originals.outcome, ORIGINALS_OLD_BOOT);
    assert_back(NULL);
    assert_wrote(host, "");
    assert_false(ksmhost_has_record(host));
}

static void
what_has_been_merged_since_the_sample_is_parted_with_permission_only(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "pages_shared", "10\n");
    start(host, &plain);
    assert_int_equal(apply_as(false, 0), APPLY_UNCHANGED);
    assert_wrote(host, "");
    assert_false(ksmhost_has_record(host));
    fakeroot_write(host->root, KSM "pages_shared", "0\n");
    assert_int_equal(apply_as(false, 0), APPLY_DONE);
    assert_wrote(host, "merge_across_nodes=0 ");
}

static void
nothing_is_parted_without_memory_for_it(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "pages_shared", "10\n");
    fakeroot_write(host->root, "proc/meminfo", "MemAvailable: 4000 kB\n"); /* 1024 pages merged */
    start(host, &plain);
    assert_int_equal(apply(0), APPLY_RETRY);
    assert_wrote(host, "");
    assert_false(ksmhost_has_record(host));
}

static void
nothing_is_written_where_ksm_is_not_ours(void **state)
{
    KsmHost *host = *state;

    start(host, &dry);
    assert_int_equal(apply(0), APPLY_UNCHANGED);
    ksmhost_crash(host);
    start(host, &plain);
    ksmhost_apply(host, &burst);
    fakeroot_write(host->root, KSM "sleep_millisecs", "77\n"); /* somebody else */
    ksmhost_apply(host, &rest);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_YIELDED);
    g_string_truncate(host->log, 0);
    assert_int_equal(apply(0), APPLY_UNCHANGED);
    assert_int_equal(apply(7), APPLY_UNCHANGED); /* no value of it */
    assert_wrote(host, "");
}

static void
a_kernel_that_refuses_has_ksm_going_on(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "pages_shared", "10\n");
    fakeroot_write(host->root, KSM "run", "1\n");
    host->fail_name = "merge_across_nodes";
    host->fail_errno = EBUSY;
    host->fail_times = 1;
    start(host, &plain);
    assert_int_equal(apply(0), APPLY_RETRY);
    assert_wrote(host, "run=2 merge_across_nodes=0 run=1 ");
    assert_int_equal(apply(0), APPLY_DONE);
    assert_wrote(host, "run=2 merge_across_nodes=0 run=1 ");
}

static void
a_run_that_was_killed_in_the_middle_is_ended_by_the_next(void **state)
{
    KsmHost *host = *state;

    start(host, &plain);
    assert_true(originals_prepare(&host->originals, NULL));
    originals_set(&host->originals, "nodes", "merge_across_nodes", "0");
    originals_set(&host->originals, "nodes", "run", "1");
    assert_true(originals_save(&host->originals, NULL));
    fakeroot_write(host->root, KSM "run", "2\n");
    ksmhost_crash(host);
    start(host, &plain);
    assert_wrote(host, "run=1 ");
    assert_back(NULL);
    assert_wrote(host, "merge_across_nodes=0 ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(it_is_written_and_goes_back),
        ON_HOST(what_others_have_merged_is_parted_and_ksm_goes_on),
        ON_HOST(a_record_that_cannot_be_written_stays_and_nothing_is_put_back),
        ON_HOST(what_stays_while_pages_are_merged_goes_back_in_a_later_run),
        ON_HOST(a_reboot_has_put_it_back),
        ON_HOST(what_has_been_merged_since_the_sample_is_parted_with_permission_only),
        ON_HOST(nothing_is_parted_without_memory_for_it),
        ON_HOST(nothing_is_written_where_ksm_is_not_ours),
        ON_HOST(a_kernel_that_refuses_has_ksm_going_on),
        ON_HOST(a_run_that_was_killed_in_the_middle_is_ended_by_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
