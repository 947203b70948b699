/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tenant_test.c - what is told of domains that start, and of those that are parted from others */
#define _GNU_SOURCE
#include "agent/tenant.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/virt/merge.h"
#include "test/support/fakeagent.h"
#include "test/support/fakeroot.h"

#define ON_AGENT(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)
#define UUID           "c7a5fdbd-edaf-9455-926a-d65c16db1809"

static Domain *
add(Agent *agent)
{
    Domain *domain = domain_table_add(&agent->domains, UUID, "web", 3, 1);

    domain->is_libvirts = true;
    agent->plan.tenancy.is_enforced = true;
    agent->started_us = 1;
    return domain;
}

/* There is only one. */
static void
note(Agent *agent)
{
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);
    DomainSample sample = domain_sample_unknown();

    assert_int_equal(domains->len, 1);
    tenant_fill(agent, g_ptr_array_index(domains, 0), &sample);
    tenant_note(agent, domains, &sample);
}

/* As QEMU and its mappings say. */
static Hold *
switch_off(Agent *agent, const Domain *domain)
{
    const Subject subject = { .uuid = domain->uuid, .name = domain->name, .id = domain->id };
    Hold *hold = hold_need(&agent->merge.holds, &subject);

    hold->foreign_bytes = MERGE_VALUE_OFF;
    hold->looked_us = hold->changed_us = 1;
    return hold;
}

static void
who_is_parted_is_told_of_once(void **state)
{
    Agent *agent = *state;
    Hold *hold;

    hold = switch_off(agent, add(agent));
    note(agent);
    assert_int_equal(agent->tick.departures, 1);
    note(agent);
    assert_int_equal(agent->tick.departures, 1);
    hold->foreign_bytes = VALUE_UNKNOWN; /* on again */
    note(agent);
    hold->foreign_bytes = MERGE_VALUE_OFF;
    note(agent);
    assert_int_equal(agent->tick.departures, 2);
}

/* How long ago its QEMU began. */
#define AGE_S  100
#define AGE_US ((uint64_t)AGE_S * G_USEC_PER_SEC)

static void
give_process(Agent *agent, Domain *domain)
{
    const long hz = sysconf(_SC_CLK_TCK);
    struct timespec now;
    FakeRoot *root = fakeagent_root(agent);

    clock_gettime(CLOCK_BOOTTIME, &now);
    fakeroot_write(root, "proc/42/stat",
                   "42 (qemu) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %ld 0 0\n",
                   (now.tv_sec - AGE_S) * hz + now.tv_nsec * hz / 1000000000);
    domain->process = (Process){
        .pid = 42, .dir_fd = openat(fakeroot_fd(root), "proc/42", O_PATH | O_DIRECTORY | O_CLOEXEC)
    };
    domain->has_process = true;
}

static void
the_window_of_a_start_ends_when_scanning_stands_still(void **state)
{
    const uint64_t tick_us = G_USEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
    Agent *agent = *state;
    uint64_t begun_us = (uint64_t)g_get_monotonic_time();
    uint64_t took_us;
    Domain *domain = add(agent);

    note(agent);
    assert_int_equal(agent->window.window_us, VALUE_UNKNOWN); /* its QEMU is not known yet */
    give_process(agent, domain);
    agent->plan.tenancy.is_paused = true;
    note(agent);
    took_us = (uint64_t)g_get_monotonic_time() - begun_us;
    assert_in_range(agent->window.window_us, AGE_US - took_us - 2 * tick_us,
                    AGE_US + took_us + 2 * tick_us);
    /* What is noted is that of the start, whatever happens later. */
    begun_us = agent->window.window_us;
    agent->plan.tenancy.is_paused = false;
    note(agent);
    agent->plan.tenancy.is_paused = true;
    note(agent);
    assert_int_equal(agent->window.window_us, begun_us);
}

static void
scanning_that_stood_still_before_leaves_no_window(void **state)
{
    Agent *agent = *state;
    Domain *domain = add(agent);

    agent->plan.tenancy.is_paused = true;
    note(agent);
    agent->window.paused_us -= 2 * AGE_US;
    give_process(agent, domain);
    note(agent);
    assert_int_equal(agent->window.window_us, 0);
}

static void
who_ran_before_the_agent_tells_nothing(void **state)
{
    Agent *agent = *state;
    Domain *domain = add(agent);

    agent->started_us = (uint64_t)g_get_monotonic_time();
    give_process(agent, domain);
    agent->plan.tenancy.is_paused = true;
    note(agent);
    assert_int_equal(agent->window.window_us, VALUE_UNKNOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_AGENT(who_is_parted_is_told_of_once),
        ON_AGENT(the_window_of_a_start_ends_when_scanning_stands_still),
        ON_AGENT(scanning_that_stood_still_before_leaves_no_window),
        ON_AGENT(who_ran_before_the_agent_tells_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
