/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unhurried.c - clients with longer limits, for a daemon that something slows down
 *
 * Linked into a client in front of what opens connections and calls. VIRTKSM_PATIENCE says by how
 * much all limits are multiplied; without it they are those of the client.
 */
#include "proto/grpc_client.h"
#include "proto/grpc_session.h"

#include <stdlib.h>

/* The linker's words. */

bool __real_grpc_client_unary(GrpcClient *client, const GrpcRpc *rpc,
                              const ProtobufCMessage *request, ProtobufCMessage **ret_response,
                              GError **error);
bool __wrap_grpc_client_unary(GrpcClient *client, const GrpcRpc *rpc,
                              const ProtobufCMessage *request, ProtobufCMessage **ret_response,
                              GError **error);
GrpcClientCall *__real_grpc_client_open(GrpcClient *client, const GrpcRpc *rpc,
                                        const GrpcClientHandler *handler, gpointer user_data,
                                        GError **error);
GrpcClientCall *__wrap_grpc_client_open(GrpcClient *client, const GrpcRpc *rpc,
                                        const GrpcClientHandler *handler, gpointer user_data,
                                        GError **error);
GrpcSession *__real_grpc_session_new(const GrpcSessionSetup *setup);
GrpcSession *__wrap_grpc_session_new(const GrpcSessionSetup *setup);

static double
patience(void)
{
    const char *text = getenv("VIRTKSM_PATIENCE");

    return text ? g_ascii_strtod(text, NULL) : 1;
}

static GrpcRpc
with_patience(const GrpcRpc *rpc)
{
    GrpcRpc longer = *rpc;

    longer.timeout_ms = (unsigned)(rpc->timeout_ms * patience());
    return longer;
}

GrpcSession *
__wrap_grpc_session_new(const GrpcSessionSetup *setup)
{
    GrpcLimits limits = *setup->limits;
    GrpcSessionSetup longer = *setup;

    limits.handshake_us = (uint64_t)((double)limits.handshake_us * patience());
    limits.keepalive_ack_us = (uint64_t)((double)limits.keepalive_ack_us * patience());
    longer.limits = &limits;
    return __real_grpc_session_new(&longer);
}

bool
__wrap_grpc_client_unary(GrpcClient *client, const GrpcRpc *rpc, const ProtobufCMessage *request,
                         ProtobufCMessage **ret_response, GError **error)
{
    const GrpcRpc longer = with_patience(rpc);

    return __real_grpc_client_unary(client, &longer, request, ret_response, error);
}

GrpcClientCall *
__wrap_grpc_client_open(GrpcClient *client, const GrpcRpc *rpc, const GrpcClientHandler *handler,
                        gpointer user_data, GError **error)
{
    const GrpcRpc longer = with_patience(rpc);

    return __real_grpc_client_open(client, &longer, handler, user_data, error);
}
