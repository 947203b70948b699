/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * h2_peer.h - the other end of a server's connection, for tests: any HTTP/2 headers, any bytes
 *
 * Whatever the peer sends goes through nghttp2 without its checks, or raw past it. Server and peer
 * run in one thread: h2_peer_run() turns both.
 */
#ifndef TEST_SUPPORT_H2_PEER_H
#define TEST_SUPPORT_H2_PEER_H

#include <nghttp2/nghttp2.h>

#include "proto/grpc_server.h"
#include "test/support/echo_server.h"

/* Answers that are remembered, by stream id. */
#define H2_PEER_STREAMS 1024

/* What came back on one stream. */
typedef struct {
    char http_status[4];   /* "" if none */
    int grpc_status;       /* -1 if none */
    size_t data_bytes;     /* of DATA */
    uint32_t close_code;   /* once is_closed */
    unsigned header_count; /* header blocks */
    bool is_closed;        /* by either side */
} H2Answer;

typedef struct {
    int fd;                            /* owned; -1 once closed */
    nghttp2_session *h2;               /* owned */
    bool is_lost;                      /* the server closed the connection */
    bool does_not_read;                /* leaves what the server sends in the socket */
    uint32_t goaway_code;              /* of GOAWAY, if has_goaway */
    bool has_goaway;                   /* the server said goodbye */
    unsigned n_pings;                  /* pings of the server */
    H2Answer answers[H2_PEER_STREAMS]; /* by stream id */
} H2Peer;

/* A server with its limits, and a connection to it. */
typedef struct {
    EchoServer *echo; /* owned */
    H2Peer *peer;     /* owned */
} H2Line;

/* Headers of a good call. */
#define H2_HEADERS(method)                                                                         \
    ":method: POST\n:scheme: http\n:path: /test.Echo/" method "\n:authority: localhost\n"          \
    "content-type: application/grpc\nte: trailers\n"
/* Both sides are in one thread: when neither has had anything to do for a moment, nothing but a
 * timer of the server can make them. */
#define H2_QUIET_MS 5

/**
 * h2_peer_unfinished() - make a call that has sent 50000 bytes of a message of a million
 * Return: the status that it has got; -1: the rest is awaited
 */
int h2_peer_unfinished(H2Peer *peer);

/**
 * h2_line_new() - a server with @limits (NULL: the defaults), and a peer connected to it
 */
H2Line h2_line_new(const GrpcLimits *limits);

/**
 * h2_line_free() - end both, and see that the server had forgotten connection and memory before
 */
void h2_line_free(H2Line *line);

/**
 * h2_line_still_serves() - whether the connection takes a good call
 */
bool h2_line_still_serves(H2Line *line);

/**
 * h2_peer_new() - connect to a server
 * @server:    adopts the other end
 * @read_only: as if it had come through a read-only socket
 *
 * Return: owned by the caller, end with h2_peer_free()
 */
H2Peer *h2_peer_new(GrpcServer *server, bool read_only);

/**
 * h2_peer_free() - close the connection, and let the server notice
 */
void h2_peer_free(H2Peer *peer);

/**
 * h2_peer_request() - open a stream
 * @lines: headers in order, "name: value", each ended by a line feed
 * @body:  bytes of DATA, ended with END_STREAM; NULL leaves the stream open without DATA
 *
 * Return: the stream's id
 */
int32_t h2_peer_request(H2Peer *peer, const char *lines, const GByteArray *body);

/**
 * h2_peer_send_raw() - bytes past nghttp2, which has sent what it had before
 */
void h2_peer_send_raw(H2Peer *peer, const void *bytes, size_t len);

/**
 * h2_peer_run() - turn both sides until nothing more happens for @quiet_ms; 0: at the first turn
 */
void h2_peer_run(H2Peer *peer, unsigned quiet_ms);

/**
 * h2_peer_open_windows() - let the server send as much as the socket takes
 */
void h2_peer_open_windows(H2Peer *peer);

/**
 * h2_peer_answer() - what came back on a stream
 */
const H2Answer *h2_peer_answer(const H2Peer *peer, int32_t id);

/**
 * h2_peer_message() - a framed EchoRequest
 * Return: owned by the caller
 */
GByteArray *h2_peer_message(const char *text, uint32_t count, uint32_t size_bytes);

/**
 * h2_peer_frames() - @n frames of HTTP/2 in a row, with a payload of @len zeros
 * Return: owned by the caller
 */
GByteArray *h2_peer_frames(uint8_t type, uint32_t id, uint8_t len, unsigned n);

#endif
