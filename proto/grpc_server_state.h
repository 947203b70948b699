/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_server_state.h - the server's state, for its calls (inside the library)
 */
#ifndef PROTO_GRPC_SERVER_STATE_H
#define PROTO_GRPC_SERVER_STATE_H

#include "proto/grpc_session.h"

struct GrpcServer {
    unsigned refs;              /* one of the owner, one per session; freed at 0 */
    GMainContext *context;      /* owned; where all sources run */
    GrpcLimits limits;          /* copy */
    GHashTable *methods;        /* owned; path -> GrpcMethod (borrowed rows) */
    GPtrArray *listeners;       /* owned; of Listener */
    GQueue sessions;            /* of GrpcSession, a reference each */
    GrpcUserBudgets budgets[2]; /* messages held for all connections, by read_only */
    GrpcServerStats stats;      /* totals; the current ones are filled in when asked */
    GrpcAccess access;          /* NULL allows everything */
    gpointer access_data;       /* borrowed; for @access */
    gpointer data;              /* owner's, see @destroy */
    GDestroyNotify destroy;     /* for @data; may be NULL */
    GSource *ending;            /* owned; timer of a shutdown; NULL if none */
    bool is_draining;           /* shutdown was asked for */
    gpointer done_data;         /* for @done */
    /* After a shutdown; NULL once called or if nobody asked. */
    void (*done)(GrpcServer *server, gpointer user_data);
};

/**
 * grpc_server_forget() - a session of this server is closed and has no calls left
 */
void grpc_server_forget(GrpcSession *session);

/**
 * grpc_server_release() - a session of this server was freed: drop its reference
 */
void grpc_server_release(GrpcSession *session);

#endif
