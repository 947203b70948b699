/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_apply_test.c - KSM's settings are moved in order, and no more than has to be */
#define _GNU_SOURCE
#include "agent/actuator/ksm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/ksmhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, ksmhost_setup, ksmhost_teardown)

static void
what_differs_is_written_in_the_order_that_works_after_the_originals(void **state)
{
    KsmHost *host = *state;
    static const KsmKnobs slower = { 1, 50, 200, U, U, U };

    ksmhost_start(host, &plain);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_wrote(host, "pages_to_scan=4000 sleep_millisecs=0 run=1 ");
    assert_in_force(host, 1, 4000, 0, 0);
    assert_int_equal(ksmhost_apply(host, &slower), APPLY_DONE);
    assert_wrote(host, "pages_to_scan=50 sleep_millisecs=200 ");
    assert_int_equal(ksmhost_apply(host, &rest), APPLY_DONE);
    assert_wrote(host, "pages_to_scan=4000 sleep_millisecs=0 run=0 ");
    assert_knobs(ksm_actuator_initial(&host->actuator), 0, 100, 20, 0);
}

static void
what_is_in_place_is_not_written_again_whatever_the_sample_says(void **state)
{
    KsmHost *host = *state;
    static const KsmKnobs as_found = { 0, 100, 20, U, U, U };
    static const KsmKnobs stale = { 0, 100, 20, 0, U, U };

    ksmhost_start(host, &plain);
    assert_int_equal(ksmhost_apply(host, &as_found), APPLY_UNCHANGED);
    assert_false(ksmhost_has_record(host));
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    g_string_truncate(host->log, 0);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_UNCHANGED);
    assert_int_equal(ksm_actuator_apply(&host->actuator, &burst, &stale, NULL), APPLY_UNCHANGED);
    assert_wrote(host, "");
    /* The sample shows what is wanted, but it was taken before our write. */
    assert_int_equal(ksm_actuator_apply(&host->actuator, &as_found, &stale, NULL), APPLY_DONE);
    assert_in_force(host, 0, 100, 20, 0);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
}

static void
what_policy_does_not_ask_for_is_left_alone(void **state)
{
    KsmHost *host = *state;
    static const KsmKnobs run_only = { 1, U, U, U, U, U };
    static const KsmKnobs nothing = { U, U, U, U, U, U };

    ksmhost_start(host, &plain);
    assert_int_equal(ksmhost_apply(host, &nothing), APPLY_UNCHANGED);
    assert_int_equal(ksmhost_apply(host, &run_only), APPLY_DONE);
    assert_wrote(host, "run=1 ");
    fakeroot_write(host->root, KSM "pages_to_scan", "77\n");
    assert_int_equal(ksmhost_apply(host, &run_only), APPLY_UNCHANGED);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
}

static void
values_out_of_bounds_are_refused_whole(void **state)
{
    static const struct {
        const char *says;
        KsmKnobs wanted;
    } rows[] = {
        { "run 2", { KSM_RUN_UNMERGE, 200, 20, U, U, U } },
        { "run 3", { 3, 200, 20, U, U, U } },
        { "pages_to_scan 0", { 1, 0, 20, U, U, U } },
        { "pages_to_scan 4294967296", { 1, UINT64_C(1) << 32, 20, U, U, U } },
        { "sleep_millisecs 4294967296", { 1, 200, UINT64_C(1) << 32, U, U, U } },
        { "advisor_mode 2", { 1, 200, 20, 2, U, U } },
        { "smart_scan 2", { 1, 200, 20, U, 2, U } },
        { "use_zero_pages 2", { 1, 200, 20, U, U, 2 } },
    };
    static const KsmKnobs widest = { 1, UINT32_MAX, UINT32_MAX, 0, U, U };
    KsmHost *host = *state;
    KsmKnobs sampled = ksmhost_knobs(host);

    ksmhost_start(host, &plain);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        if (ksm_actuator_apply(&host->actuator, &rows[i].wanted, &sampled, &error) !=
                APPLY_REFUSED ||
            !strstr(error->message, rows[i].says))
            fail_msg("%s: %s", rows[i].says, error ? error->message : "taken");
    }
    assert_wrote(host, "");
    assert_int_equal(ksmhost_apply(host, &widest), APPLY_DONE);
}

static void
the_advisor_is_switched_off_before_the_batch_size_is_set(void **state)
{
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "advisor_mode", "none [scan-time]\n");
    fakeroot_write(host->root, KSM "pages_to_scan", "4000\n");
    ksmhost_start(host, &plain);
    assert_knobs(ksm_actuator_initial(&host->actuator), 0, 4000, 20, 1);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_wrote(host, "advisor_mode=none pages_to_scan=4000 sleep_millisecs=0 run=1 ");
    assert_in_force(host, 1, 4000, 0, 0);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_UNCHANGED);
}

static void
the_advisor_stays_on_where_policy_wants_it_and_moves_the_batch_size(void **state)
{
    static const KsmKnobs as_found = { 0, 700, 20, 1, U, U };
    static const KsmKnobs faster = { 1, U, 5, U, U, U };
    static const struct {
        const char *file;
        const char *foreign;
        uint64_t ours;
    } held[] = {
        { KSM "run", "1", 0 },
        { KSM "sleep_millisecs", "21", 20 },
        { KSM "advisor_mode", "[none] scan-time", 1 },
    };
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "advisor_mode", "none [scan-time]\n");
    fakeroot_write(host->root, KSM "pages_to_scan", "700\n");
    ksmhost_start(host, &plain);
    assert_int_equal(ksmhost_apply(host, &as_found), APPLY_UNCHANGED);
    fakeroot_write(host->root, KSM "pages_to_scan", "900\n");
    assert_int_equal(ksmhost_apply(host, &as_found), APPLY_UNCHANGED);
    assert_int_equal(ksmhost_apply(host, &faster), APPLY_DONE);
    assert_wrote(host, "sleep_millisecs=5 run=1 ");
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_wrote(host, "advisor_mode=none pages_to_scan=4000 sleep_millisecs=0 ");
    assert_int_equal(ksmhost_apply(host, &as_found), APPLY_DONE);
    assert_wrote(host, "pages_to_scan=700 sleep_millisecs=20 run=0 advisor_mode=scan-time ");
    fakeroot_write(host->root, KSM "pages_to_scan", "10\n");
    assert_int_equal(ksmhost_apply(host, &as_found), APPLY_UNCHANGED);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
    for (size_t i = 0; i < G_N_ELEMENTS(held); i++) {
        fakeroot_write(host->root, held[i].file, "%s\n", held[i].foreign);
        if (ksmhost_apply(host, &as_found) != APPLY_REFUSED)
            fail_msg("%s: not noticed", held[i].file);
        assert_int_equal(ksm_actuator_foreign(&host->actuator)->ours, held[i].ours);
        ksm_actuator_take_over(&host->actuator);
        assert_int_equal(ksmhost_apply(host, &as_found), APPLY_DONE);
    }
}

static void
smart_scan_is_set_before_scanning_and_left_alone_without_a_wish(void **state)
{
    static const KsmKnobs skipping = { 1, 4000, 0, U, 1, U };
    KsmHost *host = *state;

    fakeroot_write(host->root, KSM "advisor_mode", "none [scan-time]\n");
    ksmhost_start(host, &plain);
    assert_int_equal(ksm_actuator_initial(&host->actuator)->smart_scan, 1);
    assert_int_equal(ksmhost_apply(host, &thorough), APPLY_DONE);
    assert_wrote(host,
                 "advisor_mode=none smart_scan=0 pages_to_scan=4000 sleep_millisecs=0 run=1 ");
    assert_int_equal(ksmhost_apply(host, &thorough), APPLY_UNCHANGED);
    assert_int_equal(ksmhost_apply(host, &skipping), APPLY_DONE);
    assert_wrote(host, "smart_scan=1 ");
    assert_int_equal(ksmhost_apply(host, &rest), APPLY_DONE);
    assert_int_equal(ksmhost_apply(host, &burst), APPLY_DONE);
    assert_wrote(host, "run=0 run=1 ");
    assert_int_equal(ksmhost_knobs(host).smart_scan, 1);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
}

static void
zero_pages_are_switched_before_scanning_and_left_alone_without_a_wish(void **state)
{
    KsmHost *host = *state;

    ksmhost_start(host, &plain);
    assert_int_equal(ksm_actuator_initial(&host->actuator)->use_zero_pages, 0);
    assert_int_equal(ksmhost_apply(host, &with_zeros), APPLY_DONE);
    assert_wrote(host, "smart_scan=0 use_zero_pages=1 pages_to_scan=4000 sleep_millisecs=0 run=1 ");
    assert_int_equal(ksmhost_apply(host, &with_zeros), APPLY_UNCHANGED);
    assert_int_equal(ksmhost_apply(host, &thorough), APPLY_UNCHANGED);
    assert_int_equal(ksmhost_knobs(host).use_zero_pages, 1);
    assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
    assert_wrote(host, "");
}

static void
a_failing_write_is_reported_and_made_good_at_the_next_tick(void **state)
{
    static const struct {
        const char *name;
        int code;
        ApplyResult want;
    } rows[] = {
        { "pages_to_scan", EBUSY, APPLY_RETRY }, { "sleep_millisecs", EINTR, APPLY_RETRY },
        { "run", EINTR, APPLY_RETRY },           { "run", EINVAL, APPLY_REFUSED },
        { "pages_to_scan", ENODEV, APPLY_GONE }, { "sleep_millisecs", 0, APPLY_RETRY },
        { "smart_scan", EINTR, APPLY_RETRY },    { "smart_scan", 0, APPLY_RETRY },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        KsmHost *host = *state;
        KsmKnobs sampled = ksmhost_knobs(host);
        ApplyResult result;

        ksmhost_start(host, &plain);
        host->fail_name = rows[i].name;
        host->fail_errno = rows[i].code;
        host->fail_times = 1;
        result = ksm_actuator_apply(&host->actuator, &thorough, &sampled, &error);
        if (result != rows[i].want || !error || !strstr(error->message, rows[i].name))
            fail_msg("%s, error %d: %s", rows[i].name, rows[i].code, apply_result_name(result));
        assert_int_equal(ksmhost_apply(host, &thorough), APPLY_DONE);
        assert_in_force(host, 1, 4000, 0, 0);
        assert_int_equal(ksmhost_knobs(host).smart_scan, 0);
        assert_int_equal(ksm_actuator_state(&host->actuator), KSM_ACTUATOR_READY);
        ksmhost_teardown(state);
        ksmhost_setup(state);
    }
}

static void
nothing_is_read_where_sample_and_memory_agree_with_what_is_wanted(void **state)
{
    KsmHost *host = *state;
    KsmKnobs sampled;

    ksmhost_start(host, &plain);
    ksmhost_apply(host, &burst);
    sampled = ksmhost_knobs(host);
    fakeroot_remove(host->root, KSM);
    assert_int_equal(ksm_actuator_apply(&host->actuator, &burst, &sampled, NULL), APPLY_UNCHANGED);
    assert_int_equal(ksm_actuator_apply(&host->actuator, &rest, &sampled, NULL), APPLY_GONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(what_differs_is_written_in_the_order_that_works_after_the_originals),
        ON_HOST(what_is_in_place_is_not_written_again_whatever_the_sample_says),
        ON_HOST(what_policy_does_not_ask_for_is_left_alone),
        ON_HOST(values_out_of_bounds_are_refused_whole),
        ON_HOST(the_advisor_is_switched_off_before_the_batch_size_is_set),
        ON_HOST(the_advisor_stays_on_where_policy_wants_it_and_moves_the_batch_size),
        ON_HOST(smart_scan_is_set_before_scanning_and_left_alone_without_a_wish),
        ON_HOST(zero_pages_are_switched_before_scanning_and_left_alone_without_a_wish),
        ON_HOST(a_failing_write_is_reported_and_made_good_at_the_next_tick),
        ON_HOST(nothing_is_read_where_sample_and_memory_agree_with_what_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
