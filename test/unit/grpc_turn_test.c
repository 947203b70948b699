/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_turn_test.c - whatever one connection asks for, others get their turn */
#include "proto/grpc_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/grpc_session.h"
#include "test/support/await.h"
#include "test/support/echo_server.h"
#include "test/support/h2_peer.h"

/* Of a connection. Each message takes longer, so that a turn has time for one. */
#define TURN_US 100

/* A server whose methods take their time, and one that asks. */
typedef struct {
    GrpcServer *server;                /* owned */
    H2Peer *peer;                      /* owned */
    unsigned handled;                  /* messages */
    unsigned in_a_row;                 /* of these, since another source had its turn */
    unsigned in_a_row_max;             /* most of that */
    unsigned closed[GRPC_CLOSE_COUNT]; /* calls, by reason */
    bool is_disordered;                /* a message was not the next in the order of sending */
    unsigned handled_before;           /* messages, when that was so first */
} Scene;

/* A message's count is its place in the order of sending. */
static void
take_time(GrpcCall *call, const ProtobufCMessage *message)
{
    Scene *scene = grpc_server_data(grpc_call_server(call));
    const Test__EchoRequest *request = (const Test__EchoRequest *)(const void *)message;
    gint64 end_us = g_get_monotonic_time() + 2 * TURN_US;

    if (request->count != scene->handled && !scene->is_disordered) {
        scene->is_disordered = true;
        scene->handled_before = scene->handled;
    }
    scene->handled++;
    scene->in_a_row++;
    scene->in_a_row_max = MAX(scene->in_a_row_max, scene->in_a_row);
    while (g_get_monotonic_time() < end_us)
        continue;
}

static void
unary_message(GrpcCall *call, const ProtobufCMessage *message)
{
    Test__EchoReply reply = echo_reply();

    take_time(call, message);
    grpc_call_reply(call, &reply.base);
}

static void
count_closed(GrpcCall *call, GrpcClose why)
{
    ((Scene *)grpc_server_data(grpc_call_server(call)))->closed[why]++;
}

static const GrpcHandler unary_handler = { .message = unary_message, .closed = count_closed };
static const GrpcHandler chat_handler = {
    .message = take_time,
    .half_closed = grpc_call_finish,
    .closed = count_closed,
};

#define TYPES &test__echo_request__descriptor, &test__echo_reply__descriptor
static const GrpcMethod methods[] = {
    { "/test.Echo/Unary", GRPC_UNARY, true, TYPES, &unary_handler },
    { "/test.Echo/Chat", GRPC_BIDI_STREAM, true, TYPES, &chat_handler },
};

static gboolean
have_a_turn(gpointer data)
{
    ((Scene *)data)->in_a_row = 0;
    return G_SOURCE_CONTINUE;
}

static int
setup(void **state)
{
    Scene *scene = g_new0(Scene, 1);
    GrpcLimits limits = grpc_server_limits;

    limits.turn_us = TURN_US;
    scene->server = grpc_server_new(&limits);
    grpc_server_set_data(scene->server, scene, NULL);
    grpc_server_add_methods(scene->server, methods, G_N_ELEMENTS(methods));
    scene->peer = h2_peer_new(scene->server, false);
    h2_peer_run(scene->peer, H2_QUIET_MS);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    Scene *scene = *state;

    h2_peer_free(scene->peer);
    grpc_server_free(scene->server);
    g_free(scene);
    return 0;
}

/* What the peer has sent goes on while another source is always ready; then all comes to rest. */
#define UNTIL(scene, condition)                                                                    \
    do {                                                                                           \
        guint ready = g_idle_add_full(GRPC_SOURCE_PRIORITY, have_a_turn, scene, NULL);             \
        h2_peer_send_raw((scene)->peer, "", 0);                                                    \
        AWAIT(condition);                                                                          \
        g_source_remove(ready);                                                                    \
        h2_peer_run((scene)->peer, H2_QUIET_MS);                                                   \
    } while (0)

static int32_t
ask(H2Peer *peer, unsigned count)
{
    g_autoptr(GByteArray) body = h2_peer_message("", count, 0);

    return h2_peer_request(peer, H2_HEADERS("Unary"), body);
}

/* Within one frame, and one read. */
static int32_t
chat(H2Peer *peer, const char *lines, unsigned n)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    for (unsigned i = 0; i < n; i++) {
        g_autoptr(GByteArray) message = h2_peer_message("", i, 0);

        g_byte_array_append(body, message->data, message->len);
    }
    assert_in_range(body->len, 1, 8000);
    return h2_peer_request(peer, lines, body);
}

static void
calls_sent_at_once_leave_others_their_turn_and_keep_their_order(void **state)
{
    Scene *scene = *state;
    int32_t ids[200];

    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++)
        ids[i] = ask(scene->peer, i);
    UNTIL(scene, scene->handled == G_N_ELEMENTS(ids));
    assert_int_equal(scene->in_a_row_max, 1);
    assert_false(scene->is_disordered);
    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++)
        assert_int_equal(h2_peer_answer(scene->peer, ids[i])->grpc_status, GRPC_STATUS_OK);
}

static void
messages_of_one_stream_leave_others_their_turn_and_keep_their_order(void **state)
{
    Scene *scene = *state;
    int32_t id = chat(scene->peer, H2_HEADERS("Chat"), 900);

    UNTIL(scene, scene->handled == 900);
    assert_int_equal(scene->in_a_row_max, 1);
    assert_false(scene->is_disordered);
    assert_int_equal(h2_peer_answer(scene->peer, id)->grpc_status, GRPC_STATUS_OK);
}

static void
what_follows_a_stream_waits_until_its_messages_were_taken(void **state)
{
    Scene *scene = *state;
    int32_t id;

    chat(scene->peer, H2_HEADERS("Chat"), 100);
    id = ask(scene->peer, 100);
    UNTIL(scene, scene->handled == 101);
    assert_false(scene->is_disordered);
    assert_int_equal(h2_peer_answer(scene->peer, id)->grpc_status, GRPC_STATUS_OK);
}

static void
another_connection_is_served_between_the_calls_of_one(void **state)
{
    Scene *scene = *state;
    H2Peer *other = h2_peer_new(scene->server, false);
    int32_t id;

    for (unsigned i = 0; i < 200; i++)
        ask(scene->peer, i);
    id = ask(other, 0);
    h2_peer_send_raw(other, "", 0);
    h2_peer_send_raw(scene->peer, "", 0);
    UNTIL(scene, scene->is_disordered); /* that of the other */
    assert_in_range(scene->handled_before, 1, 100);
    assert_int_equal(scene->handled, 201);
    h2_peer_run(other, 1);
    assert_int_equal(h2_peer_answer(other, id)->grpc_status, GRPC_STATUS_OK);
    h2_peer_free(other);
}

static unsigned
all_closed(const Scene *scene)
{
    unsigned n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(scene->closed); i++)
        n += scene->closed[i];
    return n;
}

static void
what_waits_goes_with_its_connection(void **state)
{
    Scene *scene = *state;

    chat(scene->peer, H2_HEADERS("Chat"), 500);
    for (unsigned i = 0; i < 20; i++)
        ask(scene->peer, 500 + i);
    h2_peer_send_raw(scene->peer, "", 0);
    AWAIT(scene->handled > 0);
    assert_in_range(grpc_server_stats(scene->server).held_bytes, 1, 8000);
    grpc_server_shutdown(scene->server, 0, NULL, NULL);
    AWAIT(grpc_server_stats(scene->server).connections == 0);
    assert_in_range(scene->handled, 1, 499);
    assert_int_equal(grpc_server_stats(scene->server).held_bytes, 0);
    assert_int_equal(all_closed(scene), grpc_server_stats(scene->server).calls_started);
}

static void
calls_that_are_reset_are_closed_once(void **state)
{
    Scene *scene = *state;
    int32_t ids[50];

    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++)
        ids[i] = ask(scene->peer, i);
    h2_peer_send_raw(scene->peer, "", 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++)
        nghttp2_submit_rst_stream(scene->peer->h2, NGHTTP2_FLAG_NONE, ids[i], NGHTTP2_CANCEL);
    UNTIL(scene, all_closed(scene) == G_N_ELEMENTS(ids));
    ask(scene->peer, scene->handled);
    UNTIL(scene, all_closed(scene) == G_N_ELEMENTS(ids) + 1);
    assert_false(scene->is_disordered);
    assert_int_equal(grpc_server_stats(scene->server).held_bytes, 0);
}

static void
a_deadline_ends_a_stream_whose_messages_wait(void **state)
{
    Scene *scene = *state;
    int32_t id = chat(scene->peer, H2_HEADERS("Chat") "grpc-timeout: 5m\n", 500);

    UNTIL(scene, all_closed(scene) == 1);
    assert_int_equal(scene->closed[GRPC_CLOSE_DEADLINE], 1);
    assert_in_range(scene->handled, 0, 499);
    assert_int_equal(h2_peer_answer(scene->peer, id)->grpc_status, GRPC_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(grpc_server_stats(scene->server).held_bytes, 0);
}

#define ON_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_SCENE(calls_sent_at_once_leave_others_their_turn_and_keep_their_order),
        ON_SCENE(messages_of_one_stream_leave_others_their_turn_and_keep_their_order),
        ON_SCENE(what_follows_a_stream_waits_until_its_messages_were_taken),
        ON_SCENE(another_connection_is_served_between_the_calls_of_one),
        ON_SCENE(what_waits_goes_with_its_connection),
        ON_SCENE(calls_that_are_reset_are_closed_once),
        ON_SCENE(a_deadline_ends_a_stream_whose_messages_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
