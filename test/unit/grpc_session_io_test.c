/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_session_io_test.c - peers that go silent, stay idle or do not read */
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
a_connection_that_never_begins_is_closed_in_time(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    gint64 start_us = g_get_monotonic_time();
    H2Line line;

    (void)unused;
    limits.handshake_us = 100000;
    line = h2_line_new(&limits);
    assert_int_equal(send(line.peer->fd, "PRI * HTTP", 10, MSG_NOSIGNAL), 10);
    AWAIT(grpc_server_stats(line.echo->server).connections == 0);
    assert_in_range(g_get_monotonic_time() - start_us, 90000, 3000000);
    h2_line_free(&line);
}

static void
an_idle_connection_is_told_to_go_and_a_busy_one_is_not(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) body = h2_peer_message(ECHO_HANG, 0, 0);
    H2Line idle, busy;

    (void)unused;
    limits.idle_us = 50000;
    idle = h2_line_new(&limits);
    while (!idle.peer->is_lost)
        h2_peer_run(idle.peer, 1);
    assert_true(idle.peer->has_goaway);
    assert_int_equal(idle.peer->goaway_code, NGHTTP2_NO_ERROR);
    h2_line_free(&idle);

    busy = h2_line_new(&limits);
    h2_peer_request(busy.peer, H2_HEADERS("Unary"), body);
    h2_peer_run(busy.peer, 200);
    assert_false(busy.peer->has_goaway);
    h2_line_free(&busy);
}

static void
a_silent_peer_is_pinged_and_one_that_does_not_answer_is_dropped(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    H2Line line;

    (void)unused;
    limits.keepalive_us = 30000;
    limits.keepalive_ack_us = 500000;
    line = h2_line_new(&limits);
    h2_peer_run(line.peer, H2_QUIET_MS);
    while (line.peer->n_pings < 3)
        h2_peer_run(line.peer, 1);
    assert_false(line.peer->is_lost);
    AWAIT(grpc_server_stats(line.echo->server).connections == 0);
    h2_line_free(&line);
}

/* Its answer to the ping may wait behind what it has asked for. */
static void
a_peer_that_writes_is_not_taken_for_gone(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) ping = h2_peer_frames(NGHTTP2_PING, 0, 8, 1);
    gint64 pinged_us;
    H2Line line;
    char byte;

    (void)unused;
    limits.keepalive_us = 30000;
    limits.keepalive_ack_us = 30000;
    line = h2_line_new(&limits);
    h2_peer_run(line.peer, H2_QUIET_MS);
    line.peer->does_not_read = true;
    AWAIT(recv(line.peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1); /* the server's ping */
    pinged_us = g_get_monotonic_time();
    while (g_get_monotonic_time() - pinged_us < 100000) {
        h2_peer_send_raw(line.peer, ping->data, ping->len);
        g_main_context_iteration(NULL, FALSE); /* it is read before a timer is looked at */
        g_usleep(1000);
    }
    assert_int_equal(grpc_server_stats(line.echo->server).connections, 1);
    line.peer->does_not_read = false;
    h2_line_free(&line);
}

/* A peer with open windows that does not read, and a server that has filled the socket. */
static H2Line
stuffed_line(const GrpcLimits *limits, int32_t *ret_id)
{
    H2Line line = h2_line_new(limits);
    g_autoptr(GByteArray) body = h2_peer_message("", 40, 1000000);
    g_autoptr(GByteArray) ping = h2_peer_frames(NGHTTP2_PING, 0, 8, 1);

    h2_peer_open_windows(line.peer);
    line.peer->does_not_read = true;
    *ret_id = h2_peer_request(line.peer, H2_HEADERS("Split"), body);
    /* Poll calls a socket writable while it is a quarter full: more turns fill it to the brim. */
    for (int i = 0; i < 20; i++) {
        h2_peer_send_raw(line.peer, ping->data, ping->len);
        h2_peer_run(line.peer, 1);
    }
    return line;
}

static void
what_the_socket_does_not_take_goes_out_later(void **unused)
{
    int32_t id = 0;
    H2Line line = stuffed_line(NULL, &id);

    (void)unused;
    assert_int_equal(h2_peer_answer(line.peer, id)->data_bytes, 0);
    line.peer->does_not_read = false;
    h2_peer_run(line.peer, 100);
    assert_int_equal(h2_peer_answer(line.peer, id)->grpc_status, GRPC_STATUS_OK);
    assert_in_range(h2_peer_answer(line.peer, id)->data_bytes, 40000000, 40001000);
    h2_line_free(&line);
}

/* Its status cannot be sent, so that the call stays. */
static void
what_is_not_finished_in_time_is_forgotten_though_the_peer_does_not_read(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) request = NULL;
    size_t before_bytes;
    int32_t id = 0;
    H2Line line;

    (void)unused;
    limits.request_us = 200000;
    line = stuffed_line(&limits, &id);
    before_bytes = grpc_server_stats(line.echo->server).held_bytes;
    h2_peer_unfinished(line.peer);
    id = h2_peer_request(line.peer, H2_HEADERS("Unary"), NULL);
    request = h2_peer_frames(NGHTTP2_DATA, (uint32_t)id, 205, 1);
    request->data[9 + 4] = 200; /* all of it, but for the end of the stream */
    h2_peer_send_raw(line.peer, request->data, request->len);
    AWAIT(line.echo->closed[GRPC_CLOSE_BAD_REQUEST] == 2);
    assert_int_equal(grpc_server_stats(line.echo->server).held_bytes, before_bytes);
    h2_line_free(&line);
}

static void
a_peer_that_is_sent_away_and_does_not_read_is_closed_in_time(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) pings = h2_peer_frames(NGHTTP2_PING, 0, 8, 500);
    gint64 start_us;
    int32_t id = 0;
    H2Line line;

    (void)unused;
    limits.control_burst = 100;
    limits.handshake_us = 200000;
    line = stuffed_line(&limits, &id);
    start_us = g_get_monotonic_time();
    h2_peer_send_raw(line.peer, pings->data, pings->len);
    AWAIT(grpc_server_stats(line.echo->server).connections == 0);
    assert_in_range(g_get_monotonic_time() - start_us, 150000, 3000000);
    assert_int_equal(line.echo->closed[GRPC_CLOSE_LOST], 1);
    h2_line_free(&line);
}

/* Else a write that fails would keep it from what the server has said last. */
static void
a_peer_that_still_writes_reads_what_was_said_last(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) pings = h2_peer_frames(NGHTTP2_PING, 0, 8, 3);
    H2Line line;
    char byte;

    (void)unused;
    limits.idle_us = G_USEC_PER_SEC;
    limits.linger_us = 30 * G_USEC_PER_SEC;
    line = h2_line_new(&limits);
    h2_peer_run(line.peer, H2_QUIET_MS);
    line.peer->does_not_read = true;
    AWAIT(recv(line.peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1); /* the server ends it */
    assert_int_equal(send(line.peer->fd, pings->data, pings->len, MSG_NOSIGNAL), pings->len);
    assert_int_equal(grpc_server_stats(line.echo->server).connections, 1);
    line.peer->does_not_read = false;
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_true(line.peer->has_goaway);
    assert_true(line.peer->is_lost);
    h2_line_free(&line);
}

static void
a_peer_that_stays_is_closed_soon_after_the_end(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    H2Line line;

    (void)unused;
    limits.idle_us = 50000;
    line = h2_line_new(&limits);
    h2_peer_run(line.peer, H2_QUIET_MS);
    line.peer->does_not_read = true;
    AWAIT(grpc_server_stats(line.echo->server).connections == 0);
    line.peer->does_not_read = false;
    h2_line_free(&line);
}

static void
a_peer_that_pings_and_does_not_read_is_cut_off(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) pings = h2_peer_frames(NGHTTP2_PING, 0, 8, 1000);
    H2Line line;

    (void)unused;
    limits.control_burst = 10000000;
    limits.outbound_frames = 500;
    line = h2_line_new(&limits);
    h2_peer_run(line.peer, H2_QUIET_MS);
    line.peer->does_not_read = true;
    for (int n = 0; n < 1000 && !line.peer->is_lost; n++)
        h2_peer_send_raw(line.peer, pings->data, pings->len);
    assert_true(line.peer->is_lost);
    h2_line_free(&line);
}

/* Requests that make no sense are answered by a reset each. nghttp2 counts the answers to pings
 * and settings that wait for the socket, these it does not. */
static void
a_peer_that_asks_nonsense_and_does_not_read_is_cut_off(void **unused)
{
    /* HEADERS with END_STREAM, END_HEADERS and nothing but ":method: GET" */
    static const uint8_t nonsense[] = { 0, 0, 1, NGHTTP2_HEADERS, 0x05, 0, 0, 0, 0, 0x82 };
    g_autoptr(GByteArray) frames = g_byte_array_new();
    H2Line line = h2_line_new(NULL);

    (void)unused;
    line.peer->does_not_read = true;
    h2_peer_run(line.peer, H2_QUIET_MS);
    for (uint32_t id = 1; id < 400000 && !line.peer->is_lost; id += 2) {
        uint8_t *frame;

        g_byte_array_append(frames, nonsense, sizeof(nonsense));
        frame = frames->data + frames->len - sizeof(nonsense);
        for (unsigned i = 0; i < 4; i++)
            frame[5 + i] = (uint8_t)(id >> (24 - 8 * i));
        if (id % 1000 == 999) {
            h2_peer_send_raw(line.peer, frames->data, frames->len);
            g_byte_array_set_size(frames, 0);
        }
    }
    assert_true(line.peer->is_lost);
    h2_line_free(&line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_never_begins_is_closed_in_time),
        cmocka_unit_test(an_idle_connection_is_told_to_go_and_a_busy_one_is_not),
        cmocka_unit_test(a_silent_peer_is_pinged_and_one_that_does_not_answer_is_dropped),
        cmocka_unit_test(a_peer_that_writes_is_not_taken_for_gone),
        cmocka_unit_test(what_the_socket_does_not_take_goes_out_later),
        cmocka_unit_test(what_is_not_finished_in_time_is_forgotten_though_the_peer_does_not_read),
        cmocka_unit_test(a_peer_that_is_sent_away_and_does_not_read_is_closed_in_time),
        cmocka_unit_test(a_peer_that_still_writes_reads_what_was_said_last),
        cmocka_unit_test(a_peer_that_stays_is_closed_soon_after_the_end),
        cmocka_unit_test(a_peer_that_pings_and_does_not_read_is_cut_off),
        cmocka_unit_test(a_peer_that_asks_nonsense_and_does_not_read_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
