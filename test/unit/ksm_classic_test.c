/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksm_classic_test.c - the ladder of the original throttler, rung by rung */
#include "policy/policy.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S          UINT64_C(1000000)
#define PAGE_BYTES 4096
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

/* A million anonymous pages, and settings that no stage has. */
static const KsmKnobs initial = { KSM_RUN_STOP, 77, 33, 1, 0, 1 };

typedef struct {
    PolicyConf conf;
    PolicyState state;
    Sample sample;
    Plan plan;
} Ladder;

static void
ladder_init(Ladder *ladder)
{
    policy_conf_default(&ladder->conf);
    ladder->conf.mode = KSM_MODE_CLASSIC;
    policy_init(&ladder->state);
    ladder->sample = (Sample){ .host = { .now_us = 5000 * S,
                                         .cpus = 2,
                                         .page_bytes = PAGE_BYTES,
                                         .anon_bytes = UINT64_C(1000000) * PAGE_BYTES,
                                         .has_ksm = true,
                                         .initial = initial } };
    ladder->plan.domains = NULL;
}

static const KsmPlan *
decide_at(Ladder *ladder, uint64_t now_us, uint32_t triggers)
{
    ladder->sample.host.now_us = now_us;
    ladder->sample.host.triggers = triggers;
    policy_decide(&ladder->conf, &ladder->sample, &ladder->state, &ladder->plan);
    return &ladder->plan.ksm;
}

static void
assert_plan(const char *when, const KsmPlan *plan, KsmPhase phase, Reason reason, KsmKnobs want)
{
    const KsmKnobs *have = &plan->knobs;

    if (plan->phase != phase || plan->reason != reason)
        fail_msg("%s: %s (%s), want %s (%s)", when, ksm_phase_name(plan->phase),
                 reason_name(plan->reason), ksm_phase_name(phase), reason_name(reason));
    if (have->run != want.run || have->pages_to_scan != want.pages_to_scan ||
        have->sleep_ms != want.sleep_ms || have->advisor != want.advisor ||
        have->smart_scan != want.smart_scan || have->use_zero_pages != want.use_zero_pages)
        fail_msg("%s: run=%" PRIu64 " pages=%" PRIu64 " sleep=%" PRIu64 " advisor=%" PRIu64
                 " smart_scan=%" PRIu64 " use_zero_pages=%" PRIu64,
                 when, have->run, have->pages_to_scan, have->sleep_ms, have->advisor,
                 have->smart_scan, have->use_zero_pages);
}

/* One moment of the ladder as it is documented, with a million anonymous pages. */
typedef struct {
    const char *when;
    uint64_t since_us; /* the trigger */
    KsmPhase phase;
    Reason reason;
    KsmKnobs want;
    uint64_t next_us; /* tick */
} Rung;

#define AGGRESSIVE                                                                                 \
    KSM_PHASE_AGGRESSIVE, REASON_LADDER_TRIGGER,                                                   \
    {                                                                                              \
        1, 100000, 1, VALUE_UNKNOWN, 0, 1                                                          \
    }
#define STANDARD                                                                                   \
    KSM_PHASE_STANDARD, REASON_LADDER_STANDARD,                                                    \
    {                                                                                              \
        1, 10000, 10, VALUE_UNKNOWN, 0, 1                                                          \
    }
#define SLOW                                                                                       \
    KSM_PHASE_SLOW, REASON_LADDER_SLOW,                                                            \
    {                                                                                              \
        1, 2000, 100, VALUE_UNKNOWN, 0, 1                                                          \
    }
#define INITIAL                                                                                    \
    KSM_PHASE_INITIAL, REASON_LADDER_INITIAL,                                                      \
    {                                                                                              \
        KSM_RUN_STOP, 77, 33, 1, 0, 1                                                              \
    }

static const Rung rungs[] = {
    { "at the trigger", 0, AGGRESSIVE, 10 * S },
    { "a while after it", 7 * S, AGGRESSIVE, 10 * S },
    { "near the end of aggressive", 25 * S, AGGRESSIVE, 5 * S },
    { "the last moment of aggressive", 30 * S - 1000, AGGRESSIVE, 1000 },
    { "the first moment of standard", 30 * S, STANDARD, 10 * S },
    { "the last moment of standard", 150 * S - 1000, STANDARD, 1000 },
    { "the first moment of slow", 150 * S, SLOW, 10 * S },
    { "the last moment of slow", 270 * S - 1000, SLOW, 1000 },
    { "the first moment of initial", 270 * S, INITIAL, 10 * S },
    { "a year later", UINT64_C(31536000) * S, INITIAL, 10 * S },
};

static void
goes_down_the_documented_ladder_at_the_documented_times(void **unused)
{
    Ladder ladder;
    (void)unused;

    ladder_init(&ladder);
    for (size_t i = 0; i < ROWS(rungs); i++) {
        const KsmPlan *plan = decide_at(&ladder, 5000 * S + rungs[i].since_us, i == 0);

        assert_plan(rungs[i].when, plan, rungs[i].phase, rungs[i].reason, rungs[i].want);
        if (ladder.plan.next_tick_us != rungs[i].next_us)
            fail_msg("%s: next tick in %" PRIu64 " us", rungs[i].when, ladder.plan.next_tick_us);
    }
}

static void
a_tick_that_comes_late_finds_the_rung_of_its_own_time(void **unused)
{
    (void)unused;

    for (size_t i = 1; i < ROWS(rungs); i++) {
        Ladder ladder;

        ladder_init(&ladder);
        decide_at(&ladder, 5000 * S, 1);
        assert_plan(rungs[i].when, decide_at(&ladder, 5000 * S + rungs[i].since_us, 0),
                    rungs[i].phase, rungs[i].reason, rungs[i].want);
    }
}

static void
a_trigger_leads_from_every_rung_to_aggressive_for_the_whole_interval(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < ROWS(rungs); i++) {
        uint64_t again_us = 5000 * S + rungs[i].since_us;
        Ladder ladder;

        ladder_init(&ladder);
        decide_at(&ladder, 5000 * S, 1);
        assert_plan(rungs[i].when, decide_at(&ladder, again_us, 3), rungs[0].phase, rungs[0].reason,
                    rungs[0].want);
        for (size_t j = 1; j < ROWS(rungs); j++)
            assert_plan(rungs[i].when, decide_at(&ladder, again_us + rungs[j].since_us, 0),
                        rungs[j].phase, rungs[j].reason, rungs[j].want);
    }
}

static void
before_the_first_trigger_ksm_is_as_it_was_found(void **unused)
{
    DomainSample domain = { .key = 1 };
    DomainTrack track = { 0 };
    DomainPlan part;
    Ladder ladder;
    (void)unused;

    ladder_init(&ladder);
    assert_plan("no domain", decide_at(&ladder, 5000 * S, 0), KSM_PHASE_INITIAL, REASON_NO_DOMAIN,
                initial);
    ladder.sample.domains = &domain;
    ladder.sample.n = 1;
    ladder.state.domains = &track;
    ladder.plan.domains = &part;
    assert_plan("a domain", decide_at(&ladder, 5001 * S, 0), KSM_PHASE_INITIAL,
                REASON_LADDER_INITIAL, initial);
    assert_int_equal(part.key, 1);
}

static void
ksm_that_was_found_unmerging_is_stopped_and_does_not_unmerge(void **unused)
{
    const KsmKnobs want = { KSM_RUN_STOP, 77, 33, 1, 0, 1 };
    Ladder ladder;
    (void)unused;

    ladder_init(&ladder);
    ladder.sample.host.initial.run = KSM_RUN_UNMERGE;
    assert_plan("no domain", decide_at(&ladder, 5000 * S, 0), KSM_PHASE_INITIAL, REASON_NO_DOMAIN,
                want);
}

static void
a_trigger_at_the_first_moment_of_the_clock_counts(void **unused)
{
    Ladder ladder;
    (void)unused;

    ladder_init(&ladder);
    decide_at(&ladder, 0, 1);
    assert_plan("at 0", decide_at(&ladder, 0, 0), rungs[0].phase, rungs[0].reason, rungs[0].want);
    assert_plan("29 s", decide_at(&ladder, 29 * S, 0), rungs[0].phase, rungs[0].reason,
                rungs[0].want);
}

static void
without_the_anonymous_pages_the_batch_is_left_alone_and_it_says_so(void **unused)
{
    static const struct {
        const char *when;
        uint64_t since_us;
        KsmPhase phase;
        uint64_t sleep_ms;
    } rows[] = {
        { "aggressive", 0, KSM_PHASE_AGGRESSIVE, 1 },
        { "standard", 30 * S, KSM_PHASE_STANDARD, 10 },
        { "slow", 150 * S, KSM_PHASE_SLOW, 100 },
    };
    Ladder ladder;
    (void)unused;

    ladder_init(&ladder);
    ladder.sample.host.anon_bytes = VALUE_UNKNOWN;
    for (size_t i = 0; i < ROWS(rows); i++)
        assert_plan(rows[i].when, decide_at(&ladder, 5000 * S + rows[i].since_us, i == 0),
                    rows[i].phase, REASON_FACT_MISSING,
                    (KsmKnobs){ 1, VALUE_UNKNOWN, rows[i].sleep_ms, VALUE_UNKNOWN, 0, 1 });
    assert_plan("initial", decide_at(&ladder, 5270 * S, 0), KSM_PHASE_INITIAL,
                REASON_LADDER_INITIAL, initial);
}

static void
a_batch_is_never_empty_and_never_larger_than_the_kernel_takes(void **unused)
{
    static const struct {
        const char *when;
        uint64_t anon_pages;
        uint64_t aggressive;
        uint64_t standard;
        uint64_t slow;
    } rows[] = {
        { "nothing anonymous", 0, 1, 1, 1 },
        { "one page", 1, 1, 1, 1 },
        { "a page more than the aggressive divisor", 11, 1, 1, 1 },
        { "just under two slow batches", 999, 99, 9, 1 },
        { "two slow batches", 1000, 100, 10, 2 },
        { "one more than 32 bits hold, aggressive", UINT64_C(10) << 32, UINT32_MAX,
          UINT64_C(429496729), 85899345 },
        { "as much as bytes can say", (UINT64_MAX - 1) / PAGE_BYTES, UINT32_MAX, UINT32_MAX,
          UINT32_MAX },
    };
    Ladder ladder;
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t want[] = { rows[i].aggressive, rows[i].standard, rows[i].slow };
        uint64_t at_us[] = { 0, 30 * S, 150 * S };

        ladder_init(&ladder);
        ladder.sample.host.anon_bytes = rows[i].anon_pages * PAGE_BYTES;
        for (size_t j = 0; j < ROWS(want); j++) {
            uint64_t have = decide_at(&ladder, 5000 * S + at_us[j], j == 0)->knobs.pages_to_scan;

            if (have != want[j])
                fail_msg("%s: stage %zu scans %" PRIu64 " pages, want %" PRIu64, rows[i].when, j,
                         have, want[j]);
        }
    }
}

static void
configured_lengths_divisors_and_pauses_are_used(void **unused)
{
    static const Rung rows[] = {
        { "aggressive",
          0,
          KSM_PHASE_AGGRESSIVE,
          REASON_LADDER_TRIGGER,
          { 1, 333333, 7, VALUE_UNKNOWN, 0, 1 },
          0 },
        { "aggressive, last",
          2 * S - 1,
          KSM_PHASE_AGGRESSIVE,
          REASON_LADDER_TRIGGER,
          { 1, 333333, 7, VALUE_UNKNOWN, 0, 1 },
          0 },
        { "standard",
          2 * S,
          KSM_PHASE_STANDARD,
          REASON_LADDER_STANDARD,
          { 1, 200000, 8, VALUE_UNKNOWN, 0, 1 },
          0 },
        { "slow",
          5 * S,
          KSM_PHASE_SLOW,
          REASON_LADDER_SLOW,
          { 1, 142857, 0, VALUE_UNKNOWN, 0, 1 },
          0 },
        { "slow, last",
          9 * S - 1,
          KSM_PHASE_SLOW,
          REASON_LADDER_SLOW,
          { 1, 142857, 0, VALUE_UNKNOWN, 0, 1 },
          0 },
        { "initial",
          9 * S,
          KSM_PHASE_INITIAL,
          REASON_LADDER_INITIAL,
          { KSM_RUN_STOP, 77, 33, 1, 0, 1 },
          0 },
    };
    Ladder ladder;
    (void)unused;

    ladder_init(&ladder);
    ladder.conf.aggressive_s = 2;
    ladder.conf.standard_s = 3;
    ladder.conf.slow_s = 4;
    ladder.conf.aggressive_divisor = 3;
    ladder.conf.standard_divisor = 5;
    ladder.conf.slow_divisor = 7;
    ladder.conf.aggressive_ms = 7;
    ladder.conf.standard_ms = 8;
    ladder.conf.slow_ms = 0;
    for (size_t i = 0; i < ROWS(rows); i++)
        assert_plan(rows[i].when, decide_at(&ladder, 5000 * S + rows[i].since_us, i == 0),
                    rows[i].phase, rows[i].reason, rows[i].want);
}

static void
fresh_facts_are_never_wanted_sooner_than_in_a_millisecond(void **unused)
{
    static const struct {
        const char *when;
        uint64_t since_us;
    } rows[] = {
        { "just before standard", 30 * S - 1 },
        { "just before slow", 150 * S - 999 },
        { "just before initial", 270 * S - 1 },
    };
    Ladder ladder;
    (void)unused;

    ladder_init(&ladder);
    decide_at(&ladder, 5000 * S, 1);
    for (size_t i = 0; i < ROWS(rows); i++) {
        decide_at(&ladder, 5000 * S + rows[i].since_us, 0);
        if (ladder.plan.next_tick_us < 1000)
            fail_msg("%s: next tick in %" PRIu64 " us", rows[i].when, ladder.plan.next_tick_us);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_down_the_documented_ladder_at_the_documented_times),
        cmocka_unit_test(a_tick_that_comes_late_finds_the_rung_of_its_own_time),
        cmocka_unit_test(a_trigger_leads_from_every_rung_to_aggressive_for_the_whole_interval),
        cmocka_unit_test(before_the_first_trigger_ksm_is_as_it_was_found),
        cmocka_unit_test(ksm_that_was_found_unmerging_is_stopped_and_does_not_unmerge),
        cmocka_unit_test(a_trigger_at_the_first_moment_of_the_clock_counts),
        cmocka_unit_test(without_the_anonymous_pages_the_batch_is_left_alone_and_it_says_so),
        cmocka_unit_test(a_batch_is_never_empty_and_never_larger_than_the_kernel_takes),
        cmocka_unit_test(configured_lengths_divisors_and_pauses_are_used),
        cmocka_unit_test(fresh_facts_are_never_wanted_sooner_than_in_a_millisecond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
