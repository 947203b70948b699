/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.c - messages as JSON, written along their descriptors
 *
 * json-glib quotes the strings, but the structure is written here: its nodes count in int64, and
 * a uint64 above 2^63 would come out negative.
 */
#include "agent/cli/json.h"
#include "agent/cli/field.h"

#include <json-glib/json-glib.h>

typedef struct {
    GString *out;    /* owned by json_from_message() */
    JsonStyle style; /* as given */
    unsigned depth;  /* objects and arrays that are open */
} Writer;

static void write_message(Writer *writer, const ProtobufCMessage *message);

static void
write_string(Writer *writer, const char *text)
{
    g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), text);
    g_autofree char *quoted = json_to_string(node, FALSE);

    g_string_append(writer->out, quoted);
}

/* Go on to the next member or element, or to the closing bracket. */
static void
write_break(Writer *writer)
{
    if (writer->style == JSON_PAGE)
        g_string_append_printf(writer->out, "\n%*s", (int)writer->depth * 2, "");
}

static bool
is_quoted(ProtobufCType type, const char *text)
{
    /* An enum's number stands for a word that this program does not know. */
    if (type == PROTOBUF_C_TYPE_ENUM)
        return g_ascii_isalpha(*text) || *text == '_';
    return type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_BYTES;
}

static void
write_value(Writer *writer, const ProtobufCFieldDescriptor *field, const void *value)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        write_message(writer, field_message(value));
    else if (!field_append_text(text, field, value))
        g_string_append(writer->out, "null");
    else if (is_quoted(field->type, text->str))
        write_string(writer, text->str);
    else
        g_string_append(writer->out, text->str);
}

static void
write_array(Writer *writer, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t n = field_count(message, field);

    g_string_append_c(writer->out, '[');
    writer->depth++;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            g_string_append_c(writer->out, ',');
        write_break(writer);
        write_value(writer, field, field_value(message, field, i));
    }
    writer->depth--;
    if (n > 0)
        write_break(writer);
    g_string_append_c(writer->out, ']');
}

static void
write_field(Writer *writer, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    write_string(writer, field->name);
    g_string_append(writer->out, writer->style == JSON_PAGE ? ": " : ":");
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        write_array(writer, message, field);
    else if (field_count(message, field) == 0)
        g_string_append(writer->out, "null");
    else
        write_value(writer, field, field_value(message, field, 0));
}

static void
write_message(Writer *writer, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;

    g_string_append_c(writer->out, '{');
    writer->depth++;
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (i > 0)
            g_string_append_c(writer->out, ',');
        write_break(writer);
        write_field(writer, message, &type->fields[i]);
    }
    writer->depth--;
    if (type->n_fields > 0)
        write_break(writer);
    g_string_append_c(writer->out, '}');
}

char *
json_from_message(const ProtobufCMessage *message, JsonStyle style)
{
    Writer writer = { g_string_new(NULL), style, 0 };

    write_message(&writer, message);
    g_string_append_c(writer.out, '\n');
    return g_string_free(writer.out, FALSE);
}
