/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_call_ops.c - server side of one call: what its client sends
 *
 * A single request is kept packed until the client has finished its half: then it is known to be
 * the only one, and waiting costs the packed bytes rather than the unpacked message.
 *
 * Undecodable requests get INVALID_ARGUMENT. The gRPC documents let libraries say INTERNAL; but
 * the fault is in what the client sent, and trying again will not help, which is what
 * INVALID_ARGUMENT tells it.
 */
#include "proto/grpc_call.h"
#include "proto/grpc_stream.h"
#include "proto/grpc_unpack.h"

static GrpcServer *
server_of(const GrpcCall *call)
{
    return call->session->owner;
}

static bool
is_single_request(const GrpcCall *call)
{
    return call->request.method->kind == GRPC_UNARY ||
           call->request.method->kind == GRPC_SERVER_STREAM;
}

static void
refuse(GrpcCall *call, GrpcStatus status, const char *text)
{
    server_of(call)->stats.calls_refused++;
    grpc_call_conclude(call, status, text);
}

static void
refuse_http(GrpcCall *call, const char *http_status)
{
    nghttp2_nv header = grpc_session_nv(":status", http_status);

    server_of(call)->stats.calls_refused++;
    call->is_concluded = true;
    grpc_stream_stop(&call->stream);
    nghttp2_submit_response(call->session->h2, call->stream.id, &header, 1, NULL);
}

static GrpcVerdict
ask_access(const GrpcCall *call)
{
    const GrpcServer *server = server_of(call);
    const GrpcMethod *method = call->request.method;
    GrpcVerdict verdict = { NULL, GRPC_STATUS_OK, "you may not make this call" };

    if (call->session->peer.read_only && !method->read_only) {
        verdict.status = GRPC_STATUS_PERMISSION_DENIED;
        verdict.text = "this call changes something, and the socket is for read-only calls";
    } else if (server->access) {
        verdict.status =
            server->access(method, &call->session->peer, server->access_data, &verdict.text);
    }
    return verdict;
}

static GrpcStream *
op_open(GrpcSession *session, int32_t id)
{
    GrpcCall *call = g_new0(GrpcCall, 1);

    call->refs = 1;
    call->session = grpc_session_ref(session);
    grpc_stream_init(&call->stream, session, id);
    return &call->stream;
}

static void
op_header(GrpcStream *stream, const char *name, const char *value)
{
    GrpcCall *call = grpc_call_of_stream(stream);

    if (!call->has_headers_end)
        grpc_request_header(&call->request, server_of(call)->methods, name, value);
}

static void
start(GrpcCall *call)
{
    const GrpcHandler *handler = call->request.method->handler;

    server_of(call)->stats.calls_started++;
    call->is_started = true;
    grpc_call_start_deadline(call);
    if (is_single_request(call))
        grpc_stream_expect_single(&call->stream);
    if (handler->start)
        handler->start(call);
}

static void
op_headers_end(GrpcStream *stream)
{
    GrpcCall *call = grpc_call_of_stream(stream);
    GrpcVerdict verdict;

    if (call->has_headers_end || stream->in_stop)
        return;
    call->has_headers_end = true;
    if (stream->headers_too_big) {
        refuse(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "the headers are larger than the limit");
        return;
    }
    if (grpc_request_is_malformed(&call->request)) {
        grpc_stream_reset(stream, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    verdict = grpc_request_judge(&call->request);
    if (verdict.http_status) {
        refuse_http(call, verdict.http_status);
        return;
    }
    if (verdict.status == GRPC_STATUS_OK)
        verdict = ask_access(call);
    if (verdict.status == GRPC_STATUS_OK)
        start(call);
    else
        refuse(call, verdict.status, verdict.text);
}

static void
op_fault(GrpcStream *stream, GrpcStatus status, const char *text)
{
    grpc_call_cut_off(grpc_call_of_stream(stream), status, text, GRPC_CLOSE_BAD_REQUEST);
}

static void
deliver(GrpcCall *call, GrpcSlice packed)
{
    const GrpcMethod *method = call->request.method;
    GrpcUnpacked unpacked;

    switch (grpc_unpack(method->request, packed, server_of(call)->limits.unpack_bytes, &unpacked)) {
    case GRPC_UNPACK_DONE:
        method->handler->message(call, unpacked.message);
        grpc_unpack_free(&unpacked);
        break;
    case GRPC_UNPACK_BAD:
        op_fault(&call->stream, GRPC_STATUS_INVALID_ARGUMENT, "the request cannot be decoded");
        break;
    case GRPC_UNPACK_TOO_BIG:
        op_fault(&call->stream, GRPC_STATUS_RESOURCE_EXHAUSTED,
                 "decoding the request would take too much memory");
        break;
    }
}

static void
op_message(GrpcStream *stream, GrpcSlice message)
{
    GrpcCall *call = grpc_call_of_stream(stream);

    if (!is_single_request(call))
        deliver(call, message);
    else if (call->single)
        op_fault(stream, GRPC_STATUS_UNIMPLEMENTED, "this method takes a single request message");
    else if (!grpc_stream_charge(stream, message.len))
        op_fault(stream, GRPC_STATUS_RESOURCE_EXHAUSTED,
                 "too much of what you have sent waits to be processed");
    else
        call->single = g_bytes_new(message.data, message.len);
}

static void
deliver_single(GrpcCall *call)
{
    g_autoptr(GBytes) single = g_steal_pointer(&call->single);
    GrpcSlice packed = { NULL, 0 };

    if (!single) {
        op_fault(&call->stream, GRPC_STATUS_UNIMPLEMENTED, "this method takes a request message");
        return;
    }
    packed.data = g_bytes_get_data(single, &packed.len);
    grpc_stream_refund(&call->stream, packed.len);
    deliver(call, packed);
}

static void
op_half_close(GrpcStream *stream)
{
    GrpcCall *call = grpc_call_of_stream(stream);
    const GrpcHandler *handler = call->request.method->handler;

    if (is_single_request(call))
        deliver_single(call);
    else if (handler->half_closed)
        handler->half_closed(call);
}

static void
op_drained(GrpcStream *stream)
{
    GrpcCall *call = grpc_call_of_stream(stream);

    if (!call->is_concluded && call->request.method->handler->drained)
        call->request.method->handler->drained(call);
}

static void
op_close(GrpcStream *stream, uint32_t code)
{
    GrpcCall *call = grpc_call_of_stream(stream);

    if (code == GRPC_CODE_LOST)
        grpc_call_close(call, GRPC_CLOSE_LOST);
    else if (code == NGHTTP2_NO_ERROR && call->is_concluded)
        grpc_call_close(call, GRPC_CLOSE_DONE);
    else
        grpc_call_close(call, GRPC_CLOSE_CANCELLED);
}

const GrpcSessionOps grpc_call_ops = {
    .open = op_open,
    .header = op_header,
    .headers_end = op_headers_end,
    .message = op_message,
    .half_close = op_half_close,
    .fault = op_fault,
    .drained = op_drained,
    .trailers = grpc_call_submit_trailers,
    .close = op_close,
    .gone = grpc_server_forget,
    .release = grpc_server_release,
};
