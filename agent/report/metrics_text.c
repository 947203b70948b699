/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_text.c - lines that Prometheus can read, whatever a domain is called
 *
 * A label's value is UTF-8 in quotes; backslash, quote and newline are escaped, and nothing else
 * needs to be.
 *
 * Source: prometheus.io, "Exposition formats", text-based format 0.0.4
 */
#include "agent/report/metrics_text.h"

#include <math.h>
#include <stdbool.h>

/* Whole numbers are exact in a double up to here: 2^53. */
#define WHOLE_MAX 9007199254740992.0

static void
append_escaped(GString *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n') {
            g_string_append(out, "\\n");
            continue;
        }
        if (*p == '\\' || *p == '"')
            g_string_append_c(out, '\\');
        g_string_append_c(out, *p);
    }
}

void
metrics_text_label(GString *labels, const char *name, const char *value)
{
    g_autofree char *text = g_utf8_make_valid(value, -1);

    if (labels->len > 0)
        g_string_append_c(labels, ',');
    g_string_append(labels, name);
    g_string_append(labels, "=\"");
    append_escaped(labels, text);
    g_string_append_c(labels, '"');
}

void
metrics_text_head(GString *out, const char *name, const char *type, const char *help)
{
    g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
metrics_text_sample(GString *out, const char *name, const char *labels, double value)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    bool is_whole = fabs(value) <= WHOLE_MAX && trunc(value) == value;

    /* printf() writes a comma where the locale has one. */
    g_ascii_formatd(number, sizeof(number), is_whole ? "%.0f" : "%.15g", value);
    g_string_append(out, name);
    if (*labels != '\0') {
        g_string_append_c(out, '{');
        g_string_append(out, labels);
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ' ');
    g_string_append(out, number);
    g_string_append_c(out, '\n');
}
