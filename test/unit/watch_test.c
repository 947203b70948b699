/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch_test.c - readers of events: fast, slow, many */
#include "agent/rpc/follower.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/virtksm.pb-c.h"
#include "test/support/await.h"
#include "test/support/fakerpc.h"

#define ON_RPC(test) cmocka_unit_test_setup_teardown(test, fakerpc_setup, fakerpc_teardown)

/* See agent/rpc/share.c. */
#define READERS_MAX 64

typedef Virtksm__V1__WatchResponse Answer;

static FakeStream *
watch(FakeRpc *rpc, GrpcClient *client)
{
    Virtksm__V1__WatchRequest request = VIRTKSM__V1__WATCH_REQUEST__INIT;
    guint before = rpc->agent->events.watchers->len;
    FakeStream *stream =
        fakerpc_stream(client, "/virtksm.v1.Agent/Watch", &virtksm__v1__watch_response__descriptor);

    grpc_client_call_send(stream->call, &request.base);
    grpc_client_call_half_close(stream->call);
    AWAIT(rpc->agent->events.watchers->len > before || stream->finished);
    return stream;
}

static void
post_change(Agent *agent, const char *detail)
{
    Event event = { .kind = EVENT_CHANGED,
                    .source = "test",
                    .uuid = "u1",
                    .name = "web",
                    .detail = detail,
                    .id = DOMAIN_ID_UNKNOWN };

    event_post(agent, &event);
}

static void
a_reader_gets_each_event_with_all_that_is_known_of_it(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) stream = watch(rpc, rpc->client);

    for (uint64_t i = 1; i <= 3; i++) {
        Answer *answer;

        post_change(rpc->agent, i == 2 ? NULL : "resumed");
        answer = (Answer *)fakerpc_next(stream);
        assert_int_equal(answer->sequence, i);
        assert_true(answer->time_us > 1600000000000000);
        assert_string_equal(answer->source, "test");
        assert_string_equal(answer->event, "changed");
        assert_string_equal(answer->uuid, "u1");
        assert_string_equal(answer->name, "web");
        assert_int_equal(answer->detail != NULL, i != 2);
        assert_int_equal(answer->lost, 0);
        protobuf_c_message_free_unpacked(&answer->base, NULL);
    }
}

/* Posted without a turn of the loop, nothing is taken by anybody meanwhile. */
static void
a_slow_reader_loses_the_oldest_and_is_told_how_many(void **state)
{
    static const unsigned rows[] = { 1, 100, FOLLOWER_EVENTS, 5000, 20000 };
    FakeRpc *rpc = *state;
    g_autoptr(FakeStream) stream = watch(rpc, rpc->client);
    uint64_t last = 0;
    uint64_t lost = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t lost_before = lost;

        for (unsigned j = 0; j < rows[i]; j++)
            post_change(rpc->agent, "a detail that makes the message a little longer");
        while (last < rpc->agent->events.sequence) {
            Answer *answer = (Answer *)fakerpc_next(stream);

            if (answer->sequence != last + answer->lost + 1)
                fail_msg("%u events: %d after %d with %d lost", rows[i], (int)answer->sequence,
                         (int)last, (int)answer->lost);
            last = answer->sequence;
            lost += answer->lost;
            protobuf_c_message_free_unpacked(&answer->base, NULL);
        }
        if ((lost > lost_before) != (rows[i] >= 5000))
            fail_msg("%u events: %d lost", rows[i], (int)(lost - lost_before));
        /* What the ring and the call hold is not lost. */
        if (lost - lost_before + FOLLOWER_EVENTS > rows[i] && lost > lost_before)
            fail_msg("%u events: %d lost", rows[i], (int)(lost - lost_before));
    }
    fakerpc_settle();
    assert_int_equal(stream->answers.length, 0);
}

static void
a_slow_reader_costs_the_others_nothing(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) other = grpc_client_new(rpc->path, g_main_context_new());
    Virtksm__V1__WatchRequest request = VIRTKSM__V1__WATCH_REQUEST__INIT;
    g_autoptr(FakeStream) stuck =
        fakerpc_stream(other, "/virtksm.v1.Agent/Watch", &virtksm__v1__watch_response__descriptor);
    g_autoptr(FakeStream) stream = NULL;
    uint64_t last = 0;

    /* Its context is turned until it is heard, and never again. */
    grpc_client_call_send(stuck->call, &request.base);
    grpc_client_call_half_close(stuck->call);
    while (rpc->agent->events.watchers->len == 0) {
        g_main_context_iteration(grpc_client_context(other), FALSE);
        g_main_context_iteration(NULL, FALSE);
    }
    stream = watch(rpc, rpc->client);
    for (unsigned i = 0; i < 20000; i++) {
        post_change(rpc->agent, "a detail that makes the message a little longer");
        while (i % 100 == 99 && last < rpc->agent->events.sequence) {
            Answer *answer = (Answer *)fakerpc_next(stream);

            assert_int_equal(answer->lost, 0);
            last = answer->sequence;
            protobuf_c_message_free_unpacked(&answer->base, NULL);
        }
    }
    assert_int_equal(last, 20000);
    assert_int_equal(stuck->answers.length, 0);
    g_main_context_unref(grpc_client_context(other));
}

static bool
has_no_watchers(gpointer agent)
{
    return ((const Agent *)agent)->events.watchers->len == 0;
}

static void
readers_are_limited_and_strangers_have_half_of_them(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) reader = grpc_client_new(rpc->ro_path, g_main_context_default());
    g_autoptr(GPtrArray) streams =
        g_ptr_array_new_with_free_func((GDestroyNotify)fakerpc_stream_free);
    FakeStream *last;

    for (unsigned i = 0; i < READERS_MAX / 2; i++) {
        g_ptr_array_add(streams, watch(rpc, reader));
        assert_false(((FakeStream *)streams->pdata[i])->finished);
    }
    last = watch(rpc, reader);
    g_ptr_array_add(streams, last);
    assert_int_equal(fakerpc_wait_end(last), GRPC_STATUS_RESOURCE_EXHAUSTED);
    for (unsigned i = 0; i < READERS_MAX / 2; i++) {
        last = watch(rpc, rpc->client);
        g_ptr_array_add(streams, last);
        assert_false(last->finished);
    }
    last = watch(rpc, rpc->client);
    g_ptr_array_add(streams, last);
    assert_int_equal(fakerpc_wait_end(last), GRPC_STATUS_RESOURCE_EXHAUSTED);
    g_ptr_array_set_size(streams, 0);
    fakerpc_until(has_no_watchers, rpc->agent, "all are forgotten");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RPC(a_reader_gets_each_event_with_all_that_is_known_of_it),
        ON_RPC(a_slow_reader_loses_the_oldest_and_is_told_how_many),
        ON_RPC(a_slow_reader_costs_the_others_nothing),
        ON_RPC(readers_are_limited_and_strangers_have_half_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
