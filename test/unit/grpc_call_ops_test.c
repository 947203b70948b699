/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_call_ops_test.c - what clients send: headers and bodies, good and bad, and the status they
 * get */
#include "proto/grpc_server.h"
#include "proto/grpc_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "test/support/await.h"
#include "test/support/echo_server.h"
#include "test/support/h2_peer.h"

static void
a_good_call_gets_headers_message_and_trailers(void **unused)
{
    H2Line line = h2_line_new(NULL);
    g_autoptr(GByteArray) body = h2_peer_message("hello", 0, 0);
    int32_t id = h2_peer_request(line.peer, H2_HEADERS("Unary"), body);
    const H2Answer *answer = h2_peer_answer(line.peer, id);

    (void)unused;
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_string_equal(answer->http_status, "200");
    assert_int_equal(answer->header_count, 2);
    assert_int_equal(answer->data_bytes, 5 + 2 + strlen("hello"));
    assert_int_equal(answer->grpc_status, GRPC_STATUS_OK);
    assert_true(answer->is_closed);
    assert_int_equal(answer->close_code, NGHTTP2_NO_ERROR);
    h2_line_free(&line);
}

static void
refused_headers_get_one_block_and_the_connection_goes_on(void **unused)
{
    static const struct {
        const char *when;
        const char *lines;
        const char *http_status;
        int grpc_status;
        uint32_t close_code;
    } rows[] = {
        { "unknown method", H2_HEADERS("Nothing"), "200", GRPC_STATUS_UNIMPLEMENTED, 0 },
        { "GET",
          ":method: GET\n:scheme: http\n:path: /test.Echo/Unary\n"
          "content-type: application/grpc\nte: trailers\n",
          "405", -1, 0 },
        { "another content type",
          ":method: POST\n:scheme: http\n:path: /test.Echo/Unary\n"
          "content-type: application/json\nte: trailers\n",
          "415", -1, 0 },
        { "compression", H2_HEADERS("Unary") "grpc-encoding: gzip\n", "200",
          GRPC_STATUS_UNIMPLEMENTED, 0 },
        { "malformed", H2_HEADERS("Unary") ":path: /again\n", "", -1, NGHTTP2_PROTOCOL_ERROR },
    };
    H2Line line = h2_line_new(NULL);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int32_t id = h2_peer_request(line.peer, rows[i].lines, NULL);
        const H2Answer *answer = h2_peer_answer(line.peer, id);

        h2_peer_run(line.peer, H2_QUIET_MS);
        if (strcmp(answer->http_status, rows[i].http_status) != 0 ||
            answer->grpc_status != rows[i].grpc_status || !answer->is_closed ||
            answer->close_code != rows[i].close_code || answer->header_count > 1)
            fail_msg("%s: HTTP %s, status %d, closed %d with %u", rows[i].when, answer->http_status,
                     answer->grpc_status, answer->is_closed, answer->close_code);
        if (!h2_line_still_serves(&line))
            fail_msg("%s: the connection did not go on", rows[i].when);
    }
    h2_line_free(&line);
}

/* To C, such a path ends where it looks like that of a method. */
static void
headers_with_a_nul_byte_are_malformed(void **unused)
{
    static const struct {
        const char *when;
        const char *name;
        size_t name_len;
        const char *value;
        size_t value_len;
    } rows[] = {
        { "in the path", ":path", 5, "/test.Echo/Unary\0x", 18 },
        { "in a name", ":path\0x", 7, "/test.Echo/Unary", 16 },
    };
    H2Line line = h2_line_new(NULL);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        nghttp2_nv headers[] = {
            grpc_session_nv(":method", "POST"),
            grpc_session_nv(":scheme", "http"),
            { (uint8_t *)(uintptr_t)rows[i].name, (uint8_t *)(uintptr_t)rows[i].value,
              rows[i].name_len, rows[i].value_len, NGHTTP2_NV_FLAG_NONE },
            grpc_session_nv("content-type", "application/grpc"),
            grpc_session_nv("te", "trailers"),
        };
        int32_t id = nghttp2_submit_headers(line.peer->h2, NGHTTP2_FLAG_NONE, -1, NULL, headers,
                                            G_N_ELEMENTS(headers), NULL);
        const H2Answer *answer = h2_peer_answer(line.peer, id);

        h2_peer_run(line.peer, H2_QUIET_MS);
        if (!answer->is_closed || answer->close_code != NGHTTP2_PROTOCOL_ERROR)
            fail_msg("%s: closed %d with %u", rows[i].when, answer->is_closed, answer->close_code);
        if (!h2_line_still_serves(&line))
            fail_msg("%s: the connection did not go on", rows[i].when);
    }
    h2_line_free(&line);
}

static void
a_path_as_authority_is_no_reason_to_refuse(void **unused)
{
    H2Line line = h2_line_new(NULL);
    g_autoptr(GByteArray) body = h2_peer_message("x", 0, 0);
    int32_t id = h2_peer_request(line.peer,
                                 ":method: POST\n:scheme: http\n:path: /test.Echo/Unary\n"
                                 ":authority: /run/kata-ksm-throttler/ksm.sock\n"
                                 "content-type: application/grpc\nte: trailers\n",
                                 body);

    (void)unused;
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_int_equal(h2_peer_answer(line.peer, id)->grpc_status, GRPC_STATUS_OK);
    h2_line_free(&line);
}

static void
bad_bodies_get_a_status_and_the_connection_goes_on(void **unused)
{
    static const struct {
        const char *when;
        const char *lines;
        uint8_t body[16];
        guint len;
        int want;
    } rows[] = {
        { "compressed", H2_HEADERS("Unary"), { 1, 0, 0, 0, 1, 'x' }, 6, GRPC_STATUS_INTERNAL },
        { "bad flag", H2_HEADERS("Unary"), { 9, 0, 0, 0, 0 }, 5, GRPC_STATUS_INTERNAL },
        { "too big", H2_HEADERS("Unary"), { 0, 1, 0, 0, 0 }, 5, GRPC_STATUS_RESOURCE_EXHAUSTED },
        { "cut in the prefix", H2_HEADERS("Unary"), { 0, 0, 0 }, 3, GRPC_STATUS_INTERNAL },
        { "cut in the message",
          H2_HEADERS("Unary"),
          { 0, 0, 0, 0, 9, 'x' },
          6,
          GRPC_STATUS_INTERNAL },
        { "cut in a stream", H2_HEADERS("Chat"), { 0, 0, 0, 0, 9, 'x' }, 6, GRPC_STATUS_INTERNAL },
        { "no protobuf",
          H2_HEADERS("Unary"),
          { 0, 0, 0, 0, 2, 7, 7 },
          7,
          GRPC_STATUS_INVALID_ARGUMENT },
        { "no protobuf in a stream",
          H2_HEADERS("Chat"),
          { 0, 0, 0, 0, 2, 7, 7 },
          7,
          GRPC_STATUS_INVALID_ARGUMENT },
        { "nothing", H2_HEADERS("Unary"), { 0 }, 0, GRPC_STATUS_UNIMPLEMENTED },
        { "two messages", H2_HEADERS("Unary"), { 0 }, 10, GRPC_STATUS_UNIMPLEMENTED },
        { "an empty message", H2_HEADERS("Unary"), { 0 }, 5, GRPC_STATUS_OK },
        { "an empty stream", H2_HEADERS("Join"), { 0 }, 0, GRPC_STATUS_OK },
    };
    H2Line line = h2_line_new(NULL);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) body = g_byte_array_new();
        const H2Answer *answer;

        g_byte_array_append(body, rows[i].body, rows[i].len);
        answer = h2_peer_answer(line.peer, h2_peer_request(line.peer, rows[i].lines, body));
        h2_peer_run(line.peer, H2_QUIET_MS);
        if (answer->grpc_status != rows[i].want || !answer->is_closed)
            fail_msg("%s: status %d, closed %d", rows[i].when, answer->grpc_status,
                     answer->is_closed);
        if (!h2_line_still_serves(&line))
            fail_msg("%s: the connection did not go on", rows[i].when);
    }
    h2_line_free(&line);
}

static void
headers_over_the_limit_are_refused(void **unused)
{
    H2Line line = h2_line_new(NULL);
    g_autofree char *value = g_strnfill(20000, 'x');
    g_autofree char *lines = g_strdup_printf("%sx-large: %s\n", H2_HEADERS("Unary"), value);
    int32_t id = h2_peer_request(line.peer, lines, NULL);

    (void)unused;
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_int_equal(h2_peer_answer(line.peer, id)->grpc_status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_true(h2_line_still_serves(&line));
    h2_line_free(&line);
}

static void
requests_that_cost_too_much_memory_are_refused(void **unused)
{
    static const struct {
        const char *when;
        size_t unpack_bytes;
        size_t peer_bytes;
        int want;
    } rows[] = {
        { "within both", 100000, 2000, GRPC_STATUS_OK },
        { "decoded too large", 500, 2000, GRPC_STATUS_RESOURCE_EXHAUSTED },
        { "over the peer's share", 100000, 500, GRPC_STATUS_RESOURCE_EXHAUSTED },
    };
    g_autofree char *text = g_strnfill(1000, 'x');
    g_autoptr(GByteArray) body = h2_peer_message(text, 0, 0);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrpcLimits limits = grpc_server_limits;
        H2Line line;
        int32_t id;

        limits.unpack_bytes = rows[i].unpack_bytes;
        limits.peer_bytes = rows[i].peer_bytes;
        line = h2_line_new(&limits);
        id = h2_peer_request(line.peer, H2_HEADERS("Unary"), body);
        h2_peer_run(line.peer, H2_QUIET_MS);
        if (h2_peer_answer(line.peer, id)->grpc_status != rows[i].want)
            fail_msg("%s: status %d", rows[i].when, h2_peer_answer(line.peer, id)->grpc_status);
        h2_line_free(&line);
    }
}

static void
a_deadline_also_ends_an_answer_that_is_not_read(void **unused)
{
    H2Line line = h2_line_new(NULL);
    g_autoptr(GByteArray) body = h2_peer_message("", 1, 1000000);
    int32_t id;

    (void)unused;
    h2_peer_run(line.peer, H2_QUIET_MS);
    line.peer->does_not_read = true;
    id = h2_peer_request(line.peer, H2_HEADERS("Split") "grpc-timeout: 100m\n", body);
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_in_range(grpc_server_stats(line.echo->server).held_bytes, 900000, 1100000);
    AWAIT(grpc_server_stats(line.echo->server).held_bytes == 0);
    line.peer->does_not_read = false;
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_true(h2_peer_answer(line.peer, id)->is_closed);
    assert_int_equal(h2_peer_answer(line.peer, id)->close_code, NGHTTP2_CANCEL);
    assert_true(h2_line_still_serves(&line));
    h2_line_free(&line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_call_gets_headers_message_and_trailers),
        cmocka_unit_test(refused_headers_get_one_block_and_the_connection_goes_on),
        cmocka_unit_test(headers_with_a_nul_byte_are_malformed),
        cmocka_unit_test(a_path_as_authority_is_no_reason_to_refuse),
        cmocka_unit_test(bad_bodies_get_a_status_and_the_connection_goes_on),
        cmocka_unit_test(headers_over_the_limit_are_refused),
        cmocka_unit_test(requests_that_cost_too_much_memory_are_refused),
        cmocka_unit_test(a_deadline_also_ends_an_answer_that_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
