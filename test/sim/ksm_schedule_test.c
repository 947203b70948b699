/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_schedule_test.c - when the model's ksmd works and when it sleeps, against what was measured
 */
#include "test/sim/ksm_try.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A pause that nobody waits for. */
#define PARKED_MS 3600000

static void
another_pause_wakes_ksmd_for_one_batch_that_ends_with_the_pass(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_UNIQUE, GIB_PAGES);
    KsmModel *model = model_with(&like, 1);
    uint64_t cpu_us;
    (void)unused;

    ksm_model_write(model, &(KsmKnobs){ KSM_RUN_MERGE, 1000000000, PARKED_MS, U, 0, U });
    ksm_model_run(model, BEGIN + 10 * S);
    for (unsigned i = 1; i < 7; i++) {
        assert_int_equal(ksm_model_counters(model).full_scans, i);
        cpu_us = ksm_model_cpu_us(model);
        ksm_model_run(model, ksm_model_now_us(model) + 600 * S);
        assert_int_equal(ksm_model_cpu_us(model), cpu_us);
        ksm_model_write(model, &(KsmKnobs){ U, U, PARKED_MS + i, U, U, U });
        ksm_model_run(model, ksm_model_now_us(model) + 10 * S);
    }
    ksm_model_free(model);
}

static void
the_same_pause_written_again_wakes_nobody(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_UNIQUE, 1000);
    KsmModel *model = model_with(&like, 1);
    KsmKnobs parked = { KSM_RUN_MERGE, 2000, PARKED_MS, U, U, U };
    (void)unused;

    ksm_model_write(model, &parked);
    ksm_model_run(model, BEGIN + S);
    assert_int_equal(ksm_model_counters(model).full_scans, 1);
    ksm_model_write(model, &parked);
    ksm_model_write(model, &(KsmKnobs){ KSM_RUN_STOP, U, U, U, U, U });
    ksm_model_write(model, &parked);
    ksm_model_run(model, BEGIN + 100 * S);
    assert_int_equal(ksm_model_counters(model).full_scans, 1);
    ksm_model_free(model);
}

static void
a_write_to_run_waits_for_the_batch_at_hand(void **unused)
{
    static const struct {
        const char *when;
        uint64_t pages;
        uint64_t least_us;
        uint64_t most_us;
    } rows[] = {
        { "short batches", 4000, 0, 40 * MS },
        { "the whole pass in one", 1000000000, 1000 * MS, 3000 * MS },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        KsmRegion like = region(KSM_CONTENT_UNIQUE, GIB_PAGES);
        KsmModel *model = model_with(&like, 1);

        ksm_model_write(model, &(KsmKnobs){ KSM_RUN_MERGE, rows[i].pages, 0, U, U, U });
        run_passes(model, 1);
        ksm_model_run(model, ksm_model_now_us(model) + 50 * MS);
        ksm_model_write(model, &(KsmKnobs){ KSM_RUN_STOP, U, U, U, U, U });
        ksm_model_run(model, ksm_model_now_us(model) + 10 * S);
        if (ksm_model_knobs(model).run != KSM_RUN_STOP ||
            ksm_model_run_wait_us(model) < rows[i].least_us ||
            ksm_model_run_wait_us(model) > rows[i].most_us)
            fail_msg("%s: waited %" PRIu64 " us", rows[i].when, ksm_model_run_wait_us(model));
        ksm_model_free(model);
    }
}

/* Pages looked at in ten seconds, with batches that take next to no time. */
static void
pauses_are_jiffies_of_250_hz(void **unused)
{
    static const struct {
        uint64_t sleep_ms;
        uint64_t pause_ms;
    } rows[] = { { 1, 8 }, { 4, 8 }, { 5, 12 }, { 20, 24 }, { 100, 104 } };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        KsmRegion like = region(KSM_CONTENT_UNIQUE, 2 * GIB_PAGES);
        KsmModel *model = model_with(&like, 1);
        uint64_t batches;

        ksm_model_write(model, &(KsmKnobs){ KSM_RUN_MERGE, 100, rows[i].sleep_ms, U, U, U });
        ksm_model_run(model, BEGIN + 10 * S);
        batches = ksm_model_counters(model).pages_scanned / 100;
        if (batches < 10000 / rows[i].pause_ms - 1 || batches > 10000 / rows[i].pause_ms + 1)
            fail_msg("%" PRIu64 " ms: %" PRIu64 " batches", rows[i].sleep_ms, batches);
        ksm_model_free(model);
    }
}

static void
without_a_pause_ksmd_takes_a_whole_cpu(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_UNIQUE, GIB_PAGES);
    KsmModel *model = model_with(&like, 1);
    (void)unused;

    ksm_model_write(model, &flat_out);
    ksm_model_run(model, BEGIN + 100 * S);
    assert_in_range(ksm_model_cpu_us(model), 99 * S, 101 * S);
    ksm_model_free(model);
}

static void
run_with_advisor(KsmModel *model, uint64_t duration_us)
{
    ksm_model_write(model, &(KsmKnobs){ KSM_RUN_MERGE, U, 20, 1, U, U });
    ksm_model_run(model, ksm_model_now_us(model) + duration_us);
}

/* The first step is charged with all that ksmd has ever used. */
static void
the_cold_advisor_falls_below_its_own_minimum(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_SHARED, GIB_PAGES / 2);
    KsmModel *model = model_with(&like, 2);
    uint64_t passes;
    (void)unused;

    ksm_model_write(model, &flat_out);
    ksm_model_run(model, BEGIN + 100 * S);
    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 1);
    passes = ksm_model_counters(model).full_scans;
    run_with_advisor(model, 20 * S);
    assert_int_equal(ksm_model_counters(model).full_scans, passes + 1);
    assert_int_equal(ksm_model_knobs(model).pages_to_scan, 10);
    ksm_model_free(model);
}

static void
the_advisor_owns_pages_to_scan(void **unused)
{
    KsmModel *model = ksm_model_new(NULL, BEGIN);
    (void)unused;

    ksm_model_write(model, &(KsmKnobs){ U, 1234, U, 1, U, U });
    assert_int_equal(ksm_model_knobs(model).pages_to_scan, 500);
    ksm_model_write(model, &(KsmKnobs){ U, 1234, U, U, U, U });
    assert_int_equal(ksm_model_knobs(model).pages_to_scan, 500);
    ksm_model_write(model, &(KsmKnobs){ U, U, U, 0, U, U });
    assert_int_equal(ksm_model_knobs(model).pages_to_scan, 100);
    ksm_model_free(model);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_pause_wakes_ksmd_for_one_batch_that_ends_with_the_pass),
        cmocka_unit_test(the_same_pause_written_again_wakes_nobody),
        cmocka_unit_test(a_write_to_run_waits_for_the_batch_at_hand),
        cmocka_unit_test(pauses_are_jiffies_of_250_hz),
        cmocka_unit_test(without_a_pause_ksmd_takes_a_whole_cpu),
        cmocka_unit_test(the_cold_advisor_falls_below_its_own_minimum),
        cmocka_unit_test(the_advisor_owns_pages_to_scan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
