/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_model_test.c - the model of KSM against what was measured on Linux 6.18
 *
 * Where a row has a range, it is that of the measurements, which were made with guests of 1 to
 * 1.5 GiB; figures without a range follow from the kernel's rules.
 */
#include "policy/arith.h"
#include "test/sim/ksm_try.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const KsmKnobs plain_scan = { U, U, U, U, 0, U };

/* CPU time of one pass, per page. */
static uint64_t
pass_ns_per_page(KsmModel *model, uint64_t pages)
{
    uint64_t before_us = ksm_model_cpu_us(model);

    run_passes(model, 1);
    return (ksm_model_cpu_us(model) - before_us) * 1000 / pages;
}

static void
a_page_costs_what_was_measured(void **unused)
{
    static const struct {
        const char *when;
        KsmContent content;
        bool smart;
        bool zero;
        unsigned pass;
        uint64_t least_ns;
        uint64_t most_ns;
    } rows[] = {
        { "first look", KSM_CONTENT_UNIQUE, true, false, 1, 1000, 1100 },
        { "unique, second look", KSM_CONTENT_UNIQUE, true, false, 2, 5100, 5400 },
        { "unique, third look", KSM_CONTENT_UNIQUE, true, false, 3, 5100, 5400 },
        { "unique, fourth look", KSM_CONTENT_UNIQUE, true, false, 4, 5100, 5400 },
        { "unique, passed over", KSM_CONTENT_UNIQUE, true, false, 5, 100, 120 },
        { "unique, looked at", KSM_CONTENT_UNIQUE, false, false, 12, 5100, 5400 },
        { "merging", KSM_CONTENT_SHARED, true, false, 2, 4650, 5100 },
        { "merged", KSM_CONTENT_SHARED, true, false, 3, 130, 210 },
        { "merged long ago", KSM_CONTENT_SHARED, true, false, 12, 130, 210 },
        { "zero", KSM_CONTENT_ZERO, true, false, 2, 1600, 1700 },
        { "zero, merged", KSM_CONTENT_ZERO, true, false, 3, 130, 210 },
        { "the kernel's zero page", KSM_CONTENT_ZERO, true, true, 2, 1600, 1700 },
        { "the kernel's own already", KSM_CONTENT_ZERO, true, true, 3, 4, 8 },
        { "volatile", KSM_CONTENT_VOLATILE, false, false, 9, 950, 1100 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        KsmRegion like = region(rows[i].content, GIB_PAGES / 4);
        KsmModel *model = model_with(&like, 4);
        uint64_t ns;

        ksm_model_write(model, &(KsmKnobs){ U, U, U, U, U, rows[i].zero });
        ksm_model_write(model, &pass_by_pass);
        if (!rows[i].smart)
            ksm_model_write(model, &plain_scan);
        if (rows[i].pass > 1)
            run_passes(model, rows[i].pass - 1);
        ns = pass_ns_per_page(model, GIB_PAGES);
        if (ns < rows[i].least_ns || ns > rows[i].most_ns)
            fail_msg("%s: %" PRIu64 " ns", rows[i].when, ns);
        ksm_model_free(model);
    }
}

static void
merging_costs_more_in_a_large_tree(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_SHARED, 400000);
    KsmModel *model = model_with(&like, 4);
    (void)unused;

    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 1);
    assert_in_range(pass_ns_per_page(model, 1600000), 6800, 7400);
    ksm_model_free(model);
}

static void
static_duplicates_merge_completely_in_the_second_pass(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_SHARED, 1000);
    KsmModel *model = model_with(&like, 3);
    KsmCounters counters;
    (void)unused;

    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 1);
    counters = ksm_model_counters(model);
    assert_int_equal(counters.pages_sharing + counters.pages_shared, 0);
    assert_int_equal(counters.pages_volatile, 3000);
    run_passes(model, 1);
    counters = ksm_model_counters(model);
    assert_int_equal(counters.pages_shared, 1000);
    assert_int_equal(counters.pages_sharing, 2000);
    assert_int_equal(ksm_model_possible_pages(model), 2000);
    assert_int_equal(counters.pages_unshared + counters.pages_volatile, 0);
    assert_int_equal(counters.pages_scanned, 6000);
    ksm_model_free(model);
}

/* The first copy had been put into the tree of unique pages; it must merge with the second. */
static void
what_processes_have_merged_adds_up_to_what_the_host_has(void **unused)
{
    const KsmRegion first[] = { { KSM_CONTENT_SHARED, 1, 0, 700, 0, 0, 0 },
                                { KSM_CONTENT_UNIQUE, 0, 0, 50, 0, 0, 0 } };
    const KsmRegion second[] = { { KSM_CONTENT_SHARED, 1, 300, 700, 0, 0, 0 } };
    KsmModel *model = ksm_model_new(NULL, BEGIN);
    uint32_t one = ksm_model_start(model, first, 2);
    uint32_t other = ksm_model_start(model, second, 1);
    KsmCounters counters;
    (void)unused;

    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 2);
    counters = ksm_model_counters(model);
    assert_int_equal(counters.pages_shared, 400);
    assert_int_equal(counters.pages_sharing, 400);
    assert_int_equal(counters.pages_unshared, 300 + 300 + 50);
    assert_int_equal(ksm_model_process(model, one).merging_pages, 400);
    assert_int_equal(ksm_model_process(model, other).merging_pages, 400);
    assert_int_equal(ksm_model_process(model, one).rmap_items, 750);
    ksm_model_free(model);
}

static void
a_ksm_page_serves_256_places_at_most(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_ZERO, 1000);
    KsmModel *model = model_with(&like, 1);
    KsmCounters counters;
    (void)unused;

    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 2);
    counters = ksm_model_counters(model);
    assert_int_equal(counters.pages_shared, 4);
    assert_int_equal(counters.pages_sharing, 996);
    ksm_model_free(model);
}

static void
the_kernels_zero_page_takes_neither_memory_nor_records(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_ZERO, 1000);
    KsmModel *model = model_with(&like, 1);
    KsmProcess process;
    (void)unused;

    ksm_model_write(model, &(KsmKnobs){ U, U, U, U, U, 1 });
    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 3);
    process = ksm_model_process(model, 0);
    assert_int_equal(process.zero_pages, 1000);
    assert_int_equal(process.resident_pages, 0);
    assert_int_equal(process.rmap_items, 0);
    assert_int_equal(ksm_model_counters(model).ksm_zero_pages, 1000);
    ksm_model_exit(model, 0);
    assert_int_equal(ksm_model_counters(model).ksm_zero_pages, 0);
    ksm_model_free(model);
}

/* Processes whose pages were looked at in so many passes of smart scan, which may end with them. */
static KsmModel *
model_of_age(const KsmRegion *like, unsigned processes, unsigned age, bool smart)
{
    KsmModel *model = model_with(like, processes);

    ksm_model_write(model, &pass_by_pass);
    run_passes(model, age);
    if (!smart)
        ksm_model_write(model, &plain_scan);
    return model;
}

/* Passes until 1000 pages are saved; 100: they never are. Ends the model. */
static uint64_t
passes_to_save(KsmModel *model)
{
    uint64_t passes = 0;

    for (; ksm_model_saved_pages(model) < 1000 && passes < 100; passes++)
        run_passes(model, 1);
    ksm_model_free(model);
    return passes;
}

/* Passes after which old unique pages have merged that became equal just now. */
static uint64_t
passes_to_merge_late(bool smart, unsigned age)
{
    KsmRegion like = region(KSM_CONTENT_UNIQUE, 1000);
    KsmRegion equal = region(KSM_CONTENT_SHARED, 1000);
    KsmModel *model = model_of_age(&like, 2, age, smart);

    ksm_model_rewrite(model, 0, 0, &equal);
    ksm_model_rewrite(model, 1, 0, &equal);
    return passes_to_save(model);
}

static void
late_duplicates_need_two_passes_or_seventeen(void **unused)
{
    uint64_t most = 0;
    (void)unused;

    for (unsigned age = 40; age < 49; age++) {
        uint64_t passes = passes_to_merge_late(true, age);

        assert_in_range(passes, 10, 18);
        most = max_u64(most, passes);
        assert_int_equal(passes_to_merge_late(false, age), 2);
    }
    assert_in_range(most, 17, 18);
}

/* Passes after which all pages of a process that starts now have merged with old pages that stay
 * as they are. */
static uint64_t
passes_to_find_old(bool smart, unsigned age)
{
    KsmRegion equal = region(KSM_CONTENT_SHARED, 1000);
    KsmModel *model = model_of_age(&equal, 1, age, smart);

    ksm_model_start(model, &equal, 1);
    return passes_to_save(model);
}

/* Both sides are looked at in every ninth pass in the end: equal pages whose turns are others are
 * never looked at in the same one. */
static void
by_smart_scan_a_new_process_may_never_find_what_an_old_one_has(void **unused)
{
    unsigned never = 0;
    (void)unused;

    for (unsigned age = 40; age < 49; age++) {
        uint64_t passes = passes_to_find_old(true, age);

        if (passes < 100)
            assert_in_range(passes, 2, 15);
        else
            never++;
        assert_in_range(passes_to_find_old(false, age), 2, 3);
    }
    assert_int_equal(never, 3);
}

/* Pages of a process that starts now, after so many full_scans. */
static uint64_t
records_after(uint64_t begin_us, uint64_t passes)
{
    KsmRegion like = region(KSM_CONTENT_UNIQUE, 100000);
    KsmModel *model = model_with(&like, 2);
    uint64_t records;
    uint32_t late;

    ksm_model_write(model, &pass_by_pass);
    ksm_model_run(model, BEGIN + begin_us);
    late = ksm_model_start(model, &like, 1);
    run_passes(model, passes);
    records = ksm_model_process(model, late).rmap_items;
    ksm_model_free(model);
    return records;
}

static void
a_new_process_goes_in_behind_the_cursor(void **unused)
{
    (void)unused;

    /* In the midst of the first pass, which has only so much to look at: it is not for it. */
    assert_int_equal(records_after(50 * MS, 1), 0);
    assert_in_range(records_after(50 * MS, 2), 100000, 100000);
}

static void
a_process_that_is_gone_counts_until_ksmd_comes_by(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_SHARED, 1000);
    KsmModel *model = model_with(&like, 3);
    (void)unused;

    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 2);
    ksm_model_write(model, &(KsmKnobs){ KSM_RUN_STOP, U, U, U, U, U });
    ksm_model_run(model, ksm_model_now_us(model) + S);
    ksm_model_exit(model, 1);
    ksm_model_run(model, ksm_model_now_us(model) + 60 * S);
    assert_int_equal(ksm_model_saved_pages(model), 2000);
    assert_int_equal(ksm_model_possible_pages(model), 1000);
    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 2);
    assert_int_equal(ksm_model_saved_pages(model), 1000);
    ksm_model_free(model);
}

static void
a_process_that_was_never_seen_is_gone_at_once(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_SHARED, 1000);
    KsmModel *model = model_with(&like, 2);
    (void)unused;

    ksm_model_exit(model, 0);
    ksm_model_exit(model, 1);
    ksm_model_write(model, &pass_by_pass);
    ksm_model_run(model, BEGIN + S);
    assert_int_equal(ksm_model_counters(model).full_scans, 0);
    assert_int_equal(ksm_model_cpu_us(model), 0);
    ksm_model_free(model);
}

static void
unmerging_forgets_everything_and_merging_begins_anew(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_SHARED, 1000);
    KsmModel *model = model_with(&like, 2);
    (void)unused;

    ksm_model_write(model, &(KsmKnobs){ KSM_RUN_MERGE, 4000, 20, U, U, U });
    run_passes(model, 2);
    assert_int_equal(ksm_model_saved_pages(model), 1000);
    ksm_model_write(model, &(KsmKnobs){ KSM_RUN_UNMERGE, U, U, U, U, U });
    ksm_model_run(model, ksm_model_now_us(model) + S);
    assert_int_equal(ksm_model_saved_pages(model), 0);
    assert_int_equal(ksm_model_counters(model).full_scans, 0);
    assert_int_equal(ksm_model_process(model, 0).rmap_items, 0);
    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 2);
    assert_int_equal(ksm_model_saved_pages(model), 1000);
    ksm_model_free(model);
}

/* Volatile pages that are looked at more often than they are written are unique most of the time.
 */
static void
rarely_written_pages_count_as_unique_between_writes(void **unused)
{
    KsmRegion like = { .content = KSM_CONTENT_VOLATILE, .pages = 1000, .period_us = 100 * S };
    KsmModel *model = model_with(&like, 1);
    KsmCounters counters;
    (void)unused;

    ksm_model_write(model, &(KsmKnobs){ KSM_RUN_MERGE, 4000, 10000, U, 0, U });
    run_passes(model, 5);
    counters = ksm_model_counters(model);
    assert_in_range(counters.pages_volatile, 90, 110);
    assert_in_range(counters.pages_unshared, 890, 910);
    ksm_model_free(model);
}

static void
memory_that_still_comes_is_merged_when_it_has_come(void **unused)
{
    KsmRegion like = { .content = KSM_CONTENT_SHARED,
                       .group = 1,
                       .pages = 64000,
                       .pages_per_s = 6400,
                       .after_us = 2 * S };
    KsmModel *model = model_with(&like, 2);
    (void)unused;

    ksm_model_run(model, BEGIN + S);
    assert_int_equal(ksm_model_process(model, 0).resident_pages, 0);
    ksm_model_write(model, &flat_out);
    ksm_model_run(model, BEGIN + 7 * S);
    assert_int_equal(ksm_model_process(model, 0).resident_pages, 32000);
    assert_in_range(ksm_model_saved_pages(model), 25000, 32000);
    ksm_model_run(model, BEGIN + 15 * S);
    assert_int_equal(ksm_model_saved_pages(model), 64000);
    ksm_model_free(model);
}

/* A merged page that is written to counts as merged until ksmd comes by, and finds its new equals.
 */
static void
rewritten_pages_change_their_company(void **unused)
{
    KsmRegion like = region(KSM_CONTENT_SHARED, 1000);
    KsmRegion other = { .content = KSM_CONTENT_SHARED, .group = 2, .pages = 1000 };
    KsmModel *model = model_with(&like, 4);
    KsmCounters counters;
    (void)unused;

    ksm_model_write(model, &pass_by_pass);
    run_passes(model, 2);
    ksm_model_rewrite(model, 0, 0, &other);
    ksm_model_rewrite(model, 3, 0, &other);
    assert_int_equal(ksm_model_saved_pages(model), 3000);
    run_passes(model, 3);
    counters = ksm_model_counters(model);
    assert_int_equal(counters.pages_shared, 2000);
    assert_int_equal(counters.pages_sharing, 2000);
    ksm_model_free(model);
}

/* What two ways through the same time give must be the same. */
static void
many_small_steps_lead_where_one_large_step_does(void **unused)
{
    const KsmRegion regions[] = { { KSM_CONTENT_SHARED, 1, 0, 50000, 0, 0, 0 },
                                  { KSM_CONTENT_UNIQUE, 0, 0, 30000, 0, 0, 0 },
                                  { KSM_CONTENT_ZERO, 0, 0, 20000, 0, 0, 0 } };
    KsmModel *small = ksm_model_new(NULL, BEGIN);
    KsmModel *large = ksm_model_new(NULL, BEGIN);
    KsmKnobs gentle = { KSM_RUN_MERGE, 300, 20, U, U, U };
    KsmCounters a;
    KsmCounters b;
    (void)unused;

    for (unsigned i = 0; i < 3; i++) {
        ksm_model_start(small, regions, ROWS(regions));
        ksm_model_start(large, regions, ROWS(regions));
    }
    ksm_model_write(small, &gentle);
    ksm_model_write(large, &gentle);
    for (uint64_t us = 0; us < 200 * S; us += 777)
        ksm_model_run(small, BEGIN + us);
    ksm_model_run(small, BEGIN + 200 * S);
    ksm_model_run(large, BEGIN + 200 * S);
    a = ksm_model_counters(small);
    b = ksm_model_counters(large);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(ksm_model_cpu_us(small), ksm_model_cpu_us(large));
    ksm_model_free(small);
    ksm_model_free(large);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_costs_what_was_measured),
        cmocka_unit_test(merging_costs_more_in_a_large_tree),
        cmocka_unit_test(static_duplicates_merge_completely_in_the_second_pass),
        cmocka_unit_test(what_processes_have_merged_adds_up_to_what_the_host_has),
        cmocka_unit_test(a_ksm_page_serves_256_places_at_most),
        cmocka_unit_test(the_kernels_zero_page_takes_neither_memory_nor_records),
        cmocka_unit_test(late_duplicates_need_two_passes_or_seventeen),
        cmocka_unit_test(by_smart_scan_a_new_process_may_never_find_what_an_old_one_has),
        cmocka_unit_test(a_new_process_goes_in_behind_the_cursor),
        cmocka_unit_test(a_process_that_is_gone_counts_until_ksmd_comes_by),
        cmocka_unit_test(a_process_that_was_never_seen_is_gone_at_once),
        cmocka_unit_test(unmerging_forgets_everything_and_merging_begins_anew),
        cmocka_unit_test(rarely_written_pages_count_as_unique_between_writes),
        cmocka_unit_test(memory_that_still_comes_is_merged_when_it_has_come),
        cmocka_unit_test(rewritten_pages_change_their_company),
        cmocka_unit_test(many_small_steps_lead_where_one_large_step_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
