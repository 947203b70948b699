/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* merge_actuator_test.c - a domain is off when its mappings say so, and goes back in any case */
#define _GNU_SOURCE
#include "agent/actuator/merge.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/virt/merge.h"
#include "agent/virt/worker.h"
#include "test/support/holdhost.h"
#include "test/support/skipclock.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define OFF           MERGE_VALUE_OFF
#define ON            MERGE_VALUE_ON
#define MIXED         MERGE_VALUE_MIXED
#define SMAPS(flags)  "7f6765e00000-7f676be00000 rw-p 00000000 00:00 0 \nVmFlags: rd wr" flags "\n"

static const uint64_t backends[] = { 96 * MIB, 32 * MIB };
static Process process;
static Merge merge;

static void
begin(HoldHost *host)
{
    merge_init(&merge, &host->originals, &host->changer);
    merge_set_on(&merge, true, true);
}

static int
setup(void **state)
{
    HoldHost *host;

    holdhost_setup(state);
    host = *state;
    fakeroot_write(host->root, "proc/42/smaps", SMAPS(""));
    process = (Process){ .pid = 42,
                         .dir_fd = openat(fakeroot_fd(host->root), "proc/42",
                                          O_PATH | O_DIRECTORY | O_CLOEXEC) };
    for (size_t i = 0; i < HOLDHOST_DOMAINS; i++) {
        host->subjects[i].process = &process;
        host->subjects[i].backends = backends;
        host->subjects[i].n_backends = 1;
    }
    begin(host);
    return 0;
}

static int
teardown(void **state)
{
    merge_done(&merge);
    process_done(&process);
    return holdhost_teardown(state);
}

static void
want(HoldHost *host, Merging merging)
{
    host->plans[0].merge = merging;
    host->plans[0].merge_apply = merging != MERGING_LEAVE;
}

static bool
is_looking(gpointer unused)
{
    (void)unused;
    return merge.looks && merge.looks->len > 0;
}

/* A decision, and whatever looks at mappings has looked. */
static ApplyResult
apply(HoldHost *host)
{
    g_autoptr(GError) error = NULL;
    ApplyResult result = merge_apply(&merge, &host->decided, &error);

    if (error)
        fail_msg("%s", error->message);
    worker_wait(is_looking, NULL, 20000000);
    return result;
}

static MergeState
state_now(const HoldHost *host)
{
    const MergeDomain start = { host->subjects[0].uuid, host->subjects[0].id,
                                host->subjects[0].n_backends };

    return merge_status(&merge, &start).state;
}

/* So that the next attempt is not too soon. */
static void
later(const HoldHost *host)
{
    Hold *hold = hold_find(&merge.holds, host->subjects[0].uuid);

    if (hold)
        hold->asked_us = 0;
}

static void
switch_off(HoldHost *host)
{
    want(host, MERGING_OFF);
    assert_int_equal(apply(host), APPLY_DONE);
    holdhost_answer(host, OFF, CHANGE_DONE, ON);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
}

static void
it_is_off_when_it_was_recorded_asked_for_done_and_seen(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;

    assert_int_equal(state_now(host), MERGE_AS_FOUND);
    want(host, MERGING_OFF);
    assert_int_equal(apply(host), APPLY_DONE);
    assert_false(host->is_unguarded);
    entry = holdhost_entry(host, "merge");
    assert_string_equal(entry, "3 1 0 1 0 -");
    assert_int_equal(state_now(host), MERGE_MOVING);
    holdhost_answer(host, OFF, CHANGE_DONE, ON);
    assert_int_equal(state_now(host), MERGE_MOVING); /* QEMU's word */
    assert_int_equal(apply(host), APPLY_UNCHANGED);
    assert_int_equal(state_now(host), MERGE_OFF);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(apply(host), APPLY_UNCHANGED);
    assert_int_equal(host->asked->len, 0);
}

static void
a_qemu_that_lies_is_stuck(void **state)
{
    HoldHost *host = *state;

    fakeroot_write(host->root, "proc/42/smaps", SMAPS(" mg"));
    want(host, MERGING_OFF);
    apply(host);
    holdhost_answer(host, OFF, CHANGE_DONE, ON);
    apply(host);
    assert_int_equal(state_now(host), MERGE_STUCK);
    fakeroot_write(host->root, "proc/42/smaps", SMAPS(""));
    assert_int_equal(apply(host), APPLY_UNCHANGED); /* too soon */
    later(host);
    apply(host); /* asked again */
    holdhost_answer(host, OFF, CHANGE_DONE, OFF);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
}

static void
a_new_start_is_not_taken_for_the_one_before(void **state)
{
    HoldHost *host = *state;

    switch_off(host);
    host->subjects[0].id++;
    assert_int_equal(state_now(host), MERGE_AS_FOUND);
    assert_int_equal(apply(host), APPLY_DONE);
    assert_int_equal(state_now(host), MERGE_MOVING);
    holdhost_answer(host, OFF, CHANGE_DONE, ON);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
    host->sample.n = 0; /* it ends */
    apply(host);
    host->sample.n = HOLDHOST_DOMAINS;
    assert_int_equal(state_now(host), MERGE_MOVING); /* a new libvirtd counts from 1 again */
    assert_int_equal(apply(host), APPLY_DONE);
}

static void
memory_that_is_plugged_in_is_switched_too(void **state)
{
    HoldHost *host = *state;

    switch_off(host);
    host->subjects[0].n_backends = 2;
    assert_int_equal(state_now(host), MERGE_MOVING);
    fakeroot_write(host->root, "proc/42/smaps", "%s",
                   SMAPS("") "7f676c000000-7f676e000000 rw-p 00000000 00:00 0 \nVmFlags: rd\n");
    assert_int_equal(apply(host), APPLY_DONE);
    holdhost_answer(host, OFF, CHANGE_DONE, MIXED);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
}

static void
what_cannot_be_switched_is_stuck_and_not_asked_for_all_the_time(void **state)
{
    static const struct {
        const char *when;
        ChangeResult result;
        uint64_t found;
        MergeState state;
    } rows[] = {
        { "refused", CHANGE_REFUSED, U, MERGE_STUCK },
        { "failed", CHANGE_FAILED, ON, MERGE_STUCK },
        { "off already, by somebody else", CHANGE_FOREIGN, OFF, MERGE_OFF },
        { "busy", CHANGE_BUSY, U, MERGE_STUCK },
        { "off in parts, by somebody else", CHANGE_FOREIGN, MIXED, MERGE_STUCK },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *entry = NULL;

        want(host, MERGING_OFF);
        host->subjects[0].id++;
        apply(host);
        holdhost_answer(host, OFF, rows[i].result, rows[i].found);
        for (unsigned n = 0; n < 10; n++) {
            later(host);
            apply(host);
            if (host->asked->len > 0)
                holdhost_answer(host, OFF, rows[i].result, rows[i].found);
        }
        if (state_now(host) != rows[i].state || host->asked->len > 0)
            fail_msg("%s: state %d", rows[i].when, (int)state_now(host));
        entry = holdhost_entry(host, "merge");
        if ((entry != NULL) != (rows[i].result == CHANGE_FAILED || rows[i].result == CHANGE_BUSY))
            fail_msg("%s: recorded %s", rows[i].when, entry ? entry : "nothing");
    }
}

/* Attempts that it takes until the domain is left alone, and how long it is. */
static void
the_whole_host_does_not_wait_long_for_an_attempt_unless_it_is_no_use(void **state)
{
    static const struct {
        ChangeResult result;
        unsigned attempts;
        unsigned seconds;
    } rows[] = {
        { CHANGE_FAILED, 3, 30 },
        { CHANGE_BUSY, 3, 30 },
        { CHANGE_REFUSED, 1, 300 },
    };
    HoldHost *host = *state;

    want(host, MERGING_OFF);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        gint64 pause_us = rows[i].seconds * G_USEC_PER_SEC;
        gint64 before_us;
        gint64 resume_us;

        host->subjects[0].id++;
        for (unsigned n = 0; n < rows[i].attempts; n++) {
            skipclock_pass(3 * G_USEC_PER_SEC);
            assert_int_equal(apply(host), APPLY_DONE);
            before_us = g_get_monotonic_time();
            holdhost_answer(host, OFF, rows[i].result, U);
        }
        resume_us = (gint64)hold_find(&merge.holds, host->subjects[0].uuid)->resume_us;
        if (resume_us < before_us + pause_us || resume_us > g_get_monotonic_time() + pause_us)
            fail_msg("row %zu: left alone for %" PRId64 " us", i, resume_us - before_us);
        assert_int_equal(apply(host), APPLY_UNCHANGED);
        skipclock_pass(pause_us);
        assert_int_equal(apply(host), APPLY_DONE);
        holdhost_answer(host, OFF, CHANGE_REFUSED, U);
    }
}

/* By somebody else, as QEMU says. */
static void
find_off(HoldHost *host)
{
    want(host, MERGING_OFF);
    apply(host);
    holdhost_answer(host, OFF, CHANGE_FOREIGN, OFF);
}

static void
what_was_found_off_is_looked_at_as_well(void **state)
{
    HoldHost *host = *state;

    fakeroot_write(host->root, "proc/42/smaps", SMAPS(" mg"));
    find_off(host);
    assert_int_equal(state_now(host), MERGE_MOVING);
    apply(host);
    assert_int_equal(state_now(host), MERGE_STUCK);
    fakeroot_write(host->root, "proc/42/smaps", SMAPS(""));
    later(host);
    apply(host);
    holdhost_answer(host, OFF, CHANGE_FOREIGN, OFF);
    later(host);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
    assert_null(holdhost_entry(host, "merge"));
}

static void
what_was_found_off_is_asked_about_again_after_a_dimm(void **state)
{
    HoldHost *host = *state;

    find_off(host);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(apply(host), APPLY_UNCHANGED);
    host->subjects[0].n_backends = 2;
    fakeroot_write(host->root, "proc/42/smaps", "%s",
                   SMAPS("") "7f676c000000-7f676e000000 rw-p 00000000 00:00 0 \nVmFlags: rd\n");
    assert_int_equal(state_now(host), MERGE_MOVING);
    assert_int_equal(apply(host), APPLY_DONE);
    holdhost_answer(host, OFF, CHANGE_FOREIGN, OFF);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
    host->subjects[0].n_backends = 3;
    apply(host);
    holdhost_answer(host, OFF, CHANGE_FOREIGN, MIXED); /* it may be merged, and is not ours */
    apply(host);
    assert_int_equal(state_now(host), MERGE_STUCK);
}

static void
a_process_that_is_not_found_is_told_of(void **state)
{
    HoldHost *host = *state;

    host->subjects[0].process = NULL;
    want(host, MERGING_OFF);
    apply(host);
    holdhost_answer(host, OFF, CHANGE_DONE, ON);
    for (unsigned i = 0; i < 10; i++)
        apply(host); /* in haste: that is one attempt */
    assert_int_equal(state_now(host), MERGE_STUCK);
    assert_non_null(strstr(hold_find(&merge.holds, host->subjects[0].uuid)->detail, "process"));
    host->subjects[0].process = &process;
    later(host);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
}

static void
who_is_being_switched_is_told_however_long_it_takes(void **state)
{
    HoldHost *host = *state;
    const MergeDomain start = { host->subjects[0].uuid, host->subjects[0].id, 1 };

    assert_false(merge_status(&merge, &start).is_switching);
    want(host, MERGING_OFF);
    apply(host);
    assert_true(merge_status(&merge, &start).is_switching);
    hold_find(&merge.holds, start.uuid)->asked_us -= 40000000;
    assert_int_equal(merge_status(&merge, &start).state, MERGE_STUCK);
    assert_true(merge_status(&merge, &start).is_switching);
    holdhost_answer(host, OFF, CHANGE_DONE, ON);
    assert_false(merge_status(&merge, &start).is_switching);
    apply(host);
    assert_int_equal(merge_status(&merge, &start).state, MERGE_OFF);
}

static void
what_was_left_off_waits_for_the_list_of_domains(void **state)
{
    HoldHost *host = *state;

    switch_off(host);
    merge_done(&merge);
    holdhost_reopen(host);
    begin(host);
    host->decided.is_listed = false;
    host->sample.n = 0; /* libvirt has not told yet */
    for (unsigned i = 0; i < 3; i++)
        apply(host);
    assert_int_equal(host->asked->len, 0);
    host->decided.is_listed = true;
    apply(host); /* it does not run, as far as libvirt knows: that is for libvirt to say */
    holdhost_answer(host, ON, CHANGE_GONE, U);
    apply(host);
    assert_null(holdhost_entry(host, "merge"));
}

static void
while_libvirt_is_away_it_is_stuck_and_then_goes_on(void **state)
{
    HoldHost *host = *state;

    host->is_away = true;
    want(host, MERGING_OFF);
    apply(host);
    assert_int_equal(state_now(host), MERGE_STUCK);
    host->is_away = false;
    assert_int_equal(apply(host), APPLY_UNCHANGED); /* too soon */
    later(host);
    assert_int_equal(apply(host), APPLY_DONE);
    holdhost_answer(host, OFF, CHANGE_DONE, ON);
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
}

static void
it_goes_back_when_it_may_and_stays_while_nothing_is_decided(void **state)
{
    HoldHost *host = *state;

    switch_off(host);
    want(host, MERGING_LEAVE);
    apply(host);
    assert_int_equal(host->asked->len, 0);
    want(host, MERGING_ON);
    host->plans[0].merge_apply = false; /* others are not off yet */
    apply(host);
    assert_int_equal(host->asked->len, 0);
    want(host, MERGING_ON);
    apply(host);
    assert_int_equal(state_now(host), MERGE_MOVING);
    holdhost_answer(host, ON, CHANGE_DONE, OFF);
    assert_int_equal(state_now(host), MERGE_AS_FOUND);
    apply(host);
    assert_null(holdhost_entry(host, "merge"));
    switch_off(host);
    merge_set_on(&merge, false, true);
    apply(host);
    holdhost_answer(host, ON, CHANGE_DONE, OFF);
    assert_int_equal(state_now(host), MERGE_AS_FOUND);
}

static void
what_a_killed_run_has_left_off_is_taken_over_or_put_back(void **state)
{
    HoldHost *host = *state;

    switch_off(host);
    merge_done(&merge);
    holdhost_reopen(host);
    begin(host);
    assert_int_equal(state_now(host), MERGE_MOVING);
    want(host, MERGING_LEAVE);
    apply(host);
    assert_int_equal(host->asked->len, 0); /* to be decided */
    want(host, MERGING_OFF);
    apply(host);
    holdhost_answer(host, OFF, CHANGE_DONE, OFF); /* it may have been killed before the change */
    apply(host);
    assert_int_equal(state_now(host), MERGE_OFF);
    merge_done(&merge);
    holdhost_reopen(host);
    begin(host);
    merge_set_on(&merge, false, true);
    apply(host);
    holdhost_answer(host, ON, CHANGE_DONE, OFF);
    apply(host);
    assert_null(holdhost_entry(host, "merge"));
}

static void
a_stop_puts_back_after_ksm_and_says_what_could_not_be(void **state)
{
    HoldHost *host = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *note = NULL;

    switch_off(host);
    originals_set(&host->originals, ORIGINALS_KERNEL, "run", "0"); /* could not be put back */
    assert_false(merge_actuator.restore(&merge, &note, &error));
    assert_string_equal(error->message, "the merging of 1 domains, of web for one, stays as we "
                                        "have set it until ksm is as it was found");
    assert_int_equal(host->asked->len, 0);
    originals_drop(&host->originals, ORIGINALS_KERNEL, NULL);
    holdhost_expect_stop(host, &merge_actuator, &merge, "the merging of 1 domains");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(it_is_off_when_it_was_recorded_asked_for_done_and_seen),
        ON_HOST(a_qemu_that_lies_is_stuck),
        ON_HOST(a_new_start_is_not_taken_for_the_one_before),
        ON_HOST(memory_that_is_plugged_in_is_switched_too),
        ON_HOST(what_cannot_be_switched_is_stuck_and_not_asked_for_all_the_time),
        ON_HOST(the_whole_host_does_not_wait_long_for_an_attempt_unless_it_is_no_use),
        ON_HOST(what_was_found_off_is_looked_at_as_well),
        ON_HOST(what_was_found_off_is_asked_about_again_after_a_dimm),
        ON_HOST(a_process_that_is_not_found_is_told_of),
        ON_HOST(who_is_being_switched_is_told_however_long_it_takes),
        ON_HOST(what_was_left_off_waits_for_the_list_of_domains),
        ON_HOST(while_libvirt_is_away_it_is_stuck_and_then_goes_on),
        ON_HOST(it_goes_back_when_it_may_and_stays_while_nothing_is_decided),
        ON_HOST(what_a_killed_run_has_left_off_is_taken_over_or_put_back),
        ON_HOST(a_stop_puts_back_after_ksm_and_says_what_could_not_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
