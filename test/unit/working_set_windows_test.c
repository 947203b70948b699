/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_windows_test.c - short windows often, long ones now and then */
#include "agent/facts/working_set_windows.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S UINT64_C(1000000)

static WorkingSetWindows
windows_for(const char *bins, uint64_t age_s)
{
    WorkingSetWindows windows;
    WorkingSetEdges edges;

    assert_true(working_set_edges_parse(bins, &edges));
    working_set_windows_init(&windows, &edges, age_s * S);
    return windows;
}

#define MEASUREMENTS 192

/* Which of the bounds beyond the age a measurement goes up to: 0: none of them. */
static unsigned
bounds_beyond(size_t measurement)
{
    if (measurement % 64 == 0 || measurement == 16)
        return 2;
    return measurement % 8 == 0 || measurement == 4 ? 1 : 0;
}

static void
every_eighth_measurement_is_longer_and_the_first_ones_come_sooner(void **unused)
{
    static const struct {
        const char *when;
        const char *bins;
        uint64_t age_s;
        uint64_t end_s[3]; /* of a measurement that goes up to so many bounds beyond the age */
    } rows[] = {
        { "the default", "1,10,60,300,1200,3600", 300, { 300, 1200, 3600 } },
        { "an age between bounds", "1,10,60", 5, { 10, 60, 60 } },
        { "the first bound", "1,10,60", 1, { 1, 10, 60 } },
        { "the last bound", "1,10,60", 60, { 60, 60, 60 } },
        { "beyond it", "1,10,60", 600, { 60, 60, 60 } },
        { "a single bound", "7", 7, { 7, 7, 7 } },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        WorkingSetWindows windows = windows_for(rows[i].bins, rows[i].age_s);

        assert_int_equal(working_set_windows_next(&windows, 0), 0);
        for (size_t m = 1; m <= MEASUREMENTS; m++) {
            uint64_t want_s = rows[i].end_s[bounds_beyond(m)];
            uint64_t last_us = 0;
            uint64_t next_us;
            unsigned bases = 0;

            working_set_windows_begin(&windows);
            assert_false(working_set_windows_is_base(&windows));
            while ((next_us = working_set_windows_next(&windows, 0)) > 0) {
                assert_true(next_us > last_us);
                last_us = next_us;
                if (working_set_windows_is_base(&windows)) {
                    assert_int_equal(next_us, rows[i].end_s[0] * S);
                    bases++;
                }
            }
            if (last_us != want_s * S || bases != 1)
                fail_msg("%s: measurement %zu ends with %" PRIu64 " us and has %u of the age",
                         rows[i].when, m, last_us, bases);
        }
    }
}

static void
windows_that_are_over_are_left_out(void **unused)
{
    WorkingSetWindows windows = windows_for("1,10,60", 60);
    (void)unused;

    working_set_windows_begin(&windows);
    assert_int_equal(working_set_windows_next(&windows, 0), S);
    assert_int_equal(working_set_windows_next(&windows, 10 * S), 60 * S);
    assert_int_equal(working_set_windows_next(&windows, 60 * S), 0);
    working_set_windows_begin(&windows);
    assert_int_equal(working_set_windows_next(&windows, 100 * S), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_eighth_measurement_is_longer_and_the_first_ones_come_sooner),
        cmocka_unit_test(windows_that_are_over_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
