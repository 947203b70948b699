/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* events.c - "virtksm events": follow what happens to domains */
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/follow.h"
#include "agent/cli/json.h"
#include "agent/cli/table.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

#include <inttypes.h>

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
    g_autofree char *time = follow_time_text(event->has_time_us, event->time_us);

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

static uint64_t
lost_before(const ProtobufCMessage *message)
{
    return ((const Virtksm__V1__WatchResponse *)message)->lost;
}

static void
append_event(GString *out, Format format, const ProtobufCMessage *message, uint64_t dropped)
{
    Virtksm__V1__WatchResponse event = *(const Virtksm__V1__WatchResponse *)message;
    g_autofree char *json = NULL;

    if (dropped > 0) {
        event.has_lost = true;
        event.lost += dropped;
    }
    switch (format) {
    case FORMAT_JSON:
        json = json_from_message(&event.base, JSON_LINE);
        g_string_append(out, json);
        break;
    case FORMAT_CSV:
        csv_append_row(out, NULL, &event.base);
        break;
    default:
        append_row(out, &event);
        break;
    }
}

static void
append_header(GString *out, Format format)
{
    g_autoptr(Table) table = NULL;

    if (format == FORMAT_CSV) {
        csv_append_header(out, NULL, &virtksm__v1__watch_response__descriptor);
    } else if (format == FORMAT_TABLE) {
        table = event_table();
        table_append_to(table, out);
    }
}

bool
events_run(const Cli *cli, GError **error)
{
    static const FollowStream stream = {
        { "/virtksm.v1.Agent/Watch", &virtksm__v1__watch_response__descriptor, true },
        "events",
        append_header,
        lost_before,
        append_event,
    };
    Virtksm__V1__WatchRequest request = VIRTKSM__V1__WATCH_REQUEST__INIT;

    return follow_print(cli, &stream, &request.base, error);
}
