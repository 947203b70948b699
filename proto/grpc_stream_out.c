/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_stream_out.c - messages out of one HTTP/2 stream
 *
 * Messages queue as framed chunks, counted against the same budget as those that come in; nghttp2
 * copies from the queue as the peer's window allows (read_queue). An empty queue defers nghttp2's
 * reading until the next push or the end. The end of a server's stream is its trailers, submitted
 * with the last DATA.
 */
#include "proto/grpc_stream.h"

#include <string.h>

/* A framed message in a queue. */
struct GrpcChunk {
    GrpcChunk *next; /* owned */
    size_t len;      /* of @bytes */
    uint8_t bytes[]; /* prefix and packed message */
};

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
