/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach_test.c - how far it is to the end of a pass, learnt from the one before */
#include "policy/reach.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define U          VALUE_UNKNOWN

/* A pass that began when ksmd had come by 1000 pages, each of which costs a microsecond. */
typedef struct {
    HostSample host;
    KsmAuto a;
} One;

static void
one_init(One *one, uint64_t pages)
{
    memset(one, 0, sizeof(*one));
    one->host.ksm.pages_scanned = 1000;
    one->host.ksm.pages_skipped = U;
    one->host.ksmd_cpu_us = U;
    one->a.cost_ns = 1000;
    one->a.pass = (Pass){ .stage = PASS_CRUISE,
                          .pages = pages,
                          .first_pages = pages,
                          .visited = 1000,
                          .look_visited = U };
}

static void
the_margin_is_a_part_of_a_pass_and_no_more_than_a_gib(void **unused)
{
    static const struct {
        const char *when;
        uint64_t expected;
        uint64_t there;
        uint64_t want; /* pages taken off the next expectation */
    } rows[] = {
        { "4 GiB", 1048576, 1048576, 52428 },
        { "160 GiB", 41943040, 41943040, 262144 },
        { "half of 4 GiB", 1048576, 524288, 524288 + 26214 },
        { "more than was expected", 1048576, 2097152, 104857 },
        { "so few that they say nothing", 999, 10, 0 },
        { "not told", 1048576, U, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;

        one_init(&one, rows[i].expected);
        one.host.ksm.pages_scanned = sat_add(1000, rows[i].there);
        reach_learn(&one.host, &one.a.pass);
        if (one.a.pass.absent != rows[i].want)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, one.a.pass.absent,
                     rows[i].want);
    }
}

/* Of guests that fill their memory ksmd finds more and more, of their QEMU as little as before. */
static void
what_was_absent_is_a_number_of_pages(void **unused)
{
    static const struct {
        const char *when;
        uint64_t pages;
        uint64_t want_us; /* to go, at the beginning */
    } rows[] = {
        { "as many as before", 100000, 57000 },
        { "three times as many", 300000, 257000 },
        { "hardly more than was absent: a quarter at least", 44000, 11000 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;

        one_init(&one, 100000);
        one.host.ksm.pages_scanned += 60000;
        one.a.pass.pages = 500000; /* has come meanwhile, and may or may not have been seen */
        reach_learn(&one.host, &one.a.pass);
        one.a.pass.visited = one.host.ksm.pages_scanned;
        one.a.pass.pages = rows[i].pages;
        if (reach_left_us(&one.host, &one.a, BP_ONE) != rows[i].want_us)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when,
                     reach_left_us(&one.host, &one.a, BP_ONE), rows[i].want_us);
    }
}

static void
the_next_pass_began_where_this_one_was_to_end(void **unused)
{
    static const struct {
        const char *when;
        uint64_t visited;      /* since it began */
        uint64_t look_visited; /* at the last look, likewise */
        uint64_t want;         /* of them, by this pass */
    } rows[] = {
        { "as many as expected", 50000, 30000, 50000 },
        { "more", 60000, 30000, 50000 },
        { "so many more that some were its own", 90000, 70000, 70000 },
        { "fewer", 40000, 30000, 40000 },
        { "nobody has looked", 60000, U, 60000 },
    };
    One one;
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t got;

        one_init(&one, 50000);
        one.host.ksm.pages_scanned += rows[i].visited;
        one.a.pass.look_visited = sat_add(1000, rows[i].look_visited);
        got = reach_next_visited(&one.host, &one.a.pass);
        if (got != 1000 + rows[i].want)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, got - 1000, rows[i].want);
    }
    one.host.ksm.pages_scanned = U;
    assert_true(reach_next_visited(&one.host, &one.a.pass) == U);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_margin_is_a_part_of_a_pass_and_no_more_than_a_gib),
        cmocka_unit_test(what_was_absent_is_a_number_of_pages),
        cmocka_unit_test(the_next_pass_began_where_this_one_was_to_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
