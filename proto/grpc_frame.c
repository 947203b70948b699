/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_frame.c - messages on a stream: one flag byte, four length bytes, then the message
 *
 * HTTP/2 cuts the stream where it likes, so a prefix or a body may come in pieces. The common case
 * is a small message within one piece: it is handed out where it lies, without a copy. Only a
 * split message is gathered, in an array that grows with what really arrived: five bytes that
 * announce 4 MiB cost five bytes.
 */
#include "proto/grpc_frame.h"

#include <assert.h>
#include <string.h>

static void
skip(GrpcSlice *input, size_t len)
{
    input->data += len;
    input->len -= len;
}

static void
take_prefix(GrpcFrameParser *parser, GrpcSlice *input)
{
    size_t missing = GRPC_FRAME_PREFIX_BYTES - parser->prefix_len;
    size_t len = MIN(missing, input->len);

    memcpy(parser->prefix + parser->prefix_len, input->data, len);
    parser->prefix_len = (uint8_t)(parser->prefix_len + len);
    skip(input, len);
    if (parser->prefix_len == GRPC_FRAME_PREFIX_BYTES)
        parser->body_len = (uint32_t)parser->prefix[1] << 24 | (uint32_t)parser->prefix[2] << 16 |
                           (uint32_t)parser->prefix[3] << 8 | (uint32_t)parser->prefix[4];
}

static GrpcFrameResult
check_prefix(const GrpcFrameParser *parser)
{
    if (parser->prefix[0] > 1)
        return GRPC_FRAME_BAD_FLAG;
    if (parser->prefix[0] == 1)
        return GRPC_FRAME_COMPRESSED;
    if (parser->body_len > parser->limit_bytes)
        return GRPC_FRAME_TOO_BIG;
    return GRPC_FRAME_MESSAGE;
}

static GrpcFrameResult
take_body(GrpcFrameParser *parser, GrpcSlice *input, GrpcSlice *ret_message)
{
    size_t have = parser->body ? parser->body->len : 0;
    size_t missing = parser->body_len - have;
    size_t len = MIN(missing, input->len);
    bool is_whole = len == missing;

    if (is_whole && have == 0) {
        *ret_message = (GrpcSlice){ input->data, len };
    } else if (len > 0) {
        if (!parser->body)
            parser->body = g_byte_array_new();
        g_byte_array_append(parser->body, input->data, (guint)len);
    }
    if (is_whole && have > 0)
        *ret_message = (GrpcSlice){ parser->body->data, parser->body->len };
    skip(input, len);
    parser->is_delivered = is_whole;
    return is_whole ? GRPC_FRAME_MESSAGE : GRPC_FRAME_MORE;
}

GrpcFrameResult
grpc_frame_feed(GrpcFrameParser *parser, GrpcSlice *input, GrpcSlice *ret_message)
{
    GrpcFrameResult verdict;

    if (parser->is_delivered)
        grpc_frame_clear(parser);
    if (input->len == 0)
        return GRPC_FRAME_MORE;
    if (parser->prefix_len < GRPC_FRAME_PREFIX_BYTES)
        take_prefix(parser, input);
    if (parser->prefix_len < GRPC_FRAME_PREFIX_BYTES)
        return GRPC_FRAME_MORE;

    verdict = check_prefix(parser);
    return verdict == GRPC_FRAME_MESSAGE ? take_body(parser, input, ret_message) : verdict;
}

size_t
grpc_frame_held_bytes(const GrpcFrameParser *parser)
{
    return parser->body && !parser->is_delivered ? parser->body->len : 0;
}

bool
grpc_frame_is_between(const GrpcFrameParser *parser)
{
    return parser->prefix_len == 0 || parser->is_delivered;
}

void
grpc_frame_clear(GrpcFrameParser *parser)
{
    g_clear_pointer(&parser->body, g_byte_array_unref);
    parser->prefix_len = 0;
    parser->body_len = 0;
    parser->is_delivered = false;
}

void
grpc_frame_write_prefix(uint8_t *to, size_t body_len)
{
    assert(body_len <= UINT32_MAX);
    to[0] = 0;
    to[1] = (uint8_t)(body_len >> 24);
    to[2] = (uint8_t)(body_len >> 16);
    to[3] = (uint8_t)(body_len >> 8);
    to[4] = (uint8_t)body_len;
}
