/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* share.c - a list of who has what: there are a hundred at most */
#include "agent/rpc/share.h"

#include "agent/rpc/method.h"

#include <unistd.h>

static const struct {
    guint all;
    const char *doing; /* what those who have one do */
} rows[] = {
    [SHARE_EVENTS] = { 64, "follow the events" },
    [SHARE_WORKING_SETS] = { 16, "follow working sets" },
    [SHARE_TRACES] = { 8, "record what is decided" },
    [SHARE_HISTORY] = { 8, "ask the history" },
};
G_STATIC_ASSERT(G_N_ELEMENTS(rows) == SHARE_COUNT);

typedef struct {
    const GrpcCall *call; /* borrowed */
    Share share;
} Holder;

/* Of whom they are counted. */
typedef enum { ALL, STRANGERS, ONE } Circle;

static guint
count(const GPtrArray *holders, Share share, Circle circle, uid_t uid)
{
    guint n = 0;

    for (guint i = 0; i < holders->len; i++) {
        const Holder *holder = g_ptr_array_index(holders, i);
        const GrpcPeer *peer = grpc_call_peer(holder->call);

        n += holder->share == share && (circle != STRANGERS || peer->read_only) &&
             (circle != ONE || peer->uid == uid);
    }
    return n;
}

/* The daemon's own user counts as root, as in access.c. */
static bool
is_root(const GrpcPeer *peer)
{
    return peer->uid == 0 || peer->uid == geteuid();
}

/* How many there are already of whom there may be no more; 0: there may be one more. */
static guint
find_limit(const GPtrArray *holders, const GrpcPeer *peer, Share share)
{
    guint all = rows[share].all;

    if (count(holders, share, ALL, 0) >= all)
        return all;
    if (peer->read_only && count(holders, share, STRANGERS, 0) >= all / 2)
        return all / 2;
    if (!is_root(peer) && count(holders, share, ONE, peer->uid) >= all / 4)
        return all / 4;
    return 0;
}

bool
share_take(GrpcCall *call, Share share)
{
    Agent *agent = method_agent(call);
    Holder *holder;
    guint limit;

    if (!agent->share_holders)
        agent->share_holders = g_ptr_array_new_with_free_func(g_free);
    limit = find_limit(agent->share_holders, grpc_call_peer(call), share);
    if (limit > 0) {
        g_autofree char *text = g_strdup_printf("%u calls %s already, as many as there may be for "
                                                "all, for the read-only socket or for one user",
                                                limit, rows[share].doing);

        grpc_call_fail(call, GRPC_STATUS_RESOURCE_EXHAUSTED, text);
        return false;
    }
    holder = g_new(Holder, 1);
    *holder = (Holder){ call, share };
    g_ptr_array_add(agent->share_holders, holder);
    return true;
}

void
share_give(const GrpcCall *call, Share share)
{
    Agent *agent = method_agent(call);

    for (guint i = 0; agent->share_holders && i < agent->share_holders->len; i++) {
        const Holder *holder = g_ptr_array_index(agent->share_holders, i);

        if (holder->call != call || holder->share != share)
            continue;
        g_ptr_array_remove_index_fast(agent->share_holders, i);
        break;
    }
    if (agent->share_holders && agent->share_holders->len == 0)
        g_clear_pointer(&agent->share_holders, g_ptr_array_unref);
}
