/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.c - "virtksm events": follow what happens to domains
 *
 * One loop waits for the daemon, the reader and a signal. Whichever ends first ends the command:
 * a signal or a reader that went away is its normal end, a daemon that went away a failure. What
 * a slow reader has not taken waits in the queue. When that is full, events are dropped here as
 * they would be in the daemon, and the next one that is printed says how many.
 */
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/json.h"
#include "agent/cli/output.h"
#include "agent/cli/table.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

#include <glib-unix.h>
#include <inttypes.h>

/* Thousands of events: enough for any burst, little for a reader that has stopped. */
#define QUEUE_BYTES ((size_t)1024 * 1024)

static const CallMethod watch_method = { "/virtksm.v1.Agent/Watch",
                                         &virtksm__v1__watch_response__descriptor, true };

/* One run of the command. */
typedef struct {
    const Cli *cli;       /* borrowed */
    char *socket;         /* owned; where the daemon is asked */
    GrpcClient *client;   /* owned */
    GMainLoop *loop;      /* owned */
    GSource *interrupt;   /* owned; SIGINT */
    GSource *terminate;   /* owned; SIGTERM */
    OutputQueue *queue;   /* owned */
    GrpcClientCall *call; /* owned */
    GError *error;        /* owned; why it ended; NULL: normally */
    uint64_t dropped;     /* events for which the queue had no room, not yet told */
    bool finished;        /* the daemon sends no more */
    bool over;            /* the outcome is settled */
} Follow;

static void
follow_done(Follow *follow)
{
    follow->over = true; /* the call finishes once more, of our own doing: by losing its client */
    g_clear_pointer(&follow->call, grpc_client_call_unref);
    g_clear_pointer(&follow->client, grpc_client_free);
    g_clear_pointer(&follow->queue, output_queue_free);
    g_clear_pointer(&follow->interrupt, g_source_unref);
    g_clear_pointer(&follow->terminate, g_source_unref);
    g_clear_pointer(&follow->loop, g_main_loop_unref);
    g_clear_pointer(&follow->socket, g_free);
    g_clear_error(&follow->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Follow, follow_done)

static void
end(Follow *follow)
{
    follow->over = true;
    g_main_loop_quit(follow->loop);
}

/* Wall clock, local: "2026-11-21 03:31:47.123". */
static char *
time_text(const Virtksm__V1__WatchResponse *event)
{
    g_autoptr(GDateTime) time = NULL;
    g_autofree char *second = NULL;

    if (event->has_time_us)
        time = g_date_time_new_from_unix_local((gint64)(event->time_us / G_USEC_PER_SEC));
    if (!time)
        return g_strdup(TEXT_UNKNOWN);
    second = g_date_time_format(time, "%Y-%m-%d %H:%M:%S");
    return g_strdup_printf("%s.%03u", second, (unsigned)(event->time_us / 1000 % 1000));
}

/* The widths fit what is usual, as rows are printed before the next ones are known. */
static Table *
event_table(void)
{
    static const TableColumn columns[] = {
        { "TIME", TABLE_LEFT, 23 },   { "SOURCE", TABLE_LEFT, 9 }, { "EVENT", TABLE_LEFT, 10 },
        { "DOMAIN", TABLE_LEFT, 20 }, { "DETAIL", TABLE_LEFT, 0 },
    };

    return table_new(columns, G_N_ELEMENTS(columns));
}

static void
append_row(GString *out, const Virtksm__V1__WatchResponse *event)
{
    g_autoptr(Table) table = event_table();
    g_autofree char *time = time_text(event);

    if (event->lost > 0)
        g_string_append_printf(out,
                               "(%" PRIu64
                               " events were lost here: they came faster than they were read)\n",
                               event->lost);
    table_text(table, time);
    table_text(table, event->source);
    table_text(table, event->event);
    table_text(table, event->name && *event->name ? event->name : event->uuid);
    table_text(table, event->detail);
    table_append_rows(table, out);
}

static void
append_event(GString *out, Format format, const ProtobufCMessage *message)
{
    static const char *const lead[] = { NULL };
    g_autofree char *json = NULL;

    switch (format) {
    case FORMAT_JSON:
        json = json_from_message(message, JSON_LINE);
        g_string_append(out, json);
        break;
    case FORMAT_CSV:
        csv_append_row(out, lead, message);
        break;
    default:
        append_row(out, (const Virtksm__V1__WatchResponse *)message);
        break;
    }
}

static void
append_header(GString *out, Format format)
{
    static const char *const lead[] = { NULL };
    g_autoptr(Table) table = NULL;

    if (format == FORMAT_CSV) {
        csv_append_header(out, lead, &virtksm__v1__watch_response__descriptor);
    } else if (format == FORMAT_TABLE) {
        table = event_table();
        table_append_to(table, out);
    }
}

static void
on_message(GrpcClientCall *call, const ProtobufCMessage *message, gpointer user_data)
{
    Follow *follow = user_data;
    Virtksm__V1__WatchResponse event = *(const Virtksm__V1__WatchResponse *)message;
    g_autoptr(GString) text = NULL;

    (void)call;
    if (output_queue_bytes(follow->queue) > QUEUE_BYTES) {
        follow->dropped += 1 + event.lost;
        return;
    }
    if (follow->dropped > 0) {
        event.has_lost = true;
        event.lost += follow->dropped;
        follow->dropped = 0;
    }
    text = g_string_new(NULL);
    append_event(text, follow->cli->format, &event.base);
    output_queue_add(follow->queue, text->str);
}

/* What has been received is still printed. */
static void
on_finished(GrpcClientCall *call, const GError *error, gpointer user_data)
{
    Follow *follow = user_data;

    (void)call;
    if (follow->over)
        return;
    if (error)
        call_fail(&follow->error, follow->socket, error);
    else
        g_set_error(&follow->error, CLI_ERROR, CLI_FAILED, "virtksmd at %s ended the events",
                    follow->socket);
    follow->finished = true;
    if (output_queue_bytes(follow->queue) == 0)
        end(follow);
}

static void
on_drained(gpointer user_data)
{
    Follow *follow = user_data;

    if (follow->finished)
        end(follow);
}

static void
on_broken(const GError *error, gpointer user_data)
{
    Follow *follow = user_data;

    g_clear_error(&follow->error);
    follow->error = error ? g_error_copy(error) : NULL;
    end(follow);
}

static gboolean
on_signal(gpointer user_data)
{
    Follow *follow = user_data;

    g_clear_error(&follow->error);
    end(follow);
    return G_SOURCE_REMOVE;
}

static GSource *
watch_signal(Follow *follow, GMainContext *context, int signal_number)
{
    GSource *source = g_unix_signal_source_new(signal_number);

    g_source_set_callback(source, on_signal, follow, NULL);
    g_source_attach(source, context);
    return source;
}

static bool
subscribe(Follow *follow, GError **error)
{
    static const GrpcClientHandler handler = { .message = on_message, .finished = on_finished };
    const GrpcRpc rpc = { watch_method.path, watch_method.response, 0 };
    Virtksm__V1__WatchRequest request = VIRTKSM__V1__WATCH_REQUEST__INIT;
    g_autoptr(GError) reason = NULL;

    follow->call = grpc_client_open(follow->client, &rpc, &handler, follow, &reason);
    if (!follow->call) {
        call_fail(error, follow->socket, reason);
        return false;
    }
    grpc_client_call_send(follow->call, &request.base);
    grpc_client_call_half_close(follow->call);
    return true;
}

bool
events_run(const Cli *cli, GError **error)
{
    static const OutputHandler output = { on_drained, on_broken };
    g_auto(Follow) follow = { .cli = cli, .socket = call_socket(cli, &watch_method) };
    g_autoptr(GString) header = g_string_new(NULL);
    GMainContext *context;

    follow.client = grpc_client_new(follow.socket, NULL);
    context = grpc_client_context(follow.client);
    follow.loop = g_main_loop_new(context, FALSE);
    follow.interrupt = watch_signal(&follow, context, SIGINT);
    follow.terminate = watch_signal(&follow, context, SIGTERM);
    follow.queue = output_queue_new(context, &output, &follow);
    if (!subscribe(&follow, error))
        return false;
    append_header(header, cli->format);
    output_queue_add(follow.queue, header->str);
    if (!follow.over)
        g_main_loop_run(follow.loop);
    if (follow.error) {
        g_propagate_error(error, g_steal_pointer(&follow.error));
        return false;
    }
    return true;
}
