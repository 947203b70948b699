/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_table_test.c - rows and columns as they stand on a terminal */
#include "agent/cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static const TableColumn columns[] = {
    { "NAME", TABLE_LEFT, 0 },
    { "MEMORY", TABLE_RIGHT, 0 },
    { "NOTE", TABLE_LEFT, 0 },
};

static void
columns_are_as_wide_as_their_widest_cell_on_the_terminal(void **unused)
{
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    table_text(table, "\xe4\xb8\xad\xe6\x96\x87"); /* four columns wide */
    table_bytes(table, true, 1536);
    table_text(table, "x");
    table_text(table, "u\xcc\x88"
                      "ber"); /* a combined character: four columns */
    table_bytes(table, true, 300 * 1024 * 1024);
    table_text(table, "longer");
    table_append_to(table, out);
    assert_string_equal(out->str, "NAME     MEMORY  NOTE\n"
                                  "\xe4\xb8\xad\xe6\x96\x87    1.5 KiB  x\n"
                                  "u\xcc\x88"
                                  "ber  300.0 MiB  longer\n");
}

static void
what_is_not_known_is_a_dash_and_never_a_number(void **unused)
{
    static const TableColumn four[] = {
        { "A", TABLE_LEFT, 0 },
        { "B", TABLE_RIGHT, 0 },
        { "C", TABLE_RIGHT, 0 },
        { "D", TABLE_RIGHT, 0 },
    };
    g_autoptr(Table) table = table_new(four, G_N_ELEMENTS(four));
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    table_text(table, NULL);
    table_count(table, false, 7);
    table_bytes(table, false, 7);
    table_duration(table, false, 7);
    table_text(table, "");
    table_count(table, true, 7);
    table_bytes(table, true, 7);
    table_duration(table, true, 700);
    table_append_rows(table, out);
    assert_string_equal(out->str, "-  -    -      -\n"
                                  "-  7  7 B  0.7 s\n");
}

static void
a_table_without_rows_is_its_header(void **unused)
{
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    table_append_to(table, out);
    assert_string_equal(out->str, "NAME  MEMORY  NOTE\n");
}

static void
a_line_break_in_a_cell_stays_in_its_row(void **unused)
{
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    table_text(table, "a\nb");
    table_count(table, true, 1);
    table_text(table, "c\x1b[2J");
    table_append_rows(table, out);
    assert_string_equal(out->str, "a\\nb       1  c\\x1b[2J\n");
}

static void
rows_of_a_stream_keep_the_widths_they_were_given(void **unused)
{
    static const TableColumn wide[] = { { "A", TABLE_LEFT, 6 }, { "B", TABLE_LEFT, 0 } };
    g_autoptr(Table) table = table_new(wide, G_N_ELEMENTS(wide));
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    table_text(table, "x");
    table_text(table, "y");
    table_append_rows(table, out);
    assert_string_equal(out->str, "x       y\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell_on_the_terminal),
        cmocka_unit_test(what_is_not_known_is_a_dash_and_never_a_number),
        cmocka_unit_test(a_table_without_rows_is_its_header),
        cmocka_unit_test(a_line_break_in_a_cell_stays_in_its_row),
        cmocka_unit_test(rows_of_a_stream_keep_the_widths_they_were_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
