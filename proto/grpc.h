/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc.h - what server and client of our small gRPC library share: status codes, limits, errors
 *
 * The library speaks gRPC over HTTP/2 (nghttp2) with protobuf-c messages on UNIX sockets. It runs
 * on a GLib main context, in one thread, and takes no locks: every call into it and every callback
 * out of it happens in the thread that runs the context.
 *
 *     grpc_server.h          grpc_client.h          public
 *        grpc_call             grpc_client_call     one call: its headers, messages and status
 *        grpc_request
 *              \                  /
 *               grpc_stream, grpc_stream_out        one HTTP/2 stream: messages in and out
 *               grpc_session, _io, _timer           one connection: nghttp2, socket, timers, floods
 *               grpc_frame, grpc_status, grpc_timeout, grpc_limits, grpc_socket
 *
 * Source: "gRPC over HTTP2" (PROTOCOL-HTTP2.md) and "Status codes and their use in gRPC"
 * (statuscodes.md) of the gRPC project; RFC 9113 for HTTP/2.
 */
#ifndef PROTO_GRPC_H
#define PROTO_GRPC_H

#include <glib.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Outcome of a call; the numbers are the wire's. */
typedef enum {
    GRPC_STATUS_OK = 0,
    GRPC_STATUS_CANCELLED = 1,
    GRPC_STATUS_UNKNOWN = 2,
    GRPC_STATUS_INVALID_ARGUMENT = 3,
    GRPC_STATUS_DEADLINE_EXCEEDED = 4,
    GRPC_STATUS_NOT_FOUND = 5,
    GRPC_STATUS_ALREADY_EXISTS = 6,
    GRPC_STATUS_PERMISSION_DENIED = 7,
    GRPC_STATUS_RESOURCE_EXHAUSTED = 8,
    GRPC_STATUS_FAILED_PRECONDITION = 9,
    GRPC_STATUS_ABORTED = 10,
    GRPC_STATUS_OUT_OF_RANGE = 11,
    GRPC_STATUS_UNIMPLEMENTED = 12,
    GRPC_STATUS_INTERNAL = 13,
    GRPC_STATUS_UNAVAILABLE = 14,
    GRPC_STATUS_DATA_LOSS = 15,
    GRPC_STATUS_UNAUTHENTICATED = 16,
    GRPC_STATUS_COUNT,
} GrpcStatus;

/* Error domain of failed calls; the code is a GrpcStatus and never GRPC_STATUS_OK. */
#define GRPC_ERROR (grpc_error_quark())

/**
 * grpc_error_quark() - the error domain behind GRPC_ERROR
 */
GQuark grpc_error_quark(void);

/**
 * grpc_status_name() - the upper-case name of a status, as the gRPC documents write it
 * @status: any number; what is outside the enum is "UNKNOWN"
 *
 * Return: static text, never NULL
 */
const char *grpc_status_name(GrpcStatus status);

/* How messages flow in a call. */
typedef enum {
    GRPC_UNARY,         /* one request, one response */
    GRPC_SERVER_STREAM, /* one request, any number of responses */
    GRPC_CLIENT_STREAM, /* any number of requests, one response */
    GRPC_BIDI_STREAM,   /* any number of both, in any order */
    GRPC_KIND_COUNT,
} GrpcKind;

/*
 * What one peer, and all peers together, may cost us. Those of read-only sockets count apart from
 * others, and so does root. Zero in a time means "never"; every other field must be set. Start from
 * grpc_server_limits or grpc_client_limits.
 */
typedef struct {
    unsigned connections;            /* at the same time */
    unsigned connections_per_uid;    /* of these, by one user */
    uint32_t streams_per_connection; /* calls open at the same time on one connection */
    uint32_t header_list_bytes;      /* of one call, counted as HTTP/2 does: name + value + 32 */
    uint32_t outbound_frames;        /* waiting for a peer that does not read */
    uint32_t control_burst;          /* frames that move no message (pings, settings, ...) */
    uint32_t control_per_s;          /* rate at which the burst allowance comes back */
    uint32_t reset_burst;            /* streams opened and reset by the peer */
    uint32_t reset_per_s;            /* rate at which that allowance comes back */
    size_t message_bytes;            /* largest message that is accepted */
    size_t unpack_bytes;             /* memory that decoding one request may take; server only */
    size_t peer_bytes;               /* messages of one connection held here, both directions */
    size_t user_bytes;               /* the same of one user who is not root */
    size_t total_bytes;              /* the same of all */
    uint64_t handshake_us;           /* from connect to the peer's first HTTP/2 SETTINGS */
    uint64_t idle_us;                /* a connection without calls is told to go away */
    uint64_t keepalive_us;           /* silence after which we ping */
    uint64_t keepalive_ack_us;       /* silence after the ping that means the peer is gone */
    uint64_t linger_us;              /* all was said, and the peer has not closed its end */
    uint64_t request_us;             /* from the begin of a request message to its end */
    uint64_t turn_us;                /* of one loop turn, before others get theirs */
} GrpcLimits;

extern const GrpcLimits grpc_server_limits; /* defaults of a server, reasons in grpc_limits.c */
extern const GrpcLimits grpc_client_limits; /* defaults of a client */

#endif
