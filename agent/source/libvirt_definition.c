/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt_definition.c - what is made of a definition that libvirt gave
 *
 * A change that a client asked for goes to libvirt first and comes back as the definition after it,
 * so that the client is answered when the agent knows what it has set. libvirt's event about it
 * comes as well, and changes nothing more.
 */
#include "agent/source/libvirt_definition.h"
#include "agent/agent.h"
#include "agent/error.h"
#include "agent/log_event.h"
#include "agent/virt/domain_metadata.h"
#include "agent/virt/domain_setting.h"
#include "agent/virt/set.h"
#include "policy/tenancy.h"

/* An answer takes milliseconds. Each question without one doubles the time to the next, as it may
 * wait in the queue of a libvirt that hangs. */
#define ASK_GAP_US        UINT64_C(2500000)
#define ASK_GAP_DOUBLINGS 7
/* A libvirt that goes away fails all questions that wait: one failure is no news. */
#define FAILURES_BEFORE_WARNING 2

/* Says what is wrong in a domain's metadata, once for as long as it stays the same: a definition is
 * read again whenever anything in it changes. */
static void
warn_of_policy(const Domain *domain, const DomainXmlPolicy *policy)
{
    const char *told = domain->has_xml ? domain->xml.policy.fault : NULL;

    if (!policy->fault || g_strcmp0(policy->fault, told) == 0)
        return;
    if (policy->faults > 1)
        log_event(LOG_EVENT_METADATA, "%s: metadata: %s (and %" G_GUINT32_FORMAT " more)",
                  domain->name, policy->fault, policy->faults - 1);
    else
        log_event(LOG_EVENT_METADATA, "%s: metadata: %s", domain->name, policy->fault);
}

static const char *
without_definition(const Agent *agent)
{
    return tenancy_is_enforced(&agent->conf->policy) ? "so nothing is scanned while it runs"
                                                     : "assuming it can merge";
}

/* One that is not understood stays so until it is changed: it is told of once. */
static void
note_unread(Agent *agent, Domain *domain, const char *reason)
{
    if (g_strcmp0(domain->unread, reason) == 0)
        return;
    log_warning("%s: definition not understood, %s: %s", domain->name,
                domain->has_xml ? "so it is in no group now and reclaim leaves it alone"
                                : without_definition(agent),
                reason);
    g_free(domain->unread);
    domain->unread = g_strdup(reason);
    domain->has_group = false;
    tick_want(agent, 0);
}

static void
note_answer(Domain *domain)
{
    domain->is_xml_wanted = false;
    domain->xml_asks = domain->xml_failures = 0;
}

/* Where libvirt fails, nothing is known of a change, and it is asked again. */
static void
note_failure(Agent *agent, Domain *domain, const GError *error)
{
    if (error->domain == DOMAIN_XML_ERROR) {
        note_answer(domain);
        note_unread(agent, domain, error->message);
        return;
    }
    if (g_error_matches(error, AGENT_ERROR, AGENT_ERROR_GONE)) {
        note_answer(domain);
        return;
    }
    domain->is_xml_wanted = true; /* also where an older question was answered meanwhile */
    if (++domain->xml_failures == FAILURES_BEFORE_WARNING)
        log_warning("%s: definition not read, %s: %s", domain->name,
                    domain->has_xml ? "keeping the one before" : without_definition(agent),
                    error->message);
}

void
libvirt_definition_take(const char *uuid, DomainXml *xml, const GError *error, gpointer data)
{
    Agent *agent = data;
    Domain *domain = domain_table_get(&agent->domains, uuid);

    if (!xml && domain)
        note_failure(agent, domain, error);
    if (xml && domain) {
        warn_of_policy(domain, &xml->policy);
        if (domain->has_xml)
            domain_xml_clear(&domain->xml);
        domain->xml = *xml; /* the domain owns what it points to from here */
        domain->has_xml = true;
        note_answer(domain);
        g_clear_pointer(&domain->unread, g_free);
        domain->has_group = false;
        tick_want(agent, 0);
    } else if (xml) {
        domain_xml_clear(xml);
    }
    g_free(xml);
}

bool
libvirt_definition_ask(Agent *agent, VirtConn *conn, const char *uuid)
{
    Domain *domain = domain_table_get(&agent->domains, uuid);
    bool asked;

    if (!domain || !conn)
        return false;
    domain->is_xml_wanted = true;
    domain->xml_asked_us = (uint64_t)g_get_monotonic_time();
    asked = ask_xml(conn, uuid, libvirt_definition_take, agent);
    domain->xml_asks += asked;
    return asked;
}

/* Whether an answer is overdue; @now_us: CLOCK_MONOTONIC */
static bool
is_due(const Domain *domain, uint64_t now_us)
{
    uint64_t gap_us = ASK_GAP_US << MIN(domain->xml_asks, ASK_GAP_DOUBLINGS);

    if (!domain->is_libvirts || (!domain->is_xml_wanted && (domain->has_xml || domain->unread)))
        return false;
    return domain->xml_asked_us == 0 || sat_sub(now_us, domain->xml_asked_us) >= gap_us;
}

void
libvirt_definition_ask_again(Agent *agent, VirtConn *conn)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    GHashTableIter iter;
    gpointer value;

    if (!conn || !virt_conn_is_up(conn))
        return;
    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Domain *domain = value;

        if (is_due(domain, now_us))
            libvirt_definition_ask(agent, conn, domain->uuid);
    }
}

/* --- changes ---------------------------------------------------------------------------- */

typedef struct {
    Agent *agent;                                                   /* borrowed */
    void (*done)(Agent *agent, const GError *error, gpointer user); /* see SetOrder */
    gpointer user;                                                  /* owned through destroy */
    GDestroyNotify destroy;                                         /* of user */
} Pending;

static void
pending_free(gpointer data)
{
    Pending *pending = data;

    pending->destroy(pending->user);
    g_free(pending);
}

static void
pending_done(const char *uuid, DomainXml *xml, const GError *error, gpointer data)
{
    Pending *pending = data;
    Domain *domain = domain_table_get(&pending->agent->domains, uuid);

    if (domain && xml)
        domain_forget_foreign(domain);
    if (xml)
        libvirt_definition_take(uuid, xml, NULL, pending->agent);
    pending->done(pending->agent, error, pending->user);
    pending_free(pending);
}

size_t
libvirt_source_set_most(void)
{
    size_t n;

    domain_setting_list(&n);
    return n;
}

bool
libvirt_definition_set(Agent *agent, VirtConn *conn, const SetOrder *order, GError **error)
{
    const VirtSettings settings = { order->uuid, order->settings, order->persist };
    g_autoptr(GError) reason = NULL;
    Pending *pending;

    if (!domain_metadata_check(order->settings, &reason)) {
        g_set_error_literal(error, AGENT_ERROR, AGENT_ERROR_CONF, reason->message);
        return false;
    }
    pending = g_new(Pending, 1);
    *pending = (Pending){ agent, order->done, order->user, order->destroy };
    if (conn && virt_set(conn, &settings, pending_done, pending, pending_free))
        return true; /* the job owns it from here */
    g_free(pending);
    g_set_error_literal(error, AGENT_ERROR, AGENT_ERROR_VIRT,
                        conn ? "libvirt is not connected, or does not answer"
                             : "libvirt is not used, see [libvirt] uri");
    return false;
}
