/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status.c - "virtksm status": what the daemon is doing, and with what */
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/memory.h"
#include "agent/cli/result.h"
#include "agent/cli/settings.h"
#include "agent/cli/table.h"
#include "agent/cli/tenancy.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

#include <inttypes.h>

static const CallMethod status_method = { "/virtksm.v1.Agent/Status",
                                          &virtksm__v1__status_response__descriptor, true };

/* "word (detail)", with what is there of both. */
static char *
with_detail(const char *word, const char *detail)
{
    if (!word || !detail || !*detail)
        return g_strdup(word ? word : detail);
    return g_strdup_printf("%s (%s)", word, detail);
}

static void
append_daemon(GString *out, const Virtksm__V1__StatusResponse *status)
{
    g_autofree char *age = status->has_uptime_ms ? text_duration(status->uptime_ms) : NULL;
    g_autofree char *daemon = g_strdup_printf(
        "virtksmd %s, running for %s", text_or_unknown(status->version), text_or_unknown(age));

    text_append_line(out, "daemon", daemon);
}

static void
append_ksm(GString *out, const Virtksm__V1__StatusResponse *status)
{
    g_autofree char *now = settings_text(status->ksm);
    g_autofree char *initial = settings_text(status->initial);
    g_autofree char *writing = with_detail(status->actuator, status->actuator_detail);
    g_autofree char *cpu = status->has_ksmd_cpu_percent
                               ? g_strdup_printf("%.1f %% of one CPU", status->ksmd_cpu_percent)
                               : NULL;

    text_append_line(out, "KSM", now);
    text_append_line(out, "KSM before", initial);
    text_append_line(out, "writing", writing);
    text_append_line(out, "ksmd", cpu);
}

static void
append_libvirt(GString *out, const Virtksm__V1__LibvirtStatus *libvirt)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!libvirt) {
        text_append_line(out, "libvirt", NULL);
        return;
    }
    if (g_strcmp0(libvirt->uri, "none") == 0)
        g_string_append(text, "not used");
    else
        g_string_append_printf(text, "%s %s",
                               libvirt->connected ? "connected to" : "not connected to",
                               text_or_unknown(libvirt->uri));
    if (libvirt->reconnects > 0)
        g_string_append_printf(text, ", %" PRIu64 " times connected anew", libvirt->reconnects);
    if (libvirt->detail && *libvirt->detail)
        g_string_append_printf(text, ": %s", libvirt->detail);
    text_append_line(out, "libvirt", text->str);
}

static void
append_metrics(GString *out, const Virtksm__V1__MetricsStatus *metrics)
{
    g_autofree char *text = NULL;

    if (metrics && g_strcmp0(metrics->state, "open") == 0)
        text = g_strdup_printf("http://%s/metrics, fetched %" PRIu64 " times", metrics->detail,
                               metrics->scrapes);
    else if (metrics)
        text = with_detail(metrics->state, metrics->detail);
    text_append_line(out, "metrics", text);
}

static void
append_history(GString *out, const Virtksm__V1__HistoryStatus *history)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!history || !history->has_recording) {
        text_append_line(out, "history", NULL);
        return;
    }
    g_string_append(text, history->recording ? "kept" : "not kept");
    if (history->has_size_bytes) {
        g_autofree char *size = text_bytes(history->size_bytes);

        g_string_append_printf(text, ", %s", size);
    }
    if (history->waiting_minutes > 0)
        g_string_append_printf(text, ", %" PRIu64 " min wait to be written",
                               history->waiting_minutes);
    if (history->lost_minutes > 0)
        g_string_append_printf(text, ", %" PRIu64 " min lost", history->lost_minutes);
    if (history->detail && *history->detail)
        g_string_append_printf(text, ": %s", history->detail);
    text_append_line(out, "history", text->str);
}

static void
append_counts(GString *out, const Virtksm__V1__StatusResponse *status)
{
    g_autofree char *domains =
        status->has_domains ? g_strdup_printf("%" PRIu64, status->domains) : NULL;
    g_autoptr(GString) ticks = g_string_new(NULL);

    if (status->has_ticks)
        g_string_append_printf(ticks, "%" PRIu64, status->ticks);
    if (status->has_ticks && status->late_ticks > 0)
        g_string_append_printf(ticks, ", of these %" PRIu64 " without fresh figures from libvirt",
                               status->late_ticks);
    text_append_line(out, "domains", domains);
    text_append_line(out, "decisions", ticks->str);
}

static void
append_sources(GString *out, const Virtksm__V1__StatusResponse *status)
{
    static const TableColumn columns[] = {
        { "SOURCE", TABLE_LEFT, 0 },      { "STATE", TABLE_LEFT, 0 },  { "EVENTS", TABLE_RIGHT, 0 },
        { "LAST EVENT", TABLE_RIGHT, 0 }, { "DETAIL", TABLE_LEFT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < status->n_sources; i++) {
        const Virtksm__V1__Source *source = status->sources[i];

        table_text(table, source->name);
        table_text(table, source->state);
        table_count(table, source->has_events, source->events);
        table_duration(table, source->has_last_event_ms, source->last_event_ms);
        table_text(table, source->detail);
    }
    g_string_append_c(out, '\n');
    table_append_to(table, out);
}

static void
append_status(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__StatusResponse *status = (const Virtksm__V1__StatusResponse *)message;

    (void)cli;
    append_daemon(out, status);
    text_append_line(out, "mode", status->mode);
    text_append_line(out, "phase", status->phase);
    text_append_line(out, "reason", status->reason);
    append_ksm(out, status);
    memory_append_host(out, status->memory);
    tenancy_append_host(out, status->tenancy);
    append_libvirt(out, status->libvirt);
    append_metrics(out, status->metrics);
    append_history(out, status->history);
    append_counts(out, status);
    append_sources(out, status);
}

bool
status_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { .table = append_status };
    Virtksm__V1__StatusRequest request = VIRTKSM__V1__STATUS_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = call_unary(cli, &status_method, &request.base, error);

    return response && result_print(cli, response, &printer, error);
}
