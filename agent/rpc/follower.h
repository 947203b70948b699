/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follower.h - one reader of events on a stream, who may be slower than they come
 */
#ifndef AGENT_RPC_FOLLOWER_H
#define AGENT_RPC_FOLLOWER_H

#include "agent/event.h"
#include "proto/grpc_server.h"

/* Events that wait for one reader; the oldest are lost beyond that. */
#define FOLLOWER_EVENTS 512

typedef struct Follower Follower;

/* What a method makes of events; what is not needed stays NULL, except `send`. */
typedef struct {
    /* Whether an event is for this reader. */
    bool (*wants)(const GrpcCall *call, const SeenEvent *seen);
    /* Send an event; @lost: events before it that this reader will not get. Return: it was sent. */
    bool (*send)(GrpcCall *call, const SeenEvent *seen, uint64_t lost);
    /* An event was lost; told at once. */
    void (*lost)(const GrpcCall *call);
} FollowerOps;

/**
 * follower_new() - let a call follow the events from now on
 * @hub:  of the agent
 * @call: borrowed; must live until follower_free()
 * @ops:  static
 *
 * Return: owned by the caller; NULL: share_take() has failed the call.
 */
Follower *follower_new(EventHub *hub, GrpcCall *call, const FollowerOps *ops);

/** follower_free() - the call is over; accepts NULL */
void follower_free(Follower *follower);

/** follower_flush() - send what waits, as far as the call takes it: for `drained`; accepts NULL */
void follower_flush(Follower *follower);

#endif
