/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_stream.c - messages in and out of one HTTP/2 stream
 *
 * In. DATA is cut into messages and handed on. The connection's window is granted anew as soon as
 * bytes arrive, or one stream on hold would stall all others of its connection. The stream's own
 * window is granted only for bytes that were cut into messages: a handler that holds leaves its
 * peer with what the window had left, which waits in `held`. So does what a turn has no time for. A
 * message that is not complete yet is counted against the peer's budget as it grows.
 *
 * Out. Messages queue as framed chunks, counted against the same budget; nghttp2 copies from the
 * queue as the peer's window allows (read_queue). An empty queue defers nghttp2's reading until the
 * next push or the end. The end of a server's stream is its trailers, submitted with the last DATA.
 */
#include "proto/grpc_stream.h"

#include <string.h>

/* A framed message in a queue. */
struct GrpcChunk {
    GrpcChunk *next; /* owned */
    size_t len;      /* of @bytes */
    uint8_t bytes[]; /* prefix and packed message */
};

void
grpc_stream_init(GrpcStream *stream, GrpcSession *session, int32_t id)
{
    *stream = (GrpcStream){
        .session = session,
        .id = id,
        .link = { .data = stream },
        .work_link = { .data = stream },
        .parser = { .limit_bytes = session->limits.message_bytes },
    };
    g_queue_push_tail_link(&session->streams, &stream->link);
}

void
grpc_stream_detach(GrpcStream *stream)
{
    GrpcSession *session = stream->session;

    if (!session)
        return;
    grpc_stream_discard(stream);
    grpc_frame_clear(&stream->parser);
    g_clear_pointer(&stream->held, g_byte_array_unref);
    grpc_stream_refund(stream, stream->charged_bytes);
    g_queue_unlink(&session->streams, &stream->link);
    if (stream->has_work)
        g_queue_unlink(&session->work, &stream->work_link);
    if (session->streams.length == 0)
        session->idle_us = session->now_us;
    stream->session = NULL;
}

bool
grpc_stream_charge(GrpcStream *stream, size_t bytes)
{
    if (!grpc_budget_charge(&stream->session->budget, bytes))
        return false;
    stream->charged_bytes += bytes;
    return true;
}

void
grpc_stream_refund(GrpcStream *stream, size_t bytes)
{
    grpc_budget_refund(&stream->session->budget, bytes);
    stream->charged_bytes -= bytes;
}

void
grpc_stream_stop(GrpcStream *stream)
{
    stream->in_stop = true;
    if (stream->held) {
        grpc_stream_refund(stream, stream->held->len);
        g_clear_pointer(&stream->held, g_byte_array_unref);
    }
}

static void
fault(GrpcStream *stream, GrpcStatus status, const char *text)
{
    grpc_stream_stop(stream);
    stream->session->ops->fault(stream, status, text);
}

static void
charge_parser(GrpcStream *stream)
{
    size_t held = grpc_frame_held_bytes(&stream->parser);

    if (held < stream->parser_charged)
        grpc_stream_refund(stream, stream->parser_charged - held);
    else if (!grpc_stream_charge(stream, held - stream->parser_charged)) {
        fault(stream, GRPC_STATUS_RESOURCE_EXHAUSTED,
              "too much of what you have sent waits to be processed");
        return;
    }
    stream->parser_charged = held;
}

static void
handle_frame(GrpcStream *stream, GrpcFrameResult result, GrpcSlice message)
{
    switch (result) {
    case GRPC_FRAME_MESSAGE:
        stream->session->ops->message(stream, message);
        break;
    case GRPC_FRAME_COMPRESSED:
        fault(stream, GRPC_STATUS_INTERNAL,
              "a message is marked as compressed, but no grpc-encoding was declared");
        break;
    case GRPC_FRAME_BAD_FLAG:
        fault(stream, GRPC_STATUS_INTERNAL, "a message does not begin with a flag of 0 or 1");
        break;
    case GRPC_FRAME_TOO_BIG:
        fault(stream, GRPC_STATUS_RESOURCE_EXHAUSTED, "a message is larger than the limit");
        break;
    case GRPC_FRAME_MORE:
    case GRPC_FRAME_COUNT:
        break;
    }
}

/* Cuts messages from the input until it is used up, the handler wants no more, or others are to
 * have their turn. */
static void
cut_messages(GrpcStream *stream, GrpcSlice *input)
{
    GrpcSession *session = stream->session;

    while (input->len > 0 && !stream->on_hold && !stream->in_stop && !session->is_turn_over) {
        GrpcSlice message = { NULL, 0 };
        GrpcFrameResult result = grpc_frame_feed(&stream->parser, input, &message);

        handle_frame(stream, result, message);
        if (!stream->in_stop)
            charge_parser(stream);
        grpc_session_spend_turn(session);
    }
    if (stream->in_stop)
        *input = (GrpcSlice){ NULL, 0 };
}

static void
keep_for_later(GrpcStream *stream, GrpcSlice input)
{
    if (!grpc_stream_charge(stream, input.len)) {
        fault(stream, GRPC_STATUS_RESOURCE_EXHAUSTED,
              "too much of what you have sent waits to be processed");
        return;
    }
    if (!stream->held)
        stream->held = g_byte_array_new();
    g_byte_array_append(stream->held, input.data, (guint)input.len);
    if (!stream->on_hold)
        grpc_session_add_work(stream);
}

static void
tell_end(GrpcStream *stream)
{
    if (!stream->in_end || stream->in_end_told || stream->in_stop || stream->held)
        return;
    stream->in_end_told = true;
    if (!grpc_frame_is_between(&stream->parser))
        fault(stream, GRPC_STATUS_INTERNAL, "the stream ended within a message");
    else
        stream->session->ops->half_close(stream);
}

void
grpc_stream_receive(GrpcStream *stream, GrpcSlice input)
{
    nghttp2_session *h2 = stream->session->h2;
    size_t len = input.len;

    nghttp2_session_consume_connection(h2, len);
    if (!stream->held)
        cut_messages(stream, &input);
    if (input.len > 0 && !stream->in_stop)
        keep_for_later(stream, input);
    nghttp2_session_consume_stream(h2, stream->id, len - input.len);
}

void
grpc_stream_receive_end(GrpcStream *stream)
{
    stream->in_end = true;
    tell_end(stream);
}

void
grpc_stream_hold(GrpcStream *stream, bool hold)
{
    stream->on_hold = hold;
    if (!hold && stream->held)
        grpc_session_add_work(stream);
}

/* Cutting may end early again; what is left then stays held. */
static void
process_held(GrpcStream *stream)
{
    g_autoptr(GByteArray) held = g_steal_pointer(&stream->held);
    GrpcSlice input = { held->data, held->len };
    size_t used;

    grpc_stream_refund(stream, held->len);
    cut_messages(stream, &input);
    used = held->len - input.len;
    if (input.len > 0)
        keep_for_later(stream, input);
    nghttp2_session_consume_stream(stream->session->h2, stream->id, used);
    tell_end(stream);
}

void
grpc_stream_work(GrpcStream *stream)
{
    if (stream->was_drained) {
        stream->was_drained = false;
        stream->session->ops->drained(stream);
    }
    if (stream->held && !stream->on_hold)
        process_held(stream);
}

static void
resume(GrpcStream *stream)
{
    if (stream->is_deferred) {
        stream->is_deferred = false;
        nghttp2_session_resume_data(stream->session->h2, stream->id);
    }
    grpc_session_wake(stream->session);
}

bool
grpc_stream_push(GrpcStream *stream, const ProtobufCMessage *message)
{
    size_t body_len = protobuf_c_message_get_packed_size(message);
    size_t len = GRPC_FRAME_PREFIX_BYTES + body_len;
    GrpcChunk *chunk;

    if (!stream->session || stream->session->is_closed || stream->out_end ||
        body_len > UINT32_MAX || !grpc_stream_charge(stream, len))
        return false;
    chunk = g_malloc(sizeof(*chunk) + len);
    chunk->next = NULL;
    chunk->len = len;
    grpc_frame_write_prefix(chunk->bytes, body_len);
    protobuf_c_message_pack(message, chunk->bytes + GRPC_FRAME_PREFIX_BYTES);
    if (stream->out_tail)
        stream->out_tail->next = chunk;
    else
        stream->out_head = chunk;
    stream->out_tail = chunk; /* the queue owns it from here */
    stream->out_bytes += len;
    resume(stream);
    return true;
}

static void
drop_head(GrpcStream *stream)
{
    GrpcChunk *chunk = stream->out_head;

    stream->out_head = chunk->next;
    if (!stream->out_head)
        stream->out_tail = NULL;
    stream->out_bytes -= chunk->len - stream->out_offset;
    stream->out_offset = 0;
    grpc_stream_refund(stream, chunk->len);
    g_free(chunk);
}

void
grpc_stream_discard(GrpcStream *stream)
{
    while (stream->out_head)
        drop_head(stream);
}

void
grpc_stream_end(GrpcStream *stream)
{
    stream->out_end = true;
    resume(stream);
}

void
grpc_stream_reset(GrpcStream *stream, uint32_t h2_error)
{
    grpc_stream_stop(stream);
    grpc_stream_discard(stream);
    stream->out_end = true;
    nghttp2_submit_rst_stream(stream->session->h2, NGHTTP2_FLAG_NONE, stream->id, h2_error);
    grpc_session_wake(stream->session);
}

static size_t
take_from_queue(GrpcStream *stream, uint8_t *to, size_t room)
{
    size_t taken = 0;

    while (stream->out_head && taken < room) {
        GrpcChunk *chunk = stream->out_head;
        size_t len = MIN(room - taken, chunk->len - stream->out_offset);

        memcpy(to + taken, chunk->bytes + stream->out_offset, len);
        taken += len;
        stream->out_offset += len;
        stream->out_bytes -= len;
        if (stream->out_offset == chunk->len)
            drop_head(stream);
    }
    return taken;
}

static ssize_t
read_queue(nghttp2_session *h2, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
           nghttp2_data_source *source, void *unused)
{
    GrpcStream *stream = source->ptr;
    size_t len = take_from_queue(stream, to, room);

    (void)h2, (void)id, (void)unused;
    if (stream->out_head)
        return (ssize_t)len;
    if (len > 0) {
        stream->was_drained = true;
        grpc_session_add_work(stream);
    }
    if (stream->out_end) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->session->ops->trailers) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            stream->session->ops->trailers(stream);
        }
    } else if (len == 0) {
        stream->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)len;
}

nghttp2_data_provider
grpc_stream_source(GrpcStream *stream)
{
    return (nghttp2_data_provider){ .source.ptr = stream, .read_callback = read_queue };
}
