/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_top_list_test.c - order, units and room of the list */
#include "agent/cli/top_list.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB INT64_C(1048576)

/* Return: the column with this title. */
static unsigned
column(const char *title)
{
    for (unsigned i = 0; i < TOP_COLUMNS; i++)
        if (g_str_equal(top_column(i)->title, title))
            return i;
    fail_msg("no column %s", title);
    return 0;
}

static void
a_list_is_sorted_with_the_unknown_at_the_end(void **unused)
{
    static const struct {
        const char *title;
        bool reverse;
        const char *want;
    } rows[] = {
        { "NET", false, "bdac" },   { "NET", true, "dbac" },       { "DOMAIN", false, "abcd" },
        { "DOMAIN", true, "dcba" }, { "RESIDENT", false, "abcd" },
    };
    static const char *const names[] = { "c", "b", "a", "d" };
    Virtksm__V1__DomainReport domains[4];
    Virtksm__V1__DomainReport *pointers[4];
    Virtksm__V1__ReportResponse report = VIRTKSM__V1__REPORT_RESPONSE__INIT;
    char copies[4][2];

    (void)unused;
    for (size_t i = 0; i < 4; i++) {
        virtksm__v1__domain_report__init(&domains[i]);
        g_strlcpy(copies[i], names[i], sizeof(copies[i]));
        domains[i].name = copies[i];
        pointers[i] = &domains[i];
    }
    domains[1].has_net_saved_bytes = domains[3].has_net_saved_bytes = true;
    domains[1].net_saved_bytes = 5;
    domains[3].net_saved_bytes = -5;
    report.domains = pointers;
    report.n_domains = 4;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        TopOrder order = { column(rows[i].title), rows[i].reverse, TOP_UNIT_AUTO };
        g_autoptr(GPtrArray) sorted = top_sort(&report, &order);
        g_autoptr(GString) got = g_string_new(NULL);

        for (guint k = 0; k < sorted->len; k++)
            g_string_append(got, ((Virtksm__V1__DomainReport *)sorted->pdata[k])->name);
        if (strcmp(got->str, rows[i].want) != 0)
            fail_msg("%s, reverse %d: %s, want %s", rows[i].title, rows[i].reverse, got->str,
                     rows[i].want);
    }
}

static void
amounts_have_the_unit_that_was_chosen_and_fit_a_column(void **unused)
{
    static const struct {
        int64_t bytes;
        TopUnit unit;
        const char *want;
    } rows[] = {
        { 1536 * MIB, TOP_UNIT_AUTO, "1.5 GiB" },
        { -1536 * MIB, TOP_UNIT_AUTO, "-1.5 GiB" },
        { 1536 * MIB, TOP_UNIT_MIB, "1536.0 MiB" },
        { MIB / 2, TOP_UNIT_MIB, "0.5 MiB" },
        { 99998 * MIB, TOP_UNIT_MIB, "99998.0 MiB" },
        { 1048576 * MIB, TOP_UNIT_MIB, "1048576 MiB" },
        { 1536 * MIB, TOP_UNIT_GIB, "1.50 GiB" },
        { 4096 * 1024 * MIB, TOP_UNIT_GIB, "4096.00 GiB" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = top_bytes(rows[i].bytes, rows[i].unit);

        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%" G_GINT64_FORMAT " in %d: %s, want %s", rows[i].bytes, (int)rows[i].unit,
                     got, rows[i].want);
        assert_true(strlen(got) <= top_column(column("SAVED"))->width);
    }
}

static void
a_cell_says_what_is_not_known(void **unused)
{
    Virtksm__V1__ReportResponse report = VIRTKSM__V1__REPORT_RESPONSE__INIT;
    Virtksm__V1__DomainReport domain = VIRTKSM__V1__DOMAIN_REPORT__INIT;

    (void)unused;
    domain.has_saved_pages = true;
    domain.saved_pages = 7;
    for (unsigned i = 0; i < TOP_COLUMNS; i++) {
        g_autofree char *cell = top_cell(&report, &domain, i, TOP_UNIT_AUTO);

        if (strcmp(cell, "-") != 0)
            fail_msg("%s: %s", top_column(i)->title, cell);
    }
}

static void
cells_have_units(void **unused)
{
    static const struct {
        const char *title;
        const char *want;
    } rows[] = {
        { "DOMAIN", "a\\nb" }, { "SAVED", "28.0 KiB" }, { "NET", "-5 B" },
        { "MAX", "1.0 KiB" },  { "KSMD", "1.5 s" },     { "BROKEN", "12345" },
        { "AGE", "2 min" },    { "NEED", "2.0 KiB" },   { "TARGET", "3.0 KiB" },
    };
    Virtksm__V1__ReportResponse report = VIRTKSM__V1__REPORT_RESPONSE__INIT;
    Virtksm__V1__DomainReport domain = VIRTKSM__V1__DOMAIN_REPORT__INIT;
    char name[] = "a\nb";

    (void)unused;
    report.has_page_size = domain.has_saved_pages = domain.has_net_saved_bytes = true;
    domain.has_maximum_bytes = domain.has_ksmd_cpu_us = domain.has_merges_broken_pages = true;
    domain.has_stats_age_ms = true;
    report.page_size = 4096;
    domain.name = name;
    domain.saved_pages = 7;
    domain.net_saved_bytes = -5;
    domain.maximum_bytes = 1024;
    domain.ksmd_cpu_us = 1500000;
    domain.merges_broken_pages = 12345;
    domain.stats_age_ms = 120000;
    domain.has_need_bytes = domain.has_balloon_target_bytes = true;
    domain.need_bytes = 2048;
    domain.balloon_target_bytes = 3072;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *cell = top_cell(&report, &domain, column(rows[i].title), TOP_UNIT_AUTO);

        if (strcmp(cell, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].title, cell, rows[i].want);
    }
}

static void
columns_find_room_and_the_one_that_is_needed_always_does(void **unused)
{
    unsigned last = TOP_COLUMNS - 1;

    (void)unused;
    for (size_t width = 0; width < 300; width++) {
        for (unsigned keep = 0; keep < TOP_COLUMNS; keep++) {
            unsigned columns[TOP_COLUMNS];
            size_t n = top_fit(width, keep, columns);
            bool is_there = false;
            size_t used = 0;

            assert_true(n >= 1 && n <= TOP_COLUMNS && columns[0] == 0);
            for (size_t i = 0; i < n; i++) {
                is_there |= columns[i] == keep;
                used += i > 0 ? 1 + top_column(columns[i])->width : 0;
                assert_true(i == 0 || columns[i] > columns[i - 1]);
            }
            assert_true(is_there);
            if (n > 2 && used > width)
                fail_msg("%zu columns take %zu of %zu", n, used, width);
        }
    }
    assert_int_equal(top_fit(300, last, (unsigned[TOP_COLUMNS]){ 0 }), TOP_COLUMNS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_sorted_with_the_unknown_at_the_end),
        cmocka_unit_test(amounts_have_the_unit_that_was_chosen_and_fit_a_column),
        cmocka_unit_test(a_cell_says_what_is_not_known),
        cmocka_unit_test(cells_have_units),
        cmocka_unit_test(columns_find_room_and_the_one_that_is_needed_always_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
