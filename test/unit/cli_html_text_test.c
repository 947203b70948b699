/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_html_text_test.c - nothing that stands in a page is taken for HTML */
#include "agent/cli/html_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
texts_are_escaped_for_html_and_for_the_reader(void **unused)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "web", "web" },
        { "<b>&'\"", "&lt;b&gt;&amp;&apos;&quot;" },
        { "&amp;", "&amp;amp;" },
        { "a\nb\tc", "a\\nb\\tc" },
        { "a\xe2\x80\xa8\x62", "a\\u2028b" },
        { "\xff\xfe", "\\xff\\xfe" },
        { "\xe4\xb8\xad", "\xe4\xb8\xad" },
        { NULL, "-" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new(NULL);

        html_text(out, rows[i].text);
        if (strcmp(out->str, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].text ? rows[i].text : "NULL", out->str,
                     rows[i].want);
    }
}

static void
a_figure_has_its_exact_value_and_what_people_read(void **unused)
{
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    html_bytes(out, "net", (HtmlFigure){ true, -1610612736 });
    assert_string_equal(out->str, "<data data-of=\"net\" value=\"-1610612736\">-1.5 GiB</data>");
    g_string_truncate(out, 0);
    html_time(out, "cpu", html_u64(true, 61000000));
    assert_string_equal(out->str, "<data data-of=\"cpu\" value=\"61000000\">1 min</data>");
}

static void
thousands_stand_apart(void **unused)
{
    static const struct {
        int64_t count;
        const char *want;
    } rows[] = {
        { 0, ">0<" },
        { 999, ">999<" },
        { 1000, ">1\xe2\x80\xaf"
                "000<" },
        { 1234567, ">1\xe2\x80\xaf"
                   "234\xe2\x80\xaf"
                   "567<" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new(NULL);

        html_count(out, "n", (HtmlFigure){ true, rows[i].count });
        if (!strstr(out->str, rows[i].want))
            fail_msg("%s: want %s", out->str, rows[i].want);
    }
}

static void
what_is_not_known_is_not_0(void **unused)
{
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    html_bytes(out, "x", html_u64(false, 0));
    assert_string_equal(out->str, "<span class=\"unknown\" data-of=\"x\">not known</span>");
    assert_false(html_pages(true, 5, 0).known);
}

static void
figures_saturate(void **unused)
{
    (void)unused;
    assert_true(html_u64(true, UINT64_MAX).value == INT64_MAX);
    assert_true(html_pages(true, UINT64_MAX / 2, 4096).value == INT64_MAX);
    assert_true(html_pages(true, 3, 4096).value == 12288);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped_for_html_and_for_the_reader),
        cmocka_unit_test(a_figure_has_its_exact_value_and_what_people_read),
        cmocka_unit_test(thousands_stand_apart),
        cmocka_unit_test(what_is_not_known_is_not_0),
        cmocka_unit_test(figures_saturate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
