/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c - "virtksm report": what each domain saves and costs
 *
 * Other processes and the host become rows like those of the domains, with what is known of
 * them, so that table and CSV treat all alike.
 */
#include "agent/cli/report.h"
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/html.h"
#include "agent/cli/result.h"
#include "agent/cli/table.h"
#include "agent/cli/text.h"
#include "proto/virtksm.pb-c.h"

#include <inttypes.h>

typedef Virtksm__V1__DomainReport Row;

const CallMethod report_method = { "/virtksm.v1.Agent/Report",
                                   &virtksm__v1__report_response__descriptor, true };

static Row
others_row(const Virtksm__V1__OthersReport *others)
{
    Row row = VIRTKSM__V1__DOMAIN_REPORT__INIT;

    if (!others)
        return row;
    row.has_merging_pages = others->has_merging_pages;
    row.merging_pages = others->merging_pages;
    row.has_saved_pages = others->has_saved_pages;
    row.saved_pages = others->saved_pages;
    return row;
}

/* Source: facts of KSM: the merged pages of all processes are pages_shared + pages_sharing */
static Row
host_row(const Virtksm__V1__HostReport *host)
{
    Row row = VIRTKSM__V1__DOMAIN_REPORT__INIT;

    if (!host)
        return row;
    row.has_merging_pages = host->has_pages_shared && host->has_pages_sharing;
    row.merging_pages = host->pages_shared + host->pages_sharing;
    row.has_saved_pages = host->has_saved_pages;
    row.saved_pages = host->saved_pages;
    row.has_ksm_zero_pages = host->has_ksm_zero_pages;
    row.ksm_zero_pages = host->ksm_zero_pages;
    row.has_metadata_bytes = host->has_metadata_bytes;
    row.metadata_bytes = host->metadata_bytes;
    row.has_net_saved_bytes = host->has_net_saved_bytes;
    row.net_saved_bytes = host->net_saved_bytes;
    return row;
}

static void
add_pages(Table *table, bool known, uint64_t pages, const Virtksm__V1__ReportResponse *report)
{
    table_bytes(table, known && report->has_page_size,
                text_pages_to_bytes(pages, report->page_size));
}

static void
add_row(Table *table, const char *name, const Row *row, const Virtksm__V1__ReportResponse *report)
{
    table_text(table, name);
    table_bytes(table, row->has_maximum_bytes, row->maximum_bytes);
    table_bytes(table, row->has_balloon_bytes, row->balloon_bytes);
    table_bytes(table, row->has_resident_bytes, row->resident_bytes);
    add_pages(table, row->has_merging_pages, row->merging_pages, report);
    add_pages(table, row->has_saved_pages, row->saved_pages, report);
    table_bytes(table, row->has_metadata_bytes, row->metadata_bytes);
    table_net_bytes(table, row->has_net_saved_bytes, row->net_saved_bytes);
    table_duration(table, row->has_stats_age_ms, row->stats_age_ms);
}

/* What the one domain that was asked for is a part of. */
static void
append_share(GString *out, const Row *domain, const Virtksm__V1__ReportResponse *report)
{
    const Virtksm__V1__HostReport *host = report->host;
    g_autofree char *name = text_escape(domain->name);
    g_autofree char *percent = NULL;
    g_autofree char *all = NULL;

    if (!host || !host->has_saved_pages || !domain->has_saved_pages || !report->has_page_size)
        return;
    if (host->saved_pages == 0) {
        g_string_append(out, "KSM saves nothing on this host at present.\n");
        return;
    }
    percent = text_percent(domain->saved_pages, host->saved_pages);
    all = text_bytes(text_pages_to_bytes(host->saved_pages, report->page_size));
    g_string_append_printf(out, "SAVED of %s is %s of the %s that KSM saves on this host.\n", name,
                           percent, all);
}

static void
append_notes(GString *out, const Virtksm__V1__ReportResponse *report)
{
    const Virtksm__V1__HostReport *host = report->host;

    if (!host || !host->has_pages_sharing)
        g_string_append(out, "Note: there are no figures of KSM. Is it in this kernel, and may "
                             "the daemon read /sys/kernel/mm/ksm?\n");
    if (report->has_steady && !report->steady)
        g_string_append(out, "Note: KSM was merging while the domains were read, so the shares "
                             "are of slightly different moments. The sum is exact.\n");
}

void
report_append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    static const TableColumn columns[] = {
        { "DOMAIN", TABLE_LEFT, 0 },    { "MAX", TABLE_RIGHT, 0 },    { "BALLOON", TABLE_RIGHT, 0 },
        { "RESIDENT", TABLE_RIGHT, 0 }, { "MERGED", TABLE_RIGHT, 0 }, { "SAVED", TABLE_RIGHT, 0 },
        { "COST", TABLE_RIGHT, 0 },     { "NET", TABLE_RIGHT, 0 },    { "AGE", TABLE_RIGHT, 0 },
    };
    const Virtksm__V1__ReportResponse *report = (const Virtksm__V1__ReportResponse *)message;
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    g_autoptr(GString) share = g_string_new(NULL);

    for (size_t i = 0; i < report->n_domains; i++)
        add_row(table, report->domains[i]->name, report->domains[i], report);
    if (cli->argument) {
        for (size_t i = 0; i < report->n_domains; i++)
            append_share(share, report->domains[i], report);
    } else {
        const Row others = others_row(report->others);
        const Row host = host_row(report->host);

        add_row(table, "other processes", &others, report);
        add_row(table, "host", &host, report);
    }
    table_append_to(table, out);
    g_string_append(out, share->str);
    append_notes(out, report);
}

static void
append_csv(const ProtobufCMessage *message, GString *out)
{
    static const char *const titles[] = { "kind", "page_size", "steady", NULL };
    const Virtksm__V1__ReportResponse *report = (const Virtksm__V1__ReportResponse *)message;
    const Row others = others_row(report->others);
    const Row host = host_row(report->host);
    g_autofree char *page_size = g_strdup_printf("%" PRIu64, report->page_size);
    const char *lead[] = { "domain", report->has_page_size ? page_size : "", "", NULL };

    if (report->has_steady)
        lead[2] = report->steady ? "true" : "false";
    csv_append_header(out, titles, &virtksm__v1__domain_report__descriptor);
    for (size_t i = 0; i < report->n_domains; i++)
        csv_append_row(out, lead, &report->domains[i]->base);
    lead[0] = "others";
    csv_append_row(out, lead, &others.base);
    lead[0] = "host";
    csv_append_row(out, lead, &host.base);
}

bool
report_run(const Cli *cli, GError **error)
{
    static const ResultPrinter printer = { report_append_table, append_csv };
    Virtksm__V1__ReportRequest request = VIRTKSM__V1__REPORT_REQUEST__INIT;
    g_autoptr(ProtobufCMessage) response = NULL;

    request.domain = cli->argument;
    response = call_unary(cli, &report_method, &request.base, error);
    if (!response)
        return false;
    if (cli->format == FORMAT_HTML)
        return html_print(cli, response, error);
    return result_print(cli, response, &printer, error);
}
