/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_server_fuzz.c - any bytes on a server's connection: it survives, and forgets them
 *
 * The first byte of an input steers the run: bit 0 sends a good HTTP/2 preface and SETTINGS first,
 * so that the bytes reach the frames; the other bits cut the bytes into pieces, so that frames and
 * messages arrive split. The rest goes to the server as it is. Whatever it was, afterwards the
 * connection must be gone and no memory held for it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/support/echo_server.h"

/* Beyond this an input only costs time. */
#define INPUT_MAX_BYTES 65536
/* An endless answer is cut off after so many turns. */
#define TURNS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";

static EchoServer *
echo_server(void)
{
    static EchoServer *echo; /* kept between inputs: making one costs more than most inputs do */

    if (!echo)
        echo = echo_server_new(NULL);
    return echo;
}

static void
drain(int fd)
{
    uint8_t buffer[65536];

    while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
        continue;
}

/* Runs the server until it has nothing to do, reading what it answers. */
static void
turn(int fd)
{
    for (int i = 0; i < TURNS_MAX && g_main_context_iteration(NULL, FALSE); i++)
        drain(fd);
}

static void
feed(int fd, const uint8_t *data, size_t size, size_t piece_len)
{
    while (size > 0) {
        size_t len = MIN(size, piece_len);

        if (send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
            return;
        turn(fd);
        data += len;
        size -= len;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    EchoServer *echo = echo_server();
    GrpcServerStats stats;
    int ends[2];
    int rc;

    if (size == 0 || size > INPUT_MAX_BYTES)
        return 0;
    rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    assert(rc == 0);
    if (!grpc_server_adopt(echo->server, ends[0], false, NULL))
        abort();
    if (data[0] & 1)
        feed(ends[1], preface, sizeof(preface) - 1, sizeof(preface));
    feed(ends[1], data + 1, size - 1, data[0] >> 1 ? data[0] >> 1 : INPUT_MAX_BYTES);
    close(ends[1]);
    while ((stats = grpc_server_stats(echo->server)).connections > 0)
        g_main_context_iteration(NULL, TRUE);
    assert(stats.held_bytes == 0);
    g_clear_pointer(&echo->kept, grpc_call_unref);
    return 0;
}
