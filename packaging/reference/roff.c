/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* roff.c - text as a manual page, or a comment, takes it */
#include "packaging/reference/reference.h"

#include <string.h>

static void
append_escaped(GString *out, const char *line)
{
    /* A dot or a quote at the beginning of a line would be a request. */
    if (*line == '.' || *line == '\'')
        g_string_append(out, "\\&");
    for (const char *p = line; *p != '\0'; p++) {
        if (*p == '\\')
            g_string_append(out, "\\e");
        else if (*p == '-')
            g_string_append(out, "\\-");
        else if (*p == '\'')
            g_string_append(out, "\\(aq");
        else
            g_string_append_c(out, *p);
    }
}

void
roff_append(GString *out, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (size_t i = 0; lines[i]; i++) {
        append_escaped(out, lines[i]);
        g_string_append_c(out, '\n');
    }
}

static bool
is_indented(const char *paragraph)
{
    return paragraph[0] == ' ' || strstr(paragraph, "\n  ");
}

void
roff_append_block(GString *out, const char *text)
{
    g_auto(GStrv) paragraphs = g_strsplit(text, "\n\n", -1);

    for (size_t i = 0; paragraphs[i]; i++) {
        bool stays = is_indented(paragraphs[i]);

        g_string_append(out, i > 0 ? ".PP\n" : "");
        g_string_append(out, stays ? ".nf\n" : "");
        roff_append(out, paragraphs[i]);
        g_string_append(out, stays ? ".fi\n" : "");
    }
}

void
wrap_append(GString *out, const char *text, const char *before, size_t width)
{
    g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);
    size_t used = 0;

    for (size_t i = 0; words[i]; i++) {
        size_t length = strlen(words[i]);

        if (used > 0 && used + 1 + length > width) {
            g_string_append_c(out, '\n');
            used = 0;
        }
        g_string_append(out, used == 0 ? before : " ");
        used += (used == 0 ? strlen(before) : 1) + length;
        g_string_append(out, words[i]);
    }
    g_string_append_c(out, '\n');
}
