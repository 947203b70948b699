/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_text_test.c - lines that Prometheus reads as they were meant */
#define _GNU_SOURCE
#include "agent/report/metrics_text.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
a_labels_value_is_escaped_and_is_always_utf8(void **unused)
{
    static const struct {
        const char *when;
        const char *value;
        const char *want;
    } rows[] = {
        { "plain", "web", "domain=\"web\"" },
        { "empty", "", "domain=\"\"" },
        { "with spaces and signs", "a b{c}=,'#", "domain=\"a b{c}=,'#\"" },
        { "quote", "a\"b", "domain=\"a\\\"b\"" },
        { "backslash", "a\\b", "domain=\"a\\\\b\"" },
        { "backslash before a quote", "\\\"", "domain=\"\\\\\\\"\"" },
        { "newline", "a\nvirtksm_domains 9", "domain=\"a\\nvirtksm_domains 9\"" },
        { "backslash and the letter n", "a\\n", "domain=\"a\\\\n\"" },
        { "UTF-8", "\xc3\xa9\xe2\x82\xac", "domain=\"\xc3\xa9\xe2\x82\xac\"" },
        { "no UTF-8",
          "a\xff"
          "b",
          "domain=\"a\xef\xbf\xbd"
          "b\"" },
        { "UTF-8 cut short", "a\xe2\x82", "domain=\"a\xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) labels = g_string_new(NULL);

        metrics_text_label(labels, "domain", rows[i].value);
        if (!g_utf8_validate(labels->str, -1, NULL) || strchr(labels->str, '\n'))
            fail_msg("%s: not one line of UTF-8", rows[i].when);
        if (strcmp(labels->str, rows[i].want) != 0)
            fail_msg("%s: %s, want %s", rows[i].when, labels->str, rows[i].want);
    }
}

static void
labels_have_commas_between_them(void **unused)
{
    g_autoptr(GString) labels = g_string_new(NULL);
    (void)unused;

    metrics_text_label(labels, "domain", "web");
    metrics_text_label(labels, "uuid", "u1");
    assert_string_equal(labels->str, "domain=\"web\",uuid=\"u1\"");
}

static void
numbers_are_written_the_same_in_every_locale(void **unused)
{
    static const struct {
        double value;
        const char *want;
    } rows[] = {
        { 0, "m 0\n" },
        { -1, "m -1\n" },
        { 0.25, "m 0.25\n" },
        { 1795255855.25, "m 1795255855.25\n" },
        { 4096000, "m 4096000\n" },
        { 9007199254740992.0, "m 9007199254740992\n" },
        { 1.8446744073709552e19, "m 1.84467440737096e+19\n" },
        { -6400, "m -6400\n" },
    };
    (void)unused;

    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed, a comma is the decimal point */
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) out = g_string_new(NULL);

        metrics_text_sample(out, "m", "", rows[i].value);
        if (strcmp(out->str, rows[i].want) != 0)
            fail_msg("%g: %s, want %s", rows[i].value, out->str, rows[i].want);
    }
    setlocale(LC_ALL, "C");
}

static void
a_metric_is_a_head_and_samples(void **unused)
{
    g_autoptr(GString) out = g_string_new(NULL);
    (void)unused;

    metrics_text_head(out, "m_bytes", "gauge", "What it is.");
    metrics_text_sample(out, "m_bytes", "domain=\"web\"", 5);
    assert_string_equal(out->str, "# HELP m_bytes What it is.\n# TYPE m_bytes gauge\n"
                                  "m_bytes{domain=\"web\"} 5\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_labels_value_is_escaped_and_is_always_utf8),
        cmocka_unit_test(labels_have_commas_between_them),
        cmocka_unit_test(numbers_are_written_the_same_in_every_locale),
        cmocka_unit_test(a_metric_is_a_head_and_samples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
