/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attribution_test.c - the host's saving, divided to the last page */
#include "agent/report/attribution.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/dice.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ROUNDS     100000
#define ROWS_MAX   8

/* Wide enough for every sum and product here; not in ISO C, so a test's means only. */
__extension__ typedef unsigned __int128 Wide;

static Attributed
process(uint64_t merging_pages, uint64_t zero_pages)
{
    return (Attributed){ .merging_pages = merging_pages, .zero_pages = zero_pages };
}

static void
shares_follow_merged_pages_by_largest_remainder(void **unused)
{
    static const struct {
        const char *when;
        AttributedHost host;
        uint64_t merging[3];
        uint64_t want[3];
        uint64_t others;
    } rows[] = {
        { "nothing merged", { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 }, 0 },
        { "even", { 10, 20, 0 }, { 15, 15, 0 }, { 10, 10, 0 }, 0 },
        { "the rest is the others'", { 10, 20, 0 }, { 15, 0, 0 }, { 10, 0, 0 }, 10 },
        { "all is the others'", { 10, 20, 0 }, { 0, 0, 0 }, { 0, 0, 0 }, 20 },
        { "largest remainder first", { 3, 7, 0 }, { 2, 3, 5 }, { 1, 2, 4 }, 0 },
        { "a tie goes to the earlier row", { 1, 1, 0 }, { 1, 1, 0 }, { 1, 0, 0 }, 0 },
        { "a tie with the others, who come last", { 1, 1, 0 }, { 0, 1, 0 }, { 0, 1, 0 }, 0 },
        { "three of a kind", { 1, 2, 0 }, { 1, 1, 1 }, { 1, 1, 0 }, 0 },
        { "shared, nobody shares", { 5, 0, 0 }, { 3, 2, 0 }, { 0, 0, 0 }, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        Attributed have[3];
        Attributed others;

        for (size_t j = 0; j < 3; j++)
            have[j] = process(rows[i].merging[j], 0);
        assert_true(attribute_savings(&rows[i].host, have, 3, &others));
        for (size_t j = 0; j < 3; j++)
            if (have[j].share_pages != rows[i].want[j] || have[j].saved_pages != rows[i].want[j])
                fail_msg("%s: row %zu has %" PRIu64 " pages, want %" PRIu64, rows[i].when, j,
                         have[j].share_pages, rows[i].want[j]);
        if (others.share_pages != rows[i].others)
            fail_msg("%s: others have %" PRIu64 ", want %" PRIu64, rows[i].when, others.share_pages,
                     rows[i].others);
    }
}

static void
zero_pages_belong_to_whoever_has_them(void **unused)
{
    static const AttributedHost host = { 10, 20, 100 };
    Attributed rows[] = { process(15, 30), process(0, 50) };
    Attributed others;
    (void)unused;

    assert_true(attribute_savings(&host, rows, ROWS(rows), &others));
    assert_int_equal(rows[0].share_pages, 10);
    assert_int_equal(rows[0].saved_pages, 40);
    assert_int_equal(rows[1].share_pages, 0);
    assert_int_equal(rows[1].saved_pages, 50);
    assert_int_equal(others.merging_pages, 15);
    assert_int_equal(others.zero_pages, 20);
    assert_int_equal(others.saved_pages, 30);
}

static void
rows_that_claim_more_than_the_host_has_are_cut(void **unused)
{
    static const struct {
        const char *when;
        uint64_t merging[2];
        uint64_t zero[2];
        uint64_t merging_cut[2];
        uint64_t zero_cut[2];
        bool fits;
    } rows[] = {
        { "exactly all", { 10, 20 }, { 3, 4 }, { 10, 20 }, { 3, 4 }, true },
        { "the second one too many", { 10, 21 }, { 3, 4 }, { 10, 20 }, { 3, 4 }, false },
        { "the first has it all", { 31, 5 }, { 3, 4 }, { 30, 0 }, { 3, 4 }, false },
        { "one zero page too many", { 10, 20 }, { 3, 5 }, { 10, 20 }, { 3, 4 }, false },
        { "absurd", { UINT64_MAX, UINT64_MAX }, { UINT64_MAX, 1 }, { 30, 0 }, { 7, 0 }, false },
    };
    static const AttributedHost host = { 12, 18, 7 };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        Attributed have[2];
        Attributed others;
        uint64_t sum = 0;

        for (size_t j = 0; j < 2; j++)
            have[j] = process(rows[i].merging[j], rows[i].zero[j]);
        if (attribute_savings(&host, have, 2, &others) != rows[i].fits)
            fail_msg("%s: fits is wrong", rows[i].when);
        for (size_t j = 0; j < 2; j++) {
            if (have[j].merging_pages != rows[i].merging_cut[j] ||
                have[j].zero_pages != rows[i].zero_cut[j])
                fail_msg("%s: row %zu has %" PRIu64 " and %" PRIu64, rows[i].when, j,
                         have[j].merging_pages, have[j].zero_pages);
            sum += have[j].saved_pages;
        }
        if (sum + others.saved_pages != 25)
            fail_msg("%s: the sum is %" PRIu64, rows[i].when, sum + others.saved_pages);
    }
}

static void
without_rows_everything_is_the_others(void **unused)
{
    static const AttributedHost host = { 12, 18, 7 };
    Attributed others;
    (void)unused;

    assert_true(attribute_savings(&host, NULL, 0, &others));
    assert_int_equal(others.merging_pages, 30);
    assert_int_equal(others.share_pages, 18);
    assert_int_equal(others.saved_pages, 25);
}

/* --- any figures ------------------------------------------------------------------------ */

typedef struct {
    AttributedHost host;
    Attributed rows[ROWS_MAX];
    Attributed others;
    size_t n;
    bool fits;
} Division;

static uint64_t
roll_pages(Dice *dice, unsigned kind)
{
    if (kind == 0)
        return dice_below(dice, 30);
    return kind == 1 ? dice_below(dice, UINT64_C(1) << 36) : dice_hostile(dice);
}

static void
roll(Dice *dice, Division *division)
{
    unsigned kind = (unsigned)dice_below(dice, 3);
    uint64_t left;

    division->host =
        (AttributedHost){ roll_pages(dice, kind), roll_pages(dice, kind), roll_pages(dice, kind) };
    division->n = dice_below(dice, ROWS_MAX + 1);
    left = sat_add(division->host.pages_shared, division->host.pages_sharing);
    for (size_t i = 0; i < division->n; i++) {
        uint64_t merging = roll_pages(dice, kind);

        /* Mostly figures that fit. */
        if (dice_below(dice, 4) != 0)
            merging = min_u64(merging, left);
        left = sat_sub(left, merging);
        division->rows[i] = process(merging, roll_pages(dice, kind));
    }
    division->fits =
        attribute_savings(&division->host, division->rows, division->n, &division->others);
}

static const Attributed *
row_of(const Division *division, size_t i)
{
    return i < division->n ? &division->rows[i] : &division->others;
}

static void
assert_sums(const Division *division, unsigned round)
{
    const AttributedHost *host = &division->host;
    Wide merging = 0;
    Wide share = 0;
    Wide zero = 0;

    for (size_t i = 0; i <= division->n; i++) {
        const Attributed *row = row_of(division, i);

        merging += row->merging_pages;
        share += row->share_pages;
        zero += row->zero_pages;
        if (row->saved_pages != row->share_pages + row->zero_pages)
            fail_msg("round %u: row %zu: saved %" PRIu64, round, i, row->saved_pages);
    }
    if (merging != sat_add(host->pages_shared, host->pages_sharing))
        fail_msg("round %u: merging pages do not add up", round);
    if (share != host->pages_sharing || zero != host->zero_pages)
        fail_msg("round %u: %" PRIu64 " and %" PRIu64 " pages do not add up", round,
                 host->pages_sharing, host->zero_pages);
}

/* Every share is its quota or one more, and whoever has one more had the larger fraction. */
static void
assert_quotas(const Division *division, unsigned round)
{
    const AttributedHost *host = &division->host;
    uint64_t merged = sat_add(host->pages_shared, host->pages_sharing);
    uint64_t smallest_up = UINT64_MAX;
    uint64_t largest_down = 0;

    for (size_t i = 0; merged > 0 && i <= division->n; i++) {
        const Attributed *row = row_of(division, i);
        Wide product = (Wide)row->merging_pages * host->pages_sharing;
        uint64_t quota = (uint64_t)(product / merged);
        uint64_t fraction = (uint64_t)(product % merged);

        if (row->share_pages != quota && row->share_pages != quota + 1)
            fail_msg("round %u: row %zu: share %" PRIu64 ", quota %" PRIu64, round, i,
                     row->share_pages, quota);
        if (row->share_pages == quota)
            largest_down = max_u64(largest_down, fraction);
        else
            smallest_up = min_u64(smallest_up, fraction);
    }
    if (smallest_up < largest_down)
        fail_msg("round %u: a fraction of %" PRIu64 " went up, one of %" PRIu64 " down", round,
                 smallest_up, largest_down);
}

static void
any_figures_add_up_and_follow_the_formula(void **unused)
{
    Dice dice = dice_new();
    unsigned fitting = 0;
    (void)unused;

    for (unsigned round = 0; round < ROUNDS; round++) {
        Division division;

        roll(&dice, &division);
        assert_sums(&division, round);
        assert_quotas(&division, round);
        fitting += division.fits;
    }
    assert_in_range(fitting, ROUNDS / 20, ROUNDS - ROUNDS / 20); /* both kinds were tried */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_merged_pages_by_largest_remainder),
        cmocka_unit_test(zero_pages_belong_to_whoever_has_them),
        cmocka_unit_test(rows_that_claim_more_than_the_host_has_are_cut),
        cmocka_unit_test(without_rows_everything_is_the_others),
        cmocka_unit_test(any_figures_add_up_and_follow_the_formula),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
