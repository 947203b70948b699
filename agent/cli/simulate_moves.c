/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simulate_moves.c - balloons, limits and reclaim of a replayed plan, one line for each that is new
 *
 * A plan says again at every tick what it wants of a balloon and of a limit; told is what differs
 * from the tick before. Reclaim is asked for once and done, so every request is told. A trace has
 * numbers of domains, no names.
 */
#include "agent/cli/simulate_moves.h"
#include "agent/cli/table.h"

/* More moves than anybody reads; those behind are in the sums. */
#define MOVES_MAX 100000

/* What was wanted of a domain at the tick before. */
typedef struct {
    uint64_t balloon_bytes; /* VALUE_UNKNOWN: to be left alone */
    uint64_t limit_bytes;   /* the same; LIMIT_NONE: none */
} Wanted;

struct SimulateMoves {
    const char *plan;               /* borrowed */
    Virtksm__V1__SimulatedSum *sum; /* borrowed */
    GHashTable *wanted;             /* owned; key of a domain -> Wanted (owned) */
    MemoryLevel level;              /* of the plan before */
    uint64_t time_us;               /* and when it was made */
};

SimulateMoves *
simulate_moves_new(const char *plan, Virtksm__V1__SimulatedSum *sum)
{
    SimulateMoves *moves = g_new0(SimulateMoves, 1);

    moves->plan = plan;
    moves->sum = sum;
    moves->wanted = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    sum->has_tight_us = sum->has_critical_us = sum->has_balloon_orders = TRUE;
    sum->has_limit_orders = sum->has_reclaimed_bytes = TRUE;
    return moves;
}

void
simulate_moves_free(SimulateMoves *moves)
{
    if (!moves)
        return;
    g_hash_table_unref(moves->wanted);
    g_free(moves);
}

static Wanted *
wanted_of(SimulateMoves *moves, uint64_t key)
{
    Wanted *wanted = g_hash_table_lookup(moves->wanted, &key);

    if (!wanted) {
        wanted = g_new(Wanted, 1);
        *wanted = (Wanted){ VALUE_UNKNOWN, VALUE_UNKNOWN };
        g_hash_table_insert(moves->wanted, g_memdup2(&key, sizeof(key)), wanted);
    }
    return wanted;
}

static void
add_move(const SimulateMoves *moves, const DomainPlan *plan, const char *what, uint64_t bytes,
         GPtrArray *out)
{
    bool is_balloon = g_str_equal(what, "balloon");
    Reason reason = is_balloon ? plan->balloon_reason : plan->high_reason;
    Virtksm__V1__SimulatedMove *move;

    if (out->len >= MOVES_MAX)
        return;
    move = g_new(Virtksm__V1__SimulatedMove, 1);
    virtksm__v1__simulated_move__init(move);
    move->has_time_us = move->has_domain = move->has_apply = TRUE;
    move->time_us = moves->time_us;
    move->plan = g_strdup(moves->plan);
    move->domain = plan->key;
    move->what = g_strdup(what);
    move->has_bytes = bytes != LIMIT_NONE;
    move->bytes = move->has_bytes ? bytes : 0;
    move->reason = g_strdup(reason_name(reason));
    move->why = g_strdup(reason_text(reason));
    move->apply = is_balloon ? plan->balloon_apply : plan->high_apply;
    g_ptr_array_add(out, move);
}

static void
add_domain(SimulateMoves *moves, const DomainPlan *plan, GPtrArray *out)
{
    Wanted *wanted = wanted_of(moves, plan->key);

    /* Decided for KSM alone: what was wanted before stands. */
    if (plan->balloon_reason == REASON_NONE && plan->high_reason == REASON_NONE)
        return;
    if (is_known(plan->balloon_bytes) && plan->balloon_bytes != wanted->balloon_bytes) {
        moves->sum->balloon_orders += plan->balloon_apply;
        add_move(moves, plan, "balloon", plan->balloon_bytes, out);
    }
    if (is_known(plan->limit_bytes) && plan->limit_bytes != wanted->limit_bytes) {
        moves->sum->limit_orders += plan->high_apply;
        add_move(moves, plan, "limit", plan->limit_bytes, out);
    }
    if (plan->reclaim_bytes > 0) {
        if (plan->high_apply)
            moves->sum->reclaimed_bytes = sat_add(moves->sum->reclaimed_bytes, plan->reclaim_bytes);
        add_move(moves, plan, "reclaim", plan->reclaim_bytes, out);
    }
    *wanted = (Wanted){ plan->balloon_bytes, plan->limit_bytes };
}

void
simulate_moves_add(SimulateMoves *moves, uint64_t time_us, const Plan *plan, size_t n,
                   GPtrArray *out)
{
    uint64_t span_us = sat_sub(time_us, moves->time_us);

    if (moves->level == MEMORY_TIGHT)
        moves->sum->tight_us += span_us;
    if (moves->level == MEMORY_CRITICAL)
        moves->sum->critical_us += span_us;
    moves->level = plan->host.level;
    moves->time_us = time_us;
    for (size_t i = 0; i < n; i++)
        add_domain(moves, &plan->domains[i], out);
}

/* --- print -------------------------------------------------------------------------------- */

static void
append_moves(GString *out, const Virtksm__V1__Simulation *result)
{
    static const TableColumn columns[] = {
        { "TIME", TABLE_RIGHT, 0 }, { "PLAN", TABLE_LEFT, 0 },    { "DOMAIN", TABLE_RIGHT, 0 },
        { "WHAT", TABLE_LEFT, 0 },  { "WANTED", TABLE_RIGHT, 0 }, { "REASON", TABLE_LEFT, 0 },
        { "APPLY", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < result->n_moves; i++) {
        const Virtksm__V1__SimulatedMove *move = result->moves[i];

        table_duration(table, true, move->time_us / 1000);
        table_text(table, move->plan);
        table_count(table, true, move->domain);
        table_text(table, move->what);
        if (move->has_bytes)
            table_bytes(table, true, move->bytes);
        else
            table_text(table, "none");
        table_text(table, move->reason);
        table_text(table, move->apply ? "yes" : "no");
    }
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

void
simulate_moves_append(GString *out, const Virtksm__V1__Simulation *result)
{
    static const TableColumn columns[] = {
        { "PLAN", TABLE_LEFT, 0 },      { "TIGHT", TABLE_RIGHT, 0 },
        { "CRITICAL", TABLE_RIGHT, 0 }, { "BALLOONS", TABLE_RIGHT, 0 },
        { "LIMITS", TABLE_RIGHT, 0 },   { "RECLAIM", TABLE_RIGHT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    uint64_t short_us = 0;

    for (size_t i = 0; i < result->n_sums; i++) {
        const Virtksm__V1__SimulatedSum *sum = result->sums[i];

        short_us = sat_add(short_us, sat_add(sum->tight_us, sum->critical_us));
        table_text(table, sum->plan);
        table_duration(table, true, sum->tight_us / 1000);
        table_duration(table, true, sum->critical_us / 1000);
        table_count(table, true, sum->balloon_orders);
        table_count(table, true, sum->limit_orders);
        table_bytes(table, true, sum->reclaimed_bytes);
    }
    if (result->n_moves == 0 && short_us == 0)
        return;
    append_moves(out, result);
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}
