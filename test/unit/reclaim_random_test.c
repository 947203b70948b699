/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reclaim_random_test.c - whatever the figures are, no plan of reclaim goes beyond its bounds
 *
 * Hosts and domains of any figures, hostile ones among them, changing all the time; some of the
 * plans are obeyed, so that there are limits and moving balloons.
 */
#include "policy/memory.h"
#include "policy/stake.h"
#include "test/support/dice.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STEPS          100000

#define HOST(member)   offsetof(HostSample, member)
#define DOMAIN(member) offsetof(DomainSample, member)

static const size_t host_figures[] = {
    HOST(mem_total_bytes), HOST(mem_available_bytes), HOST(memory_stall_us), HOST(swap_total_bytes),
    HOST(swap_free_bytes), HOST(swap_in_pages),       HOST(swap_out_pages),  HOST(knobs.run),
};

static const size_t domain_figures[] = {
    DOMAIN(maximum_bytes),         DOMAIN(balloon_bytes),       DOMAIN(resident_bytes),
    DOMAIN(merging_pages),         DOMAIN(guest_age_us),        DOMAIN(guest_period_us),
    DOMAIN(guest_available_bytes), DOMAIN(guest_usable_bytes),  DOMAIN(guest_unused_bytes),
    DOMAIN(guest_caches_bytes),    DOMAIN(guest_swap_in_bytes), DOMAIN(guest_swap_out_bytes),
    DOMAIN(guest_major_faults),    DOMAIN(cgroup_bytes),        DOMAIN(cgroup_file_bytes),
    DOMAIN(cgroup_stall_us),       DOMAIN(cgroup_refaults),     DOMAIN(limit_bytes),
    DOMAIN(cgroup_highs),          DOMAIN(cgroup_maxes),        DOMAIN(cgroup_ooms),
    DOMAIN(working_set_bytes),     DOMAIN(floor_bytes),         DOMAIN(ceiling_bytes),
    DOMAIN(found_bytes),
};

static const size_t domain_flags[] = {
    DOMAIN(has_balloon),   DOMAIN(is_fixed),      DOMAIN(is_still),        DOMAIN(balloon_foreign),
    DOMAIN(limit_foreign), DOMAIN(balloon_waits), DOMAIN(balloon_refuses), DOMAIN(can_reclaim),
    DOMAIN(can_limit),     DOMAIN(reports_free),
};

/* Half of the values are of a size that happens: up to 4 GiB. */
static uint64_t
figure(Dice *dice)
{
    return dice_below(dice, 2) == 0 ? dice_hostile(dice) : dice_below(dice, 4096 * MIB);
}

static void
roll_figures(Dice *dice, void *figures, const size_t *offsets, size_t n, uint64_t odds)
{
    for (size_t i = 0; i < n; i++)
        if (dice_below(dice, odds) == 0)
            *(uint64_t *)((char *)figures + offsets[i]) = figure(dice);
}

static void
roll_conf(Dice *dice, PolicyConf *conf)
{
    size_t n;
    const Knob *rows = policy_knobs(&n);

    for (size_t i = 0; i < n; i++) {
        uint64_t value = rows[i].min + dice_below(dice, rows[i].max - rows[i].min + 1);

        if (rows[i].kind != KNOB_ENUM)
            memcpy((char *)conf + rows[i].offset, &value, sizeof(value));
    }
    if (dice_below(dice, 2) == 0)
        policy_conf_default(conf);
    conf->mode = (unsigned)dice_below(dice, KSM_MODE_COUNT);
    conf->balloon_enable = (unsigned)dice_below(dice, ENABLE_COUNT);
    conf->high_enable = (unsigned)dice_below(dice, ENABLE_COUNT);
}

/* Some of what was planned has happened. */
static void
obey(Dice *dice, MemCase *one)
{
    for (size_t i = 0; i < one->n; i++) {
        if (is_known(one->plans[i].balloon_bytes) && dice_below(dice, 2) == 0)
            one->domains[i].balloon_bytes = one->plans[i].balloon_bytes;
        if (is_known(one->plans[i].limit_bytes) && dice_below(dice, 2) == 0)
            one->domains[i].limit_bytes = one->plans[i].limit_bytes;
    }
}

/* A fresh host now and then, so that not all of them are beyond belief. */
static void
roll(Dice *dice, MemCase *one, unsigned step)
{
    if (step % 50 == 0) {
        uint64_t now_us = one->host.now_us;

        memcase_init(one, dice_below(dice, MEMCASE_DOMAINS + 1));
        one->host.now_us = now_us + S;
        one->host.has_ksm = dice_below(dice, 2) == 0;
        roll_conf(dice, &one->conf);
    }
    roll_figures(dice, &one->host, host_figures, ROWS(host_figures), 40);
    if (dice_below(dice, 4) == 0)
        memcase_available(one, dice_below(dice, 2000));
    one->host.alarm = (uint32_t)dice_below(dice, 3 * ALARM_COUNT);
    one->host.alarm = one->host.alarm < ALARM_COUNT ? one->host.alarm : ALARM_NONE;
    one->host.now_us = sat_add(one->host.now_us, dice_below(dice, 20 * S));
    for (size_t i = 0; i < one->n; i++) {
        DomainSample *domain = &one->domains[i];

        if (dice_below(dice, 3) == 0)
            memcase_uses(one, i, dice_below(dice, 1100));
        roll_figures(dice, domain, domain_figures, ROWS(domain_figures), 100);
        for (size_t f = 0; f < ROWS(domain_flags); f++)
            if (dice_below(dice, 40) == 0)
                *(bool *)((char *)domain + domain_flags[f]) ^= true;
        domain->shares = (uint32_t)(dice_below(dice, 9) == 0 ? dice_hostile(dice) : 100);
        domain->balloon_mode = (uint32_t)dice_below(dice, MECHANISM_COUNT);
        domain->high_mode = (uint32_t)dice_below(dice, MECHANISM_COUNT);
    }
    obey(dice, one);
}

static void
assert_balloon(const MemCase *one, size_t i, unsigned step)
{
    const DomainSample *domain = &one->domains[i];
    const DomainPlan *plan = &one->plans[i];

    if (!is_known(plan->balloon_bytes))
        return;
    if (plan->balloon_bytes < stake_floor(domain, one->conf.balloon_floor_bp) ||
        plan->balloon_bytes > domain->maximum_bytes)
        fail_msg("step %u: balloon %" PRIu64 " of %" PRIu64, step, plan->balloon_bytes,
                 domain->maximum_bytes);
    if (domain->is_still || domain->is_fixed || domain->balloon_foreign || !domain->has_balloon ||
        domain->balloon_refuses || one->conf.balloon_enable == ENABLE_NO ||
        domain->balloon_mode == MECHANISM_OFF)
        fail_msg("step %u: a balloon that is not ours: %s", step,
                 reason_name(plan->balloon_reason));
    if (plan->balloon_bytes < domain->balloon_bytes && one->plan.host.level == MEMORY_CALM)
        fail_msg("step %u: a calm host takes", step);
    if (plan->balloon_bytes > domain->balloon_bytes &&
        plan->balloon_bytes > max_u64(known_or(domain->ceiling_bytes, domain->maximum_bytes),
                                      stake_floor(domain, one->conf.balloon_floor_bp)))
        fail_msg("step %u: balloon %" PRIu64 ", ceiling %" PRIu64, step, plan->balloon_bytes,
                 domain->ceiling_bytes);
}

static void
assert_high(const MemCase *one, size_t i, unsigned step)
{
    const DomainSample *domain = &one->domains[i];
    const DomainPlan *plan = &one->plans[i];
    bool sets = is_known(plan->limit_bytes) && plan->limit_bytes != LIMIT_NONE;

    if (sets != (plan->lease_us > 0))
        fail_msg("step %u: limit %" PRIu64 ", lease %" PRIu64, step, plan->limit_bytes,
                 plan->lease_us);
    if (plan->reclaim_bytes > 0 && sat_sub(domain->cgroup_bytes, plan->reclaim_bytes) <
                                       stake_floor(domain, one->conf.balloon_floor_bp))
        fail_msg("step %u: %" PRIu64 " of %" PRIu64 " reclaimed", step, plan->reclaim_bytes,
                 domain->cgroup_bytes);
    if (sets && plan->limit_bytes < stake_floor(domain, one->conf.balloon_floor_bp))
        fail_msg("step %u: limit %" PRIu64, step, plan->limit_bytes);
    if ((sets || plan->reclaim_bytes > 0) &&
        (domain->is_still || domain->is_fixed || domain->limit_foreign ||
         one->plan.host.level == MEMORY_CALM))
        fail_msg("step %u: %s", step, reason_name(plan->high_reason));
    if (plan->reclaim_bytes > 0 && plan->high_apply && plan->balloon_apply &&
        is_known(plan->balloon_bytes) && plan->balloon_bytes < domain->balloon_bytes)
        fail_msg("step %u: reclaimed and ballooned", step);
}

/* What is given away is there: available memory, and for the worst cases a part of swap. */
static void
assert_given(const MemCase *one, const uint64_t had[MEMCASE_DOMAINS], unsigned step)
{
    uint64_t there = sat_add(memory_above(&one->host, 0), known_or(one->host.swap_free_bytes, 0));
    uint64_t given = 0;

    for (size_t i = 0; i < one->n; i++)
        if (one->plans[i].balloon_apply && is_known(one->plans[i].balloon_bytes))
            given = sat_add(given, sat_sub(one->plans[i].balloon_bytes,
                                           max_u64(had[i], one->domains[i].balloon_bytes)));
    if (given > there)
        fail_msg("step %u: %" PRIu64 " given of %" PRIu64, step, given, there);
}

static void
assert_sums(const MemCase *one, unsigned step)
{
    const HostPlan *plan = &one->plan.host;
    uint64_t reclaimed = 0;

    for (size_t i = 0; i < one->n; i++)
        if (one->plans[i].high_apply)
            reclaimed = sat_add(reclaimed, one->plans[i].reclaim_bytes);
    if (reclaimed > plan->reclaim_bytes ||
        sat_add(plan->reclaim_bytes, plan->balloon_bytes) > plan->wanted_bytes)
        fail_msg("step %u: %" PRIu64 " reclaimed of %" PRIu64, step, reclaimed, plan->wanted_bytes);
    if (plan->level == MEMORY_CALM && plan->wanted_bytes > 0)
        fail_msg("step %u: a calm host wants %" PRIu64, step, plan->wanted_bytes);
    if (one->plan.next_tick_us < 1000 || one->plan.next_tick_us > 10 * S)
        fail_msg("step %u: next tick in %" PRIu64, step, one->plan.next_tick_us);
}

static void
no_plan_goes_beyond_its_bounds(void **unused)
{
    uint64_t had[MEMCASE_DOMAINS];
    Dice dice = dice_new();
    MemCase one = { 0 };
    (void)unused;

    for (unsigned step = 0; step < STEPS; step++) {
        roll(&dice, &one, step);
        for (size_t i = 0; i < one.n; i++)
            had[i] = one.tracks[i].balloon.asked_bytes;
        memcase_decide(&one);
        for (size_t i = 0; i < one.n; i++) {
            assert_balloon(&one, i, step);
            assert_high(&one, i, step);
            if (one.plans[i].balloon_reason == REASON_NONE ||
                one.plans[i].high_reason == REASON_NONE)
                fail_msg("step %u: no reason", step);
        }
        assert_given(&one, had, step);
        assert_sums(&one, step);
    }
}

/* A decision in memory that held something else before. */
static void
decide_over(MemCase *one, int garbage)
{
    memset(&one->plan, garbage, sizeof(one->plan));
    memset(one->plans, garbage, sizeof(one->plans));
    memcase_decide(one);
    one->plan.domains = NULL;
    one->state.domains = NULL;
}

static void
the_same_figures_give_the_same_plan_byte_for_byte(void **unused)
{
    Dice dice = dice_new();
    Dice other_dice = dice;
    MemCase one = { 0 };
    MemCase other = { 0 };
    (void)unused;

    for (unsigned step = 0; step < STEPS / 4; step++) {
        roll(&dice, &one, step);
        roll(&other_dice, &other, step);
        decide_over(&one, 0xa5);
        decide_over(&other, 0x5a);
        if (memcmp(&one.plan.host, &other.plan.host, sizeof(one.plan.host)) != 0 ||
            memcmp(one.plans, other.plans, one.n * sizeof(one.plans[0])) != 0 ||
            memcmp(one.tracks, other.tracks, one.n * sizeof(one.tracks[0])) != 0)
            fail_msg("step %u: two plans", step);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_plan_goes_beyond_its_bounds),
        cmocka_unit_test(the_same_figures_give_the_same_plan_byte_for_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
