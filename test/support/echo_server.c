/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * echo_server.c - a gRPC server for tests: answers as the request asks, and remembers what happened
 */
#include "test/support/echo_server.h"

#include <assert.h>
#include <glib/gstdio.h>
#include <string.h>

/* Split tops its queue up to this. */
#define QUEUE_BYTES 65536
/* No reply is padded beyond this, whatever the request asks for. */
#define PADDING_MAX_BYTES (16u * 1024 * 1024)

typedef struct {
    uint32_t next;       /* index of the next reply */
    uint32_t count;      /* replies to send */
    uint32_t size_bytes; /* padding of each */
} Split;

static EchoServer *
echo_of(const GrpcCall *call)
{
    return grpc_server_data(grpc_call_server(call));
}

static const Test__EchoRequest *
request_of(const ProtobufCMessage *message)
{
    return (const Test__EchoRequest *)(const void *)message;
}

static bool
send_reply(GrpcCall *call, const char *text, uint32_t index, size_t size_bytes)
{
    size_t padding_len = MIN(size_bytes, PADDING_MAX_BYTES);
    g_autofree char *own_text = g_strdup(text);
    g_autofree uint8_t *padding = g_malloc0(padding_len);
    Test__EchoReply reply = echo_reply();

    reply.text = own_text;
    reply.index = index;
    reply.padding.data = padding;
    reply.padding.len = padding_len;
    return grpc_call_send(call, &reply.base);
}

static void
keep(GrpcCall *call)
{
    EchoServer *echo = echo_of(call);

    grpc_call_unref(echo->kept);
    echo->kept = grpc_call_ref(call);
}

static void
unary_message(GrpcCall *call, const ProtobufCMessage *message)
{
    const Test__EchoRequest *request = request_of(message);

    if (strcmp(request->text, ECHO_HANG) == 0)
        keep(call);
    else if (strcmp(request->text, ECHO_FAIL) == 0 && request->count != GRPC_STATUS_OK)
        grpc_call_fail(call, (GrpcStatus)request->count, "asked to fail: 100 % \xc3\xa4\n");
    else if (send_reply(call, request->text, 0, request->size_bytes))
        grpc_call_finish(call);
    else
        grpc_call_fail(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "queue full");
}

static void
split_more(GrpcCall *call)
{
    EchoServer *echo = echo_of(call);
    Split *split = grpc_call_data(call);

    while (split->next < split->count && grpc_call_queued_bytes(call) < QUEUE_BYTES) {
        if (!send_reply(call, "part", split->next, split->size_bytes)) {
            grpc_call_fail(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "queue full");
            return;
        }
        split->next++;
        echo->queue_max_bytes = MAX(echo->queue_max_bytes, grpc_call_queued_bytes(call));
    }
    if (split->count > 0 && split->next == split->count)
        grpc_call_finish(call);
}

static void
split_message(GrpcCall *call, const ProtobufCMessage *message)
{
    const Test__EchoRequest *request = request_of(message);
    Split *split = g_new0(Split, 1);

    split->count = request->count;
    split->size_bytes = request->size_bytes;
    grpc_call_set_data(call, split, g_free);
    if (request->count == 0)
        send_reply(call, "only", 0, request->size_bytes);
    split_more(call);
}

static void
stream_start(GrpcCall *call)
{
    echo_of(call)->started++;
    grpc_call_set_data(call, g_string_new(NULL), NULL);
    grpc_call_accept(call);
}

static void
stream_closed(GrpcCall *call, GrpcClose why)
{
    GString *texts = grpc_call_data(call);

    echo_of(call)->closed[why]++;
    g_string_free(texts, TRUE);
    grpc_call_set_data(call, NULL, NULL);
}

static void
join_message(GrpcCall *call, const ProtobufCMessage *message)
{
    GString *texts = grpc_call_data(call);

    echo_of(call)->received++;
    g_string_append(texts, request_of(message)->text);
    if (echo_of(call)->holds) {
        keep(call);
        grpc_call_hold(call, true);
    }
}

static void
join_half_closed(GrpcCall *call)
{
    GString *texts = grpc_call_data(call);
    Test__EchoReply reply = echo_reply();

    reply.text = texts->str;
    reply.index = (uint32_t)texts->len;
    grpc_call_reply(call, &reply.base);
}

static void
chat_message(GrpcCall *call, const ProtobufCMessage *message)
{
    echo_of(call)->received++;
    send_reply(call, request_of(message)->text, 0, request_of(message)->size_bytes);
}

static void
count_closed(GrpcCall *call, GrpcClose why)
{
    echo_of(call)->closed[why]++;
}

static const GrpcHandler unary_handler = { .message = unary_message, .closed = count_closed };
static const GrpcHandler split_handler = {
    .message = split_message,
    .drained = split_more,
    .closed = count_closed,
};
static const GrpcHandler join_handler = {
    .start = stream_start,
    .message = join_message,
    .half_closed = join_half_closed,
    .closed = stream_closed,
};
static const GrpcHandler chat_handler = {
    .start = stream_start,
    .message = chat_message,
    .half_closed = grpc_call_finish,
    .closed = stream_closed,
};

#define TYPES &test__echo_request__descriptor, &test__echo_reply__descriptor
static const GrpcMethod methods[] = {
    { "/test.Echo/Unary", GRPC_UNARY, true, TYPES, &unary_handler },
    { "/test.Echo/Split", GRPC_SERVER_STREAM, true, TYPES, &split_handler },
    { "/test.Echo/Join", GRPC_CLIENT_STREAM, true, TYPES, &join_handler },
    { "/test.Echo/Chat", GRPC_BIDI_STREAM, true, TYPES, &chat_handler },
    { "/test.Echo/Write", GRPC_UNARY, false, TYPES, &unary_handler },
};

static void
listen_at(EchoServer *echo, const char *path, bool read_only)
{
    GrpcListen where = { path, 0600, (gid_t)-1, read_only };
    g_autoptr(GError) error = NULL;
    bool ok = grpc_server_listen(echo->server, &where, &error);

    if (!ok)
        g_error("%s", error->message);
}

EchoServer *
echo_server_new(const GrpcLimits *limits)
{
    EchoServer *echo = g_new0(EchoServer, 1);

    echo->directory = g_dir_make_tmp("echo-XXXXXX", NULL);
    assert(echo->directory);
    echo->path = g_build_filename(echo->directory, "socket", NULL);
    echo->ro_path = g_build_filename(echo->directory, "socket-ro", NULL);
    echo->server = grpc_server_new(limits);
    grpc_server_set_data(echo->server, echo, NULL);
    grpc_server_add_methods(echo->server, methods, G_N_ELEMENTS(methods));
    listen_at(echo, echo->path, false);
    listen_at(echo, echo->ro_path, true);
    return echo;
}

void
echo_server_free(EchoServer *echo)
{
    grpc_server_free(echo->server);
    grpc_call_unref(echo->kept);
    g_rmdir(echo->directory);
    g_free(echo->directory);
    g_free(echo->path);
    g_free(echo->ro_path);
    g_free(echo);
}

static gboolean
raise_flag(gpointer flag)
{
    *(bool *)flag = true;
    return G_SOURCE_CONTINUE;
}

int
echo_server_setup(void **state)
{
    *state = echo_server_new(NULL);
    return 0;
}

int
echo_server_teardown(void **state)
{
    echo_server_free(*state);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    return 0;
}

GrpcStatus
echo_server_status(GrpcClient *client, const char *method, unsigned timeout_ms)
{
    GrpcRpc rpc = { method, &test__echo_reply__descriptor, timeout_ms };
    Test__EchoRequest request = echo_request();
    ProtobufCMessage *reply = NULL;
    g_autoptr(GError) error = NULL;

    if (!grpc_client_unary(client, &rpc, &request.base, &reply, &error))
        return (GrpcStatus)error->code;
    protobuf_c_message_free_unpacked(reply, NULL);
    return GRPC_STATUS_OK;
}

GrpcStatus
echo_server_call(const char *path, const char *method)
{
    g_autoptr(GrpcClient) client = grpc_client_new(path, g_main_context_default());

    return echo_server_status(client, method, 5000);
}

bool
echo_server_run_until(bool (*holds)(gpointer data), gpointer data)
{
    bool is_late = false;
    guint timer = g_timeout_add_seconds(10, raise_flag, &is_late);

    while (!holds(data) && !is_late)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(timer);
    return holds(data);
}
