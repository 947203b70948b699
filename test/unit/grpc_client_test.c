/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_client_test.c - a client against servers that restart, hang, or do not keep to the rules */
#define _GNU_SOURCE
#include "proto/grpc_client.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/grpc_frame.h"
#include "proto/grpc_socket.h"
#include "test/support/echo_server.h"

#define REPLY &test__echo_reply__descriptor
#define UNARY "/test.Echo/Unary"

/* An echo server in a process of its own, found through a symbolic link at @path. */
static pid_t
start_server(const char *path)
{
    int ready[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        EchoServer *echo;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        echo = echo_server_new(NULL);
        if (symlink(echo->path, path) != 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        g_main_loop_run(g_main_loop_new(NULL, FALSE));
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

/* Kills the server and removes what it left behind. */
static void
stop_server(pid_t pid, const char *path)
{
    g_autofree char *socket_path = g_file_read_link(path, NULL);
    g_autofree char *directory = g_path_get_dirname(socket_path);
    g_autofree char *ro_path = g_build_filename(directory, "socket-ro", NULL);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(socket_path), 0);
    assert_int_equal(unlink(ro_path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void
a_client_of_its_own_notices_a_restart_before_it_calls(void **unused)
{
    g_autofree char *directory = g_dir_make_tmp("client-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "s", NULL);
    g_autoptr(GrpcClient) client = grpc_client_new(path, NULL);
    pid_t pid = start_server(path);

    (void)unused;
    assert_int_equal(echo_server_status(client, UNARY, 5000), GRPC_STATUS_OK);
    assert_int_equal(echo_server_status(client, UNARY, 5000), GRPC_STATUS_OK);
    stop_server(pid, path);
    pid = start_server(path);
    assert_int_equal(echo_server_status(client, UNARY, 5000), GRPC_STATUS_OK);
    stop_server(pid, path);
    assert_int_equal(echo_server_status(client, UNARY, 5000), GRPC_STATUS_UNAVAILABLE);
    assert_int_equal(rmdir(directory), 0);
}

static void
a_server_that_hangs_costs_the_deadline_and_no_more(void **unused)
{
    g_autofree char *directory = g_dir_make_tmp("client-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "s", NULL);
    g_autoptr(GrpcClient) client = grpc_client_new(path, NULL);
    pid_t pid = start_server(path);
    gint64 start_us;

    (void)unused;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    start_us = g_get_monotonic_time();
    assert_int_equal(echo_server_status(client, UNARY, 200), GRPC_STATUS_DEADLINE_EXCEEDED);
    assert_in_range(g_get_monotonic_time() - start_us, 190000, 2000000);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(echo_server_status(client, UNARY, 5000), GRPC_STATUS_OK);
    stop_server(pid, path);
    assert_int_equal(rmdir(directory), 0);
}

/* More than the call may take, on whatever machine. */
#define WATCHDOG_US (20 * G_USEC_PER_SEC)

static gboolean
watch_turn(gpointer user_data)
{
    gint64 *begun_us = user_data;

    if (*begun_us == 0)
        *begun_us = g_get_monotonic_time();
    if (g_get_monotonic_time() - *begun_us > WATCHDOG_US)
        fail_msg("the call does not begin");
    return G_SOURCE_CONTINUE;
}

static void
a_source_that_is_always_ready_does_not_hold_up_calls(void **unused)
{
    g_autofree char *directory = g_dir_make_tmp("client-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "s", NULL);
    g_autoptr(GrpcClient) client = grpc_client_new(path, NULL);
    g_autoptr(GSource) restless = g_idle_source_new();
    pid_t pid = start_server(path);
    gint64 begun_us = 0;

    (void)unused;
    g_source_set_callback(restless, watch_turn, &begun_us, NULL);
    g_source_attach(restless, grpc_client_context(client));
    assert_int_equal(echo_server_status(client, UNARY, 5000), GRPC_STATUS_OK);
    assert_true(begun_us > 0);
    g_source_destroy(restless);
    stop_server(pid, path);
    assert_int_equal(rmdir(directory), 0);
}

static void
append_frame(GByteArray *to, uint8_t type, uint8_t flags, const GByteArray *payload)
{
    guint len = payload->len;
    uint8_t id = type == NGHTTP2_SETTINGS || type == NGHTTP2_GOAWAY ? 0 : 1;
    uint8_t head[9] = { 0, (uint8_t)(len >> 8), (uint8_t)len, type, flags, 0, 0, 0, id };

    g_byte_array_append(to, head, sizeof(head));
    g_byte_array_append(to, payload->data, len);
}

/* Header fields as HPACK literals without indexing: RFC 7541, section 6.2.2. */
static GByteArray *
header_block(const char *lines)
{
    g_auto(GStrv) split = g_strsplit(lines, "\n", -1);
    GByteArray *block = g_byte_array_new();

    for (char **line = split; *line && **line; line++) {
        char *colon = strstr(*line + 1, ": ");
        uint8_t name_head[2] = { 0, (uint8_t)(colon - *line) };
        uint8_t value_len = (uint8_t)strlen(colon + 2);

        assert_true(name_head[1] < 127 && value_len < 127);
        g_byte_array_append(block, name_head, 2);
        g_byte_array_append(block, (const guint8 *)*line, name_head[1]);
        g_byte_array_append(block, &value_len, 1);
        g_byte_array_append(block, (const guint8 *)colon + 2, value_len);
    }
    return block;
}

/* What a server sends, written as text: "S" settings, "H lines" headers, "T lines" trailers,
 * "D hex" data, "R hex" reset, "G hex" goaway, "X text" raw; '|' between them. */
static GByteArray *
script_bytes(const char *script)
{
    g_auto(GStrv) steps = g_strsplit(script, "|", -1);
    GByteArray *bytes = g_byte_array_new();

    for (char **step = steps; *step; step++) {
        const char *rest = **step && (*step)[1] ? *step + 2 : "";
        g_autoptr(GByteArray) payload =
            strchr("HT", **step) ? header_block(rest) : g_byte_array_new();

        for (const char *hex = rest; strchr("DRG", **step) && *hex; hex += 2) {
            uint8_t byte =
                (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));

            g_byte_array_append(payload, &byte, 1);
        }
        switch (**step) {
        case 'S':
            append_frame(bytes, NGHTTP2_SETTINGS, 0, payload);
            break;
        case 'H':
            append_frame(bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, payload);
            break;
        case 'T':
            append_frame(bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
                         payload);
            break;
        case 'D':
            append_frame(bytes, NGHTTP2_DATA, 0, payload);
            break;
        case 'R':
            append_frame(bytes, NGHTTP2_RST_STREAM, 0, payload);
            break;
        case 'G':
            append_frame(bytes, NGHTTP2_GOAWAY, 0, payload);
            break;
        default:
            g_byte_array_append(bytes, (const guint8 *)rest, (guint)strlen(rest));
            break;
        }
    }
    return bytes;
}

#define GOOD     "S|H :status: 200\ncontent-type: application/grpc\n"
#define MESSAGE  "|D 00000000020a00"
#define TRAILERS "|T grpc-status: 0\n"

static const struct {
    const char *when;
    const char *script;
    GrpcStatus want;
} bad_servers[] = {
    { "all is well", GOOD MESSAGE TRAILERS, GRPC_STATUS_OK },
    { "no answer", GOOD TRAILERS, GRPC_STATUS_UNIMPLEMENTED },
    { "two answers", GOOD MESSAGE MESSAGE TRAILERS, GRPC_STATUS_UNIMPLEMENTED },
    { "no status", GOOD MESSAGE "|T x: y\n", GRPC_STATUS_UNKNOWN },
    { "a status that is none", GOOD MESSAGE "|T grpc-status: 99\n", GRPC_STATUS_UNKNOWN },
    { "trailers only", "S|T :status: 200\ngrpc-status: 7\n", GRPC_STATUS_PERMISSION_DENIED },
    { "HTTP 404", "S|T :status: 404\n", GRPC_STATUS_UNIMPLEMENTED },
    { "HTTP 503 with a page", "S|H :status: 503\n|D 3c68746d6c3e", GRPC_STATUS_UNAVAILABLE },
    { "a message that is none", GOOD "|D 0000000002ffff" TRAILERS, GRPC_STATUS_INTERNAL },
    { "a message cut short", GOOD "|D 00000000090a00" TRAILERS, GRPC_STATUS_INTERNAL },
    { "a message cut short by a failure", GOOD "|D 00000000090a00|T grpc-status: 8\n",
      GRPC_STATUS_RESOURCE_EXHAUSTED },
    { "a compressed message", GOOD "|D 01000000020a00" TRAILERS, GRPC_STATUS_INTERNAL },
    { "a message of 4 GiB", GOOD "|D 00ffffffff", GRPC_STATUS_RESOURCE_EXHAUSTED },
    { "refused", "S|R 00000007", GRPC_STATUS_UNAVAILABLE },
    { "reset", GOOD "|R 00000002", GRPC_STATUS_INTERNAL },
    { "gone before our call", "S|G 0000000000000000", GRPC_STATUS_UNAVAILABLE },
    { "not HTTP/2", "X HTTP/1.1 400 Bad Request\r\n\r\n", GRPC_STATUS_UNAVAILABLE },
    { "closed at once", "X", GRPC_STATUS_UNAVAILABLE },
    { "closed halfway", GOOD MESSAGE, GRPC_STATUS_UNAVAILABLE },
};

/* In a child: takes the client's connection and request, answers with the script, and closes once
 * the client has no more to say or has gone. */
static void
serve_script(int listen_fd, const char *script)
{
    g_autoptr(GByteArray) bytes = script_bytes(script);
    uint8_t request[4096];
    int fd;

    fcntl(listen_fd, F_SETFL, 0); /* wait in accept4(): we may be here before the client */
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || recv(fd, request, sizeof(request), 0) <= 0 ||
        send(fd, bytes->data, bytes->len, MSG_NOSIGNAL) != (ssize_t)bytes->len)
        _exit(1);
    shutdown(fd, SHUT_WR);
    while (recv(fd, request, sizeof(request), 0) > 0)
        continue;
    close(fd);
}

/* The status of a call that expects one response. */
static GrpcStatus
status_of_script(const char *script)
{
    g_autofree char *directory = g_dir_make_tmp("client-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "s", NULL);
    GrpcListen where = { path, 0600, (gid_t)-1, false };
    GrpcRpc rpc = { UNARY, REPLY, 5000 };
    Test__EchoRequest request = echo_request();
    GrpcClient *client = grpc_client_new(path, NULL);
    g_autoptr(GError) error = NULL;
    ProtobufCMessage *reply = NULL;
    GrpcSocket socket;
    int child_status = 0;
    pid_t pid;

    assert_true(grpc_socket_listen(&where, &socket, NULL));
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        serve_script(socket.fd, script);
        _exit(0);
    }
    if (grpc_client_unary(client, &rpc, &request.base, &reply, &error))
        protobuf_c_message_free_unpacked(reply, NULL);
    grpc_client_free(client);
    assert_int_equal(waitpid(pid, &child_status, 0), pid);
    assert_int_equal(child_status, 0);
    grpc_socket_close(&socket);
    assert_int_equal(rmdir(directory), 0);
    return error ? (GrpcStatus)error->code : GRPC_STATUS_OK;
}

static void
whatever_a_server_sends_ends_in_a_status(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(bad_servers); i++) {
        GrpcStatus got = status_of_script(bad_servers[i].script);

        if (got != bad_servers[i].want)
            fail_msg("%s: %s, want %s", bad_servers[i].when, grpc_status_name(got),
                     grpc_status_name(bad_servers[i].want));
    }
}

static void
remember_error(GrpcClientCall *call, const GError *error, gpointer user_data)
{
    (void)call;
    *(int *)user_data = error->code;
}

static void
freeing_the_client_cancels_its_calls(void **unused)
{
    static const GrpcClientHandler handler = { .finished = remember_error };
    EchoServer *echo = echo_server_new(NULL);
    GrpcClient *client = grpc_client_new(echo->path, g_main_context_default());
    GrpcRpc rpc = { "/test.Echo/Chat", REPLY, 0 };
    int code = 0;
    GrpcClientCall *call = grpc_client_open(client, &rpc, &handler, &code, NULL);

    (void)unused;
    assert_non_null(call);
    while (echo->started == 0)
        g_main_context_iteration(NULL, TRUE);
    grpc_client_free(client);
    assert_int_equal(code, GRPC_STATUS_CANCELLED);
    grpc_client_call_unref(call);
    while (grpc_server_stats(echo->server).connections > 0)
        g_main_context_iteration(NULL, TRUE);
    assert_int_equal(echo->closed[GRPC_CLOSE_LOST], 1);
    echo_server_free(echo);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_of_its_own_notices_a_restart_before_it_calls),
        cmocka_unit_test(a_server_that_hangs_costs_the_deadline_and_no_more),
        cmocka_unit_test(a_source_that_is_always_ready_does_not_hold_up_calls),
        cmocka_unit_test(whatever_a_server_sends_ends_in_a_status),
        cmocka_unit_test(freeing_the_client_cancels_its_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
