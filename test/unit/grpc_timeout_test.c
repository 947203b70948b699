/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_timeout_test.c - the grpc-timeout header is read strictly and written losslessly enough */
#include "proto/grpc_timeout.h"

#include <glib.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
every_unit_is_read(void **unused)
{
    static const struct {
        const char *text;
        uint64_t want_us;
    } rows[] = {
        { "1H", 3600000000 },
        { "2M", 120000000 },
        { "3S", 3000000 },
        { "4m", 4000 },
        { "5u", 5 },
        { "6000n", 6 },
        { "1n", 1 },
        { "1001n", 2 },
        { "0S", 0 },
        { "00000007u", 7 },
        { "99999999H", 359999996400000000 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t us = UINT64_MAX;

        if (!grpc_timeout_parse(rows[i].text, &us) || us != rows[i].want_us)
            fail_msg("%s: got %" PRIu64 " us", rows[i].text, us);
    }
}

static void
everything_else_is_refused(void **unused)
{
    static const char *const rows[] = { "",    "S",   "1",    "1s",  "1 S",
                                        "-1S", "+1S", "1.5S", " 1S", "1S ",
                                        "1SS", "1h",  "0x1S", "1ms", "123456789S" };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t us = 42;

        if (grpc_timeout_parse(rows[i], &us) || us != 42)
            fail_msg("\"%s\" was taken for %" PRIu64 " us", rows[i], us);
    }
}

static void
the_finest_unit_that_fits_is_written_and_rounds_up(void **unused)
{
    static const struct {
        uint64_t us;
        const char *want;
    } rows[] = {
        { 0, "0u" },
        { 1, "1u" },
        { 99999999, "99999999u" },
        { 100000000, "100000m" },
        { 100000001, "100001m" },
        { 99999999000, "99999999m" },
        { 99999999001, "100000S" },
        { 100000000000001, "1666667M" },
        { UINT64_MAX, "99999999H" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        char text[GRPC_TIMEOUT_TEXT_BYTES];

        grpc_timeout_format(rows[i].us, text);
        if (strcmp(text, rows[i].want) != 0)
            fail_msg("%" PRIu64 " us: got %s, want %s", rows[i].us, text, rows[i].want);
    }
}

static void
what_is_written_is_read_back_and_never_shorter(void **unused)
{
    (void)unused;
    for (uint64_t us = 1; us < UINT64_C(300000000000000000); us = us * 3 + 1) {
        char text[GRPC_TIMEOUT_TEXT_BYTES];
        uint64_t back_us = 0;

        grpc_timeout_format(us, text);
        if (!grpc_timeout_parse(text, &back_us) || back_us < us || back_us - us > us / 1000 + 1)
            fail_msg("%" PRIu64 " us became %s, %" PRIu64 " us", us, text, back_us);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_is_read),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(the_finest_unit_that_fits_is_written_and_rounds_up),
        cmocka_unit_test(what_is_written_is_read_back_and_never_shorter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
