/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * echo_main.c - the echo server as a program, for clients in other languages
 *
 * Prints the paths of its two sockets, full and read-only, a line each, and runs until its standard
 * input ends, so that it does not outlive whoever started it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/support/echo_server.h"

static gboolean
quit(GIOChannel *input, GIOCondition condition, gpointer loop)
{
    (void)input, (void)condition;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

int
main(void)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GIOChannel) input = g_io_channel_unix_new(STDIN_FILENO);
    EchoServer *echo = echo_server_new(NULL);

    g_io_add_watch(input, G_IO_IN | G_IO_HUP | G_IO_ERR, quit, loop);
    printf("%s\n%s\n", echo->path, echo->ro_path);
    if (fflush(stdout) != 0)
        return EXIT_FAILURE;
    g_main_loop_run(loop);
    echo_server_free(echo);
    return EXIT_SUCCESS;
}
