/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html_table.c - the page: a column is one row here; on a phone each domain is a card
 *
 * Two tables, as one would not fit on paper: where the memory is, and what KSM does for it.
 */
#include "agent/cli/html.h"
#include "agent/cli/html_text.h"
#include "agent/cli/text.h"
#include "agent/report/figure.h"

typedef Virtksm__V1__ReportResponse Report;
typedef Virtksm__V1__DomainReport Domain;

typedef struct {
    const char *of;    /* member of the JSON report, which is in pages where it says so */
    const char *title; /* of the column */
    void (*append)(GString *out, const char *of, HtmlFigure figure); /* in its unit */
    HtmlFigure (*read)(const Report *report, const Domain *domain);  /* of one domain */
} Column;

/* Reads NAME of a message that has it as an optional number. */
#define READER(name, convert)                                                                      \
    static HtmlFigure read_##name(const Report *report, const Domain *domain)                      \
    {                                                                                              \
        (void)report;                                                                              \
        return convert(domain->has_##name, domain->name);                                          \
    }
#define PAGES_READER(name)                                                                         \
    static HtmlFigure read_##name(const Report *report, const Domain *domain)                      \
    {                                                                                              \
        return html_pages(domain->has_##name, domain->name, report->page_size);                    \
    }

static HtmlFigure
html_i64(bool known, int64_t value)
{
    return (HtmlFigure){ known, value };
}

READER(maximum_bytes, html_u64)
READER(resident_bytes, html_u64)
READER(swapped_bytes, html_u64)
READER(zswapped_bytes, html_u64)
READER(ballooned_bytes, html_u64)
READER(untouched_bytes, html_u64)
READER(guest_free_bytes, html_u64)
READER(overhead_bytes, html_u64)
READER(metadata_bytes, html_u64)
READER(net_saved_bytes, html_i64)
READER(unshare_bytes, html_u64)
READER(ksmd_cpu_us, html_u64)
READER(merges_broken_pages, html_u64)
PAGES_READER(merging_pages)
PAGES_READER(saved_pages)

static HtmlFigure
read_stats_age_ms(const Report *report, const Domain *domain)
{
    (void)report;
    return html_u64(domain->has_stats_age_ms, MIN(domain->stats_age_ms, INT64_MAX / 1000) * 1000);
}

static const Column memory_columns[] = {
    { "maximum_bytes", "Defined", html_bytes, read_maximum_bytes },
    { "resident_bytes", "Resident", html_bytes, read_resident_bytes },
    { "overhead_bytes", "of it QEMU\xe2\x80\x99s own", html_bytes, read_overhead_bytes },
    { "guest_free_bytes", "of it free in the guest", html_bytes, read_guest_free_bytes },
    { "swapped_bytes", "Swapped out", html_bytes, read_swapped_bytes },
    { "zswapped_bytes", "of it in zswap", html_bytes, read_zswapped_bytes },
    { "ballooned_bytes", "Ballooned away", html_bytes, read_ballooned_bytes },
    { "untouched_bytes", "Never touched", html_bytes, read_untouched_bytes },
    { "stats_age_ms", "Age of the figures", html_time, read_stats_age_ms },
};

static const Column ksm_columns[] = {
    { "merging_pages", "Merged", html_bytes, read_merging_pages },
    { "saved_pages", "Saved", html_bytes, read_saved_pages },
    { "metadata_bytes", "Cost", html_bytes, read_metadata_bytes },
    { "net_saved_bytes", "Net", html_bytes, read_net_saved_bytes },
    { "unshare_bytes", "Needed if sharing broke", html_bytes, read_unshare_bytes },
    { "ksmd_cpu_us", "CPU time of ksmd", html_time, read_ksmd_cpu_us },
    { "merges_broken_pages", "Merges broken", html_count, read_merges_broken_pages },
};

typedef struct {
    const char *id;        /* of the table */
    const char *caption;   /* what it tells */
    const Column *columns; /* static */
    size_t n_columns;      /* of @columns */
} TableKind;

static const TableKind tables[] = {
    { "memory", "Where the memory of each domain is", memory_columns,
      G_N_ELEMENTS(memory_columns) },
    { "ksm", "What KSM does for each domain", ksm_columns, G_N_ELEMENTS(ksm_columns) },
};

static void
append_row(GString *out, const TableKind *table, const Report *report, const Domain *domain)
{
    g_string_append(out, "<tr data-uuid=\"");
    html_text(out, domain->uuid);
    g_string_append(out, "\"><th scope=\"row\">");
    html_name(out, domain->name && *domain->name ? domain->name : domain->uuid);
    g_string_append(out, "</th>");
    for (size_t i = 0; i < table->n_columns; i++) {
        const Column *column = &table->columns[i];

        g_string_append_printf(out, "<td data-label=\"%s\">", column->title);
        column->append(out, column->of, column->read(report, domain));
        g_string_append(out, "</td>");
    }
    g_string_append(out, "</tr>\n");
}

/* What comes after the first HTML_SHOWN domains is there on paper, and when it is asked for. */
static void
append_rows(GString *out, const TableKind *table, const HtmlFacts *facts)
{
    g_string_append(out, "<tbody>\n");
    for (guint i = 0; i < facts->domains->len; i++) {
        if (i == HTML_SHOWN)
            g_string_append(out, "</tbody>\n<tbody class=\"rest\">\n");
        append_row(out, table, facts->report, g_ptr_array_index(facts->domains, i));
    }
    g_string_append(out, "</tbody>\n");
}

static void
append_table(GString *out, const TableKind *table, const HtmlFacts *facts)
{
    g_string_append_printf(out,
                           "<table id=\"%s\">\n<caption>%s, the largest first</caption>\n"
                           "<thead><tr><th scope=\"col\">Domain</th>",
                           table->id, table->caption);
    for (size_t i = 0; i < table->n_columns; i++)
        g_string_append_printf(out, "<th scope=\"col\">%s</th>", table->columns[i].title);
    g_string_append(out, "</tr></thead>\n");
    append_rows(out, table, facts);
    g_string_append(out, "</table>\n");
}

/* Return: the definition of a figure of a domain; NULL: it has none. */
static const char *
meaning_of(const char *name)
{
    size_t n;
    const Figure *figures = figure_list(FIGURE_DOMAIN, &n);

    for (size_t i = 0; i < n; i++) {
        if (g_str_equal(figures[i].name, name))
            return figures[i].help;
    }
    return NULL;
}

static void
append_meanings(GString *out, const TableKind *table)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        const Column *column = &table->columns[i];

        g_string_append_printf(out, "<div><dt>%s</dt><dd>", column->title);
        html_text(out, meaning_of(column->of));
        g_string_append(out, "</dd></div>\n");
    }
}

void
html_append_tables(GString *out, const HtmlFacts *facts)
{
    guint n = facts->domains->len;

    if (n == 0)
        return;
    g_string_append(out, "<section id=\"domains\">\n<h2>Every domain</h2>\n");
    if (n > HTML_SHOWN)
        g_string_append_printf(out,
                               "<input type=\"checkbox\" id=\"unfold\"><label for=\"unfold\">"
                               "Show all %u domains, not only the %d largest</label>\n",
                               n, HTML_SHOWN);
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        append_table(out, &tables[i], facts);
    g_string_append(out, "</section>\n<section id=\"meanings\">\n<h2>What the figures mean</h2>\n"
                         "<dl class=\"rows\">\n");
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        append_meanings(out, &tables[i]);
    g_string_append(out, "</dl>\n</section>\n");
}
