/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_call_test.c - calls of all four kinds, their ends, and what is refused; both sides */
#include "proto/grpc_client.h"
#include "proto/grpc_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/await.h"
#include "test/support/echo_server.h"

#define REPLY &test__echo_reply__descriptor

/* What a streaming call brought. */
typedef struct {
    EchoServer *echo;    /* borrowed */
    GString *texts;      /* owned; of all replies in a row */
    unsigned n_messages; /* replies */
    uint32_t last_index; /* of the last reply */
    bool is_finished;    /* the handler was told */
    GError *error;       /* owned; how it finished */
} Seen;

static void
seen_message(GrpcClientCall *call, const ProtobufCMessage *message, gpointer user_data)
{
    const Test__EchoReply *reply = (const Test__EchoReply *)(const void *)message;
    Seen *seen = user_data;

    (void)call;
    seen->n_messages++;
    seen->last_index = reply->index;
    g_string_append(seen->texts, reply->text);
}

static void
seen_finished(GrpcClientCall *call, const GError *error, gpointer user_data)
{
    Seen *seen = user_data;

    (void)call;
    assert_false(seen->is_finished);
    seen->is_finished = true;
    seen->error = error ? g_error_copy(error) : NULL;
}

static const GrpcClientHandler seen_handler = {
    .message = seen_message,
    .finished = seen_finished,
};

/* A server and a client of it on the default main context. */
typedef struct {
    EchoServer *echo;   /* owned */
    GrpcClient *client; /* owned */
    Seen seen;          /* of the call under test */
} Pair;

static int
pair_setup(void **state)
{
    Pair *pair = g_new0(Pair, 1);

    pair->echo = echo_server_new(NULL);
    pair->client = grpc_client_new(pair->echo->path, g_main_context_default());
    pair->seen.texts = g_string_new(NULL);
    *state = pair;
    return 0;
}

static int
pair_teardown(void **state)
{
    Pair *pair = *state;

    grpc_client_free(pair->client);
    echo_server_free(pair->echo);
    g_string_free(pair->seen.texts, TRUE);
    g_clear_error(&pair->seen.error);
    g_free(pair);
    await_idle();
    return 0;
}

static GrpcClientCall *
open_call(Pair *pair, const char *path, unsigned timeout_ms)
{
    GrpcRpc rpc = { path, REPLY, timeout_ms };
    GError *error = NULL;
    GrpcClientCall *call = grpc_client_open(pair->client, &rpc, &seen_handler, &pair->seen, &error);

    if (!call)
        fail_msg("%s: %s", path, error->message);
    return call;
}

static void
send_text(GrpcClientCall *call, const char *text, uint32_t count, uint32_t size_bytes)
{
    g_autofree char *own_text = g_strdup(text);
    Test__EchoRequest request = echo_request();

    request.text = own_text;
    request.count = count;
    request.size_bytes = size_bytes;
    assert_true(grpc_client_call_send(call, &request.base));
}

/* Makes a blocking call; returns the text of the reply, or NULL with @error set. */
static char *
ask(Pair *pair, const char *path, Test__EchoRequest *request, GError **error)
{
    GrpcRpc rpc = { path, REPLY, 5000 };
    ProtobufCMessage *reply = NULL;
    char *text;

    if (!grpc_client_unary(pair->client, &rpc, &request->base, &reply, error))
        return NULL;
    text = g_strdup(((Test__EchoReply *)(void *)reply)->text);
    protobuf_c_message_free_unpacked(reply, NULL);
    return text;
}

static void
a_unary_call_brings_its_answer(void **state)
{
    Pair *pair = *state;
    char text[] = "hello";
    Test__EchoRequest request = echo_request();
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;

    request.text = text;
    answer = ask(pair, "/test.Echo/Unary", &request, &error);
    if (!answer)
        fail_msg("%s", error->message);
    assert_string_equal(answer, "hello");
    assert_int_equal(pair->echo->closed[GRPC_CLOSE_DONE], 1);
}

static void
a_stream_of_answers_comes_whole_and_in_order(void **state)
{
    Pair *pair = *state;
    g_autoptr(GrpcClientCall) call = open_call(pair, "/test.Echo/Split", 0);

    send_text(call, "", 500, 1000);
    grpc_client_call_half_close(call);
    assert_true(grpc_client_call_wait(call, NULL));
    assert_int_equal(pair->seen.n_messages, 500);
    assert_int_equal(pair->seen.last_index, 499);
}

static void
a_stream_of_requests_gets_one_answer(void **state)
{
    Pair *pair = *state;
    g_autoptr(GrpcClientCall) call = open_call(pair, "/test.Echo/Join", 0);

    send_text(call, "a", 0, 0);
    send_text(call, "bc", 0, 0);
    send_text(call, "d", 0, 0);
    grpc_client_call_half_close(call);
    assert_true(grpc_client_call_wait(call, NULL));
    assert_string_equal(pair->seen.texts->str, "abcd");
    assert_int_equal(pair->seen.n_messages, 1);
    assert_int_equal(pair->echo->received, 3);
}

static bool
got_two(gpointer data)
{
    return ((Seen *)data)->n_messages >= 2;
}

static void
both_sides_can_talk_by_turns(void **state)
{
    Pair *pair = *state;
    g_autoptr(GrpcClientCall) call = open_call(pair, "/test.Echo/Chat", 0);

    send_text(call, "one", 0, 0);
    send_text(call, "two", 0, 0);
    assert_true(echo_server_run_until(got_two, &pair->seen));
    assert_false(pair->seen.is_finished);
    send_text(call, "three", 0, 0);
    grpc_client_call_half_close(call);
    assert_true(grpc_client_call_wait(call, NULL));
    assert_string_equal(pair->seen.texts->str, "onetwothree");
}

static void
a_failure_carries_status_and_text(void **state)
{
    Pair *pair = *state;

    for (unsigned status = 1; status < GRPC_STATUS_COUNT; status++) {
        char text[] = ECHO_FAIL;
        Test__EchoRequest request = echo_request();
        g_autoptr(GError) error = NULL;
        g_autofree char *answer = NULL;

        request.text = text;
        request.count = status;
        answer = ask(pair, "/test.Echo/Unary", &request, &error);
        assert_null(answer);
        if (!g_error_matches(error, GRPC_ERROR, (int)status))
            fail_msg("status %u came as %d", status, error->code);
        assert_string_equal(error->message, "asked to fail: 100 % \xc3\xa4\n");
    }
}

static void
an_unknown_method_is_unimplemented(void **state)
{
    Pair *pair = *state;
    char text[] = "x";
    Test__EchoRequest request = echo_request();
    g_autoptr(GError) error = NULL;

    request.text = text;
    assert_null(ask(pair, "/test.Echo/Nothing", &request, &error));
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_UNIMPLEMENTED));
}

static void
a_message_over_the_limit_is_refused_and_the_connection_goes_on(void **state)
{
    Pair *pair = *state;
    g_autofree char *text = g_strnfill(5 * 1024 * 1024, 'x');
    Test__EchoRequest request = echo_request();
    g_autoptr(GError) error = NULL;
    g_autofree char *answer = NULL;

    request.text = text;
    assert_null(ask(pair, "/test.Echo/Unary", &request, &error));
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_RESOURCE_EXHAUSTED));
    text[3 * 1024 * 1024] = '\0';
    answer = ask(pair, "/test.Echo/Unary", &request, NULL);
    assert_string_equal(answer, text);
    assert_int_equal(grpc_server_stats(pair->echo->server).connections_accepted, 1);
}

static bool
is_kept(gpointer data)
{
    return ((Pair *)data)->echo->kept != NULL;
}

static void
a_deadline_ends_the_call_on_both_sides(void **state)
{
    Pair *pair = *state;
    g_autoptr(GrpcClientCall) call = open_call(pair, "/test.Echo/Unary", 100);
    g_autoptr(GError) error = NULL;
    gint64 start_us = g_get_monotonic_time();

    send_text(call, ECHO_HANG, 0, 0);
    grpc_client_call_half_close(call);
    assert_false(grpc_client_call_wait(call, &error));
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_DEADLINE_EXCEEDED));
    assert_in_range(g_get_monotonic_time() - start_us, 90000, 2000000);
    while (pair->echo->closed[GRPC_CLOSE_DEADLINE] + pair->echo->closed[GRPC_CLOSE_CANCELLED] == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_false(grpc_call_is_open(pair->echo->kept));
}

static bool
is_cancelled(gpointer data)
{
    return ((Pair *)data)->echo->closed[GRPC_CLOSE_CANCELLED] > 0;
}

static void
a_cancelled_call_is_over_for_the_handler_and_a_late_answer_does_nothing(void **state)
{
    Pair *pair = *state;
    g_autoptr(GrpcClientCall) call = open_call(pair, "/test.Echo/Unary", 0);
    Test__EchoReply reply = echo_reply();

    send_text(call, ECHO_HANG, 0, 0);
    grpc_client_call_half_close(call);
    assert_true(echo_server_run_until(is_kept, pair));
    assert_true(grpc_call_is_open(pair->echo->kept));
    grpc_client_call_cancel(call);
    assert_true(pair->seen.is_finished);
    assert_true(g_error_matches(pair->seen.error, GRPC_ERROR, GRPC_STATUS_CANCELLED));
    assert_true(echo_server_run_until(is_cancelled, pair));
    assert_false(grpc_call_is_open(pair->echo->kept));
    grpc_call_reply(pair->echo->kept, &reply.base);
    assert_int_equal(grpc_call_queued_bytes(pair->echo->kept), 0);
}

static void
a_late_answer_arrives(void **state)
{
    Pair *pair = *state;
    g_autoptr(GrpcClientCall) call = open_call(pair, "/test.Echo/Unary", 0);
    char text[] = "late";
    Test__EchoReply reply = echo_reply();

    send_text(call, ECHO_HANG, 0, 0);
    grpc_client_call_half_close(call);
    assert_true(echo_server_run_until(is_kept, pair));
    reply.text = text;
    grpc_call_reply(pair->echo->kept, &reply.base);
    assert_true(grpc_client_call_wait(call, NULL));
    assert_string_equal(pair->seen.texts->str, "late");
}

static void
a_single_request_method_takes_exactly_one_message(void **state)
{
    static const struct {
        const char *when;
        unsigned n_messages;
    } rows[] = { { "no message", 0 }, { "two messages", 2 } };
    Pair *pair = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GrpcClientCall) call = open_call(pair, "/test.Echo/Unary", 0);
        g_autoptr(GError) error = NULL;

        pair->seen.is_finished = false;
        for (unsigned n = 0; n < rows[i].n_messages; n++)
            send_text(call, "x", 0, 0);
        grpc_client_call_half_close(call);
        assert_false(grpc_client_call_wait(call, &error));
        if (!g_error_matches(error, GRPC_ERROR, GRPC_STATUS_UNIMPLEMENTED))
            fail_msg("%s: %s", rows[i].when, grpc_status_name((GrpcStatus)error->code));
        g_clear_error(&pair->seen.error);
    }
}

static void
an_absent_server_is_unavailable_and_the_socket_is_named(void **state)
{
    g_autoptr(GrpcClient) client = grpc_client_new("/nonexistent/socket", NULL);
    GrpcRpc rpc = { "/test.Echo/Unary", REPLY, 1000 };
    Test__EchoRequest request = echo_request();
    ProtobufCMessage *reply = NULL;
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_false(grpc_client_unary(client, &rpc, &request.base, &reply, &error));
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_UNAVAILABLE));
    assert_non_null(strstr(error->message, "/nonexistent/socket"));
    assert_null(reply);
}

static void
two_hundred_calls_run_at_the_same_time_on_one_connection(void **state)
{
    enum { CALLS = 200 };
    Pair *pair = *state;
    GrpcClientCall *calls[CALLS];

    for (int i = 0; i < CALLS; i++) {
        calls[i] = open_call(pair, "/test.Echo/Chat", 0);
        send_text(calls[i], "x", 0, 10);
    }
    while (pair->seen.n_messages < CALLS)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(pair->echo->started, CALLS);
    for (int i = 0; i < CALLS; i++) {
        pair->seen.is_finished = false;
        grpc_client_call_half_close(calls[i]);
        assert_true(grpc_client_call_wait(calls[i], NULL));
        grpc_client_call_unref(calls[i]);
    }
    assert_int_equal(grpc_server_stats(pair->echo->server).connections_accepted, 1);
    assert_int_equal(grpc_server_stats(pair->echo->server).held_bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_unary_call_brings_its_answer),
        TEST(a_stream_of_answers_comes_whole_and_in_order),
        TEST(a_stream_of_requests_gets_one_answer),
        TEST(both_sides_can_talk_by_turns),
        TEST(a_failure_carries_status_and_text),
        TEST(an_unknown_method_is_unimplemented),
        TEST(a_message_over_the_limit_is_refused_and_the_connection_goes_on),
        TEST(a_deadline_ends_the_call_on_both_sides),
        TEST(a_cancelled_call_is_over_for_the_handler_and_a_late_answer_does_nothing),
        TEST(a_late_answer_arrives),
        TEST(a_single_request_method_takes_exactly_one_message),
        TEST(an_absent_server_is_unavailable_and_the_socket_is_named),
        TEST(two_hundred_calls_run_at_the_same_time_on_one_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
