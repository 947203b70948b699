/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * html_text.h - texts and figures in HTML
 *
 * A figure is a <data> element: people read "1.5 GiB", programs its exact value, in bytes, pages or
 * microseconds, and in data-of which member of the JSON report it is.
 */
#ifndef AGENT_CLI_HTML_TEXT_H
#define AGENT_CLI_HTML_TEXT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A number that perhaps could not be had. */
typedef struct {
    bool known;    /* false: @value means nothing */
    int64_t value; /* in the unit of the figure */
} HtmlFigure;

/** html_u64() - a figure of a message; saturates at INT64_MAX */
HtmlFigure html_u64(bool known, uint64_t value);

/** html_pages() - a figure in pages as bytes; not known without the size of a page */
HtmlFigure html_pages(bool known, uint64_t pages, uint64_t page_size);

/**
 * html_text() - a text from anywhere, between tags or within double quotes
 * @out:  appended to
 * @text: any bytes; NULL is not known
 *
 * What could break the line or turn the direction of writing is shown as in text_escape().
 */
void html_text(GString *out, const char *text);

/** html_name() - the name of a domain; its letters do not turn those around it */
void html_name(GString *out, const char *name);

/** html_bytes() - an amount of memory; @of names the member of the report, static text */
void html_bytes(GString *out, const char *of, HtmlFigure bytes);

/** html_count() - a plain number, with thin spaces between thousands */
void html_count(GString *out, const char *of, HtmlFigure count);

/** html_time() - a time in microseconds */
void html_time(GString *out, const char *of, HtmlFigure us);

#endif
