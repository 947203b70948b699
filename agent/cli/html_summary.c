/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html_summary.c - the page: what the figures mean, in sentences that hold literally
 *
 * Ending KSM now would take saved memory, and give back its records: the net saving. As long as
 * that is less than what is available, KSM only adds to what is available. Where it is more, the
 * host holds more than it has room for by the difference, and would have to swap without KSM.
 */
#include "agent/cli/html.h"
#include "agent/cli/html_text.h"
#include "agent/cli/text.h"
#include "policy/arith.h"

typedef Virtksm__V1__HostReport Host;
typedef Virtksm__V1__ReportResponse Report;

/* Sums over the domains, each of what is known. */
typedef struct {
    uint64_t maximum;   /* defined, bytes */
    uint64_t resident;  /* bytes; merged pages counted once for each domain */
    uint64_t merged;    /* of @resident, saved by KSM; bytes */
    bool has_all_max;   /* no domain is missing in @maximum */
    bool has_all_usage; /* nor in @resident and @merged */
} Sums;

static Sums
sum(const Report *report)
{
    Sums sums = { .has_all_max = true, .has_all_usage = report->has_page_size };

    for (size_t i = 0; i < report->n_domains; i++) {
        const Virtksm__V1__DomainReport *domain = report->domains[i];
        uint64_t pages = sat_sub(domain->saved_pages, domain->ksm_zero_pages);

        sums.has_all_max &= domain->has_maximum_bytes != 0;
        sums.has_all_usage &= domain->has_resident_bytes && domain->has_saved_pages;
        sums.maximum = sat_add(sums.maximum, domain->maximum_bytes);
        sums.resident = sat_add(sums.resident, domain->resident_bytes);
        sums.merged = sat_add(sums.merged, text_pages_to_bytes(pages, report->page_size));
    }
    return sums;
}

static HtmlFigure
net_of(const Host *host)
{
    return (HtmlFigure){ host && host->has_net_saved_bytes, host ? host->net_saved_bytes : 0 };
}

static HtmlFigure
available_of(const Host *host)
{
    return html_u64(host && host->has_available_bytes, host ? host->available_bytes : 0);
}

static HtmlFigure
known(uint64_t value)
{
    return html_u64(true, value);
}

/* The net saving is positive, and known. */
static void
append_gain(GString *out, HtmlFigure net, HtmlFigure available)
{
    if (!available.known) {
        g_string_append(out, "KSM saves this host ");
        html_bytes(out, "host.net_saved_bytes", net);
        g_string_append(out, " of memory, its own cost taken off.");
    } else if (net.value > available.value) {
        g_string_append(out, "This host holds ");
        html_bytes(out, "excess_bytes", known((uint64_t)(net.value - available.value)));
        g_string_append(out, " more than it would have room for without KSM.");
    } else {
        g_string_append(out, "Without KSM, this host would have ");
        html_bytes(out, "available_without_ksm_bytes",
                   known((uint64_t)(available.value - net.value)));
        g_string_append(out, " of memory available. It has ");
        html_bytes(out, "host.available_bytes", available);
        g_string_append_c(out, '.');
    }
}

static void
append_lead(GString *out, const Report *report)
{
    const Host *host = report->host;
    HtmlFigure net = net_of(host);

    g_string_append(out, "<p class=\"lead\">");
    if (!host || !host->has_saved_pages || !net.known) {
        g_string_append(out, "There are no figures of KSM: it is not in this kernel, or the agent "
                             "may not read them.");
    } else if (host->saved_pages == 0) {
        g_string_append(out, "KSM saves nothing on this host at present.");
    } else if (net.value < 0) {
        g_string_append(out, "KSM takes more memory than it saves at present, by ");
        html_bytes(out, "net_cost_bytes", known(-(uint64_t)net.value));
        g_string_append_c(out, '.');
    } else {
        append_gain(out, net, available_of(host));
    }
    g_string_append(out, "</p>\n");
}

static void
append_domain_share(GString *out, const HtmlFacts *facts)
{
    const Report *report = facts->report;
    const Host *host = report->host;
    const Virtksm__V1__DomainReport *domain = report->domains[0];
    HtmlFigure saved = html_pages(domain->has_saved_pages, domain->saved_pages, report->page_size);
    g_autofree char *percent = NULL;

    if (!host || !host->has_saved_pages || host->saved_pages == 0 || !saved.known)
        return;
    percent = text_percent(domain->saved_pages, host->saved_pages);
    g_string_append(out, "<li>");
    html_name(out, domain->name);
    g_string_append_printf(out, " has a share of %s in what KSM saves on this host: ", percent);
    html_bytes(out, "saved_pages", saved);
    g_string_append(out, ".</li>\n");
}

static void
append_defined(GString *out, const Report *report, const Sums *sums)
{
    const Host *host = report->host;
    bool has_total = host && host->has_total_bytes && host->total_bytes > 0;

    if (!sums->has_all_max)
        return;
    g_string_append_printf(out, "<li>%zu %s defined with ", report->n_domains,
                           report->n_domains == 1 ? "domain is" : "domains are");
    html_bytes(out, "all_maximum_bytes", known(sums->maximum));
    if (has_total) {
        g_autofree char *percent = text_percent(sums->maximum, host->total_bytes);

        g_string_append_printf(out, ", %s of the ", percent);
        html_bytes(out, "host.total_bytes", known(host->total_bytes));
        g_string_append(out, " that this host has");
    }
    g_string_append(out, ".</li>\n");
}

static void
append_usage(GString *out, const Report *report, const Sums *sums)
{
    if (!sums->has_all_usage)
        return;
    g_string_append_printf(out, "<li>What %s in memory is ",
                           report->n_domains == 1 ? "it has" : "they have");
    html_bytes(out, "all_resident_bytes", known(sums->resident));
    g_string_append(out, "; KSM lets it fit into ");
    html_bytes(out, "all_held_bytes", known(sat_sub(sums->resident, sums->merged)));
    g_string_append(out, ".</li>\n");
}

/* What would happen if all pages were written to at once. */
static void
append_liability(GString *out, const Host *host)
{
    bool is_enough = false;

    if (!host || !host->has_unshare_bytes || !host->has_available_bytes || !host->unshare_bytes)
        return;
    is_enough = host->unshare_bytes <= host->available_bytes;
    g_string_append_printf(out, "<li class=\"%s\">If all sharing broke at once, ",
                           is_enough ? "fine" : "warning");
    html_bytes(out, "host.unshare_bytes", known(host->unshare_bytes));
    g_string_append(out, " would be needed, and ");
    html_bytes(out, "host.available_bytes", known(host->available_bytes));
    g_string_append(out, is_enough ? " is available: enough.</li>\n" : " is available: ");
    if (is_enough)
        return;
    html_bytes(out, "short_bytes", known(host->unshare_bytes - host->available_bytes));
    g_string_append(out, " would be missing.</li>\n");
}

static void
append_tile(GString *out, const char *title, const char *of, HtmlFigure figure)
{
    g_string_append_printf(out, "<div><dt>%s</dt><dd>", title);
    html_bytes(out, of, figure);
    g_string_append(out, "</dd></div>\n");
}

static void
append_tiles(GString *out, const Report *report)
{
    const Host *host = report->host;

    g_string_append(out, "<dl class=\"tiles\">\n");
    append_tile(out, "Saved by KSM", "host.saved_pages",
                html_pages(host && host->has_saved_pages, host ? host->saved_pages : 0,
                           report->page_size));
    append_tile(out, "Its records take", "host.metadata_bytes",
                html_u64(host && host->has_metadata_bytes, host ? host->metadata_bytes : 0));
    append_tile(out, "Saved, net", "host.net_saved_bytes", net_of(host));
    append_tile(out, "Available", "host.available_bytes", available_of(host));
    g_string_append(out, "</dl>\n");
}

void
html_append_summary(GString *out, const HtmlFacts *facts)
{
    const Report *report = facts->report;
    const Sums sums = sum(report);

    g_string_append(out, "<section id=\"summary\">\n");
    append_lead(out, report);
    if (facts->only)
        g_string_append(out, "<p class=\"note\">Of the whole host:</p>\n");
    append_tiles(out, report);
    g_string_append(out, "<ul>\n");
    if (facts->only && report->n_domains == 1)
        append_domain_share(out, facts);
    if (report->n_domains > 0) {
        append_defined(out, report, &sums);
        append_usage(out, report, &sums);
    }
    append_liability(out, report->host);
    if (report->has_steady && !report->steady)
        g_string_append(
            out,
            "<li>KSM was merging while the domains were read, or one was held up, so their figures "
            "are of slightly different moments.</li>\n");
    g_string_append(out, "</ul>\n</section>\n");
}
