/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy_test.c - one decision from end to end, and any number of them on any figures */
#include "policy/policy.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/dice.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define S          UINT64_C(1000000)
#define U          VALUE_UNKNOWN

static Sample
plain_sample(uint64_t now_us)
{
    return (Sample){ .host = { .now_us = now_us,
                               .cpus = 2,
                               .page_bytes = 4096,
                               .anon_bytes = UINT64_C(1) << 32,
                               .ksmd_cpu_us = 0,
                               .has_ksm = true,
                               .initial = { KSM_RUN_STOP, 100, 20, U, U, U } } };
}

static void
every_phase_has_its_own_word(void **unused)
{
    (void)unused;

    for (unsigned i = 0; i < KSM_PHASE_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(ksm_phase_name((KsmPhase)i), ksm_phase_name((KsmPhase)j));
    assert_string_equal(ksm_phase_name(KSM_PHASE_BURST), "burst");
    assert_string_equal(ksm_phase_name(KSM_PHASE_COUNT), "unknown");
    assert_string_equal(ksm_phase_name((KsmPhase)-1), "unknown");
}

static void
each_mode_is_driven_by_its_own_rule(void **unused)
{
    static const struct {
        const char *when;
        KsmMode mode;
        KsmPhase phase;
    } rows[] = {
        { "auto", KSM_MODE_AUTO, KSM_PHASE_BURST },
        { "classic", KSM_MODE_CLASSIC, KSM_PHASE_AGGRESSIVE },
        { "fixed", KSM_MODE_FIXED, KSM_PHASE_FIXED },
        { "observe", KSM_MODE_OBSERVE, KSM_PHASE_BURST },
        { "off", KSM_MODE_OFF, KSM_PHASE_OFF },
    };
    (void)unused;

    assert_int_equal(ROWS(rows), KSM_MODE_COUNT);
    for (size_t i = 0; i < ROWS(rows); i++) {
        Sample sample = plain_sample(1000 * S);
        Plan plan = { .domains = NULL };
        PolicyState state;
        PolicyConf conf;

        policy_conf_default(&conf);
        policy_init(&state);
        conf.mode = rows[i].mode;
        sample.host.triggers = 1;
        policy_decide(&conf, &sample, &state, &plan);
        if (plan.ksm.phase != rows[i].phase)
            fail_msg("%s: %s, want %s", rows[i].when, ksm_phase_name(plan.ksm.phase),
                     ksm_phase_name(rows[i].phase));
    }
}

static void
without_ksm_every_mode_leaves_everything_alone_and_says_so(void **unused)
{
    (void)unused;

    for (unsigned mode = 0; mode < KSM_MODE_COUNT; mode++) {
        Sample sample = plain_sample(1000 * S);
        Plan plan = { .domains = NULL };
        PolicyState state;
        PolicyConf conf;

        policy_conf_default(&conf);
        policy_init(&state);
        conf.mode = mode;
        sample.host.has_ksm = false;
        sample.host.triggers = 1;
        policy_decide(&conf, &sample, &state, &plan);
        assert_int_equal(plan.ksm.phase, KSM_PHASE_OFF);
        assert_int_equal(plan.ksm.reason, REASON_NO_KSM);
        assert_memory_equal(&plan.ksm.knobs, (&(KsmKnobs){ U, U, U, U, U, U }), sizeof(KsmKnobs));
        assert_true(plan.next_tick_us == 10 * S);
    }
}

static void
a_mode_that_comes_back_has_forgotten_its_triggers(void **unused)
{
    Plan plan = { .domains = NULL };
    PolicyState state;
    PolicyConf conf;
    Sample sample = plain_sample(1000 * S);
    (void)unused;

    policy_conf_default(&conf);
    policy_init(&state);
    conf.mode = KSM_MODE_CLASSIC;
    sample.host.triggers = 1;
    policy_decide(&conf, &sample, &state, &plan);
    assert_int_equal(plan.ksm.phase, KSM_PHASE_AGGRESSIVE);
    sample.host.triggers = 0;
    conf.mode = KSM_MODE_OFF;
    policy_decide(&conf, &sample, &state, &plan);
    assert_int_equal(plan.ksm.phase, KSM_PHASE_OFF);
    conf.mode = KSM_MODE_CLASSIC;
    policy_decide(&conf, &sample, &state, &plan);
    assert_int_equal(plan.ksm.phase, KSM_PHASE_INITIAL);
}

/* ksmd works for a minute in one mode, idles for long, and then another mode has something to do.
 */
static void
what_ksmd_used_long_ago_in_another_mode_is_not_held_against_a_burst(void **unused)
{
    Plan plan = { .domains = NULL };
    PolicyState state;
    PolicyConf conf;
    Sample last;
    (void)unused;

    policy_conf_default(&conf);
    policy_init(&state);
    for (uint64_t second = 0; second <= 600; second += 10) {
        Sample sample = plain_sample((1000 + second) * S);

        conf.mode = second == 0 || second == 600 ? KSM_MODE_AUTO : KSM_MODE_CLASSIC;
        sample.host.ksmd_cpu_us = min_u64(second, 60) * S;
        sample.host.triggers = second == 600;
        policy_decide(&conf, &sample, &state, &plan);
    }
    assert_int_equal(plan.ksm.phase, KSM_PHASE_BURST);
    assert_int_equal(plan.ksm.reason, REASON_TRIGGER);
    last = plain_sample(1601 * S); /* nothing has shown what the event was about */
    last.host.ksmd_cpu_us = 60 * S;
    policy_decide(&conf, &last, &state, &plan);
    assert_int_equal(plan.ksm.reason, REASON_TRIGGER);
    assert_int_equal(plan.ksm.duty_bp, BP_ONE);
}

static void
an_absurd_cost_is_cut_and_comes_down(void **unused)
{
    /* No page costs more than a millisecond; above that the counters have jumped. */
    enum { COST_MAX_NS = 1000000 };
    /* A third of all numbers and a bit: three times as much is 2, wrapped. */
    static const uint64_t absurd_ns = UINT64_C(6148914691236517206);
    Plan plan = { .domains = NULL };
    PolicyState state;
    PolicyConf conf;
    Sample sample = plain_sample(1000 * S);
    (void)unused;

    policy_conf_default(&conf);
    policy_init(&state);
    sample.host.ksm.pages_scanned = 0;
    policy_decide(&conf, &sample, &state, &plan);
    sample.host.ksm.pages_scanned = 1000;
    sample.host.ksmd_cpu_us = absurd_ns;
    policy_decide(&conf, &sample, &state, &plan);
    assert_int_equal(plan.ksm.cost_ns, COST_MAX_NS);
    sample.host.ksm.pages_scanned = 2000;
    sample.host.ksmd_cpu_us += 5000; /* 5 us a page */
    policy_decide(&conf, &sample, &state, &plan);
    assert_in_range(plan.ksm.cost_ns, COST_MAX_NS / 4 * 3, COST_MAX_NS - 1);
}

/* --- any figures ------------------------------------------------------------------------ */

#define DOMAINS_MAX 4
#define STEPS       200000

/* A host whose figures are anything, and the policy in charge of it. */
typedef struct {
    PolicyConf conf;
    PolicyState state;
    HostSample host;
    DomainSample domains[DOMAINS_MAX];
    DomainTrack tracks[DOMAINS_MAX];
    size_t n;
    uint64_t next_key;
} Chaos;

static void
roll_conf(Dice *dice, PolicyConf *conf)
{
    size_t n;
    const Knob *rows = policy_knobs(&n);

    conf->mode = (unsigned)dice_below(dice, KSM_MODE_COUNT);
    conf->use_zero_pages = (unsigned)dice_below(dice, ZERO_PAGES_COUNT);
    for (size_t i = 0; i < n; i++) {
        uint64_t span = rows[i].max - rows[i].min;
        uint64_t value = rows[i].min + dice_below(dice, span + 1);

        if (rows[i].kind == KNOB_ENUM)
            continue;
        if (dice_below(dice, 3) == 0)
            value = dice_below(dice, 2) ? rows[i].min : rows[i].max;
        memcpy((char *)conf + rows[i].offset, &value, sizeof(value));
    }
}

/* Every 64-bit figure of a struct, each with a chance of one in @odds to change. */
static void
roll_figures(Dice *dice, void *figures, size_t bytes, uint64_t odds)
{
    for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        uint64_t value = dice_hostile(dice);

        if (dice_below(dice, odds) == 0)
            memcpy((char *)figures + at, &value, sizeof(value));
    }
}

static void
roll_host(Dice *dice, HostSample *host)
{
    static const uint32_t page_sizes[] = { 1, 4096, 65536, UINT32_MAX };
    uint64_t now_us = host->now_us;

    roll_figures(dice, &host->ksm, sizeof(host->ksm), 4);
    roll_figures(dice, &host->knobs, sizeof(host->knobs), 4);
    roll_figures(dice, &host->initial, sizeof(host->initial), 20);
    if (dice_below(dice, 2) == 0)
        host->ksmd_cpu_us = dice_hostile(dice);
    if (dice_below(dice, 4) == 0)
        host->anon_bytes = dice_hostile(dice);
    if (dice_below(dice, 4) == 0)
        host->cpu_stall_us = dice_hostile(dice);
    if (dice_below(dice, 4) == 0)
        host->memory_stall_us = dice_hostile(dice);
    if (dice_below(dice, 4) == 0)
        host->steal_us = dice_hostile(dice);
    if (dice_below(dice, 4) == 0)
        host->mem_available_bytes = dice_hostile(dice);
    host->page_bytes = page_sizes[dice_below(dice, ROWS(page_sizes))];
    host->cpus = 1 + (uint32_t)dice_below(dice, 8);
    host->has_ksm = dice_below(dice, 50) != 0;
    host->triggers = (uint32_t)(dice_below(dice, 8) == 0);
    host->departures = (uint32_t)(dice_below(dice, 8) == 0);
    /* Mostly the next tick; now and then years. */
    host->now_us = sat_add(now_us, dice_below(dice, dice_below(dice, 1000) ? 12 * S : S << 26));
}

static void
roll_domains(Dice *dice, Chaos *chaos)
{
    if (dice_below(dice, 10) == 0) {
        chaos->n = dice_below(dice, DOMAINS_MAX + 1);
        for (size_t i = 0; i < chaos->n; i++) {
            chaos->domains[i].key = ++chaos->next_key;
            memset(&chaos->tracks[i], 0, sizeof(chaos->tracks[i]));
        }
    }
    for (size_t i = 0; i < chaos->n; i++) {
        DomainSample *domain = &chaos->domains[i];

        if (dice_below(dice, 4) == 0)
            domain->resident_bytes = dice_hostile(dice);
        if (dice_below(dice, 4) == 0)
            domain->balloon_bytes = dice_hostile(dice);
        domain->maximum_bytes = dice_hostile(dice);
        domain->merging_pages = dice_hostile(dice);
        domain->rmap_items = dice_hostile(dice);
        domain->mergeable_bp = (uint32_t)dice_below(dice, BP_ONE + 1);
        domain->weight = (uint32_t)dice_hostile(dice);
        domain->latency_critical = dice_below(dice, 2) == 0;
        domain->wait_us = dice_hostile(dice);
    }
}

static void
roll(Dice *dice, Chaos *chaos)
{
    if (dice_below(dice, 200) == 0)
        roll_conf(dice, &chaos->conf);
    roll_host(dice, &chaos->host);
    roll_domains(dice, chaos);
}

static void
chaos_init(Chaos *chaos)
{
    memset(chaos, 0, sizeof(*chaos));
    policy_conf_default(&chaos->conf);
    policy_init(&chaos->state);
    chaos->host = plain_sample(1000 * S).host;
}

static void
decide(Chaos *chaos, Plan *plan)
{
    Sample sample = { chaos->host, chaos->domains, chaos->n };

    chaos->state.domains = chaos->tracks;
    policy_decide(&chaos->conf, &sample, &chaos->state, plan);
}

static bool
is_left_or_found(uint64_t wanted, uint64_t initial)
{
    return !is_known(wanted) || wanted == initial ||
           (initial == KSM_RUN_UNMERGE && wanted == KSM_RUN_STOP); /* policy never unmerges */
}

/* Settings of our own making: within the ranges of the rows; or those that were found, whole. */
static void
assert_within_ranges(const Chaos *chaos, const KsmPlan *plan, unsigned step)
{
    const KsmKnobs *have = &plan->knobs;
    bool found = memcmp(have, &chaos->host.initial, sizeof(*have)) == 0;
    bool classic = chaos->conf.mode == KSM_MODE_CLASSIC;
    uint64_t pages_most =
        classic ? UINT32_MAX : 4 * max_u64(chaos->conf.batch_pages, 100); /* a step */

    if (plan->phase == KSM_PHASE_FIXED)
        pages_most = chaos->conf.fixed_pages;
    if (found || plan->phase == KSM_PHASE_OFF || plan->phase == KSM_PHASE_INITIAL) {
        if (!is_left_or_found(have->run, chaos->host.initial.run))
            fail_msg("step %u: run=%" PRIu64, step, have->run);
        return;
    }
    if (is_known(have->run) && have->run > KSM_RUN_MERGE)
        fail_msg("step %u: run=%" PRIu64, step, have->run);
    if (is_known(have->pages_to_scan) &&
        (have->pages_to_scan < 1 || have->pages_to_scan > pages_most))
        fail_msg("step %u: %s: pages_to_scan=%" PRIu64, step, ksm_phase_name(plan->phase),
                 have->pages_to_scan);
    if (is_known(have->sleep_ms) && have->sleep_ms > 3600001)
        fail_msg("step %u: sleep_ms=%" PRIu64, step, have->sleep_ms);
    if (is_known(have->advisor))
        fail_msg("step %u: advisor=%" PRIu64, step, have->advisor);
}

static void
assert_sound(const Chaos *chaos, const Plan *plan, unsigned step)
{
    if ((unsigned)plan->ksm.phase >= KSM_PHASE_COUNT || plan->ksm.reason == REASON_NONE ||
        (unsigned)plan->ksm.reason >= REASON_COUNT)
        fail_msg("step %u: phase %d, reason %d", step, (int)plan->ksm.phase, (int)plan->ksm.reason);
    if (plan->next_tick_us < 1000 || plan->next_tick_us > 10 * S)
        fail_msg("step %u: %s: next tick in %" PRIu64 " us", step, ksm_phase_name(plan->ksm.phase),
                 plan->next_tick_us);
    if (plan->ksm.budget_bp > BP_ONE || plan->ksm.duty_bp > BP_ONE)
        fail_msg("step %u: budget %" PRIu64 ", duty %" PRIu64, step, plan->ksm.budget_bp,
                 plan->ksm.duty_bp);
    for (size_t i = 0; i < chaos->n; i++)
        if (plan->domains[i].key != chaos->domains[i].key ||
            plan->domains[i].debt_pages > plan->domains[i].mergeable_pages)
            fail_msg("step %u: domain %zu: key %" PRIu64 ", %" PRIu64 " of %" PRIu64 " pages owed",
                     step, i, plan->domains[i].key, plan->domains[i].debt_pages,
                     plan->domains[i].mergeable_pages);
    assert_within_ranges(chaos, &plan->ksm, step);
}

static void
no_figures_whatever_lead_to_an_unsound_plan(void **unused)
{
    DomainPlan parts[DOMAINS_MAX];
    Dice dice = dice_new();
    Chaos chaos;
    (void)unused;

    chaos_init(&chaos);
    for (unsigned step = 0; step < STEPS; step++) {
        Plan plan = { .domains = parts };

        roll(&dice, &chaos);
        decide(&chaos, &plan);
        assert_sound(&chaos, &plan, step);
    }
}

/* What is left of one decision, in memory that held something else before. */
static void
decide_over(Chaos *chaos, int garbage, Plan *plan)
{
    DomainPlan *parts = plan->domains;

    memset(plan, garbage, sizeof(*plan));
    plan->domains = parts;
    memset(parts, garbage, DOMAINS_MAX * sizeof(*parts));
    decide(chaos, plan);
}

static void
the_same_figures_give_the_same_plan_byte_for_byte(void **unused)
{
    DomainPlan first_parts[DOMAINS_MAX];
    DomainPlan second_parts[DOMAINS_MAX];
    Plan first = { .domains = first_parts };
    Plan second = { .domains = second_parts };
    Dice first_dice = dice_new();
    Dice second_dice = first_dice;
    Chaos one;
    Chaos other;
    (void)unused;

    chaos_init(&one);
    chaos_init(&other);
    for (unsigned step = 0; step < STEPS / 4; step++) {
        roll(&first_dice, &one);
        roll(&second_dice, &other);
        decide_over(&one, 0xa5, &first);
        decide_over(&other, 0x5a, &second);
        if (memcmp(&first.ksm, &second.ksm, sizeof(first.ksm)) != 0 ||
            first.next_tick_us != second.next_tick_us ||
            memcmp(first_parts, second_parts, one.n * sizeof(first_parts[0])) != 0)
            fail_msg("step %u: two plans, %s and %s", step, ksm_phase_name(first.ksm.phase),
                     ksm_phase_name(second.ksm.phase));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_phase_has_its_own_word),
        cmocka_unit_test(each_mode_is_driven_by_its_own_rule),
        cmocka_unit_test(without_ksm_every_mode_leaves_everything_alone_and_says_so),
        cmocka_unit_test(a_mode_that_comes_back_has_forgotten_its_triggers),
        cmocka_unit_test(what_ksmd_used_long_ago_in_another_mode_is_not_held_against_a_burst),
        cmocka_unit_test(an_absurd_cost_is_cut_and_comes_down),
        cmocka_unit_test(no_figures_whatever_lead_to_an_unsound_plan),
        cmocka_unit_test(the_same_figures_give_the_same_plan_byte_for_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
