/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_request.h - the headers of a request: gathered, then judged (inside the library)
 */
#ifndef PROTO_GRPC_REQUEST_H
#define PROTO_GRPC_REQUEST_H

#include "proto/grpc_server.h"

/* What the headers of one request said. All zero before the first. */
typedef struct {
    const GrpcMethod *method; /* row of :path; NULL if there is none */
    uint64_t timeout_us;      /* of grpc-timeout, if has_timeout */
    uint8_t pseudo_seen;      /* bit per pseudo-header, to find doubles */
    bool is_regular_seen;     /* pseudo-headers may come no more */
    bool is_malformed;        /* against HTTP/2: the stream is reset */
    bool is_post;             /* :method */
    bool is_grpc;             /* content-type */
    bool has_te_trailers;     /* te */
    bool has_timeout;         /* grpc-timeout, well-formed */
    bool has_bad_timeout;     /* grpc-timeout, not well-formed */
    bool has_encoding;        /* grpc-encoding other than identity */
} GrpcRequest;

/* What to do with a request. */
typedef struct {
    const char *http_status; /* not gRPC: answer with this HTTP status and nothing else; or NULL */
    GrpcStatus status;       /* GRPC_STATUS_OK: go on */
    const char *text;        /* static; for the client if not OK */
} GrpcVerdict;

/**
 * grpc_request_header() - take one header
 * @request: the request
 * @methods: path -> GrpcMethod
 * @name:    as received
 * @value:   as received
 */
void grpc_request_header(GrpcRequest *request, GHashTable *methods, const char *name,
                         const char *value);

/**
 * grpc_request_judge() - decide on a request when its headers are complete
 * @request: not malformed
 */
GrpcVerdict grpc_request_judge(const GrpcRequest *request);

/**
 * grpc_request_is_malformed() - whether the headers break HTTP/2 itself
 *
 * Source: RFC 9113, sections 8.2 and 8.3
 */
bool grpc_request_is_malformed(const GrpcRequest *request);

#endif
