/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_budget.c - an account of CPU time that may be overdrawn, but not by two
 *
 * Time earns credit at the rate of the budget. A measurement that begins pays in advance for all
 * of its steps, and none begins while the account is overdrawn. So over any long time the cost is
 * the budget and at most one measurement more, however many domains there are: with many, each
 * waits longer for its turn, which is all that "rotating" and "lengthening" come to. Later steps
 * do not wait, because a window has to be looked at when it ends, and because they are paid.
 *
 * Credit is kept for a minute at most: an idle host may not save up for a burst.
 */
#include "agent/facts/working_set_budget.h"

#include "policy/arith.h"

/* Time for which unused credit is kept. */
#define KEEP_US UINT64_C(60000000)

void
working_set_budget_init(WorkingSetBudget *budget, uint64_t share_bp)
{
    *budget = (WorkingSetBudget){ .share_bp = max_u64(share_bp, 1) };
}

static void
pay(WorkingSetBudget *budget, uint64_t us)
{
    budget->credit_us -= (int64_t)min_u64(us, INT64_MAX / 4);
    if (budget->credit_us < INT64_MIN / 2)
        budget->credit_us = INT64_MIN / 2;
}

/* Credit up to now. What a share of the time does not come to a microsecond of is counted later. */
static void
earn(WorkingSetBudget *budget, uint64_t now_us)
{
    int64_t most_us = (int64_t)mul_div(KEEP_US, budget->share_bp, BP_ONE);
    uint64_t earned_us;

    if (budget->counted_us == 0)
        budget->counted_us = now_us;
    earned_us = mul_div(sat_sub(now_us, budget->counted_us), budget->share_bp, BP_ONE);
    if (earned_us == 0)
        return;
    budget->counted_us = now_us;
    budget->credit_us += (int64_t)min_u64(earned_us, INT64_MAX / 4);
    if (budget->credit_us > most_us)
        budget->credit_us = most_us;
}

/* When nothing is owed any more. */
static uint64_t
solvent_us(const WorkingSetBudget *budget, uint64_t now_us)
{
    if (budget->credit_us >= 0)
        return now_us;
    return sat_add(now_us,
                   sat_add(mul_div((uint64_t)-budget->credit_us, BP_ONE, budget->share_bp), 1));
}

size_t
working_set_budget_next(WorkingSetBudget *budget, const WorkingSetTurn *turns, size_t n,
                        uint64_t now_us, uint64_t *ret_wake_us)
{
    uint64_t wake_us = UINT64_MAX;
    size_t first = n;
    uint64_t can_begin_us;

    earn(budget, now_us);
    can_begin_us = solvent_us(budget, now_us);
    for (size_t i = 0; i < n; i++) {
        uint64_t from_us = turns[i].due_us;

        if (!turns[i].is_under_way)
            from_us = max_u64(from_us, can_begin_us);
        wake_us = min_u64(wake_us, from_us);
        if (from_us > now_us)
            continue;
        if (first == n || turns[i].is_under_way > turns[first].is_under_way ||
            (turns[i].is_under_way == turns[first].is_under_way &&
             turns[i].due_us < turns[first].due_us))
            first = i;
    }
    if (first == n)
        *ret_wake_us = wake_us;
    return first;
}

void
working_set_budget_charge(WorkingSetBudget *budget, WorkingSetTurn *turn, uint64_t cpu_us,
                          bool goes_on)
{
    uint64_t prepaid_us;

    if (!turn->is_under_way) {
        working_set_budget_drop(budget, turn);
        turn->reserved_us = turn->expect_us;
        pay(budget, turn->expect_us);
    }
    prepaid_us = min_u64(turn->reserved_us, cpu_us);
    turn->reserved_us -= prepaid_us;
    pay(budget, cpu_us - prepaid_us);
    budget->spent_us = sat_add(budget->spent_us, cpu_us);
    if (!goes_on)
        working_set_budget_drop(budget, turn);
}

void
working_set_budget_drop(WorkingSetBudget *budget, WorkingSetTurn *turn)
{
    budget->credit_us += (int64_t)min_u64(turn->reserved_us, INT64_MAX / 4);
    turn->reserved_us = 0;
}
