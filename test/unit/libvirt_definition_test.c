/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt_definition_test.c - a definition that is understood no more, and what becomes of the old;
 * one that libvirt does not give
 */
#include "agent/source/libvirt_definition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/error.h"
#include "agent/tenant.h"
#include "test/support/fakeagent.h"
#include "test/support/warned.h"

#define ON_AGENT(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)
#define UUID           "c7a5fdbd-edaf-9455-926a-d65c16db1809"
/* A definition of "web" that is listed, and asks for reclaim. */
#define DEFINITION(group)                                                                          \
    "<domain type='kvm'><name>web</name><memory>65536</memory><metadata>"                          \
    "<v:policy xmlns:v='urn:virtksm:domain:1'><v:ksm group='" group "' merge='yes'/>"              \
    "<v:balloon mode='on'/><v:memory_high mode='on'/></v:policy></metadata></domain>"

/* The connection: whether it is up, and how often it was asked. */
static int connection;
#define CONN ((VirtConn *)&connection)
static bool is_up = true;
static unsigned asked;

bool __wrap_virt_conn_is_up(const VirtConn *self);
bool __wrap_ask_xml(VirtConn *self, const char *uuid, AskedXml done, gpointer user);

bool
__wrap_virt_conn_is_up(const VirtConn *self)
{
    assert_ptr_equal(self, CONN);
    return is_up;
}

bool
__wrap_ask_xml(VirtConn *self, const char *uuid, AskedXml done, gpointer user)
{
    assert_ptr_equal(self, CONN);
    assert_string_equal(uuid, UUID);
    (void)done, (void)user;
    asked++;
    return true;
}

static Domain *
add(Agent *agent)
{
    Domain *domain = domain_table_add(&agent->domains, UUID, "web", 3, 1);

    domain->is_libvirts = true;
    warnings = 0;
    return domain;
}

/* As libvirt has given it. */
static void
take(Agent *agent, const char *text)
{
    g_autofree DomainXml *xml = g_new0(DomainXml, 1);
    g_autoptr(GError) error = NULL;

    if (domain_xml_parse(text, strlen(text), xml, &error))
        libvirt_definition_take(UUID, g_steal_pointer(&xml), NULL, agent);
    else
        libvirt_definition_take(UUID, NULL, error, agent);
}

/* What policy is told of the only domain. */
static DomainSample
fill(Agent *agent)
{
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);
    const Domain *domain = g_ptr_array_index(domains, 0);
    DomainSample sample = domain_sample_unknown();

    tenant_follow(agent, domains);
    tenant_fill(agent, domain, &sample);
    domain_tell_wishes(domain, &sample);
    return sample;
}

static void
an_old_group_ends_with_its_definition(void **state)
{
    Agent *agent = *state;
    const Domain *domain = add(agent);
    DomainSample sample;

    take(agent, DEFINITION("blue"));
    sample = fill(agent);
    assert_string_equal(domain->group, "blue");
    assert_true(sample.group > 0);
    assert_int_equal(sample.merge_wish, MERGE_WISH_YES);
    assert_int_equal(sample.balloon_mode, MECHANISM_ON);
    assert_int_equal(warnings, 0);

    take(agent, DEFINITION("red") "<");
    sample = fill(agent);
    assert_null(domain->group);
    assert_int_equal(sample.group, 0);
    assert_true(sample.is_defined); /* the host does not wait for it */
    assert_int_equal(sample.merge_wish, MERGE_WISH_NONE);
    assert_int_equal(sample.balloon_mode, MECHANISM_OFF);
    assert_int_equal(sample.high_mode, MECHANISM_OFF);
    assert_int_equal(domain->xml.maximum_bytes, 64 << 20);
    assert_string_equal(domain_merge_text(domain), "definition not understood");

    take(agent, DEFINITION("red"));
    sample = fill(agent);
    assert_string_equal(domain->group, "red");
    assert_int_equal(sample.merge_wish, MERGE_WISH_YES);
    assert_int_equal(sample.balloon_mode, MECHANISM_ON);
    assert_string_equal(domain_merge_text(domain), "can merge");
}

static void
who_does_not_want_to_be_merged_is_not(void **state)
{
    Agent *agent = *state;
    Domain *domain = add(agent);

    take(agent, DEFINITION("blue"));
    domain->xml.policy.merge = MERGE_WISH_NO;
    take(agent, "<");
    assert_int_equal(fill(agent).merge_wish, MERGE_WISH_NO);
}

static void
it_is_told_of_once_and_by_name(void **state)
{
    Agent *agent = *state;

    add(agent);
    take(agent, DEFINITION("blue"));
    take(agent, "<");
    take(agent, "<");
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_warning, "web: definition not understood, so it is in no group"));
    take(agent, "<x/>");
    assert_int_equal(warnings, 2);
    take(agent, DEFINITION("blue"));
    take(agent, "<x/>");
    assert_int_equal(warnings, 3);
}

static void
what_libvirt_cannot_tell_changes_nothing(void **state)
{
    g_autoptr(GError) away = g_error_new_literal(AGENT_ERROR, AGENT_ERROR_VIRT, "away");
    g_autoptr(GError) gone = g_error_new_literal(AGENT_ERROR, AGENT_ERROR_GONE, "gone");
    Agent *agent = *state;
    const Domain *domain = add(agent);

    take(agent, DEFINITION("blue"));
    libvirt_definition_take(UUID, NULL, gone, agent);
    assert_int_equal(warnings, 0);
    libvirt_definition_take(UUID, NULL, away, agent);
    assert_int_equal(warnings, 0); /* a libvirt that goes away is told of elsewhere */
    for (unsigned i = 0; i < 5; i++)
        libvirt_definition_take(UUID, NULL, away, agent);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_warning, "web: definition not read, keeping the one before: away"));
    assert_int_equal(fill(agent).balloon_mode, MECHANISM_ON);
    assert_string_equal(domain->group, "blue");
}

static int
teardown_group(void **unused)
{
    (void)unused;
    g_free(last_warning);
    return 0;
}

/* As if the last question had been so long ago. Return: how often libvirt is asked now. */
static unsigned
ask_after(Agent *agent, Domain *domain, uint64_t seconds)
{
    if (domain->xml_asked_us > 0)
        domain->xml_asked_us = (uint64_t)g_get_monotonic_time() - seconds * 1000000;
    asked = 0;
    libvirt_definition_ask_again(agent, CONN);
    return asked;
}

static void
libvirt_is_asked_until_it_has_answered(void **state)
{
    g_autoptr(GError) away = g_error_new_literal(AGENT_ERROR, AGENT_ERROR_VIRT, "away");
    Agent *agent = *state;
    Domain *domain = add(agent);

    assert_int_equal(ask_after(agent, domain, 0), 1); /* the hook has told of it */
    assert_int_equal(ask_after(agent, domain, 4), 0);
    assert_int_equal(ask_after(agent, domain, 5), 1);
    assert_int_equal(ask_after(agent, domain, 9), 0); /* it does not answer */
    is_up = false;
    assert_int_equal(ask_after(agent, domain, 10), 0);
    is_up = true;
    assert_int_equal(ask_after(agent, domain, 10), 1);
    take(agent, DEFINITION("blue"));
    assert_int_equal(ask_after(agent, domain, 86400), 0);

    libvirt_definition_ask(agent, CONN, UUID); /* it has changed */
    assert_int_equal(ask_after(agent, domain, 4), 0);
    assert_int_equal(ask_after(agent, domain, 5), 1);
    take(agent, "<");
    assert_int_equal(ask_after(agent, domain, 86400), 0); /* the answer would be the same */

    take(agent, DEFINITION("blue"));
    libvirt_definition_ask(agent, CONN, UUID);
    libvirt_definition_ask(agent, CONN, UUID); /* it has changed again */
    take(agent, DEFINITION("blue"));
    libvirt_definition_take(UUID, NULL, away, agent);
    assert_int_equal(ask_after(agent, domain, 5), 1); /* for what the first could not know */
    take(agent, DEFINITION("red"));

    for (unsigned i = 0; i < 40; i++)
        libvirt_definition_ask(agent, CONN, UUID);
    assert_int_equal(ask_after(agent, domain, 319), 0);
    assert_int_equal(ask_after(agent, domain, 320), 1);
    assert_false(libvirt_definition_ask(agent, CONN, "nobody"));
    assert_false(libvirt_definition_ask(agent, NULL, UUID));
}

static void
one_that_is_no_libvirts_is_not_asked_for(void **state)
{
    Agent *agent = *state;
    Domain *domain = add(agent);

    domain->is_libvirts = false;
    assert_int_equal(ask_after(agent, domain, 86400), 0);
}

static void
what_is_assumed_without_a_definition_is_said(void **state)
{
    static const char *const wants[] = { "assuming it can merge",
                                         "so nothing is scanned while it runs" };
    Agent *agent = *state;

    add(agent);
    for (unsigned enforce = 0; enforce < 2; enforce++) {
        agent->conf->policy.tenancy_enforce = enforce ? TENANCY_ENFORCE_YES : TENANCY_ENFORCE_NO;
        take(agent, enforce ? "<x/>" : "<");
        assert_non_null(strstr(last_warning, wants[enforce]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_AGENT(an_old_group_ends_with_its_definition),
        ON_AGENT(who_does_not_want_to_be_merged_is_not),
        ON_AGENT(it_is_told_of_once_and_by_name),
        ON_AGENT(what_libvirt_cannot_tell_changes_nothing),
        ON_AGENT(libvirt_is_asked_until_it_has_answered),
        ON_AGENT(one_that_is_no_libvirts_is_not_asked_for),
        ON_AGENT(what_is_assumed_without_a_definition_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, teardown_group);
}
