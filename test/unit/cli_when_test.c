/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_when_test.c - moments, right and wrong */
#include "agent/cli/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* 2026-01-31T12:00:00Z */
#define NOW INT64_C(1769860800)

static void
lengths_of_time_and_dates_are_moments(void **unused)
{
    static const struct {
        const char *text;
        int64_t want_s;
    } rows[] = {
        { "now", NOW },
        { "0m", NOW },
        { "90m", NOW - 5400 },
        { "24h", NOW - 86400 },
        { "7d", NOW - 7 * 86400 },
        { "4w", NOW - 28 * 86400 },
        { "1000000w", 0 },
        { "2026-01-31", NOW - 43200 },
        { "2026-01-31T12:00", NOW },
        { "2026-01-31T12:00:00", NOW },
        { "2026-01-31 11:59:59", NOW - 1 },
        { "2026-01-31T12:00:00Z", NOW },
        { "2026-01-31T12:00:00+01:00", NOW - 3600 },
        { "2026-01-31T12:00Z", NOW },
        { "2026-01-31T12:00+01:00", NOW - 3600 },
        { "2026-01-31 12:00-01:00", NOW + 3600 },
        { "2026-01-31T12:00-01", NOW + 3600 },
        { "2026-01-31T12:00+0130", NOW - 5400 },
        { "2026-01-31+01:00", NOW - 43200 - 3600 },
        { "2026-01-31-01:00", NOW - 43200 + 3600 },
        { "2024-02-29", INT64_C(1709164800) },
        { "1970-01-01", 0 },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int64_t is_s = -1;

        if (!when_parse(rows[i].text, NOW, &is_s))
            fail_msg("\"%s\" is not taken", rows[i].text);
        if (is_s != rows[i].want_s)
            fail_msg("\"%s\": %" G_GINT64_FORMAT, rows[i].text, (gint64)is_s);
    }
}

static void
expect_refused(const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t is_s = -1;

        if (when_parse(texts[i], NOW, &is_s))
            fail_msg("\"%s\" is taken as %" G_GINT64_FORMAT, texts[i], (gint64)is_s);
        assert_int_equal(is_s, -1);
    }
}

static void
anything_else_is_refused(void **unused)
{
    static const char *const texts[] = {
        "",          "h",          "24",         "24 h",       "24hh",
        "-1h",       "1.5h",       "24H",        "99999999d",  "1000001w",
        "1y",        "yesterday",  "2026-02-30", "2026-13-01", "2026-01-31T25:00",
        "31.1.2026", "1969-12-31", "2026-01",    "0x10h",      "\xff",
    };

    (void)unused;
    expect_refused(texts, G_N_ELEMENTS(texts));
}

static void
zones_that_are_none_are_refused(void **unused)
{
    static const char *const texts[] = {
        "Z",
        "+01:00",
        "2026-01-31T12:00+",
        "2026-01-31T12:00ZZ",
        "2026-01-31T12:00+25:00",
        "2026-01-31T12:00Z+01:00",
        "2026-01-31T12:00 +01:00",
        "1970-01-01T00:00+01:00",
    };

    (void)unused;
    expect_refused(texts, G_N_ELEMENTS(texts));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_of_time_and_dates_are_moments),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(zones_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
