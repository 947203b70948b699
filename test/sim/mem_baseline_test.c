/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_baseline_test.c - against the published rules of MOM, guest by guest the same lives
 *
 * Each scenario is lived through three times on the same hosts: without control, with MOM's rules,
 * with the policy library as shipped, but enabled. Both promise every guest the same memory, a
 * quarter of its maximum. Pages swapped, both ways, are counted in guests and in the host. The
 * table is printed; everywhere the policy library has to swap less than MOM, and kill no more.
 *
 * Where more is wanted than there is, somebody has to swap. MOM shrinks its guests below what they
 * use, so that they do it, and its host swaps little or nothing: one page that a host swaps instead
 * of a hundred in its guests would be no gain by that count. So there it is all pages together that
 * have to be fewer, those of guests by themselves, and the time for which guests wait for either.
 */
#include "test/sim/mem_agent.h"
#include "test/sim/mem_scene.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define GIB   MEM_GIB
#define SEEDS 3
#define LIFE  (4 * MEM_HOUR)

/* Beside the kinds of guests: the experiment of the prototype of 2013, and hosts of other sizes. */
static const struct {
    const char *name;
    uint64_t total_bytes;
    MemScene scene;
    bool is_too_much; /* more is wanted than there is: somebody has to swap */
} scenarios[] = {
    { "steady", 16 * GIB, { MEM_STEADY, 12, 150 }, false },
    { "bursty", 16 * GIB, { MEM_BURSTY, 12, 140 }, false },
    { "idle", 16 * GIB, { MEM_IDLE, 12, 150 }, false },
    { "leaking", 16 * GIB, { MEM_LEAKING, 12, 130 }, false },
    { "stuck balloons", 16 * GIB, { MEM_STUCK, 12, 130 }, false },
    { "slow balloons", 16 * GIB, { MEM_SLOW, 12, 130 }, false },
    { "lying", 16 * GIB, { MEM_LYING, 12, 130 }, false },
    { "intermittent", 16 * GIB, { MEM_INTERMITTENT, 12, 130 }, false },
    { "no driver", 16 * GIB, { MEM_NO_DRIVER, 12, 130 }, false },
    { "Windows-like", 16 * GIB, { MEM_WINDOWS, 12, 130 }, false },
    { "all kinds", 16 * GIB, { MEM_KIND_ANY, 12, 120 }, false },
    { "all, too many", 16 * GIB, { MEM_KIND_ANY, 12, 130 }, true },
    { "few hungry", 8 * GIB, { MEM_BURSTY, 4, 160 }, true },
    { "256 GiB", 256 * GIB, { MEM_KIND_ANY, 60, 130 }, false },
};

/* What one way to decide led to. */
typedef struct {
    uint64_t guest_pages;
    uint64_t host_pages;
    uint64_t stall_ppm; /* share of the time in which guests waited, in millionths */
    unsigned killed;    /* programs and domains */
} Result;

static void
promise(MemHost *host)
{
    for (size_t i = 0; i < host->n; i++)
        host->guests[i].spec.floor_bytes = host->guests[i].spec.maximum_bytes / 4;
}

static Result
live(size_t row, MemControl control)
{
    PolicyConf conf = mem_agent_conf();
    MemScore sum = { 0 };

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        Dice dice = { seed, seed };
        MemHostSpec spec = mem_host_spec(scenarios[row].total_bytes);
        MemHost *host = mem_scene_new(&dice, &scenarios[row].scene, &spec);
        MemAgent *agent = mem_agent_new(host, control, &conf);
        MemScore score;

        promise(host);
        mem_agent_run(agent, LIFE);
        score = mem_host_score(host);
        sum.guest_in_bytes += score.guest_in_bytes + score.guest_out_bytes;
        sum.host_in_bytes += score.host_in_bytes + score.host_out_bytes;
        sum.guest_stall_us += score.guest_stall_us;
        sum.guest_us += score.guest_us;
        sum.guest_ooms += score.guest_ooms + score.host_ooms;
        mem_agent_free(agent);
        mem_host_free(host);
    }
    return (Result){ sum.guest_in_bytes / MEM_PAGE, sum.host_in_bytes / MEM_PAGE,
                     mul_div(sum.guest_stall_us, 1000000, sum.guest_us), sum.guest_ooms };
}

static void
print_header(void)
{
    printf("%-15s %35s %32s %26s %17s\n", "", "pages swapped in guests", "in the host",
           "waiting, percent", "killed");
    printf("%-15s", "scenario");
    printf(" %11s %11s %11s %10s %10s %10s", "none", "MOM", "virtksmd", "none", "MOM", "virtksmd");
    printf(" %8s %8s %8s %5s %5s %5s\n", "none", "MOM", "virtksmd", "none", "MOM", "ours");
}

static void
print_row(const char *name, const Result r[3])
{
    printf("%-15s %11" PRIu64 " %11" PRIu64 " %11" PRIu64, name, r[MEM_CONTROL_NONE].guest_pages,
           r[MEM_CONTROL_MOM].guest_pages, r[MEM_CONTROL_POLICY].guest_pages);
    printf(" %10" PRIu64 " %10" PRIu64 " %10" PRIu64, r[MEM_CONTROL_NONE].host_pages,
           r[MEM_CONTROL_MOM].host_pages, r[MEM_CONTROL_POLICY].host_pages);
    for (int i = MEM_CONTROL_NONE; i <= MEM_CONTROL_POLICY; i++)
        printf(" %8.4f", (double)r[i].stall_ppm / 10000);
    for (int i = MEM_CONTROL_NONE; i <= MEM_CONTROL_POLICY; i++)
        printf(" %5u", r[i].killed);
    printf("\n");
}

/* Whether there is less of it; where there is none, there cannot be. */
static bool
is_fewer(uint64_t ours, uint64_t mom)
{
    return ours < mom || (ours == 0 && mom == 0);
}

static bool
is_worse(size_t row, const Result *ours, const Result *mom)
{
    if (ours->killed > mom->killed || !is_fewer(ours->guest_pages, mom->guest_pages))
        return true;
    if (!scenarios[row].is_too_much)
        return !is_fewer(ours->host_pages, mom->host_pages);
    return !is_fewer(ours->guest_pages + ours->host_pages, mom->guest_pages + mom->host_pages) ||
           !is_fewer(ours->stall_ppm, mom->stall_ppm);
}

static void
guests_and_host_swap_less_than_under_the_rules_of_mom(void **unused)
{
    unsigned worse = 0;
    (void)unused;

    print_header();
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        Result results[3];

        for (int j = MEM_CONTROL_NONE; j <= MEM_CONTROL_POLICY; j++)
            results[j] = live(i, (MemControl)j);
        print_row(scenarios[i].name, results);
        if (is_worse(i, &results[MEM_CONTROL_POLICY], &results[MEM_CONTROL_MOM]))
            worse++;
    }
    assert_int_equal(worse, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guests_and_host_swap_less_than_under_the_rules_of_mom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
