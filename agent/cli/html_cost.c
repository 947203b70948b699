/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* html_cost.c - the page: what KSM takes for what it saves, on the whole host */
#include "agent/cli/html.h"
#include "agent/cli/html_text.h"

typedef Virtksm__V1__HostReport Host;

static void
begin_row(GString *out, const char *title)
{
    g_string_append_printf(out, "<div><dt>%s</dt><dd>", title);
}

static void
end_row(GString *out, const char *note)
{
    g_string_append_printf(out, " <span>%s</span></dd></div>\n", note);
}

static void
append_memory(GString *out, const Host *host)
{
    const HtmlFigure profit = { host->has_profit_bytes, host->profit_bytes };

    begin_row(out, "KSM\xe2\x80\x99s records");
    html_bytes(out, "host.metadata_bytes",
               html_u64(host->has_metadata_bytes, host->metadata_bytes));
    end_row(out, "of memory, to know the pages that it has seen");
    begin_row(out, "Profit, by the kernel");
    html_bytes(out, "host.profit_bytes", profit);
    end_row(out, "its own figure of what is saved, net");
}

static void
append_cpu(GString *out, const HtmlFacts *facts, const Host *host)
{
    const Virtksm__V1__StatusResponse *status = facts->status;

    begin_row(out, "CPU time of ksmd");
    html_time(out, "host.ksmd_cpu_us", html_u64(host->has_ksmd_cpu_us, host->ksmd_cpu_us));
    end_row(out, "since this host started");
    if (status && status->has_ksmd_cpu_percent) {
        begin_row(out, "At present");
        g_string_append_printf(out, "%.1f\xc2\xa0%%", status->ksmd_cpu_percent);
        end_row(out, "of one CPU, over the last minute");
    }
    begin_row(out, "Passes over all memory");
    html_count(out, "host.ksmd_full_scans",
               html_u64(host->has_ksmd_full_scans, host->ksmd_full_scans));
    end_row(out, "since this host started");
    begin_row(out, "Merges broken");
    html_count(out, "host.cow_ksm_breaks",
               html_u64(host->has_cow_ksm_breaks, host->cow_ksm_breaks));
    end_row(out, "times that a merged page was written to, and copied, since this host started");
}

static void
append_phase(GString *out, const Virtksm__V1__StatusResponse *status)
{
    g_string_append(out, "<p>KSM is in mode <b>");
    html_text(out, status->mode);
    g_string_append(out, "</b>, phase <b>");
    html_text(out, status->phase);
    g_string_append(out, "</b>: ");
    html_text(out, status->reason);
    g_string_append(out, "</p>\n");
}

void
html_append_cost(GString *out, const HtmlFacts *facts)
{
    const Host *host = facts->report->host;

    if (!host)
        return;
    g_string_append(out, "<section id=\"cost\">\n<h2>What it costs</h2>\n");
    if (facts->status)
        append_phase(out, facts->status);
    g_string_append(out, "<dl class=\"rows\">\n");
    append_memory(out, host);
    append_cpu(out, facts, host);
    g_string_append(out, "</dl>\n</section>\n");
}
