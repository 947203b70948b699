/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html_picture.c - the page: bars, one for all domains and one for each
 *
 * A bar is as long as its domain is large, compared to the largest. On a host with many domains the
 * small ones become one bar, which has a scale of its own; the table further down has them all.
 */
#include "agent/cli/html.h"
#include "agent/cli/html_parts.h"
#include "agent/cli/html_text.h"
#include "agent/cli/text.h"
#include "policy/arith.h"

#include <inttypes.h>

/* Width of a whole bar, in units of its drawing; slices are given to a thousandth of a unit. */
#define BAR_WIDTH 1000.0

typedef struct {
    const Virtksm__V1__DomainReport *domain; /* borrowed */
    Parts parts;                             /* of it */
    uint64_t total;                          /* of @parts */
} Bar;

/* Return: of Bar, the largest first; owned by the caller. */
static GArray *
make_bars(const HtmlFacts *facts)
{
    GArray *bars = g_array_new(FALSE, TRUE, sizeof(Bar));

    for (guint i = 0; i < facts->domains->len; i++) {
        const Virtksm__V1__DomainReport *domain = g_ptr_array_index(facts->domains, i);
        Bar bar = { domain, parts_of(facts->report, domain), 0 };

        bar.total = parts_total(&bar.parts);
        g_array_append_val(bars, bar);
    }
    return bars;
}

static Parts
sum_from(const GArray *bars, guint first)
{
    Parts sum = { { 0 }, { 0 }, 0 };

    for (guint i = first; i < bars->len; i++)
        parts_add(&sum, &g_array_index(bars, Bar, i).parts);
    return sum;
}

/* "In memory 1.0 GiB, ...", for those who cannot see the bar. */
static void
append_label(GString *out, const Parts *parts)
{
    const char *separator = "";

    for (int part = 0; part < PART_COUNT; part++) {
        g_autofree char *amount = text_bytes(parts->bytes[part]);

        if (parts->bytes[part] == 0)
            continue;
        g_string_append_printf(out, "%s%s %s", separator, part_name((Part)part), amount);
        separator = ", ";
    }
}

/* @scale: bytes of a whole width, not 0. */
static void
append_drawing(GString *out, const Parts *parts, uint64_t scale)
{
    double x = 0;

    g_string_append(out, "<svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" "
                         "aria-label=\"");
    append_label(out, parts);
    g_string_append(out, "\">");
    for (int part = 0; part < PART_COUNT; part++) {
        double width = BAR_WIDTH * (double)parts->bytes[part] / (double)scale;
        g_autofree char *amount = text_bytes(parts->bytes[part]);

        if (parts->bytes[part] == 0)
            continue;
        g_string_append_printf(out,
                               "<rect class=\"%s\" data-bytes=\"%" PRIu64 "\" x=\"%.3f\" "
                               "width=\"%.3f\" height=\"10\"><title>%s: %s</title></rect>",
                               part_class((Part)part), parts->bytes[part], x, width,
                               part_name((Part)part), amount);
        x += width;
    }
    g_string_append(out, "</svg>");
}

static void
append_bar(GString *out, const Bar *bar, uint64_t scale)
{
    g_string_append(out, "<li><span class=\"name\">");
    html_name(out, bar->domain->name);
    g_string_append(out, "</span><span class=\"total\">");
    html_bytes(out, "bar_total", html_u64(bar->total > 0, bar->total));
    g_string_append(out, "</span>");
    if (bar->total > 0)
        append_drawing(out, &bar->parts, scale);
    g_string_append(out, "</li>\n");
}

/* The bar of all domains from @first on. */
static void
append_folded(GString *out, const GArray *bars, guint first)
{
    const Parts rest = sum_from(bars, first);
    uint64_t total = parts_total(&rest);

    g_string_append_printf(out,
                           "<li class=\"folded\"><span class=\"name\">%u smaller domains "
                           "together, at a scale of their own</span><span class=\"total\">",
                           bars->len - first);
    html_bytes(out, "bar_total", html_u64(total > 0, total));
    g_string_append(out, "</span>");
    if (total > 0)
        append_drawing(out, &rest, total);
    g_string_append(out, "</li>\n");
}

static void
append_bars(GString *out, const GArray *bars)
{
    /* The last bar is for all that are folded. */
    guint n = bars->len > HTML_SHOWN ? HTML_SHOWN - 1 : bars->len;
    uint64_t scale = 1;

    for (guint i = 0; i < n; i++)
        scale = MAX(scale, g_array_index(bars, Bar, i).total);
    g_string_append(out, "<ol class=\"bars\">\n");
    for (guint i = 0; i < n; i++)
        append_bar(out, &g_array_index(bars, Bar, i), scale);
    if (n < bars->len)
        append_folded(out, bars, n);
    g_string_append(out, "</ol>\n");
}

/* What is known of some domains only is a lower bound; of none, it is no figure. */
static void
append_entry(GString *out, const Parts *all, Part part, guint n_domains)
{
    g_autofree char *percent = text_percent(all->bytes[part], parts_total(all));
    size_t n_known = all->known[part];
    bool is_bound = n_known > 0 && n_known < n_domains && part != PART_UNKNOWN;

    g_string_append_printf(out, "<div class=\"%s\"><dt>%s</dt><dd>%s<b>", part_class(part),
                           part_name(part), is_bound ? "at least " : "");
    html_bytes(out, part_class(part), html_u64(n_known > 0, all->bytes[part]));
    g_string_append(out, "</b>");
    if (n_known > 0)
        g_string_append_printf(out, " <span>%s</span>", percent);
    g_string_append_printf(out, "<br>%s</dd></div>\n", part_meaning(part));
}

static void
append_legend(GString *out, const Parts *all, guint n_domains)
{
    g_string_append(out, "<dl class=\"legend\">\n");
    for (int part = 0; part < PART_UNKNOWN; part++)
        append_entry(out, all, (Part)part, n_domains);
    if (all->bytes[PART_UNKNOWN] > 0)
        append_entry(out, all, PART_UNKNOWN, n_domains);
    g_string_append(out, "</dl>\n");
}

/* Shading of what is not known; every drawing on the page may use it. */
static const char shading[] =
    "<svg class=\"defs\" aria-hidden=\"true\" width=\"0\" height=\"0\"><defs>"
    "<pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\"><rect class=\"hatch-back\" width=\"6\" height=\"6\"/>"
    "<rect class=\"hatch-line\" width=\"2\" height=\"6\"/></pattern></defs></svg>\n";

void
html_append_picture(GString *out, const HtmlFacts *facts)
{
    g_autoptr(GArray) bars = make_bars(facts);
    const Parts all = sum_from(bars, 0);
    uint64_t total = parts_total(&all);

    g_string_append(out, "<section id=\"picture\">\n<h2>Where it is</h2>\n");
    g_string_append(out, shading);
    if (bars->len == 0) {
        g_string_append(out, "<p>No domain is running.</p>\n</section>\n");
        return;
    }
    if (bars->len > 1 && total > 0) {
        g_string_append_printf(out,
                               "<figure class=\"all\"><figcaption>All %u domains: ", bars->len);
        html_bytes(out, "all_total", html_u64(true, total));
        g_string_append(out, "</figcaption>");
        append_drawing(out, &all, total);
        g_string_append(out, "</figure>\n");
    }
    append_legend(out, &all, bars->len);
    if (all.incomplete > 0)
        g_string_append_printf(out,
                               "<p class=\"note\">Of %zu %s some figure could not be had.</p>\n",
                               all.incomplete, all.incomplete == 1 ? "domain" : "domains");
    append_bars(out, bars);
    g_string_append(out, "</section>\n");
}
