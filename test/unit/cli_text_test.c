/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_text_test.c - units, widths and escapes as people see them */
#include "agent/cli/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static void
nothing_in_a_name_can_break_a_line_or_fool_the_reader(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        const char *want;
    } rows[] = {
        { "plain", "web-1", "web-1" },
        { "not known", NULL, "-" },
        { "empty", "", "" },
        { "blank and quotes", "a \"b\" 'c'", "a \"b\" 'c'" },
        { "line breaks", "a\nb\r\nc", "a\\nb\\x0d\\nc" },
        { "tab", "a\tb", "a\\tb" },
        { "terminal escape", "\x1b[31mred", "\\x1b[31mred" },
        { "delete", "\x7f", "\\x7f" },
        { "control beyond ASCII", "\xc2\x9b", "\\x9b" },
        { "UTF-8", "Gr\xc3\xbc\xc3\x9f\x65 \xe4\xb8\xad", "Gr\xc3\xbc\xc3\x9f\x65 \xe4\xb8\xad" },
        { "right to left", "a\xe2\x80\xae\x62", "a\\u202eb" },
        { "line separator", "a\xe2\x80\xa8\x62", "a\\u2028b" },
        { "no width", "a\xe2\x80\x8b\x62", "a\\u200bb" },
        { "private use", "\xee\x80\x80", "\\ue000" },
        { "not assigned", "\xcd\xb8", "\\u0378" },
        { "tag character", "\xf3\xa0\x81\x81", "\\U000e0041" },
        { "no UTF-8", "a\xff\x62", "a\\xffb" },
        { "cut UTF-8", "a\xc3", "a\\xc3" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = text_escape(rows[i].text);

        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: \"%s\", want \"%s\"", rows[i].when, got, rows[i].want);
    }
}

static void
a_width_is_what_the_terminal_shows(void **unused)
{
    (void)unused;
    assert_int_equal(text_width(""), 0);
    assert_int_equal(text_width("web"), 3);
    assert_int_equal(text_width("\xc3\xbc"), 1);                 /* u with diaeresis */
    assert_int_equal(text_width("u\xcc\x88"), 1);                /* the same, combined */
    assert_int_equal(text_width("\xe4\xb8\xad\xe6\x96\x87"), 4); /* two wide characters */
}

static void
memory_has_one_decimal_and_a_binary_unit(void **unused)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } rows[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { KIB, "1.0 KiB" },
        { 4 * KIB, "4.0 KiB" },
        { MIB - 1, "1.0 MiB" },
        { 512 * MIB, "512.0 MiB" },
        { 1023 * MIB + 990 * KIB, "1.0 GiB" },
        { 1023 * MIB + 900 * KIB, "1023.9 MiB" },
        { GIB + GIB / 2, "1.5 GiB" },
        { 3 * 1024 * GIB, "3.0 TiB" },
        { UINT64_MAX, "16.0 EiB" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = text_bytes(rows[i].bytes);

        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%" G_GUINT64_FORMAT ": %s, want %s", (guint64)rows[i].bytes, got,
                     rows[i].want);
    }
}

static void
a_loss_has_a_sign(void **unused)
{
    g_autofree char *gain = text_net_bytes((int64_t)MIB);
    g_autofree char *loss = text_net_bytes(-(int64_t)(MIB + MIB / 2));
    g_autofree char *least = text_net_bytes(INT64_MIN);

    (void)unused;
    assert_string_equal(gain, "1.0 MiB");
    assert_string_equal(loss, "-1.5 MiB");
    assert_string_equal(least, "-8.0 EiB");
}

static void
a_duration_gets_coarser_as_it_grows(void **unused)
{
    static const struct {
        uint64_t ms;
        const char *want;
    } rows[] = {
        { 0, "0.0 s" },
        { 349, "0.3 s" },
        { 9999, "9.9 s" },
        { 10000, "10 s" },
        { 59999, "59 s" },
        { 60000, "1 min" },
        { 3599999, "59 min" },
        { 3600000, "1 h 0 min" },
        { 86399999, "23 h 59 min" },
        { 86400000 + 4 * 3600000, "1 d 4 h" },
        { UINT64_MAX, "213503982334 d 14 h" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = text_duration(rows[i].ms);

        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%" G_GUINT64_FORMAT " ms: %s, want %s", (guint64)rows[i].ms, got,
                     rows[i].want);
    }
}

static void
a_share_of_nothing_is_nothing(void **unused)
{
    g_autofree char *half = text_percent(1, 2);
    g_autofree char *third = text_percent(1, 3);
    g_autofree char *none = text_percent(7, 0);

    (void)unused;
    assert_string_equal(half, "50.0 %");
    assert_string_equal(third, "33.3 %");
    assert_string_equal(none, "0.0 %");
}

static void
pages_that_do_not_fit_are_the_most_there_is(void **unused)
{
    (void)unused;
    assert_true(text_pages_to_bytes(3, 4096) == 12288);
    assert_true(text_pages_to_bytes(3, 0) == 0);
    assert_true(text_pages_to_bytes(UINT64_MAX, 4096) == UINT64_MAX);
}

static void
lines_of_a_block_stand_below_each_other(void **unused)
{
    g_autoptr(GString) out = g_string_new(NULL);

    (void)unused;
    text_append_line(out, "mode", "auto");
    text_append_line(out, "KSM before", "a\nb");
    text_append_line(out, "phase", "");
    text_append_line(out, "reason", NULL);
    assert_string_equal(out->str, "mode:        auto\n"
                                  "KSM before:  a\\nb\n"
                                  "phase:       -\n"
                                  "reason:      -\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_a_name_can_break_a_line_or_fool_the_reader),
        cmocka_unit_test(a_width_is_what_the_terminal_shows),
        cmocka_unit_test(memory_has_one_decimal_and_a_binary_unit),
        cmocka_unit_test(a_loss_has_a_sign),
        cmocka_unit_test(a_duration_gets_coarser_as_it_grows),
        cmocka_unit_test(a_share_of_nothing_is_nothing),
        cmocka_unit_test(pages_that_do_not_fit_are_the_most_there_is),
        cmocka_unit_test(lines_of_a_block_stand_below_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
