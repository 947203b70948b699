/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tick_test.c - facts in, decision out, on a host of plain files and without libvirt */
#define _GNU_SOURCE
#include "agent/tick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/reclaim.h"
#include "test/support/await.h"
#include "test/support/fakeagent.h"
#include "test/support/fakehost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)

/* What the service manager was told last, and how often. */
static const char *status;
static unsigned statuses;

void __wrap_notify_status(const char *text);

void
__wrap_notify_status(const char *text)
{
    status = text;
    statuses++;
}

static void
start_web(Agent *agent)
{
    Event event = {
        .kind = EVENT_CREATED, .source = "test", .uuid = FAKEHOST_QEMU_UUID, .name = "web", .id = 1
    };

    event_post(agent, &event);
}

static void
a_full_tick_finds_the_process_and_its_figures(void **state)
{
    Agent *agent = *state;
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    fakehost_add_qemu(fakeagent_root(agent));
    start_web(agent);
    assert_false(fakeagent_web(agent)->has_process); /* the event path does not look for it */
    AWAIT(fakeagent_web(agent)->has_process);
    assert_int_equal(fakeagent_web(agent)->sample.resident_bytes, 5000 * page_bytes);
    assert_int_equal(fakeagent_web(agent)->plan.key, fakeagent_web(agent)->key);
    assert_int_equal(fakeagent_web(agent)->plan.debt_pages, 5000);
    assert_int_equal(fakeagent_web(agent)->plan.reason, REASON_DEBT);
    assert_int_equal(agent->plan.ksm.debt_pages, 5000);
    assert_int_equal(agent->plan.ksm.reason, REASON_GATHERING); /* of one domain alone */
    assert_true(fakeagent_web(agent)->track.open);
    assert_int_equal(agent->tick.late, 0);
}

static void
a_process_that_has_exited_leaves_nothing_known(void **state)
{
    Agent *agent = *state;

    fakehost_add_qemu(fakeagent_root(agent));
    start_web(agent);
    fakeagent_tick(agent);
    assert_true(fakeagent_web(agent)->has_process);
    fakeroot_remove(fakeagent_root(agent), "proc/42");
    fakeagent_web(agent)->read_us = 1; /* long ago */
    fakeagent_tick(agent);
    assert_false(fakeagent_web(agent)->has_process);
    assert_true(fakeagent_web(agent)->sample.resident_bytes == VALUE_UNKNOWN);
    assert_int_equal(fakeagent_web(agent)->plan.reason, REASON_FACT_MISSING);
}

/* What the last decision was told of the one domain. */
static const DomainSample *
told(Agent *agent)
{
    assert_int_equal(agent->tick.samples->len, 1);
    return &g_array_index(agent->tick.samples, DomainSample, 0);
}

static void
weight_and_wait_of_a_domain_are_told_as_its_definition_asks(void **state)
{
    static const char text[] =
        "<domain type='kvm'><name>web</name><memory unit='KiB'>65536</memory>"
        "<metadata><v:policy xmlns:v='urn:virtksm:domain:1'>"
        "<v:ksm weight='50' latency_critical='yes'/></v:policy></metadata></domain>";
    Agent *agent = *state;
    Domain *domain;

    fakehost_add_qemu(fakeagent_root(agent));
    start_web(agent);
    fakeagent_tick(agent);
    assert_int_equal(told(agent)->weight, 100);
    assert_false(told(agent)->latency_critical);
    assert_true(told(agent)->wait_us == VALUE_UNKNOWN);

    domain = fakeagent_web(agent);
    domain->has_xml = domain_xml_parse(text, strlen(text), &domain->xml, NULL);
    assert_true(domain->has_xml);
    fakeagent_tick(agent);
    assert_int_equal(told(agent)->weight, 50);
    assert_true(told(agent)->latency_critical);
    assert_int_equal(told(agent)->wait_us, 7000);

    domain->xml.policy.latency_critical = false;
    fakeagent_tick(agent);
    assert_true(told(agent)->wait_us == VALUE_UNKNOWN);
    domain->xml.policy.latency_critical = true;

    fakeroot_remove(fakeagent_root(agent), "proc/42");
    fakeagent_tick(agent);
    assert_true(told(agent)->wait_us == VALUE_UNKNOWN);
}

static void
claim(Agent *agent, const char *id)
{
    Event event = { .kind = EVENT_CREATED,
                    .source = "grpc:test",
                    .uuid = id,
                    .id = DOMAIN_ID_UNKNOWN,
                    .claim = true };

    event_post(agent, &event);
}

static void
the_process_of_a_domain_that_only_a_client_knows_is_found_by_its_uuid(void **state)
{
    Agent *agent = *state;

    fakehost_add_qemu(fakeagent_root(agent));
    claim(agent, FAKEHOST_QEMU_UUID);
    fakeagent_tick(agent);
    assert_true(fakeagent_web(agent)->has_process);
}

static unsigned
count_searched(Agent *agent)
{
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);
    unsigned n = 0;

    for (guint i = 0; i < domains->len; i++)
        n += ((const Domain *)domains->pdata[i])->search_gap_us > 0;
    return n;
}

static void
processes_of_many_claimed_domains_are_looked_for_one_at_a_time(void **state)
{
    Agent *agent = *state;
    uint64_t before_us;

    agent->tick.claim_us = UINT64_MAX; /* not for a while */
    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *uuid = g_strdup_printf("aaaaaaaa-bbbb-4ccc-8ddd-%012u", i);
        g_autofree char *id = g_strdup_printf("sandbox-%u", i); /* no QEMU has that in -uuid */

        claim(agent, uuid);
        claim(agent, id);
    }
    fakeagent_tick(agent);
    assert_int_equal(count_searched(agent), 0);
    agent->tick.claim_us = 1; /* it is over */
    before_us = (uint64_t)g_get_monotonic_time();
    fakeagent_tick(agent);
    assert_int_equal(count_searched(agent), 1);
    assert_true(agent->tick.claim_us > before_us);
    agent->tick.claim_us = UINT64_MAX;
    for (unsigned i = 0; i < 10; i++)
        fakeagent_tick(agent);
    assert_int_equal(count_searched(agent), 1);
    agent->tick.claim_us = 1;
    fakeagent_tick(agent);
    assert_int_equal(count_searched(agent), 2);
}

static void
a_decision_is_counted_timed_and_kept(void **state)
{
    Agent *agent = *state;
    uint64_t before_us = (uint64_t)g_get_monotonic_time();

    agent->conf->policy.mode = KSM_MODE_FIXED; /* wants the same every time */
    agent->tick.triggers = 3;
    agent->tick.departures = 2;
    tick_decide(agent);
    assert_int_equal(agent->tick.count, 1);
    assert_in_range(agent->tick.decided_us, before_us, g_get_monotonic_time());
    assert_int_equal(agent->tick.triggers, 0);
    assert_int_equal(agent->tick.departures, 0);
    assert_int_equal(agent->host.triggers, 3);
    assert_int_equal(agent->host.departures, 2);
    assert_int_equal(agent->tick.applied[ACTUATOR_KSM].result, APPLY_DONE);
    assert_null(agent->tick.applied[ACTUATOR_KSM].detail);
    tick_decide(agent);
    assert_int_equal(agent->tick.count, 2);
    assert_int_equal(agent->host.triggers, 0);
    assert_int_equal(agent->tick.applied[ACTUATOR_KSM].result,
                     APPLY_UNCHANGED); /* all is in place */
}

static void
triggers_close_together_are_one_decision_and_none_is_lost(void **state)
{
    Agent *agent = *state;

    agent->tick.triggers = 1;
    tick_now(agent);
    agent->tick.trigger_us = (uint64_t)g_get_monotonic_time(); /* however long the disk took */
    for (unsigned i = 0; i < 10; i++) {
        agent->tick.triggers++;
        tick_now(agent);
    }
    assert_int_equal(agent->tick.count, 1);
    assert_int_equal(agent->tick.triggers, 10);
    AWAIT(agent->tick.count > 1);
    assert_int_equal(agent->tick.count, 2);
    assert_int_equal(agent->tick.triggers, 0);
    assert_int_equal(agent->host.triggers, 10);
}

static void
note_count(Agent *agent, gpointer user)
{
    *(uint64_t *)user = agent->tick.count;
}

static void
note_destroyed(gpointer user)
{
    *(uint64_t *)user += 1000;
}

static void
whoever_waits_for_a_decision_is_told_after_it(void **state)
{
    Agent *agent = *state;
    uint64_t at_once = 0;
    uint64_t later = 0;
    uint64_t never = 0;

    agent->tick.triggers = 1;
    tick_now(agent);
    tick_when_decided(agent, note_count, &at_once, note_destroyed);
    assert_int_equal(at_once, 1001);
    agent->tick.trigger_us = (uint64_t)g_get_monotonic_time();
    agent->tick.triggers = 1;
    tick_now(agent);
    tick_when_decided(agent, note_count, &later, note_destroyed);
    assert_int_equal(later, 0);
    AWAIT(later != 0);
    assert_int_equal(later, 1002);

    agent->tick.trigger_us = (uint64_t)g_get_monotonic_time();
    agent->tick.triggers = 1;
    tick_now(agent);
    tick_when_decided(agent, note_count, &never, note_destroyed);
    agent->closing = true;
    AWAIT(agent->tick.soon == 0);
    tick_done(&agent->tick);
    tick_init(&agent->tick);
    assert_int_equal(never, 1000);
}

static void
of_several_wishes_the_earliest_stands(void **state)
{
    Agent *agent = *state;
    uint64_t due_us;

    tick_want(agent, 60000);
    due_us = agent->tick.due_us;
    tick_want(agent, 90000);
    assert_int_equal(agent->tick.due_us, due_us);
    tick_want(agent, 1000);
    assert_true(agent->tick.due_us < due_us);
    assert_int_equal(agent->tick.count, 0);
    fakeagent_tick(agent);
    assert_int_equal(agent->tick.count, 1);
}

static void
the_next_tick_comes_when_policy_wants_it(void **state)
{
    Agent *agent = *state;
    uint64_t distance_us;

    fakeagent_tick(agent);
    assert_int_not_equal(agent->tick.timer, 0);
    distance_us = agent->tick.due_us - agent->tick.decided_us;
    assert_in_range(distance_us, agent->plan.next_tick_us - 1000,
                    agent->plan.next_tick_us + 1000000);
}

static void
nothing_happens_after_the_end(void **state)
{
    Agent *agent = *state;

    agent->tick.triggers = 1;
    tick_now(agent);
    tick_now(agent);
    tick_want(agent, 10);
    tick_done(&agent->tick);
    tick_done(&agent->tick); /* again: nothing to do */
    fakeagent_run(40);
    assert_int_equal(agent->tick.count, 1);
    assert_int_equal(agent->tick.timer, 0);
    assert_int_equal(agent->tick.soon, 0);
}

/* It takes no time that libvirt or the disk could make long, and takes nothing from anybody. */
static void
an_event_moves_ksm_and_leaves_reclaim_to_the_next_full_tick(void **state)
{
    Agent *agent = *state;
    const Applied *applied = agent->tick.applied;

    agent->conf->policy.balloon_enable = agent->conf->policy.high_enable = ENABLE_YES;
    reclaim_adopt(agent);
    fakehost_add_qemu(fakeagent_root(agent));
    agent->tick.alarm = ALARM_MEDIUM;
    start_web(agent);
    assert_true(agent->host.is_quick);
    assert_int_equal(applied[ACTUATOR_KSM].result, APPLY_DONE);
    assert_int_equal(fakeagent_web(agent)->plan.balloon_reason, REASON_NONE);
    assert_int_equal(agent->host.alarm, ALARM_NONE);
    assert_int_equal(agent->tick.alarm, ALARM_MEDIUM);
    fakeagent_tick(agent);
    assert_false(agent->host.is_quick);
    assert_int_equal(fakeagent_web(agent)->plan.balloon_reason, REASON_MECHANISM_OFF);
    assert_int_equal(agent->tick.alarm, ALARM_NONE);
    agent->plan.host.wanted_bytes = 77;
    agent->tick.triggers = 1;
    tick_decide(agent);
    assert_true(agent->host.is_quick);
    assert_int_equal(fakeagent_web(agent)->plan.balloon_reason,
                     REASON_MECHANISM_OFF); /* as decided */
    assert_int_equal(agent->plan.host.wanted_bytes, 77);
    assert_int_equal(fakeagent_web(agent)->plan.debt_pages, 5000);
}

static void
another_writer_is_yielded_to_and_the_tick_says_so(void **state)
{
    Agent *agent = *state;

    agent->tick.triggers = 1;
    tick_decide(agent);
    fakeroot_write(fakeagent_root(agent), FAKEAGENT_KSM "pages_to_scan", "77\n");
    agent->tick.triggers = 1;
    tick_decide(agent);
    assert_int_equal(agent->tick.applied[ACTUATOR_KSM].result, APPLY_REFUSED);
    assert_non_null(agent->tick.applied[ACTUATOR_KSM].detail);
    assert_int_equal(fakeagent_ksm(agent, "pages_to_scan"), 77);
    ksm_actuator_take_over(&agent->ksm);
    tick_decide(agent);
    assert_int_equal(agent->tick.applied[ACTUATOR_KSM].result, APPLY_DONE);
    assert_null(agent->tick.applied[ACTUATOR_KSM].detail);
    assert_int_equal(fakeagent_ksm(agent, "pages_to_scan"), agent->conf->policy.batch_pages * 4);
}

static void
observing_decides_and_writes_nothing(void **state)
{
    static const KsmActuatorOptions dry = { .dry_run = true, .take_over = false };
    Agent *agent = *state;

    agent->conf->policy.mode = KSM_MODE_OBSERVE;
    ksm_actuator_set_options(&agent->ksm, &dry);
    agent->tick.triggers = 1;
    tick_decide(agent);
    assert_int_equal(agent->plan.ksm.phase, KSM_PHASE_BURST);
    assert_int_equal(agent->plan.ksm.knobs.run, KSM_RUN_MERGE);
    assert_int_equal(fakeagent_ksm(agent, "run"), 0);
    assert_int_equal(fakeagent_ksm(agent, "pages_to_scan"), 100);
}

static void
the_manager_is_told_each_reason_and_none_twice(void **state)
{
    Agent *agent = *state;
    Reason before;

    statuses = 0;
    fakehost_add_qemu(fakeagent_root(agent));
    start_web(agent);
    assert_int_equal(statuses, 1);
    assert_string_equal(status, reason_text(agent->plan.ksm.reason));
    before = agent->plan.ksm.reason;
    fakeagent_tick(agent);
    assert_int_equal(agent->plan.ksm.phase, KSM_PHASE_BURST);
    assert_int_equal(agent->plan.ksm.reason, REASON_GATHERING);
    assert_int_not_equal(agent->plan.ksm.reason, before);
    assert_string_equal(status, reason_text(REASON_GATHERING));
    assert_int_equal(statuses, 2);
    fakeagent_tick(agent);
    assert_int_equal(agent->plan.ksm.reason, REASON_GATHERING);
    assert_int_equal(statuses, 2);
}

static void
a_host_without_ksm_is_decided_upon_too(void **state)
{
    Agent *agent = *state;

    fakeroot_remove(fakeagent_root(agent), "sys/kernel/mm/ksm");
    start_web(agent);
    assert_int_equal(agent->plan.ksm.reason, REASON_NO_KSM);
    assert_int_equal(agent->tick.applied[ACTUATOR_KSM].result,
                     APPLY_UNCHANGED); /* nothing was wanted */
}

static void
ksmds_share_of_a_cpu_is_told_as_far_as_it_is_known(void **state)
{
    Agent *agent = *state;

    tick_decide(agent);
    assert_true(agent->ksmd_cpu_percent < 0); /* one look is no rate */
    fakeroot_write(fakeagent_root(agent), "proc/37/schedstat", "%s\n", "133498000 3112032 21");
    agent->cpu_marks[0].time_us -= 100000;
    tick_decide(agent);
    /* 20 ms in the 100 ms or more since the first look */
    assert_true(agent->ksmd_cpu_percent > 0 && agent->ksmd_cpu_percent <= 20.0);
    fakeroot_remove(fakeagent_root(agent), "proc/37");
    tick_decide(agent);
    assert_true(agent->ksmd_cpu_percent < 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_full_tick_finds_the_process_and_its_figures),
        ON_HOST(a_process_that_has_exited_leaves_nothing_known),
        ON_HOST(weight_and_wait_of_a_domain_are_told_as_its_definition_asks),
        ON_HOST(the_process_of_a_domain_that_only_a_client_knows_is_found_by_its_uuid),
        ON_HOST(processes_of_many_claimed_domains_are_looked_for_one_at_a_time),
        ON_HOST(a_decision_is_counted_timed_and_kept),
        ON_HOST(triggers_close_together_are_one_decision_and_none_is_lost),
        ON_HOST(whoever_waits_for_a_decision_is_told_after_it),
        ON_HOST(of_several_wishes_the_earliest_stands),
        ON_HOST(the_next_tick_comes_when_policy_wants_it),
        ON_HOST(nothing_happens_after_the_end),
        ON_HOST(an_event_moves_ksm_and_leaves_reclaim_to_the_next_full_tick),
        ON_HOST(another_writer_is_yielded_to_and_the_tick_says_so),
        ON_HOST(observing_decides_and_writes_nothing),
        ON_HOST(the_manager_is_told_each_reason_and_none_twice),
        ON_HOST(a_host_without_ksm_is_decided_upon_too),
        ON_HOST(ksmds_share_of_a_cpu_is_told_as_far_as_it_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
