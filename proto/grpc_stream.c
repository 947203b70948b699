/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_stream.c - messages into one HTTP/2 stream
 *
 * DATA is cut into messages and handed on. The connection's window is granted anew as soon as
 * bytes arrive, or one stream on hold would stall all others of its connection. The stream's own
 * window is granted only for bytes that were cut into messages: a handler that holds leaves its
 * peer with what the window had left, which waits in `held`. So does what a turn has no time for. A
 * message that is not complete yet is counted against the peer's budget as it grows, and has to be
 * complete in time, or it would be held as long as the peer likes. A stream of requests without one
 * may be as old as it likes.
 */
#include "proto/grpc_stream.h"

void
grpc_stream_init(GrpcStream *stream, GrpcSession *session, int32_t id)
{
    *stream = (GrpcStream){
        .session = session,
        .id = id,
        .link = { .data = stream },
        .work_link = { .data = stream },
        .unfinished_link = { .data = stream },
        .parser = { .limit_bytes = session->limits.message_bytes },
    };
    g_queue_push_tail_link(&session->streams, &stream->link);
}

static void
forget_unfinished(GrpcStream *stream)
{
    if (stream->is_unfinished)
        g_queue_unlink(&stream->session->unfinished, &stream->unfinished_link);
    stream->is_unfinished = false;
}

/* Begins or ends the time in which the peer has to finish what it has begun. While input waits here
 * it owes nothing. */
static void
watch_unfinished(GrpcStream *stream)
{
    bool owes = !stream->in_end && !stream->in_stop && !stream->held &&
                (stream->is_single || !grpc_frame_is_between(&stream->parser));

    if (!owes)
        forget_unfinished(stream);
    if (!owes || stream->is_unfinished)
        return;
    stream->is_unfinished = true;
    stream->begun_us = stream->session->now_us;
    g_queue_push_tail_link(&stream->session->unfinished, &stream->unfinished_link);
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
    stream->parser_charged = 0;
    g_queue_unlink(&session->streams, &stream->link);
    if (stream->has_work)
        g_queue_unlink(&session->work, &stream->work_link);
    forget_unfinished(stream);
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

/* A message that is being handed out right now stays until its handler has returned. */
void
grpc_stream_stop(GrpcStream *stream)
{
    stream->in_stop = true;
    if (stream->held) {
        grpc_stream_refund(stream, stream->held->len);
        g_clear_pointer(&stream->held, g_byte_array_unref);
    }
    if (!grpc_frame_is_between(&stream->parser)) {
        grpc_frame_clear(&stream->parser);
        grpc_stream_refund(stream, stream->parser_charged);
        stream->parser_charged = 0;
    }
    forget_unfinished(stream);
}

static void
fault(GrpcStream *stream, GrpcStatus status, const char *text)
{
    grpc_stream_stop(stream);
    stream->session->ops->fault(stream, status, text);
}

void
grpc_stream_expect_single(GrpcStream *stream)
{
    stream->is_single = true;
    watch_unfinished(stream);
}

void
grpc_stream_give_up(GrpcStream *stream)
{
    fault(stream, GRPC_STATUS_DEADLINE_EXCEEDED, "the request was not complete in time");
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
        forget_unfinished(stream);
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
        /* A stream that stays open may never be fed again. */
        if (result == GRPC_FRAME_MESSAGE)
            grpc_frame_clear(&stream->parser);
        if (!stream->in_stop || stream->parser_charged > 0)
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
    watch_unfinished(stream);
}

void
grpc_stream_receive_end(GrpcStream *stream)
{
    stream->in_end = true;
    forget_unfinished(stream);
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
    watch_unfinished(stream);
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
