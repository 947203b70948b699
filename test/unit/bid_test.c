/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bid_test.c - a sum is shared by rank, and by the order of the sample between equals */
#include "policy/bid.h"
#include "test/support/dice.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define N       4
#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static void
the_highest_ranks_come_first_and_the_last_gets_the_rest(void **unused)
{
    static const struct {
        const char *when;
        uint64_t rank[N];
        uint64_t bytes[N];
        uint64_t sum;
        bool whole;
        uint64_t want[N];
    } rows[] = {
        { "nothing to share", { 1, 2, 3, 4 }, { 9, 9, 9, 9 }, 0, true, { 0, 0, 0, 0 } },
        { "nobody bids", { 1, 2, 3, 4 }, { 0, 0, 0, 0 }, 9, true, { 0, 0, 0, 0 } },
        { "enough for all", { 1, 2, 3, 4 }, { 9, 9, 9, 9 }, 36, false, { 9, 9, 9, 9 } },
        { "by rank", { 1, 4, 2, 3 }, { 5, 5, 5, 5 }, 10, false, { 0, 5, 0, 5 } },
        { "the rest", { 1, 4, 2, 3 }, { 5, 5, 5, 5 }, 12, false, { 0, 5, 2, 5 } },
        { "the last one whole", { 1, 4, 2, 3 }, { 5, 5, 5, 5 }, 12, true, { 0, 5, 5, 5 } },
        { "equals in their order", { 7, 7, 7, 7 }, { 5, 5, 5, 5 }, 7, false, { 5, 2, 0, 0 } },
        { "less than the first bid", { 9, 1, 1, 1 }, { 5, 5, 5, 5 }, 3, false, { 3, 0, 0, 0 } },
        { "ranks of nothing", { 0, 0, 0, 0 }, { 5, 5, 5, 5 }, 3, true, { 5, 0, 0, 0 } },
        { "ranks without end",
          { UINT64_MAX, UINT64_MAX, 0, 0 },
          { 5, 5, 5, 5 },
          5,
          false,
          { 5, 0, 0, 0 } },
        { "sums without end",
          { 1, 2, 3, 4 },
          { UINT64_MAX, UINT64_MAX, UINT64_MAX, 5 },
          6,
          false,
          { 0, 0, 1, 5 } },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        DomainTrack tracks[N];
        PolicyState state = { .domains = tracks };

        bid_clear(N, &state);
        for (size_t i = 0; i < N; i++)
            bid_place(rows[r].rank[i], rows[r].bytes[i], false, &tracks[i]);
        bid_award(N, &state, rows[r].sum, false, rows[r].whole);
        for (size_t i = 0; i < N; i++)
            if (tracks[i].bid.got_bytes != rows[r].want[i])
                fail_msg("%s: number %zu got %" PRIu64 ", want %" PRIu64, rows[r].when, i,
                         tracks[i].bid.got_bytes, rows[r].want[i]);
    }
}

static void
those_that_are_observed_bid_among_themselves(void **unused)
{
    DomainTrack tracks[N];
    PolicyState state = { .domains = tracks };
    (void)unused;

    bid_clear(N, &state);
    for (size_t i = 0; i < N; i++)
        bid_place(i, 10, i % 2 == 0, &tracks[i]);
    assert_int_equal(bid_sum(N, &state, true), 20);
    assert_int_equal(bid_sum(N, &state, false), 20);
    bid_award(N, &state, 10, true, false);
    assert_int_equal(tracks[2].bid.got_bytes, 10);
    assert_int_equal(tracks[3].bid.got_bytes, 0);
    bid_award(N, &state, 10, false, false);
    assert_int_equal(tracks[3].bid.got_bytes, 10);
    assert_int_equal(tracks[0].bid.got_bytes + tracks[1].bid.got_bytes, 0);
}

static void
never_is_more_awarded_than_there_is_or_than_was_bid(void **unused)
{
    Dice dice = dice_new();
    (void)unused;

    for (unsigned step = 0; step < 20000; step++) {
        DomainTrack tracks[N];
        PolicyState state = { .domains = tracks };
        uint64_t sum = min_u64(dice_hostile(&dice), UINT64_MAX - 1);
        uint64_t bids = 0;
        uint64_t got = 0;

        bid_clear(N, &state);
        for (size_t i = 0; i < N; i++)
            bid_place(dice_below(&dice, 3), dice_hostile(&dice), false, &tracks[i]);
        bids = bid_sum(N, &state, false);
        bid_award(N, &state, sum, false, false);
        for (size_t i = 0; i < N; i++) {
            assert_true(tracks[i].bid.got_bytes <= tracks[i].bid.bytes);
            assert_true(tracks[i].bid.got_bytes <= sum - got);
            got += tracks[i].bid.got_bytes;
        }
        if (got != min_u64(bids, sum))
            fail_msg("step %u: %" PRIu64 " of %" PRIu64 " awarded, %" PRIu64 " bid", step, got, sum,
                     bids);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_ranks_come_first_and_the_last_gets_the_rest),
        cmocka_unit_test(those_that_are_observed_bid_among_themselves),
        cmocka_unit_test(never_is_more_awarded_than_there_is_or_than_was_bid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
