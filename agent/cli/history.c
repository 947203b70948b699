/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history.c - "virtksm history": what was saved, and when */
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/result.h"
#include "agent/cli/table.h"
#include "agent/cli/when.h"
#include "proto/virtksm.pb-c.h"

#include <string.h>

typedef Virtksm__V1__HistoryRow Row;

static const CallMethod history_method = { "/virtksm.v1.Agent/History",
                                           &virtksm__v1__history_response__descriptor, true };

static void
add_figure(Table *table, bool known, double figure)
{
    bool is_nothing = figure > -0.0005 && figure < 0.0005; /* as printed: not as -0.000 */
    g_autofree char *text = known ? g_strdup_printf("%.3f", is_nothing ? 0 : figure) : NULL;

    table_text(table, text);
}

static void
add_seconds(Table *table, bool known, double seconds)
{
    table_duration(table, known && seconds >= 0, (uint64_t)(seconds * 1000));
}

static void
add_figures(Table *table, const Row *row)
{
    add_seconds(table, row->has_running_s, row->running_s);
    add_figure(table, row->has_saved_gib_hours, row->saved_gib_hours);
    add_figure(table, row->has_metadata_gib_hours, row->metadata_gib_hours);
    add_figure(table, row->has_net_saved_gib_hours, row->net_saved_gib_hours);
    add_figure(table, row->has_resident_gib_hours, row->resident_gib_hours);
    add_seconds(table, row->has_ksmd_cpu_s, row->ksmd_cpu_s);
}

#define FIGURE_COLUMNS                                                                             \
    { "RUNNING", TABLE_RIGHT, 0 }, { "SAVED GiBh", TABLE_RIGHT, 0 },                               \
        { "COST GiBh", TABLE_RIGHT, 0 }, { "NET GiBh", TABLE_RIGHT, 0 },                           \
        { "RESIDENT GiBh", TABLE_RIGHT, 0 },                                                       \
    {                                                                                              \
        "KSMD", TABLE_RIGHT, 0                                                                     \
    }

/* "2026-01-31T12:00:00Z" as "2026-01-31 12:00"; anything else as it is. */
static char *
minute_text(const char *time)
{
    char *text = g_strdup(time);

    if (text && strlen(text) == strlen("2026-01-31T12:00:00Z") && text[10] == 'T') {
        text[10] = ' ';
        text[16] = '\0';
    }
    return text;
}

static void
add_start(Table *table, const char *start)
{
    g_autofree char *text = minute_text(start);

    table_text(table, text);
}

static void
append_intervals(const Virtksm__V1__HistoryResponse *history, GString *out)
{
    static const TableColumn columns[] = { { "START (UTC)", TABLE_LEFT, 0 },
                                           FIGURE_COLUMNS,
                                           { "UUID", TABLE_LEFT, 0 } };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < history->n_rows; i++) {
        add_start(table, history->rows[i]->start);
        add_figures(table, history->rows[i]);
        table_text(table, history->rows[i]->uuid ? history->rows[i]->uuid : "host");
    }
    table_append_to(table, out);
}

static void
append_totals(const Virtksm__V1__HistoryResponse *history, GString *out)
{
    static const TableColumn columns[] = { { "TOTAL", TABLE_LEFT, 0 },
                                           FIGURE_COLUMNS,
                                           { "UUID", TABLE_LEFT, 0 } };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    for (size_t i = 0; i < history->n_totals; i++) {
        table_text(table, history->totals[i]->name);
        add_figures(table, history->totals[i]);
        table_text(table, history->totals[i]->uuid);
    }
    if (history->host) {
        table_text(table, "host");
        add_figures(table, history->host);
        table_text(table, NULL);
    }
    table_append_to(table, out);
}

/* How much later @time is than the moment that was asked for by an option, seconds; 0: none was. A
 * length of time, which has no '-', is meant roughly. */
static int64_t
gain_s(const char *time, const char *asked)
{
    int64_t now_s = g_get_real_time() / 1000000;
    int64_t time_s, asked_s;

    if (!time || !asked || !strchr(asked, '-') || !when_parse(time, now_s, &time_s) ||
        !when_parse(asked, now_s, &asked_s))
        return 0;
    return time_s - asked_s;
}

/* Who adds up bills must know that two of them count the same interval. */
static void
append_bounds(const Cli *cli, const Virtksm__V1__HistoryResponse *history, GString *out)
{
    g_autofree char *since = minute_text(history->since);
    g_autofree char *until = minute_text(history->until);

    if (history->interval && since && until &&
        (gain_s(history->since, cli_option(cli, "since")) < 0 ||
         gain_s(history->until, cli_option(cli, "until")) > 0))
        g_string_append_printf(out,
                               "Note: each %s counts as a whole: this is from %s to %s (UTC).\n",
                               history->interval, since, until);
}

static void
append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__HistoryResponse *history = (const Virtksm__V1__HistoryResponse *)message;

    if (history->n_rows == 0) {
        g_string_append_printf(out, "Nothing was recorded from %s to %s.\n",
                               history->since ? history->since : "?",
                               history->until ? history->until : "?");
        return;
    }
    append_intervals(history, out);
    g_string_append_c(out, '\n');
    append_totals(history, out);
    append_bounds(cli, history, out);
    if (history->cut)
        g_string_append(out, "Note: there is more than fits an answer: ask for a shorter time, or "
                             "for longer intervals (--by).\n");
}

static void
append_csv(const ProtobufCMessage *message, GString *out)
{
    static const char *const titles[] = { "kind", "interval", NULL };
    const Virtksm__V1__HistoryResponse *history = (const Virtksm__V1__HistoryResponse *)message;
    const char *lead[] = { "interval", history->interval ? history->interval : "", NULL };

    csv_append_header(out, titles, &virtksm__v1__history_row__descriptor);
    for (size_t i = 0; i < history->n_rows; i++)
        csv_append_row(out, lead, &history->rows[i]->base);
    lead[0] = "total";
    for (size_t i = 0; i < history->n_totals; i++)
        csv_append_row(out, lead, &history->totals[i]->base);
    lead[0] = "host total";
    if (history->host)
        csv_append_row(out, lead, &history->host->base);
}

static bool
read_time(const char *option, const char *text, protobuf_c_boolean *has, int64_t *ret_s,
          GError **error)
{
    *has = text != NULL;
    if (!text || when_parse(text, g_get_real_time() / 1000000, ret_s))
        return true;
    g_set_error(error, CLI_ERROR, CLI_USAGE,
                "--%s %s: expected a length of time such as 24h or 7d, or a moment such as "
                "2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00+01:00",
                option, text);
    return false;
}

bool
history_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { append_table, append_csv };
    Virtksm__V1__HistoryRequest request = VIRTKSM__V1__HISTORY_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = NULL;

    if (!read_time("since", cli_option(cli, "since"), &request.has_since_s, &request.since_s,
                   error) ||
        !read_time("until", cli_option(cli, "until"), &request.has_until_s, &request.until_s,
                   error))
        return false;
    request.domain = cli->argument;
    request.interval = (char *)(gsize)cli_option(cli, "by");
    response = call_unary(cli, &history_method, &request.base, error);
    return response && result_print(cli, response, &printer, error);
}
