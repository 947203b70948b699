/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simulate_moves.h - what a replayed plan would have done to the memory of domains
 */
#ifndef AGENT_CLI_SIMULATE_MOVES_H
#define AGENT_CLI_SIMULATE_MOVES_H

#include "policy/plan.h"
#include "proto/trace.pb-c.h"

#include <glib.h>

typedef struct SimulateMoves SimulateMoves;

/**
 * simulate_moves_new() - before the first plan of one configuration
 * @plan: its name, borrowed
 * @sum:  borrowed; totals are kept there
 *
 * Return: owned by the caller, end with simulate_moves_free()
 */
SimulateMoves *simulate_moves_new(const char *plan, Virtksm__V1__SimulatedSum *sum);

/** simulate_moves_free() - accepts NULL */
void simulate_moves_free(SimulateMoves *moves);

/**
 * simulate_moves_add() - the next plan
 * @time_us: since the first decision, never less than before
 * @plan:    of @n domains
 * @out:     of Virtksm__V1__SimulatedMove, owned by it; gets those that differ from the plan before
 */
void simulate_moves_add(SimulateMoves *moves, uint64_t time_us, const Plan *plan, size_t n,
                        GPtrArray *out);

/** simulate_moves_append() - print them, and their sums; nothing where no plan moves memory */
void simulate_moves_append(GString *out, const Virtksm__V1__Simulation *result);

#endif
