/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* top_head.c - three sentences above the list; what is not known is left out of them, or "-" */
#include "agent/cli/top_head.h"
#include "agent/cli/text.h"

static char *
amount(bool known, uint64_t bytes, TopUnit unit)
{
    return known ? top_bytes((int64_t)MIN(bytes, INT64_MAX), unit) : g_strdup(TEXT_UNKNOWN);
}

static char *
savings_line(const Virtksm__V1__ReportResponse *report, TopUnit unit)
{
    const Virtksm__V1__HostReport *host = report->host;
    g_autofree char *saved = NULL;
    g_autofree char *cost = NULL;
    g_autofree char *net = NULL;

    if (!host)
        return g_strdup("no figures of KSM");
    saved = amount(host->has_saved_pages && report->has_page_size,
                   text_pages_to_bytes(host->saved_pages, report->page_size), unit);
    cost = amount(host->has_metadata_bytes, host->metadata_bytes, unit);
    net =
        host->has_net_saved_bytes ? top_bytes(host->net_saved_bytes, unit) : g_strdup(TEXT_UNKNOWN);
    return g_strdup_printf("saved %s, cost %s, net %s", saved, cost, net);
}

static char *
memory_line(const Virtksm__V1__ReportResponse *report, TopUnit unit)
{
    const Virtksm__V1__HostReport *host = report->host;
    g_autofree char *total = NULL;
    g_autofree char *available = NULL;
    g_autofree char *unshare = NULL;

    if (!host)
        return g_strdup("");
    total = amount(host->has_total_bytes, host->total_bytes, unit);
    available = amount(host->has_available_bytes, host->available_bytes, unit);
    unshare = amount(host->has_unshare_bytes, host->unshare_bytes, unit);
    return g_strdup_printf("memory %s, available %s%s%s, needed if sharing broke %s", total,
                           available, host->memory_level ? ": " : "",
                           host->memory_level ? host->memory_level : "", unshare);
}

static char *
daemon_line(const Virtksm__V1__StatusResponse *status)
{
    g_autofree char *reason = NULL;
    g_autofree char *cpu = NULL;

    if (!status)
        return g_strdup("");
    reason = text_escape(status->reason);
    cpu = status->has_ksmd_cpu_percent ? g_strdup_printf("%.1f %%", status->ksmd_cpu_percent)
                                       : g_strdup(TEXT_UNKNOWN);
    return g_strdup_printf("ksmd %s of one CPU; mode %s, phase %s: %s", cpu,
                           text_or_unknown(status->mode), text_or_unknown(status->phase), reason);
}

GStrv
top_head(const Virtksm__V1__ReportResponse *report, const Virtksm__V1__StatusResponse *status,
         TopUnit unit)
{
    GPtrArray *lines = g_ptr_array_new();

    g_ptr_array_add(lines, savings_line(report, unit));
    g_ptr_array_add(lines, memory_line(report, unit));
    g_ptr_array_add(lines, daemon_line(status));
    g_ptr_array_add(lines, NULL);
    return (GStrv)g_ptr_array_free(lines, FALSE);
}
