/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* events.c - "virtksm events": follow what happens to domains */
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/follow.h"
#include "proto/virtksm.pb-c.h"

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
add_row(Table *table, const ProtobufCMessage *message)
{
    const Virtksm__V1__WatchResponse *event = (const Virtksm__V1__WatchResponse *)message;
    g_autofree char *time = follow_time_text(event->has_time_us, event->time_us);

    table_text(table, time);
    table_text(table, event->source);
    table_text(table, event->event);
    table_text(table, event->name && *event->name ? event->name : event->uuid);
    table_text(table, event->detail);
}

static void
append_csv(GString *out, const ProtobufCMessage *message)
{
    csv_append_row(out, NULL, message);
}

bool
events_run(const Cli *cli, GError **error)
{
    static const FollowStream stream = {
        { "/virtksm.v1.Agent/Watch", &virtksm__v1__watch_response__descriptor, true },
        "events",
        event_table,
        add_row,
        NULL,
        &virtksm__v1__watch_response__descriptor,
        append_csv,
    };
    Virtksm__V1__WatchRequest request = VIRTKSM__V1__WATCH_REQUEST__INIT;

    return follow_print(cli, &stream, &request.base, error);
}
