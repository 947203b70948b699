/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set.c - Set: what a client asks for a domain, put into the domain's own metadata
 *
 * So it is where virsh and the domain's owner find it, and goes with the domain when it migrates.
 * libvirt is asked in a worker; the answer waits until the agent has read what was written.
 */
#include "agent/error.h"
#include "agent/rpc/method.h"
#include "agent/source/source.h"

/* One request under way. */
typedef struct {
    GrpcCall *call;  /* owned */
    char *uuid;      /* owned; of the domain */
    char **settings; /* owned; as they came */
    bool persist;    /* for its next start as well */
} Wish;

static void
wish_free(gpointer data)
{
    Wish *wish = data;

    grpc_call_unref(wish->call);
    g_free(wish->uuid);
    g_strfreev(wish->settings);
    g_free(wish);
}

static GrpcStatus
status_of(const GError *error)
{
    if (g_error_matches(error, AGENT_ERROR, AGENT_ERROR_CONF))
        return GRPC_STATUS_INVALID_ARGUMENT;
    if (g_error_matches(error, AGENT_ERROR, AGENT_ERROR_GONE))
        return GRPC_STATUS_NOT_FOUND;
    return GRPC_STATUS_FAILED_PRECONDITION;
}

static Virtksm__V1__SetResponse *
make_answer(const Domain *domain, const Wish *wish)
{
    Virtksm__V1__SetResponse *message = g_new(Virtksm__V1__SetResponse, 1);

    virtksm__v1__set_response__init(message);
    message->name = g_strdup(domain->name);
    message->uuid = g_strdup(domain->uuid);
    message->settings = g_strdupv(wish->settings);
    message->n_settings = g_strv_length(wish->settings);
    MESSAGE_SET(message, persist, wish->persist);
    if (domain->has_xml)
        message->fault = g_strdup(domain->xml.policy.fault);
    return message;
}

static void
answer(Agent *agent, const GError *error, gpointer data)
{
    const Wish *wish = data;
    const Domain *domain = domain_table_get(&agent->domains, wish->uuid);

    if (error)
        grpc_call_fail(wish->call, status_of(error), error->message);
    else if (!domain)
        grpc_call_fail(wish->call, GRPC_STATUS_NOT_FOUND, "the domain has ended meanwhile");
    else
        method_reply(wish->call, &make_answer(domain, wish)->base);
}

/* Before anything is copied: a message has room for several hundred thousand. */
static bool
check_number(GrpcCall *call, const Virtksm__V1__SetRequest *request)
{
    size_t most = libvirt_source_set_most();
    g_autofree char *text = NULL;

    if (request->n_settings <= most)
        return true;
    text = g_strdup_printf("expected at most %zu settings, as many as there are keys", most);
    grpc_call_fail(call, GRPC_STATUS_INVALID_ARGUMENT, text);
    return false;
}

/* The texts of a request as an array with an end. */
static char **
copy_settings(const Virtksm__V1__SetRequest *request)
{
    char **settings = g_new0(char *, request->n_settings + 1);

    for (size_t i = 0; i < request->n_settings; i++)
        settings[i] = g_strdup(request->settings[i]);
    return settings;
}

static void
set_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const Virtksm__V1__SetRequest *request = (const Virtksm__V1__SetRequest *)data;
    g_autoptr(GError) error = NULL;
    const Domain *domain;
    SetOrder order;
    Wish *wish;

    if (!check_number(call, request) || !method_find_domain(call, request->domain, &domain))
        return;
    if (!domain) {
        grpc_call_fail(call, GRPC_STATUS_INVALID_ARGUMENT, "domain: expected a name or a uuid");
        return;
    }
    wish = g_new(Wish, 1);
    *wish = (Wish){ grpc_call_ref(call), g_strdup(domain->uuid), copy_settings(request),
                    request->persist };
    order = (SetOrder){ .uuid = wish->uuid,
                        .settings = (const char *const *)wish->settings,
                        .persist = wish->persist,
                        .done = answer,
                        .user = wish,
                        .destroy = wish_free };
    if (libvirt_source_set(method_agent(call), &order, &error))
        return; /* the order owns the wish from here */
    grpc_call_fail(call, status_of(error), error->message);
    wish_free(wish);
}

const GrpcHandler set_handler = { .message = set_message };
