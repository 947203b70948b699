/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_simulate_moves_test.c - what a replayed plan wants of the memory of domains is told once */
#include "agent/cli/simulate_moves.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S   UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

typedef struct {
    Virtksm__V1__SimulatedSum sum;
    SimulateMoves *moves;
    GPtrArray *out;
} State;

static int
setup(void **state)
{
    State *own = g_new0(State, 1);

    virtksm__v1__simulated_sum__init(&own->sum);
    own->moves = simulate_moves_new("recorded", &own->sum);
    own->out = g_ptr_array_new();
    *state = own;
    return 0;
}

static int
teardown(void **state)
{
    State *own = *state;

    for (guint i = 0; i < own->out->len; i++)
        virtksm__v1__simulated_move__free_unpacked(own->out->pdata[i], NULL);
    g_ptr_array_unref(own->out);
    g_free(own->sum.plan);
    simulate_moves_free(own->moves);
    g_free(own);
    return 0;
}

static DomainPlan
domain_plan(uint64_t balloon_bytes, uint64_t limit_bytes, uint64_t reclaim_bytes)
{
    return (DomainPlan){ .key = 7,
                         .balloon_bytes = balloon_bytes,
                         .balloon_reason = REASON_TAKE,
                         .balloon_apply = true,
                         .high_apply = true,
                         .high_reason = REASON_PROBE_DOWN,
                         .limit_bytes = limit_bytes,
                         .reclaim_bytes = reclaim_bytes };
}

static void
what_is_wanted_is_told_when_it_differs_from_the_tick_before(void **state)
{
    static const struct {
        const char *when;
        uint64_t balloon_bytes;
        uint64_t limit_bytes;
        uint64_t reclaim_bytes;
        guint want; /* lines */
        const char *what;
    } rows[] = {
        { "nothing is wanted", VALUE_UNKNOWN, VALUE_UNKNOWN, 0, 0, NULL },
        { "a balloon", 512 * MIB, VALUE_UNKNOWN, 0, 1, "balloon" },
        { "the same again", 512 * MIB, VALUE_UNKNOWN, 0, 0, NULL },
        { "another", 500 * MIB, VALUE_UNKNOWN, 0, 1, "balloon" },
        { "a limit", VALUE_UNKNOWN, 400 * MIB, 0, 1, "limit" },
        { "no limit any more", VALUE_UNKNOWN, LIMIT_NONE, 0, 1, "limit" },
        { "reclaim", VALUE_UNKNOWN, VALUE_UNKNOWN, 8 * MIB, 1, "reclaim" },
        { "as much again", VALUE_UNKNOWN, VALUE_UNKNOWN, 8 * MIB, 1, "reclaim" },
    };
    State *own = *state;
    uint64_t now_us = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        DomainPlan domain =
            domain_plan(rows[i].balloon_bytes, rows[i].limit_bytes, rows[i].reclaim_bytes);
        Plan plan = { .domains = &domain };
        guint before = own->out->len;
        const Virtksm__V1__SimulatedMove *move;

        simulate_moves_add(own->moves, now_us += S, &plan, 1, own->out);
        if (own->out->len - before != rows[i].want)
            fail_msg("%s: %u lines", rows[i].when, own->out->len - before);
        if (rows[i].want == 0)
            continue;
        move = own->out->pdata[before];
        if (!g_str_equal(move->what, rows[i].what) || move->domain != 7 ||
            move->time_us != now_us || !g_str_equal(move->plan, "recorded"))
            fail_msg("%s: it is told of %s", rows[i].when, move->what);
        if (move->has_bytes != (rows[i].limit_bytes != LIMIT_NONE))
            fail_msg("%s: an amount, or none", rows[i].when);
    }
    assert_int_equal(own->sum.balloon_orders, 2);
    assert_int_equal(own->sum.limit_orders, 2);
    assert_int_equal(own->sum.reclaimed_bytes, 16 * MIB);
}

static void
a_decision_in_a_hurry_leaves_wishes_as_they_are(void **state)
{
    const DomainPlan wish = domain_plan(512 * MIB, 400 * MIB, 0);
    const DomainPlan none = { .key = 7,
                              .balloon_bytes = VALUE_UNKNOWN,
                              .limit_bytes = VALUE_UNKNOWN };
    State *own = *state;

    for (uint64_t i = 0; i < 4; i++) {
        DomainPlan domain = i % 2 == 0 ? wish : none;
        Plan plan = { .domains = &domain };

        simulate_moves_add(own->moves, i * S, &plan, 1, own->out);
    }
    assert_int_equal(own->out->len, 2);
}

static void
what_is_only_observed_is_told_and_not_counted(void **state)
{
    State *own = *state;
    DomainPlan domain = domain_plan(512 * MIB, 400 * MIB, 8 * MIB);
    Plan plan = { .domains = &domain };

    domain.balloon_apply = domain.high_apply = false;
    simulate_moves_add(own->moves, S, &plan, 1, own->out);
    assert_int_equal(own->out->len, 3);
    for (guint i = 0; i < own->out->len; i++)
        assert_false(((const Virtksm__V1__SimulatedMove *)own->out->pdata[i])->apply);
    assert_int_equal(own->sum.balloon_orders + own->sum.limit_orders, 0);
    assert_int_equal(own->sum.reclaimed_bytes, 0);
}

static void
the_time_at_each_level_is_added_up(void **state)
{
    State *own = *state;
    Plan plan = { .domains = NULL };

    simulate_moves_add(own->moves, 0, &plan, 0, own->out);
    plan.host.level = MEMORY_TIGHT;
    simulate_moves_add(own->moves, 10 * S, &plan, 0, own->out);
    plan.host.level = MEMORY_CRITICAL;
    simulate_moves_add(own->moves, 13 * S, &plan, 0, own->out);
    plan.host.level = MEMORY_CALM;
    simulate_moves_add(own->moves, 14 * S, &plan, 0, own->out);
    simulate_moves_add(own->moves, 100 * S, &plan, 0, own->out);
    assert_int_equal(own->sum.tight_us, 3 * S);
    assert_int_equal(own->sum.critical_us, S);
}

static void
nothing_is_printed_where_memory_is_left_alone(void **state)
{
    State *own = *state;
    Virtksm__V1__SimulatedSum *sums[] = { &own->sum };
    Virtksm__V1__Simulation result;
    DomainPlan domain = domain_plan(512 * MIB, LIMIT_NONE, 0);
    Plan plan = { .domains = &domain };
    g_autoptr(GString) out = g_string_new(NULL);

    own->sum.plan = g_strdup("recorded");
    virtksm__v1__simulation__init(&result);
    result.n_sums = 1;
    result.sums = sums;
    simulate_moves_append(out, &result);
    assert_int_equal(out->len, 0);
    simulate_moves_add(own->moves, 1500000, &plan, 1, own->out);
    result.n_moves = own->out->len;
    result.moves = (Virtksm__V1__SimulatedMove **)own->out->pdata;
    simulate_moves_append(out, &result);
    assert_non_null(g_strstr_len(out->str, -1, "512.0 MiB"));
    assert_non_null(g_strstr_len(out->str, -1, "none"));
    assert_non_null(g_strstr_len(out->str, -1, reason_name(REASON_TAKE)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_wanted_is_told_when_it_differs_from_the_tick_before,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_decision_in_a_hurry_leaves_wishes_as_they_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_only_observed_is_told_and_not_counted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_time_at_each_level_is_added_up, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_printed_where_memory_is_left_alone, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
