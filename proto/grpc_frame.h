/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_frame.h - messages on a stream: one flag byte, four length bytes, then the message
 *
 * Source: PROTOCOL-HTTP2.md, "Length-Prefixed-Message"
 */
#ifndef PROTO_GRPC_FRAME_H
#define PROTO_GRPC_FRAME_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRPC_FRAME_PREFIX_BYTES 5

/* Bytes that belong to somebody else. */
typedef struct {
    const uint8_t *data; /* borrowed; may be NULL if @len is 0 */
    size_t len;          /* of @data */
} GrpcSlice;

typedef enum {
    GRPC_FRAME_MORE,       /* all input taken, no message complete */
    GRPC_FRAME_MESSAGE,    /* a message is complete; there may be input left */
    GRPC_FRAME_COMPRESSED, /* the sender says it compressed; broken from here */
    GRPC_FRAME_BAD_FLAG,   /* the flag byte is neither 0 nor 1; broken from here */
    GRPC_FRAME_TOO_BIG,    /* the announced length is over the limit; broken from here */
    GRPC_FRAME_COUNT,
} GrpcFrameResult;

/* Cuts a stream of bytes into messages. All zero, with @limit_bytes set, is a fresh parser. */
typedef struct {
    size_t limit_bytes; /* largest message accepted */
    /* private: */
    uint8_t prefix[GRPC_FRAME_PREFIX_BYTES]; /* what arrived of flag and length */
    uint8_t prefix_len;                      /* of @prefix; 5 while in a message */
    uint32_t body_len;                       /* announced; valid once the prefix is whole */
    GByteArray *body;                        /* owned; what arrived of a split message, else NULL */
    bool is_delivered;                       /* the current message went out; start anew */
} GrpcFrameParser;

/**
 * grpc_frame_feed() - take input until one message is complete
 * @parser:      the parser
 * @input:       moved past what was taken
 * @ret_message: set for GRPC_FRAME_MESSAGE only: points into @input's bytes or the parser, valid
 *               until the next feed or clear
 *
 * Memory grows with the bytes that arrived, never with the length that was announced.
 */
GrpcFrameResult grpc_frame_feed(GrpcFrameParser *parser, GrpcSlice *input, GrpcSlice *ret_message);

/**
 * grpc_frame_held_bytes() - memory kept for a message that is not complete
 */
size_t grpc_frame_held_bytes(const GrpcFrameParser *parser);

/**
 * grpc_frame_is_between() - whether the input so far ends at the end of a message
 */
bool grpc_frame_is_between(const GrpcFrameParser *parser);

/**
 * grpc_frame_clear() - drop what is held; the parser is fresh again
 */
void grpc_frame_clear(GrpcFrameParser *parser);

/**
 * grpc_frame_write_prefix() - flag and length of an uncompressed message
 * @to:        5 bytes
 * @body_len:  bytes that follow; at most UINT32_MAX
 */
void grpc_frame_write_prefix(uint8_t *to, size_t body_len);

#endif
