/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list.c - "virtksm list": the domains that the daemon knows */
#include "agent/cli/call.h"
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/result.h"
#include "agent/cli/table.h"
#include "proto/virtksm.pb-c.h"

static const CallMethod list_method = { "/virtksm.v1.Agent/List",
                                        &virtksm__v1__list_response__descriptor, true };

static void
append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    static const TableColumn columns[] = {
        { "DOMAIN", TABLE_LEFT, 0 },  { "ID", TABLE_RIGHT, 0 },         { "PID", TABLE_RIGHT, 0 },
        { "STATE", TABLE_LEFT, 0 },   { "SEEN", TABLE_RIGHT, 0 },       { "MERGE", TABLE_LEFT, 0 },
        { "BALLOON", TABLE_LEFT, 0 }, { "MEMORY.HIGH", TABLE_LEFT, 0 }, { "UUID", TABLE_LEFT, 0 },
    };
    const Virtksm__V1__ListResponse *list = (const Virtksm__V1__ListResponse *)message;
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));

    (void)cli;
    for (size_t i = 0; i < list->n_domains; i++) {
        const Virtksm__V1__ListedDomain *domain = list->domains[i];

        table_text(table, domain->name);
        table_count(table, domain->has_id && domain->id >= 0, (uint64_t)domain->id);
        table_count(table, domain->has_pid && domain->pid >= 0, (uint64_t)domain->pid);
        table_text(table, domain->state);
        table_duration(table, domain->has_seen_ms, domain->seen_ms);
        table_text(table, domain->merge);
        table_text(table, domain->balloon_mode);
        table_text(table, domain->high_mode);
        table_text(table, domain->uuid);
    }
    table_append_to(table, out);
}

static void
append_csv(const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__ListResponse *list = (const Virtksm__V1__ListResponse *)message;

    csv_append_header(out, NULL, &virtksm__v1__listed_domain__descriptor);
    for (size_t i = 0; i < list->n_domains; i++)
        csv_append_row(out, NULL, &list->domains[i]->base);
}

bool
list_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { append_table, append_csv };
    Virtksm__V1__ListRequest request = VIRTKSM__V1__LIST_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = call_unary(cli, &list_method, &request.base, error);

    return response && result_print(cli, response, &printer, error);
}
