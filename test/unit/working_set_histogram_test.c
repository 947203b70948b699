/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_histogram_test.c - bytes find their bins, from ages and from windows */
#include "agent/facts/working_set_histogram.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/arith.h"

#define S   UINT64_C(1000000)
#define ALL WORKING_SET_OLDEST

/* 1, 10 and 60 seconds. */
static WorkingSetEdges
three_edges(void)
{
    WorkingSetEdges edges;

    assert_true(working_set_edges_parse("1,10,60", &edges));
    return edges;
}

static void
bounds_are_ascending_seconds(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        uint32_t n; /* 0: refused */
        uint64_t last_s;
    } rows[] = {
        { "one", "5", 1, 5 },
        { "the default", "1,10,60,300,1200,3600", 6, 3600 },
        { "blanks", " 1, 10 ", 2, 10 },
        { "a week", "604800", 1, 604800 },
        { "fifteen", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", 15, 15 },
        { "sixteen", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", 0, 0 },
        { "more than a week", "604801", 0, 0 },
        { "zero", "0,1", 0, 0 },
        { "twice the same", "1,1", 0, 0 },
        { "descending", "10,1", 0, 0 },
        { "negative", "-1", 0, 0 },
        { "a fraction", "0.5,1", 0, 0 },
        { "a unit", "1s", 0, 0 },
        { "a hole", "1,,2", 0, 0 },
        { "nothing", "", 0, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        WorkingSetEdges edges = { .n = 0 };
        bool taken = working_set_edges_parse(rows[i].text, &edges);

        if (taken != (rows[i].n > 0) || edges.n != rows[i].n)
            fail_msg("%s: %d, %" PRIu32 " bounds", rows[i].when, taken, edges.n);
        if (taken && edges.age_us[edges.n - 1] != rows[i].last_s * S)
            fail_msg("%s: ends at %" PRIu64, rows[i].when, edges.age_us[edges.n - 1]);
    }
}

static void
bytes_of_a_span_are_spread_over_its_bins(void **unused)
{
    static const struct {
        const char *when;
        uint64_t from_us, to_us;
        uint64_t bytes;
        uint64_t want[4];
    } rows[] = {
        { "within the first", 0, S, 1000, { 1000, 0, 0, 0 } },
        { "within the second", 2 * S, 3 * S, 1000, { 0, 1000, 0, 0 } },
        { "the first two", 0, 10 * S, 1000, { 100, 900, 0, 0 } },
        { "half of each", 5 * S, 15 * S, 1000, { 0, 500, 500, 0 } },
        { "all of them", 0, 120 * S, 1200, { 10, 90, 500, 600 } },
        { "behind the last", 60 * S, 61 * S, 7, { 0, 0, 0, 7 } },
        { "nobody knows", 0, ALL, 7, { 0, 0, 0, 7 } },
        { "from a bound on", 10 * S, 60 * S, 9, { 0, 0, 9, 0 } },
        { "no time at all", 10 * S, 10 * S, 9, { 0, 0, 9, 0 } },
        { "rounding loses nothing", 0, 10 * S, 9, { 0, 9, 0, 0 } },
        { "more than can be", 0, S, UINT64_MAX, { UINT64_MAX, 0, 0, 0 } },
    };
    WorkingSetEdges edges = three_edges();
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        WorkingSetBytes bins[4] = { 0 };

        working_set_spread(&edges, rows[i].from_us, rows[i].to_us,
                           (WorkingSetBytes){ { 0, rows[i].bytes } }, bins);
        for (size_t b = 0; b < 4; b++)
            if (bins[b].bytes[WORKING_SET_FILE] != rows[i].want[b] ||
                bins[b].bytes[WORKING_SET_ANON] != 0)
                fail_msg("%s: bin %zu has %" PRIu64, rows[i].when, b,
                         bins[b].bytes[WORKING_SET_FILE]);
    }
}

static void
windows_make_a_histogram(void **unused)
{
    static const struct {
        const char *when;
        struct {
            uint64_t window_us, used;
        } points[4]; /* in the order in which they were seen */
        uint64_t total;
        uint64_t want[4];
        uint64_t horizon_us;
    } rows[] = {
        { "none seen", { { 0, 0 } }, 100, { 0, 0, 0, 100 }, 0 },
        { "as long as the bins",
          { { S, 10 }, { 10 * S, 30 }, { 60 * S, 60 } },
          100,
          { 10, 20, 30, 40 },
          60 * S },
        { "only the first", { { S, 10 } }, 100, { 10, 0, 0, 90 }, S },
        { "the first is late", { { 2 * S, 20 }, { 10 * S, 36 } }, 100, { 10, 26, 0, 64 }, 10 * S },
        { "the newer one counts", { { S, 10 }, { S, 50 } }, 100, { 50, 0, 0, 50 }, S },
        { "a long one that is too low",
          { { 10 * S, 30 }, { S, 50 } },
          100,
          { 50, 0, 0, 50 },
          10 * S },
        { "more used than there is", { { S, 500 } }, 100, { 100, 0, 0, 0 }, S },
        { "longer than the last bound", { { 120 * S, 60 } }, 100, { 0, 4, 25, 71 }, 120 * S },
    };
    WorkingSetEdges edges = three_edges();
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        WorkingSetCurve curve = { 0 };
        WorkingSetBytes bins[4];
        uint64_t horizon_us;

        for (size_t p = 0; p < 4 && rows[i].points[p].window_us > 0; p++)
            working_set_curve_put(&curve, &edges, rows[i].points[p].window_us,
                                  (WorkingSetBytes){ { rows[i].points[p].used, 0 } });
        horizon_us =
            working_set_curve_bins(&curve, &edges, (WorkingSetBytes){ { rows[i].total, 0 } }, bins);
        if (horizon_us != rows[i].horizon_us)
            fail_msg("%s: horizon %" PRIu64, rows[i].when, horizon_us);
        for (size_t b = 0; b < 4; b++)
            if (bins[b].bytes[WORKING_SET_ANON] != rows[i].want[b])
                fail_msg("%s: bin %zu has %" PRIu64, rows[i].when, b,
                         bins[b].bytes[WORKING_SET_ANON]);
    }
}

static void
what_is_younger_than_an_age_is_counted_by_share(void **unused)
{
    static const WorkingSetBytes bins[4] = {
        { { 10, 1 } }, { { 90, 0 } }, { { 500, 0 } }, { { 1000, 0 } }
    };
    static const struct {
        const char *when;
        uint64_t age_us;
        uint64_t want;
    } rows[] = {
        { "nothing is", 0, 0 },      { "a bound", S, 11 },        { "the next", 10 * S, 101 },
        { "half way", 35 * S, 351 }, { "the last", 60 * S, 601 }, { "beyond", 3600 * S, 601 },
        { "without end", ALL, 601 },
    };
    WorkingSetEdges edges = three_edges();
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (working_set_younger(&edges, bins, rows[i].age_us) != rows[i].want)
            fail_msg("%s: %" PRIu64, rows[i].when,
                     working_set_younger(&edges, bins, rows[i].age_us));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_ascending_seconds),
        cmocka_unit_test(bytes_of_a_span_are_spread_over_its_bins),
        cmocka_unit_test(windows_make_a_histogram),
        cmocka_unit_test(what_is_younger_than_an_age_is_counted_by_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
