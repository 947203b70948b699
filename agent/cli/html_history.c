/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html_history.c - the page: what was saved over time, in columns
 *
 * The history has sums; a column is as high as the mean over the time in which the saving was
 * known. Where nothing was recorded, there is no column.
 */
#include "agent/cli/html.h"
#include "agent/cli/html_text.h"
#include "agent/cli/text.h"

#include <string.h>

typedef Virtksm__V1__HistoryRow Row;
typedef Virtksm__V1__HistoryResponse History;

/* Size of the drawing, in its own units. */
#define WIDTH  1000.0
#define HEIGHT 200.0
/* The least difference between two columns that are next to each other, in units. */
#define GAP 1.0

#define GIB 1073741824.0

/* What is drawn of a row; bytes. */
typedef struct {
    double x;     /* of its left edge, in units */
    double width; /* in units */
    double saved; /* mean */
    double cost;  /* mean of KSM's records */
} Mark;

static double
seconds_of(const char *time)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) moment = time ? g_date_time_new_from_iso8601(time, utc) : NULL;

    return moment ? (double)g_date_time_to_unix(moment) : -1;
}

static double
length_of(const char *interval)
{
    if (g_strcmp0(interval, "minute") == 0)
        return 60;
    return g_strcmp0(interval, "hour") == 0 ? 3600 : 86400;
}

/* Return: bytes; 0 if they are not known. */
static double
mean(bool known, double gib_hours, const Row *row)
{
    if (!known || !row->has_measured_s || row->measured_s <= 0)
        return 0;
    return MAX(gib_hours, 0) * GIB * 3600 / row->measured_s;
}

/* Return: false if the row is of no known time within that of @history. */
static bool
mark_of(const History *history, const Row *row, Mark *ret_mark)
{
    double since = seconds_of(history->since);
    double until = seconds_of(history->until);
    double start = seconds_of(row->start);
    double end = start + length_of(history->interval);
    double scale = WIDTH / (until - since);
    Mark mark;

    if (since < 0 || until <= since || start < 0 || start >= until || end <= since)
        return false;
    start = MAX(start, since);
    mark.x = (start - since) * scale;
    mark.width = MAX((MIN(end, until) - start) * scale - GAP, GAP);
    mark.saved = mean(row->has_saved_gib_hours, row->saved_gib_hours, row);
    mark.cost = mean(row->has_metadata_gib_hours, row->metadata_gib_hours, row);
    *ret_mark = mark;
    return true;
}

static double
highest(const History *history)
{
    double top = 0;
    Mark mark;

    for (size_t i = 0; i < history->n_rows; i++) {
        if (mark_of(history, history->rows[i], &mark))
            top = MAX(top, MAX(mark.saved, mark.cost));
    }
    return top;
}

static void
append_rect(GString *out, const char *class, const Mark *mark, double height)
{
    if (height > 0)
        g_string_append_printf(out,
                               "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                               "height=\"%.2f\"/>",
                               class, mark->x, HEIGHT - height, mark->width, height);
}

static void
append_mark(GString *out, const Row *row, const Mark *mark, double top)
{
    g_autofree char *saved = text_bytes((uint64_t)mark->saved);

    g_string_append(out, "<g><title>");
    html_text(out, row->start);
    g_string_append_printf(out, ": %s</title>", saved);
    append_rect(out, "saved", mark, HEIGHT * mark->saved / top);
    append_rect(out, "cost", mark, HEIGHT * mark->cost / top);
    g_string_append(out, "</g>");
}

static void
append_moment(GString *out, const char *time)
{
    g_autofree char *text = g_strdup(time);

    /* "2026-01-31T12:00:00Z" as people write it. */
    if (text && strlen(text) == strlen("2026-01-31T12:00:00Z")) {
        text[10] = ' ';
        text[16] = '\0';
    }
    g_string_append(out, "<span>");
    html_text(out, text);
    g_string_append(out, "</span>");
}

static void
append_drawing(GString *out, const History *history, double top)
{
    g_string_append(out, "<figure class=\"history\">\n<figcaption>Top of the picture: ");
    html_bytes(out, "history_top", html_u64(true, (uint64_t)top));
    g_string_append(out, "</figcaption>\n<svg viewBox=\"0 0 1000 200\" "
                         "preserveAspectRatio=\"none\" role=\"img\" "
                         "aria-label=\"What KSM saved over time\">");
    for (size_t i = 0; i < history->n_rows; i++) {
        Mark mark;

        if (mark_of(history, history->rows[i], &mark))
            append_mark(out, history->rows[i], &mark, top);
    }
    g_string_append(out, "</svg>\n<p class=\"axis\">");
    append_moment(out, history->since);
    append_moment(out, history->until);
    g_string_append(out, "</p>\n</figure>\n");
}

static void
append_gib_hours(GString *out, const char *of, double gib_hours)
{
    char exact[G_ASCII_DTOSTR_BUF_SIZE];

    g_ascii_dtostr(exact, sizeof(exact), gib_hours);
    /* Three places, as "virtksm history" has them, where they tell anything. */
    g_string_append_printf(out, "<data data-of=\"%s\" value=\"%s\">%.*f GiB-hours</data>", of,
                           exact, ABS(gib_hours) < 10 ? 3 : 1, gib_hours);
}

/* Return: of the host, or of the one domain that was asked for; NULL: none. */
static const Row *
total_of(const History *history)
{
    if (history->host)
        return history->host;
    return history->n_totals == 1 ? history->totals[0] : NULL;
}

static void
append_total(GString *out, const History *history)
{
    const Row *total = total_of(history);

    if (!total || !total->has_net_saved_gib_hours)
        return;
    g_string_append(out, "<p>In this time, KSM saved ");
    append_gib_hours(out, "history.net_saved_gib_hours", total->net_saved_gib_hours);
    g_string_append(out, " of memory, net of its records");
    if (total->has_ksmd_cpu_s && total->ksmd_cpu_s >= 0) {
        g_string_append(out, ", for ");
        html_time(out, "history.ksmd_cpu_us", html_u64(true, (uint64_t)(total->ksmd_cpu_s * 1e6)));
        g_string_append(out, " of ksmd\xe2\x80\x99s time");
    }
    g_string_append(out, ". 2&nbsp;GiB for half an hour are one GiB-hour.</p>\n");
}

void
html_append_history(GString *out, const HtmlFacts *facts)
{
    const History *history = facts->history;
    double top;

    if (!history || history->n_rows == 0)
        return;
    top = highest(history);
    g_string_append_printf(out,
                           "<section id=\"history\">\n<h2>What was saved over time</h2>\n"
                           "<p class=\"note\">Means of each %s, by UTC. The foot of a column "
                           "is what KSM\xe2\x80\x99s records took of it.</p>\n",
                           history->interval ? history->interval : "interval");
    if (top > 0)
        append_drawing(out, history, top);
    else
        g_string_append(out, "<p>KSM saved nothing.</p>\n");
    append_total(out, history);
    g_string_append(out, "</section>\n");
}
