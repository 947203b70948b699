/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_csv_test.c - messages as rows of CSV */
#include "agent/cli/csv.h"
#include "cli_fields.pb-c.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
the_header_names_what_fits_into_a_cell(void **unused)
{
    static const char *const lead[] = { "kind", "page_size", NULL };
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    csv_append_header(out, lead, &cli_fields__fields__descriptor);
    assert_string_equal(out->str, "kind,page_size,u64,i64,u32,i32,real,small_real,flag,text,raw,"
                                  "word,plain,plain_text,left,right\n");
}

static void
a_row_has_raw_figures_and_nothing_for_what_is_absent(void **unused)
{
    static const char *const lead[] = { "a,b", NULL };
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    message.has_u64 = message.has_i64 = message.has_u32 = message.has_real = true;
    message.u64 = UINT64_MAX;
    message.i64 = -5;
    message.real = NAN;
    csv_append_row(out, lead, &message.base);
    assert_string_equal(out->str, "\"a,b\",18446744073709551615,-5,0,,,,,,,,0,,,\n");
}

static void
a_cell_is_quoted_where_it_must_be(void **unused)
{
    static const struct {
        char text[16];
        const char *want;
    } rows[] = {
        { "plain", "plain" },           { "a b", "a b" },
        { "a,b", "\"a,b\"" },           { "a\nb", "\"a\nb\"" },
        { "a\rb", "\"a\rb\"" },         { "say \"x\"", "\"say \"\"x\"\"\"" },
        { "\xc3\xbc;'", "\xc3\xbc;'" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        CliFields__Inner message = CLI_FIELDS__INNER__INIT;
        g_autofree char *text = g_strdup(rows[i].text);
        g_autofree char *want = g_strdup_printf("%s\n", rows[i].want);
        g_autoptr(GString) out = g_string_new(NULL);

        message.text = text;
        csv_append_row(out, NULL, &message.base);
        if (strcmp(out->str, want) != 0)
            fail_msg("%s: %s, want %s", text, out->str, want);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_names_what_fits_into_a_cell),
        cmocka_unit_test(a_row_has_raw_figures_and_nothing_for_what_is_absent),
        cmocka_unit_test(a_cell_is_quoted_where_it_must_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
