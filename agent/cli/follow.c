/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * follow.c - print what a method of the daemon streams, until somebody ends it
 *
 * One loop waits for the daemon, the reader and a signal. Whichever ends first ends the command:
 * a signal or a reader that went away is its normal end, a daemon that went away a failure. What
 * a slow reader has not taken waits in the queue. When that is full, messages are dropped here as
 * they would be in the daemon, and the next one that is printed says how many.
 */
#include "agent/cli/follow.h"
#include "agent/cli/csv.h"
#include "agent/cli/json.h"
#include "agent/cli/output.h"
#include "agent/cli/text.h"

#include <glib-unix.h>
#include <inttypes.h>

/* Thousands of messages: enough for any burst, little for a reader that has stopped. */
#define QUEUE_BYTES ((size_t)1024 * 1024)

/* One run of the command. */
typedef struct {
    const Cli *cli;             /* borrowed */
    const FollowStream *stream; /* static */
    char *socket;               /* owned; where the daemon is asked */
    GrpcClient *client;         /* owned */
    GMainLoop *loop;            /* owned */
    GSource *interrupt;         /* owned; SIGINT */
    GSource *terminate;         /* owned; SIGTERM */
    OutputQueue *queue;         /* owned */
    GrpcClientCall *call;       /* owned */
    GError *error;              /* owned; why it ended; NULL: normally */
    uint64_t dropped;           /* messages for which the queue had no room, not yet told */
    bool finished;              /* the daemon sends no more */
    bool over;                  /* the outcome is settled */
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

char *
follow_time_text(bool known, uint64_t time_us)
{
    g_autoptr(GDateTime) time = NULL;
    g_autofree char *second = NULL;

    if (known)
        time = g_date_time_new_from_unix_local((gint64)(time_us / G_USEC_PER_SEC));
    if (!time)
        return g_strdup(TEXT_UNKNOWN);
    second = g_date_time_format(time, "%Y-%m-%d %H:%M:%S");
    return g_strdup_printf("%s.%03u", second, (unsigned)(time_us / 1000 % 1000));
}

static void
append_header(GString *out, const FollowStream *stream, Format format)
{
    g_autoptr(Table) table = NULL;

    if (format == FORMAT_CSV) {
        csv_append_header(out, stream->csv_lead, stream->csv_fields);
    } else if (format == FORMAT_TABLE) {
        table = stream->table();
        table_append_to(table, out);
    }
}

static void
append_row(GString *out, const FollowStream *stream, const ProtobufCMessage *message, uint64_t lost)
{
    g_autoptr(Table) table = stream->table();

    if (lost > 0)
        g_string_append_printf(out,
                               "(%" PRIu64
                               " %s were lost here: they came faster than they were read)\n",
                               lost, stream->what);
    stream->row(table, message);
    table_append_rows(table, out);
}

static void
append_message(GString *out, const FollowStream *stream, Format format,
               const ProtobufCMessage *message, uint64_t lost)
{
    g_autofree char *json = NULL;

    switch (format) {
    case FORMAT_JSON:
        json = json_from_message(message, JSON_LINE);
        g_string_append(out, json);
        break;
    case FORMAT_CSV:
        stream->csv(out, message);
        break;
    default:
        append_row(out, stream, message, lost);
        break;
    }
}

/* Counts @dropped among those that were lost before @message. Return: how many there are then. */
static uint64_t
add_lost(ProtobufCMessage *message, uint64_t dropped)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, "lost");
    uint64_t *lost = (uint64_t *)((char *)message + field->offset);

    if (dropped > 0) {
        *(protobuf_c_boolean *)((char *)message + field->quantifier_offset) = TRUE;
        *lost += dropped;
    }
    return *lost;
}

static void
on_message(GrpcClientCall *call, const ProtobufCMessage *message, gpointer user_data)
{
    Follow *follow = user_data;
    /* Shallow: all that it points to is the original's. */
    g_autofree ProtobufCMessage *copy = g_memdup2(message, message->descriptor->sizeof_message);
    uint64_t lost = add_lost(copy, follow->dropped);
    g_autoptr(GString) text = NULL;

    (void)call;
    if (output_queue_bytes(follow->queue) > QUEUE_BYTES) {
        follow->dropped = lost + 1;
        return;
    }
    text = g_string_new(NULL);
    append_message(text, follow->stream, follow->cli->format, copy, lost);
    follow->dropped = 0;
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
        g_set_error(&follow->error, CLI_ERROR, CLI_FAILED, "virtksmd at %s ended the %s",
                    follow->socket, follow->stream->what);
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
subscribe(Follow *follow, const ProtobufCMessage *request, GError **error)
{
    static const GrpcClientHandler handler = { .message = on_message, .finished = on_finished };
    const CallMethod *method = &follow->stream->method;
    const GrpcRpc rpc = { method->path, method->response, 0 };
    g_autoptr(GError) reason = NULL;

    follow->call = grpc_client_open(follow->client, &rpc, &handler, follow, &reason);
    if (!follow->call) {
        call_fail(error, follow->socket, reason);
        return false;
    }
    grpc_client_call_send(follow->call, request);
    grpc_client_call_half_close(follow->call);
    return true;
}

bool
follow_print(const Cli *cli, const FollowStream *stream, const ProtobufCMessage *request,
             GError **error)
{
    static const OutputHandler output = { on_drained, on_broken };
    g_auto(Follow)
        follow = { .cli = cli, .stream = stream, .socket = call_socket(cli, &stream->method) };
    g_autoptr(GString) header = g_string_new(NULL);
    GMainContext *context;

    follow.client = grpc_client_new(follow.socket, NULL);
    context = grpc_client_context(follow.client);
    follow.loop = g_main_loop_new(context, FALSE);
    follow.interrupt = watch_signal(&follow, context, SIGINT);
    follow.terminate = watch_signal(&follow, context, SIGTERM);
    follow.queue = output_queue_new(context, &output, &follow);
    if (!subscribe(&follow, request, error))
        return false;
    append_header(header, stream, cli->format);
    output_queue_add(follow.queue, header->str);
    if (!follow.over)
        g_main_loop_run(follow.loop);
    if (follow.error) {
        g_propagate_error(error, g_steal_pointer(&follow.error));
        return false;
    }
    return true;
}
