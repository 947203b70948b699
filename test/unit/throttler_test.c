/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* throttler_test.c - Register and Events on the wire */
#include "agent/rpc/follower.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/source/grpc_feed.h"
#include "proto/google/protobuf/empty.pb-c.h"
#include "proto/throttler.pb-c.h"
#include "proto/virtksm.pb-c.h"
#include "test/support/fakerpc.h"

#define ON_RPC(test) cmocka_unit_test_setup_teardown(test, fakerpc_setup, fakerpc_teardown)

static GrpcStatus
register_as(GrpcClient *client, const char *name)
{
    g_autofree char *own_name = g_strdup(name);
    RegisterRequest request;
    ProtobufCMessage *answer;
    GrpcStatus status;

    register_request__init(&request);
    request.name = own_name;
    status = fakerpc_call(client, "/KSMThrottler/Register", &google__protobuf__empty__descriptor,
                          &request.base, &answer);
    if (answer)
        protobuf_c_message_free_unpacked(answer, NULL);
    return status;
}

static GrpcClient *
registered(FakeRpc *rpc, const char *name)
{
    GrpcClient *client = grpc_client_new(rpc->path, g_main_context_default());

    assert_int_equal(register_as(client, name), GRPC_STATUS_OK);
    return client;
}

static void
say(FakeStream *stream, EventType type, const char *id)
{
    g_autofree char *own_id = g_strdup(id);
    VMEvent message;

    vmevent__init(&message);
    message.vm_id = own_id;
    message.type = type;
    assert_true(grpc_client_call_send(stream->call, &message.base));
}

static FakeStream *
open_events(GrpcClient *client)
{
    FakeStream *stream = fakerpc_stream(client, "/KSMThrottler/Events", &vmevent__descriptor);

    fakerpc_settle();
    return stream;
}

static void
assert_told(FakeStream *stream, EventType type, const char *id)
{
    VMEvent *message = (VMEvent *)fakerpc_next(stream);

    if (!message) {
        fail_msg("not told of %s", id);
        return;
    }
    assert_string_equal(message->vm_id, id);
    assert_int_equal(message->type, type);
    protobuf_c_message_free_unpacked(&message->base, NULL);
}

static void
libvirt_says(Agent *agent, EventKind kind, const char *uuid)
{
    Event event = { .kind = kind, .source = "libvirt", .uuid = uuid, .name = "web", .id = 1 };

    event_post(agent, &event);
}

static void
events_without_registration_are_refused(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) other = registered(rpc, "other");
    g_autoptr(FakeStream) stream = open_events(rpc->client);

    assert_non_null(other); /* it stays connected */
    assert_int_equal(fakerpc_wait_end(stream), GRPC_STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(stream->text, "Register"));
    assert_null(rpc->agent->share_holders);
}

static void
a_connection_has_one_name_and_a_name_one_connection(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) first = registered(rpc, "kata");
    g_autoptr(GrpcClient) second = grpc_client_new(rpc->path, g_main_context_default());

    assert_int_equal(register_as(first, "kata"), GRPC_STATUS_OK);
    assert_int_equal(register_as(first, "other"), GRPC_STATUS_FAILED_PRECONDITION);
    assert_int_equal(register_as(second, "kata"), GRPC_STATUS_ALREADY_EXISTS);
    assert_int_equal(register_as(second, ""), GRPC_STATUS_INVALID_ARGUMENT);
    assert_int_equal(register_as(second, "other"), GRPC_STATUS_OK);
    g_clear_pointer(&first, grpc_client_free);
    fakerpc_settle();
    first = registered(rpc, "kata");
}

static void
the_read_only_socket_registers_nobody(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) reader = grpc_client_new(rpc->ro_path, g_main_context_default());
    g_autoptr(FakeStream) stream = NULL;

    assert_int_equal(register_as(reader, "kata"), GRPC_STATUS_PERMISSION_DENIED);
    stream = open_events(reader);
    assert_int_equal(fakerpc_wait_end(stream), GRPC_STATUS_PERMISSION_DENIED);
}

static void
a_client_is_told_of_the_events_of_all_others_and_not_of_its_own(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) client_a = registered(rpc, "a");
    g_autoptr(GrpcClient) client_b = registered(rpc, "b");
    g_autoptr(FakeStream) a = open_events(client_a);
    g_autoptr(FakeStream) b = open_events(client_b);

    say(a, EVENT_TYPE__CREATING, "m1");
    assert_told(b, EVENT_TYPE__CREATING, "m1");
    say(a, EVENT_TYPE__CREATED, "m1");
    assert_told(b, EVENT_TYPE__CREATED, "m1");
    say(a, EVENT_TYPE__CREATED, "m1"); /* again: nobody is told */
    say(b, EVENT_TYPE__CREATED, "m1"); /* known: likewise */
    say(b, EVENT_TYPE__CREATED, "m2");
    assert_told(a, EVENT_TYPE__CREATED, "m2");
    libvirt_says(rpc->agent, EVENT_CREATED, "u1");
    libvirt_says(rpc->agent, EVENT_CHANGED, "u1");
    libvirt_says(rpc->agent, EVENT_KICK, NULL);
    libvirt_says(rpc->agent, EVENT_DESTROYING, "u1");
    libvirt_says(rpc->agent, EVENT_DESTROYED, "u1");
    libvirt_says(rpc->agent, EVENT_DESTROYED, "u1"); /* as the hook does: told once */
    for (unsigned i = 0; i < 2; i++) {
        FakeStream *stream = i == 0 ? a : b;

        assert_told(stream, EVENT_TYPE__CREATED, "u1");
        assert_told(stream, EVENT_TYPE__DESTROYING, "u1");
        assert_told(stream, EVENT_TYPE__DESTROYED, "u1");
        fakerpc_settle();
        assert_int_equal(stream->answers.length, 0);
    }
}

static void
what_cannot_be_an_event_ends_the_stream(void **state)
{
    static const struct {
        const char *when;
        int type;
        const char *id;
    } rows[] = {
        { "no id", EVENT_TYPE__CREATED, "" },
        { "an id with a line feed", EVENT_TYPE__CREATED, "a\nb" },
        { "an id that is no text", EVENT_TYPE__CREATED, "\xff" },
        { "a type that does not exist", 4, "m2" },
        { "a negative type", -1, "m2" },
    };
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) client = registered(rpc, "kata");

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeStream) stream = open_events(client);

        say(stream, EVENT_TYPE__CREATED, "m1");
        say(stream, (EventType)rows[i].type, rows[i].id);
        say(stream, EVENT_TYPE__CREATED, "m3"); /* too late */
        if (fakerpc_wait_end(stream) != GRPC_STATUS_INVALID_ARGUMENT)
            fail_msg("%s: %s", rows[i].when, grpc_status_name(stream->status));
        fakerpc_settle();
        assert_int_equal(domain_table_size(&rpc->agent->domains), 0);
    }
}

static bool
has_one_domain(gpointer agent)
{
    return domain_table_size(&((const Agent *)agent)->domains) == 1;
}

static bool
has_no_domain(gpointer agent)
{
    return domain_table_size(&((const Agent *)agent)->domains) == 0;
}

static void
a_client_has_one_stream_and_its_machines_go_with_it(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) client = registered(rpc, "kata");
    g_autoptr(FakeStream) first = open_events(client);
    g_autoptr(FakeStream) second = open_events(client);

    assert_int_equal(fakerpc_wait_end(second), GRPC_STATUS_ALREADY_EXISTS);
    say(first, EVENT_TYPE__CREATED, "m1");
    grpc_client_call_half_close(first->call);
    fakerpc_until(has_one_domain, rpc->agent, "the domain is there");
    fakerpc_settle();
    assert_false(first->finished); /* it may go on listening */
    assert_true(has_one_domain(rpc->agent));
    libvirt_says(rpc->agent, EVENT_CREATED, "u1");
    assert_told(first, EVENT_TYPE__CREATED, "u1");
    libvirt_says(rpc->agent, EVENT_DESTROYED, "u1");
    g_clear_pointer(&first, fakerpc_stream_free);
    fakerpc_until(has_no_domain, rpc->agent, "the domain is forgotten");
    first = open_events(client); /* and again on the same registration */
    say(first, EVENT_TYPE__CREATED, "m1");
    fakerpc_until(has_one_domain, rpc->agent, "the domain is there again");
}

static void
a_client_that_vanishes_is_forgotten_with_its_machines_and_still_shown(void **state)
{
    FakeRpc *rpc = *state;
    GrpcClient *client = registered(rpc, "kata");
    FakeStream *stream = open_events(client);

    say(stream, EVENT_TYPE__CREATED, "m1");
    fakerpc_until(has_one_domain, rpc->agent, "the domain is there");
    assert_int_equal(grpc_feed_state(grpc_feed_at(rpc->agent, 0)), SOURCE_OPEN);
    grpc_client_free(client); /* as the end of its process does */
    fakerpc_until(has_no_domain, rpc->agent, "the domain is forgotten");
    fakerpc_settle();
    assert_int_equal(grpc_feed_state(grpc_feed_at(rpc->agent, 0)), SOURCE_CLOSED);
    assert_null(rpc->agent->share_holders);
    fakerpc_stream_free(stream);
}

static void
status_has_a_row_for_each_client(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) client = registered(rpc, "kata");
    g_autoptr(GrpcClient) idle = registered(rpc, "idle");
    g_autoptr(FakeStream) stream = open_events(client);
    Virtksm__V1__StatusRequest request = VIRTKSM__V1__STATUS_REQUEST__INIT;
    ProtobufCMessage *answer;
    const Virtksm__V1__StatusResponse *status;
    const Virtksm__V1__Source *rows[2];

    assert_non_null(idle); /* it stays connected */
    say(stream, EVENT_TYPE__CREATED, "m1");
    say(stream, EVENT_TYPE__CREATED, "m1");
    fakerpc_settle();
    fakerpc_call(rpc->client, "/virtksm.v1.Agent/Status", &virtksm__v1__status_response__descriptor,
                 &request.base, &answer);
    status = (const Virtksm__V1__StatusResponse *)answer;
    rows[0] = status->sources[status->n_sources - 2];
    rows[1] = status->sources[status->n_sources - 1];
    assert_string_equal(rows[0]->name, "grpc:kata");
    assert_string_equal(rows[0]->state, "open");
    assert_int_equal(rows[0]->events, 2);
    assert_in_range(rows[0]->last_event_ms, 0, 10000);
    assert_non_null(strstr(rows[0]->detail, "machines 1"));
    assert_non_null(strstr(rows[0]->detail, "out of order 1"));
    assert_string_equal(rows[1]->name, "grpc:idle");
    assert_string_equal(rows[1]->state, "waiting");
    assert_int_equal(rows[1]->events, 0);
    assert_false(rows[1]->has_last_event_ms);
    protobuf_c_message_free_unpacked(answer, NULL);
}

static void
a_client_that_reads_slowly_loses_the_oldest_and_it_shows(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) client = registered(rpc, "kata");
    g_autoptr(FakeStream) stream = open_events(client);
    const unsigned n = 20000;
    g_autofree char *last = g_strdup_printf("u%u", n - 1);
    g_autofree char *told = NULL;
    unsigned n_told = 0;

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *uuid = g_strdup_printf("u%u", i);

        libvirt_says(rpc->agent, EVENT_CREATING, uuid); /* no decision, no domain: fast */
    }
    while (g_strcmp0(told, last) != 0) {
        VMEvent *message = (VMEvent *)fakerpc_next(stream);

        assert_non_null(message);
        g_free(told);
        told = g_strdup(message->vm_id);
        n_told++;
        protobuf_c_message_free_unpacked(&message->base, NULL);
    }
    assert_true(n_told > FOLLOWER_EVENTS);
    assert_true(n_told < n);
    assert_int_equal(grpc_feed_at(rpc->agent, 0)->lost, n - n_told);
}

static void
a_storm_of_kicks_pushes_no_event_out(void **state)
{
    FakeRpc *rpc = *state;
    g_autoptr(GrpcClient) client = registered(rpc, "kata");
    g_autoptr(FakeStream) stream = open_events(client);

    libvirt_says(rpc->agent, EVENT_CREATED, "u1");
    for (unsigned i = 0; i < 20000; i++)
        libvirt_says(rpc->agent, EVENT_CHANGED, "u1");
    libvirt_says(rpc->agent, EVENT_DESTROYED, "u1");
    assert_told(stream, EVENT_TYPE__CREATED, "u1");
    assert_told(stream, EVENT_TYPE__DESTROYED, "u1");
    assert_int_equal(grpc_feed_at(rpc->agent, 0)->lost, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RPC(events_without_registration_are_refused),
        ON_RPC(a_connection_has_one_name_and_a_name_one_connection),
        ON_RPC(the_read_only_socket_registers_nobody),
        ON_RPC(a_client_is_told_of_the_events_of_all_others_and_not_of_its_own),
        ON_RPC(what_cannot_be_an_event_ends_the_stream),
        ON_RPC(a_client_has_one_stream_and_its_machines_go_with_it),
        ON_RPC(a_client_that_vanishes_is_forgotten_with_its_machines_and_still_shown),
        ON_RPC(status_has_a_row_for_each_client),
        ON_RPC(a_client_that_reads_slowly_loses_the_oldest_and_it_shows),
        ON_RPC(a_storm_of_kicks_pushes_no_event_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
