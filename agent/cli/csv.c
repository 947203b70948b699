/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * csv.c - rows of CSV: a cell with a comma, quote or line break stands in quotes, doubled inside
 *
 * Rows end in a line feed alone, as every other text on the host does: with the CR LF of the RFC,
 * cut and awk would find a stray character in the last column.
 *
 * Texts come from tenants, who name their domains, and tables are opened by people: a text that a
 * spreadsheet would take for a formula has an apostrophe in front, which it takes for a text.
 *
 * Source: RFC 4180, section 2; OWASP, "CSV Injection"
 */
#include "agent/cli/csv.h"
#include "agent/cli/field.h"

#include <string.h>

static bool
is_column(const ProtobufCFieldDescriptor *field)
{
    return field->label != PROTOBUF_C_LABEL_REPEATED && field->type != PROTOBUF_C_TYPE_MESSAGE;
}

static void
append_cell(GString *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        g_string_append(out, text);
        return;
    }
    g_string_append_c(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            g_string_append_c(out, '"');
        g_string_append_c(out, *text);
    }
    g_string_append_c(out, '"');
}

static bool
is_formula(const ProtobufCFieldDescriptor *field, const char *text)
{
    return field->type == PROTOBUF_C_TYPE_STRING && *text && strchr("=+-@\t\r", *text);
}

/* One row: the cell of each column is its name, or its value in @message if there is one. */
static void
append_row(GString *out, const char *const *lead, const ProtobufCMessageDescriptor *type,
           const ProtobufCMessage *message)
{
    const char *comma = "";

    for (; lead && *lead; lead++) {
        g_string_append(out, comma);
        append_cell(out, *lead);
        comma = ",";
    }
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        g_autoptr(GString) text = g_string_new(message ? NULL : field->name);

        if (!is_column(field))
            continue;
        if (message && field_count(message, field) > 0)
            field_append_text(text, field, field_value(message, field, 0));
        if (is_formula(field, text->str))
            g_string_prepend_c(text, '\'');
        g_string_append(out, comma);
        append_cell(out, text->str);
        comma = ",";
    }
    g_string_append_c(out, '\n');
}

void
csv_append_header(GString *out, const char *const *lead, const ProtobufCMessageDescriptor *type)
{
    append_row(out, lead, type, NULL);
}

void
csv_append_row(GString *out, const char *const *lead, const ProtobufCMessage *message)
{
    append_row(out, lead, message->descriptor, message);
}
