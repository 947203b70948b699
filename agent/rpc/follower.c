/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follower.c - one reader of events: a ring between him and those who post
 *
 * Nothing waits for a reader. An event goes out at once while the reader keeps up; one that cannot
 * waits in the ring, and pushes the oldest out of a full one. How many went that way stands in the
 * next event that is sent, so a reader always knows where something is missing, and always ends up
 * with the newest.
 */
#include "agent/rpc/follower.h"

#include "agent/rpc/share.h"

/* Sent and not taken by the socket: beyond this the reader counts as slow. */
#define SENT_BYTES_MAX ((size_t)32 * 1024)

struct Follower {
    EventHub *hub;          /* borrowed */
    GrpcCall *call;         /* borrowed */
    const FollowerOps *ops; /* static */
    GQueue waiting;         /* owned; of SeenEvent with texts of its own, oldest first */
    uint64_t lost;          /* since the last that was sent */
};

static void
seen_free(SeenEvent *seen)
{
    const char *const texts[] = { seen->event.source, seen->event.uuid, seen->event.name,
                                  seen->event.detail };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free((gpointer)(uintptr_t)texts[i]);
    g_free(seen);
}

static SeenEvent *
seen_copy(const SeenEvent *seen)
{
    SeenEvent *copy = g_new(SeenEvent, 1);

    *copy = *seen;
    copy->event.source = g_strdup(seen->event.source);
    copy->event.uuid = g_strdup(seen->event.uuid);
    copy->event.name = g_strdup(seen->event.name);
    copy->event.detail = g_strdup(seen->event.detail);
    return copy;
}

static bool
send_one(Follower *follower, const SeenEvent *seen)
{
    if (grpc_call_queued_bytes(follower->call) > SENT_BYTES_MAX ||
        !follower->ops->send(follower->call, seen, follower->lost))
        return false;
    follower->lost = 0;
    return true;
}

void
follower_flush(Follower *follower)
{
    while (follower && follower->waiting.length > 0 &&
           send_one(follower, g_queue_peek_head(&follower->waiting)))
        seen_free(g_queue_pop_head(&follower->waiting));
}

static void
lose_oldest(Follower *follower)
{
    seen_free(g_queue_pop_head(&follower->waiting));
    follower->lost++;
    if (follower->ops->lost)
        follower->ops->lost(follower->call);
}

static void
take_event(const SeenEvent *seen, gpointer data)
{
    Follower *follower = data;

    if (follower->ops->wants && !follower->ops->wants(follower->call, seen))
        return;
    /* Also when nothing is drained: other calls may have had the connection's share of memory. */
    follower_flush(follower);
    if (follower->waiting.length == 0 && send_one(follower, seen))
        return;
    if (follower->waiting.length >= FOLLOWER_EVENTS)
        lose_oldest(follower);
    g_queue_push_tail(&follower->waiting, seen_copy(seen));
}

Follower *
follower_new(EventHub *hub, GrpcCall *call, const FollowerOps *ops)
{
    Follower *follower;

    if (!share_take(call, SHARE_EVENTS))
        return NULL;
    follower = g_new0(Follower, 1);
    follower->hub = hub;
    follower->call = call;
    follower->ops = ops;
    event_watch(hub, take_event, follower);
    return follower;
}

void
follower_free(Follower *follower)
{
    if (!follower)
        return;
    event_unwatch(follower->hub, follower);
    share_give(follower->call, SHARE_EVENTS);
    while (follower->waiting.length > 0)
        seen_free(g_queue_pop_head(&follower->waiting));
    g_free(follower);
}
