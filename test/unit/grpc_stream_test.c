/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_stream_test.c - memory is bounded in both directions, whatever peer and handler do */
#include "proto/grpc_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "proto/grpc_server_state.h"
#include "test/support/await.h"
#include "test/support/echo_server.h"
#include "test/support/h2_peer.h"

static void
a_reader_that_grants_no_window_holds_back_only_what_its_stream_may_queue(void **unused)
{
    H2Line line = h2_line_new(NULL);
    g_autoptr(GByteArray) body = h2_peer_message("", 10000, 1000);
    int32_t id;

    (void)unused;
    h2_peer_run(line.peer, H2_QUIET_MS);
    line.peer->does_not_read = true;
    id = h2_peer_request(line.peer, H2_HEADERS("Split"), body);
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_in_range(line.echo->queue_max_bytes, 60000, 70000);
    assert_in_range(grpc_server_stats(line.echo->server).held_bytes, 1, 70000);
    line.peer->does_not_read = false;
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_int_equal(h2_peer_answer(line.peer, id)->grpc_status, GRPC_STATUS_OK);
    assert_in_range(h2_peer_answer(line.peer, id)->data_bytes, 10000000, 10200000);
    assert_in_range(line.echo->queue_max_bytes, 60000, 70000);
    h2_line_free(&line);
}

/* A message that came in pieces was put together; what answers it may stay open for days. */
static void
a_message_is_not_kept_behind_its_handler(void **unused)
{
    H2Line line = h2_line_new(NULL);
    g_autofree char *text = g_strnfill(40000, 'x');
    g_autoptr(GByteArray) body = h2_peer_message(text, 10000, 1000);
    const GrpcSession *session;
    const GrpcStream *stream;

    (void)unused;
    h2_peer_run(line.peer, H2_QUIET_MS);
    line.peer->does_not_read = true;
    h2_peer_request(line.peer, H2_HEADERS("Split"), body);
    h2_peer_run(line.peer, H2_QUIET_MS);
    session = line.echo->server->sessions.head->data;
    assert_int_equal(session->streams.length, 1);
    stream = session->streams.head->data;
    assert_null(stream->parser.body);
    assert_int_equal(stream->parser_charged, 0);
    h2_line_free(&line);
}

static void
a_handler_on_hold_stops_its_client_and_others_go_on(void **unused)
{
    H2Line line = h2_line_new(NULL);
    g_autofree char *text = g_strnfill(1000, 'x');
    g_autoptr(GByteArray) message = h2_peer_message(text, 0, 0);
    g_autoptr(GByteArray) body = g_byte_array_new();
    int32_t id;

    (void)unused;
    for (int i = 0; i < 300; i++)
        g_byte_array_append(body, message->data, message->len);
    line.echo->holds = true;
    id = h2_peer_request(line.peer, H2_HEADERS("Join"), body);
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_int_equal(line.echo->received, 1);
    assert_in_range(grpc_server_stats(line.echo->server).held_bytes, 60000, 66000);
    assert_true(h2_line_still_serves(&line));
    while (line.echo->received < 300 && !h2_peer_answer(line.peer, id)->is_closed) {
        grpc_call_hold(line.echo->kept, false);
        h2_peer_run(line.peer, 1);
    }
    line.echo->holds = false;
    grpc_call_hold(line.echo->kept, false);
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_int_equal(line.echo->received, 300);
    assert_int_equal(h2_peer_answer(line.peer, id)->grpc_status, GRPC_STATUS_OK);
    h2_line_free(&line);
}

static void
what_was_held_is_given_back_when_the_call_fails(void **unused)
{
    H2Line line = h2_line_new(NULL);
    g_autofree char *text = g_strnfill(1000, 'x');
    g_autoptr(GByteArray) message = h2_peer_message(text, 0, 0);
    g_autoptr(GByteArray) body = g_byte_array_new();
    int32_t id;

    (void)unused;
    for (int i = 0; i < 300; i++)
        g_byte_array_append(body, message->data, message->len);
    line.echo->holds = true;
    id = h2_peer_request(line.peer, H2_HEADERS("Join"), body);
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_in_range(grpc_server_stats(line.echo->server).held_bytes, 60000, 66000);
    grpc_call_fail(line.echo->kept, GRPC_STATUS_ABORTED, NULL);
    assert_int_equal(grpc_server_stats(line.echo->server).held_bytes, 0);
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_int_equal(h2_peer_answer(line.peer, id)->grpc_status, GRPC_STATUS_ABORTED);
    assert_true(h2_peer_answer(line.peer, id)->is_closed);
    assert_true(h2_line_still_serves(&line));
    h2_line_free(&line);
}

static void
what_waits_for_a_handler_on_hold_counts_against_the_peer(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autofree char *text = g_strnfill(1000, 'x');
    g_autoptr(GByteArray) message = h2_peer_message(text, 0, 0);
    g_autoptr(GByteArray) body = g_byte_array_new();
    H2Line line;
    int32_t id;

    (void)unused;
    limits.peer_bytes = 30000;
    for (int i = 0; i < 300; i++)
        g_byte_array_append(body, message->data, message->len);
    line = h2_line_new(&limits);
    line.echo->holds = true;
    id = h2_peer_request(line.peer, H2_HEADERS("Join"), body);
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_int_equal(h2_peer_answer(line.peer, id)->grpc_status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(line.echo->closed[GRPC_CLOSE_BAD_REQUEST], 1);
    assert_true(h2_line_still_serves(&line));
    h2_line_free(&line);
}

static void
unfinished_messages_count_against_the_peer(void **unused)
{
    static const uint8_t prefix[] = { 0, 0, 15, 66, 64 }; /* 1000000 bytes follow */
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) body = g_byte_array_new();
    unsigned n_exhausted = 0;
    H2Line line;

    (void)unused;
    limits.peer_bytes = 500000;
    g_byte_array_append(body, prefix, sizeof(prefix));
    g_byte_array_set_size(body, 200000);
    line = h2_line_new(&limits);
    for (int i = 0; i < 5; i++)
        h2_peer_request(line.peer, H2_HEADERS("Chat"), body);
    h2_peer_run(line.peer, H2_QUIET_MS);
    for (int32_t id = 1; id < 10; id += 2) {
        const H2Answer *answer = h2_peer_answer(line.peer, id);

        n_exhausted += answer->grpc_status == GRPC_STATUS_RESOURCE_EXHAUSTED;
    }
    assert_in_range(n_exhausted, 1, 4);
    assert_true(h2_line_still_serves(&line));
    h2_line_free(&line);
}

static void
strangers_share_memory_and_leave_that_of_the_others_alone(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    H2Peer *strangers[2];
    H2Line line;

    (void)unused;
    limits.total_bytes = 80000;
    line = h2_line_new(&limits);
    for (size_t i = 0; i < G_N_ELEMENTS(strangers); i++)
        strangers[i] = h2_peer_new(line.echo->server, true);
    assert_int_equal(h2_peer_unfinished(strangers[0]), -1);
    assert_int_equal(h2_peer_unfinished(strangers[1]), GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(h2_peer_unfinished(line.peer), -1);
    for (size_t i = 0; i < G_N_ELEMENTS(strangers); i++)
        h2_peer_free(strangers[i]);
    h2_line_free(&line);
}

/* A stream with so many zeros of DATA: each five are an empty message. */
static int32_t
send_zeros(H2Peer *peer, const char *lines, uint8_t n)
{
    int32_t id = h2_peer_request(peer, lines, NULL);
    g_autoptr(GByteArray) frames = h2_peer_frames(NGHTTP2_DATA, (uint32_t)id, n, n > 0);

    h2_peer_send_raw(peer, frames->data, frames->len);
    h2_peer_run(peer, 1);
    return id;
}

static void
what_is_begun_has_to_be_finished_in_time(void **unused)
{
    static const struct {
        const char *when;
        const char *lines;
        uint8_t n_bytes; /* zeros */
        int want;        /* -1: it goes on */
    } rows[] = {
        { "a stream without a message", H2_HEADERS("Chat"), 0, -1 },
        { "a stream between two messages", H2_HEADERS("Chat"), 5, -1 },
        { "no request", H2_HEADERS("Unary"), 0, GRPC_STATUS_DEADLINE_EXCEEDED },
        { "part of a request", H2_HEADERS("Unary"), 3, GRPC_STATUS_DEADLINE_EXCEEDED },
        { "a request without an end", H2_HEADERS("Unary"), 5, GRPC_STATUS_DEADLINE_EXCEEDED },
        { "likewise, with many answers", H2_HEADERS("Split"), 5, GRPC_STATUS_DEADLINE_EXCEEDED },
        { "part of a message", H2_HEADERS("Chat"), 4, GRPC_STATUS_DEADLINE_EXCEEDED },
        { "part of the next message", H2_HEADERS("Join"), 8, GRPC_STATUS_DEADLINE_EXCEEDED },
    };
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) hang = h2_peer_message(ECHO_HANG, 0, 0);
    int32_t ids[G_N_ELEMENTS(rows)], hanging;
    H2Line line;

    (void)unused;
    limits.request_us = 20000;
    line = h2_line_new(&limits);
    hanging = h2_peer_request(line.peer, H2_HEADERS("Unary"), hang);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        ids[i] = send_zeros(line.peer, rows[i].lines, rows[i].n_bytes);
    AWAIT(line.echo->closed[GRPC_CLOSE_BAD_REQUEST] == 6);
    h2_peer_run(line.peer, H2_QUIET_MS);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (h2_peer_answer(line.peer, ids[i])->grpc_status != rows[i].want)
            fail_msg("%s: status %d", rows[i].when, h2_peer_answer(line.peer, ids[i])->grpc_status);
    }
    assert_false(h2_peer_answer(line.peer, hanging)->is_closed); /* the server's turn */
    assert_true(h2_line_still_serves(&line));
    h2_line_free(&line);
}

static void
the_time_begins_anew_with_each_message(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GByteArray) step = NULL;
    gint64 begin_us;
    H2Line line;
    int32_t id;

    (void)unused;
    limits.request_us = 50000;
    line = h2_line_new(&limits);
    begin_us = g_get_monotonic_time();
    id = send_zeros(line.peer, H2_HEADERS("Chat"), 3);
    step = h2_peer_frames(NGHTTP2_DATA, (uint32_t)id, 5, 1);
    while (g_get_monotonic_time() - begin_us < 200000) {
        h2_peer_send_raw(line.peer, step->data, step->len); /* one ends, the next begins */
        g_main_context_iteration(NULL, FALSE); /* that is read before a timer is looked at */
        g_usleep(1000);
    }
    assert_int_equal(line.echo->closed[GRPC_CLOSE_BAD_REQUEST], 0);
    h2_line_free(&line);
}

static void
what_waits_for_a_handler_on_hold_is_not_late(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    int32_t waiting, late;
    H2Line line;

    (void)unused;
    limits.request_us = 20000;
    line = h2_line_new(&limits);
    line.echo->holds = true;
    waiting = send_zeros(line.peer, H2_HEADERS("Join"), 8);
    late = send_zeros(line.peer, H2_HEADERS("Chat"), 3);
    AWAIT(line.echo->closed[GRPC_CLOSE_BAD_REQUEST] == 1);
    h2_peer_run(line.peer, H2_QUIET_MS);
    assert_int_equal(h2_peer_answer(line.peer, late)->grpc_status, GRPC_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(h2_peer_answer(line.peer, waiting)->grpc_status, -1);
    grpc_call_hold(line.echo->kept, false);
    AWAIT(line.echo->closed[GRPC_CLOSE_BAD_REQUEST] == 2); /* from now on it is */
    h2_line_free(&line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_grants_no_window_holds_back_only_what_its_stream_may_queue),
        cmocka_unit_test(a_message_is_not_kept_behind_its_handler),
        cmocka_unit_test(a_handler_on_hold_stops_its_client_and_others_go_on),
        cmocka_unit_test(what_was_held_is_given_back_when_the_call_fails),
        cmocka_unit_test(what_waits_for_a_handler_on_hold_counts_against_the_peer),
        cmocka_unit_test(unfinished_messages_count_against_the_peer),
        cmocka_unit_test(strangers_share_memory_and_leave_that_of_the_others_alone),
        cmocka_unit_test(what_is_begun_has_to_be_finished_in_time),
        cmocka_unit_test(the_time_begins_anew_with_each_message),
        cmocka_unit_test(what_waits_for_a_handler_on_hold_is_not_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
