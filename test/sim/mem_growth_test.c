/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_growth_test.c - guests without swap that take memory fast, on a host that is in a crisis
 *
 * As in the random real run (test/bench/reclaim): five guests under a limit that does not hold what
 * they want at their worst, with swap behind it. What each wants changes every few seconds, at
 * random, and is taken at a pace that was measured there. Nothing bridges the time until a balloon
 * gives way but what the guest was left. Of what balloons are asked for, some comes late, as from a
 * busy libvirt. Everything is four times as large as it was there.
 */
#include "test/sim/mem_agent.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB    MEM_MIB
#define SEEDS  8
#define LIFE_S (31 * 60)
#define GUESTS 5

/* What programs want at least and at most, and what they take in a second. */
typedef struct {
    uint64_t low_mib, high_mib, grow_mib_s;
} Life;

static MemSpec
spec_of(const Life *life)
{
    return (MemSpec){ .kind = MEM_WINDOWS, /* any of several amounts, and touches all */
                      .maximum_bytes = 1024 * MIB,
                      .low_bytes = life->low_mib * MIB,
                      .high_bytes = life->high_mib * MIB,
                      .quiet_us = 16 * MEM_S,
                      .busy_us = 16 * MEM_S,
                      .grow_bytes_s = life->grow_mib_s * MIB,
                      .balloon_bytes_s = 400 * MIB,
                      .period_us = MEM_S,
                      .floor_bytes = 256 * MIB,
                      .hot_bp = 3000,
                      .warm_bp = 3000,
                      .touched_bp = BP_ONE };
}

/* What was killed, and for how long the host was in a crisis. */
typedef struct {
    MemScore score;
    unsigned critical_s;
} Result;

/* Somebody begins to decide, and passes on some of it late. */
static MemAgent *
begin(MemHost *host, uint64_t seed)
{
    static const MemFaults faults = { .late_percent = 30, .late_us = 2 * MEM_S };
    PolicyConf conf = mem_agent_conf();
    MemAgent *agent = mem_agent_new(host, MEM_CONTROL_POLICY, &conf);

    mem_agent_disturb(agent, &faults, (Dice){ seed, seed });
    return agent;
}

static Result
live(const Life lives[GUESTS], uint64_t seed, unsigned agent_s)
{
    MemHostSpec spec = mem_host_spec(2816 * MIB);
    Result result = { .critical_s = 0 };
    MemHost *host;
    MemAgent *agent;

    spec.swap_bytes = 8192 * MIB;
    spec.step_us = MEM_S / 4;
    spec.has_limit = spec.has_reclaim = false;
    host = mem_host_new(&spec);
    for (size_t i = 0; i < GUESTS; i++) {
        MemSpec guest = spec_of(&lives[i]);

        mem_host_start(host, &guest, seed * GUESTS + i);
    }
    agent = begin(host, seed);
    for (unsigned i = 0; i < LIFE_S; i++) {
        if (i > 0 && i % agent_s == 0) {
            mem_agent_free(agent);
            agent = begin(host, seed + i);
            mem_agent_resume(agent);
        }
        mem_agent_run(agent, MEM_S);
        result.critical_s += mem_agent_plan(agent)->host.level == MEMORY_CRITICAL;
    }
    result.score = mem_host_score(host);
    mem_agent_free(agent);
    mem_host_free(host);
    return result;
}

static void
who_grows_fast_without_swap_loses_no_program_in_a_crisis(void **unused)
{
    static const Life slow[GUESTS] = {
        { 64, 352, 16 }, { 96, 672, 16 }, { 192, 768, 16 }, { 160, 416, 16 }, { 128, 416, 4 }
    };
    static const Life fast[GUESTS] = {
        { 64, 352, 64 }, { 96, 672, 64 }, { 192, 768, 64 }, { 160, 416, 16 }, { 128, 416, 16 }
    };
    static const struct {
        const char *when;
        unsigned agent_s; /* life of an agent: the next one knows nothing */
        const Life *lives;
    } rows[] = {
        { "1.6 % of its memory a second", LIFE_S, slow },
        { "6 % of its memory a second", LIFE_S, fast },
        { "the same, and agents that are killed after four minutes", 240, fast },
    };
    (void)unused;

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            Result result = live(rows[r].lives, seed, rows[r].agent_s);

            if (result.score.guest_ooms + result.score.host_ooms > 0)
                fail_msg("%s, seed %" PRIu64 ": %u programs and %u domains killed", rows[r].when,
                         seed, result.score.guest_ooms, result.score.host_ooms);
            if (result.critical_s < LIFE_S / 2)
                fail_msg("%s, seed %" PRIu64 ": a crisis for %u s alone", rows[r].when, seed,
                         result.critical_s);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_grows_fast_without_swap_loses_no_program_in_a_crisis),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
