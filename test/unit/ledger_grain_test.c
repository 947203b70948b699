/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ledger_grain_test.c - figures of domains lose their detail, and their sums nothing */
#include "agent/report/ledger_grain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define U    VALUE_UNKNOWN
#define PAGE UINT64_C(4096)
#define MIB  (UINT64_C(1) << 20)

static Ledger
ledger_of(const LedgerRow *rows, guint n)
{
    Ledger ledger = { .page_bytes = (uint32_t)PAGE,
                      .others_merging_pages = 10,
                      .others_saved_pages = 5,
                      .rows = g_array_new(FALSE, TRUE, sizeof(LedgerRow)) };

    g_array_append_vals(ledger.rows, rows, n);
    return ledger;
}

static void
what_is_cut_off_a_domain_goes_to_the_others(void **unused)
{
    static const LedgerRow rows[] = {
        { .merging_pages = 1000,
          .saved_pages = 700,
          .zero_pages = 300,
          .broken_pages = 257,
          .metadata_bytes = 3 * MIB + 64,
          .profit_bytes = 4095999,
          .unshare_bytes = 1300 * PAGE,
          .untouched_bytes = 7 * MIB + PAGE,
          .guest_free_bytes = 9 * MIB - PAGE },
        { .merging_pages = U,
          .saved_pages = U,
          .zero_pages = U,
          .broken_pages = U,
          .metadata_bytes = U,
          .profit_bytes = U,
          .unshare_bytes = U,
          .untouched_bytes = U,
          .guest_free_bytes = U },
    };
    Ledger ledger = ledger_of(rows, G_N_ELEMENTS(rows));
    const LedgerRow *row = &g_array_index(ledger.rows, LedgerRow, 0);
    (void)unused;

    ledger_coarsen(&ledger, MIB); /* 256 pages */
    assert_int_equal(row[0].merging_pages, 768);
    assert_int_equal(row[0].saved_pages, 512);
    assert_int_equal(row[0].zero_pages, 256);
    assert_int_equal(row[0].broken_pages, 256);
    assert_int_equal(row[0].metadata_bytes, 3 * MIB);
    assert_int_equal(row[0].unshare_bytes, 5 * MIB);
    assert_int_equal(row[0].untouched_bytes, 7 * MIB);
    assert_int_equal(row[0].guest_free_bytes, 8 * MIB);
    assert_true(row[0].profit_bytes == U);
    assert_true(row[1].untouched_bytes == U && row[1].guest_free_bytes == U);
    assert_true(row[1].merging_pages == U && row[1].saved_pages == U && row[1].zero_pages == U);
    assert_int_equal(ledger.others_merging_pages, 10 + 1000 - 768);
    assert_int_equal(ledger.others_saved_pages, 5 + 700 - 512);
    ledger_clear(&ledger);
}

static void
without_a_grain_nothing_changes(void **unused)
{
    static const LedgerRow one = { .merging_pages = 1001, .saved_pages = 701, .profit_bytes = 7 };
    static const uint64_t grains[] = { 0, 1, PAGE, 2 * PAGE - 1 };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(grains); i++) {
        Ledger ledger = ledger_of(&one, 1);
        const LedgerRow *row = &g_array_index(ledger.rows, LedgerRow, 0);

        ledger_coarsen(&ledger, grains[i]);
        if (row->merging_pages != 1001 || row->saved_pages != 701 || row->profit_bytes != 7 ||
            ledger.others_merging_pages != 10)
            fail_msg("a grain of %u bytes", (unsigned)grains[i]);
        ledger_clear(&ledger);
    }
}

static void
a_need_is_rounded_up(void **unused)
{
    static const struct {
        uint64_t bytes;
        uint64_t grain;
        uint64_t want;
    } rows[] = {
        { 0, 100, 0 },     { 1, 100, 100 }, { 100, 100, 100 },
        { 101, 100, 200 }, { 101, 0, 101 }, { UINT64_MAX - 1, 100, UINT64_MAX },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_int_equal(ledger_coarse_need(rows[i].bytes, rows[i].grain), rows[i].want);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_off_a_domain_goes_to_the_others),
        cmocka_unit_test(without_a_grain_nothing_changes),
        cmocka_unit_test(a_need_is_rounded_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
