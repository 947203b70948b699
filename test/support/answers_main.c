/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answers_main.c - a virtksm.v1.Agent whose answers are files
 *
 *     test_answers SOCKET FOLDER
 *
 * A call of "Report" is answered with the packed message in FOLDER/Report, as it is at the time of
 * the call; without that file it fails with UNIMPLEMENTED. Runs until its standard input ends, so
 * that it does not outlive whoever started it.
 */
#include "proto/grpc_server.h"
#include "proto/virtksm.pb-c.h"

#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
answer(GrpcCall *call, const ProtobufCMessage *request)
{
    const GrpcMethod *method = grpc_call_method(call);
    const char *folder = grpc_server_data(grpc_call_server(call));
    g_autofree char *path = g_build_filename(folder, strrchr(method->path, '/') + 1, NULL);
    g_autofree char *bytes = NULL;
    ProtobufCMessage *message = NULL;
    gsize n = 0;

    (void)request;
    if (!g_file_get_contents(path, &bytes, &n, NULL)) {
        grpc_call_fail(call, GRPC_STATUS_UNIMPLEMENTED, "no such answer");
        return;
    }
    message = protobuf_c_message_unpack(method->response, NULL, n, (const uint8_t *)bytes);
    if (!message) {
        grpc_call_fail(call, GRPC_STATUS_INTERNAL, "the file has no such message");
        return;
    }
    grpc_call_reply(call, message);
    protobuf_c_message_free_unpacked(message, NULL);
}

static gboolean
quit(GIOChannel *input, GIOCondition condition, gpointer loop)
{
    (void)input, (void)condition;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

/* A row for each method of the service; they live as long as the program. */
static GrpcMethod *
make_methods(GPtrArray *paths)
{
    static const GrpcHandler handler = { .message = answer };
    const ProtobufCServiceDescriptor *service = &virtksm__v1__agent__descriptor;
    GrpcMethod *methods = g_new0(GrpcMethod, service->n_methods);

    for (unsigned i = 0; i < service->n_methods; i++) {
        const ProtobufCMethodDescriptor *method = &service->methods[i];
        char *path = g_strdup_printf("/%s/%s", service->name, method->name);

        g_ptr_array_add(paths, path);
        methods[i] =
            (GrpcMethod){ path, GRPC_UNARY, true, method->input, method->output, &handler };
    }
    return methods;
}

int
main(int argc, char **argv)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GIOChannel) input = g_io_channel_unix_new(STDIN_FILENO);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autofree GrpcMethod *methods = make_methods(paths);
    g_autoptr(GrpcServer) server = grpc_server_new(NULL);
    g_autoptr(GError) error = NULL;
    GrpcListen where = { NULL, 0600, (gid_t)-1, false };

    if (argc != 3) {
        fprintf(stderr, "Usage: test_answers SOCKET FOLDER\n");
        return EXIT_FAILURE;
    }
    where.path = argv[1];
    grpc_server_set_data(server, argv[2], NULL);
    grpc_server_add_methods(server, methods, paths->len);
    if (!grpc_server_listen(server, &where, &error)) {
        fprintf(stderr, "test_answers: %s\n", error->message);
        return EXIT_FAILURE;
    }
    g_io_add_watch(input, G_IO_IN | G_IO_HUP | G_IO_ERR, quit, loop);
    g_main_loop_run(loop);
    return EXIT_SUCCESS;
}
