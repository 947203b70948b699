/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_status.h - status on the wire: grpc-status, grpc-message, and what HTTP/2 says instead
 */
#ifndef PROTO_GRPC_STATUS_H
#define PROTO_GRPC_STATUS_H

#include "proto/grpc.h"

/**
 * grpc_status_parse() - read a grpc-status header
 * @text: decimal digits
 *
 * Return: the status; GRPC_STATUS_UNKNOWN for anything that is none
 */
GrpcStatus grpc_status_parse(const char *text);

/**
 * grpc_status_encode() - percent-encode a text for grpc-message
 * @text: any bytes; cut at 1 KiB, so that trailers stay within every client's header limit
 *
 * Source: PROTOCOL-HTTP2.md, "Percent-Encoded": %x20-24 and %x26-7E stay as they are
 * Return: owned by the caller
 */
char *grpc_status_encode(const char *text);

/**
 * grpc_status_decode() - read a grpc-message
 * @text: percent-encoded; malformed escapes are kept as they are
 *
 * Return: valid UTF-8, owned by the caller
 */
char *grpc_status_decode(const char *text);

/**
 * grpc_status_of_http() - what an answer that is not gRPC means
 * @http_status: :status of the response, other than 200
 *
 * Source: "HTTP to gRPC Status Code Mapping" of the gRPC documents
 */
GrpcStatus grpc_status_of_http(unsigned http_status);

/**
 * grpc_status_of_reset() - what a stream reset by the peer means
 * @h2_error: error code of RST_STREAM
 *
 * Source: PROTOCOL-HTTP2.md, "Errors"
 */
GrpcStatus grpc_status_of_reset(uint32_t h2_error);

#endif
