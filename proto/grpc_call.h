/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_call.h - server side of one call (inside the library)
 *
 *   headers --refused--> trailers only            (the handler never hears of it)
 *      |
 *    start, message..., half_closed               handler's callbacks, from grpc_call_ops.c
 *      |
 *   conclude: by the handler, at the deadline, on a fault of the client, at shutdown
 *      |        headers if not sent, queued messages, trailers: grpc_call.c
 *    closed                                       exactly once if it was started
 *
 * When the library concludes a call, the handler is told `closed` at once, so that it stops working
 * on an answer nobody will read; when the handler does, it is told once the status went out.
 */
#ifndef PROTO_GRPC_CALL_H
#define PROTO_GRPC_CALL_H

#include "proto/grpc_request.h"
#include "proto/grpc_server_state.h"
#include "proto/grpc_session.h"

struct GrpcCall {
    GrpcStream stream;      /* embedded; the call lives at least as long as it is open */
    unsigned refs;          /* one of the open stream, others of the handler */
    GrpcSession *session;   /* a reference: peer and server stay valid with the call */
    GrpcRequest request;    /* what the headers said */
    GBytes *single;         /* owned; the only request, packed, until the half-close; or NULL */
    GSource *deadline;      /* owned; NULL if there is none */
    gpointer data;          /* handler's, see @destroy */
    GDestroyNotify destroy; /* for @data; may be NULL */
    char *text;             /* owned; percent-encoded grpc-message; NULL until concluded or if OK */
    GrpcStatus status;      /* once concluded */
    bool has_headers_end;   /* later header blocks are trailers, of no use to us */
    bool is_started;        /* the handler knows of it */
    bool is_headers_sent;   /* response headers are submitted */
    bool is_concluded;      /* the status is decided */
    bool is_closed;         /* the handler was told */
};

extern const GrpcSessionOps grpc_call_ops; /* what server sessions do with their streams */

/**
 * grpc_call_of_stream() - the call that a stream of a server session is embedded in
 */
GrpcCall *grpc_call_of_stream(GrpcStream *stream);

/**
 * grpc_call_start_deadline() - conclude the call when its grpc-timeout has passed
 */
void grpc_call_start_deadline(GrpcCall *call);

/**
 * grpc_call_conclude() - decide the status; it goes out after what is queued
 * @text: for the client; not used for GRPC_STATUS_OK
 *
 * No effect on a call that is concluded or closed.
 */
void grpc_call_conclude(GrpcCall *call, GrpcStatus status, const char *text);

/**
 * grpc_call_cut_off() - the library ends the call: drops what is queued, tells client and handler
 */
void grpc_call_cut_off(GrpcCall *call, GrpcStatus status, const char *text, GrpcClose why);

/**
 * grpc_call_abandon() - end a call whose responses could go on for ever: the server shuts down
 */
void grpc_call_abandon(GrpcCall *call);

/**
 * grpc_call_submit_trailers() - hand grpc-status and grpc-message to nghttp2
 */
void grpc_call_submit_trailers(GrpcStream *stream);

/**
 * grpc_call_close() - the stream is gone: tell the handler, and drop the stream's reference
 */
void grpc_call_close(GrpcCall *call, GrpcClose why);

#endif
