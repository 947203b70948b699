/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rpc_fuzz.c - any messages to the methods of the agent: they are answered, and leave nothing
 *
 * An input is a row of records: a byte that picks the method, a byte for the length, and so many
 * bytes of a message. Records in a row that pick the same method with a stream of requests go into
 * one call. All calls are made on one connection, so that Events can follow Register. Afterwards
 * each call must have a status, and the agent must know of no client, no reader and no domain.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/rpc/method.h"
#include "agent/source/grpc_feed.h"
#include "test/support/fakeagent.h"
#include "test/support/h2_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* Beyond this an input only costs time. */
#define INPUT_MAX_BYTES 4096
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    Agent *agent;       /* owned; kept between inputs, as making it costs more than most do */
    GrpcServer *server; /* owned */
} Target;

static Target one;

static void
end(void)
{
    void *agent = one.agent;

    grpc_server_free(one.server);
    fakeagent_teardown(&agent);
}

static const Target *
target(void)
{
    const GrpcMethod *methods;
    void *agent;
    size_t n;

    if (one.agent)
        return &one;
    fakeagent_setup(&agent);
    one.agent = agent;
    one.server = grpc_server_new(NULL);
    methods = method_list(&n);
    grpc_server_set_data(one.server, one.agent, NULL);
    grpc_server_add_methods(one.server, methods, n);
    atexit(end);
    return &one;
}

static bool
takes_a_stream(const GrpcMethod *method)
{
    return method->kind == GRPC_CLIENT_STREAM || method->kind == GRPC_BIDI_STREAM;
}

static void
append_message(GByteArray *body, const uint8_t *bytes, size_t length)
{
    const uint8_t head[] = { 0, 0, 0, (uint8_t)(length >> 8), (uint8_t)length };

    g_byte_array_append(body, head, sizeof(head));
    g_byte_array_append(body, bytes, (guint)length);
}

/* Takes the records of one call; returns how many bytes they had, 0 at the end. */
static size_t
make_call(H2Peer *peer, const uint8_t *data, size_t size)
{
    size_t n_methods;
    const GrpcMethod *methods = method_list(&n_methods);
    g_autoptr(GByteArray) body = g_byte_array_new();
    g_autofree char *lines = NULL;
    const GrpcMethod *method;
    size_t used = 0;

    if (size < 2)
        return 0;
    method = &methods[data[0] % n_methods];
    do {
        size_t length = MIN(data[used + 1], size - used - 2);

        append_message(body, data + used + 2, length);
        used += 2 + length;
    } while (takes_a_stream(method) && used + 2 <= size && data[used] == data[0]);
    lines = g_strdup_printf(":method: POST\n:scheme: http\n:path: %s\n:authority: localhost\n"
                            "content-type: application/grpc\nte: trailers\n",
                            method->path);
    h2_peer_request(peer, lines, body);
    h2_peer_run(peer, 0);
    return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const Target *it = target();
    GrpcServerStats stats;
    H2Peer *peer;
    size_t used;

    if (size == 0 || size > INPUT_MAX_BYTES)
        return 0;
    peer = h2_peer_new(it->server, false);
    for (size_t at = 0; (used = make_call(peer, data + at, size - at)) > 0; at += used)
        assert(!peer->is_lost);
    h2_peer_free(peer);
    while ((stats = grpc_server_stats(it->server)).connections > 0)
        g_main_context_iteration(NULL, TRUE);
    assert(stats.held_bytes == 0);
    assert(domain_table_size(&it->agent->domains) == 0);
    assert(it->agent->events.watchers->len == 0);
    for (guint i = 0; i < grpc_feed_count(it->agent); i++)
        assert(grpc_feed_state(grpc_feed_at(it->agent, i)) == SOURCE_CLOSED);
    return 0;
}
