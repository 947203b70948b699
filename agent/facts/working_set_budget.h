/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_budget.h - which domain is measured next, so that all of it costs no more than
 * allowed
 *
 * Pure: time and cost come in as arguments.
 */
#ifndef AGENT_FACTS_WORKING_SET_BUDGET_H
#define AGENT_FACTS_WORKING_SET_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One domain's next step. A measurement is one step or several, at moments of its own. */
typedef struct {
    uint64_t due_us;      /* when the step should be, CLOCK_MONOTONIC */
    uint64_t expect_us;   /* CPU time of a whole measurement; 0: not known yet */
    uint64_t reserved_us; /* paid in advance and not used yet; the budget's own */
    bool is_under_way;    /* the step belongs to a measurement that has begun */
} WorkingSetTurn;

/* State; embedded in its owner. */
typedef struct {
    uint64_t share_bp;   /* of one CPU, above 0 */
    int64_t credit_us;   /* CPU time that may be spent; below 0: owed */
    uint64_t counted_us; /* CLOCK_MONOTONIC up to which credit has been given; 0: never */
    uint64_t spent_us;   /* CPU time charged so far */
} WorkingSetBudget;

/** working_set_budget_init() - @share_bp: of one CPU, basis points, above 0; nothing spent yet */
void working_set_budget_init(WorkingSetBudget *budget, uint64_t share_bp);

/**
 * working_set_budget_next() - whose step is next
 * @turns:       of all domains
 * @n:           how many there are
 * @now_us:      CLOCK_MONOTONIC, never less than before
 * @ret_wake_us: if nobody's turn is now: when to ask again; UINT64_MAX: there are no domains
 *
 * Steps under way come first and in time: they are paid for. A measurement begins only while
 * nothing is owed, that of the domain that has waited longest first.
 *
 * Return: an index; @n: nobody's.
 */
size_t working_set_budget_next(WorkingSetBudget *budget, const WorkingSetTurn *turns, size_t n,
                               uint64_t now_us, uint64_t *ret_wake_us);

/**
 * working_set_budget_charge() - a step was taken
 * @turn:     as it was before the step
 * @cpu_us:   what it took
 * @goes_on:  more steps of this measurement follow
 *
 * With its first step a measurement pays for the others too, by what it took before. What is left
 * of that at the end comes back.
 */
void working_set_budget_charge(WorkingSetBudget *budget, WorkingSetTurn *turn, uint64_t cpu_us,
                               bool goes_on);

/**
 * working_set_budget_drop() - a domain is gone
 * @turn: its; what it has paid in advance comes back
 */
void working_set_budget_drop(WorkingSetBudget *budget, WorkingSetTurn *turn);

#endif
