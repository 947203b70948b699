/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace.c - Trace: every decision, as it is made
 *
 * The daemon does not wait for who records: decisions that find too much unsent are lost for him,
 * and the next message that can go out is complete, and says how many.
 */
#include "agent/rpc/method.h"
#include "agent/rpc/share.h"
#include "agent/trace/trace_writer.h"

/* Sent and not taken by the socket: beyond this a decision is lost. */
#define SENT_BYTES_MAX ((size_t)256 * 1024)

/* One call. */
typedef struct {
    GrpcCall *call;      /* borrowed */
    TraceHub *hub;       /* borrowed */
    TraceTap tap;        /* registered in hub */
    TraceWriter *writer; /* owned */
    uint64_t lost;       /* decisions since the last message */
} Recording;

static bool
wants_state(gpointer user)
{
    const Recording *recording = user;

    return trace_writer_wants_state(recording->writer);
}

static void
decided(const TraceMoment *moment, gpointer user)
{
    Recording *recording = user;
    TraceMoment with_lost = *moment;
    Virtksm__V1__TraceResponse *message;

    if (grpc_call_queued_bytes(recording->call) > SENT_BYTES_MAX) {
        recording->lost++;
        trace_writer_lose(recording->writer);
        return;
    }
    with_lost.lost = recording->lost;
    message = trace_writer_message(recording->writer, &with_lost);
    if (grpc_call_send(recording->call, &message->base)) {
        recording->lost = 0;
    } else {
        recording->lost++;
        trace_writer_lose(recording->writer);
    }
    virtksm__v1__trace_response__free_unpacked(message, NULL);
}

static void
trace_message(GrpcCall *call, const ProtobufCMessage *request)
{
    TraceHub *hub = &method_agent(call)->traces;
    Recording *recording;

    (void)request;
    if (!share_take(call, SHARE_TRACES))
        return;
    recording = g_new0(Recording, 1);
    recording->call = call;
    recording->hub = hub;
    recording->writer = trace_writer_new();
    recording->tap = (TraceTap){ wants_state, decided, recording };
    trace_hub_add(hub, &recording->tap);
    grpc_call_set_data(call, recording, NULL);
    grpc_call_accept(call);
    tick_want(method_agent(call), 0); /* a trace begins at once */
}

static void
trace_closed(GrpcCall *call, GrpcClose why)
{
    Recording *recording = grpc_call_data(call);

    (void)why;
    if (!recording)
        return;
    share_give(call, SHARE_TRACES);
    trace_hub_remove(recording->hub, &recording->tap);
    trace_writer_free(recording->writer);
    g_free(recording);
}

const GrpcHandler trace_handler = {
    .message = trace_message,
    .closed = trace_closed,
};
