/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_request.c - the headers of a request: gathered, then judged
 *
 * Nothing is kept of the headers but what they mean to us. :authority may be anything: on a UNIX
 * socket it has no meaning, and clients put a host name, an escaped path or the bare path there.
 *
 * Order of judgement: what is not gRPC at all gets an HTTP status, as the protocol asks; the rest
 * gets a gRPC status, first for what cannot be understood, then for the method.
 */
#include "proto/grpc_request.h"

#include "proto/grpc_timeout.h"

#include <string.h>

static const char *const pseudo_names[] = { ":method", ":scheme", ":path", ":authority" };
#define PSEUDO_REQUIRED 0x07 /* the first three */

/* Headers that steer an HTTP/1 connection: RFC 9113, section 8.2.2. */
static const char *const connection_names[] = { "connection", "keep-alive", "proxy-connection",
                                                "transfer-encoding", "upgrade" };

static bool
is_in(const char *name, const char *const *names, size_t n_names, size_t *ret_index)
{
    for (size_t i = 0; i < n_names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static void
take_pseudo(GrpcRequest *request, GHashTable *methods, const char *name, const char *value)
{
    size_t index = 0;

    if (request->is_regular_seen ||
        !is_in(name, pseudo_names, G_N_ELEMENTS(pseudo_names), &index) ||
        request->pseudo_seen & 1u << index) {
        request->is_malformed = true;
        return;
    }
    request->pseudo_seen |= (uint8_t)(1u << index);
    if (strcmp(name, ":method") == 0)
        request->is_post = strcmp(value, "POST") == 0;
    else if (strcmp(name, ":path") == 0)
        request->method = g_hash_table_lookup(methods, value);
}

/* application/grpc, with or without +proto and parameters. Its relatives (grpc-web, +json) look
 * alike and are different protocols. */
static bool
is_grpc_type(const char *value)
{
    const char *rest = value + strlen("application/grpc");

    if (g_ascii_strncasecmp(value, "application/grpc", strlen("application/grpc")) != 0)
        return false;
    if (g_ascii_strncasecmp(rest, "+proto", strlen("+proto")) == 0)
        rest += strlen("+proto");
    return *rest == '\0' || *rest == ';' || *rest == ' ';
}

static bool
has_upper(const char *name)
{
    for (; *name; name++) {
        if (g_ascii_isupper(*name))
            return true;
    }
    return false;
}

static void
take_regular(GrpcRequest *request, const char *name, const char *value)
{
    size_t unused;

    request->is_regular_seen = true;
    if (has_upper(name) || is_in(name, connection_names, G_N_ELEMENTS(connection_names), &unused))
        request->is_malformed = true;
    else if (strcmp(name, "content-type") == 0)
        request->is_grpc = is_grpc_type(value);
    else if (strcmp(name, "te") == 0)
        request->has_te_trailers = strcmp(value, "trailers") == 0;
    else if (strcmp(name, "grpc-encoding") == 0)
        request->has_encoding = strcmp(value, "identity") != 0;
    else if (strcmp(name, "grpc-timeout") == 0) {
        request->has_timeout = grpc_timeout_parse(value, &request->timeout_us);
        request->has_bad_timeout = !request->has_timeout;
    }
}

void
grpc_request_header(GrpcRequest *request, GHashTable *methods, const char *name, const char *value)
{
    if (name[0] == ':')
        take_pseudo(request, methods, name, value);
    else
        take_regular(request, name, value);
}

bool
grpc_request_is_malformed(const GrpcRequest *request)
{
    return request->is_malformed || (request->pseudo_seen & PSEUDO_REQUIRED) != PSEUDO_REQUIRED;
}

GrpcVerdict
grpc_request_judge(const GrpcRequest *request)
{
    if (!request->is_post)
        return (GrpcVerdict){ "405", GRPC_STATUS_INTERNAL, "not a POST request" };
    if (!request->is_grpc)
        return (GrpcVerdict){ "415", GRPC_STATUS_INTERNAL, "not a gRPC request" };
    if (!request->has_te_trailers)
        return (GrpcVerdict){ NULL, GRPC_STATUS_INTERNAL, "the header te: trailers is missing" };
    if (request->has_bad_timeout)
        return (GrpcVerdict){ NULL, GRPC_STATUS_INTERNAL, "grpc-timeout cannot be read" };
    if (!request->method)
        return (GrpcVerdict){ NULL, GRPC_STATUS_UNIMPLEMENTED, "unknown service or method" };
    if (request->has_encoding)
        return (GrpcVerdict){ NULL, GRPC_STATUS_UNIMPLEMENTED,
                              "compressed messages are not supported (grpc-encoding)" };
    return (GrpcVerdict){ NULL, GRPC_STATUS_OK, NULL };
}
