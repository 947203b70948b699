/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gather_age_test.c - how old figures may be before they are read again */
#define _GNU_SOURCE
#include "agent/gather.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/fakeagent.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup_web, fakeagent_teardown)
/* On CLOCK_MONOTONIC. */
#define LONG_AGO 1
#define JUST_NOW UINT64_MAX

static DomainSample
sample_of(Agent *agent)
{
    return gather_sample(agent, fakeagent_web(agent), 0);
}

static void
figures_of_a_process_are_good_for_a_moment(void **state)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    Agent *agent = *state;

    gather_all(agent);
    assert_int_equal(sample_of(agent).resident_bytes, 5000 * page_bytes);
    fakeroot_write(fakeagent_root(agent), "proc/42/statm", "9000 6000 1000 10 0 700 0\n");
    fakeagent_web(agent)->read_us = JUST_NOW;
    gather_all(agent);
    assert_int_equal(sample_of(agent).resident_bytes, 5000 * page_bytes);
    fakeagent_web(agent)->read_us = LONG_AGO;
    gather_all(agent);
    assert_int_equal(sample_of(agent).resident_bytes, 6000 * page_bytes);
}

static void
libvirt_is_asked_less_often_while_nothing_depends_on_its_figures(void **state)
{
    static const struct {
        const char *when;
        uint64_t period_ms;
        Enable high;
        bool has_job;
        uint64_t stats_us;
        uint64_t want_us;
    } rows[] = {
        { "KSM alone", 1000, ENABLE_NO, false, LONG_AGO, 5000000 },
        { "KSM alone, and more seldom by wish", 60000, ENABLE_NO, false, LONG_AGO, 60000000 },
        { "reclaim", 1000, ENABLE_YES, false, LONG_AGO, 1000000 },
        { "what reclaim would do", 1000, ENABLE_OBSERVE, false, LONG_AGO, 1000000 },
        { "a job", 1000, ENABLE_NO, true, LONG_AGO, 1000000 },
        { "no figures yet", 1000, ENABLE_NO, false, 0, 1000000 },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t have_us;

        agent->conf->stats_period_ms = rows[i].period_ms;
        agent->conf->policy.high_enable = rows[i].high;
        fakeagent_web(agent)->has_job = rows[i].has_job;
        fakeagent_web(agent)->stats_us = rows[i].stats_us;
        have_us = gather_stats_gap_us(agent);
        if (have_us != rows[i].want_us)
            fail_msg("%s: %" PRIu64 " us, want %" PRIu64, rows[i].when, have_us, rows[i].want_us);
    }
}

static void
what_ksm_moves_is_read_at_once_and_the_rest_a_moment_later(void **state)
{
    static const struct {
        const char *when;
        Enable high;
        bool long_after;
        bool all;
    } rows[] = {
        { "KSM alone, long after the last", ENABLE_NO, true, true },
        { "KSM alone, right after it", ENABLE_NO, false, false },
        { "reclaim, right after it", ENABLE_YES, false, true },
    };
    Agent *agent = *state;
    FakeRoot *root = fakeagent_root(agent);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t want_kib;

        fakeroot_write(root, "sys/kernel/mm/ksm/pages_sharing", "10\n");
        fakeroot_write(root, "proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 50 kB\n");
        agent->host_us = 0;
        agent->conf->policy.high_enable = rows[i].high;
        gather_host(agent);
        agent->host_us = rows[i].long_after ? LONG_AGO : JUST_NOW;
        fakeroot_write(root, "sys/kernel/mm/ksm/pages_sharing", "20\n");
        fakeroot_write(root, "proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 40 kB\n");
        gather_host(agent);
        want_kib = rows[i].all ? 40 : 50;
        if (agent->host.ksm.pages_sharing != 20 ||
            agent->host.mem_available_bytes != want_kib * 1024)
            fail_msg("%s: %" PRIu64 " pages, %" PRIu64 " bytes", rows[i].when,
                     agent->host.ksm.pages_sharing, agent->host.mem_available_bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(figures_of_a_process_are_good_for_a_moment),
        ON_HOST(libvirt_is_asked_less_often_while_nothing_depends_on_its_figures),
        ON_HOST(what_ksm_moves_is_read_at_once_and_the_rest_a_moment_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
