/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_server_end_test.c - how a server ends: in good order, at once, from within */
#include "proto/grpc_client.h"
#include "proto/grpc_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/await.h"
#include "test/support/echo_server.h"

#define REPLY &test__echo_reply__descriptor

static const GrpcClientHandler deaf_handler = { 0 };

static void
count_done(GrpcServer *server, gpointer user_data)
{
    (void)server;
    (*(unsigned *)user_data)++;
}

static bool
is_one(gpointer data)
{
    return *(unsigned *)data == 1;
}

static GrpcClientCall *
start_call(GrpcClient *client, const char *method, const char *text)
{
    GrpcRpc rpc = { method, REPLY, 0 };
    g_autofree char *own_text = g_strdup(text);
    Test__EchoRequest request = echo_request();
    GrpcClientCall *call = grpc_client_open(client, &rpc, &deaf_handler, NULL, NULL);

    assert_non_null(call);
    request.text = own_text;
    assert_true(grpc_client_call_send(call, &request.base));
    grpc_client_call_half_close(call);
    return call;
}

static bool
is_kept(gpointer data)
{
    return ((EchoServer *)data)->kept != NULL;
}

static void
a_shutdown_lets_calls_finish_and_refuses_new_connections(void **state)
{
    EchoServer *echo = *state;
    g_autoptr(GrpcClient) client = grpc_client_new(echo->path, g_main_context_default());
    g_autoptr(GrpcClientCall) call = start_call(client, "/test.Echo/Unary", ECHO_HANG);
    Test__EchoReply reply = echo_reply();
    unsigned n_done = 0;

    assert_true(echo_server_run_until(is_kept, echo));
    grpc_server_shutdown(echo->server, 60000, count_done, &n_done);
    assert_int_equal(access(echo->path, F_OK), -1);
    assert_int_equal(echo_server_call(echo->path, "/test.Echo/Unary"), GRPC_STATUS_UNAVAILABLE);
    for (int i = 0; i < 10; i++)
        g_main_context_iteration(NULL, FALSE);
    assert_int_equal(n_done, 0);
    grpc_call_reply(echo->kept, &reply.base);
    assert_true(grpc_client_call_wait(call, NULL));
    assert_true(echo_server_run_until(is_one, &n_done));
    assert_int_equal(grpc_server_stats(echo->server).connections, 0);
    assert_int_equal(echo->closed[GRPC_CLOSE_DONE], 1);
}

static void
a_shutdown_ends_endless_streams_with_a_status(void **state)
{
    EchoServer *echo = *state;
    g_autoptr(GrpcClient) client = grpc_client_new(echo->path, g_main_context_default());
    g_autoptr(GrpcClientCall) call = start_call(client, "/test.Echo/Split", "");
    g_autoptr(GError) error = NULL;
    unsigned n_done = 0;

    AWAIT(grpc_server_stats(echo->server).calls_started > 0);
    await_idle();
    grpc_server_shutdown(echo->server, 60000, count_done, &n_done);
    assert_int_equal(echo->closed[GRPC_CLOSE_SHUTDOWN], 1);
    assert_false(grpc_client_call_wait(call, &error));
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_UNAVAILABLE));
    assert_string_equal(error->message, "the server is shutting down");
    assert_true(echo_server_run_until(is_one, &n_done));
}

static void
a_shutdown_cuts_off_what_outlasts_it(void **state)
{
    EchoServer *echo = *state;
    g_autoptr(GrpcClient) client = grpc_client_new(echo->path, g_main_context_default());
    g_autoptr(GrpcClientCall) call = start_call(client, "/test.Echo/Unary", ECHO_HANG);
    g_autoptr(GError) error = NULL;
    gint64 start_us;
    unsigned n_done = 0;

    assert_true(echo_server_run_until(is_kept, echo));
    start_us = g_get_monotonic_time();
    grpc_server_shutdown(echo->server, 100, count_done, &n_done);
    assert_true(echo_server_run_until(is_one, &n_done));
    assert_in_range(g_get_monotonic_time() - start_us, 90000, 3000000);
    assert_int_equal(echo->closed[GRPC_CLOSE_LOST], 1);
    assert_false(grpc_client_call_wait(call, &error));
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_UNAVAILABLE));
}

static void
a_shutdown_without_connections_is_done_at_once(void **state)
{
    EchoServer *echo = *state;
    unsigned n_done = 0;

    grpc_server_shutdown(echo->server, 60000, count_done, &n_done);
    assert_int_equal(n_done, 0);
    assert_true(echo_server_run_until(is_one, &n_done));
}

/* A server whose handler frees it. */
static void
free_server(GrpcCall *call, const ProtobufCMessage *message)
{
    Test__EchoReply reply = echo_reply();

    (void)message;
    grpc_server_free(grpc_call_server(call));
    grpc_call_reply(call, &reply.base);
}

static void
set_flag(gpointer flag)
{
    *(bool *)flag = true;
}

static void
a_handler_may_free_the_server(void **state)
{
    static const GrpcHandler handler = { .message = free_server };
    static const GrpcMethod methods[] = {
        { "/test.Echo/Free", GRPC_UNARY, true, &test__echo_request__descriptor, REPLY, &handler },
    };
    EchoServer *echo = *state;
    g_autofree char *path = g_build_filename(echo->directory, "free", NULL);
    GrpcListen where = { path, 0600, (gid_t)-1, false };
    GrpcServer *server = grpc_server_new(NULL);
    bool is_gone = false;

    grpc_server_set_data(server, &is_gone, set_flag);
    grpc_server_add_methods(server, methods, G_N_ELEMENTS(methods));
    assert_true(grpc_server_listen(server, &where, NULL));
    assert_int_equal(echo_server_call(path, "/test.Echo/Free"), GRPC_STATUS_UNAVAILABLE);
    assert_true(is_gone);
}

static void
a_kept_call_outlives_its_server(void **state)
{
    EchoServer *echo = *state;
    g_autoptr(GrpcClient) client = grpc_client_new(echo->path, g_main_context_default());
    g_autoptr(GrpcClientCall) call = start_call(client, "/test.Echo/Unary", ECHO_HANG);
    Test__EchoReply reply = echo_reply();

    assert_true(echo_server_run_until(is_kept, echo));
    grpc_server_free(echo->server);
    echo->server = NULL;
    assert_false(grpc_client_call_wait(call, NULL));
    assert_int_equal(echo->closed[GRPC_CLOSE_LOST], 1);
    assert_false(grpc_call_is_open(echo->kept));
    grpc_call_reply(echo->kept, &reply.base);
    assert_int_equal(grpc_call_peer(echo->kept)->pid, getpid());
    assert_string_equal(grpc_call_method(echo->kept)->path, "/test.Echo/Unary");
}

/* The state of a connection, for the handlers. */
typedef struct {
    EchoServer *echo;   /* borrowed */
    unsigned destroyed; /* how often */
    unsigned closed;    /* calls that had been told of their end by then */
} PeerData;

static void
destroy_peer_data(gpointer data)
{
    PeerData *self = data;

    self->destroyed++;
    for (size_t i = 0; i < GRPC_CLOSE_COUNT; i++)
        self->closed += self->echo->closed[i];
}

static bool
is_destroyed(gpointer data)
{
    return ((PeerData *)data)->destroyed > 0;
}

static GrpcCall *
keep_call(EchoServer *echo, GrpcClient *client)
{
    g_autoptr(GrpcClientCall) call = start_call(client, "/test.Echo/Unary", ECHO_HANG);

    assert_non_null(call); /* it goes on without us */
    g_clear_pointer(&echo->kept, grpc_call_unref);
    assert_true(echo_server_run_until(is_kept, echo));
    return grpc_call_ref(echo->kept);
}

static void
data_of_a_connection_is_seen_by_its_calls_and_ends_after_them(void **state)
{
    EchoServer *echo = *state;
    GrpcClient *client = grpc_client_new(echo->path, g_main_context_default());
    g_autoptr(GrpcClient) other = grpc_client_new(echo->path, g_main_context_default());
    g_autoptr(GrpcCall) first = keep_call(echo, client);
    PeerData data[2] = { { .echo = echo }, { .echo = echo } };

    assert_null(grpc_call_peer_data(first));
    grpc_call_set_peer_data(first, &data[0], destroy_peer_data);
    {
        g_autoptr(GrpcCall) second = keep_call(echo, client);
        g_autoptr(GrpcCall) stranger = keep_call(echo, other);

        assert_ptr_equal(grpc_call_peer_data(second), &data[0]);
        assert_null(grpc_call_peer_data(stranger));
        grpc_call_set_peer_data(second, &data[1], destroy_peer_data);
    }
    assert_int_equal(data[0].destroyed, 1);
    assert_int_equal(data[1].destroyed, 0);
    grpc_client_free(client);
    assert_true(echo_server_run_until(is_destroyed, &data[1]));
    assert_int_equal(data[1].closed, 2);
    assert_null(grpc_call_peer_data(first)); /* it is kept, the connection is gone */
    grpc_call_set_peer_data(first, &data[0], destroy_peer_data);
    g_clear_pointer(&first, grpc_call_unref);
    g_clear_pointer(&echo->kept, grpc_call_unref);
    assert_int_equal(data[0].destroyed, 2);
    assert_int_equal(data[1].destroyed, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ECHO_TEST(a_shutdown_lets_calls_finish_and_refuses_new_connections),
        ECHO_TEST(a_shutdown_ends_endless_streams_with_a_status),
        ECHO_TEST(a_shutdown_cuts_off_what_outlasts_it),
        ECHO_TEST(a_shutdown_without_connections_is_done_at_once),
        ECHO_TEST(data_of_a_connection_is_seen_by_its_calls_and_ends_after_them),
        ECHO_TEST(a_handler_may_free_the_server),
        ECHO_TEST(a_kept_call_outlives_its_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
