/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_top_feed_test.c - figures that nobody waits for any more */
#include "agent/cli/top_feed.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/grpc_socket.h"

static gboolean
give_up(gpointer feed)
{
    top_feed_give_up(feed);
    return G_SOURCE_REMOVE;
}

/* The socket takes the connection, and nobody answers: who waits, waits until the time is up. */
static void
assert_asks_no_more(TopFeed *feed)
{
    g_autoptr(GError) error = NULL;

    assert_false(top_feed_ask(feed, &error));
    if (!strstr(error->message, "cancelled"))
        fail_msg("%s", error->message);
}

static void
a_key_that_is_heard_between_two_calls_ends_the_asking(void **unused)
{
    g_autofree char *directory = g_dir_make_tmp("feed-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "s", NULL);
    GrpcListen where = { path, 0600, (gid_t)-1, false };
    g_autoptr(GSource) key = g_idle_source_new();
    Cli cli = { .socket = path };
    GrpcSocket socket;
    TopFeed *feed = NULL;

    (void)unused;
    assert_true(grpc_socket_listen(&where, &socket, NULL));
    feed = top_feed_new(&cli);
    g_source_set_callback(key, give_up, feed, NULL);
    g_source_attach(key, top_feed_context(feed));
    assert_asks_no_more(feed);
    assert_true(g_source_is_destroyed(key));
    assert_asks_no_more(feed);
    top_feed_free(feed);
    grpc_socket_close(&socket);
    assert_int_equal(g_rmdir(directory), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_heard_between_two_calls_ends_the_asking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
