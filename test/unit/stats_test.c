/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats_test.c - what a guest said of its memory, as long as it is fresh */
#include "agent/virt/stats.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/arith.h"

#define NOW_S UINT64_C(1700000000)
#define U     VALUE_UNKNOWN

gint64 __wrap_g_get_real_time(void);

gint64
__wrap_g_get_real_time(void)
{
    return (gint64)NOW_S * G_USEC_PER_SEC + 999999;
}

static void
what_a_guest_said_counts_while_it_is_fresh(void **unused)
{
    static const struct {
        const char *when;
        uint64_t said_s;
        uint32_t period_s;
        uint64_t since_s;
        uint64_t unused;
        uint64_t want;
    } rows[] = {
        { "just now", NOW_S, 10, 0, 7, 7 },
        { "two periods ago", NOW_S - 25, 10, 0, 7, 7 },
        { "longer ago", NOW_S - 26, 10, 0, 7, U },
        { "as the balloon moved", NOW_S - 4, 10, NOW_S - 4, 7, U },
        { "after the balloon moved", NOW_S - 3, 10, NOW_S - 4, 7, 7 },
        { "never", 0, 10, 0, 7, U },
        { "libvirt does not tell when", U, 10, 0, 7, U },
        { "nobody asks it", NOW_S, 0, 0, 7, U },
        { "the clock went back", NOW_S + 1000, 10, 0, 7, 7 },
        { "it did not say that", NOW_S, 10, 0, U, U },
        { "the longest period", NOW_S, UINT32_MAX, 0, 7, 7 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const VirtStats stats = { .unused_bytes = rows[i].unused, .guest_stats_s = rows[i].said_s };
        uint64_t have = virt_stats_unused(&stats, rows[i].period_s, rows[i].since_s);

        if (have != rows[i].want)
            fail_msg("%s: %" PRIu64, rows[i].when, have);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_guest_said_counts_while_it_is_fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
