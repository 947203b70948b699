/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_request_test.c - request headers: what goes on, what is refused, and how */
#include "proto/grpc_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const GrpcMethod known = { .path = "/p.S/M" };

/* Headers as "name: value" lines, in order. */
static GrpcRequest
request_of(const char *lines)
{
    g_autoptr(GHashTable) methods = g_hash_table_new(g_str_hash, g_str_equal);
    g_auto(GStrv) split = g_strsplit(lines, "\n", -1);
    GrpcRequest request = { 0 };

    g_hash_table_insert(methods, (gpointer)(uintptr_t)known.path, (gpointer)(uintptr_t)&known);
    for (char **line = split; *line && **line; line++) {
        char *colon = strstr(*line + 1, ": ");

        assert_non_null(colon);
        *colon = '\0';
        grpc_request_header(&request, methods, *line, colon + 2);
    }
    return request;
}

#define PSEUDO ":method: POST\n:scheme: http\n:path: /p.S/M\n"
#define TYPE   "content-type: application/grpc\n"
#define TE     "te: trailers\n"

static void
requests_are_judged(void **unused)
{
    static const struct {
        const char *when;
        const char *lines;
        const char *http_status; /* NULL: a gRPC status */
        GrpcStatus want;
    } rows[] = {
        { "all in order", PSEUDO TYPE TE, NULL, GRPC_STATUS_OK },
        { "a path as authority", PSEUDO ":authority: /run/x.sock\n" TYPE TE, NULL, GRPC_STATUS_OK },
        { "type with subtype", PSEUDO "content-type: application/grpc+proto\n" TE, NULL,
          GRPC_STATUS_OK },
        { "type with parameter", PSEUDO "content-type: application/grpc;x=y\n" TE, NULL,
          GRPC_STATUS_OK },
        { "identity encoding", PSEUDO TYPE TE "grpc-encoding: identity\n", NULL, GRPC_STATUS_OK },
        { "unknown headers", PSEUDO TYPE TE "x-y: z\nuser-agent: u\n", NULL, GRPC_STATUS_OK },
        { "GET", ":method: GET\n:scheme: http\n:path: /p.S/M\n" TYPE TE, "405", GRPC_STATUS_OK },
        { "no type", PSEUDO TE, "415", GRPC_STATUS_OK },
        { "another type", PSEUDO "content-type: text/html\n" TE, "415", GRPC_STATUS_OK },
        { "grpc-web", PSEUDO "content-type: application/grpc-web\n" TE, "415", GRPC_STATUS_OK },
        { "json", PSEUDO "content-type: application/grpc+json\n" TE, "415", GRPC_STATUS_OK },
        { "no te", PSEUDO TYPE, NULL, GRPC_STATUS_INTERNAL },
        { "another te", PSEUDO TYPE "te: gzip\n", NULL, GRPC_STATUS_INTERNAL },
        { "bad timeout", PSEUDO TYPE TE "grpc-timeout: 5x\n", NULL, GRPC_STATUS_INTERNAL },
        { "gzip", PSEUDO TYPE TE "grpc-encoding: gzip\n", NULL, GRPC_STATUS_UNIMPLEMENTED },
        { "unknown path", ":method: POST\n:scheme: http\n:path: /p.S/N\n" TYPE TE, NULL,
          GRPC_STATUS_UNIMPLEMENTED },
        { "path without slash", ":method: POST\n:scheme: http\n:path: p.S/M\n" TYPE TE, NULL,
          GRPC_STATUS_UNIMPLEMENTED },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrpcRequest request = request_of(rows[i].lines);
        GrpcVerdict got = grpc_request_judge(&request);

        if (grpc_request_is_malformed(&request))
            fail_msg("%s: malformed", rows[i].when);
        if (g_strcmp0(got.http_status, rows[i].http_status) != 0)
            fail_msg("%s: HTTP status %s", rows[i].when, got.http_status);
        if (!got.http_status && got.status != rows[i].want)
            fail_msg("%s: %s", rows[i].when, grpc_status_name(got.status));
    }
}

static void
what_breaks_http2_is_malformed(void **unused)
{
    static const struct {
        const char *when;
        const char *lines;
    } rows[] = {
        { "nothing", "" },
        { "no path", ":method: POST\n:scheme: http\n" TYPE TE },
        { "no method", ":scheme: http\n:path: /p.S/M\n" TYPE TE },
        { "two paths", PSEUDO ":path: /p.S/M\n" TYPE TE },
        { "a pseudo-header of responses", PSEUDO ":status: 200\n" TYPE TE },
        { "an unknown pseudo-header", PSEUDO ":x: y\n" TYPE TE },
        { "a pseudo-header behind others", PSEUDO TYPE TE ":authority: x\n" },
        { "an upper-case name", PSEUDO TYPE "TE: trailers\n" },
        { "a header of HTTP/1", PSEUDO TYPE TE "connection: close\n" },
        { "another header of HTTP/1", PSEUDO TYPE TE "transfer-encoding: chunked\n" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrpcRequest request = request_of(rows[i].lines);

        if (!grpc_request_is_malformed(&request))
            fail_msg("%s: taken", rows[i].when);
    }
}

static void
method_and_timeout_are_kept(void **unused)
{
    GrpcRequest request = request_of(PSEUDO TYPE TE "grpc-timeout: 250m\n");

    (void)unused;
    assert_ptr_equal(request.method, &known);
    assert_true(request.has_timeout);
    assert_int_equal(request.timeout_us, 250000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_judged),
        cmocka_unit_test(what_breaks_http2_is_malformed),
        cmocka_unit_test(method_and_timeout_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
