/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pressure_test.c - who waits, and what that means for ksmd */
#include "policy/pressure.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define U   VALUE_UNKNOWN
#define S   UINT64_C(1000000)
#define GIB (UINT64_C(1) << 30)

typedef struct {
    PolicyConf conf;
    PolicyState state;
    DomainSample domain;
    DomainTrack track;
    Sample sample;
} One;

static void
one_init(One *one)
{
    memset(one, 0, sizeof(*one));
    policy_conf_default(&one->conf);
    policy_init(&one->state);
    one->domain = (DomainSample){ .key = 1, .wait_us = U };
    one->track = (DomainTrack){ .key = 1, .wait_us = U };
    one->state.domains = &one->track;
    one->sample = (Sample){ .domains = &one->domain, .n = 1 };
    one->sample.host = (HostSample){
        .now_us = 50 * S, .cpus = 4, .mem_total_bytes = 16 * GIB, .mem_available_bytes = 8 * GIB
    };
}

/* So much more of each in two seconds. */
static void
two_seconds_later(One *one, uint64_t cpu_us, uint64_t steal_us, uint64_t memory_us,
                  uint64_t wait_us)
{
    HostSample *host = &one->sample.host;

    pressure_update(&one->sample, &one->state);
    host->now_us += 2 * S;
    host->cpu_stall_us += cpu_us;
    host->steal_us += steal_us;
    host->memory_stall_us += memory_us;
    one->domain.wait_us = is_known(one->domain.wait_us) ? one->domain.wait_us + wait_us : U;
    pressure_update(&one->sample, &one->state);
}

static void
the_more_others_wait_the_more_a_pass_costs(void **unused)
{
    static const struct {
        const char *when;
        uint64_t cpu_us;   /* of two seconds */
        uint64_t steal_us; /* of eight: four CPUs */
        uint64_t want_bp;  /* with a threshold of 60 % */
    } rows[] = {
        { "nobody waits", 0, 0, BP_ONE },
        { "up to the threshold", 1200000, 0, BP_ONE },
        { "half of the way above it", 1600000, 0, BP_ONE * 5 / 2 },
        { "always", 2000000, 0, 4 * BP_ONE },
        { "stolen time up to the threshold", 0, 4800000, BP_ONE },
        { "stolen time above it", 0, 6400000, BP_ONE * 5 / 2 },
        { "the worse of both counts", 1600000, 4800000, BP_ONE * 5 / 2 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t price_bp;
        One one;

        one_init(&one);
        two_seconds_later(&one, rows[i].cpu_us, rows[i].steal_us, 0, 0);
        price_bp = pressure_price_bp(&one.conf, &one.state.pressure);
        if (price_bp != rows[i].want_bp)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, price_bp, rows[i].want_bp);
    }
}

static void
a_threshold_of_all_the_time_switches_it_off(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.conf.cpu_pressure_bp = BP_ONE;
    two_seconds_later(&one, 2 * S, 8 * S, 0, 0);
    assert_int_equal(pressure_price_bp(&one.conf, &one.state.pressure), BP_ONE);
}

static void
a_latency_critical_domain_that_waits_takes_precedence(void **unused)
{
    static const struct {
        const char *when;
        bool critical;
        uint64_t wait_us; /* of two seconds */
        uint64_t want_bp;
    } rows[] = {
        { "an ordinary one", false, S, BP_ONE },
        { "a critical one that hardly waits", true, 19000, BP_ONE },
        { "a critical one", true, 20000, BP_ONE / 10 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t cap_bp;
        One one;

        one_init(&one);
        one.domain.latency_critical = rows[i].critical;
        one.domain.wait_us = 5 * S;
        two_seconds_later(&one, 0, 0, 0, rows[i].wait_us);
        cap_bp = pressure_cap_bp(&one.state.pressure);
        if (cap_bp != rows[i].want_bp)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, cap_bp, rows[i].want_bp);
    }
}

static void
a_thread_that_ends_takes_its_waiting_with_it(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.domain.latency_critical = true;
    one.domain.wait_us = 5 * S;
    pressure_update(&one.sample, &one.state);
    one.sample.host.now_us += 2 * S;
    one.domain.wait_us = S;
    pressure_update(&one.sample, &one.state);
    assert_int_equal(pressure_cap_bp(&one.state.pressure), BP_ONE);
}

static void
memory_is_tight_when_little_is_left_or_tasks_wait_for_it(void **unused)
{
    static const struct {
        const char *when;
        uint64_t available_bytes;
        uint64_t memory_us; /* of two seconds */
        bool want;
    } rows[] = {
        { "half is left", 8 * GIB, 0, false },
        { "just enough", 16 * GIB / 10 + 1, 0, false },
        { "just too little", 16 * GIB / 10 - 1, 0, true },
        { "a moment's waiting", 8 * GIB, 19000, false },
        { "waiting", 8 * GIB, 20000, true },
        { "not told", U, 0, false },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        One one;

        one_init(&one);
        one.sample.host.mem_available_bytes = rows[i].available_bytes;
        two_seconds_later(&one, 0, 0, rows[i].memory_us, 0);
        if (pressure_is_tight(&one.conf, &one.sample.host, &one.state.pressure) != rows[i].want)
            fail_msg("%s: want %d", rows[i].when, rows[i].want);
    }
}

static void
looks_close_together_are_one_and_what_is_not_told_is_no_pressure(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    pressure_update(&one.sample, &one.state);
    one.sample.host.now_us += S / 100;
    one.sample.host.cpu_stall_us += S / 100;
    pressure_update(&one.sample, &one.state);
    assert_int_equal(pressure_price_bp(&one.conf, &one.state.pressure), BP_ONE);
    one.sample.host.cpu_stall_us = U;
    one.sample.host.memory_stall_us = U;
    one.sample.host.steal_us = U;
    one.sample.host.now_us += 2 * S;
    pressure_update(&one.sample, &one.state);
    assert_int_equal(pressure_price_bp(&one.conf, &one.state.pressure), BP_ONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_more_others_wait_the_more_a_pass_costs),
        cmocka_unit_test(a_threshold_of_all_the_time_switches_it_off),
        cmocka_unit_test(a_latency_critical_domain_that_waits_takes_precedence),
        cmocka_unit_test(a_thread_that_ends_takes_its_waiting_with_it),
        cmocka_unit_test(memory_is_tight_when_little_is_left_or_tasks_wait_for_it),
        cmocka_unit_test(looks_close_together_are_one_and_what_is_not_told_is_no_pressure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
