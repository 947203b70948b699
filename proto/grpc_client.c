/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_client.c - connections of a client, and the blocking call
 *
 * A connection is used until it breaks or the server says goodbye (GOAWAY); then the next call
 * makes a new one while calls on the old one finish. A client with a context of its own looks at
 * its connection before each call, so that a daemon that was restarted meanwhile is simply
 * connected to anew.
 */
#include "proto/grpc_client.h"

#include "proto/grpc_client_state.h"
#include "proto/grpc_socket.h"

#include <unistd.h>

/* Turns of its own context before a call, for what a connection has brought meanwhile. Not "until
 * nothing is left": a source of the caller may always be ready, as that of a closed terminal is. */
#define TURNS_BEFORE_CALL 16

GrpcClient *
grpc_client_new(const char *path, GMainContext *context)
{
    GrpcClient *client = g_new0(GrpcClient, 1);

    client->refs = 1;
    client->path = g_strdup(path);
    client->has_own_context = context == NULL;
    client->context = context ? g_main_context_ref(context) : g_main_context_new();
    return client;
}

static void
client_unref(GrpcClient *client)
{
    if (--client->refs > 0)
        return;
    g_main_context_unref(client->context);
    g_free(client->path);
    g_free(client);
}

void
grpc_client_free(GrpcClient *client)
{
    GList *link;

    if (!client)
        return;
    client->is_freed = true;
    link = client->sessions.head;
    while (link) {
        GrpcSession *session = link->data;

        if (session->is_closed) {
            link = link->next;
            continue;
        }
        grpc_session_close(session, "the client is gone");
        link = client->sessions.head; /* closing may have unlinked any of them */
    }
    client_unref(client);
}

GMainContext *
grpc_client_context(const GrpcClient *client)
{
    return client->context;
}

void
grpc_client_forget(GrpcSession *session)
{
    GrpcClient *client = session->owner;

    g_queue_unlink(&client->sessions, &session->link);
    grpc_session_unref(session);
}

void
grpc_client_release(GrpcSession *session)
{
    client_unref(session->owner);
}

static GrpcSession *
connect_session(GrpcClient *client, unsigned timeout_ms, GError **error)
{
    GrpcSessionSetup setup = {
        .fd = grpc_socket_connect(client->path, timeout_ms, error),
        .context = client->context,
        .limits = &grpc_client_limits,
        .ops = &grpc_client_call_ops,
        .owner = client,
        .priority = GRPC_SOURCE_PRIORITY,
    };
    GrpcSession *session;

    if (setup.fd < 0)
        return NULL;
    client->refs++; /* given back by grpc_client_release() */
    session = grpc_session_new(&setup);
    if (!session) {
        g_set_error(error, GRPC_ERROR, GRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    g_queue_push_tail_link(&client->sessions, &session->link);
    return session;
}

static GrpcSession *
usable_session(GrpcClient *client, unsigned timeout_ms, GError **error)
{
    unsigned turns = client->has_own_context ? TURNS_BEFORE_CALL : 0;
    GrpcSession *session;

    while (turns > 0 && g_main_context_iteration(client->context, FALSE))
        turns--;
    session = client->sessions.tail ? client->sessions.tail->data : NULL;
    if (session && !session->is_closed && !session->is_draining)
        return session;
    return connect_session(client, timeout_ms, error);
}

static GrpcClientCall *
open_call(GrpcClient *client, const GrpcRpc *rpc, GError **error)
{
    GrpcSession *session = usable_session(client, rpc->timeout_ms, error);
    GrpcClientCall *call;

    if (!session)
        return NULL;
    call = grpc_client_call_new(session, rpc);
    if (!call)
        g_set_error(error, GRPC_ERROR, GRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return call;
}

GrpcClientCall *
grpc_client_open(GrpcClient *client, const GrpcRpc *rpc, const GrpcClientHandler *handler,
                 gpointer user_data, GError **error)
{
    GrpcClientCall *call = open_call(client, rpc, error);

    if (!call)
        return NULL;
    call->handler = handler;
    call->user_data = user_data;
    return call;
}

bool
grpc_client_unary(GrpcClient *client, const GrpcRpc *rpc, const ProtobufCMessage *request,
                  ProtobufCMessage **ret_response, GError **error)
{
    g_autoptr(GrpcClientCall) call = open_call(client, rpc, error);

    if (!call)
        return false;
    call->keeps_first = true;
    if (!grpc_client_call_send(call, request)) {
        grpc_client_call_cancel(call);
        g_set_error(error, GRPC_ERROR, GRPC_STATUS_RESOURCE_EXHAUSTED,
                    "the request is too large to send");
        return false;
    }
    grpc_client_call_half_close(call);
    if (!grpc_client_call_wait(call, error))
        return false;
    if (call->n_messages != 1) {
        g_set_error(error, GRPC_ERROR, GRPC_STATUS_UNIMPLEMENTED, "expected one answer, got %u",
                    call->n_messages);
        return false;
    }
    *ret_response = g_steal_pointer(&call->kept); /* the caller owns it from here */
    return true;
}
