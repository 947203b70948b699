/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trace.c - "virtksm trace record": every decision goes into a file
 *
 * A file is written as the messages come, so what is there at any moment is a trace; the last
 * message may be cut off by whatever ended the program.
 */
#define _GNU_SOURCE
#include "agent/trace/trace.h"
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/json.h"
#include "agent/cli/output.h"
#include "agent/cli/text.h"
#include "proto/trace.pb-c.h"
#include "proto/virtksm.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <inttypes.h>
#include <unistd.h>

/* Where a trace goes that has no --output. */
#define OUTPUT_DEFAULT "virtksm.trace"
/* Longest recording that can be asked for: a year. */
#define SECONDS_MAX 31536000

static const CallMethod trace_method = { "/virtksm.v1.Agent/Trace",
                                         &virtksm__v1__trace_response__descriptor, false };

/* One run of the command. */
typedef struct {
    char *socket;         /* owned; where the daemon is asked */
    const char *path;     /* borrowed; of the file */
    int fd;               /* owned; -1: not open */
    GrpcClient *client;   /* owned */
    GrpcClientCall *call; /* owned */
    GMainLoop *loop;      /* owned */
    GSource *ends[3];     /* owned; SIGINT, SIGTERM, the time; NULL: none */
    GError *error;        /* owned; why it ended; NULL: normally */
    uint64_t decisions;   /* written */
    uint64_t lost;        /* that the daemon could not send */
    uint64_t bytes;       /* written */
    bool over;            /* the outcome is settled */
} Record;

static void
record_done(Record *record)
{
    record->over = true; /* the call finishes once more, by losing its client */
    g_clear_pointer(&record->call, grpc_client_call_unref);
    g_clear_pointer(&record->client, grpc_client_free);
    for (size_t i = 0; i < G_N_ELEMENTS(record->ends); i++)
        g_clear_pointer(&record->ends[i], g_source_unref);
    g_clear_pointer(&record->loop, g_main_loop_unref);
    g_clear_pointer(&record->socket, g_free);
    g_clear_error(&record->error);
    if (record->fd >= 0)
        close(record->fd);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Record, record_done)

static void
end(Record *record)
{
    record->over = true;
    g_main_loop_quit(record->loop);
}

static bool
write_all(Record *record, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(record->fd, bytes, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            g_set_error(&record->error, CLI_ERROR, CLI_FAILED, "cannot write to %s: %s",
                        record->path, g_strerror(errno));
            return false;
        }
        bytes += done;
        n -= (size_t)done;
        record->bytes += (uint64_t)done;
    }
    return true;
}

static void
on_message(GrpcClientCall *call, const ProtobufCMessage *message, gpointer user_data)
{
    Record *record = user_data;
    size_t length = protobuf_c_message_get_packed_size(message);
    g_autofree uint8_t *bytes = g_malloc(TRACE_LENGTH_BYTES + length);
    uint32_t head = GUINT32_TO_BE((uint32_t)length);

    (void)call;
    if (record->over)
        return;
    memcpy(bytes, &head, TRACE_LENGTH_BYTES);
    protobuf_c_message_pack(message, bytes + TRACE_LENGTH_BYTES);
    record->decisions++;
    record->lost += ((const Virtksm__V1__TraceResponse *)message)->lost;
    if (!write_all(record, bytes, TRACE_LENGTH_BYTES + length))
        end(record);
}

static void
on_finished(GrpcClientCall *call, const GError *error, gpointer user_data)
{
    Record *record = user_data;

    (void)call;
    if (record->over)
        return;
    if (error)
        call_fail(&record->error, record->socket, error);
    else
        g_set_error(&record->error, CLI_ERROR, CLI_FAILED, "virtksmd at %s ended the trace",
                    record->socket);
    end(record);
}

static gboolean
on_end(gpointer user_data)
{
    end(user_data);
    return G_SOURCE_CONTINUE; /* the source is dropped with the record */
}

static void
watch_ends(Record *record, uint64_t seconds)
{
    GMainContext *context = grpc_client_context(record->client);

    record->ends[0] = g_unix_signal_source_new(SIGINT);
    record->ends[1] = g_unix_signal_source_new(SIGTERM);
    if (seconds > 0)
        record->ends[2] = g_timeout_source_new_seconds((guint)seconds);
    for (size_t i = 0; i < G_N_ELEMENTS(record->ends) && record->ends[i]; i++) {
        g_source_set_callback(record->ends[i], on_end, record, NULL);
        g_source_attach(record->ends[i], context);
    }
}

static bool
parse_seconds(const Cli *cli, uint64_t *ret_seconds, GError **error)
{
    const char *text = cli_option(cli, "seconds");

    *ret_seconds = 0;
    if (!text || g_ascii_string_to_unsigned(text, 10, 1, SECONDS_MAX, ret_seconds, NULL))
        return true;
    g_set_error(error, CLI_ERROR, CLI_USAGE, "--seconds '%s': expected a number from 1 to %d", text,
                SECONDS_MAX);
    return false;
}

/* Never over another file: what a trace holds cannot be had again. */
static bool
open_file(Record *record, GError **error)
{
    record->fd = open(record->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (record->fd < 0) {
        g_set_error(error, CLI_ERROR, CLI_FAILED, "cannot make %s: %s", record->path,
                    g_strerror(errno));
        return false;
    }
    if (write_all(record, (const uint8_t *)TRACE_MAGIC, strlen(TRACE_MAGIC)))
        return true;
    g_propagate_error(error, g_steal_pointer(&record->error));
    return false;
}

static bool
subscribe(Record *record, GError **error)
{
    static const GrpcClientHandler handler = { .message = on_message, .finished = on_finished };
    const GrpcRpc rpc = { trace_method.path, trace_method.response, 0 };
    Virtksm__V1__TraceRequest request = VIRTKSM__V1__TRACE_REQUEST__INIT;
    g_autoptr(GError) reason = NULL;

    record->call = grpc_client_open(record->client, &rpc, &handler, record, &reason);
    if (!record->call) {
        call_fail(error, record->socket, reason);
        return false;
    }
    grpc_client_call_send(record->call, &request.base);
    grpc_client_call_half_close(record->call);
    return true;
}

static bool
tell(const Cli *cli, const Record *record, GError **error)
{
    Virtksm__V1__Recording message = VIRTKSM__V1__RECORDING__INIT;
    g_autofree char *path = g_strdup(record->path);
    g_autofree char *size = text_bytes(record->bytes);
    g_autofree char *text = NULL;

    message.path = path;
    message.has_decisions = message.has_lost = message.has_bytes = TRUE;
    message.decisions = record->decisions;
    message.lost = record->lost;
    message.bytes = record->bytes;
    if (cli->format == FORMAT_JSON)
        text = json_from_message(&message.base, JSON_PAGE);
    else
        text = g_strdup_printf("%s: %" PRIu64 " decisions, %s%s\n", path, record->decisions, size,
                               record->lost > 0 ? "; some were lost, as they came too fast" : "");
    return output_write(text, error);
}

bool
trace_run(const Cli *cli, GError **error)
{
    g_auto(Record) record = { .fd = -1 };
    uint64_t seconds;

    if (!g_str_equal(cli->argument, "record")) {
        g_set_error(error, CLI_ERROR, CLI_USAGE, "unknown word '%s': expected record",
                    cli->argument);
        return false;
    }
    if (!parse_seconds(cli, &seconds, error))
        return false;
    record.path = cli_option(cli, "output") ? cli_option(cli, "output") : OUTPUT_DEFAULT;
    record.socket = call_socket(cli, &trace_method);
    record.client = grpc_client_new(record.socket, NULL);
    record.loop = g_main_loop_new(grpc_client_context(record.client), FALSE);
    watch_ends(&record, seconds);
    if (!subscribe(&record, error) || !open_file(&record, error))
        return false;
    if (!record.over)
        g_main_loop_run(record.loop);
    if (record.error && record.decisions == 0)
        unlink(record.path);
    if (record.error) {
        g_propagate_error(error, g_steal_pointer(&record.error));
        return false;
    }
    return tell(cli, &record, error);
}
