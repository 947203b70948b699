/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * throttler.c - KSMThrottler: Register and Events, between wire and feeds
 *
 * The registration hangs on the connection, the machines hang on the stream of events: each ends
 * with what it hangs on, however that came about. The answer stream follows the events of all
 * others, as Watch does.
 */
#include "agent/rpc/follower.h"
#include "agent/rpc/method.h"
#include "agent/source/grpc_feed.h"
#include "proto/google/protobuf/empty.pb-c.h"
#include "proto/throttler.pb-c.h"

/* A stream of events. */
typedef struct {
    GrpcFeed *feed;     /* borrowed; its connection outlives its calls */
    Follower *follower; /* owned */
} EventStream;

/* Numbers of the wire, and ours. */
G_STATIC_ASSERT((int)EVENT_TYPE__CREATING == (int)MACHINE_CREATING);
G_STATIC_ASSERT((int)EVENT_TYPE__CREATED == (int)MACHINE_CREATED);
G_STATIC_ASSERT((int)EVENT_TYPE__DESTROYING == (int)MACHINE_DESTROYING);
G_STATIC_ASSERT((int)EVENT_TYPE__DESTROYED == (int)MACHINE_DESTROYED);
G_STATIC_ASSERT((int)EVENT_TYPE__DESTROYED + 1 == (int)MACHINE_WORD_COUNT);

/* --- Register --------------------------------------------------------------------------- */

static void
forget_client(gpointer feed)
{
    grpc_feed_leave(feed);
}

static void
register_client(GrpcCall *call, const char *name)
{
    static const struct {
        GrpcStatus status;
        const char *text;
    } failures[] = {
        [GRPC_FEED_DONE] = { GRPC_STATUS_OK, NULL },
        [GRPC_FEED_BAD_TEXT] = { GRPC_STATUS_INVALID_ARGUMENT,
                                 "name: expected 1 to 64 bytes of text without control "
                                 "characters" },
        [GRPC_FEED_TAKEN] = { GRPC_STATUS_ALREADY_EXISTS, "a client of this name is connected" },
        [GRPC_FEED_FULL] = { GRPC_STATUS_RESOURCE_EXHAUSTED, "too many clients are registered" },
    };
    Google__Protobuf__Empty done = GOOGLE__PROTOBUF__EMPTY__INIT;
    GrpcFeed *feed;
    GrpcFeedResult result =
        grpc_feed_register(method_agent(call), name, grpc_call_peer(call)->pid, &feed);

    if (result != GRPC_FEED_DONE) {
        grpc_call_fail(call, failures[result].status, failures[result].text);
        return;
    }
    grpc_call_set_peer_data(call, feed, forget_client);
    grpc_call_reply(call, &done.base);
}

static void
register_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const RegisterRequest *request = (const RegisterRequest *)data;
    const GrpcFeed *feed = grpc_call_peer_data(call);
    Google__Protobuf__Empty done = GOOGLE__PROTOBUF__EMPTY__INIT;

    if (!feed)
        register_client(call, request->name);
    else if (grpc_feed_has_name(feed, request->name))
        grpc_call_reply(call, &done.base);
    else
        grpc_call_fail(call, GRPC_STATUS_FAILED_PRECONDITION,
                       "this connection is registered with another name");
}

const GrpcHandler register_handler = { .message = register_message };

/* --- Events ----------------------------------------------------------------------------- */

static const struct {
    EventType type;
    bool told; /* a client is told of it */
} types[] = {
    [EVENT_CREATING] = { EVENT_TYPE__CREATING, true },
    [EVENT_CREATED] = { EVENT_TYPE__CREATED, true },
    [EVENT_CHANGED] = { EVENT_TYPE__CREATED, false },
    [EVENT_DESTROYING] = { EVENT_TYPE__DESTROYING, true },
    [EVENT_DESTROYED] = { EVENT_TYPE__DESTROYED, true },
    [EVENT_KICK] = { EVENT_TYPE__CREATED, false },
};
G_STATIC_ASSERT(G_N_ELEMENTS(types) == EVENT_COUNT);

static bool
wants_event(const GrpcCall *call, const SeenEvent *seen)
{
    const EventStream *stream = grpc_call_data(call);

    return seen->is_news && types[seen->event.kind].told && seen->event.uuid &&
           !g_str_equal(seen->event.source, stream->feed->source);
}

static bool
send_event(GrpcCall *call, const SeenEvent *seen, uint64_t lost)
{
    VMEvent message;

    (void)lost; /* the message has no place for it; see lose_event() */
    vmevent__init(&message);
    message.vm_id = (char *)(gsize)seen->event.uuid; /* only read */
    message.type = types[seen->event.kind].type;
    return grpc_call_send(call, &message.base);
}

static void
lose_event(const GrpcCall *call)
{
    const EventStream *stream = grpc_call_data(call);

    stream->feed->lost++;
}

static void
events_start(GrpcCall *call)
{
    static const FollowerOps ops = { wants_event, send_event, lose_event };
    GrpcFeed *feed = grpc_call_peer_data(call);
    Follower *follower;
    EventStream *stream;

    if (!feed) {
        grpc_call_fail(call, GRPC_STATUS_FAILED_PRECONDITION,
                       "call Register on this connection before Events");
        return;
    }
    if (feed->streaming) {
        grpc_call_fail(call, GRPC_STATUS_ALREADY_EXISTS, "this client has a stream of events");
        return;
    }
    follower = follower_new(&method_agent(call)->events, call, &ops);
    if (!follower)
        return;
    stream = g_new(EventStream, 1);
    *stream = (EventStream){ feed, follower };
    grpc_call_set_data(call, stream, g_free);
    grpc_feed_begin(feed);
    grpc_call_accept(call);
}

static void
events_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const VMEvent *message = (const VMEvent *)data;
    const EventStream *stream = grpc_call_data(call);

    if ((unsigned)message->type >= MACHINE_WORD_COUNT) {
        grpc_call_fail(call, GRPC_STATUS_INVALID_ARGUMENT, "type: there is no such event");
        return;
    }
    switch (grpc_feed_post(stream->feed, (MachineWord)message->type, message->vm_id)) {
    case GRPC_FEED_BAD_TEXT:
        grpc_call_fail(call, GRPC_STATUS_INVALID_ARGUMENT,
                       "vm_id: expected 1 to 128 bytes of text without control characters");
        break;
    case GRPC_FEED_FULL:
        grpc_call_fail(call, GRPC_STATUS_RESOURCE_EXHAUSTED, "too many machines of one client");
        break;
    default:
        break;
    }
}

static void
events_drained(GrpcCall *call)
{
    const EventStream *stream = grpc_call_data(call);

    if (stream)
        follower_flush(stream->follower);
}

static void
events_closed(GrpcCall *call, GrpcClose why)
{
    EventStream *stream = grpc_call_data(call);

    (void)why;
    if (!stream)
        return;
    follower_free(g_steal_pointer(&stream->follower));
    grpc_feed_end(stream->feed);
}

const GrpcHandler events_handler = {
    .start = events_start,
    .message = events_message,
    .drained = events_drained,
    .closed = events_closed,
};
