/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory_high_test.c - cold memory is taken within bounds, and limits are lent, not given */
#define _GNU_SOURCE
#include "agent/actuator/memory_high.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/highhost.h"
#include "test/support/skipclock.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, holdhost_setup, holdhost_teardown)

static const char *const missing[] = { "/no/such/guard", "guard", NULL };

/* What libvirt does when it sets a limit. */
static void
limit_is(HighHost *fixture, uint64_t bytes)
{
    if (bytes == LIMIT_NONE)
        fakeroot_write(fixture->host->root, HIGHHOST_FOLDER "/libvirt/memory.high", "max\n");
    else
        fakeroot_write(fixture->host->root, HIGHHOST_FOLDER "/libvirt/memory.high", "%lu\n",
                       (unsigned long)bytes);
    fixture->host->samples[0].limit_bytes = bytes;
}

static void
assert_limit(HighHost *fixture, const char *want)
{
    char text[SYSFILE_TEXT_BYTES];

    assert_int_equal(sysfile_get_text(fakeroot_fd(fixture->host->root),
                                      HIGHHOST_FOLDER "/libvirt/memory.high", text, NULL),
                     APPLY_UNCHANGED);
    assert_string_equal(text, want);
}

static ApplyResult
want_limit(HighHost *fixture, uint64_t bytes, uint64_t lease_s)
{
    DomainPlan *plan = &fixture->host->plans[0];

    plan->high_apply = true;
    plan->limit_bytes = bytes;
    plan->lease_us = (uint64_t)g_get_monotonic_time() + lease_s * G_USEC_PER_SEC;
    return highhost_apply(fixture);
}

/* A limit of 700 MiB is in force, for a minute. */
static void
start_limited(HoldHost *host, HighHost *fixture)
{
    highhost_start(host, fixture, highhost_waiting);
    assert_int_equal(want_limit(fixture, 700 * MIB, 60), APPLY_DONE);
    holdhost_answer(host, 700 * MIB, CHANGE_DONE, LIMIT_NONE);
    limit_is(fixture, 700 * MIB);
    assert_int_equal(want_limit(fixture, 700 * MIB, 60), APPLY_UNCHANGED);
}

static void
a_limit_is_on_disk_and_guarded_before_it_is_set(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
    HighHost fixture;

    highhost_start(host, &fixture, highhost_waiting);
    assert_int_equal(highhost_apply(&fixture), APPLY_UNCHANGED);
    assert_int_equal(fixture.high.guard.fd, -1);
    want_limit(&fixture, 700 * MIB, 60);
    assert_false(host->is_unguarded);
    assert_true(fixture.high.guard.fd >= 0);
    entry = holdhost_entry(host, "memory_high");
    assert_string_equal(entry, "3 none 734003200 none 734003200 " HIGHHOST_CGROUP);
    highhost_stop(&fixture);
}

static void
no_limit_is_set_that_nobody_would_lift(void **state)
{
    HoldHost *host = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *entry = NULL;
    HighHost fixture;

    highhost_start(host, &fixture, missing);
    host->plans[0].high_apply = true;
    host->plans[0].limit_bytes = 700 * MIB;
    host->plans[0].lease_us = (uint64_t)g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    assert_int_equal(memory_high_apply(&fixture.high, &host->decided, &error), APPLY_RETRY);
    assert_non_null(strstr(error->message, "no limit is set"));
    assert_int_equal(host->asked->len, 0);
    entry = holdhost_entry(host, "memory_high");
    assert_null(entry);
    assert_int_equal(highhost_hold(&fixture)->state, HOLD_IDLE);
    highhost_stop(&fixture);
}

static void
a_limit_goes_at_once_when_policy_lets_go_of_it(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    start_limited(host, &fixture);
    host->plans[0].limit_bytes = LIMIT_NONE;
    host->plans[0].lease_us = 0;
    highhost_apply(&fixture);
    assert_limit(&fixture, "max"); /* libvirt has not answered yet */
    assert_true(fixture.high.guard.fd >= 0);
    holdhost_answer(host, LIMIT_NONE, CHANGE_DONE, LIMIT_NONE);
    host->samples[0].limit_bytes = LIMIT_NONE;
    highhost_apply(&fixture);
    assert_int_equal(fixture.high.guard.fd, -1);
    assert_int_equal(highhost_hold(&fixture)->state, HOLD_IDLE);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    want_limit(&fixture, 700 * MIB, 60);
    limit_is(&fixture, 700 * MIB);
    host->plans[0].limit_bytes = LIMIT_NONE;
    highhost_apply(&fixture);
    assert_limit(&fixture, "max"); /* libvirt still waits for the kernel to reclaim */
    highhost_stop(&fixture);
}

static void
a_limit_goes_when_its_lease_lapses_even_without_libvirt(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    start_limited(host, &fixture);
    host->is_away = true;
    host->plans[0].limit_bytes = U;
    host->plans[0].lease_us = 0;
    skipclock_pass(59 * G_USEC_PER_SEC);
    highhost_apply(&fixture);
    assert_limit(&fixture, "734003200");
    skipclock_pass(2 * G_USEC_PER_SEC);
    highhost_apply(&fixture);
    assert_limit(&fixture, "max");
    /* libvirt has to follow: the way back is still on record. */
    assert_true(g_file_test(host->record, G_FILE_TEST_EXISTS));
    host->is_away = false;
    highhost_apply(&fixture);
    holdhost_answer(host, LIMIT_NONE, CHANGE_DONE, LIMIT_NONE);
    highhost_apply(&fixture);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    highhost_stop(&fixture);
}

static void
a_limit_that_should_be_gone_does_not_cost_others_theirs(void **state)
{
    HoldHost *host = *state;
    uint64_t told_us;
    HighHost fixture;

    start_limited(host, &fixture);
    told_us = fixture.high.guard.told_us;
    assert_true(told_us > 0 && told_us <= host->plans[0].lease_us);
    host->is_away = true;
    host->plans[0].limit_bytes = LIMIT_NONE;
    host->plans[0].lease_us = 0;
    highhost_apply(&fixture);
    assert_true(fixture.high.guard.told_us > told_us);
    highhost_stop(&fixture);
}

static void
a_renewed_lease_keeps_the_limit(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    start_limited(host, &fixture);
    for (int i = 0; i < 5; i++) {
        skipclock_pass(40 * G_USEC_PER_SEC);
        want_limit(&fixture, 700 * MIB, 60);
    }
    assert_limit(&fixture, "734003200");
    assert_int_equal(host->asked->len, 0);
    highhost_stop(&fixture);
}

static void
only_a_limit_of_ours_is_lifted(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    start_limited(host, &fixture);
    fakeroot_write(host->root, HIGHHOST_FOLDER "/libvirt/memory.high", "734007296\n");
    assert_false(memory_high_lift(fakeroot_fd(host->root), highhost_hold(&fixture)));
    assert_limit(&fixture, "734007296");
    /* Without systemd it is one folder up. */
    fakeroot_write(host->root, HIGHHOST_FOLDER "/memory.high", "734003200\n");
    assert_true(memory_high_lift(fakeroot_fd(host->root), highhost_hold(&fixture)));
    highhost_stop(&fixture);
}

static void
a_limit_that_may_be_in_force_is_made_certain_first(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    highhost_start(host, &fixture, highhost_waiting);
    want_limit(&fixture, 700 * MIB, 60);
    holdhost_answer_text(host, CHANGE_BUSY, "the connection broke");
    want_limit(&fixture, 696 * MIB, 60);
    holdhost_answer(host, 700 * MIB, CHANGE_DONE, LIMIT_NONE);
    want_limit(&fixture, 696 * MIB, 60);
    holdhost_answer(host, 696 * MIB, CHANGE_DONE, 700 * MIB);
    highhost_stop(&fixture);
}

static void
a_restored_domain_that_comes_with_a_limit_of_ours_is_relieved(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    start_limited(host, &fixture);
    host->sample.n = 0;
    highhost_apply(&fixture);
    assert_int_equal(fixture.high.guard.fd, -1); /* it has no limit of ours in force */
    host->sample.n = HOLDHOST_DOMAINS;
    host->subjects[0].id = 9;
    host->plans[0].high_apply = false;
    highhost_apply(&fixture);
    holdhost_answer(host, LIMIT_NONE, CHANGE_DONE, 700 * MIB);
    highhost_apply(&fixture);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    highhost_stop(&fixture);
}

static void
a_domain_that_may_not_move_now_is_relieved_without_libvirt(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    start_limited(host, &fixture);
    host->samples[0].is_still = true;
    host->plans[0].limit_bytes = LIMIT_NONE;
    highhost_apply(&fixture);
    assert_limit(&fixture, "max");
    assert_int_equal(host->asked->len, 0);
    highhost_stop(&fixture);
}

static void
a_limit_that_somebody_else_has_set_stays(void **state)
{
    HoldHost *host = *state;
    g_autofree char *note = NULL;
    HighHost fixture;

    start_limited(host, &fixture);
    limit_is(&fixture, 600 * MIB);
    for (int told = 0; told < 3; told++) {
        holdhost_tell(host);
        want_limit(&fixture, 700 * MIB, 60);
    }
    assert_true(holdhost_is_foreign(host, &fixture.high.holds));
    host->plans[0].limit_bytes = LIMIT_NONE;
    highhost_apply(&fixture);
    assert_limit(&fixture, "629145600");
    assert_true(hold_table_restore(&fixture.high.holds, 1000, &note, NULL));
    assert_string_equal(note, "web: the soft limit stays at 600 MiB, which somebody else has set");
    highhost_stop(&fixture);
}

static void
limits_out_of_bounds_are_not_set(void **state)
{
    static const struct {
        const char *when;
        uint64_t want;
        uint64_t found;
        uint64_t lease_s;
        bool fixed, still, cannot, observed, no_process;
    } rows[] = {
        { .when = "below the floor", .want = 199 * MIB, .found = LIMIT_NONE, .lease_s = 60 },
        { .when = "above what was found", .want = 700 * MIB, .found = 600 * MIB, .lease_s = 60 },
        { .when = "without a lease", .want = 700 * MIB, .found = LIMIT_NONE },
        { .when = "fixed", .want = 700 * MIB, .found = LIMIT_NONE, .lease_s = 60, .fixed = true },
        { .when = "still", .want = 700 * MIB, .found = LIMIT_NONE, .lease_s = 60, .still = true },
        { .when = "v1", .want = 700 * MIB, .found = LIMIT_NONE, .lease_s = 60, .cannot = true },
        { .when = "no figure", .want = 700 * MIB, .found = U, .lease_s = 60 },
        { .when = "off", .want = 700 * MIB, .found = LIMIT_NONE, .lease_s = 60, .observed = true },
        { .when = "no cgroup",
          .want = 700 * MIB,
          .found = LIMIT_NONE,
          .lease_s = 60,
          .no_process = true },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HighHost fixture;

        highhost_start(host, &fixture, highhost_waiting);
        host->samples[0].limit_bytes = rows[i].found;
        host->samples[0].is_fixed = rows[i].fixed;
        host->samples[0].is_still = rows[i].still;
        host->samples[0].can_limit = !rows[i].cannot;
        host->samples[0].high_mode = rows[i].observed ? MECHANISM_OBSERVE : MECHANISM_ON;
        if (rows[i].no_process)
            host->subjects[0].process = NULL;
        want_limit(&fixture, rows[i].want, rows[i].lease_s);
        if (host->asked->len > 0)
            fail_msg("%s: it was asked for", rows[i].when);
        highhost_stop(&fixture);
    }
    assert_false(g_file_test(host->state_dir, G_FILE_TEST_EXISTS));
}

/* What was decided on may be seconds old, and it may have grown since. */
static void
a_limit_is_held_against_what_the_domain_uses_now(void **state)
{
    static const struct {
        const char *when;
        const char *file;
        const char *usage;
        bool is_set;
    } rows[] = {
        { "as policy knew", HIGHHOST_FOLDER "/libvirt/memory.current", "740000000\n", true },
        { "8 MiB above", HIGHHOST_FOLDER "/libvirt/memory.current", "742391808\n", true },
        { "further above", HIGHHOST_FOLDER "/libvirt/memory.current", "742391809\n", false },
        { "below", HIGHHOST_FOLDER "/libvirt/memory.current", "100000000\n", true },
        { "without systemd", HIGHHOST_FOLDER "/memory.current", "740000000\n", true },
        { "without systemd, far above", HIGHHOST_FOLDER "/memory.current", "900000000\n", false },
        { "not to be read", NULL, NULL, false },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HighHost fixture;

        highhost_start(host, &fixture, highhost_waiting);
        fakeroot_remove(host->root, HIGHHOST_FOLDER "/libvirt/memory.current");
        if (rows[i].file)
            fakeroot_write(host->root, rows[i].file, "%s", rows[i].usage);
        want_limit(&fixture, 700 * MIB, 60);
        if ((host->asked->len > 0) != rows[i].is_set)
            fail_msg("%s", rows[i].when);
        if (rows[i].file)
            fakeroot_remove(host->root, rows[i].file);
        g_array_set_size(host->asked, 0);
        highhost_stop(&fixture);
        holdhost_reopen(host);
        g_unlink(host->record);
        holdhost_reopen(host);
    }
}

/* The next step down comes from figures of its own: nobody is left alone for having grown. */
static void
who_has_outgrown_a_limit_gets_the_next_one(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    highhost_start(host, &fixture, highhost_waiting);
    for (int i = 0; i < 5; i++)
        assert_int_equal(want_limit(&fixture, 500 * MIB, 60), APPLY_UNCHANGED);
    assert_int_equal(want_limit(&fixture, 700 * MIB, 60), APPLY_DONE);
    highhost_stop(&fixture);
}

static void
what_a_killed_run_has_left_is_lifted_before_libvirt_is_there(void **state)
{
    HoldHost *host = *state;
    HighHost fixture;

    start_limited(host, &fixture);
    highhost_stop(&fixture);
    holdhost_reopen(host);
    highhost_start(host, &fixture, highhost_waiting);
    limit_is(&fixture, 700 * MIB);
    host->is_away = true;
    host->plans[0] = (DomainPlan){ .balloon_bytes = U, .limit_bytes = U };
    highhost_apply(&fixture);
    assert_limit(&fixture, "max");
    host->is_away = false;
    highhost_apply(&fixture);
    holdhost_answer(host, LIMIT_NONE, CHANGE_DONE, LIMIT_NONE);
    highhost_apply(&fixture);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    highhost_stop(&fixture);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_limit_is_on_disk_and_guarded_before_it_is_set),
        ON_HOST(no_limit_is_set_that_nobody_would_lift),
        ON_HOST(a_limit_goes_at_once_when_policy_lets_go_of_it),
        ON_HOST(a_limit_goes_when_its_lease_lapses_even_without_libvirt),
        ON_HOST(a_limit_that_should_be_gone_does_not_cost_others_theirs),
        ON_HOST(a_renewed_lease_keeps_the_limit),
        ON_HOST(only_a_limit_of_ours_is_lifted),
        ON_HOST(a_limit_that_may_be_in_force_is_made_certain_first),
        ON_HOST(a_restored_domain_that_comes_with_a_limit_of_ours_is_relieved),
        ON_HOST(a_domain_that_may_not_move_now_is_relieved_without_libvirt),
        ON_HOST(a_limit_that_somebody_else_has_set_stays),
        ON_HOST(limits_out_of_bounds_are_not_set),
        ON_HOST(a_limit_is_held_against_what_the_domain_uses_now),
        ON_HOST(who_has_outgrown_a_limit_gets_the_next_one),
        ON_HOST(what_a_killed_run_has_left_is_lifted_before_libvirt_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
