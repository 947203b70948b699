/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * field.c - whether a field of a message is there, and where
 *
 * protobuf-c says whether an optional field is there in one of three ways: a number has a flag
 * (at quantifier_offset), a string or message is a pointer that is NULL, and a member of a oneof
 * is named by the number of the field in force (also at quantifier_offset).
 *
 * Source: protobuf-c.h, ProtobufCFieldDescriptor and enum ProtobufCLabel
 */
#include "agent/cli/field.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static const void *
at(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

static bool
is_pointer(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
}

size_t
field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)at(message, field->quantifier_offset);
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
        *(const uint32_t *)at(message, field->quantifier_offset) != field->id)
        return 0;
    if (is_pointer(field))
        return *(const void *const *)at(message, field->offset) != NULL;
    if (field->label != PROTOBUF_C_LABEL_OPTIONAL || field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return 1;
    return *(const protobuf_c_boolean *)at(message, field->quantifier_offset) != 0;
}

static size_t
value_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(double);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default: /* float, enum and the 32-bit integers */
        return sizeof(uint32_t);
    }
}

const void *
field_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, size_t index)
{
    const void *place = at(message, field->offset);

    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return place;
    return *(const char *const *)place + index * value_size(field->type);
}

const ProtobufCMessage *
field_message(const void *value)
{
    return *(const ProtobufCMessage *const *)value;
}

/* The shortest decimal that reads back as the same number. */
static bool
append_real(GString *out, double number)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    double back;
    int digits = 5;

    if (!isfinite(number))
        return false;
    do {
        g_autofree char *format = g_strdup_printf("%%.%dg", ++digits);

        g_ascii_formatd(text, sizeof(text), format, number);
        back = g_ascii_strtod(text, NULL);
    } while (memcmp(&back, &number, sizeof(back)) != 0 && digits < 17);
    g_string_append(out, text);
    return true;
}

static void
append_enum(GString *out, const ProtobufCFieldDescriptor *field, int number)
{
    const ProtobufCEnumValue *known =
        protobuf_c_enum_descriptor_get_value(field->descriptor, number);
    g_autofree char *word = known ? g_ascii_strdown(known->name, -1) : NULL;

    if (word)
        g_string_append(out, word);
    else
        g_string_append_printf(out, "%d", number);
}

static void
append_string(GString *out, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    g_string_append(out, valid);
}

static void
append_bytes(GString *out, const ProtobufCBinaryData *bytes)
{
    g_autofree char *text = g_base64_encode(bytes->data, bytes->len);

    g_string_append(out, text);
}

bool
field_append_text(GString *out, const ProtobufCFieldDescriptor *field, const void *value)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        g_string_append_printf(out, "%" PRId32, *(const int32_t *)value);
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        g_string_append_printf(out, "%" PRId64, *(const int64_t *)value);
        return true;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        g_string_append_printf(out, "%" PRIu32, *(const uint32_t *)value);
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        g_string_append_printf(out, "%" PRIu64, *(const uint64_t *)value);
        return true;
    case PROTOBUF_C_TYPE_FLOAT:
        return append_real(out, (double)*(const float *)value);
    case PROTOBUF_C_TYPE_DOUBLE:
        return append_real(out, *(const double *)value);
    case PROTOBUF_C_TYPE_BOOL:
        g_string_append(out, *(const protobuf_c_boolean *)value ? "true" : "false");
        return true;
    case PROTOBUF_C_TYPE_ENUM:
        append_enum(out, field, *(const int *)value);
        return true;
    case PROTOBUF_C_TYPE_STRING:
        append_string(out, *(const char *const *)value);
        return true;
    case PROTOBUF_C_TYPE_BYTES:
        append_bytes(out, value);
        return true;
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    g_assert_not_reached();
}
