/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_client.h - call gRPC methods on a UNIX socket
 *
 * A client connects when the first call needs it and again after the connection broke. A blocking
 * call runs the client's main context until the answer is there; streams deliver their messages
 * while that context runs.
 */
#ifndef PROTO_GRPC_CLIENT_H
#define PROTO_GRPC_CLIENT_H

#include "proto/grpc.h"

typedef struct GrpcClient GrpcClient;
typedef struct GrpcClientCall GrpcClientCall;

/* Which method to call, and how. */
typedef struct {
    const char *path;                           /* "/package.Service/Method"; borrowed */
    const ProtobufCMessageDescriptor *response; /* type of response messages */
    unsigned timeout_ms;                        /* deadline from now; 0 is none */
} GrpcRpc;

/* What happens on a call; callbacks that are not needed stay NULL. */
typedef struct {
    /* A response message; @message is borrowed for this callback. */
    void (*message)(GrpcClientCall *call, const ProtobufCMessage *message, gpointer user_data);
    /* Everything sent so far has left the queue of this call. */
    void (*drained)(GrpcClientCall *call, gpointer user_data);
    /* The call is over, once; @error is NULL for success, else in GRPC_ERROR; borrowed. */
    void (*finished)(GrpcClientCall *call, const GError *error, gpointer user_data);
} GrpcClientHandler;

/**
 * grpc_client_new() - make a client of the server at a socket path; does not connect yet
 * @path:    of the server's socket; copied
 * @context: main context its sources run in; NULL makes one for this client alone, which only the
 *           blocking functions and grpc_client_context() reach
 *
 * Return: owned by the caller; end with grpc_client_free()
 */
GrpcClient *grpc_client_new(const char *path, GMainContext *context);

/**
 * grpc_client_free() - close the connection and let go of the client
 * @client: consumed; may be NULL. Calls that are open finish with CANCELLED.
 */
void grpc_client_free(GrpcClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GrpcClient, grpc_client_free)

/**
 * grpc_client_context() - the main context that makes the client's calls progress (borrowed)
 */
GMainContext *grpc_client_context(const GrpcClient *client);

/**
 * grpc_client_unary() - make a call with one request and one response, and wait for it
 * @client:       the client
 * @rpc:          the method
 * @request:      of the method's request type; borrowed
 * @ret_response: owned by the caller, free with its free_unpacked(message, NULL)
 * @error:        GRPC_ERROR; UNAVAILABLE with a text that names the socket if nobody answers there
 */
bool grpc_client_unary(GrpcClient *client, const GrpcRpc *rpc, const ProtobufCMessage *request,
                       ProtobufCMessage **ret_response, GError **error);

/**
 * grpc_client_open() - begin a call of any kind
 * @client:    the client
 * @rpc:       the method
 * @handler:   borrowed, must outlive the call (a static table)
 * @user_data: for the handler
 * @error:     GRPC_ERROR; UNAVAILABLE if there is no connection to be had
 *
 * Return: a reference owned by the caller, who sends the request or requests, half-closes, and
 * runs the context. NULL on failure, and then `finished` is not called.
 */
GrpcClientCall *grpc_client_open(GrpcClient *client, const GrpcRpc *rpc,
                                 const GrpcClientHandler *handler, gpointer user_data,
                                 GError **error);

/**
 * grpc_client_call_unref() - give up the reference to a call; one that is open goes on
 * @call: may be NULL
 */
void grpc_client_call_unref(GrpcClientCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GrpcClientCall, grpc_client_call_unref)

/**
 * grpc_client_call_send() - queue one request message
 * @call:    the call
 * @message: of the method's request type; packed before this returns, still the caller's
 *
 * Return: false if the call is over or half-closed, or too much is queued already
 */
bool grpc_client_call_send(GrpcClientCall *call, const ProtobufCMessage *message);

/**
 * grpc_client_call_half_close() - say that no more requests follow
 */
void grpc_client_call_half_close(GrpcClientCall *call);

/**
 * grpc_client_call_cancel() - give the call up: it finishes with CANCELLED, before this returns
 */
void grpc_client_call_cancel(GrpcClientCall *call);

/**
 * grpc_client_call_wait() - run the client's context until the call has finished
 * @call:  the call
 * @error: GRPC_ERROR if it did not finish with OK
 *
 * Return: true if it finished with OK
 */
bool grpc_client_call_wait(GrpcClientCall *call, GError **error);

#endif
