/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* decision_test.c - decisions that are alike are one, and the newest are kept */
#include "agent/decision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static Decision
decision_of(uint64_t time_us, Reason reason)
{
    return (Decision){ .first_us = time_us,
                       .mode = KSM_MODE_AUTO,
                       .plan = { .phase = KSM_PHASE_REST, .reason = reason },
                       .applied = APPLY_DONE };
}

static void
nothing_was_decided_at_first(void **unused)
{
    DecisionRing ring = { 0 };
    (void)unused;

    assert_null(decision_at(&ring, 0));
}

static void
only_what_differs_is_another_decision(void **unused)
{
    Decision other_mode = decision_of(2, REASON_DEBT);
    Decision other_phase = other_mode;
    Decision other_reason = decision_of(2, REASON_NO_DOMAIN);
    Decision other_run = other_mode;
    Decision other_pages = other_mode;
    Decision refused = other_mode;
    Decision kept = other_mode;
    const struct {
        const char *when;
        const Decision *decision;
        size_t want;
    } rows[] = {
        { "mode", &other_mode, 2 },           { "phase", &other_phase, 2 },
        { "reason", &other_reason, 2 },       { "run", &other_run, 2 },
        { "pages, inputs", &other_pages, 1 }, { "refused", &refused, 2 },
        { "unchanged after done", &kept, 1 },
    };
    (void)unused;

    other_mode.mode = KSM_MODE_OBSERVE;
    other_phase.plan.phase = KSM_PHASE_BURST;
    other_run.plan.knobs.run = KSM_RUN_MERGE;
    other_pages.plan.knobs.pages_to_scan = 77;
    other_pages.plan.debt_pages = 5;
    refused.applied = APPLY_REFUSED;
    kept.applied = APPLY_UNCHANGED;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        DecisionRing ring = { 0 };
        Decision first = decision_of(1, REASON_DEBT);

        decision_note(&ring, &first);
        decision_note(&ring, rows[i].decision);
        if ((decision_at(&ring, 1) ? 2u : 1u) != rows[i].want)
            fail_msg("%s", rows[i].when);
        assert_int_equal(decision_at(&ring, 0)->last_us, 2);
        assert_int_equal(decision_at(&ring, 0)->count, rows[i].want == 1 ? 2 : 1);
        assert_int_equal(decision_at(&ring, 0)->first_us, rows[i].want == 1 ? 1 : 2);
    }
}

static void
what_was_done_after_being_in_place_is_a_change(void **unused)
{
    DecisionRing ring = { 0 };
    Decision first = decision_of(1, REASON_DEBT);
    Decision second = decision_of(2, REASON_DEBT);
    (void)unused;

    first.applied = APPLY_UNCHANGED;
    decision_note(&ring, &first);
    decision_note(&ring, &second);
    assert_non_null(decision_at(&ring, 1));
}

static void
the_oldest_goes_when_there_are_too_many(void **unused)
{
    DecisionRing ring = { 0 };
    (void)unused;

    for (uint64_t i = 1; i <= DECISIONS_KEPT + 3; i++) {
        Decision decision = decision_of(i, i % 2 == 0 ? REASON_DEBT : REASON_NO_DOMAIN);

        decision_note(&ring, &decision);
        assert_int_equal(decision_at(&ring, 0)->first_us, i);
    }
    for (size_t i = 0; i < DECISIONS_KEPT; i++)
        assert_int_equal(decision_at(&ring, i)->first_us, DECISIONS_KEPT + 3 - i);
    assert_null(decision_at(&ring, DECISIONS_KEPT));
}

/* A tick on a domain: its balloon and limit, and what is wanted. */
static void
note(ReclaimRing *ring, uint64_t now_us, const DomainPlan *plan)
{
    const DomainSample before = { .balloon_bytes = 1000 + now_us, .limit_bytes = LIMIT_NONE };

    decision_note_reclaim(ring, &before, plan, now_us);
}

static void
steps_of_reclaim_for_one_reason_are_one_entry(void **unused)
{
    ReclaimRing ring = { 0 };
    DomainPlan plan = { .balloon_reason = REASON_TAKE,
                        .balloon_apply = true,
                        .balloon_bytes = 900,
                        .high_reason = REASON_PROBE_DOWN,
                        .limit_bytes = VALUE_UNKNOWN,
                        .reclaim_bytes = 5 };
    const ReclaimDecision *balloon;
    const ReclaimDecision *high;
    (void)unused;

    note(&ring, 1, &plan);
    plan.balloon_bytes = 800;
    plan.reclaim_bytes = 7;
    note(&ring, 2, &plan);
    balloon = decision_reclaim_at(&ring, RECLAIM_BALLOON, 0);
    high = decision_reclaim_at(&ring, RECLAIM_HIGH, 0);
    assert_int_equal(balloon->first_us, 1);
    assert_int_equal(balloon->last_us, 2);
    assert_int_equal(balloon->count, 2);
    assert_int_equal(balloon->before_bytes, 1001);
    assert_int_equal(balloon->wanted_bytes, 800);
    assert_true(balloon->apply);
    assert_int_equal(high->before_bytes, LIMIT_NONE);
    assert_int_equal(high->wanted_bytes, VALUE_UNKNOWN);
    assert_int_equal(high->reclaim_bytes, 12);
    assert_false(high->apply);
    assert_null(decision_reclaim_at(&ring, RECLAIM_BALLOON, 1));
    assert_null(decision_reclaim_at(&ring, RECLAIM_HIGH, 1));
}

static void
another_reason_or_permission_is_another_entry(void **unused)
{
    ReclaimRing ring = { 0 };
    DomainPlan plan = { .balloon_reason = REASON_TAKE, .balloon_bytes = 900 };
    (void)unused;

    note(&ring, 1, &plan);
    plan.balloon_apply = true;
    note(&ring, 2, &plan);
    plan.balloon_reason = REASON_GIVE_BACK;
    note(&ring, 3, &plan);
    assert_int_equal(decision_reclaim_at(&ring, RECLAIM_BALLOON, 0)->before_bytes, 1003);
    assert_true(decision_reclaim_at(&ring, RECLAIM_BALLOON, 1)->apply);
    assert_false(decision_reclaim_at(&ring, RECLAIM_BALLOON, 2)->apply);
    assert_null(decision_reclaim_at(&ring, RECLAIM_BALLOON, 3));
    assert_null(decision_reclaim_at(&ring, RECLAIM_HIGH, 0)); /* nobody decided on it */
}

static void
a_mechanism_that_changes_all_the_time_does_not_push_out_the_other(void **unused)
{
    ReclaimRing ring = { 0 };
    (void)unused;

    for (uint64_t i = 1; i <= RECLAIM_DECISIONS_KEPT + 3; i++) {
        DomainPlan plan = { .balloon_reason = i % 2 ? REASON_TAKE : REASON_DWELL,
                            .high_reason = REASON_CALM };

        note(&ring, i, &plan);
    }
    for (size_t i = 0; i < RECLAIM_DECISIONS_KEPT; i++)
        assert_int_equal(decision_reclaim_at(&ring, RECLAIM_BALLOON, i)->first_us,
                         RECLAIM_DECISIONS_KEPT + 3 - i);
    assert_null(decision_reclaim_at(&ring, RECLAIM_BALLOON, RECLAIM_DECISIONS_KEPT));
    assert_int_equal(decision_reclaim_at(&ring, RECLAIM_HIGH, 0)->count,
                     RECLAIM_DECISIONS_KEPT + 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_was_decided_at_first),
        cmocka_unit_test(only_what_differs_is_another_decision),
        cmocka_unit_test(what_was_done_after_being_in_place_is_a_change),
        cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
        cmocka_unit_test(steps_of_reclaim_for_one_reason_are_one_entry),
        cmocka_unit_test(another_reason_or_permission_is_another_entry),
        cmocka_unit_test(a_mechanism_that_changes_all_the_time_does_not_push_out_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
