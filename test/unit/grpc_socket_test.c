/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_socket_test.c - a socket path is taken only when it is free, and only as a socket */
#define _GNU_SOURCE
#include "proto/grpc_socket.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/machine.h"

/* A directory of its own for each test. */
typedef struct {
    char *directory; /* owned */
    char *path;      /* owned; nothing is there at first */
    char *other;     /* owned; a second path */
} Place;

static int
place_setup(void **state)
{
    Place *place = g_new0(Place, 1);

    place->directory = g_dir_make_tmp("socket-XXXXXX", NULL);
    place->path = g_build_filename(place->directory, "s", NULL);
    place->other = g_build_filename(place->directory, "other", NULL);
    *state = place;
    return place->directory ? 0 : -1;
}

static int
place_teardown(void **state)
{
    Place *place = *state;

    unlink(place->path);
    unlink(place->other);
    assert_int_equal(rmdir(place->directory), 0);
    g_free(place->directory);
    g_free(place->path);
    g_free(place->other);
    g_free(place);
    return 0;
}

static GrpcSocket
listen_or_fail(const char *path)
{
    GrpcListen where = { path, 0600, (gid_t)-1, false };
    GrpcSocket made = { -1, -1, NULL };
    g_autoptr(GError) error = NULL;

    if (!grpc_socket_listen(&where, &made, &error))
        fail_msg("%s", error->message);
    return made;
}

/* Listening at @path must fail with @code, and leave the inode that is there alone. */
static void
assert_refused(const char *path, int code, const char *when)
{
    GrpcListen where = { path, 0600, (gid_t)-1, false };
    GrpcSocket made = { -1, -1, NULL };
    struct stat before, after;
    g_autoptr(GError) error = NULL;

    assert_int_equal(lstat(path, &before), 0);
    if (grpc_socket_listen(&where, &made, &error))
        fail_msg("%s: taken", when);
    if (!g_error_matches(error, G_IO_ERROR, code))
        fail_msg("%s: code %d, %s", when, error->code, error->message);
    assert_int_equal(lstat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(made.fd, -1);
}

static void
a_free_path_is_taken_and_given_back(void **state)
{
    Place *place = *state;
    GrpcSocket made = listen_or_fail(place->path);
    g_autoptr(GError) error = NULL;
    int fd = grpc_socket_connect(place->path, 1000, &error);

    assert_true(fd >= 0);
    close(fd);
    grpc_socket_close(&made);
    assert_int_equal(made.fd, -1);
    assert_int_equal(access(place->path, F_OK), -1);
    grpc_socket_close(&made);
}

static void
mode_and_group_are_as_asked(void **state)
{
    static const mode_t modes[] = { 0600, 0660, 0666 };
    Place *place = *state;
    struct stat st;

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        /* Only root may give a file to a group it is not in. */
        GrpcListen where = { place->path, modes[i], geteuid() == 0 ? 12345 : getegid(), false };
        GrpcSocket made;

        assert_true(grpc_socket_listen(&where, &made, NULL));
        assert_int_equal(stat(place->path, &st), 0);
        assert_int_equal(st.st_mode & 07777, modes[i]);
        assert_int_equal(st.st_gid, where.gid);
        grpc_socket_close(&made);
    }
}

static void
a_socket_left_over_by_a_dead_process_is_taken_over(void **state)
{
    Place *place = *state;
    GrpcSocket dead = listen_or_fail(place->path);
    GrpcSocket made;

    close(dead.fd);
    dead.fd = -1;
    made = listen_or_fail(place->path);
    /* The dead one's clean-up, late, must not remove what is now ours. */
    grpc_socket_close(&dead);
    assert_int_equal(access(place->path, F_OK), 0);
    grpc_socket_close(&made);
    assert_int_equal(access(place->path, F_OK), -1);
}

static void
a_socket_in_use_is_refused(void **state)
{
    Place *place = *state;
    GrpcSocket live = listen_or_fail(place->path);
    int fds[300];
    size_t n_fds = 0;

    assert_refused(place->path, G_IO_ERROR_ADDRESS_IN_USE, "listening");
    /* A backlog that is full is a sign of life too. */
    while (n_fds < G_N_ELEMENTS(fds)) {
        g_autoptr(GError) error = NULL;

        fds[n_fds] = grpc_socket_connect(place->path, 1, &error);
        if (fds[n_fds] < 0) {
            assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_DEADLINE_EXCEEDED));
            break;
        }
        n_fds++;
    }
    assert_in_range(n_fds, 1, G_N_ELEMENTS(fds) - 1);
    assert_refused(place->path, G_IO_ERROR_ADDRESS_IN_USE, "backlog full");
    while (n_fds > 0)
        close(fds[--n_fds]);
    grpc_socket_close(&live);
}

static void
what_is_not_a_socket_is_left_alone(void **state)
{
    Place *place = *state;

    assert_true(g_file_set_contents(place->path, "precious", -1, NULL));
    assert_refused(place->path, G_IO_ERROR_EXISTS, "a file");
    assert_int_equal(unlink(place->path), 0);

    assert_int_equal(g_mkdir(place->path, 0700), 0);
    assert_refused(place->path, G_IO_ERROR_EXISTS, "a directory");
    assert_int_equal(rmdir(place->path), 0);

    assert_int_equal(symlink("nowhere", place->path), 0);
    assert_refused(place->path, G_IO_ERROR_EXISTS, "a dangling symbolic link");
}

static void
a_symbolic_link_to_a_dead_socket_is_not_followed(void **state)
{
    Place *place = *state;
    GrpcSocket dead = listen_or_fail(place->other);

    close(dead.fd);
    dead.fd = -1;
    assert_int_equal(symlink(place->other, place->path), 0);
    assert_refused(place->path, G_IO_ERROR_EXISTS, "a link to a dead socket");
    assert_int_equal(access(place->other, F_OK), 0);
    grpc_socket_close(&dead);
}

static void
bad_paths_are_refused(void **state)
{
    Place *place = *state;
    g_autofree char *deep = g_build_filename(place->directory, "missing", "s", NULL);
    g_autofree char *name = g_strnfill(120, 'x');
    g_autofree char *lengthy = g_build_filename(place->directory, name, NULL);
    GrpcListen where = { deep, 0600, (gid_t)-1, false };
    GrpcSocket made;
    GError *error = NULL;

    assert_false(grpc_socket_listen(&where, &made, &error));
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
    g_clear_error(&error);
    where.path = lengthy;
    assert_false(grpc_socket_listen(&where, &made, &error));
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG));
    g_clear_error(&error);
}

static void
a_directory_that_somebody_keeps_locked_does_not_stop_us(void **state)
{
    Place *place = *state;
    int fd = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gint64 start_us = g_get_monotonic_time();
    GrpcSocket made;

    assert_int_equal(flock(fd, LOCK_EX), 0);
    made = listen_or_fail(place->path);
    assert_in_range(g_get_monotonic_time() - start_us, 400000, 5000000);
    grpc_socket_close(&made);
    close(fd);
}

static void
connecting_to_nobody_says_so(void **state)
{
    Place *place = *state;
    GrpcSocket dead = listen_or_fail(place->path);
    GError *error = NULL;

    close(dead.fd);
    dead.fd = -1;
    assert_int_equal(grpc_socket_connect(place->path, 1000, &error), -1);
    assert_true(g_error_matches(error, GRPC_ERROR, GRPC_STATUS_UNAVAILABLE));
    assert_non_null(strstr(error->message, place->path));
    assert_non_null(strstr(error->message, "no daemon is listening"));
    g_clear_error(&error);
    grpc_socket_close(&dead);
}

static void
the_peer_is_who_the_kernel_says(void **unused)
{
    GrpcPeer peer;
    gid_t own[256];
    int n_own = getgroups(G_N_ELEMENTS(own), own);
    int fds[2];

    (void)unused;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_true(grpc_socket_peer(fds[0], &peer, NULL));
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.gid, getegid());
    assert_int_equal(peer.n_groups, n_own);
    assert_true(grpc_peer_has_group(&peer, getegid()));
    for (int i = 0; i < n_own; i++)
        assert_true(grpc_peer_has_group(&peer, own[i]));
    assert_false(grpc_peer_has_group(&peer, 4000000000u));
    g_free(peer.groups);
    close(fds[0]);
    close(fds[1]);
}

/* In a child, which may become somebody else: 0 if it is told as who it is. */
static int
is_told_as_another(void)
{
    static const gid_t groups[] = { 4001, 4002, 4003 };
    GrpcPeer peer = { 0 };
    int fds[2];

    if (setgroups(G_N_ELEMENTS(groups), groups) < 0 || setresgid(4011, 4011, 4011) < 0 ||
        setresuid(4012, 4012, 4012) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 ||
        !grpc_socket_peer(fds[0], &peer, NULL))
        return 2;
    return !(peer.uid == 4012 && peer.gid == 4011 && peer.n_groups == 3 &&
             grpc_peer_has_group(&peer, 4002) && grpc_peer_has_group(&peer, getegid()) &&
             !grpc_peer_has_group(&peer, 4004));
}

static void
a_peer_is_another_user_with_groups_of_its_own(void **unused)
{
    int status = 0;
    pid_t pid;

    (void)unused;
    if (geteuid() != 0)
        skip_because_machine("only root may become somebody else");
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(is_told_as_another());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_setup, place_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_free_path_is_taken_and_given_back),
        TEST(mode_and_group_are_as_asked),
        TEST(a_socket_left_over_by_a_dead_process_is_taken_over),
        TEST(a_socket_in_use_is_refused),
        TEST(what_is_not_a_socket_is_left_alone),
        TEST(a_symbolic_link_to_a_dead_socket_is_not_followed),
        TEST(bad_paths_are_refused),
        TEST(a_directory_that_somebody_keeps_locked_does_not_stop_us),
        TEST(connecting_to_nobody_says_so),
        cmocka_unit_test(the_peer_is_who_the_kernel_says),
        cmocka_unit_test(a_peer_is_another_user_with_groups_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
