/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * properties_test.c - what the controller promises, on hosts of every size
 *
 * Each property is tried on many hosts made by chance; one that fails prints its time line and its
 * seed (VIRTKSM_SEED repeats it).
 */
#include "policy/arith.h"
#include "test/sim/simhost.h"
#include "test/support/dice.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define REGIONS 4
#define S       SIM_S
#define HOUR    SIM_HOUR

/* A size of host, and how many of them are tried. */
typedef struct {
    const char *name;
    uint64_t pages;
    unsigned domains; /* most */
    unsigned tries;
} Size;

static const Size sizes[] = {
    { "8 GiB", 8 * SIM_GIB, 16, 6 },
    { "256 GiB", 256 * SIM_GIB, 200, 2 },
    { "4 TiB", 4096 * SIM_GIB, 2000, 1 },
};

static PolicyConf
defaults(void)
{
    PolicyConf conf;

    policy_conf_default(&conf);
    return conf;
}

/* Memory of a guest: a part of the same image as others, one of its own, zeros, and a busy part. */
static void
roll_regions(Dice *dice, uint64_t pages, KsmRegion regions[REGIONS])
{
    uint64_t shared = pages * (20 + dice_below(dice, 40)) / 100;
    uint64_t zero = pages * dice_below(dice, 20) / 100;
    uint64_t busy = pages * dice_below(dice, 10) / 100;
    uint64_t per_s = dice_below(dice, 2) ? 20000 + dice_below(dice, 100000) : 0;

    regions[0] = (KsmRegion){ .content = KSM_CONTENT_SHARED,
                              .group = 1 + (uint32_t)dice_below(dice, 3),
                              .pages = max_u64(shared, 1),
                              .pages_per_s = per_s };
    regions[1] = (KsmRegion){ .content = KSM_CONTENT_ZERO, .pages = max_u64(zero, 1) };
    regions[2] = (KsmRegion){ .content = KSM_CONTENT_VOLATILE, .pages = max_u64(busy, 1) };
    regions[3] = (KsmRegion){ .content = KSM_CONTENT_UNIQUE,
                              .pages = max_u64(pages - shared - zero - busy, 1),
                              .pages_per_s = per_s,
                              .after_us = dice_below(dice, 10) * S };
}

/* Domains start one after the other, until the host is two thirds full. */
static SimHost *
roll_host(Dice *dice, const Size *size, const PolicyConf *conf)
{
    SimHost *host = simhost_new(conf, size->pages);
    unsigned n = 2 + (unsigned)dice_below(dice, size->domains - 1);

    for (unsigned i = 0; i < n; i++) {
        KsmRegion regions[REGIONS];

        roll_regions(dice, size->pages * 2 / 3 / n, regions);
        simhost_start(host, regions, REGIONS);
        simhost_run(host, dice_below(dice, 2 * S));
    }
    return host;
}

static void
fail_host(const SimHost *host, const Size *size, const char *what)
{
    simhost_print(host);
    fail_msg("%s: %s", size->name, what);
}

typedef void (*Property)(Dice *dice, const Size *size);

static void
try_sizes(Property property)
{
    Dice dice = dice_new();

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (unsigned j = 0; j < sizes[i].tries; j++)
            property(&dice, &sizes[i]);
}

/* CPU time that a probe costs at most. */
static uint64_t
probe_us(const SimHost *host)
{
    return 2 * simhost_pages(host) * 6; /* no page costs more in a pass */
}

/* --- settling ----------------------------------------------------------------------------- */

static void
settle(SimHost *host, const Size *size)
{
    simhost_settle(host, 48 * HOUR);
    if (simhost_plan(host)->phase != KSM_PHASE_MAINTAIN &&
        simhost_plan(host)->phase != KSM_PHASE_REST)
        fail_host(host, size, "it does not settle");
}

static void
merges_all(Dice *dice, const Size *size)
{
    PolicyConf conf = defaults();
    SimHost *host = roll_host(dice, size, &conf);
    uint64_t possible;

    settle(host, size);
    possible = ksm_model_possible_pages(simhost_model(host));
    if (ksm_model_saved_pages(simhost_model(host)) < possible - possible / 100)
        fail_host(host, size, "not all is merged that could be");
    if (simhost_story(host).unsound > 0)
        fail_host(host, size, "a plan is out of bounds");
    simhost_free(host);
}

static void
once_the_domains_are_there_all_that_is_equal_is_merged(void **unused)
{
    (void)unused;
    try_sizes(merges_all);
}

/* QEMU's own memory is there first, and like nothing else: passes over it bring nothing. */
static void
memory_that_takes_long_to_come_is_merged_meanwhile(void **unused)
{
    static const struct {
        const char *when;
        uint64_t after_s; /* the first pages of the guests themselves */
        uint64_t fill_s;  /* until the last */
    } rows[] = {
        { "after a second, within 10", 1, 10 }, { "after 4 seconds, within 10", 4, 10 },
        { "after a second, within 20", 1, 20 }, { "after 4 seconds, within 20", 4, 20 },
        { "after a second, within 40", 1, 40 }, { "after 3 seconds, within 40", 3, 40 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        PolicyConf conf = defaults();
        SimHost *host = simhost_new(&conf, 24 * SIM_GIB);
        const KsmRegion regions[] = {
            { .content = KSM_CONTENT_UNIQUE, .pages = 10000, .pages_per_s = 10000 },
            { .content = KSM_CONTENT_SHARED,
              .group = 1,
              .pages = 200000,
              .after_us = rows[i].after_s * S,
              .pages_per_s = 200000 / rows[i].fill_s },
        };
        uint64_t possible;

        for (unsigned j = 0; j < 4; j++)
            simhost_start(host, regions, sizeof(regions) / sizeof(regions[0]));
        simhost_run(host, (rows[i].after_s + rows[i].fill_s) * S);
        possible = ksm_model_possible_pages(simhost_model(host));
        if (ksm_model_saved_pages(simhost_model(host)) < possible / 2)
            fail_msg("%s: %" PRIu64 " of %" PRIu64 " pages", rows[i].when,
                     ksm_model_saved_pages(simhost_model(host)), possible);
        simhost_free(host);
    }
}

static void
stays_calm(Dice *dice, const Size *size)
{
    PolicyConf conf = defaults();
    SimHost *host = roll_host(dice, size, &conf);
    SimStory story;

    settle(host, size);
    simhost_watch(host);
    simhost_run(host, 24 * HOUR);
    story = simhost_story(host);
    if (story.phases > 2)
        fail_host(host, size, "the phase changes although nothing happens");
    /* Large hosts have less than one probe a day: one that is not paid yet. */
    if (story.cpu_us > 24 * HOUR * conf.cpu_idle_bp / BP_ONE + probe_us(host))
        fail_host(host, size, "a host at rest costs more than its budget");
    simhost_free(host);
}

static void
a_host_at_rest_stays_in_its_phase_and_costs_next_to_nothing(void **unused)
{
    (void)unused;
    try_sizes(stays_calm);
}

static void
gives_up(Dice *dice, const Size *size)
{
    PolicyConf conf = defaults();
    SimHost *host = simhost_new(&conf, size->pages);
    unsigned n = 1 + (unsigned)dice_below(dice, size->domains);
    SimStory story;

    for (unsigned i = 0; i < n; i++) {
        KsmRegion unique = { .content = KSM_CONTENT_UNIQUE, .pages = size->pages / 2 / n };

        simhost_start(host, &unique, 1);
    }
    settle(host, size);
    story = simhost_story(host);
    if (simhost_plan(host)->phase != KSM_PHASE_REST)
        fail_host(host, size, "it does not rest though nothing can be gained");
    if (story.scans > 3)
        fail_host(host, size, "it takes more than three passes to see that");
    simhost_free(host);
}

static void
where_nothing_is_equal_ksm_rests_within_three_passes(void **unused)
{
    (void)unused;
    try_sizes(gives_up);
}

/* --- budget ------------------------------------------------------------------------------- */

static void
keeps_budget(Dice *dice, const Size *size)
{
    PolicyConf conf = defaults();
    SimHost *host;
    uint64_t allowed_us;

    conf.cpu_burst_bp = 500 + dice_below(dice, 7000);
    host = roll_host(dice, size, &conf);
    simhost_settle(host, 2 * HOUR); /* large hosts take days with a small budget */
    /* The budget, and what a step of ksmd takes longer in a high tree than in one of a few GiB. */
    allowed_us = 60 * S * conf.cpu_burst_bp / BP_ONE + S / 4;
    if (simhost_story(host).busiest_us > allowed_us)
        fail_host(host, size, "ksmd used more than its budget in a minute");
    simhost_free(host);
}

static void
no_minute_of_a_burst_costs_more_than_the_budget(void **unused)
{
    (void)unused;
    try_sizes(keeps_budget);
}

/* --- changes ------------------------------------------------------------------------------ */

/* Time after which probes of this cost come at the latest, when they bring nothing. */
static uint64_t
longest_gap_us(const PolicyConf *conf, const SimHost *host)
{
    uint64_t paid_us = probe_us(host) / 2 * BP_ONE / conf->cpu_idle_bp; /* one pass, if in vain */

    return max_u64(conf->churn_s * S / 2, paid_us) + 2 * probe_us(host);
}

static void
finds_late_duplicates(Dice *dice, const Size *size)
{
    PolicyConf conf = defaults();
    SimHost *host = simhost_new(&conf, size->pages);
    KsmRegion alone = { .content = KSM_CONTENT_UNIQUE, .pages = size->pages / 8 };
    KsmRegion common = { .content = KSM_CONTENT_SHARED, .group = 1, .pages = size->pages / 8 };
    KsmRegion both[2] = { common, alone };
    uint64_t goal;
    uint64_t end_us;

    for (unsigned i = 0; i < 2; i++)
        simhost_start(host, both, 2);
    settle(host, size);
    simhost_run(host, dice_below(dice, 4 * HOUR)); /* pages grow old meanwhile */
    goal = ksm_model_saved_pages(simhost_model(host)) + common.pages * 99 / 100;
    common.group = 2;
    for (size_t i = 0; i < 2; i++)
        simhost_rewrite(host, i, 1, &common);
    simhost_watch(host);
    end_us = ksm_model_now_us(simhost_model(host)) + longest_gap_us(&conf, host);
    while (ksm_model_saved_pages(simhost_model(host)) < goal &&
           ksm_model_now_us(simhost_model(host)) < end_us)
        simhost_run(host, 10 * S);
    if (ksm_model_saved_pages(simhost_model(host)) < goal)
        fail_host(host, size, "pages that became equal late are not found in time");
    if (simhost_story(host).scans > 4)
        fail_host(host, size, "that took more than two probes");
    simhost_free(host);
}

static void
pages_that_become_equal_late_are_found_by_the_next_probes(void **unused)
{
    (void)unused;
    try_sizes(finds_late_duplicates);
}

static void
survives_traffic(Dice *dice, const Size *size)
{
    PolicyConf conf = defaults();
    SimHost *host = roll_host(dice, size, &conf);
    size_t first = 0;
    uint64_t possible;

    for (unsigned i = 0; i < 10; i++) {
        KsmRegion regions[REGIONS];

        roll_regions(dice, size->pages / 3 / size->domains, regions);
        simhost_start(host, regions, REGIONS);
        simhost_run(host, dice_below(dice, 300 * S));
        if (dice_below(dice, 2) == 0)
            simhost_stop(host, first++);
        simhost_run(host, dice_below(dice, 300 * S));
    }
    settle(host, size);
    possible = ksm_model_possible_pages(simhost_model(host));
    if (ksm_model_saved_pages(simhost_model(host)) < possible - possible / 50)
        fail_host(host, size, "after much traffic not all is merged that could be");
    if (simhost_story(host).unsound > 0)
        fail_host(host, size, "a plan is out of bounds");
    simhost_free(host);
}

static void
domains_that_come_and_go_leave_no_gaps(void **unused)
{
    (void)unused;
    try_sizes(survives_traffic);
}

/* --- determinism -------------------------------------------------------------------------- */

static uint64_t
fingerprint(Dice dice)
{
    PolicyConf conf = defaults();
    SimHost *host = roll_host(&dice, &sizes[0], &conf);
    uint64_t print;

    simhost_run(host, HOUR);
    print = simhost_story(host).fingerprint;
    simhost_free(host);
    return print;
}

static void
equal_runs_have_equal_plans(void **unused)
{
    Dice dice = dice_new();
    (void)unused;

    assert_true(fingerprint(dice) == fingerprint(dice));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once_the_domains_are_there_all_that_is_equal_is_merged),
        cmocka_unit_test(memory_that_takes_long_to_come_is_merged_meanwhile),
        cmocka_unit_test(a_host_at_rest_stays_in_its_phase_and_costs_next_to_nothing),
        cmocka_unit_test(where_nothing_is_equal_ksm_rests_within_three_passes),
        cmocka_unit_test(no_minute_of_a_burst_costs_more_than_the_budget),
        cmocka_unit_test(pages_that_become_equal_late_are_found_by_the_next_probes),
        cmocka_unit_test(domains_that_come_and_go_leave_no_gaps),
        cmocka_unit_test(equal_runs_have_equal_plans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
