/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_follow.c - "virtksm working-set --follow": reports as they come */
#include "agent/cli/working_set.h"

#include "agent/cli/csv.h"
#include "agent/cli/follow.h"

#include <inttypes.h>

typedef Virtksm__V1__WatchWorkingSetResponse Report;

static const char *const csv_lead[] = { "time_us", "cause", "memory_level", "lost", NULL };

static Table *
report_table(void)
{
    static const TableColumn columns[] = {
        { "TIME", TABLE_LEFT, 23 },         { "CAUSE", TABLE_LEFT, 8 },
        { "HOST", TABLE_LEFT, 8 },          { "DOMAIN", TABLE_LEFT, 20 },
        { "WORKING SET", TABLE_RIGHT, 11 }, { "COLD", TABLE_RIGHT, 10 },
        { "BACKEND", TABLE_LEFT, 10 },      { "OF WHAT IS RESIDENT", TABLE_LEFT, 0 },
    };

    return table_new(columns, G_N_ELEMENTS(columns));
}

static void
add_row(Table *table, const ProtobufCMessage *message)
{
    const Report *report = (const Report *)message;
    static const Virtksm__V1__WorkingSet nothing = VIRTKSM__V1__WORKING_SET__INIT;
    const Virtksm__V1__WorkingSet *set = report->working_set ? report->working_set : &nothing;
    g_autofree char *time = follow_time_text(report->has_time_us, report->time_us);
    g_autofree char *size = working_set_size_text(set);
    g_autofree char *bar = working_set_bar_text(set);

    table_text(table, time);
    table_text(table, report->cause);
    table_text(table, report->memory_level);
    table_text(table, set->name);
    table_text(table, size);
    table_bytes(table, set->has_cold_bytes, set->cold_bytes);
    table_text(table, set->backend);
    table_text(table, bar);
}

static void
append_csv(GString *out, const ProtobufCMessage *message)
{
    const Report *report = (const Report *)message;
    static const Virtksm__V1__WorkingSet nothing = VIRTKSM__V1__WORKING_SET__INIT;
    g_autofree char *time =
        report->has_time_us ? g_strdup_printf("%" PRIu64, report->time_us) : g_strdup("");
    g_autofree char *lost =
        report->has_lost ? g_strdup_printf("%" PRIu64, report->lost) : g_strdup("");
    const char *lead[] = { time, report->cause ? report->cause : "",
                           report->memory_level ? report->memory_level : "", lost, NULL };

    csv_append_row(out, lead, report->working_set ? &report->working_set->base : &nothing.base);
}

bool
working_set_follow(const Cli *cli, GError **error)
{
    static const FollowStream stream = {
        { "/virtksm.v1.Agent/WatchWorkingSet", &virtksm__v1__watch_working_set_response__descriptor,
          true },
        "reports",
        report_table,
        add_row,
        csv_lead,
        &virtksm__v1__working_set__descriptor,
        append_csv,
    };
    Virtksm__V1__WatchWorkingSetRequest request = VIRTKSM__V1__WATCH_WORKING_SET_REQUEST__INIT;

    request.domain = cli->argument;
    return follow_print(cli, &stream, &request.base, error);
}
