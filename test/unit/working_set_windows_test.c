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

static void
every_second_measurement_is_longer(void **unused)
{
    static const struct {
        const char *when;
        const char *bins;
        uint64_t age_s;
        uint64_t last_s[8]; /* of the measurements, in turn */
    } rows[] = {
        { "the default",
          "1,10,60,300,1200,3600",
          300,
          { 300, 1200, 300, 3600, 300, 1200, 300, 3600 } },
        { "an age between bounds", "1,10,60", 5, { 10, 60, 10, 60, 10, 60, 10, 60 } },
        { "the first bound", "1,10,60", 1, { 1, 10, 1, 60, 1, 10, 1, 60 } },
        { "the last bound", "1,10,60", 60, { 60, 60, 60, 60, 60, 60, 60, 60 } },
        { "beyond it", "1,10,60", 600, { 60, 60, 60, 60, 60, 60, 60, 60 } },
        { "a single bound", "7", 7, { 7, 7, 7, 7, 7, 7, 7, 7 } },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        WorkingSetWindows windows = windows_for(rows[i].bins, rows[i].age_s);

        assert_int_equal(working_set_windows_next(&windows, 0), 0);
        for (size_t m = 0; m < 8; m++) {
            uint64_t last_us = 0;
            uint64_t next_us;

            working_set_windows_begin(&windows);
            while ((next_us = working_set_windows_next(&windows, 0)) > 0) {
                assert_true(next_us > last_us);
                last_us = next_us;
            }
            if (last_us != rows[i].last_s[m] * S)
                fail_msg("%s: measurement %zu ends with %" PRIu64 " us", rows[i].when, m, last_us);
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
        cmocka_unit_test(every_second_measurement_is_longer),
        cmocka_unit_test(windows_that_are_over_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
