/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c - Watch: events as they come
 *
 * A reader that is slower than the events loses some, and is told how many with the next one it
 * gets. Nothing waits for a reader.
 */
#include "agent/rpc/method.h"

/* Events waiting for one reader: some thousand of them. */
#define QUEUE_BYTES_MAX (256 * 1024)

typedef struct {
    GrpcCall *call; /* borrowed; until closed */
    uint64_t lost;  /* since the last one sent */
} Watcher;

static void
send_event(const SeenEvent *seen, gpointer data)
{
    Watcher *watcher = data;
    const Event *event = &seen->event;
    Virtksm__V1__WatchResponse message = VIRTKSM__V1__WATCH_RESPONSE__INIT;

    METHOD_SET(&message, sequence, seen->sequence);
    METHOD_SET(&message, time_us, (uint64_t)seen->time_us);
    METHOD_SET(&message, lost, watcher->lost);
    /* protobuf-c wants writable text and only reads it. */
    message.source = (char *)(gsize)event->source;
    message.event = (char *)(gsize)event_kind_name(event->kind);
    message.detail = (char *)(gsize)event->detail;
    message.name = (char *)(gsize)event->name;
    message.uuid = (char *)(gsize)event->uuid;
    if (grpc_call_queued_bytes(watcher->call) < QUEUE_BYTES_MAX &&
        grpc_call_send(watcher->call, &message.base))
        watcher->lost = 0;
    else
        watcher->lost++;
}

static void
watch_message(GrpcCall *call, const ProtobufCMessage *request)
{
    Watcher *watcher = g_new0(Watcher, 1);

    (void)request;
    watcher->call = call;
    grpc_call_set_data(call, watcher, g_free);
    event_watch(&method_agent(call)->events, send_event, watcher);
    grpc_call_accept(call);
}

static void
watch_closed(GrpcCall *call, GrpcClose why)
{
    (void)why;
    event_unwatch(&method_agent(call)->events, grpc_call_data(call));
}

const GrpcHandler watch_handler = { .message = watch_message, .closed = watch_closed };
