/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_days_test.c - random days of random hosts, on which no guest may lose a program
 *
 * Domains of any kind come and go, migrate, are passed devices through; hosts have much swap,
 * little or none, and old and new kernels. VIRTKSM_DAYS says how many days, VIRTKSM_SEED which. A
 * day that fails names its own seed: with VIRTKSM_DAYS=1 it is the first and only day.
 */
#define _GNU_SOURCE
#include "test/sim/mem_agent.h"
#include "test/sim/mem_scene.h"
#include "test/support/dice.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A few seconds of real time. */
#define DAYS 16

typedef struct {
    Dice dice;
    MemScene scene;
    MemHost *host;
    MemAgent *agent;
    unsigned forgiven; /* programs killed while nothing could be done */
    const char *when;  /* which day it is, for messages */
} Day;

static MemHostSpec
roll_host(Dice *dice)
{
    MemHostSpec spec = mem_host_spec((8 + dice_below(dice, 57)) * MEM_GIB);

    spec.swap_bytes = spec.total_bytes / 8 * dice_below(dice, 5);
    spec.has_limit = dice_below(dice, 8) > 0;
    spec.has_reclaim = spec.has_limit && dice_below(dice, 2) == 0;
    return spec;
}

/* A balloon that takes so many seconds for all memory of its guest gives nothing in a moment of
 * need: a guest that starts has filled a host in one. */
#define SLOW_S 300

/* Memory that can be taken from it goes no lower than that. */
static uint64_t
peak_of(const MemSpec *spec)
{
    uint64_t wanted = spec->high_bytes + spec->maximum_bytes / 20 + 32 * MEM_MIB;
    bool stays = spec->is_fixed || spec->balloon_bytes_s <= spec->maximum_bytes / SLOW_S ||
                 spec->lie == MEM_LIE_ABSURD || spec->lie == MEM_LIE_POOR;

    return stays ? spec->maximum_bytes : max_u64(wanted, spec->maximum_bytes / 4);
}

/* What all guests want at most; more than the host has and nobody could help. */
static uint64_t
peak_bytes(const MemHost *host)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < host->n; i++)
        sum += MEM_OVERHEAD + peak_of(&host->guests[i].spec);
    return sum;
}

static void
start_some(Day *day)
{
    while (day->host->n < day->scene.n) {
        MemSpec spec = mem_scene_spec(&day->dice, &day->scene, day->host->spec.total_bytes);

        /* Nobody starts what has to be in memory as a whole where it does not fit. */
        spec.is_fixed = dice_below(&day->dice, 12) == 0 &&
                        spec.maximum_bytes < mem_host_available(day->host) / 2;
        mem_host_start(day->host, &spec, dice_roll(&day->dice));
        if (peak_bytes(day->host) > day->host->spec.total_bytes / 10 * 8) {
            mem_host_stop(day->host, day->host->n - 1);
            return;
        }
    }
}

/*
 * Some migrate for up to three minutes, and nobody may touch them meanwhile: a program that such a
 * guest kills then is nobody's fault. Nobody sends a domain away in the second in which he has
 * started it here.
 */
static void
migrate_some(Day *day)
{
    MemHost *host = day->host;
    unsigned before = 0;

    for (size_t i = 0; i < host->n; i++) {
        host->guests[i].is_still =
            dice_below(&day->dice, 30) == 0 && host->guests[i].started_us < host->now_us;
        before += host->guests[i].is_still ? host->guests[i].ooms : 0;
    }
    mem_agent_run(day->agent, dice_below(&day->dice, 180 * MEM_S));
    for (size_t i = 0; i < host->n; i++) {
        day->forgiven += host->guests[i].is_still ? host->guests[i].ooms : 0;
        host->guests[i].is_still = false;
    }
    day->forgiven -= before;
}

static void
quarter_of_an_hour(Day *day)
{
    MemHost *host = day->host;

    if (host->n > 0 && dice_below(&day->dice, 4) == 0)
        mem_host_stop(host, dice_below(&day->dice, host->n));
    start_some(day);
    migrate_some(day);
    mem_agent_run(day->agent, MEM_HOUR / 4);
}

static void
fail_day(const Day *day, const char *what)
{
    fail_msg("%s, VIRTKSM_DAYS=1 VIRTKSM_SEED=%" PRIu64 ": %s, %zu domains on %" PRIu64
             " GiB, %" PRIu64 " s after its boot",
             day->when, day->dice.seed, what, day->host->n, day->host->spec.total_bytes / MEM_GIB,
             day->host->now_us / MEM_S);
}

static void
look_back(const Day *day)
{
    MemStory story = mem_agent_story(day->agent);

    if (mem_host_score(day->host).guest_ooms > day->forgiven)
        fail_day(day, "a guest has killed a program");
    if (mem_host_score(day->host).host_ooms > 0)
        fail_day(day, "the host has killed a domain");
    if (story.broken[0] != '\0')
        fail_day(day, story.broken);
}

static void
one_day(const char *when, uint64_t seed)
{
    PolicyConf conf = mem_agent_conf();
    Day day = { .dice = { seed, seed }, .when = when };
    MemHostSpec spec = roll_host(&day.dice);

    /* Nobody fills a host without swap with a few domains of half its size. */
    day.scene = (MemScene){ MEM_KIND_ANY, (spec.swap_bytes > 0 ? 2 : 8) + dice_below(&day.dice, 15),
                            110 + (unsigned)dice_below(&day.dice, 60) };
    day.host = mem_host_new(&spec);
    day.agent = mem_agent_new(day.host, MEM_CONTROL_POLICY, &conf);
    for (unsigned i = 0; i < 24 * 4; i++) {
        quarter_of_an_hour(&day);
        look_back(&day);
    }
    mem_agent_free(day.agent);
    mem_host_free(day.host);
}

/* Found by chance, each with a fault of policy or of the model that is mended. */
static void
no_guest_loses_a_program_on_a_day_that_failed_once(void **unused)
{
    static const struct {
        const char *when;
        uint64_t seed;
    } rows[] = {
        { "a large guest starts beside a slow balloon", UINT64_C(3004668409612105272) },
        { "two slow balloons, and a guest falls silent", UINT64_C(2667104225917086343) },
        { "a guest migrates from its first second on", UINT64_C(15327909897413662437) },
        { "a slow balloon has taken too much", UINT64_C(4302352540125447468) },
        { "a slow balloon has taken too much, once more", UINT64_C(10851829205184997769) },
        { "what was needed an hour ago is kept", UINT64_C(17768915455632079482) },
        { "two large guests start at once", UINT64_C(17491863095355776702) },
    };
    (void)unused;

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
        one_day(rows[r].when, rows[r].seed);
}

static void
no_guest_loses_a_program_on_any_day(void **unused)
{
    const char *given = getenv("VIRTKSM_DAYS");
    unsigned long days = given ? strtoul(given, NULL, 10) : DAYS;
    Dice dice = dice_new();
    uint64_t seed = dice.seed;
    (void)unused;

    assert_true(days > 0);
    for (unsigned long i = 0; i < days; i++) {
        one_day("a random day", seed);
        seed = dice_roll(&dice);
    }
    printf("%lu days\n", days);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_guest_loses_a_program_on_a_day_that_failed_once),
        cmocka_unit_test(no_guest_loses_a_program_on_any_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
