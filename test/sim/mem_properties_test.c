/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_properties_test.c - what reclaim promises, on hosts of every size
 *
 * The policy library with the settings as shipped, but enabled, on hosts full of guests made by
 * chance. A property that fails says which host it was; VIRTKSM_SEED repeats the run.
 */
#include "test/sim/mem_agent.h"
#include "test/sim/mem_scene.h"
#include "test/support/dice.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define GIB MEM_GIB
#define MIN (60 * MEM_S)

/* A size of host, and how many of them are tried for how long. */
typedef struct {
    const char *name;
    uint64_t bytes;
    size_t least; /* domains */
    size_t most;  /* domains */
    unsigned tries;
    uint64_t us;
} Size;

static const Size sizes[] = {
    { "8 GiB", 8 * GIB, 1, 14, 6, 6 * MEM_HOUR },
    { "256 GiB", 256 * GIB, 1, 200, 2, MEM_HOUR },
    { "4 TiB", 4096 * GIB, 500, 2000, 1, 20 * MIN },
};

/* A host with somebody in charge. */
typedef struct {
    const Size *size;
    uint64_t seed; /* of its dice */
    MemHost *host;
    MemAgent *agent;
} Ward;

static Ward
ward_new(Dice *dice, const Size *size, MemKind kind, const MemHostSpec *spec)
{
    Ward ward = { .size = size, .seed = dice_roll(dice) };
    Dice own = { ward.seed, ward.seed };
    PolicyConf conf = mem_agent_conf();
    size_t n = size->least + dice_below(&own, size->most - size->least + 1);
    MemScene scene = { kind, n, 110 + (unsigned)dice_below(&own, 50) };

    ward.host = mem_scene_new(&own, &scene, spec);
    ward.agent = mem_agent_new(ward.host, MEM_CONTROL_POLICY, &conf);
    return ward;
}

static void
ward_free(Ward *ward)
{
    mem_agent_free(ward->agent);
    mem_host_free(ward->host);
}

static void
fail_ward(const Ward *ward, const char *what)
{
    fail_msg("%s, host %" PRIu64 " with %zu domains: %s", ward->size->name, ward->seed,
             ward->host->n, what);
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

/* --- promises ----------------------------------------------------------------------------- */

static void
keeps_promises(Dice *dice, const Size *size)
{
    MemHostSpec spec = mem_host_spec(size->bytes);
    MemStory story;
    Ward ward;

    spec.has_reclaim = dice_below(dice, 2) == 0;
    spec.swap_bytes = spec.total_bytes / 10 * dice_below(dice, 6);
    ward = ward_new(dice, size, MEM_KIND_ANY, &spec);
    mem_agent_run(ward.agent, size->us);
    story = mem_agent_story(ward.agent);
    if (story.broken[0] != '\0')
        fail_ward(&ward, story.broken);
    if (story.decisions == 0)
        fail_ward(&ward, "nothing was decided");
    ward_free(&ward);
}

static void
no_plan_goes_below_a_floor_or_beyond_what_there_is(void **unused)
{
    (void)unused;
    try_sizes(keeps_promises);
}

static void
wants_nothing_from_the_busy(Dice *dice, const Size *size)
{
    static const uint64_t longest_us = 60 * MEM_S;
    MemHostSpec spec = mem_host_spec(size->bytes);
    Ward ward = ward_new(dice, size, MEM_BURSTY, &spec);
    MemStory story;

    mem_agent_run(ward.agent, size->us);
    story = mem_agent_story(ward.agent);
    if (story.longest_want_us > longest_us)
        fail_ward(&ward, "a guest is left in its own swap while another is idle");
    if (mem_host_score(ward.host).guest_ooms > 0)
        fail_ward(&ward, "a guest has killed a program");
    ward_free(&ward);
}

static void
no_guest_stays_in_its_own_swap_while_another_is_idle(void **unused)
{
    (void)unused;
    try_sizes(wants_nothing_from_the_busy);
}

/* --- pressure ----------------------------------------------------------------------------- */

static uint64_t
available_bp(const MemHost *host)
{
    return mul_div(mem_host_available(host), BP_ONE, host->spec.total_bytes);
}

/* Time until more than the critical share is available again; as long as @most_us at most. */
static uint64_t
relief_us(const Ward *ward, uint64_t most_us)
{
    PolicyConf conf = mem_agent_conf();
    uint64_t begin_us = ward->host->now_us;

    while (ward->host->now_us - begin_us < most_us &&
           available_bp(ward->host) <= conf.memory_critical_bp)
        mem_agent_run(ward->agent, MEM_S);
    return ward->host->now_us - begin_us;
}

/* A new domain wants a sixth of the host; the others have that much idle. */
static void
relieves_with(Dice *dice, const Size *size, const MemFaults *faults)
{
    static const uint64_t longest_us = 120 * MEM_S;
    MemHostSpec spec = mem_host_spec(size->bytes);
    Ward ward = ward_new(dice, size, MEM_IDLE, &spec);
    MemSpec hungry = mem_spec_roll(dice, MEM_STEADY, size->bytes / 4);
    uint64_t end_us;

    mem_agent_disturb(ward.agent, faults, *dice);
    mem_agent_run(ward.agent, 20 * MIN);
    hungry.low_bytes = hungry.high_bytes = size->bytes / 6;
    mem_host_start(ward.host, &hungry, 1);
    end_us = ward.host->now_us + 20 * MIN;
    while (ward.host->now_us < end_us) {
        if (relief_us(&ward, 20 * MIN) > longest_us)
            fail_ward(&ward, "memory stays critical although others have enough");
        mem_agent_run(ward.agent, MEM_S);
    }
    ward_free(&ward);
}

static void
relieves(Dice *dice, const Size *size)
{
    static const MemFaults none = { 0 };

    relieves_with(dice, size, &none);
}

static void
pressure_is_relieved_in_two_minutes(void **unused)
{
    (void)unused;
    try_sizes(relieves);
}

/* Every second request to a balloon goes astray. */
static void
relieves_in_spite(Dice *dice, const Size *size)
{
    static const MemFaults faults = { .lost_percent = 25,
                                      .late_percent = 25,
                                      .late_us = 8 * MEM_S };

    relieves_with(dice, size, &faults);
}

static void
what_is_lost_or_late_keeps_nobody_waiting(void **unused)
{
    (void)unused;
    try_sizes(relieves_in_spite);
}

static void
keeps_promises_in_spite(Dice *dice, const Size *size)
{
    static const MemFaults faults = { 25, 25, 8 * MEM_S, 3, 300 * MEM_S };
    MemHostSpec spec = mem_host_spec(size->bytes);
    Ward ward = ward_new(dice, size, MEM_KIND_ANY, &spec);
    MemStory story;

    mem_agent_disturb(ward.agent, &faults, *dice);
    mem_agent_run(ward.agent, size->us);
    story = mem_agent_story(ward.agent);
    if (story.broken[0] != '\0')
        fail_ward(&ward, story.broken);
    ward_free(&ward);
}

static void
what_is_lost_late_or_refused_breaks_no_promise(void **unused)
{
    (void)unused;
    try_sizes(keeps_promises_in_spite);
}

/* --- calm --------------------------------------------------------------------------------- */

static void
comes_to_rest(Dice *dice, const Size *size)
{
    MemHostSpec spec = mem_host_spec(size->bytes);
    Ward ward = ward_new(dice, size, MEM_STEADY, &spec);
    MemScore before;
    MemStory story;

    mem_agent_run(ward.agent, MEM_HOUR); /* by then all memory has been written once */
    mem_agent_watch(ward.agent);
    before = mem_host_score(ward.host);
    mem_agent_run(ward.agent, size->us);
    story = mem_agent_story(ward.agent);
    if (story.most_turns > 1)
        fail_ward(&ward, "a balloon goes to and fro although nothing happens");
    if (story.balloon_orders > 4 * ward.host->n)
        fail_ward(&ward, "balloons do not come to rest although nothing happens");
    if (mem_host_score(ward.host).guest_out_bytes > before.guest_out_bytes)
        fail_ward(&ward, "a guest swaps although nothing happens");
    ward_free(&ward);
}

static void
where_nothing_happens_balloons_come_to_rest(void **unused)
{
    (void)unused;
    try_sizes(comes_to_rest);
}

/* Twice for each change of what it wants: there and back; and a little for what others want. */
static void
follows_bursts(Dice *dice, const Size *size)
{
    MemHostSpec spec = mem_host_spec(size->bytes);
    Ward ward = ward_new(dice, size, MEM_BURSTY, &spec);
    unsigned most = 0;

    mem_agent_run(ward.agent, size->us);
    for (size_t i = 0; i < ward.host->n; i++)
        if (ward.host->guests[i].load.stretches > most)
            most = ward.host->guests[i].load.stretches;
    if (mem_agent_story(ward.agent).most_turns > 4 + 2 * most)
        fail_ward(&ward, "a balloon turns more often than its guest");
    ward_free(&ward);
}

static void
balloons_turn_no_more_often_than_guests_do(void **unused)
{
    (void)unused;
    try_sizes(follows_bursts);
}

/* --- death -------------------------------------------------------------------------------- */

static bool
has_limits(const MemHost *host)
{
    for (size_t i = 0; i < host->n; i++)
        if (host->guests[i].limit_bytes != MEM_NO_LIMIT)
            return true;
    return false;
}

static void
a_dead_agent_leaves_no_limit_behind(void **unused)
{
    PolicyConf conf = mem_agent_conf();
    Dice dice = dice_new();
    unsigned with_limits = 0;
    (void)unused;

    for (unsigned i = 0; i < 20; i++) {
        MemHostSpec spec = mem_host_spec(sizes[0].bytes);
        Ward ward;

        /* Limits are set where memory.reclaim is missing and balloons do not help. */
        spec.has_reclaim = false;
        ward = ward_new(&dice, &sizes[0], MEM_NO_DRIVER, &spec);
        mem_agent_run(ward.agent, 10 * MIN + dice_below(&dice, 50 * MIN));
        with_limits += has_limits(ward.host);
        mem_agent_die(ward.agent);
        mem_agent_run(ward.agent, conf.high_lease_s * MEM_S);
        if (has_limits(ward.host))
            fail_ward(&ward, "a limit is there although its lease has ended");
        ward_free(&ward);
    }
    if (with_limits == 0)
        fail_msg("no host had a limit when its agent died");
}

/* --- observe ------------------------------------------------------------------------------ */

static void
to_observe_is_to_wish_and_not_to_act(void **unused)
{
    PolicyConf conf = mem_agent_conf();
    Dice dice = dice_new();
    MemHostSpec spec = mem_host_spec(8 * GIB);
    MemScene scene = { MEM_IDLE, 8, 160 };
    MemHost *host = mem_scene_new(&dice, &scene, &spec);
    MemAgent *agent;
    unsigned wishes = 0;
    (void)unused;

    conf.balloon_enable = conf.high_enable = ENABLE_OBSERVE;
    agent = mem_agent_new(host, MEM_CONTROL_POLICY, &conf);
    for (unsigned i = 0; i < 120; i++) {
        const Plan *plan = mem_agent_plan(agent);

        mem_agent_run(agent, MIN);
        for (size_t j = 0; j < host->n; j++)
            wishes += is_known(plan->domains[j].balloon_bytes) &&
                      plan->domains[j].balloon_bytes < host->guests[j].balloon_bytes;
    }
    assert_true(wishes > 0);
    assert_int_equal(mem_agent_story(agent).balloon_orders, 0);
    assert_int_equal(mem_agent_story(agent).limits, 0);
    assert_int_equal(mem_agent_story(agent).reclaimed_bytes, 0);
    mem_agent_free(agent);
    mem_host_free(host);
}

/* --- determinism -------------------------------------------------------------------------- */

static MemScore
live(Dice dice)
{
    MemHostSpec spec = mem_host_spec(sizes[0].bytes);
    Ward ward = ward_new(&dice, &sizes[0], MEM_KIND_ANY, &spec);
    MemScore score;

    mem_agent_run(ward.agent, 4 * MEM_HOUR);
    score = mem_host_score(ward.host);
    ward_free(&ward);
    return score;
}

static void
equal_lives_end_equally(void **unused)
{
    Dice dice = dice_new();
    MemScore one = live(dice);
    MemScore two = live(dice);
    (void)unused;

    assert_memory_equal(&one, &two, sizeof(one));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_plan_goes_below_a_floor_or_beyond_what_there_is),
        cmocka_unit_test(no_guest_stays_in_its_own_swap_while_another_is_idle),
        cmocka_unit_test(pressure_is_relieved_in_two_minutes),
        cmocka_unit_test(what_is_lost_or_late_keeps_nobody_waiting),
        cmocka_unit_test(what_is_lost_late_or_refused_breaks_no_promise),
        cmocka_unit_test(where_nothing_happens_balloons_come_to_rest),
        cmocka_unit_test(balloons_turn_no_more_often_than_guests_do),
        cmocka_unit_test(a_dead_agent_leaves_no_limit_behind),
        cmocka_unit_test(to_observe_is_to_wish_and_not_to_act),
        cmocka_unit_test(equal_lives_end_equally),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
