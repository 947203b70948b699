/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_session_test.c - peers that do not speak HTTP/2, or flood us with it */
#include "proto/grpc_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "test/support/await.h"
#include "test/support/echo_server.h"
#include "test/support/h2_peer.h"

static void
what_is_not_http2_is_cut_off(void **unused)
{
    static const struct {
        const char *when;
        const char *bytes;
    } rows[] = {
        { "HTTP/1", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" },
        { "noise", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 and so on, for a while" },
        { "a preface with a slip", "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        EchoServer *echo = echo_server_new(NULL);
        H2Peer *peer = h2_peer_new(echo->server, false);
        H2Line line = { echo, peer };

        /* Not h2_peer_send_raw(): the good preface must not go first. */
        nghttp2_session_del(peer->h2);
        peer->h2 = NULL;
        assert_int_equal(send(peer->fd, rows[i].bytes, strlen(rows[i].bytes), MSG_NOSIGNAL),
                         strlen(rows[i].bytes));
        AWAIT(grpc_server_stats(echo->server).connections == 0);
        h2_line_free(&line);
    }
}

static void
floods_of_control_frames_are_ended(void **unused)
{
    static const struct {
        const char *when;
        uint8_t type;
        uint8_t len;
        uint32_t id;
    } rows[] = {
        { "pings", NGHTTP2_PING, 8, 0 },
        { "priorities", NGHTTP2_PRIORITY, 5, 101 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        H2Line line = h2_line_new(NULL);
        g_autoptr(GByteArray) few = h2_peer_frames(rows[i].type, rows[i].id, rows[i].len, 100);
        g_autoptr(GByteArray) many = h2_peer_frames(rows[i].type, rows[i].id, rows[i].len, 3000);

        h2_peer_send_raw(line.peer, few->data, few->len);
        h2_peer_run(line.peer, H2_QUIET_MS);
        if (line.peer->is_lost)
            fail_msg("%s: a few are too many", rows[i].when);
        h2_peer_send_raw(line.peer, many->data, many->len);
        h2_peer_run(line.peer, H2_QUIET_MS);
        if (!line.peer->is_lost || line.peer->goaway_code != NGHTTP2_ENHANCE_YOUR_CALM)
            fail_msg("%s: lost %d, goaway %u", rows[i].when, line.peer->is_lost,
                     line.peer->goaway_code);
        h2_line_free(&line);
    }
}

static void
a_flood_of_settings_is_ended(void **unused)
{
    H2Line line = h2_line_new(NULL);
    unsigned sent;

    (void)unused;
    for (sent = 0; sent < 3000 && !line.peer->is_lost; sent++) {
        nghttp2_submit_settings(line.peer->h2, NGHTTP2_FLAG_NONE, NULL, 0);
        if (sent % 100 == 0)
            h2_peer_run(line.peer, 1);
    }
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_in_range(sent, 900, 2000);
    assert_true(line.peer->is_lost);
    assert_int_equal(line.peer->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    h2_line_free(&line);
}

static void
useful_frames_pay_for_control_frames(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) pings = h2_peer_frames(NGHTTP2_PING, 0, 8, 3);
    H2Line line;

    (void)unused;
    limits.control_burst = 20;
    limits.control_per_s = 0;
    line = h2_line_new(&limits);
    for (int i = 0; i < 100; i++) {
        h2_peer_send_raw(line.peer, pings->data, pings->len);
        if (!h2_line_still_serves(&line))
            fail_msg("cut off after %d calls with three pings each", i);
    }
    h2_line_free(&line);
}

static void
streams_opened_and_reset_in_a_rush_are_ended(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) body = h2_peer_message(ECHO_HANG, 0, 0);
    H2Line line;
    int opened = 0;

    (void)unused;
    limits.reset_burst = 50;
    limits.reset_per_s = 1;
    line = h2_line_new(&limits);
    h2_peer_run(line.peer, H2_QUIET_MS);
    for (opened = 0; opened < 400 && !line.peer->is_lost; opened++) {
        int32_t id = h2_peer_request(line.peer, H2_HEADERS("Unary"), body);

        h2_peer_send_raw(line.peer, "", 0); /* or nghttp2 would send neither */
        nghttp2_submit_rst_stream(line.peer->h2, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        h2_peer_run(line.peer, 1);
    }
    assert_in_range(opened, 51, 60);
    assert_int_equal(line.peer->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
    h2_line_free(&line);
}

static void
streams_over_the_limit_are_refused_and_the_rest_are_served(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) body = h2_peer_message(ECHO_HANG, 0, 0);
    unsigned refused = 0;
    H2Line line;

    (void)unused;
    limits.streams_per_connection = 10;
    line = h2_line_new(&limits);
    for (int i = 0; i < 15; i++)
        h2_peer_request(line.peer, H2_HEADERS("Unary"), body);
    h2_peer_run(line.peer, H2_QUIET_MS);
    for (int32_t id = 1; id < 30; id += 2)
        refused += h2_peer_answer(line.peer, id)->is_closed;
    assert_int_equal(grpc_server_stats(line.echo->server).calls_started, 10);
    assert_false(line.peer->is_lost);
    h2_line_free(&line);
    assert_in_range(refused, 0, 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_http2_is_cut_off),
        cmocka_unit_test(floods_of_control_frames_are_ended),
        cmocka_unit_test(a_flood_of_settings_is_ended),
        cmocka_unit_test(useful_frames_pay_for_control_frames),
        cmocka_unit_test(streams_opened_and_reset_in_a_rush_are_ended),
        cmocka_unit_test(streams_over_the_limit_are_refused_and_the_rest_are_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
