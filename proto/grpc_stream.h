/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_stream.h - messages in and out of one HTTP/2 stream (inside the library)
 */
#ifndef PROTO_GRPC_STREAM_H
#define PROTO_GRPC_STREAM_H

#include "proto/grpc_session.h"

/**
 * grpc_stream_init() - enter a stream in its session
 */
void grpc_stream_init(GrpcStream *stream, GrpcSession *session, int32_t id);

/**
 * grpc_stream_detach() - take a stream out of its session and drop its buffers; idempotent
 */
void grpc_stream_detach(GrpcStream *stream);

/**
 * grpc_stream_receive() - bytes arrived in DATA frames
 */
void grpc_stream_receive(GrpcStream *stream, GrpcSlice input);

/**
 * grpc_stream_receive_end() - the peer finished its half
 */
void grpc_stream_receive_end(GrpcStream *stream);

/**
 * grpc_stream_expect_single() - the peer is to send one message and finish its half, in time
 */
void grpc_stream_expect_single(GrpcStream *stream);

/**
 * grpc_stream_give_up() - the peer did not finish in time what it has begun
 */
void grpc_stream_give_up(GrpcStream *stream);

/**
 * grpc_stream_hold() - stop or resume delivery of messages
 */
void grpc_stream_hold(GrpcStream *stream, bool hold);

/**
 * grpc_stream_stop() - throw away what the peer sent and will send
 */
void grpc_stream_stop(GrpcStream *stream);

/**
 * grpc_stream_work() - callbacks that were put off until outside nghttp2
 */
void grpc_stream_work(GrpcStream *stream);

/**
 * grpc_stream_push() - pack a message and queue it
 * Return: false if the stream takes no more or the session's budget is used up
 */
bool grpc_stream_push(GrpcStream *stream, const ProtobufCMessage *message);

/**
 * grpc_stream_end() - nothing more will be queued: end the stream after the queue
 */
void grpc_stream_end(GrpcStream *stream);

/**
 * grpc_stream_discard() - drop the queue
 */
void grpc_stream_discard(GrpcStream *stream);

/**
 * grpc_stream_reset() - end the stream at once with RST_STREAM
 */
void grpc_stream_reset(GrpcStream *stream, uint32_t h2_error);

/**
 * grpc_stream_charge() - count memory held for a stream, until it is detached
 * Return: false if the budget is used up
 */
bool grpc_stream_charge(GrpcStream *stream, size_t bytes);

/**
 * grpc_stream_refund() - memory that was counted for a stream is free again
 */
void grpc_stream_refund(GrpcStream *stream, size_t bytes);

/**
 * grpc_stream_source() - the queue as nghttp2's source of DATA
 */
nghttp2_data_provider grpc_stream_source(GrpcStream *stream);

#endif
