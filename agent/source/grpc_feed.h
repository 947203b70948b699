/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_feed.h - programs that report their machines over gRPC: who they are, what they say
 *
 * A feed is one registered client; agent/rpc/throttler.c hears it. It is connected from its
 * registration until its connection ends, and open while it has a stream of events. What it says
 * is a claim (see event_post()): a machine that only it has reported is forgotten with its stream.
 */
#ifndef AGENT_SOURCE_GRPC_FEED_H
#define AGENT_SOURCE_GRPC_FEED_H

#include "agent/source/source.h"

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

/* What a client says of a machine. */
typedef enum {
    MACHINE_CREATING,
    MACHINE_CREATED,
    MACHINE_DESTROYING,
    MACHINE_DESTROYED,
    MACHINE_WORD_COUNT,
} MachineWord;

typedef enum {
    GRPC_FEED_DONE,
    GRPC_FEED_BAD_TEXT, /* a name or id that is empty, too long or not plain text */
    GRPC_FEED_TAKEN,    /* a client of this name is connected */
    GRPC_FEED_FULL,     /* as many as there may be */
} GrpcFeedResult;

typedef struct {
    Agent *agent;         /* borrowed */
    char *source;         /* owned; "grpc:NAME", in events and in status */
    GHashTable *machines; /* owned; id -> MachineState (grpc_feed.c) */
    pid_t pid;            /* of the client; 0: not known */
    bool connected;       /* its connection is there */
    bool streaming;       /* its stream of events is open */
    uint64_t repeats;     /* events that repeated another or came out of order */
    uint64_t lost;        /* events of others that it was too slow to read */
    uint64_t refused;     /* others that wanted its name while it was connected */
} GrpcFeed;

/**
 * grpc_feed_register() - a client names itself
 * @name:     NAME; what comes back under its name goes on with its counts
 * @pid:      of the client; 0: not known
 * @ret_feed: owned by the agent, connected; valid until grpc_feed_leave(); written only when DONE
 *
 * Return: DONE, BAD_TEXT, TAKEN or FULL.
 */
GrpcFeedResult grpc_feed_register(Agent *agent, const char *name, pid_t pid, GrpcFeed **ret_feed);

/** grpc_feed_has_name() - whether it is called NAME */
bool grpc_feed_has_name(const GrpcFeed *feed, const char *name);

/** grpc_feed_leave() - its connection has ended; @feed may be gone when this returns */
void grpc_feed_leave(GrpcFeed *feed);

/** grpc_feed_begin() - its stream opens; it has none */
void grpc_feed_begin(GrpcFeed *feed);

/**
 * grpc_feed_post() - a client says something of a machine
 * @feed: it has a stream
 * @word: what
 * @id:   of the machine; a uuid in any case of letters is that of a domain
 *
 * What repeats another word, or contradicts the order of a machine's life, is told as a CHANGED and
 * changes nothing.
 *
 * Return: DONE, BAD_TEXT or FULL (too many machines).
 */
GrpcFeedResult grpc_feed_post(GrpcFeed *feed, MachineWord word, const char *id);

/** grpc_feed_end() - its stream is over: what it has reported is its word no more */
void grpc_feed_end(GrpcFeed *feed);

/** grpc_feed_count() - clients that are connected, or were lately */
guint grpc_feed_count(const Agent *agent);

/** grpc_feed_at() - one of them; @index below grpc_feed_count() */
const GrpcFeed *grpc_feed_at(const Agent *agent, guint index);

/** grpc_feed_state() - open, waiting (connected, without a stream) or closed */
SourceState grpc_feed_state(const GrpcFeed *feed);

/** grpc_feed_detail() - what else there is to say of it; owned by the caller */
char *grpc_feed_detail(const GrpcFeed *feed);

#endif
