/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c - Watch: events as they come
 *
 * A reader that is slower than the events loses the oldest, and is told how many with the next one
 * it gets.
 */
#include "agent/rpc/follower.h"
#include "agent/rpc/method.h"

static bool
send_event(GrpcCall *call, const SeenEvent *seen, uint64_t lost)
{
    const Event *event = &seen->event;
    Virtksm__V1__WatchResponse message = VIRTKSM__V1__WATCH_RESPONSE__INIT;

    MESSAGE_SET(&message, sequence, seen->sequence);
    MESSAGE_SET(&message, time_us, (uint64_t)seen->time_us);
    MESSAGE_SET(&message, lost, lost);
    /* protobuf-c wants writable text and only reads it. */
    message.source = (char *)(gsize)event->source;
    message.event = (char *)(gsize)event_kind_name(event->kind);
    message.detail = (char *)(gsize)event->detail;
    message.name = (char *)(gsize)event->name;
    message.uuid = (char *)(gsize)event->uuid;
    return grpc_call_send(call, &message.base);
}

static void
watch_message(GrpcCall *call, const ProtobufCMessage *request)
{
    static const FollowerOps ops = { .send = send_event };

    (void)request;
    grpc_call_set_data(call, follower_new(&method_agent(call)->events, call, &ops), NULL);
    grpc_call_accept(call);
}

static void
watch_drained(GrpcCall *call)
{
    follower_flush(grpc_call_data(call));
}

static void
watch_closed(GrpcCall *call, GrpcClose why)
{
    (void)why;
    follower_free(grpc_call_data(call));
}

const GrpcHandler watch_handler = {
    .message = watch_message,
    .drained = watch_drained,
    .closed = watch_closed,
};
