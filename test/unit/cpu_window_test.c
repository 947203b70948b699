/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpu_window_test.c - a budget of CPU time that holds over any minute */
#include "policy/cpu_window.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/support/dice.h"

#define S          UINT64_C(1000000)
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define HALF       5000

static CpuWindow
window_at(uint64_t now_us, uint64_t cpu_us)
{
    CpuWindow window = { .last_cpu_us = VALUE_UNKNOWN };

    cpu_window_add(&window, now_us, cpu_us);
    return window;
}

static void
an_unused_minute_is_the_whole_budget(void **unused)
{
    static const struct {
        const char *when;
        uint64_t budget_bp;
        uint64_t want_us;
    } rows[] = {
        { "nothing allowed", 0, 0 },
        { "a hundredth of a percent", 1, 6000 },
        { "a quarter", 2500, 15 * S },
        { "a whole CPU", 10000, 60 * S },
    };
    CpuWindow window = window_at(1000 * S, 777 * S);
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++)
        if (cpu_window_left(&window, rows[i].budget_bp) != rows[i].want_us)
            fail_msg("%s: %" PRIu64 " us left, want %" PRIu64, rows[i].when,
                     cpu_window_left(&window, rows[i].budget_bp), rows[i].want_us);
}

static void
what_was_used_comes_back_after_a_minute_and_not_before(void **unused)
{
    static const struct {
        const char *when;
        uint64_t after_us; /* the use was seen */
        uint64_t left_us;  /* of 30 s */
    } rows[] = {
        { "at once", 0, 20 * S },
        { "half a minute later", 30 * S, 20 * S },
        { "just a minute later", 60 * S, 20 * S },
        { "when its second has left the window", 61 * S, 30 * S },
        { "an hour later", 3600 * S, 30 * S },
        { "years later", UINT64_C(100000000) * S, 30 * S },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        CpuWindow window = window_at(1000 * S, 0);

        cpu_window_add(&window, 1000 * S, 10 * S);
        cpu_window_add(&window, 1000 * S + rows[i].after_us, 10 * S);
        if (cpu_window_left(&window, HALF) != rows[i].left_us)
            fail_msg("%s: %" PRIu64 " us left, want %" PRIu64, rows[i].when,
                     cpu_window_left(&window, HALF), rows[i].left_us);
    }
}

static void
what_was_used_before_the_first_look_does_not_count(void **unused)
{
    CpuWindow window = window_at(1000 * S, 9999 * S);
    (void)unused;

    assert_true(cpu_window_left(&window, HALF) == 30 * S);
    cpu_window_add(&window, 1001 * S, 10000 * S);
    assert_true(cpu_window_left(&window, HALF) == 29 * S);
}

static void
more_than_the_budget_leaves_nothing(void **unused)
{
    CpuWindow window = window_at(1000 * S, 0);
    (void)unused;

    cpu_window_add(&window, 1030 * S, 30 * S);
    assert_true(cpu_window_left(&window, HALF) == 0);
    cpu_window_add(&window, 1040 * S, 40 * S);
    assert_true(cpu_window_left(&window, HALF) == 0);
}

static void
a_counter_that_cannot_be_read_books_nothing_and_is_caught_up_with(void **unused)
{
    CpuWindow window = window_at(1000 * S, 0);
    (void)unused;

    cpu_window_add(&window, 1001 * S, 1 * S);
    cpu_window_add(&window, 1002 * S, VALUE_UNKNOWN);
    assert_true(cpu_window_left(&window, HALF) == 29 * S);
    cpu_window_add(&window, 1003 * S, 3 * S);
    assert_true(cpu_window_left(&window, HALF) == 27 * S);
}

static void
a_counter_that_went_back_starts_afresh(void **unused)
{
    CpuWindow window = window_at(1000 * S, 500 * S);
    (void)unused;

    cpu_window_add(&window, 1001 * S, 501 * S);
    cpu_window_add(&window, 1002 * S, 2 * S);
    assert_true(cpu_window_left(&window, HALF) == 29 * S);
    cpu_window_add(&window, 1003 * S, 4 * S);
    assert_true(cpu_window_left(&window, HALF) == 27 * S);
}

static void
an_absurd_jump_blocks_for_a_minute_and_no_longer(void **unused)
{
    CpuWindow window = window_at(1000 * S, 0);
    (void)unused;

    cpu_window_add(&window, 1001 * S, UINT64_MAX - 1);
    assert_true(cpu_window_left(&window, BP_ONE) == 0);
    cpu_window_add(&window, 1062 * S, UINT64_MAX - 1);
    assert_true(cpu_window_left(&window, BP_ONE) == 60 * S);
}

/* --- whoever uses no more than is left keeps the budget over any minute ------------------ */

#define STEPS 20000

typedef struct {
    uint64_t begin_us;
    uint64_t used_us; /* from begin_us to the beginning of the next step */
} Step;

/* The most that was used in whole steps within a minute from the beginning of any step. */
static uint64_t
worst_minute(const Step *steps, size_t n)
{
    uint64_t worst_us = 0;
    uint64_t sum_us = 0;
    size_t first = 0;

    for (size_t i = 0; i + 1 < n; i++) {
        sum_us += steps[i].used_us;
        while (steps[i + 1].begin_us - steps[first].begin_us > 60 * S)
            sum_us -= steps[first++].used_us;
        worst_us = max_u64(worst_us, sum_us);
    }
    return worst_us;
}

static void
no_minute_exceeds_the_budget_of_one_who_keeps_to_what_is_left(void **unused)
{
    static const uint64_t budgets_bp[] = { 1, 100, 2500, 5000, 9900 };
    Step *steps = calloc(STEPS, sizeof(*steps));
    Dice dice = dice_new();
    (void)unused;

    for (size_t b = 0; b < ROWS(budgets_bp); b++) {
        uint64_t now_us = dice_below(&dice, 1000 * S);
        uint64_t cpu_us = dice_below(&dice, 1000 * S);
        CpuWindow window = window_at(now_us, cpu_us);

        for (size_t i = 0; i < STEPS; i++) {
            uint64_t length_us = 1000 + dice_below(&dice, 2 * S);
            uint64_t left_us = cpu_window_left(&window, budgets_bp[b]);

            steps[i] = (Step){ now_us, min_u64(left_us, length_us) };
            now_us += length_us;
            cpu_us += steps[i].used_us;
            cpu_window_add(&window, now_us, cpu_us);
        }
        if (worst_minute(steps, STEPS) > 6000 * budgets_bp[b])
            fail_msg("%" PRIu64 " bp: %" PRIu64 " us used in a minute", budgets_bp[b],
                     worst_minute(steps, STEPS));
        /* and it is no budget if it cannot be used */
        assert_true(worst_minute(steps, STEPS) > 5500 * budgets_bp[b]);
    }
    free(steps);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unused_minute_is_the_whole_budget),
        cmocka_unit_test(what_was_used_comes_back_after_a_minute_and_not_before),
        cmocka_unit_test(what_was_used_before_the_first_look_does_not_count),
        cmocka_unit_test(more_than_the_budget_leaves_nothing),
        cmocka_unit_test(a_counter_that_cannot_be_read_books_nothing_and_is_caught_up_with),
        cmocka_unit_test(a_counter_that_went_back_starts_afresh),
        cmocka_unit_test(an_absurd_jump_blocks_for_a_minute_and_no_longer),
        cmocka_unit_test(no_minute_exceeds_the_budget_of_one_who_keeps_to_what_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
