/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls_main.c - calls every method of the daemon, and prints what became of each
 *
 *     test_calls SOCKET
 *
 * A line for each: path, blank, name of the status. Requests are empty. A stream that is open after
 * half a second is DEADLINE_EXCEEDED. Exits with 1 when there is no connection to be had.
 */
#include "agent/rpc/method.h"
#include "proto/grpc_client.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS 500

static GrpcClientCall *
begin(GrpcClient *client, const GrpcMethod *method, GError **error)
{
    static const GrpcClientHandler handler = { NULL, NULL, NULL };
    const GrpcRpc rpc = { method->path, method->response, TIMEOUT_MS };
    g_autofree ProtobufCMessage *request = g_malloc0(method->request->sizeof_message);
    GrpcClientCall *call = grpc_client_open(client, &rpc, &handler, NULL, error);

    method->request->message_init(request);
    if (call && grpc_client_call_send(call, request))
        grpc_client_call_half_close(call);
    return call;
}

static void
finish(GrpcClientCall *call, const char *path)
{
    g_autoptr(GError) error = NULL;
    GrpcStatus status = GRPC_STATUS_OK;

    if (!grpc_client_call_wait(call, &error))
        status = (GrpcStatus)error->code;
    printf("%s %s\n", path, grpc_status_name(status));
}

int
main(int argc, char **argv)
{
    g_autoptr(GrpcClient) client = argc == 2 ? grpc_client_new(argv[1], NULL) : NULL;
    g_autoptr(GPtrArray) calls =
        g_ptr_array_new_with_free_func((GDestroyNotify)grpc_client_call_unref);
    g_autoptr(GError) error = NULL;
    const GrpcMethod *methods;
    size_t n;

    methods = method_list(&n);
    for (size_t i = 0; client && !error && i < n; i++)
        g_ptr_array_add(calls, begin(client, &methods[i], &error));
    if (!client || error) {
        fprintf(stderr, "%s\n", error ? error->message : "usage: test_calls SOCKET");
        return EXIT_FAILURE;
    }
    for (guint i = 0; i < calls->len; i++)
        finish(g_ptr_array_index(calls, i), methods[i].path);
    return EXIT_SUCCESS;
}
