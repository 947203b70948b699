/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_budget_test.c - what measuring costs is bounded, for one domain and for hundreds */
#include "agent/facts/working_set_budget.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "policy/arith.h"

#define S          UINT64_C(1000000)
#define HOUR       (3600 * S)
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
/* Half a percent of one CPU, and the pause between two measurements of a domain. */
#define SHARE_BP 50
#define PAUSE_US (60 * S)
/* Steps of a measurement, and when they are. */
static const uint64_t steps_us[] = { 0, 1 * S, 10 * S, 60 * S };
#define STEPS ROWS(steps_us)

/* A domain whose every step costs the same. */
typedef struct {
    WorkingSetTurn turn;
    uint64_t begun_us; /* the measurement under way, or the last one */
    size_t step;       /* next */
    uint64_t measured; /* measurements that are complete */
    uint64_t late_us;  /* longest time that a step under way came late */
} Sim;

static void
take_step(WorkingSetBudget *budget, Sim *sim, uint64_t now_us, uint64_t step_cpu_us)
{
    bool goes_on = sim->step + 1 < STEPS;

    if (sim->turn.is_under_way && now_us - sim->turn.due_us > sim->late_us)
        sim->late_us = now_us - sim->turn.due_us;
    working_set_budget_charge(budget, &sim->turn, step_cpu_us, goes_on);
    if (sim->step == 0)
        sim->begun_us = now_us;
    sim->turn.is_under_way = goes_on;
    if (goes_on) {
        sim->step++;
        sim->turn.due_us = sim->begun_us + steps_us[sim->step];
        return;
    }
    sim->turn.expect_us = STEPS * step_cpu_us;
    sim->turn.due_us = now_us + PAUSE_US;
    sim->step = 0;
    sim->measured++;
}

/* Measures until @end_us; steps take no time. Return: longest that one second's steps cost. */
static void
run_until(WorkingSetBudget *budget, Sim *sims, size_t n, uint64_t step_cpu_us, uint64_t end_us)
{
    WorkingSetTurn *turns = calloc(n, sizeof(*turns));
    uint64_t now_us = S;

    assert_non_null(turns);
    while (now_us < end_us) {
        uint64_t wake_us = 0;
        size_t next;

        for (size_t i = 0; i < n; i++)
            turns[i] = sims[i].turn;
        next = working_set_budget_next(budget, turns, n, now_us, &wake_us);
        if (next < n) {
            take_step(budget, &sims[next], now_us, step_cpu_us);
            continue;
        }
        if (wake_us <= now_us)
            fail_msg("nobody's turn at %" PRIu64 ", and none to wait for", now_us);
        now_us = wake_us;
    }
    free(turns);
}

static void
the_cost_is_the_budget_whatever_the_number_of_domains(void **unused)
{
    static const struct {
        const char *when;
        size_t n;
        uint64_t step_cpu_us;
        uint64_t least, most; /* measurements of each domain in a day */
        uint64_t share_least; /* of the budget, percent, that is used */
    } rows[] = {
        /* 720 would be one every 120 s, as the steps and the pause have it. */
        { "one, cheap", 1, 1000, 715, 720, 0 },
        { "one, dear", 1, 300000, 355, 365, 99 },
        { "ten of 1 GiB", 10, 10000, 715, 720, 60 },
        { "ten of 4 GiB", 10, 40000, 265, 275, 99 },
        { "a hundred of 1 GiB", 100, 10000, 105, 109, 99 },
        { "a hundred of 4 GiB", 100, 40000, 25, 28, 99 },
        { "a thousand of 1 GiB", 1000, 10000, 9, 12, 99 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        Sim *sims = calloc(rows[i].n, sizeof(*sims));
        uint64_t allowed_us = 24 * HOUR / BP_ONE * SHARE_BP;
        uint64_t slack_us = 2 * STEPS * rows[i].step_cpu_us;
        WorkingSetBudget budget;

        assert_non_null(sims);
        working_set_budget_init(&budget, SHARE_BP);
        run_until(&budget, sims, rows[i].n, rows[i].step_cpu_us, 24 * HOUR);
        if (budget.spent_us > allowed_us + slack_us)
            fail_msg("%s: %" PRIu64 " us spent, %" PRIu64 " allowed", rows[i].when, budget.spent_us,
                     allowed_us);
        if (budget.spent_us < allowed_us / 100 * rows[i].share_least)
            fail_msg("%s: only %" PRIu64 " us spent", rows[i].when, budget.spent_us);
        for (size_t d = 0; d < rows[i].n; d++) {
            if (sims[d].measured < rows[i].least || sims[d].measured > rows[i].most)
                fail_msg("%s: domain %zu measured %" PRIu64 " times", rows[i].when, d,
                         sims[d].measured);
            if (sims[d].late_us > 0)
                fail_msg("%s: a step came %" PRIu64 " us late", rows[i].when, sims[d].late_us);
        }
        free(sims);
    }
}

static void
those_under_way_come_first_then_who_has_waited_longest(void **unused)
{
    static const struct {
        const char *when;
        int64_t credit_us;
        WorkingSetTurn turns[3];
        size_t want; /* 3: nobody */
        uint64_t wake_us;
    } rows[] = {
        { "the oldest",
          0,
          { { 90, 0, 0, false }, { 80, 0, 0, false }, { 85, 0, 0, false } },
          1,
          0 },
        { "the one under way",
          0,
          { { 10, 0, 0, false }, { 99, 0, 0, true }, { 9, 0, 0, false } },
          1,
          0 },
        { "that, even if much is owed",
          -5000,
          { { 10, 0, 0, false }, { 99, 0, 0, true }, { 9, 0, 0, false } },
          1,
          0 },
        { "nobody is due",
          0,
          { { 300, 0, 0, false }, { 200, 0, 0, true }, { 500, 0, 0, false } },
          3,
          200 },
        { "something is owed",
          -5,
          { { 10, 0, 0, false }, { 20, 0, 0, false }, { 9, 0, 0, false } },
          3,
          100 + 1001 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        WorkingSetBudget budget = { .share_bp = SHARE_BP,
                                    .credit_us = rows[i].credit_us,
                                    .counted_us = 100 };
        uint64_t wake_us = 0;
        size_t have = working_set_budget_next(&budget, rows[i].turns, 3, 100, &wake_us);

        if (have != rows[i].want || wake_us != rows[i].wake_us)
            fail_msg("%s: turn of %zu, wake at %" PRIu64, rows[i].when, have, wake_us);
    }
}

static void
an_idle_hour_saves_no_more_than_a_minute(void **unused)
{
    WorkingSetBudget budget;
    uint64_t wake_us;
    (void)unused;

    working_set_budget_init(&budget, SHARE_BP);
    assert_int_equal(working_set_budget_next(&budget, NULL, 0, S, &wake_us), 0);
    assert_true(wake_us == UINT64_MAX);
    working_set_budget_next(&budget, NULL, 0, HOUR, &wake_us);
    assert_int_equal(budget.credit_us, 300000);
}

static void
a_domain_that_goes_gives_back_what_it_paid_in_advance(void **unused)
{
    WorkingSetTurn turn = { .expect_us = 4000 };
    WorkingSetBudget budget;
    (void)unused;

    working_set_budget_init(&budget, SHARE_BP);
    working_set_budget_charge(&budget, &turn, 1000, true);
    assert_int_equal(budget.credit_us, -4000);
    assert_int_equal(turn.reserved_us, 3000);
    working_set_budget_drop(&budget, &turn);
    assert_int_equal(budget.credit_us, -1000);
    assert_int_equal(turn.reserved_us, 0);
    assert_int_equal(budget.spent_us, 1000);
}

static void
hostile_costs_do_not_wrap(void **unused)
{
    WorkingSetTurn turn = { .expect_us = UINT64_MAX };
    WorkingSetBudget budget;
    uint64_t wake_us = 0;
    (void)unused;

    working_set_budget_init(&budget, SHARE_BP);
    for (int i = 0; i < 8; i++)
        working_set_budget_charge(&budget, &turn, UINT64_MAX, true);
    assert_true(budget.credit_us < 0);
    assert_int_equal(working_set_budget_next(&budget, &turn, 1, S, &wake_us), 1);
    assert_true(wake_us > S);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cost_is_the_budget_whatever_the_number_of_domains),
        cmocka_unit_test(those_under_way_come_first_then_who_has_waited_longest),
        cmocka_unit_test(an_idle_hour_saves_no_more_than_a_minute),
        cmocka_unit_test(a_domain_that_goes_gives_back_what_it_paid_in_advance),
        cmocka_unit_test(hostile_costs_do_not_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
