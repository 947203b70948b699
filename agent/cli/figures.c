/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * figures.c - all that is known of one domain, line by line with what it means
 *
 * The end of a figure's name is its unit, by the rules of virtksm.proto.
 */
#include "agent/cli/figures.h"
#include "agent/cli/field.h"
#include "agent/cli/text.h"

#include <string.h>

/* Columns of name and value; the definition has the rest of 100. */
#define NAME_WIDTH  26
#define VALUE_WIDTH 19
#define HELP_WIDTH  51

/* The value of a number field, with a sign or without. */
static char *
amount(const char *name, const ProtobufCFieldDescriptor *field, const void *value,
       uint64_t page_size)
{
    uint64_t number = *(const uint64_t *)value;
    g_autofree char *bytes = NULL;

    if (field->type == PROTOBUF_C_TYPE_INT64 && g_str_has_suffix(name, "_bytes"))
        return text_net_bytes(*(const int64_t *)value);
    if (g_str_has_suffix(name, "_bytes"))
        return text_bytes(number);
    if (g_str_has_suffix(name, "_ms"))
        return text_duration(number);
    if (g_str_has_suffix(name, "_us"))
        return text_duration(number / 1000);
    if (!strstr(name, "pages") || page_size == 0)
        return g_strdup_printf("%" G_GUINT64_FORMAT, number);
    bytes = text_bytes(text_pages_to_bytes(number, page_size));
    return g_strdup_printf("%" G_GUINT64_FORMAT " = %s", number, bytes);
}

static char *
value_text(const ProtobufCMessage *message, const char *name, uint64_t page_size)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    const void *value;

    if (!field || field_count(message, field) == 0)
        return g_strdup(TEXT_UNKNOWN);
    value = field_value(message, field, 0);
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return text_escape(*(const char *const *)value);
    return amount(name, field, value, page_size);
}

/* Words as they fit, each further line below the first. */
static void
append_wrapped(GString *out, const char *help)
{
    g_auto(GStrv) words = g_strsplit(help, " ", -1);
    size_t column = 0;

    for (size_t i = 0; words[i]; i++) {
        size_t width = text_width(words[i]);

        if (i > 0 && column + 1 + width > HELP_WIDTH) {
            g_string_append_printf(out, "\n%*s", NAME_WIDTH + VALUE_WIDTH + 4, "");
            column = 0;
        } else if (i > 0) {
            g_string_append_c(out, ' ');
            column++;
        }
        g_string_append(out, words[i]);
        column += width;
    }
    g_string_append_c(out, '\n');
}

/* A text that is too wide, as a uuid is, needs no definition. */
static void
append_figure(GString *out, const Figure *figure, const char *value)
{
    size_t width = text_width(value);

    g_string_append_printf(out, "%-*s  ", NAME_WIDTH, figure->name);
    if (width > VALUE_WIDTH) {
        g_string_append_printf(out, "%s\n", value);
        return;
    }
    g_string_append_printf(out, "%*s%s  ", (int)(VALUE_WIDTH - width), "", value);
    append_wrapped(out, figure->help);
}

void
figures_append(GString *out, FigureScope scope, const ProtobufCMessage *message, uint64_t page_size)
{
    size_t n;
    const Figure *figures = figure_list(scope, &n);

    for (size_t i = 0; i < n; i++) {
        g_autofree char *value = value_text(message, figures[i].name, page_size);

        append_figure(out, &figures[i], value);
    }
}
