/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_socket_race_test.c - what is put under our name between two steps of ours comes to no harm
 *
 * Somebody who may write in the directory can replace a file at any moment, so the moments are
 * those in front of each call that goes by the name, or changes what is there.
 */
#define _GNU_SOURCE
#include "proto/grpc_socket.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PRECIOUS_MODE 0640

typedef enum { MOMENT_UNLINK, MOMENT_BIND, MOMENT_BOUND, MOMENT_CHMOD, MOMENT_LISTEN } Moment;
typedef enum { THING_LINK, THING_SAME_FILE, THING_FOLDER } Thing;

/* A directory of its own for the test, and what somebody does in it. */
typedef struct {
    char *directory; /* owned */
    char *path;      /* owned; of the socket */
    char *precious;  /* owned; a file that is none of ours */
    char *ready;     /* owned; where a thing is made before it comes under our name */
    Moment moment;   /* when it does */
    Thing thing;     /* what it is */
    bool is_armed;   /* it has not happened yet */
} Place;

/* Of the test that runs; NULL: nobody meddles. */
static Place *rival;

/* A folder cannot take the place of a file at once. */
static void
put_in_place(const Place *place)
{
    if (place->thing == THING_LINK)
        assert_int_equal(symlink(place->precious, place->ready), 0);
    else if (place->thing == THING_SAME_FILE)
        assert_int_equal(link(place->precious, place->ready), 0);
    else
        assert_int_equal(g_mkdir(place->ready, 0700), 0);
    if (place->thing == THING_FOLDER)
        g_remove(place->path);
    assert_int_equal(rename(place->ready, place->path), 0);
}

static void
pass(Moment moment)
{
    if (!rival || !rival->is_armed || rival->moment != moment)
        return;
    rival->is_armed = false;
    put_in_place(rival);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);
int __real_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);
int __real_listen(int fd, int backlog);
int __wrap_listen(int fd, int backlog);

int
__wrap_unlink(const char *path)
{
    pass(MOMENT_UNLINK);
    return __real_unlink(path);
}

int
__wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    int result;

    pass(MOMENT_BIND);
    result = __real_bind(fd, address, len);
    pass(MOMENT_BOUND);
    return result;
}

int
__wrap_chmod(const char *path, mode_t mode)
{
    pass(MOMENT_CHMOD);
    return __real_chmod(path, mode);
}

int
__wrap_listen(int fd, int backlog)
{
    pass(MOMENT_LISTEN);
    return __real_listen(fd, backlog);
}

static int
place_setup(void **state)
{
    Place *place = g_new0(Place, 1);

    place->directory = g_dir_make_tmp("socket-XXXXXX", NULL);
    place->path = g_build_filename(place->directory, "s", NULL);
    place->precious = g_build_filename(place->directory, "precious", NULL);
    place->ready = g_build_filename(place->directory, "ready", NULL);
    assert_true(g_file_set_contents(place->precious, "precious", -1, NULL));
    assert_int_equal(g_chmod(place->precious, PRECIOUS_MODE), 0);
    *state = place;
    return 0;
}

static int
place_teardown(void **state)
{
    Place *place = *state;

    g_remove(place->path);
    assert_int_equal(g_remove(place->precious), 0);
    assert_int_equal(rmdir(place->directory), 0);
    g_free(place->directory);
    g_free(place->path);
    g_free(place->precious);
    g_free(place->ready);
    g_free(place);
    return 0;
}

static void
leave_a_dead_socket(const Place *place)
{
    const GrpcListen where = { place->path, 0600, (gid_t)-1, false };
    GrpcSocket made;

    assert_true(grpc_socket_listen(&where, &made, NULL));
    close(made.fd);
    close(made.inode_fd);
    g_free(made.path);
}

static void
assert_precious(const Place *place, const char *when)
{
    g_autofree char *text = NULL;
    struct stat status;

    assert_true(g_file_get_contents(place->precious, &text, NULL, NULL));
    assert_int_equal(stat(place->precious, &status), 0);
    if (strcmp(text, "precious") != 0 || (status.st_mode & 07777) != PRECIOUS_MODE ||
        status.st_uid != geteuid())
        fail_msg("%s: it has \"%s\" now, mode %o", when, text, status.st_mode & 07777);
}

/* A whole life of the socket. Return: whether there was one. */
static bool
live(Place *place, const char *when)
{
    const GrpcListen where = { place->path, 0666, (gid_t)-1, false };
    GrpcSocket made;
    bool listens;

    rival = place;
    place->is_armed = true;
    listens = grpc_socket_listen(&where, &made, NULL);
    assert_precious(place, when);
    if (listens)
        grpc_socket_close(&made);
    rival = NULL;
    if (place->is_armed)
        fail_msg("%s: the moment never came", when);
    assert_precious(place, when);
    return listens;
}

static void
what_comes_under_our_name_meanwhile_is_not_harmed(void **state)
{
    static const struct {
        const char *when;
        Moment moment;
        bool listens; /* all the same: by then the name does not matter any more */
        bool stays;   /* what came under the name is there afterwards */
    } rows[] = {
        { "before a left-over is removed", MOMENT_UNLINK, true, false },
        { "before the socket is made", MOMENT_BIND, false, true },
        { "when it has just been made", MOMENT_BOUND, false, true },
        { "before its permissions are set", MOMENT_CHMOD, true, true },
        { "before it listens", MOMENT_LISTEN, true, true },
    };
    static const struct {
        const char *what;
        Thing thing;
    } things[] = { { "a link", THING_LINK },
                   { "another file", THING_SAME_FILE },
                   { "a folder", THING_FOLDER } };
    Place *place = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(things); j++) {
            g_autofree char *when = g_strdup_printf("%s %s", things[j].what, rows[i].when);
            /* A folder is not removed as a socket is. */
            bool is_kept = rows[i].moment == MOMENT_UNLINK && things[j].thing == THING_FOLDER;
            struct stat status;

            place->moment = rows[i].moment;
            place->thing = things[j].thing;
            if (rows[i].moment == MOMENT_UNLINK)
                leave_a_dead_socket(place);
            if (live(place, when) != (rows[i].listens && !is_kept))
                fail_msg("%s: it does %slisten", when, rows[i].listens ? "not " : "");
            if ((lstat(place->path, &status) == 0) != (rows[i].stays || is_kept))
                fail_msg("%s: it has %s", when, rows[i].stays ? "gone" : "stayed");
            g_remove(place->path);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_under_our_name_meanwhile_is_not_harmed,
                                        place_setup, place_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
