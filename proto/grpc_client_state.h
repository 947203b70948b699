/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_client_state.h - the client's state, and its calls as it sees them (inside the library)
 */
#ifndef PROTO_GRPC_CLIENT_STATE_H
#define PROTO_GRPC_CLIENT_STATE_H

#include "proto/grpc_client.h"
#include "proto/grpc_session.h"

struct GrpcClient {
    unsigned refs;         /* one of the owner, one per session; freed at 0 */
    char *path;            /* owned; of the server's socket */
    GMainContext *context; /* owned; where all sources run */
    bool has_own_context;  /* made by us: nobody else runs it */
    bool is_freed;         /* the owner let go: calls end with CANCELLED */
    GQueue sessions;       /* of GrpcSession, a reference each; the newest last */
};

struct GrpcClientCall {
    GrpcStream stream;                          /* embedded; the call lives as long as it is open */
    unsigned refs;                              /* of the open stream and of the caller */
    GrpcSession *session;                       /* a reference */
    const GrpcClientHandler *handler;           /* borrowed */
    gpointer user_data;                         /* for @handler */
    const ProtobufCMessageDescriptor *response; /* type of response messages */
    GSource *deadline;                          /* owned; NULL if there is none */
    ProtobufCMessage *kept;                     /* owned; first response if keeps_first */
    char *text;                                 /* owned; decoded grpc-message; NULL if none */
    GError *error;                              /* owned; once finished; NULL for OK */
    GrpcStatus status;                          /* grpc-status, if has_status */
    unsigned http_status;                       /* :status; 0 before the headers */
    unsigned n_messages;                        /* responses so far */
    bool keeps_first;                           /* a unary call wants the response itself */
    bool has_status;                            /* grpc-status arrived */
    bool is_finished;                           /* the handler was told */
};

extern const GrpcSessionOps grpc_client_call_ops; /* what client sessions do with streams */

/**
 * grpc_client_call_new() - submit the request headers of a call
 * @session: a connection that takes new streams
 * @rpc:     the method
 *
 * Return: a reference for the caller, and one held by the stream; NULL if memory ran out
 */
GrpcClientCall *grpc_client_call_new(GrpcSession *session, const GrpcRpc *rpc);

/**
 * grpc_client_forget() - a session of this client is closed and has no calls left
 */
void grpc_client_forget(GrpcSession *session);

/**
 * grpc_client_release() - a session of this client was freed: drop its reference
 */
void grpc_client_release(GrpcSession *session);

#endif
