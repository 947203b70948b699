/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* html.c - the page of the report: its frame */
#include "agent/cli/html.h"
#include "agent/cli/call.h"
#include "agent/cli/html_text.h"
#include "agent/cli/result.h"

static const CallMethod status_method = { "/virtksm.v1.Agent/Status",
                                          &virtksm__v1__status_response__descriptor, true };

static const CallMethod history_method = { "/virtksm.v1.Agent/History",
                                           &virtksm__v1__history_response__descriptor, true };

/* How far back one looks: three days by the hour, or two hours by the minute at the beginning. */
#define HISTORY_S       (3 * 86400)
#define HISTORY_YOUNG_S 7200
/* Fewer columns are no picture. */
#define HISTORY_ROWS_MIN 3

/* Should something get past the escapes, no browser will run or fetch it. */
static const char head_begin[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Memory of ";

static void
append_head(GString *out, const HtmlFacts *facts)
{
    g_string_append(out, head_begin);
    html_text(out, facts->host);
    g_string_append(out, ", ");
    html_text(out, facts->time);
    g_string_append(out, "</title>\n<style>\n");
    g_string_append(out, html_style());
    g_string_append(out, "</style>\n</head>\n<body>\n<header>\n<h1>Where the memory of ");
    html_name(out, facts->only ? facts->only : facts->host);
    g_string_append(out, " is</h1>\n<p class=\"meta\">");
    if (facts->only) {
        g_string_append(out, "A domain on ");
        html_name(out, facts->host);
        g_string_append(out, ". ");
    }
    g_string_append(out, "As of <time>");
    html_text(out, facts->time);
    g_string_append(out, "</time>, by virtksmd");
    if (facts->status && facts->status->version) {
        g_string_append_c(out, ' ');
        html_text(out, facts->status->version);
    }
    g_string_append(out, ".</p>\n</header>\n<main>\n");
}

char *
html_page(const HtmlFacts *facts)
{
    GString *out = g_string_new(NULL);

    append_head(out, facts);
    html_append_summary(out, facts);
    html_append_picture(out, facts);
    html_append_history(out, facts);
    html_append_cost(out, facts);
    html_append_tables(out, facts);
    g_string_append(out, "</main>\n</body>\n</html>\n");
    return g_string_free(out, FALSE);
}

static gint
by_size(gconstpointer left, gconstpointer right)
{
    const Virtksm__V1__DomainReport *a = *(const Virtksm__V1__DomainReport *const *)left;
    const Virtksm__V1__DomainReport *b = *(const Virtksm__V1__DomainReport *const *)right;
    uint64_t size_a = MAX(a->maximum_bytes, a->resident_bytes);
    uint64_t size_b = MAX(b->maximum_bytes, b->resident_bytes);

    if (size_a != size_b)
        return size_a < size_b ? 1 : -1;
    return g_strcmp0(a->name, b->name);
}

/* Return: owned by the caller; its domains are borrowed from @report. */
static GPtrArray *
sort_domains(const Virtksm__V1__ReportResponse *report)
{
    GPtrArray *sorted = g_ptr_array_sized_new((guint)report->n_domains);

    for (size_t i = 0; i < report->n_domains; i++)
        g_ptr_array_add(sorted, report->domains[i]);
    g_ptr_array_sort(sorted, by_size);
    return sorted;
}

static ProtobufCMessage *
ask_history(const Cli *cli, int64_t length_s, const char *interval)
{
    g_autofree char *by = g_strdup(interval);
    Virtksm__V1__HistoryRequest request = VIRTKSM__V1__HISTORY_REQUEST__INIT;

    request.domain = cli->argument;
    request.interval = by;
    request.has_since_s = true;
    request.since_s = g_get_real_time() / G_USEC_PER_SEC - length_s;
    return call_unary(cli, &history_method, &request.base, NULL);
}

/* Return: owned by the caller; NULL: there is none. */
static ProtobufCMessage *
find_history(const Cli *cli)
{
    g_autoptr(ProtobufCMessage) history = ask_history(cli, HISTORY_S, "hour");
    const Virtksm__V1__HistoryResponse *rows = (const Virtksm__V1__HistoryResponse *)history;

    if (rows && rows->n_rows < HISTORY_ROWS_MIN)
        return ask_history(cli, HISTORY_YOUNG_S, "minute");
    return g_steal_pointer(&history);
}

bool
html_print(const Cli *cli, const ProtobufCMessage *report, GError **error)
{
    Virtksm__V1__StatusRequest for_status = VIRTKSM__V1__STATUS_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) status = call_unary(cli, &status_method, &for_status.base, NULL);
    g_autoptr(ProtobufCMessage) history = find_history(cli);
    g_autoptr(GPtrArray) domains = sort_domains((const Virtksm__V1__ReportResponse *)report);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%Y-%m-%d %H:%M:%S %z");
    const HtmlFacts facts = { .report = (const Virtksm__V1__ReportResponse *)report,
                              .status = (const Virtksm__V1__StatusResponse *)status,
                              .history = (const Virtksm__V1__HistoryResponse *)history,
                              .domains = domains,
                              .host = g_get_host_name(),
                              .time = time,
                              .only = cli->argument };
    g_autofree char *page = html_page(&facts);

    return result_write(cli, page, error);
}
