/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* top_feed.c - figures for "virtksm top": one client that connects again by itself */
#include "agent/cli/top_feed.h"
#include "agent/cli/report.h"

static const CallMethod status_method = { "/virtksm.v1.Agent/Status",
                                          &virtksm__v1__status_response__descriptor, true };

struct TopFeed {
    char *socket;             /* owned; where the daemon is asked */
    GrpcClient *client;       /* owned */
    GrpcClientCall *call;     /* owned; the call that is open; NULL: none */
    ProtobufCMessage *answer; /* owned; of the call, so far */
    ProtobufCMessage *report; /* owned; the last; NULL: none so far */
    ProtobufCMessage *status; /* owned; of that moment */
    gint64 report_us;         /* monotonic time of the report */
    char *clock;              /* owned; wall clock of the report */
    bool is_over;             /* nobody wants more */
};

TopFeed *
top_feed_new(const Cli *cli)
{
    TopFeed *feed = g_new0(TopFeed, 1);

    feed->socket = call_socket(cli, &report_method);
    feed->client = grpc_client_new(feed->socket, NULL);
    return feed;
}

void
top_feed_free(TopFeed *feed)
{
    if (!feed)
        return;
    grpc_client_call_unref(feed->call);
    grpc_client_free(feed->client);
    call_message_free(feed->answer);
    call_message_free(feed->report);
    call_message_free(feed->status);
    g_free(feed->socket);
    g_free(feed->clock);
    g_free(feed);
}

GMainContext *
top_feed_context(const TopFeed *feed)
{
    return grpc_client_context(feed->client);
}

/* The library takes a message back when its callback returns. */
static ProtobufCMessage *
copy_message(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    g_autofree uint8_t *bytes = g_malloc(size + 1);

    protobuf_c_message_pack(message, bytes);
    return protobuf_c_message_unpack(message->descriptor, NULL, size, bytes);
}

static void
on_message(GrpcClientCall *call, const ProtobufCMessage *message, gpointer user_data)
{
    TopFeed *feed = user_data;

    (void)call;
    call_message_free(feed->answer);
    feed->answer = copy_message(message);
}

/* As call_unary(), but can be given up by a key. Return: owned by the caller. */
static ProtobufCMessage *
ask(TopFeed *feed, const CallMethod *method, const ProtobufCMessage *request, GError **error)
{
    static const GrpcClientHandler handler = { .message = on_message };
    const GrpcRpc rpc = { method->path, method->response, CALL_TIMEOUT_S * 1000 };
    g_autoptr(GError) reason = NULL;
    bool is_done = false;

    feed->call = grpc_client_open(feed->client, &rpc, &handler, feed, &reason);
    /* Opening it has run the context, too. */
    if (feed->call && feed->is_over)
        grpc_client_call_cancel(feed->call);
    if (feed->call) {
        grpc_client_call_send(feed->call, request);
        grpc_client_call_half_close(feed->call);
        is_done = grpc_client_call_wait(feed->call, &reason);
        g_clear_pointer(&feed->call, grpc_client_call_unref);
    }
    if (is_done && feed->answer)
        return g_steal_pointer(&feed->answer);
    g_clear_pointer(&feed->answer, call_message_free);
    if (reason)
        call_fail(error, feed->socket, reason);
    else
        g_set_error(error, CLI_ERROR, CLI_FAILED, "virtksmd at %s gave no answer", feed->socket);
    return NULL;
}

/* Both messages are of one moment, or the old ones stay. */
bool
top_feed_ask(TopFeed *feed, GError **error)
{
    Virtksm__V1__ReportRequest for_report = VIRTKSM__V1__REPORT_REQUEST__INIT;
    Virtksm__V1__StatusRequest for_status = VIRTKSM__V1__STATUS_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) report = ask(feed, &report_method, &for_report.base, error);
    g_autoptr(ProtobufCMessage) status =
        report ? ask(feed, &status_method, &for_status.base, error) : NULL;
    g_autoptr(GDateTime) now = g_date_time_new_now_local();

    if (!status)
        return false;
    call_message_free(feed->report);
    call_message_free(feed->status);
    feed->report = g_steal_pointer(&report);
    feed->status = g_steal_pointer(&status);
    feed->report_us = g_get_monotonic_time();
    g_free(feed->clock);
    feed->clock = g_date_time_format(now, "%H:%M:%S");
    return true;
}

void
top_feed_give_up(TopFeed *feed)
{
    feed->is_over = true;
    if (feed->call)
        grpc_client_call_cancel(feed->call);
}

const Virtksm__V1__ReportResponse *
top_feed_report(const TopFeed *feed)
{
    return (const Virtksm__V1__ReportResponse *)feed->report;
}

const Virtksm__V1__StatusResponse *
top_feed_status(const TopFeed *feed)
{
    return (const Virtksm__V1__StatusResponse *)feed->status;
}

const ProtobufCMessage *
top_feed_message(const TopFeed *feed)
{
    return feed->report;
}

uint64_t
top_feed_age_ms(const TopFeed *feed)
{
    return (uint64_t)(g_get_monotonic_time() - feed->report_us) / 1000;
}

const char *
top_feed_clock(const TopFeed *feed)
{
    return feed->clock;
}
