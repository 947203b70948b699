/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_session.c - one HTTP/2 connection: what nghttp2 tells us, and when we have had enough
 *
 * nghttp2 keeps the protocol; this file sorts its events onto streams and counts what costs us
 * something and brings no message: pings, settings, priorities, empty frames (one allowance,
 * topped up by real traffic), streams that are opened and reset at once (another), and frames that
 * wait for a peer which does not read. Past an allowance the peer gets GOAWAY with
 * ENHANCE_YOUR_CALM and the connection ends. (Frames of unknown type cost only the reading: nghttp2
 * skips them.) The windows are granted by grpc_stream.c, never automatically.
 *
 * nghttp2's own checks of HTTP semantics are off on the server side: they reset every call whose
 * :authority is no host name, and some gRPC clients put the socket's path there. grpc_request.c
 * checks what matters to us instead.
 */
#include "proto/grpc_session.h"

#include "proto/grpc_stream.h"

#include <string.h>
#include <unistd.h>

/* Control frames that one useful frame pays for: a window update for stream and connection, a
 * ping to measure the bandwidth, and one to spare. */
#define CONTROL_PER_MESSAGE_FRAME 4

nghttp2_nv
grpc_session_nv(const char *name, const char *value)
{
    /* nghttp2 takes pointers to bytes it will not change. */
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
    };
}

static GrpcStream *
stream_of(GrpcSession *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session->h2, id);
}

static void
spend_control(GrpcSession *session)
{
    if (!grpc_bucket_take(&session->control, session->now_us))
        grpc_session_kick_out(session, NGHTTP2_ENHANCE_YOUR_CALM, "flood of control frames");
}

static int
on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *head, void *user_data)
{
    GrpcSession *session = user_data;
    bool moves_message =
        head->type == NGHTTP2_HEADERS ||
        (head->type == NGHTTP2_DATA && (head->length > 0 || head->flags & NGHTTP2_FLAG_END_STREAM));

    (void)h2;
    session->payload_bytes = head->length;
    if (moves_message)
        grpc_bucket_give(&session->control, CONTROL_PER_MESSAGE_FRAME);
    else
        spend_control(session);
    return 0;
}

static int
on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
    GrpcSession *session = user_data;
    GrpcStream *stream;

    if (!session->is_server || frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        stream = stream_of(session, frame->hd.stream_id);
        if (stream)
            stream->header_bytes = 0;
        return 0;
    }
    stream = session->ops->open(session, frame->hd.stream_id);
    return nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, stream);
}

static int
on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
          const uint8_t *value, size_t value_len, uint8_t flags, void *user_data)
{
    GrpcSession *session = user_data;
    GrpcStream *stream = stream_of(session, frame->hd.stream_id);

    (void)h2, (void)flags;
    if (!stream || stream->in_stop)
        return 0;
    stream->header_bytes += (uint32_t)(name_len + value_len + 32);
    if (stream->header_bytes > session->limits.header_list_bytes) {
        stream->headers_too_big = true;
        return 0;
    }
    if (memchr(name, 0, name_len) || memchr(value, 0, value_len)) {
        grpc_stream_reset(stream, NGHTTP2_PROTOCOL_ERROR);
        return 0;
    }
    session->ops->header(stream, (const char *)name, (const char *)value);
    return 0;
}

static int
on_data_chunk(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
              void *user_data)
{
    GrpcSession *session = user_data;
    GrpcStream *stream = stream_of(session, id);

    (void)flags;
    if (stream)
        grpc_stream_receive(stream, (GrpcSlice){ data, len });
    else
        nghttp2_session_consume(h2, id, len);
    return 0;
}

static void
receive_ping(GrpcSession *session, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_ACK)
        session->ping_us = 0;
}

static int
on_frame_recv(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
    GrpcSession *session = user_data;
    GrpcStream *stream = frame->hd.stream_id ? stream_of(session, frame->hd.stream_id) : NULL;

    (void)h2;
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        session->is_greeted = true;
        break;
    case NGHTTP2_PING:
        receive_ping(session, frame);
        break;
    case NGHTTP2_GOAWAY:
        session->is_draining = true;
        break;
    case NGHTTP2_RST_STREAM:
        if (!grpc_bucket_take(&session->resets, session->now_us))
            grpc_session_kick_out(session, NGHTTP2_ENHANCE_YOUR_CALM, "flood of stream resets");
        break;
    case NGHTTP2_HEADERS:
        if (stream)
            session->ops->headers_end(stream);
        break;
    default:
        break;
    }
    if (stream && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        grpc_stream_receive_end(stream);
    return 0;
}

/* A status that goes out before the request is complete also tells the client to stop sending:
 * RFC 9113, section 8.1. */
static int
on_frame_send(nghttp2_session *h2, const nghttp2_frame *frame, void *user_data)
{
    GrpcSession *session = user_data;
    GrpcStream *stream;

    if (frame->hd.type == NGHTTP2_DATA)
        grpc_bucket_give(&session->control, CONTROL_PER_MESSAGE_FRAME);
    if (!session->is_server || frame->hd.type != NGHTTP2_HEADERS ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    stream = stream_of(session, frame->hd.stream_id);
    if (stream && !stream->in_end)
        nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    return 0;
}

static int
on_stream_close(nghttp2_session *h2, int32_t id, uint32_t code, void *user_data)
{
    GrpcStream *stream = stream_of(user_data, id);

    (void)h2;
    if (!stream)
        return 0;
    grpc_stream_detach(stream);
    ((GrpcSession *)user_data)->ops->close(stream, code);
    return 0;
}

nghttp2_session_callbacks *
grpc_session_callbacks(void)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return callbacks;
}

static bool
start_h2(GrpcSession *session)
{
    nghttp2_session_callbacks *callbacks = grpc_session_callbacks();
    nghttp2_option *option = NULL;
    nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, session->limits.streams_per_connection },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, session->limits.header_list_bytes },
        { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
    };
    /* Only a client may speak of push: RFC 9113, section 6.5.2. */
    size_t n_settings = G_N_ELEMENTS(settings) - (session->is_server ? 1 : 0);
    bool ok = callbacks && nghttp2_option_new(&option) == 0;

    if (ok) {
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_http_messaging(option, session->is_server);
        nghttp2_option_set_no_closed_streams(option, 1);
        ok = (session->is_server ? nghttp2_session_server_new2 : nghttp2_session_client_new2)(
                 &session->h2, callbacks, session, option) == 0 &&
             nghttp2_submit_settings(session->h2, NGHTTP2_FLAG_NONE, settings, n_settings) == 0;
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return ok;
}

GrpcSession *
grpc_session_new(const GrpcSessionSetup *setup)
{
    GrpcSession *session = g_new0(GrpcSession, 1);
    uint64_t now_us = (uint64_t)g_get_monotonic_time();

    session->refs = 1;
    session->fd = setup->fd; /* owned by the session from here */
    session->is_server = setup->is_server;
    session->ops = setup->ops;
    session->owner = setup->owner;
    session->link.data = session;
    session->peer = setup->peer; /* the session owns the groups from here */
    session->limits = *setup->limits;
    session->budget = (GrpcBudget){ 0, setup->limits->peer_bytes, setup->budget };
    session->now_us = session->born_us = session->read_us = session->idle_us = now_us;
    grpc_bucket_init(&session->control, setup->limits->control_burst, setup->limits->control_per_s,
                     now_us);
    grpc_bucket_init(&session->resets, setup->limits->reset_burst, setup->limits->reset_per_s,
                     now_us);
    if (!start_h2(session)) {
        grpc_session_unref(session);
        return NULL;
    }
    grpc_session_attach(session, setup->context, setup->priority);
    return session;
}

GrpcSession *
grpc_session_ref(GrpcSession *session)
{
    session->refs++;
    return session;
}

void
grpc_session_set_data(GrpcSession *session, gpointer data, GDestroyNotify destroy)
{
    if (session->destroy)
        session->destroy(session->data);
    session->data = data;
    session->destroy = destroy;
}

void
grpc_session_unref(GrpcSession *session)
{
    if (--session->refs > 0)
        return;
    grpc_session_set_data(session, NULL, NULL);
    nghttp2_session_del(session->h2);
    if (session->fd >= 0)
        close(session->fd);
    g_free(session->peer.groups);
    session->ops->release(session);
    g_free(session);
}

void
grpc_session_go_away(GrpcSession *session)
{
    if (session->is_closed || session->end_us > 0)
        return;
    session->is_draining = true;
    nghttp2_submit_goaway(session->h2, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session->h2), NGHTTP2_NO_ERROR,
                          NULL, 0);
    grpc_session_wake(session);
}

void
grpc_session_kick_out(GrpcSession *session, uint32_t h2_error, const char *why)
{
    if (session->is_closed || session->end_us > 0)
        return;
    session->why = why;
    session->is_draining = true;
    session->end_us = session->now_us;
    nghttp2_session_terminate_session(session->h2, h2_error);
    grpc_session_wake(session);
}
