/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* knob_test.c - numbers as they stand in a configuration file */
#include "policy/knob.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define UNTOUCHED 77

static const Knob whole = { .kind = KNOB_UINT, .min = 3, .max = 4294967295 };
static const Knob small = { .kind = KNOB_UINT, .min = 0, .max = 5 };
static const Knob widest = { .kind = KNOB_UINT, .min = 0, .max = UINT64_MAX };
static const Knob percent = { .kind = KNOB_PERCENT, .min = 1, .max = 10000 };

static void
a_number_is_read_whole_or_not_at_all(void **unused)
{
    static const struct {
        const Knob *knob;
        const char *text;
        bool valid;
        uint64_t want;
    } rows[] = {
        { &whole, "3", true, 3 },
        { &whole, "2", false, 0 },
        { &whole, "4294967295", true, 4294967295 },
        { &whole, "4294967296", false, 0 },
        { &whole, "0010", true, 10 },
        { &whole, "", false, 0 },
        { &whole, " 5", false, 0 },
        { &whole, "5 ", false, 0 },
        { &whole, "+5", false, 0 },
        { &whole, "-5", false, 0 },
        { &whole, "0x5", false, 0 },
        { &whole, "5.0", false, 0 },
        { &small, "9", false, 0 },
        { &widest, "18446744073709551614", true, UINT64_MAX - 1 },
        { &widest, "99999999999999999999999", true, UINT64_MAX },
        { &percent, "100", true, 10000 },
        { &percent, "100.01", false, 0 },
        { &percent, "0.01", true, 1 },
        { &percent, "0", false, 0 },
        { &percent, "0.3", true, 30 },
        { &percent, "12.34", true, 1234 },
        { &percent, "12.345", false, 0 },
        { &percent, "12.", false, 0 },
        { &percent, ".5", false, 0 },
        { &percent, "1.2.3", false, 0 },
        { &percent, "1,5", false, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = UNTOUCHED;
        bool valid = knob_number(rows[i].knob, rows[i].text, &value);

        if (valid != rows[i].valid || value != (valid ? rows[i].want : UNTOUCHED))
            fail_msg("'%s': %s, %" PRIu64, rows[i].text, valid ? "valid" : "refused", value);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_read_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
