/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c - "virtksm report": where the memory is, what KSM saves of it and what that costs
 *
 * Other processes and the host become rows like those of the domains, with what is known of
 * them, so that table and CSV treat all alike. The table has what fits a line; all figures, with
 * their definitions, are shown of one domain.
 */
#include "agent/cli/report.h"
#include "agent/cli/command.h"
#include "agent/cli/csv.h"
#include "agent/cli/figures.h"
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

/* As far as a figure of the host means for all what it means for one. */
#define COPY_FIGURE(to, from, field)                                                               \
    do {                                                                                           \
        (to)->has_##field = (from)->has_##field;                                                   \
        (to)->field = (from)->field;                                                               \
    } while (0)

/* Source: facts of KSM: the merged pages of all processes are pages_shared + pages_sharing */
static Row
host_row(const Virtksm__V1__HostReport *host)
{
    Row row = VIRTKSM__V1__DOMAIN_REPORT__INIT;

    if (!host)
        return row;
    row.has_merging_pages = host->has_pages_shared && host->has_pages_sharing;
    row.merging_pages = host->pages_shared + host->pages_sharing;
    COPY_FIGURE(&row, host, saved_pages);
    COPY_FIGURE(&row, host, ksm_zero_pages);
    COPY_FIGURE(&row, host, metadata_bytes);
    COPY_FIGURE(&row, host, net_saved_bytes);
    COPY_FIGURE(&row, host, unshare_bytes);
    COPY_FIGURE(&row, host, swapped_bytes);
    COPY_FIGURE(&row, host, zswapped_bytes);
    COPY_FIGURE(&row, host, zswap_bytes);
    COPY_FIGURE(&row, host, ksmd_cpu_us);
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
    table_bytes(table, row->has_resident_bytes, row->resident_bytes);
    add_pages(table, row->has_saved_pages, row->saved_pages, report);
    table_bytes(table, row->has_ballooned_bytes, row->ballooned_bytes);
    table_bytes(table, row->has_swapped_bytes, row->swapped_bytes);
    table_bytes(table, row->has_untouched_bytes, row->untouched_bytes);
    table_bytes(table, row->has_overhead_bytes, row->overhead_bytes);
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
    g_string_append_printf(out, "What %s saves is %s of the %s that KSM saves on this host.\n",
                           name, percent, all);
}

/* Whether the host could bear it if all sharing broke. */
static void
append_headroom(GString *out, const Virtksm__V1__HostReport *host)
{
    g_autofree char *total = NULL;
    g_autofree char *available = NULL;
    g_autofree char *needed = NULL;

    if (!host || !host->has_total_bytes || !host->has_available_bytes || !host->has_unshare_bytes)
        return;
    total = text_bytes(host->total_bytes);
    available = text_bytes(host->available_bytes);
    needed = text_bytes(host->unshare_bytes);
    g_string_append_printf(out,
                           "Of %s of memory %s is available; if all sharing broke, %s would be "
                           "needed%s.\n",
                           total, available, needed,
                           host->unshare_bytes > host->available_bytes ? ": too much" : "");
}

/* Whether the host wants memory back. */
static void
append_level(GString *out, const Virtksm__V1__HostReport *host)
{
    g_autofree char *level = NULL;
    g_autofree char *reason = NULL;

    if (!host || !host->memory_level)
        return;
    level = text_escape(host->memory_level);
    reason = text_escape(host->memory_reason);
    g_string_append_printf(out, "Memory is %s: %s.\n", level, reason);
}

static void
append_notes(GString *out, const Virtksm__V1__ReportResponse *report)
{
    const Virtksm__V1__HostReport *host = report->host;

    if (!host || !host->has_pages_sharing)
        g_string_append(out, "Note: there are no figures of KSM. Is it in this kernel, and may "
                             "the daemon read /sys/kernel/mm/ksm?\n");
    if (report->has_steady && !report->steady)
        g_string_append(
            out,
            "Note: KSM was merging while the domains were read, or one was held up, so the shares "
            "are of slightly different moments. The sum is exact.\n");
}

static void
append_all(const Virtksm__V1__ReportResponse *report, GString *out)
{
    static const TableColumn columns[] = {
        { "DOMAIN", TABLE_LEFT, 0 },     { "MAX", TABLE_RIGHT, 0 },
        { "RESIDENT", TABLE_RIGHT, 0 },  { "SAVED", TABLE_RIGHT, 0 },
        { "BALLOONED", TABLE_RIGHT, 0 }, { "SWAPPED", TABLE_RIGHT, 0 },
        { "UNTOUCHED", TABLE_RIGHT, 0 }, { "OVERHEAD", TABLE_RIGHT, 0 },
    };
    g_autoptr(Table) table = table_new(columns, G_N_ELEMENTS(columns));
    const Row others = others_row(report->others);
    const Row host = host_row(report->host);

    for (size_t i = 0; i < report->n_domains; i++)
        add_row(table, report->domains[i]->name, report->domains[i], report);
    add_row(table, "other processes", &others, report);
    add_row(table, "host", &host, report);
    table_append_to(table, out);
    append_headroom(out, report->host);
    append_level(out, report->host);
}

static void
append_one(const Row *domain, const Virtksm__V1__ReportResponse *report, GString *out)
{
    figures_append(out, FIGURE_DOMAIN, &domain->base,
                   report->has_page_size ? report->page_size : 0);
    append_share(out, domain, report);
}

void
report_append_table(const Cli *cli, const ProtobufCMessage *message, GString *out)
{
    const Virtksm__V1__ReportResponse *report = (const Virtksm__V1__ReportResponse *)message;

    if (!cli->argument)
        append_all(report, out);
    for (size_t i = 0; cli->argument && i < report->n_domains; i++)
        append_one(report->domains[i], report, out);
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
