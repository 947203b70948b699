/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dice_test.c - the chance of tests is the same each time, unless another is asked for */
#define _GNU_SOURCE
#include "test/support/dice.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static void
a_number_is_a_seed_and_nothing_else_is_but_random(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        bool want;
        uint64_t seed;
    } rows[] = {
        { "zero", "0", true, 0 },
        { "a number", "3004668409612105272", true, UINT64_C(3004668409612105272) },
        { "the largest", "18446744073709551615", true, UINT64_MAX },
        { "one more", "18446744073709551616", false, 0 },
        { "a digit more", "184467440737095516150", false, 0 },
        { "empty", "", false, 0 },
        { "below zero", "-1", false, 0 },
        { "with a sign", "+1", false, 0 },
        { "with a blank", " 1", false, 0 },
        { "with a tail", "12x", false, 0 },
        { "of base 16", "0x10", false, 0 },
        { "another word", "Random", false, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t seed = 0;

        if (dice_seed(rows[i].text, &seed) != rows[i].want || seed != rows[i].seed)
            fail_msg("%s: seed %" PRIu64, rows[i].when, seed);
    }
}

static void
the_seed_is_the_same_unless_it_is_random(void **unused)
{
    uint64_t usual;
    uint64_t again;
    uint64_t random;
    (void)unused;

    assert_true(dice_seed(NULL, &usual));
    assert_true(dice_seed(NULL, &again));
    assert_int_equal(usual, again);
    assert_true(dice_seed("random", &random));
    assert_int_not_equal(random, usual);
}

static void
chance_is_as_the_environment_says(void **unused)
{
    Dice usual;
    Dice same;
    Dice other;
    (void)unused;

    unsetenv("VIRTKSM_SEED");
    usual = dice_new();
    same = dice_new();
    setenv("VIRTKSM_SEED", "7", 1);
    other = dice_new();
    unsetenv("VIRTKSM_SEED");
    assert_int_equal(other.seed, 7);
    assert_int_equal(dice_roll(&usual), dice_roll(&same));
    assert_int_not_equal(dice_roll(&usual), dice_roll(&other));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_a_seed_and_nothing_else_is_but_random),
        cmocka_unit_test(the_seed_is_the_same_unless_it_is_random),
        cmocka_unit_test(chance_is_as_the_environment_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
