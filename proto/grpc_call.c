/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_call.c - server side of one call: the answer and the end
 *
 * Response headers go with the first message, or when the handler asks. A call that ends without
 * either sends "trailers only": one header block that carries the status.
 */
#include "proto/grpc_call.h"

#include "proto/grpc_status.h"
#include "proto/grpc_stream.h"

#include <assert.h>
#include <string.h>

/* Frames that wait for a peer: with more, what follows says no more than is needed. */
#define TEXTS_MAX 256
/* Longest deadline kept: GLib's timers count milliseconds in 32 bits. */
#define DEADLINE_MAX_MS ((uint64_t)G_MAXINT)

GrpcCall *
grpc_call_of_stream(GrpcStream *stream)
{
    return (GrpcCall *)(void *)((char *)stream - offsetof(GrpcCall, stream));
}

static void
tell_closed(GrpcCall *call, GrpcClose why)
{
    const GrpcHandler *handler;

    if (!call->is_started || call->is_closed)
        return;
    call->is_closed = true;
    handler = call->request.method->handler;
    if (handler->closed)
        handler->closed(call, why);
}

static void
submit_headers(GrpcCall *call)
{
    nghttp2_nv headers[] = {
        grpc_session_nv(":status", "200"),
        grpc_session_nv("content-type", "application/grpc"),
        grpc_session_nv("grpc-accept-encoding", "identity"),
    };
    nghttp2_data_provider source = grpc_stream_source(&call->stream);

    if (call->is_headers_sent)
        return;
    call->is_headers_sent = true;
    nghttp2_submit_response(call->session->h2, call->stream.id, headers, G_N_ELEMENTS(headers),
                            &source);
    grpc_session_wake(call->session);
}

/* Writes grpc-status and grpc-message behind @n_headers that are there already. Nobody is charged
 * for texts that wait, so a peer that does not read its answers gets them without. */
static size_t
add_status(const GrpcCall *call, nghttp2_nv *headers, size_t n_headers, char *number)
{
    g_snprintf(number, 4, "%u", (unsigned)call->status);
    headers[n_headers++] = grpc_session_nv("grpc-status", number);
    if (call->text && nghttp2_session_get_outbound_queue_size(call->session->h2) < TEXTS_MAX)
        headers[n_headers++] = grpc_session_nv("grpc-message", call->text);
    return n_headers;
}

void
grpc_call_submit_trailers(GrpcStream *stream)
{
    nghttp2_nv headers[2];
    char number[4];
    size_t n_headers = add_status(grpc_call_of_stream(stream), headers, 0, number);

    nghttp2_submit_trailer(stream->session->h2, stream->id, headers, n_headers);
}

static void
submit_trailers_only(GrpcCall *call)
{
    nghttp2_nv headers[5] = {
        grpc_session_nv(":status", "200"),
        grpc_session_nv("content-type", "application/grpc"),
        grpc_session_nv("grpc-accept-encoding", "identity"),
    };
    char number[4];
    size_t n_headers = add_status(call, headers, 3, number);

    call->is_headers_sent = true;
    nghttp2_submit_response(call->session->h2, call->stream.id, headers, n_headers, NULL);
    grpc_session_wake(call->session);
}

static void
drop_single(GrpcCall *call)
{
    if (!call->single)
        return;
    grpc_stream_refund(&call->stream, g_bytes_get_size(call->single));
    g_clear_pointer(&call->single, g_bytes_unref);
}

void
grpc_call_conclude(GrpcCall *call, GrpcStatus status, const char *text)
{
    if (call->is_concluded || !call->stream.session || call->session->is_closed)
        return;
    call->is_concluded = true;
    call->status = status;
    call->text = status == GRPC_STATUS_OK ? NULL : grpc_status_encode(text ? text : "");
    grpc_stream_stop(&call->stream);
    drop_single(call);
    if (!call->is_headers_sent)
        submit_trailers_only(call);
    else
        grpc_stream_end(&call->stream);
}

void
grpc_call_cut_off(GrpcCall *call, GrpcStatus status, const char *text, GrpcClose why)
{
    grpc_call_ref(call);
    grpc_stream_discard(&call->stream);
    grpc_call_conclude(call, status, text);
    tell_closed(call, why);
    grpc_call_unref(call);
}

static gboolean
deadline_passed(gpointer user_data)
{
    GrpcCall *call = user_data;

    g_clear_pointer(&call->deadline, g_source_unref);
    /* The status is decided, but the client does not read what comes before it. */
    if (call->is_concluded)
        grpc_stream_reset(&call->stream, NGHTTP2_CANCEL);
    else
        grpc_call_cut_off(call, GRPC_STATUS_DEADLINE_EXCEEDED, "the deadline of the call passed",
                          GRPC_CLOSE_DEADLINE);
    return G_SOURCE_REMOVE;
}

void
grpc_call_start_deadline(GrpcCall *call)
{
    uint64_t ms = call->request.timeout_us / 1000 + (call->request.timeout_us % 1000 != 0);

    if (!call->request.has_timeout)
        return;
    call->deadline = g_timeout_source_new((guint)MIN(ms, DEADLINE_MAX_MS));
    g_source_set_callback(call->deadline, deadline_passed, call, NULL);
    g_source_attach(call->deadline, grpc_call_server(call)->context);
}

void
grpc_call_abandon(GrpcCall *call)
{
    if (!call->is_started || call->is_concluded || call->request.method->kind == GRPC_UNARY ||
        call->request.method->kind == GRPC_CLIENT_STREAM)
        return;
    grpc_call_ref(call);
    grpc_call_conclude(call, GRPC_STATUS_UNAVAILABLE, "the server is shutting down");
    tell_closed(call, GRPC_CLOSE_SHUTDOWN);
    grpc_call_unref(call);
}

void
grpc_call_close(GrpcCall *call, GrpcClose why)
{
    grpc_source_stop(&call->deadline);
    tell_closed(call, why);
    grpc_call_unref(call);
}

GrpcServer *
grpc_call_server(const GrpcCall *call)
{
    return call->session->owner;
}

const GrpcMethod *
grpc_call_method(const GrpcCall *call)
{
    return call->request.method;
}

const GrpcPeer *
grpc_call_peer(const GrpcCall *call)
{
    return &call->session->peer;
}

GrpcCall *
grpc_call_ref(GrpcCall *call)
{
    call->refs++;
    return call;
}

void
grpc_call_unref(GrpcCall *call)
{
    if (!call || --call->refs > 0)
        return;
    if (call->destroy)
        call->destroy(call->data);
    g_clear_pointer(&call->single, g_bytes_unref);
    grpc_session_unref(call->session);
    g_free(call->text);
    g_free(call);
}

void
grpc_call_set_data(GrpcCall *call, gpointer data, GDestroyNotify destroy)
{
    if (call->destroy)
        call->destroy(call->data);
    call->data = data;
    call->destroy = destroy;
}

gpointer
grpc_call_data(const GrpcCall *call)
{
    return call->data;
}

void
grpc_call_set_peer_data(GrpcCall *call, gpointer data, GDestroyNotify destroy)
{
    grpc_session_set_data(call->session, data, destroy);
}

gpointer
grpc_call_peer_data(const GrpcCall *call)
{
    return call->session->data;
}

bool
grpc_call_is_open(const GrpcCall *call)
{
    return !call->is_concluded && call->stream.session && !call->session->is_closed;
}

void
grpc_call_accept(GrpcCall *call)
{
    if (grpc_call_is_open(call))
        submit_headers(call);
}

bool
grpc_call_send(GrpcCall *call, const ProtobufCMessage *message)
{
    assert(message->descriptor == call->request.method->response);
    if (!grpc_call_is_open(call))
        return false;
    submit_headers(call);
    return grpc_stream_push(&call->stream, message);
}

size_t
grpc_call_queued_bytes(const GrpcCall *call)
{
    return call->stream.out_bytes;
}

void
grpc_call_finish(GrpcCall *call)
{
    grpc_call_conclude(call, GRPC_STATUS_OK, NULL);
}

void
grpc_call_fail(GrpcCall *call, GrpcStatus status, const char *text)
{
    assert(status != GRPC_STATUS_OK);
    grpc_call_conclude(call, status, text);
}

void
grpc_call_reply(GrpcCall *call, const ProtobufCMessage *message)
{
    if (grpc_call_send(call, message))
        grpc_call_finish(call);
    else
        grpc_call_fail(call, GRPC_STATUS_RESOURCE_EXHAUSTED,
                       "earlier answers to you have not been read");
}

void
grpc_call_hold(GrpcCall *call, bool hold)
{
    if (grpc_call_is_open(call))
        grpc_stream_hold(&call->stream, hold);
}
