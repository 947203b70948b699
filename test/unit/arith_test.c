/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arith_test.c - sums, products and quotients that neither trap nor wrap */
#include "policy/arith.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/support/dice.h"

#define ROUNDS 200000

/* Wide enough for every product of two figures; not in ISO C, so a test's means only. */
__extension__ typedef unsigned __int128 Wide;

static uint64_t
cut(Wide value)
{
    return value > UINT64_MAX ? UINT64_MAX : (uint64_t)value;
}

static void
sums_and_differences_stop_at_the_ends(void **unused)
{
    static const struct {
        const char *when;
        uint64_t a;
        uint64_t b;
        uint64_t sum;
        uint64_t difference;
    } rows[] = {
        { "small", 7, 5, 12, 2 },
        { "nothing", 0, 0, 0, 0 },
        { "below zero", 5, 7, 12, 0 },
        { "just fits", UINT64_MAX - 1, 1, UINT64_MAX, UINT64_MAX - 2 },
        { "one too many", UINT64_MAX, 1, UINT64_MAX, UINT64_MAX - 1 },
        { "both at the end", UINT64_MAX, UINT64_MAX, UINT64_MAX, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (sat_add(rows[i].a, rows[i].b) != rows[i].sum ||
            sat_add(rows[i].b, rows[i].a) != rows[i].sum)
            fail_msg("%s: sum %" PRIu64, rows[i].when, sat_add(rows[i].a, rows[i].b));
        if (sat_sub(rows[i].a, rows[i].b) != rows[i].difference)
            fail_msg("%s: difference %" PRIu64, rows[i].when, sat_sub(rows[i].a, rows[i].b));
    }
}

static void
a_product_is_divided_rounded_down_and_saturates(void **unused)
{
    static const struct {
        const char *when;
        uint64_t a;
        uint64_t b;
        uint64_t c;
        uint64_t want;
    } rows[] = {
        { "small", 7, 5, 2, 17 },
        { "nothing by something", 0, 5, 3, 0 },
        { "division by zero", 1, 1, 0, UINT64_MAX },
        { "nothing by zero", 0, 0, 0, UINT64_MAX },
        { "product too large, quotient not", UINT64_MAX, 10000, 20000, UINT64_MAX / 2 },
        { "quotient too large", UINT64_MAX, 3, 2, UINT64_MAX },
        { "the largest by itself", UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX },
        { "a third of twice a large number", 2, UINT64_C(1) << 63, 3,
          UINT64_C(6148914691236517205) },
        { "two large ones by a third", UINT64_C(1) << 40, (UINT64_C(1) << 40) + 1,
          (UINT64_C(1) << 41) - 1, UINT64_C(549755813888) },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t have = mul_div(rows[i].a, rows[i].b, rows[i].c);

        if (have != rows[i].want)
            fail_msg("%s: %" PRIu64 " * %" PRIu64 " / %" PRIu64 " = %" PRIu64 ", want %" PRIu64,
                     rows[i].when, rows[i].a, rows[i].b, rows[i].c, have, rows[i].want);
    }
}

static void
any_product_is_divided_as_wider_arithmetic_does_it(void **unused)
{
    Dice dice = dice_new();
    (void)unused;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t a = dice_hostile(&dice);
        uint64_t b = dice_hostile(&dice);
        uint64_t c = dice_hostile(&dice);
        uint64_t have = mul_div(a, b, c);
        uint64_t want = c == 0 ? UINT64_MAX : cut((Wide)a * b / c);

        if (have != want)
            fail_msg("%" PRIu64 " * %" PRIu64 " / %" PRIu64 " = %" PRIu64 ", want %" PRIu64, a, b,
                     c, have, want);
    }
}

static void
a_value_is_held_between_its_bounds(void **unused)
{
    (void)unused;

    assert_true(clamp_u64(0, 3, 9) == 3);
    assert_true(clamp_u64(5, 3, 9) == 5);
    assert_true(clamp_u64(UINT64_MAX, 3, 9) == 9);
    assert_true(min_u64(1, UINT64_MAX) == 1 && min_u64(UINT64_MAX, 1) == 1);
    assert_true(max_u64(1, UINT64_MAX) == UINT64_MAX && max_u64(UINT64_MAX, 1) == UINT64_MAX);
}

static void
only_the_largest_number_is_unknown(void **unused)
{
    (void)unused;

    assert_true(is_known(0));
    assert_true(is_known(UINT64_MAX - 1));
    assert_false(is_known(VALUE_UNKNOWN));
    assert_true(known_or(VALUE_UNKNOWN, 4) == 4);
    assert_true(known_or(0, 4) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_differences_stop_at_the_ends),
        cmocka_unit_test(a_product_is_divided_rounded_down_and_saturates),
        cmocka_unit_test(any_product_is_divided_as_wider_arithmetic_does_it),
        cmocka_unit_test(a_value_is_held_between_its_bounds),
        cmocka_unit_test(only_the_largest_number_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
