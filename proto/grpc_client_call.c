/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_client_call.c - client side of one call
 *
 * A call finishes once: with the status in the trailers, or with what stands in for it, which is
 * an HTTP status, a reset, a lost connection, our own deadline or cancellation, or an answer that
 * cannot be read. What the server said itself wins: a status that arrived behind a message which
 * was cut short is the reason for the cut.
 */
#include "proto/grpc_client_state.h"
#include "proto/grpc_status.h"
#include "proto/grpc_stream.h"
#include "proto/grpc_timeout.h"

#include <string.h>

static GrpcClientCall *
call_of(GrpcStream *stream)
{
    return (GrpcClientCall *)(void *)((char *)stream - offsetof(GrpcClientCall, stream));
}

static const GrpcClient *
client_of(const GrpcClientCall *call)
{
    return call->session->owner;
}

/* Whether HTTP/2 will close the stream without our doing. */
static bool
is_ended(const GrpcStream *stream)
{
    return !stream->session || (stream->in_end && stream->out_end && stream->out_bytes == 0);
}

static void
finish(GrpcClientCall *call, GrpcStatus status, const char *text)
{
    if (call->is_finished)
        return;
    call->is_finished = true;
    grpc_source_stop(&call->deadline);
    if (!is_ended(&call->stream))
        grpc_stream_reset(&call->stream, NGHTTP2_CANCEL);
    if (status != GRPC_STATUS_OK)
        call->error = g_error_new_literal(GRPC_ERROR, (int)status,
                                          text && *text ? text : grpc_status_name(status));
    call->refs++;
    if (call->handler && call->handler->finished)
        call->handler->finished(call, call->error, call->user_data);
    grpc_client_call_unref(call);
}

static void
finish_by_server(GrpcClientCall *call)
{
    if (call->has_status)
        finish(call, call->status, call->text);
    else
        finish(call, GRPC_STATUS_UNKNOWN, "the server ended the call without a status");
}

static gboolean
deadline_passed(gpointer user_data)
{
    GrpcClientCall *call = user_data;

    finish(call, GRPC_STATUS_DEADLINE_EXCEEDED, "no answer in time");
    return G_SOURCE_REMOVE;
}

static void
start_deadline(GrpcClientCall *call, unsigned timeout_ms)
{
    if (timeout_ms == 0)
        return;
    call->deadline = g_timeout_source_new(timeout_ms);
    g_source_set_callback(call->deadline, deadline_passed, call, NULL);
    g_source_attach(call->deadline, client_of(call)->context);
}

static int32_t
submit_request(GrpcClientCall *call, const GrpcRpc *rpc)
{
    char timeout[GRPC_TIMEOUT_TEXT_BYTES];
    nghttp2_nv headers[] = {
        grpc_session_nv(":method", "POST"),
        grpc_session_nv(":scheme", "http"),
        grpc_session_nv(":path", rpc->path),
        grpc_session_nv(":authority", "localhost"),
        grpc_session_nv("te", "trailers"),
        grpc_session_nv("content-type", "application/grpc"),
        grpc_session_nv("user-agent", "virtksm"),
        grpc_session_nv("grpc-timeout", ""),
    };
    size_t n_headers = G_N_ELEMENTS(headers) - 1;
    nghttp2_data_provider source = grpc_stream_source(&call->stream);

    if (rpc->timeout_ms > 0) {
        grpc_timeout_format((uint64_t)rpc->timeout_ms * 1000, timeout);
        headers[n_headers++] = grpc_session_nv("grpc-timeout", timeout);
    }
    return nghttp2_submit_request(call->session->h2, NULL, headers, n_headers, &source,
                                  &call->stream);
}

GrpcClientCall *
grpc_client_call_new(GrpcSession *session, const GrpcRpc *rpc)
{
    GrpcClientCall *call = g_new0(GrpcClientCall, 1);

    call->session = grpc_session_ref(session);
    call->response = rpc->response;
    call->refs = 2;
    grpc_stream_init(&call->stream, session, 0);
    call->stream.id = submit_request(call, rpc);
    if (call->stream.id < 0) {
        grpc_stream_detach(&call->stream);
        call->refs = 1;
        grpc_client_call_unref(call);
        return NULL;
    }
    start_deadline(call, rpc->timeout_ms);
    grpc_session_wake(session);
    return call;
}

void
grpc_client_call_unref(GrpcClientCall *call)
{
    if (!call || --call->refs > 0)
        return;
    if (call->kept)
        protobuf_c_message_free_unpacked(call->kept, NULL);
    grpc_session_unref(call->session);
    g_clear_error(&call->error);
    g_free(call->text);
    g_free(call);
}

static void
op_header(GrpcStream *stream, const char *name, const char *value)
{
    GrpcClientCall *call = call_of(stream);

    if (strcmp(name, ":status") == 0) {
        call->http_status = (unsigned)g_ascii_strtoull(value, NULL, 10);
    } else if (strcmp(name, "grpc-status") == 0) {
        call->has_status = true;
        call->status = grpc_status_parse(value);
    } else if (strcmp(name, "grpc-message") == 0) {
        g_free(call->text);
        call->text = grpc_status_decode(value);
    }
}

static void
op_headers_end(GrpcStream *stream)
{
    GrpcClientCall *call = call_of(stream);
    g_autofree char *text = NULL;

    if (stream->headers_too_big) {
        finish(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "the answer's headers are too large");
        return;
    }
    if (call->http_status / 100 <= 2 || call->has_status)
        return;
    text = g_strdup_printf("the server answered with HTTP status %u", call->http_status);
    finish(call, grpc_status_of_http(call->http_status), text);
}

static void
op_fault(GrpcStream *stream, GrpcStatus status, const char *text)
{
    GrpcClientCall *call = call_of(stream);

    if (call->has_status && call->status != GRPC_STATUS_OK)
        finish_by_server(call);
    else
        finish(call, status, text);
}

static void
op_message(GrpcStream *stream, GrpcSlice packed)
{
    GrpcClientCall *call = call_of(stream);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(call->response, NULL, packed.len, packed.data);

    if (!message) {
        op_fault(stream, GRPC_STATUS_INTERNAL, "the answer cannot be decoded");
        return;
    }
    call->n_messages++;
    if (call->keeps_first && !call->kept) {
        call->kept = message; /* the call owns it from here */
        return;
    }
    if (call->handler && call->handler->message)
        call->handler->message(call, message, call->user_data);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void
op_half_close(GrpcStream *stream)
{
    finish_by_server(call_of(stream));
}

static void
op_drained(GrpcStream *stream)
{
    GrpcClientCall *call = call_of(stream);

    if (!call->is_finished && call->handler && call->handler->drained)
        call->handler->drained(call, call->user_data);
}

static void
finish_lost(GrpcClientCall *call)
{
    const GrpcClient *client = client_of(call);
    g_autofree char *text =
        g_strdup_printf("connection to %s lost: %s", client->path, call->session->why);

    if (client->is_freed)
        finish(call, GRPC_STATUS_CANCELLED, "the client is gone");
    else
        finish(call, GRPC_STATUS_UNAVAILABLE, text);
}

static void
op_close(GrpcStream *stream, uint32_t code)
{
    GrpcClientCall *call = call_of(stream);

    if (code == GRPC_CODE_LOST)
        finish_lost(call);
    else
        finish(call, grpc_status_of_reset(code), nghttp2_http2_strerror(code));
    grpc_client_call_unref(call);
}

const GrpcSessionOps grpc_client_call_ops = {
    .header = op_header,
    .headers_end = op_headers_end,
    .message = op_message,
    .half_close = op_half_close,
    .fault = op_fault,
    .drained = op_drained,
    .close = op_close,
    .gone = grpc_client_forget,
    .release = grpc_client_release,
};

bool
grpc_client_call_send(GrpcClientCall *call, const ProtobufCMessage *message)
{
    return !call->is_finished && grpc_stream_push(&call->stream, message);
}

void
grpc_client_call_half_close(GrpcClientCall *call)
{
    if (!call->is_finished && call->stream.session)
        grpc_stream_end(&call->stream);
}

void
grpc_client_call_cancel(GrpcClientCall *call)
{
    finish(call, GRPC_STATUS_CANCELLED, "the call was cancelled");
}

bool
grpc_client_call_wait(GrpcClientCall *call, GError **error)
{
    GMainContext *context = client_of(call)->context;

    while (!call->is_finished)
        g_main_context_iteration(context, TRUE);
    if (call->error)
        g_propagate_error(error, g_error_copy(call->error));
    return !call->error;
}
