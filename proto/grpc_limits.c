/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_limits.c - what a peer may cost, and the counting of it
 */
#include "proto/grpc_limits.h"

#include <assert.h>

#define SECONDS(n) ((uint64_t)(n)*G_USEC_PER_SEC)
#define KIB(n)     ((size_t)(n)*1024)
#define MIB(n)     ((size_t)(n)*1024 * 1024)

const GrpcLimits grpc_server_limits = {
    /* Each costs some 30 KiB at rest; a host has a handful of clients, a user's script maybe 50. */
    .connections = 256,
    .connections_per_uid = 64,
    /* Above the 200 that test tools like to open, and what common servers offer. */
    .streams_per_connection = 256,
    /* Twice what gRPC clients accept themselves by default. */
    .header_list_bytes = KIB(16),
    /* Headers, trailers and a reset for each stream, and acknowledgements. */
    .outbound_frames = 2048,
    /* A client that measures bandwidth pings once per data frame: those are paid for by the data
     * (grpc_bucket_give), so this need only cover connection set-up and keep-alive. */
    .control_burst = 1000,
    .control_per_s = 100,
    /* A client may cancel all its streams at once, a few times over. */
    .reset_burst = 1000,
    .reset_per_s = 100,
    /* The default of every gRPC implementation. */
    .message_bytes = MIB(4),
    /* protobuf-c spends up to 40 bytes per field on tiny fields; ours are far from that. */
    .unpack_bytes = MIB(16),
    .peer_bytes = MIB(8),
    .user_bytes = MIB(8),
    .total_bytes = MIB(32),
    .handshake_us = SECONDS(5),
    .idle_us = SECONDS(300),
    .keepalive_us = SECONDS(60),
    .keepalive_ack_us = SECONDS(20),
    .linger_us = SECONDS(1) / 5,
    /* A client that has a message sends it at once, and 4 MiB take no second. */
    .request_us = SECONDS(60),
    /* The connections of one user have theirs one after the other, each with a handler that may
     * take 5 ms longer: half a second, a sixtieth of WatchdogSec. */
    .turn_us = SECONDS(2) / 1000,
};

const GrpcLimits grpc_client_limits = {
    .connections = 1,
    .connections_per_uid = 1,
    .streams_per_connection = 1, /* the server opens none */
    .header_list_bytes = KIB(16),
    .outbound_frames = 65536,
    .control_burst = 10000, /* the client trusts the daemon it chose to talk to */
    .control_per_s = 1000,
    .reset_burst = 10000,
    .reset_per_s = 1000,
    .message_bytes = MIB(64), /* a report of thousands of domains */
    .unpack_bytes = MIB(512),
    .peer_bytes = MIB(128),
    .user_bytes = MIB(128),
    .total_bytes = MIB(128),
    .handshake_us = SECONDS(30),
    .idle_us = 0,
    .keepalive_us = SECONDS(60),
    .keepalive_ack_us = SECONDS(20),
    .linger_us = SECONDS(1) / 5,
    .request_us = 0,
    .turn_us = 0,
};

bool
grpc_budget_charge(GrpcBudget *budget, size_t bytes)
{
    for (GrpcBudget *b = budget; b; b = b->parent) {
        if (bytes > b->limit_bytes - b->used_bytes)
            return false;
    }
    for (GrpcBudget *b = budget; b; b = b->parent)
        b->used_bytes += bytes;
    return true;
}

void
grpc_budget_refund(GrpcBudget *budget, size_t bytes)
{
    for (GrpcBudget *b = budget; b; b = b->parent) {
        assert(bytes <= b->used_bytes);
        b->used_bytes -= bytes;
    }
}

typedef struct {
    GrpcBudget budget;      /* of all its connections */
    unsigned n_connections; /* gone at 0 */
} User;

void
grpc_user_budgets_init(GrpcUserBudgets *budgets, const GrpcLimits *limits)
{
    *budgets = (GrpcUserBudgets){
        .all = { .limit_bytes = limits->total_bytes },
        .root = { .limit_bytes = limits->total_bytes },
        .users = g_hash_table_new_full(NULL, NULL, NULL, g_free),
        .user_bytes = limits->user_bytes,
    };
}

void
grpc_user_budgets_clear(GrpcUserBudgets *budgets)
{
    g_clear_pointer(&budgets->users, g_hash_table_unref);
}

GrpcBudget *
grpc_user_budgets_join(GrpcUserBudgets *budgets, uid_t uid)
{
    User *user = g_hash_table_lookup(budgets->users, GUINT_TO_POINTER(uid));

    if (uid == 0)
        return &budgets->root;
    if (!user) {
        user = g_new0(User, 1);
        user->budget = (GrpcBudget){ 0, budgets->user_bytes, &budgets->all };
        g_hash_table_insert(budgets->users, GUINT_TO_POINTER(uid), user);
    }
    user->n_connections++;
    return &user->budget;
}

void
grpc_user_budgets_leave(GrpcUserBudgets *budgets, uid_t uid)
{
    User *user = g_hash_table_lookup(budgets->users, GUINT_TO_POINTER(uid));

    if (user && --user->n_connections == 0)
        g_hash_table_remove(budgets->users, GUINT_TO_POINTER(uid));
}

/* A token is a million parts: at rate r per second, r parts come back each microsecond. */
static uint64_t
parts_of(uint32_t tokens)
{
    return tokens * (uint64_t)G_USEC_PER_SEC;
}

void
grpc_bucket_init(GrpcBucket *bucket, uint32_t burst, uint32_t per_s, uint64_t now_us)
{
    *bucket = (GrpcBucket){ parts_of(burst), now_us, burst, per_s };
}

bool
grpc_bucket_take(GrpcBucket *bucket, uint64_t now_us)
{
    uint64_t missing = parts_of(bucket->burst) - bucket->parts;
    uint64_t elapsed_us = now_us - bucket->last_us;

    bucket->last_us = now_us;
    if (bucket->per_s > 0 && elapsed_us > missing / bucket->per_s)
        bucket->parts += missing;
    else
        bucket->parts += elapsed_us * bucket->per_s;
    if (bucket->parts < parts_of(1))
        return false;
    bucket->parts -= parts_of(1);
    return true;
}

void
grpc_bucket_give(GrpcBucket *bucket, uint32_t tokens)
{
    uint64_t missing = parts_of(bucket->burst) - bucket->parts;

    bucket->parts += MIN(missing, parts_of(tokens));
}
