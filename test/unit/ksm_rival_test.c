/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_rival_test.c - another program writes KSM's settings: it is noticed, and nobody is fought */
#define _GNU_SOURCE
#include "agent/actuator/ksm.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/ksmhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, ksmhost_setup, ksmhost_teardown)

static void
another_writer_is_noticed_named_and_yielded_to(void **state)
{
    static const struct {
        const char *when;
        const char *file;
        const char *value;
        const char *comm;
        const char *says[3];
        const char *back; /* what else goes back as it was found */
    } rows[] = {
        { "ksmtuned",
          "pages_to_scan",
          "64",
          "ksmtuned",
          { "ksmtuned (process 812)", "64", "4000" },
          "smart_scan=1 sleep_millisecs=20 " },
        { "tuned",
          "run",
          "0",
          "tuned",
          { "tuned (process 812)", "run is 0", "at 1" },
          "smart_scan=1 pages_to_scan=100 sleep_millisecs=20 " },
        { "MOM",
          "sleep_millisecs",
          "10",
          "momd",
          { "MOM", "sleep_millisecs is 10", "at 0" },
          "smart_scan=1 pages_to_scan=100 " },
        { "oVirt's MOM",
          "run",
          "0",
          "mom-vdsm",
          { "MOM", "run", "" },
          "smart_scan=1 pages_to_scan=100 sleep_millisecs=20 " },
        { "VDSM",
          "run",
          "0",
          "vdsmd",
          { "VDSM", "run", "" },
          "smart_scan=1 pages_to_scan=100 sleep_millisecs=20 " },
        { "Kata",
          "run",
          "0",
          "ksm-throttler",
          { "Kata", "run", "" },
          "smart_scan=1 pages_to_scan=100 sleep_millisecs=20 " },
        { "Kata, cut by the kernel",
          "run",
          "0",
          "kata-ksm-thrott",
          { "Kata", "run", "" },
          "smart_scan=1 pages_to_scan=100 sleep_millisecs=20 " },
        { "nobody we know",
          "run",
          "0",
          "bash",
          { "does not know", "run", "" },
          "smart_scan=1 pages_to_scan=100 sleep_millisecs=20 " },
        { "unmerged by hand",
          "run",
          "2",
          "bash",
          { "does not know", "run is 2", "" },
          "smart_scan=1 pages_to_scan=100 sleep_millisecs=20 " },
        { "the advisor",
          "advisor_mode",
          "none [scan-time]",
          "bash",
          { "the kernel's advisor", "advisor_mode is scan-time", "at none" },
          "smart_scan=1 sleep_millisecs=20 " },
        { "smart_scan by hand",
          "smart_scan",
          "1",
          "bash",
          { "smart_scan is 1", "at 0", "" },
          "pages_to_scan=100 sleep_millisecs=20 " },
        { "the advisor, by tuned",
          "advisor_mode",
          "none [scan-time]",
          "tuned",
          { "tuned (process 812)", "advisor_mode", "" },
          "smart_scan=1 sleep_millisecs=20 " },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *file = g_strconcat(KSM, rows[i].file, NULL);
        g_autoptr(GError) error = NULL;
        KsmHost *host = *state;
        KsmKnobs sampled;

        ksmhost_start(host, &plain);
        ksmhost_apply(host, &thorough);
        g_string_truncate(host->log, 0);
        fakeroot_write(host->root, "proc/812/comm", "%s\n", rows[i].comm);
        fakeroot_write(host->root, file, "%s\n", rows[i].value);
        sampled = ksmhost_knobs(host);
        if (ksm_actuator_apply(&host->actuator, &thorough, &sampled, &error) != APPLY_REFUSED ||
            ksm_actuator_state(&host->actuator) != KSM_ACTUATOR_YIELDED)
            fail_msg("%s: not noticed", rows[i].when);
        for (size_t n = 0; n < G_N_ELEMENTS(rows[i].says); n++) {
            if (!strstr(error->message, rows[i].says[n]))
                fail_msg("%s: \"%s\"", rows[i].when, error->message);
        }
        assert_string_equal(ksm_knob_name(ksm_actuator_foreign(&host->actuator)->knob),
                            rows[i].file);
        assert_wrote(host, rows[i].back);
        assert_int_equal(ksmhost_apply(host, &rest), APPLY_REFUSED);
        assert_wrote(host, "");
        ksmhost_teardown(state);
        ksmhost_setup(state);
    }
}

static void
what_a_plan_says_nothing_of_is_watched_all_the_same(void **state)
{
    static const KsmKnobs probe = { 1, 4000, 10, U, 0, 1 };
    static const KsmKnobs parked = { U, U, 3600000, U, U, U };
    static const KsmKnobs part = { 1, 4000, 10, U, U, U };
    static const struct {
        const char *file;
        const char *value;
        const KsmKnobs *wanted; /* at the next decision */
    } rows[] = {
        { "pages_to_scan", "1000", &part },
        { "advisor_mode", "none [scan-time]", &part },
        { "smart_scan", "1", &part },
        { "use_zero_pages", "0", &part },
        { "run", "0", &part },
        /* Also while nothing is to be written. */
        { "pages_to_scan", "1000", &parked },
        { "advisor_mode", "none [scan-time]", &parked },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *file = g_strconcat(KSM, rows[i].file, NULL);
        KsmHost *host = *state;

        ksmhost_start(host, &plain);
        ksmhost_apply(host, &probe);
        assert_int_equal(ksmhost_apply(host, &parked), APPLY_DONE);
        assert_int_equal(ksmhost_apply(host, &parked), APPLY_UNCHANGED);
        fakeroot_write(host->root, file, "%s\n", rows[i].value);
        if (ksmhost_apply(host, rows[i].wanted) != APPLY_REFUSED)
            fail_msg("%s: not noticed", rows[i].file);
        assert_string_equal(ksm_knob_name(ksm_actuator_foreign(&host->actuator)->knob),
                            rows[i].file);
        ksmhost_teardown(state);
        ksmhost_setup(state);
    }
}

static void
what_a_plan_says_nothing_of_is_counted_once_by_who_never_yields(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &greedy);
    ksmhost_apply(host, &burst);
    ksmhost_apply(host, &asleep);
    fakeroot_write(host->root, KSM "pages_to_scan", "1000\n");
    for (int i = 0; i < 3; i++)
        assert_int_equal(ksmhost_apply(host, &asleep), APPLY_UNCHANGED);
    assert_int_equal(ksm_actuator_foreign(&host->actuator)->count, 1);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_in_force(host, 1, 4000, 0, 0);
}

static void
what_the_advisor_resets_as_it_goes_off_is_no_foreign_value(void **state)
{
    static const KsmKnobs without = { 1, U, 5, 0, U, U };
    static const KsmKnobs parked = { 1, U, 5, U, U, U };
    KsmHost *host = *state;

    ksmhost_start(host, &greedy);
    ksmhost_apply(host, &burst);
    /* It goes on by another hand, which leaves what we held of the batch size. */
    fakeroot_write(host->root, KSM "advisor_mode", "none [scan-time]\n");
    ksmhost_apply(host, &parked);
    ksm_actuator_set_options(&host->actuator, &plain);
    assert_int_equal(ksmhost_apply(host, &without), APPLY_DONE);
    assert_in_force(host, 1, 100, 5, 0);
    assert_int_equal(ksmhost_apply(host, &without), APPLY_UNCHANGED);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
}

/* Holds the lock of KSM's directory as another agent does. Return: for close(). */
static int
be_another_agent(const KsmHost *host)
{
    int fd = openat(fakeroot_fd(host->root), KSM, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
    return fd;
}

static void
another_agent_is_waited_for_by_who_never_yields(void **state)
{
    KsmHost *host = *state;
    int other_fd = be_another_agent(host);

    ksmhost_start(host, &greedy);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_RETRY);
    assert_wrote(host, "");
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
    close(other_fd);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
}

static void
another_agent_is_yielded_to(void **state)
{
    KsmHost *host = *state;
    int other_fd = be_another_agent(host);

    ksmhost_start(host, &plain);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_REFUSED);
    assert_wrote(host, "");
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_YIELDED);
    close(other_fd);
}

/* Drives KSM until ksmd is asleep, and another program writes one setting. */
static void
yield_asleep(KsmHost *host, const char *file, const char *value)
{
    ksmhost_start(host, &plain);
    ksmhost_apply(host, &thorough);
    ksmhost_apply(host, &asleep);
    fakeroot_write(host->root, file, "%s\n", value);
    assert_int_equal(ksmhost_apply(host, &asleep), APPLY_REFUSED);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_YIELDED);
    assert_true(ksmhost_has_record(host));
}

static void
who_is_yielded_to_finds_ksmd_awake_and_its_own_setting_and_run_as_they_were(void **state)
{
    KsmHost *host = *state;

    yield_asleep(host, KSM "pages_to_scan", "1000");
    assert_in_force(host, 1, 1000, 20, 0);
    assert_int_equal(ksmhost_knobs(host).smart_scan, 1);
    /* What it sets afterwards stays, too; the rest goes back at the end. */
    fakeroot_write(host->root, KSM "sleep_millisecs", "50\n");
    assert_restores(host, "pages_to_scan stays at 1000");
    assert_in_force(host, 0, 1000, 50, 0);
    assert_false(ksmhost_has_record(host));
}

static void
the_advisor_that_somebody_has_switched_on_is_left_to_its_work(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "sleep_millisecs", "200\n");
    yield_asleep(host, KSM "advisor_mode", "none [scan-time]");
    assert_in_force(host, 1, 4000, 200, 1);
    assert_restores(host, NULL); /* it was never ours */
    assert_in_force(host, 0, 4000, 200, 1);
}

static void
the_advisor_found_on_stays_off_while_it_would_move_what_another_has_set(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "advisor_mode", "none [scan-time]\n");
    yield_asleep(host, KSM "pages_to_scan", "1000");
    assert_in_force(host, 1, 1000, 20, 0);
    assert_restores(host, "advisor_mode stays off");
    assert_in_force(host, 0, 1000, 20, 0);
    ksmhost_crash(host);

    fakeroot_write(host->root, KSM "advisor_mode", "none [scan-time]\n");
    yield_asleep(host, KSM "sleep_millisecs", "50");
    assert_in_force(host, 1, 500, 50, 1);
    assert_restores(host, "sleep_millisecs stays at 50");
    assert_in_force(host, 0, 500, 50, 1);
}

static void
a_way_aside_that_fails_is_told_and_made_good_at_the_end(void **state)
{
    KsmHost *host = *state;

    host->fail_name = "smart_scan";
    host->fail_errno = EINVAL;
    host->fail_times = 0;
    ksmhost_start(host, &plain);
    ksmhost_apply(host, &thorough);
    host->fail_times = 1;
    fakeroot_write(host->root, KSM "pages_to_scan", "1000\n");
    assert_int_equal(ksmhost_apply(host, &rest), APPLY_REFUSED);
    assert_non_null(strstr(ksm_actuator_text(&host->actuator), "could not put back"));
    assert_in_force(host, 1, 1000, 20, 0);
    assert_restores(host, "pages_to_scan stays at 1000");
    assert_int_equal(ksmhost_knobs(host).smart_scan, 1);
}

static void
the_likeliest_of_several_programs_is_named(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, "proc/20/comm", "tuned\n");
    fakeroot_write(host->root, "proc/30/comm", "ksmtuned\n");
    fakeroot_write(host->root, "proc/40/comm", "momd\n");
    fakeroot_write(host->root, "proc/self/comm", "ksmtuned\n");
    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    fakeroot_write(host->root, KSM "run", "0\n");
    ksmhost_apply(host, &burst);
    assert_string_equal(ksm_actuator_foreign(&host->actuator)->who, "ksmtuned (process 30)");
    assert_int_equal(ksm_actuator_foreign(&host->actuator)->count, 1);
}

static void
taking_over_writes_again(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    ksm_actuator_take_over(&host->actuator);
    ksmhost_apply(host, &burst);
    fakeroot_write(host->root, KSM "run", "0\n");
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_REFUSED);
    assert_in_force(host, 0, 100, 20, 0);
    g_string_truncate(host->log, 0);
    ksm_actuator_take_over(&host->actuator);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_wrote(host, "pages_to_scan=4000 sleep_millisecs=0 run=1 ");
    assert_knobs(ksm_actuator_initial(&host->actuator), 0, 100, 20, 0);
    /* The next foreign write is noticed again. */
    fakeroot_write(host->root, KSM "run", "0\n");
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_REFUSED);
    ksm_actuator_set_options(&host->actuator, &greedy);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_restores(host, NULL);
    assert_in_force(host, 0, 100, 20, 0);
}

static void
who_is_told_never_to_yield_does_not_but_counts(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &greedy);
    ksmhost_apply(host, &burst);
    for (unsigned i = 1; i <= 3; i++) {
        fakeroot_write(host->root, KSM "run", "0\n");
        assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
        assert_int_equal(ksm_actuator_foreign(&host->actuator)->count, i);
        assert_in_force(host, 1, 4000, 0, 0);
    }
}

static void
zero_pages_switched_by_another_program_are_noticed(void **state)
{
    KsmHost *host = *state;
    const KsmForeign *foreign;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &with_zeros);
    fakeroot_write(host->root, KSM "use_zero_pages", "0\n");
    assert_int_equal(ksmhost_apply(host, &with_zeros), APPLY_REFUSED);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_YIELDED);
    foreign = ksm_actuator_foreign(&host->actuator);
    assert_string_equal(ksm_knob_name(foreign->knob), "use_zero_pages");
    assert_int_equal(foreign->found, 0);
    assert_int_equal(foreign->ours, 1);
}

static void
what_was_found_as_wanted_is_defended_like_what_was_written(void **state)
{
    static const KsmKnobs as_found = { 0, 100, 20, U, U, U };
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    assert_int_equal(ksmhost_apply(host, &as_found), APPLY_UNCHANGED);
    fakeroot_write(host->root, KSM "run", "1\n");
    assert_int_equal(ksmhost_apply(host, &as_found), APPLY_REFUSED);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_YIELDED);
    assert_in_force(host, 1, 100, 20, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(another_writer_is_noticed_named_and_yielded_to),
        ON_HOST(what_a_plan_says_nothing_of_is_watched_all_the_same),
        ON_HOST(what_a_plan_says_nothing_of_is_counted_once_by_who_never_yields),
        ON_HOST(another_agent_is_waited_for_by_who_never_yields),
        ON_HOST(another_agent_is_yielded_to),
        ON_HOST(what_the_advisor_resets_as_it_goes_off_is_no_foreign_value),
        ON_HOST(who_is_yielded_to_finds_ksmd_awake_and_its_own_setting_and_run_as_they_were),
        ON_HOST(the_advisor_that_somebody_has_switched_on_is_left_to_its_work),
        ON_HOST(the_advisor_found_on_stays_off_while_it_would_move_what_another_has_set),
        ON_HOST(a_way_aside_that_fails_is_told_and_made_good_at_the_end),
        ON_HOST(the_likeliest_of_several_programs_is_named),
        ON_HOST(taking_over_writes_again),
        ON_HOST(who_is_told_never_to_yield_does_not_but_counts),
        ON_HOST(zero_pages_switched_by_another_program_are_noticed),
        ON_HOST(what_was_found_as_wanted_is_defended_like_what_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
