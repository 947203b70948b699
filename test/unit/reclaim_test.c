/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reclaim_test.c - who drives a domain: actuators, or somebody who has to be asked first */
#define _GNU_SOURCE
#include "agent/reclaim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/support/fakeagent.h"

#define UUID           "c7a5fdbd-edaf-9455-926a-d65c16db1809"
#define MIB            (UINT64_C(1) << 20)
#define OTHER          "c7a5fdbd-edaf-9455-926a-d65c16db1810"

#define ON_AGENT(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)

static gint64 frozen_us; /* 0: time goes on */
gint64 __real_g_get_monotonic_time(void);
gint64 __wrap_g_get_monotonic_time(void);

gint64
__wrap_g_get_monotonic_time(void)
{
    return frozen_us > 0 ? frozen_us : __real_g_get_monotonic_time();
}

static Domain *
add_domain(Agent *agent, const char *uuid)
{
    Domain *domain = domain_table_add(&agent->domains, uuid, uuid, 7, 1);

    domain->is_libvirts = true;
    return domain;
}

/* As an actuator does when it finds another value than its own. */
static void
make_foreign(HoldTable *holds, const Domain *domain)
{
    const Subject subject = reclaim_subject(domain);

    hold_need(holds, &subject)->state = HOLD_FOREIGN;
}

/* Whether policy is told of its balloon's. */
static bool
has_size(const Agent *agent, const Domain *domain)
{
    DomainSample sample = domain_sample_unknown();

    sample.balloon_bytes = 500;
    reclaim_fill(agent, domain, &sample);
    return is_known(sample.balloon_bytes);
}

static void
note(Agent *agent)
{
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);

    reclaim_note(agent, domains);
}

static void
what_an_actuator_finds_is_marked_until_somebody_takes_the_mark_off(void **state)
{
    Agent *agent = *state;
    Domain *domain = add_domain(agent, UUID);
    Domain *other = add_domain(agent, OTHER);

    note(agent);
    assert_false(domain->balloon_foreign || domain->limit_foreign);
    make_foreign(&agent->balloon.holds, domain);
    for (int i = 0; i < 3; i++) {
        note(agent);
        assert_true(domain->balloon_foreign);
    }
    assert_false(domain->limit_foreign);
    assert_false(other->balloon_foreign);
    domain_forget_foreign(domain);
    for (int i = 0; i < 3; i++) {
        note(agent);
        assert_false(domain->balloon_foreign);
    }
    assert_null(hold_find(&agent->balloon.holds, domain->uuid));
    /* And again. */
    make_foreign(&agent->balloon.holds, domain);
    make_foreign(&agent->memory_high.holds, domain);
    note(agent);
    assert_true(domain->balloon_foreign && domain->limit_foreign);
}

static void
where_their_values_are_adopted_a_mark_lasts_for_one_decision(void **state)
{
    Agent *agent = *state;
    Domain *domain = add_domain(agent, UUID);

    agent->conf->on_foreign = FOREIGN_ADOPT;
    reclaim_adopt(agent);
    for (int times = 0; times < 2; times++) {
        make_foreign(&agent->balloon.holds, domain);
        make_foreign(&agent->memory_high.holds, domain);
        note(agent);
        assert_true(domain->balloon_foreign && domain->limit_foreign);
        note(agent);
        assert_false(domain->balloon_foreign || domain->limit_foreign);
        assert_null(hold_find(&agent->balloon.holds, domain->uuid));
        assert_null(hold_find(&agent->memory_high.holds, domain->uuid));
    }
    agent->conf->on_foreign = FOREIGN_LEAVE;
    reclaim_adopt(agent);
    make_foreign(&agent->balloon.holds, domain);
    note(agent);
    note(agent);
    assert_true(domain->balloon_foreign);
}

static void
policy_is_told_of_the_mark(void **state)
{
    Agent *agent = *state;
    Domain *domain = add_domain(agent, UUID);
    DomainSample sample = domain_sample_unknown();

    domain->balloon_foreign = true;
    reclaim_fill(agent, domain, &sample);
    assert_true(sample.balloon_foreign);
    assert_false(sample.limit_foreign);
}

static void
policy_is_told_of_what_waits_and_who_refuses(void **state)
{
    Agent *agent = *state;
    Domain *domain = add_domain(agent, UUID);
    const Subject subject = reclaim_subject(domain);
    DomainSample sample = domain_sample_unknown();
    Hold *hold;

    reclaim_fill(agent, domain, &sample);
    assert_false(sample.balloon_waits || sample.balloon_refuses);
    hold = hold_need(&agent->balloon.holds, &subject);
    hold->wish_bytes = 1;
    reclaim_fill(agent, domain, &sample);
    assert_true(sample.balloon_waits && !sample.balloon_refuses);
    hold->resume_us = UINT64_MAX;
    reclaim_fill(agent, domain, &sample);
    assert_true(sample.balloon_refuses);
}

static void
policy_is_told_what_was_found_only_while_ours_is_in_force(void **state)
{
    static const struct {
        const char *when;
        HoldState state;
        bool is_way_back;
        uint64_t told;
    } rows[] = {
        { "never changed by us", HOLD_IDLE, false, VALUE_UNKNOWN },
        { "as policy wants it", HOLD_OURS, false, 900 * MIB },
        { "given back", HOLD_OURS, true, VALUE_UNKNOWN },
        { "left by a killed run", HOLD_LEFT, false, VALUE_UNKNOWN },
        { "somebody else's", HOLD_FOREIGN, false, VALUE_UNKNOWN },
        { "an earlier start's", HOLD_ENDED, false, VALUE_UNKNOWN },
    };
    Agent *agent = *state;
    Domain *domain = add_domain(agent, UUID);
    const Subject subject = reclaim_subject(domain);
    Hold *hold = hold_need(&agent->balloon.holds, &subject);

    hold->known.found_bytes = 900 * MIB;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        DomainSample sample = domain_sample_unknown();

        hold->state = rows[i].state;
        hold->is_way_back = rows[i].is_way_back;
        reclaim_fill(agent, domain, &sample);
        if (sample.found_bytes != rows[i].told)
            fail_msg("%s", rows[i].when);
    }
}

static void
a_balloon_that_moves_by_itself_has_no_size_until_it_stands(void **state)
{
    static const struct {
        const char *when;
        Enable enable;
        uint64_t ago_us; /* since when it has its size */
        bool is_told;
    } rows[] = {
        { "just told for the first time", ENABLE_YES, 0, false },
        { "told a moment ago", ENABLE_YES, 999999, false },
        { "it stands", ENABLE_YES, 1000000, true },
        { "observed only", ENABLE_OBSERVE, 0, false },
        { "nobody is going to move it", ENABLE_NO, 0, true },
    };
    Agent *agent = *state;
    Domain *domain = add_domain(agent, UUID);

    frozen_us = 60 * G_USEC_PER_SEC;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        agent->conf->policy.balloon_enable = rows[i].enable;
        domain->balloon_us = (uint64_t)frozen_us - rows[i].ago_us;
        if (has_size(agent, domain) != rows[i].is_told)
            fail_msg("%s", rows[i].when);
    }
    frozen_us = 0;
}

static void
a_balloon_that_was_not_sent_by_policy_has_no_size_until_it_is_there(void **state)
{
    static const struct {
        const char *when;
        HoldState state;
        bool is_way_back;
        uint64_t asked_ago_us; /* since it was asked to go to 900 */
        uint64_t bytes;
        uint64_t ago_us; /* since when it has that size */
        bool is_told;
    } rows[] = {
        { "never changed by us", HOLD_IDLE, false, 0, 500, 0, false },
        { "as policy wants it", HOLD_OURS, false, 0, 500, 0, true },
        { "given back, and not begun", HOLD_OURS, true, 1000000, 500, 5000000, false },
        { "given back, and does not begin", HOLD_OURS, true, 10000000, 500, 15000000, true },
        { "given back, and moves for long", HOLD_OURS, true, 15000000, 500, 900000, false },
        { "given back, and just there", HOLD_OURS, true, 2000000, 900, 0, false },
        { "given back, and there", HOLD_OURS, true, 2000000, 900, 1000000, true },
        { "left by a killed run", HOLD_LEFT, false, 0, 500, 0, false },
        { "somebody else's", HOLD_FOREIGN, false, 0, 500, 0, false },
    };
    Agent *agent = *state;
    Domain *domain = add_domain(agent, UUID);
    const Subject subject = reclaim_subject(domain);
    Hold *hold = hold_need(&agent->balloon.holds, &subject);

    frozen_us = 60 * G_USEC_PER_SEC;
    agent->conf->policy.balloon_enable = ENABLE_YES;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        hold->state = rows[i].state;
        hold->is_way_back = rows[i].is_way_back;
        hold->want_bytes = 900 * MIB;
        hold->asked_us = (uint64_t)frozen_us - rows[i].asked_ago_us;
        domain->balloon_bytes = rows[i].bytes * MIB;
        domain->balloon_us = (uint64_t)frozen_us - rows[i].ago_us;
        if (has_size(agent, domain) != rows[i].is_told)
            fail_msg("%s", rows[i].when);
    }
    frozen_us = 0;
}

static void
only_a_domain_of_libvirts_can_be_changed(void **state)
{
    Agent *agent = *state;
    Domain *domain = add_domain(agent, UUID);

    assert_int_equal(reclaim_subject(domain).id, 7);
    assert_null(reclaim_subject(domain).process);
    assert_int_equal(reclaim_subject(domain).maximum_bytes, 0);
    domain->maximum_bytes = 900 * MIB;
    assert_int_equal(reclaim_subject(domain).maximum_bytes, 900 * MIB);
    domain->is_libvirts = false;
    assert_int_equal(reclaim_subject(domain).id, DOMAIN_ID_UNKNOWN);
}

static void
writing_needs_a_yes_and_no_mode_observe(void **state)
{
    static const struct {
        const char *when;
        KsmMode mode;
        unsigned enable;
        bool on;
    } rows[] = {
        { "default", KSM_MODE_AUTO, ENABLE_NO, false },
        { "observed", KSM_MODE_AUTO, ENABLE_OBSERVE, false },
        { "wanted", KSM_MODE_AUTO, ENABLE_YES, true },
        { "wanted, KSM not", KSM_MODE_OFF, ENABLE_YES, true },
        { "mode observe", KSM_MODE_OBSERVE, ENABLE_YES, false },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        agent->conf->policy.mode = rows[i].mode;
        agent->conf->policy.balloon_enable = rows[i].enable;
        agent->conf->policy.high_enable = rows[i].enable;
        reclaim_adopt(agent);
        if (agent->balloon.options.is_on != rows[i].on ||
            agent->memory_high.options.is_on != rows[i].on)
            fail_msg("%s", rows[i].when);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_AGENT(what_an_actuator_finds_is_marked_until_somebody_takes_the_mark_off),
        ON_AGENT(where_their_values_are_adopted_a_mark_lasts_for_one_decision),
        ON_AGENT(policy_is_told_of_the_mark),
        ON_AGENT(policy_is_told_of_what_waits_and_who_refuses),
        ON_AGENT(policy_is_told_what_was_found_only_while_ours_is_in_force),
        ON_AGENT(a_balloon_that_moves_by_itself_has_no_size_until_it_stands),
        ON_AGENT(a_balloon_that_was_not_sent_by_policy_has_no_size_until_it_is_there),
        ON_AGENT(only_a_domain_of_libvirts_can_be_changed),
        ON_AGENT(writing_needs_a_yes_and_no_mode_observe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
