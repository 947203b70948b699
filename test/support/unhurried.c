/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unhurried.c - clients with longer limits, for a daemon that something slows down
 *
 * Linked into a client in front of what opens calls. VIRTKSM_PATIENCE says by how much all limits
 * are multiplied; without it they are those of the client.
 */
#include "proto/grpc_client.h"

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

static GrpcRpc
with_patience(const GrpcRpc *rpc)
{
    const char *text = getenv("VIRTKSM_PATIENCE");
    GrpcRpc longer = *rpc;

    if (text)
        longer.timeout_ms = (unsigned)(rpc->timeout_ms * g_ascii_strtod(text, NULL));
    return longer;
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
