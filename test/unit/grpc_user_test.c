/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_user_test.c - no user locks another one out, and nobody root */
#include "proto/grpc_socket.h"

#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/echo_server.h"
#include "test/support/h2_peer.h"

/* The linker's words: the user at the other end is whom the test wants. */

static uid_t user;

bool __real_grpc_socket_peer(int fd, GrpcPeer *ret_peer, GError **error);
bool __wrap_grpc_socket_peer(int fd, GrpcPeer *ret_peer, GError **error);

bool
__wrap_grpc_socket_peer(int fd, GrpcPeer *ret_peer, GError **error)
{
    bool ok = __real_grpc_socket_peer(fd, ret_peer, error);

    ret_peer->uid = user;
    return ok;
}

static H2Peer *
peer_of(EchoServer *echo, uid_t uid)
{
    user = uid;
    return h2_peer_new(echo->server, false);
}

/* How a call ends that takes a thousand bytes. */
static int
status_for(EchoServer *echo, uid_t uid)
{
    g_autofree char *text = g_strnfill(1000, 'x');
    g_autoptr(GByteArray) body = h2_peer_message(text, 0, 0);
    H2Peer *peer = peer_of(echo, uid);
    int32_t id = h2_peer_request(peer, H2_HEADERS("Write"), body);
    int status;

    h2_peer_run(peer, H2_QUIET_MS);
    status = h2_peer_answer(peer, id)->grpc_status;
    h2_peer_free(peer);
    return status;
}

/* Two calls that are not finished, of 50000 bytes each, are all that the others hold together. */
static EchoServer *
echo_with_room_for_two(size_t user_bytes)
{
    GrpcLimits limits = grpc_server_limits;

    limits.user_bytes = user_bytes;
    limits.total_bytes = 100100;
    return echo_server_new(&limits);
}

static void
a_user_who_fills_his_part_keeps_nobody_from_an_answer(void **unused)
{
    EchoServer *echo = echo_with_room_for_two(50100);
    H2Peer *first = peer_of(echo, 1000), *second = peer_of(echo, 1000);

    (void)unused;
    assert_int_equal(h2_peer_unfinished(first), -1);
    assert_int_equal(h2_peer_unfinished(second), GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(status_for(echo, 1000), GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(status_for(echo, 1001), GRPC_STATUS_OK);
    assert_int_equal(status_for(echo, 0), GRPC_STATUS_OK);
    h2_peer_free(first);
    assert_int_equal(status_for(echo, 1000), GRPC_STATUS_OK);
    h2_peer_free(second);
    assert_int_equal(grpc_server_stats(echo->server).held_bytes, 0);
    echo_server_free(echo);
}

static void
all_users_together_take_nothing_from_root(void **unused)
{
    EchoServer *echo = echo_with_room_for_two(60000);
    H2Peer *first = peer_of(echo, 1000), *second = peer_of(echo, 1001), *root = peer_of(echo, 0);

    (void)unused;
    assert_int_equal(h2_peer_unfinished(first), -1);
    assert_int_equal(h2_peer_unfinished(second), -1);
    assert_int_equal(status_for(echo, 1002), GRPC_STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(h2_peer_unfinished(root), -1);
    assert_int_equal(status_for(echo, 0), GRPC_STATUS_OK);
    assert_in_range(grpc_server_stats(echo->server).held_bytes, 149900, 150000);
    h2_peer_free(first);
    h2_peer_free(second);
    h2_peer_free(root);
    echo_server_free(echo);
}

static void
connections_of_others_leave_root_its_own(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    g_autoptr(GError) error = NULL;
    H2Peer *peers[3];
    EchoServer *echo;
    int ends[2];

    (void)unused;
    limits.connections = 2;
    echo = echo_server_new(&limits);
    for (size_t i = 0; i < 2; i++)
        peers[i] = peer_of(echo, 1000 + (uid_t)i);
    user = 1002;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_false(grpc_server_adopt(echo->server, ends[0], false, &error));
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES));
    close(ends[1]);
    peers[2] = peer_of(echo, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(peers); i++)
        h2_peer_free(peers[i]);
    echo_server_free(echo);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_who_fills_his_part_keeps_nobody_from_an_answer),
        cmocka_unit_test(all_users_together_take_nothing_from_root),
        cmocka_unit_test(connections_of_others_leave_root_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
