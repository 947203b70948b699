/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksm_auto_test.c - the closed loop on a model host
 *
 * Properties, not figures: it starts at once, settles, rests with a reason, keeps its budget,
 * comes back when there is something to do, and copes with a kernel that tells it little.
 */
#include "policy/policy.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test/support/modelhost.h"

#define S          MODEL_US_PER_S
#define HOUR       (3600 * S)
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

/* 256 MiB each. */
static const ModelDomain equal = { 65536, 0, BP_ONE, 8000 };
static const ModelDomain booting = { 65536, 20000, BP_ONE, 8000 };
static const ModelDomain all_unique = { 65536, 0, BP_ONE, 0 };
static const ModelDomain opted_out = { 65536, 0, 0, 8000 };
/* 4 GiB. */
static const ModelDomain large = { 1048576, 0, BP_ONE, 5000 };
static const ModelDomain large_unique = { 1048576, 0, BP_ONE, 0 };

static int
setup(void **state)
{
    *state = modelhost_new(NULL);
    return 0;
}

static int
teardown(void **state)
{
    modelhost_free(*state);
    return 0;
}

static void
assert_phase(const char *when, const ModelHost *host, KsmPhase phase, Reason reason)
{
    const KsmPlan *plan = modelhost_plan(host);

    if (plan->phase != phase || plan->reason != reason)
        fail_msg("%s: %s (%s), want %s (%s)", when, ksm_phase_name(plan->phase),
                 reason_name(plan->reason), ksm_phase_name(phase), reason_name(reason));
}

/* The phases since the @first change that was noted, in order. */
static void
assert_phases(const ModelHost *host, size_t first, const KsmPhase *want, size_t n)
{
    size_t count;
    const ModelPhase *have = modelhost_phases(host, &count);

    for (size_t i = 0; i < n; i++)
        if (first + i >= count || have[first + i].phase != want[i])
            fail_msg("change %zu: %s, want %s", first + i,
                     first + i < count ? ksm_phase_name(have[first + i].phase) : "none",
                     ksm_phase_name(want[i]));
    if (count != first + n)
        fail_msg("%zu changes of phase, want %zu; the next is to %s", count, first + n,
                 ksm_phase_name(have[first + n].phase));
}

static const KsmPhase once_round[] = { KSM_PHASE_BURST, KSM_PHASE_SETTLE, KSM_PHASE_MAINTAIN };

static void
a_start_sets_up_ksm_at_the_first_decision(void **state)
{
    const KsmPlan *plan = modelhost_plan(*state);

    modelhost_start(*state, &booting); /* nothing of it is resident yet */
    assert_phase("at the start", *state, KSM_PHASE_BURST, REASON_TRIGGER);
    assert_int_equal(plan->knobs.run, KSM_RUN_MERGE);
    assert_int_equal(plan->knobs.pages_to_scan, 4 * modelhost_conf(*state)->batch_pages);
    assert_true(plan->knobs.sleep_ms >= 3600000); /* not sent off past what the start brings */
}

static void
equal_domains_are_merged_and_then_watched_for_ever(void **state)
{
    modelhost_start(*state, &equal);
    modelhost_start(*state, &equal);
    modelhost_run(*state, 60 * S);
    assert_phase("a minute later", *state, KSM_PHASE_MAINTAIN, REASON_CHURN_WATCH);
    assert_true(modelhost_saved_pages(*state) > 80000);
    modelhost_run(*state, 4 * HOUR);
    assert_phases(*state, 0, once_round, ROWS(once_round));
}

static void
booting_domains_are_merged_soon_after_they_are_full(void **state)
{
    for (size_t i = 0; i < 6; i++)
        modelhost_start(*state, &booting);
    modelhost_run(*state, 10 * S); /* full after 3.3 s */
    assert_true(modelhost_saved_pages(*state) > 200000);
    modelhost_run(*state, HOUR);
    assert_phases(*state, 0, once_round, ROWS(once_round));
}

static void
what_comes_to_rest_says_why(void **state)
{
    static const struct {
        const char *when;
        const ModelDomain *domain; /* two of them; NULL: none */
        Reason reason;
        uint64_t passes_most;
        KsmRun run;
        uint64_t hour_us; /* of ksmd's CPU time that looking again may take */
    } rows[] = {
        { "no domain", NULL, REASON_NO_DOMAIN, 0, KSM_RUN_STOP, 0 },
        { "none may be merged", &opted_out, REASON_NOTHING_MERGEABLE, 0, KSM_RUN_STOP, 0 },
        /* parked, but for a look now and then: the default is 30 hundredths of a percent */
        { "nothing is equal", &large_unique, REASON_NO_PROFIT, 3, KSM_RUN_MERGE, 22 * S },
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        ModelHost *host = modelhost_new(NULL);
        uint64_t cpu_us;

        for (size_t j = 0; rows[i].domain && j < 2; j++)
            modelhost_start(host, rows[i].domain);
        modelhost_run(host, 60 * S);
        assert_phase(rows[i].when, host, KSM_PHASE_REST, rows[i].reason);
        assert_int_equal(modelhost_plan(host)->knobs.run, rows[i].run);
        if (modelhost_full_scans(host) > rows[i].passes_most)
            fail_msg("%s: %" PRIu64 " passes", rows[i].when, modelhost_full_scans(host));
        cpu_us = modelhost_cpu_us(host);
        modelhost_run(host, HOUR);
        assert_int_equal(modelhost_plan(host)->phase, KSM_PHASE_REST);
        assert_in_range(modelhost_cpu_us(host) - cpu_us, 0, rows[i].hour_us);
        modelhost_free(host);
    }
}

static void
a_domain_that_cannot_merge_ends_the_burst_with_the_hold_of_its_event(void **state)
{
    const ModelPhase *phases;
    size_t n;

    modelhost_start(*state, &opted_out);
    assert_phase("at the start", *state, KSM_PHASE_BURST, REASON_TRIGGER);
    assert_int_equal(modelhost_plan(*state)->duty_bp, 0);
    modelhost_run(*state, 3 * S / 2);
    assert_phase("when it brings nothing", *state, KSM_PHASE_BURST, REASON_TRIGGER);
    assert_int_equal(modelhost_plan(*state)->duty_bp, BP_ONE);
    modelhost_run(*state, 60 * S);
    phases = modelhost_phases(*state, &n);
    assert_int_equal(n, 3);
    assert_int_equal(phases[0].phase, KSM_PHASE_BURST);
    assert_int_equal(phases[1].phase, KSM_PHASE_SETTLE);
    assert_true(phases[1].at_us <= 4 * S + S / 2); /* the hold, a pass over nothing, and ticks */
    assert_int_equal(phases[2].phase, KSM_PHASE_REST);
}

static void
a_domain_that_cannot_merge_does_not_disturb_those_that_can(void **state)
{
    uint64_t key;

    modelhost_start(*state, &equal);
    modelhost_start(*state, &equal);
    key = modelhost_start(*state, &opted_out);
    modelhost_run(*state, 60 * S);
    assert_phase("all covered", *state, KSM_PHASE_MAINTAIN, REASON_CHURN_WATCH);
    assert_int_equal(modelhost_domain_plan(*state, key)->reason, REASON_NOTHING_MERGEABLE);
    assert_true(modelhost_domain_plan(*state, key)->mergeable_pages == 0);
}

static void
growth_brings_the_burst_back(void **state)
{
    static const KsmPhase again[] = { KSM_PHASE_BURST, KSM_PHASE_SETTLE, KSM_PHASE_MAINTAIN };
    uint64_t saved;
    uint64_t key;

    modelhost_start(*state, &equal);
    key = modelhost_start(*state, &equal);
    modelhost_run(*state, 10 * 60 * S);
    saved = modelhost_saved_pages(*state);
    modelhost_grow(*state, key, 2 * equal.pages);
    modelhost_run(*state, 60 * S);
    assert_true(modelhost_saved_pages(*state) > saved + equal.pages / 2);
    assert_phases(*state, ROWS(once_round), again, ROWS(again));
}

static void
growth_brings_the_burst_back_from_rest(void **state)
{
    uint64_t key = modelhost_start(*state, &all_unique);

    modelhost_run(*state, 60 * S);
    assert_phase("covered", *state, KSM_PHASE_REST, REASON_NO_PROFIT);
    modelhost_grow(*state, key, 2 * all_unique.pages);
    modelhost_run(*state, 12 * S);
    assert_true(modelhost_full_scans(*state) > 4);
}

static void
the_last_departure_is_cleaned_up_after_and_then_rested_upon(void **state)
{
    uint64_t key = modelhost_start(*state, &equal);

    modelhost_run(*state, 60 * S);
    modelhost_stop(*state, key);
    assert_phase("at the departure", *state, KSM_PHASE_REST, REASON_CLEANUP);
    assert_int_equal(modelhost_plan(*state)->knobs.run, KSM_RUN_MERGE);
    modelhost_run(*state, 4 * S);
    assert_phase("still at it", *state, KSM_PHASE_REST, REASON_CLEANUP);
    modelhost_run(*state, 3 * S);
    assert_phase("done", *state, KSM_PHASE_REST, REASON_NO_DOMAIN);
    assert_int_equal(modelhost_plan(*state)->knobs.run, KSM_RUN_STOP);
}

static void
without_domains_ksm_that_was_found_running_runs_as_it_was_found(void **state)
{
    static const KsmKnobs found = { KSM_RUN_MERGE, 123,           45,
                                    VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN };
    const KsmKnobs *have = &modelhost_plan(*state)->knobs;
    uint64_t key;

    *modelhost_initial(*state) = found;
    key = modelhost_start(*state, &equal);
    modelhost_run(*state, 60 * S);
    modelhost_stop(*state, key);
    modelhost_run(*state, 10 * S);
    assert_phase("no domain", *state, KSM_PHASE_REST, REASON_NO_DOMAIN);
    assert_int_equal(have->run, KSM_RUN_MERGE);
    assert_int_equal(have->pages_to_scan, 123);
    assert_int_equal(have->sleep_ms, 45);
}

/* --- budgets ---------------------------------------------------------------------------- */

static void
no_minute_of_a_burst_exceeds_the_budget(void **state)
{
    static const struct {
        const char *when;
        uint64_t percent;
        const ModelDomain *domain;
        size_t domains;
    } rows[] = {
        { "a tenth, large domains", 10, &large, 8 },
        { "a quarter, large domains", 25, &large, 8 },
        { "half, large domains", 50, &large, 8 },
        { "half, domains with nothing equal", 50, &all_unique, 16 },
        { "three quarters, large domains", 75, &large, 8 },
        { "all, large domains", 100, &large, 8 },
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        ModelHost *host = modelhost_new(NULL);
        uint64_t limit_us = rows[i].percent * 600000;

        modelhost_conf(host)->cpu_burst_bp = rows[i].percent * 100;
        for (size_t j = 0; j < rows[i].domains; j++)
            modelhost_start(host, rows[i].domain);
        modelhost_run(host, HOUR / 2);
        if (modelhost_worst_minute_us(host) > limit_us)
            fail_msg("%s: %" PRIu64 " us in a minute, budget %" PRIu64, rows[i].when,
                     modelhost_worst_minute_us(host), rows[i].percent * 600000);
        assert_true(modelhost_plan(host)->debt_pages == 0);
        modelhost_free(host);
    }
}

static void
a_burst_without_budget_waits_and_says_so(void **state)
{
    modelhost_conf(*state)->cpu_burst_bp = 1000;
    for (size_t i = 0; i < 8; i++)
        modelhost_start(*state, &large);
    modelhost_run(*state, 30 * S);
    assert_phase("six seconds of CPU are used up", *state, KSM_PHASE_BURST, REASON_CPU_BUDGET);
    assert_true(modelhost_cpu_us(*state) > 5 * S);
    modelhost_run(*state, 120 * S);
    assert_true(modelhost_cpu_us(*state) > 12 * S);
}

static void
watching_uses_no_more_than_its_own_budget(void **state)
{
    static const uint64_t idle_bp[] = { 1, 50, 500 };

    (void)state;
    for (size_t i = 0; i < ROWS(idle_bp); i++) {
        ModelHost *host = modelhost_new(NULL);
        uint64_t before_us;
        uint64_t used_us;

        modelhost_conf(host)->cpu_idle_bp = idle_bp[i];
        modelhost_conf(host)->churn_s = 10;
        for (size_t j = 0; j < 6; j++)
            modelhost_start(host, &large);
        modelhost_run(host, 1000 * S);
        assert_phase("covered", host, KSM_PHASE_MAINTAIN, REASON_CHURN_WATCH);
        before_us = modelhost_cpu_us(host);
        modelhost_run(host, 1000 * S);
        used_us = modelhost_cpu_us(host) - before_us;
        if (used_us > 1000 * idle_bp[i] * 100 * 5 / 4)
            fail_msg("%" PRIu64 " bp: %" PRIu64 " us in 1000 s", idle_bp[i], used_us);
        modelhost_free(host);
    }
}

static void
churn_is_found_in_time_where_the_budget_allows(void **state)
{
    uint64_t before;

    modelhost_conf(*state)->cpu_idle_bp = 500;
    modelhost_conf(*state)->churn_s = 100;
    modelhost_start(*state, &equal);
    modelhost_start(*state, &equal);
    modelhost_run(*state, 60 * S);
    before = modelhost_full_scans(*state);
    modelhost_run(*state, 1000 * S);
    assert_in_range(modelhost_full_scans(*state) - before, 18, 24);
}

static void
a_host_with_few_processors_is_scanned_with_less_of_them(void **state)
{
    /* The model host has two processors: half of one, over a minute. */
    for (size_t i = 0; i < 8; i++)
        modelhost_start(*state, &large);
    modelhost_run(*state, 55 * S);
    assert_in_range(modelhost_cpu_us(*state), 29 * S, 30 * S + S / 10);
}

/* --- kernels that tell less ------------------------------------------------------------- */

static void
settles_whatever_the_kernel_does_not_tell(void **state)
{
    static const struct {
        const char *when;
        ModelGaps gaps;
    } rows[] = {
        { "nothing missing", { .no_ksmd_cpu = false } },
        { "Linux 6.1", { .no_pages_scanned = true, .no_zero_pages = true } },
        { "ksmd not found", { .no_ksmd_cpu = true } },
        { "Linux 6.1, ksmd not found",
          { .no_pages_scanned = true, .no_zero_pages = true, .no_ksmd_cpu = true } },
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        ModelHost *host = modelhost_new(NULL);

        *modelhost_gaps(host) = rows[i].gaps;
        for (size_t j = 0; j < 4; j++)
            modelhost_start(host, &booting);
        modelhost_run(host, 120 * S);
        assert_phase(rows[i].when, host, KSM_PHASE_MAINTAIN, REASON_CHURN_WATCH);
        assert_true(modelhost_saved_pages(host) > 100000);
        modelhost_run(host, HOUR);
        assert_phases(host, 0, once_round, ROWS(once_round));
        modelhost_free(host);
    }
}

static void
a_scan_counter_that_is_missing_at_the_start_does_not_hold_the_burst_for_ever(void **state)
{
    modelhost_gaps(*state)->no_full_scans = true;
    modelhost_start(*state, &equal);
    modelhost_start(*state, &equal);
    modelhost_run(*state, 5 * S);
    modelhost_gaps(*state)->no_full_scans = false;
    modelhost_run(*state, 60 * S);
    assert_phase("a minute after it came back", *state, KSM_PHASE_MAINTAIN, REASON_CHURN_WATCH);
}

static void
learns_what_a_page_costs_and_plans_with_it(void **state)
{
    modelhost_start(*state, &all_unique);
    modelhost_start(*state, &all_unique);
    modelhost_run(*state, 2 * S);
    /* first and second passes: 1000 to 5200 ns a page in the model */
    assert_in_range(modelhost_plan(*state)->cost_ns, 900, 5300);
}

#define ON_MODEL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_MODEL(a_start_sets_up_ksm_at_the_first_decision),
        ON_MODEL(equal_domains_are_merged_and_then_watched_for_ever),
        ON_MODEL(booting_domains_are_merged_soon_after_they_are_full),
        ON_MODEL(what_comes_to_rest_says_why),
        ON_MODEL(a_domain_that_cannot_merge_ends_the_burst_with_the_hold_of_its_event),
        ON_MODEL(a_domain_that_cannot_merge_does_not_disturb_those_that_can),
        ON_MODEL(growth_brings_the_burst_back),
        ON_MODEL(growth_brings_the_burst_back_from_rest),
        ON_MODEL(the_last_departure_is_cleaned_up_after_and_then_rested_upon),
        ON_MODEL(without_domains_ksm_that_was_found_running_runs_as_it_was_found),
        ON_MODEL(no_minute_of_a_burst_exceeds_the_budget),
        ON_MODEL(a_burst_without_budget_waits_and_says_so),
        ON_MODEL(watching_uses_no_more_than_its_own_budget),
        ON_MODEL(churn_is_found_in_time_where_the_budget_allows),
        ON_MODEL(a_host_with_few_processors_is_scanned_with_less_of_them),
        ON_MODEL(settles_whatever_the_kernel_does_not_tell),
        ON_MODEL(a_scan_counter_that_is_missing_at_the_start_does_not_hold_the_burst_for_ever),
        ON_MODEL(learns_what_a_page_costs_and_plans_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
