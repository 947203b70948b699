/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c - figures as people read them: units, widths, escapes; there is no locale */
#include "agent/cli/text.h"
#include "agent/plain.h"

#include <inttypes.h>

/* Columns of a key, its colon and blanks. */
#define KEY_WIDTH 13

/* As g_utf8_next_char(), whose cast drops the const. */
static const char *
next(const char *text)
{
    return text + g_utf8_skip[(guchar)*text];
}

static void
append_escape(GString *out, gunichar c)
{
    if (c == '\n')
        g_string_append(out, "\\n");
    else if (c == '\t')
        g_string_append(out, "\\t");
    else
        plain_append_escape(out, c);
}

const char *
text_or_unknown(const char *text)
{
    return text && *text ? text : TEXT_UNKNOWN;
}

char *
text_escape(const char *text)
{
    GString *out = g_string_new(NULL);

    if (!text)
        return g_string_free(g_string_assign(out, TEXT_UNKNOWN), FALSE);
    while (*text) {
        gunichar c = g_utf8_get_char_validated(text, -1);

        if (c == (gunichar)-1 || c == (gunichar)-2) {
            append_escape(out, (guchar)*text++);
            continue;
        }
        if (plain_is(c))
            g_string_append_unichar(out, c);
        else
            append_escape(out, c);
        text = next(text);
    }
    return g_string_free(out, FALSE);
}

size_t
text_width(const char *text)
{
    size_t width = 0;

    for (; *text; text = next(text)) {
        gunichar c = g_utf8_get_char(text);

        if (!g_unichar_iszerowidth(c))
            width += g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

char *
text_bytes(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double number = (double)bytes;
    size_t unit = 0;

    /* From 1023.95 on, one decimal would show 1024.0 of the smaller unit. */
    while (number >= (unit == 0 ? 1024 : 1023.95) && unit + 1 < G_N_ELEMENTS(units)) {
        number /= 1024;
        unit++;
    }
    if (unit == 0)
        return g_strdup_printf("%" PRIu64 " B", bytes);
    return g_strdup_printf("%.1f %s", number, units[unit]);
}

char *
text_net_bytes(int64_t bytes)
{
    g_autofree char *size = NULL;

    if (bytes >= 0)
        return text_bytes((uint64_t)bytes);
    size = text_bytes(-(uint64_t)bytes); /* well-defined also for INT64_MIN */
    return g_strdup_printf("-%s", size);
}

char *
text_duration(uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (s < 10)
        return g_strdup_printf("%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
    if (s < 60)
        return g_strdup_printf("%" PRIu64 " s", s);
    if (s < 3600)
        return g_strdup_printf("%" PRIu64 " min", s / 60);
    if (s < 86400)
        return g_strdup_printf("%" PRIu64 " h %" PRIu64 " min", s / 3600, s % 3600 / 60);
    return g_strdup_printf("%" PRIu64 " d %" PRIu64 " h", s / 86400, s % 86400 / 3600);
}

char *
text_percent(uint64_t part, uint64_t whole)
{
    return g_strdup_printf("%.1f %%", whole ? (double)part * 100 / (double)whole : 0.0);
}

uint64_t
text_pages_to_bytes(uint64_t pages, uint64_t page_size)
{
    return page_size && pages > UINT64_MAX / page_size ? UINT64_MAX : pages * page_size;
}

void
text_append_line(GString *out, const char *key, const char *value)
{
    g_autofree char *label = g_strdup_printf("%s:", key);
    g_autofree char *escaped = text_escape(value && *value ? value : NULL);

    g_string_append_printf(out, "%-*s%s\n", KEY_WIDTH, label, escaped);
}
