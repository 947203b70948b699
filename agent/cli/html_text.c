/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* html_text.c - the page: nothing gets into it but through here */
#include "agent/cli/html_text.h"
#include "agent/cli/text.h"

#include <inttypes.h>
#include <string.h>

/* U+202F, which does not break the line. */
#define THIN_SPACE "\xe2\x80\xaf"

HtmlFigure
html_u64(bool known, uint64_t value)
{
    return (HtmlFigure){ known, (int64_t)MIN(value, INT64_MAX) };
}

HtmlFigure
html_pages(bool known, uint64_t pages, uint64_t page_size)
{
    return html_u64(known && page_size > 0, text_pages_to_bytes(pages, page_size));
}

void
html_text(GString *out, const char *text)
{
    g_autofree char *safe = text_escape(text);
    g_autofree char *markup = g_markup_escape_text(safe, -1);

    g_string_append(out, markup);
}

void
html_name(GString *out, const char *name)
{
    g_string_append(out, "<bdi>");
    html_text(out, name && *name ? name : NULL);
    g_string_append(out, "</bdi>");
}

static void
append_figure(GString *out, const char *of, HtmlFigure figure, const char *shown)
{
    if (figure.known)
        g_string_append_printf(out, "<data data-of=\"%s\" value=\"%" PRId64 "\">%s</data>", of,
                               figure.value, shown);
    else
        g_string_append_printf(out, "<span class=\"unknown\" data-of=\"%s\">not known</span>", of);
}

void
html_bytes(GString *out, const char *of, HtmlFigure bytes)
{
    g_autofree char *shown = text_net_bytes(bytes.value);

    append_figure(out, of, bytes, shown);
}

void
html_count(GString *out, const char *of, HtmlFigure count)
{
    g_autofree char *digits = g_strdup_printf("%" PRId64, count.value);
    g_autoptr(GString) shown = g_string_new(digits);

    for (size_t left = strlen(digits); left > 3; left -= 3)
        g_string_insert(shown, (gssize)left - 3, THIN_SPACE);
    append_figure(out, of, count, shown->str);
}

void
html_time(GString *out, const char *of, HtmlFigure us)
{
    g_autofree char *shown = text_duration((uint64_t)MAX(us.value, 0) / 1000);

    append_figure(out, of, us, shown);
}
