/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakerpc.c - an Agent with sockets, and clients of it, in one thread */
#define _GNU_SOURCE
#include "test/support/fakerpc.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/rpc/server.h"
#include "agent/source/source.h"
#include "test/support/await.h"
#include "test/support/fakeagent.h"

/* Generous: nobody waits that long for a success. */
#define WAIT_SECONDS 60
/* Turns of the loop, of half a millisecond each, in which nothing happened: nothing more will, as
 * triggers that are held back wait for 10 ms. */
#define QUIET_TURNS 30

void
fakerpc_listen(FakeRpc *rpc)
{
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&rpc->agent->server, server_free);
    rpc->agent->server = server_new(rpc->agent, &error);
    if (!rpc->agent->server)
        fail_msg("%s", error->message);
}

int
fakerpc_setup(void **state)
{
    FakeRpc *rpc = g_new0(FakeRpc, 1);
    void *agent;

    fakeagent_setup(&agent);
    rpc->agent = agent;
    rpc->directory = g_dir_make_tmp("fakerpc-XXXXXX", NULL);
    rpc->path = g_build_filename(rpc->directory, SERVER_SOCKET, NULL);
    rpc->ro_path = g_build_filename(rpc->directory, SERVER_SOCKET_RO, NULL);
    rpc->agent->options.runtime_dir = rpc->directory;
    fakerpc_listen(rpc);
    rpc->client = grpc_client_new(rpc->path, g_main_context_default());
    *state = rpc;
    return 0;
}

int
fakerpc_teardown(void **state)
{
    FakeRpc *rpc = *state;
    void *agent = rpc->agent;

    grpc_client_free(rpc->client);
    g_clear_pointer(&rpc->agent->server, server_free);
    grpc_source.close(rpc->agent);
    fakeagent_teardown(&agent);
    g_rmdir(rpc->directory);
    g_free(rpc->directory);
    g_free(rpc->path);
    g_free(rpc->ro_path);
    g_free(rpc);
    await_idle();
    return 0;
}

GrpcStatus
fakerpc_call(GrpcClient *client, const char *path, const ProtobufCMessageDescriptor *response,
             const ProtobufCMessage *request, ProtobufCMessage **ret_answer)
{
    GrpcRpc rpc = { path, response, WAIT_SECONDS * 1000 };
    g_autoptr(GError) error = NULL;

    *ret_answer = NULL;
    if (grpc_client_unary(client, &rpc, request, ret_answer, &error))
        return GRPC_STATUS_OK;
    return (GrpcStatus)error->code;
}

static void
keep_answer(GrpcClientCall *call, const ProtobufCMessage *message, gpointer data)
{
    FakeStream *stream = data;
    size_t length = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = g_malloc(length);

    (void)call;
    protobuf_c_message_pack(message, bytes);
    g_queue_push_tail(&stream->answers, g_bytes_new_take(bytes, length));
}

static void
note_end(GrpcClientCall *call, const GError *error, gpointer data)
{
    FakeStream *stream = data;

    (void)call;
    stream->finished = true;
    stream->status = error ? (GrpcStatus)error->code : GRPC_STATUS_OK;
    stream->text = error ? g_strdup(error->message) : NULL;
}

FakeStream *
fakerpc_stream(GrpcClient *client, const char *path, const ProtobufCMessageDescriptor *response)
{
    static const GrpcClientHandler handler = { .message = keep_answer, .finished = note_end };
    GrpcRpc rpc = { path, response, 0 };
    FakeStream *stream = g_new0(FakeStream, 1);
    g_autoptr(GError) error = NULL;

    stream->response = response;
    stream->call = grpc_client_open(client, &rpc, &handler, stream, &error);
    if (!stream->call)
        fail_msg("%s", error->message);
    return stream;
}

static void
free_bytes(gpointer data, gpointer unused)
{
    (void)unused;
    g_bytes_unref(data);
}

void
fakerpc_stream_free(FakeStream *stream)
{
    if (!stream)
        return;
    if (!stream->finished)
        grpc_client_call_cancel(stream->call);
    grpc_client_call_unref(stream->call);
    g_queue_foreach(&stream->answers, free_bytes, NULL);
    g_queue_clear(&stream->answers);
    g_free(stream->text);
    g_free(stream);
}

static gboolean
raise_flag(gpointer flag)
{
    *(bool *)flag = true;
    return G_SOURCE_CONTINUE;
}

static bool
run_until(bool (*holds)(gpointer data), gpointer data)
{
    bool is_late = false;
    guint timer = g_timeout_add_seconds(WAIT_SECONDS, raise_flag, &is_late);

    while (!holds(data) && !is_late)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(timer);
    return holds(data);
}

void
fakerpc_until(bool (*holds)(gpointer data), gpointer data, const char *what)
{
    if (!run_until(holds, data))
        fail_msg("not within %d s: %s", WAIT_SECONDS, what);
}

static bool
has_answer_or_end(gpointer data)
{
    const FakeStream *stream = data;

    return stream->answers.length > 0 || stream->finished;
}

ProtobufCMessage *
fakerpc_next(FakeStream *stream)
{
    g_autoptr(GBytes) packed = NULL;
    const uint8_t *bytes;
    size_t length;

    run_until(has_answer_or_end, stream);
    packed = g_queue_pop_head(&stream->answers);
    if (!packed)
        return NULL;
    bytes = g_bytes_get_data(packed, &length);
    return protobuf_c_message_unpack(stream->response, NULL, length, bytes);
}

static bool
is_finished(gpointer data)
{
    return ((const FakeStream *)data)->finished;
}

GrpcStatus
fakerpc_wait_end(FakeStream *stream)
{
    fakerpc_until(is_finished, stream, "the stream is over");
    return stream->status;
}

void
fakerpc_settle(void)
{
    /* Turns are counted, not time: on a busy machine time can pass without any. */
    for (unsigned quiet = 0; quiet < QUIET_TURNS; quiet++) {
        if (g_main_context_iteration(NULL, FALSE))
            quiet = 0;
        else
            g_usleep(500);
    }
}
