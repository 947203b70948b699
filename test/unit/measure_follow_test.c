/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* measure_follow_test.c - who hears of what is measured, and what is watched for them */
#include "agent/measure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/event.h"
#include "agent/source/source.h"
#include "test/support/fakeagent.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, fakeagent_teardown)
#define UUID          "6f1c6ba4-33d9-4f3e-9a3e-0d9dd7a3b001"

static int
setup(void **state)
{
    fakeagent_setup(state);
    domain_table_add(&((Agent *)*state)->domains, UUID, "web", 1, 0);
    return 0;
}

static Domain *
web(Agent *agent)
{
    return domain_table_get(&agent->domains, UUID);
}

typedef struct {
    unsigned reports;
    unsigned pressed;
    unsigned decisions;
} Heard;

static void
hear(const Domain *domain, MeasureNews news, gpointer user)
{
    Heard *heard = user;

    assert_non_null(domain->working_set);
    heard->reports += news == MEASURE_REPORT;
    heard->pressed += news == MEASURE_PRESSURE;
    heard->decisions += news == MEASURE_DECISION;
}

static void
who_follows_hears_of_reports_decisions_and_rising_pressure(void **state)
{
    static const struct {
        MemoryLevel level;
        unsigned pressed;
    } rows[] = {
        { MEMORY_CALM, 0 },  { MEMORY_TIGHT, 1 }, { MEMORY_TIGHT, 1 }, { MEMORY_CRITICAL, 2 },
        { MEMORY_TIGHT, 2 }, { MEMORY_CALM, 2 },  { MEMORY_TIGHT, 3 },
    };
    const WorkingSetReport report = { .state = WORKING_SET_MEASURED, .working_set_bytes = 77 };
    Agent *agent = *state;
    Heard heard = { 0 };
    MeasureTap tap = { hear, &heard };

    measure_add_tap(agent, &tap);
    measure_take(web(agent)->key + 1, &report, agent); /* of one that is gone */
    assert_int_equal(heard.reports, 0);
    measure_take(web(agent)->key, &report, agent);
    assert_int_equal(heard.reports, 1);
    assert_int_equal(web(agent)->working_set->working_set_bytes, 77);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        agent->plan.host.level = rows[i].level;
        measure_decided(agent);
        if (heard.pressed != rows[i].pressed || heard.pressed + heard.decisions != i + 1)
            fail_msg("row %zu: told %u times of pressure, %u times not", i, heard.pressed,
                     heard.decisions);
    }
    assert_int_equal(heard.reports, 1);
    measure_remove_tap(agent, &tap);
    measure_take(web(agent)->key, &report, agent);
    assert_int_equal(heard.reports, 1);
}

/* Return: whether it was tried; the files of a fabricated root are not the kernel's. */
static bool
is_watched(const Agent *agent)
{
    const char *detail = NULL;

    psi_source.state(agent, &detail);
    return detail && strstr(detail, "not the kernel's");
}

static void
pressure_is_watched_for_while_somebody_follows(void **state)
{
    Agent *agent = *state;
    Heard heard = { 0 };
    const MeasureTap tap = { hear, &heard };
    const MeasureTap other = { hear, &heard };

    measure_open(agent);
    psi_source.open(agent);
    assert_false(is_watched(agent));
    measure_add_tap(agent, &tap);
    measure_add_tap(agent, &other);
    assert_true(is_watched(agent));
    measure_remove_tap(agent, &tap);
    assert_true(is_watched(agent));
    measure_remove_tap(agent, &other);
    assert_false(is_watched(agent));
}

static void
who_leaves_at_the_end_opens_no_source_again(void **state)
{
    Agent *agent = *state;
    Heard heard = { 0 };
    const MeasureTap tap = { hear, &heard };

    agent->conf->policy.balloon_enable = ENABLE_OBSERVE;
    measure_open(agent);
    measure_add_tap(agent, &tap);
    assert_true(is_watched(agent));
    agent->closing = true;
    psi_source.close(agent);
    vmpressure_source.close(agent);
    measure_remove_tap(agent, &tap);
    assert_false(is_watched(agent));
}

/* Without reclaim nobody else is in a hurry. */
static void
an_alarm_is_looked_into_for_those_who_follow(void **state)
{
    Agent *agent = *state;
    Heard heard = { 0 };
    MeasureTap tap = { hear, &heard };

    measure_open(agent);
    event_memory_alarm(agent, "test", ALARM_MEDIUM);
    assert_int_equal(agent->tick.count, 0);
    measure_add_tap(agent, &tap);
    event_memory_alarm(agent, "test", ALARM_MEDIUM);
    assert_int_equal(agent->tick.count, 1);
    assert_int_equal(agent->host.alarm, ALARM_MEDIUM);
    measure_remove_tap(agent, &tap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(who_follows_hears_of_reports_decisions_and_rising_pressure),
        ON_HOST(pressure_is_watched_for_while_somebody_follows),
        ON_HOST(who_leaves_at_the_end_opens_no_source_again),
        ON_HOST(an_alarm_is_looked_into_for_those_who_follow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
