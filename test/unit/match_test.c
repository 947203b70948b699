/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* match_test.c - where new memory finds its equals, learnt from what was merged lately */
#include "policy/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define U          VALUE_UNKNOWN

/* A host with 20000 merged pages, of which 2000 are KSM pages, and 40000 without equals. A guest of
 * 10000 pages is to be merged. */
typedef struct {
    HostSample host;
    Debt debt;
    Match match;
} One;

static void
one_init(One *one)
{
    memset(one, 0, sizeof(*one));
    one->host.knobs.smart_scan = 1;
    one->host.ksm = (KsmCounters){ .pages_shared = 2000,
                                   .pages_sharing = 18000,
                                   .pages_unshared = 30000,
                                   .pages_volatile = 10000,
                                   .ksm_zero_pages = U };
    one->debt = (Debt){ .open_pages = 10000, .open_value = 10000 };
}

static bool
needs_all(const One *one)
{
    return match_needs_all(&one->host, &one->debt, &one->match, 0);
}

/* A pass that merges has ended, with so many of the pages merged. Return: whether it has missed
 * something. */
static bool
merge(One *one, uint64_t pages)
{
    match_begin(&one->host, &one->debt, true, needs_all(one), &one->match);
    one->host.ksm.pages_sharing += pages;
    one->host.ksm.pages_unshared += pages; /* there are always as many more without equals */
    return match_end(&one->host, &one->match);
}

static void
a_pass_looks_at_all_where_many_have_no_equals(void **unused)
{
    static const struct {
        const char *when;
        uint64_t unshared;
        uint64_t smart_scan;
        uint64_t new_pages;
        bool want;
    } rows[] = {
        { "most have none", 30000, 1, 0, true },
        { "most are merged", 10000, 1, 0, false },
        { "but many are new", 10000, 1, 1, true },
        { "smart_scan is off", 30000, 0, 0, true },
        { "the kernel skips nothing", 30000, U, 0, false },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;

        one_init(&one);
        one.host.ksm.pages_unshared = rows[i].unshared;
        one.host.knobs.smart_scan = rows[i].smart_scan;
        if (match_needs_all(&one.host, &one.debt, &one.match, rows[i].new_pages) != rows[i].want)
            fail_msg("%s: it needs %s", rows[i].when, rows[i].want ? "not all" : "all");
    }
}

static void
what_comes_next_is_taken_to_be_of_the_kind_of_the_last(void **unused)
{
    static const struct {
        const char *when;
        uint64_t merged; /* of 10000 */
        bool needs_all;  /* the next one */
    } rows[] = {
        { "all of it was merged", 10000, false },
        { "a quarter", 2500, false },
        { "less", 2499, true },
        { "nothing", 0, true },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;

        one_init(&one);
        assert_false(merge(&one, rows[i].merged));
        if (needs_all(&one) != rows[i].needs_all)
            fail_msg("%s: it needs %s", rows[i].when, rows[i].needs_all ? "not all" : "all");
    }
}

static void
more_than_is_merged_finds_no_equals_there(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    merge(&one, 5000);
    one.debt.open_pages = 50000; /* half of it as much as is merged */
    assert_false(needs_all(&one));
    one.debt.open_pages = 50002;
    assert_true(needs_all(&one));
}

static void
a_pass_that_merged_much_less_than_the_last_has_missed_something(void **unused)
{
    static const struct {
        const char *when;
        uint64_t merged; /* of 10000; 6000 were merged last time */
        bool misses;
    } rows[] = {
        { "as much", 6000, false },
        { "half as much", 3000, false },
        { "less than half", 2999, true },
        { "nothing", 0, true },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;

        one_init(&one);
        merge(&one, 6000);
        if (merge(&one, rows[i].merged) != rows[i].misses)
            fail_msg("%s: it has %s", rows[i].when, rows[i].misses ? "not missed" : "missed");
        assert_int_equal(needs_all(&one), rows[i].misses); /* looks at all then, and is believed */
        if (rows[i].misses)
            assert_false(merge(&one, 0));
    }
}

static void
a_pass_that_may_skip_no_equals_misses_nothing(void **unused)
{
    static const struct {
        const char *when;
        uint64_t smart_scan;
        uint64_t unshared;
        bool misses;
    } rows[] = {
        { "many pages have none", 1, 36000, true },
        { "the kernel skips nothing", U, 36000, false },
        { "most pages are merged", 1, 10000, false },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;

        one_init(&one);
        merge(&one, 6000);
        one.host.knobs.smart_scan = rows[i].smart_scan;
        one.host.ksm.pages_unshared = rows[i].unshared;
        if (merge(&one, 0) != rows[i].misses)
            fail_msg("%s: it has %s", rows[i].when, rows[i].misses ? "not missed" : "missed");
    }
}

static void
what_was_skipped_is_owed_until_a_pass_skips_nothing(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    merge(&one, 6000);
    assert_false(one.match.owes);
    merge(&one, 6000);
    assert_true(one.match.owes);
    match_begin(&one.host, &one.debt, false, false, &one.match); /* takes checksums */
    match_end(&one.host, &one.match);
    assert_true(one.match.owes);
    merge(&one, 0); /* missed */
    merge(&one, 0); /* looks at all */
    assert_false(one.match.owes);
}

static void
a_little_that_waits_looks_at_all(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    merge(&one, 6000);
    one.debt.open_pages = 1000;
    assert_false(needs_all(&one));
    one.debt.open_pages = 999; /* it could not be told whether it is missed */
    assert_true(needs_all(&one));
}

/* Zeros that use the kernel's page have no equals among other guests' pages. */
static void
pages_of_the_kernel_are_not_counted(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    match_begin(&one.host, &one.debt, true, true, &one.match);
    one.host.ksm.ksm_zero_pages = 9000;
    match_end(&one.host, &one.match);
    assert_true(needs_all(&one));
}

static void
nothing_is_learnt_from_other_passes(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    match_begin(&one.host, &one.debt, false, false, &one.match); /* takes checksums */
    one.host.ksm.pages_sharing += 5000;
    one.host.ksm.pages_unshared += 5000;
    assert_false(match_end(&one.host, &one.match));
    assert_true(needs_all(&one));
    match_begin(&one.host, &one.debt, true, true, &one.match);
    match_drop(&one.match); /* left in the middle */
    one.host.ksm.pages_sharing += 5000;
    one.host.ksm.pages_unshared += 5000;
    assert_false(match_end(&one.host, &one.match));
    assert_true(needs_all(&one));
    one.debt.open_pages = 999; /* a guest that has grown a little */
    merge(&one, 5000);
    assert_true(needs_all(&one));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pass_looks_at_all_where_many_have_no_equals),
        cmocka_unit_test(what_comes_next_is_taken_to_be_of_the_kind_of_the_last),
        cmocka_unit_test(more_than_is_merged_finds_no_equals_there),
        cmocka_unit_test(a_pass_that_merged_much_less_than_the_last_has_missed_something),
        cmocka_unit_test(a_pass_that_may_skip_no_equals_misses_nothing),
        cmocka_unit_test(what_was_skipped_is_owed_until_a_pass_skips_nothing),
        cmocka_unit_test(a_little_that_waits_looks_at_all),
        cmocka_unit_test(pages_of_the_kernel_are_not_counted),
        cmocka_unit_test(nothing_is_learnt_from_other_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
