/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc.c - events from gRPC clients; the methods themselves are in agent/rpc/ */
#include "agent/agent.h"
#include "agent/source/source.h"

static void
grpc_open(Agent *agent)
{
    (void)agent; /* the server listens before any source is opened */
}

static void
grpc_close(Agent *agent)
{
    g_clear_pointer(&agent->feeds, g_ptr_array_unref);
}

static SourceState
grpc_state(const Agent *agent, const char **ret_detail)
{
    (void)ret_detail;
    return agent->server ? SOURCE_OPEN : SOURCE_CLOSED;
}

const Source grpc_source = { "grpc", grpc_open, grpc_close, NULL, grpc_state };

void
grpc_source_kick(Agent *agent)
{
    Event event = { .kind = EVENT_KICK,
                    .source = grpc_source.name,
                    .id = DOMAIN_ID_UNKNOWN,
                    .detail = "kick",
                    .scan = true };

    event_post(agent, &event);
}
