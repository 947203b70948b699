/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_server_test.c - who may call, and how many may connect */
#include "proto/grpc_server.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/grpc_client.h"
#include "proto/grpc_socket.h"
#include "test/support/await.h"
#include "test/support/echo_server.h"

#define REPLY &test__echo_reply__descriptor

static void
a_read_only_socket_takes_read_only_calls(void **state)
{
    EchoServer *echo = *state;

    assert_int_equal(echo_server_call(echo->path, "/test.Echo/Unary"), GRPC_STATUS_OK);
    assert_int_equal(echo_server_call(echo->path, "/test.Echo/Write"), GRPC_STATUS_OK);
    assert_int_equal(echo_server_call(echo->ro_path, "/test.Echo/Unary"), GRPC_STATUS_OK);
    assert_int_equal(echo_server_call(echo->ro_path, "/test.Echo/Write"),
                     GRPC_STATUS_PERMISSION_DENIED);
}

/* What the access hook was asked last, and what it is to say. */
typedef struct {
    char *method;      /* owned */
    char *listener;    /* owned */
    pid_t pid;         /* of the peer */
    uid_t uid;         /* of the peer */
    bool read_only;    /* of the listener */
    GrpcStatus answer; /* to give */
} Asked;

static GrpcStatus
remember_and_answer(const GrpcMethod *method, const GrpcPeer *peer, gpointer user_data,
                    const char **ret_text)
{
    Asked *asked = user_data;

    g_free(asked->method);
    g_free(asked->listener);
    asked->method = g_strdup(method->path);
    asked->listener = g_strdup(peer->listener);
    asked->pid = peer->pid;
    asked->uid = peer->uid;
    asked->read_only = peer->read_only;
    *ret_text = "not today";
    return asked->answer;
}

static void
the_access_hook_knows_who_asks_and_decides(void **state)
{
    EchoServer *echo = *state;
    Asked asked = { .answer = GRPC_STATUS_OK };

    grpc_server_set_access(echo->server, remember_and_answer, &asked);
    assert_int_equal(echo_server_call(echo->ro_path, "/test.Echo/Unary"), GRPC_STATUS_OK);
    assert_string_equal(asked.method, "/test.Echo/Unary");
    assert_string_equal(asked.listener, echo->ro_path);
    assert_int_equal(asked.pid, getpid());
    assert_int_equal(asked.uid, geteuid());
    assert_true(asked.read_only);

    asked.answer = GRPC_STATUS_UNAUTHENTICATED;
    assert_int_equal(echo_server_call(echo->path, "/test.Echo/Write"), GRPC_STATUS_UNAUTHENTICATED);
    assert_string_equal(asked.method, "/test.Echo/Write");
    assert_false(asked.read_only);
    assert_int_equal(echo->closed[GRPC_CLOSE_DONE], 1);
    assert_int_equal(grpc_server_stats(echo->server).calls_started, 1);
    assert_int_equal(grpc_server_stats(echo->server).calls_refused, 1);
    g_free(asked.method);
    g_free(asked.listener);
}

static void
run_for_us(gint64 period_us)
{
    gint64 end_us = g_get_monotonic_time() + period_us;

    while (g_get_monotonic_time() < end_us) {
        if (!g_main_context_iteration(NULL, FALSE))
            g_usleep(1000);
    }
}

static void
connections_over_a_limit_are_closed_at_once(void **unused)
{
    static const struct {
        const char *when;
        unsigned connections;
        unsigned connections_per_uid;
    } rows[] = { { "in all", 3, 100 }, { "of one user", 100, 3 } };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrpcLimits limits = grpc_server_limits;
        GrpcServer *server;
        unsigned accepted = 0;
        int ends[5][2];

        limits.connections = rows[i].connections;
        limits.connections_per_uid = rows[i].connections_per_uid;
        server = grpc_server_new(&limits);
        for (size_t n = 0; n < G_N_ELEMENTS(ends); n++) {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[n]), 0);
            accepted += grpc_server_adopt(server, ends[n][0], false, NULL);
        }
        if (accepted != 3 || grpc_server_stats(server).connections != 3 ||
            grpc_server_stats(server).connections_refused != 2)
            fail_msg("%s: %u accepted", rows[i].when, accepted);
        for (size_t n = 0; n < G_N_ELEMENTS(ends); n++)
            close(ends[n][1]);
        AWAIT(grpc_server_stats(server).connections == 0);
        grpc_server_free(server);
    }
}

static void
a_listener_without_descriptors_rests_and_then_accepts(void **state)
{
    EchoServer *echo = *state;
    int client_fd = grpc_socket_connect(echo->path, 1000, NULL);
    struct rlimit before, none = { 3, 3 };
    clock_t start;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    start = clock();
    run_for_us(300000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    /* CPU time: a listener that does not rest would take all of the 0.3 s. */
    assert_in_range(clock() - start, 0, CLOCKS_PER_SEC / 10);
    assert_int_equal(grpc_server_stats(echo->server).connections, 0);
    AWAIT(grpc_server_stats(echo->server).connections == 1);
    close(client_fd);
}

static void
strangers_on_the_read_only_socket_take_nothing_from_the_others(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    EchoServer *echo;
    int fds[5];

    (void)unused;
    limits.connections = 3;
    echo = echo_server_new(&limits);
    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
        fds[i] = grpc_socket_connect(echo->ro_path, 1000, NULL);
    AWAIT(grpc_server_stats(echo->server).connections_refused >= 2);
    assert_int_equal(echo_server_call(echo->path, "/test.Echo/Write"), GRPC_STATUS_OK);
    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
        close(fds[i]);
    echo_server_free(echo);
}

static void
a_client_finds_the_server_again_after_a_restart(void **state)
{
    EchoServer *echo = *state;
    g_autofree char *path = g_strdup(echo->path);
    g_autoptr(GrpcClient) client = grpc_client_new(path, g_main_context_default());
    GrpcListen where = { path, 0600, (gid_t)-1, false };
    GrpcRpc rpc = { "/test.Echo/Unary", REPLY, 5000 };
    Test__EchoRequest request = echo_request();
    GrpcServer *second;
    ProtobufCMessage *reply = NULL;
    g_autoptr(GError) error = NULL;

    assert_true(grpc_client_unary(client, &rpc, &request.base, &reply, NULL));
    protobuf_c_message_free_unpacked(reply, NULL);
    grpc_server_free(echo->server);
    await_idle();
    assert_false(grpc_client_unary(client, &rpc, &request.base, &reply, &error));
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_UNAVAILABLE));
    g_clear_error(&error);

    second = grpc_server_new(NULL);
    assert_true(grpc_server_listen(second, &where, NULL));
    assert_false(grpc_client_unary(client, &rpc, &request.base, &reply, &error));
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_UNIMPLEMENTED));
    echo->server = second;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ECHO_TEST(a_read_only_socket_takes_read_only_calls),
        ECHO_TEST(the_access_hook_knows_who_asks_and_decides),
        cmocka_unit_test(connections_over_a_limit_are_closed_at_once),
        ECHO_TEST(a_listener_without_descriptors_rests_and_then_accepts),
        cmocka_unit_test(strangers_on_the_read_only_socket_take_nothing_from_the_others),
        ECHO_TEST(a_client_finds_the_server_again_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
