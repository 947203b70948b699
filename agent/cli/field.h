/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * field.h - any field of any message, found through protobuf-c's descriptors
 *
 * JSON and CSV know no message: what the daemon sends tomorrow is printed without a change here.
 */
#ifndef AGENT_CLI_FIELD_H
#define AGENT_CLI_FIELD_H

#include <glib.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * field_count() - how many values a field has
 * @message: unpacked or initialised
 * @field:   of its descriptor
 *
 * Return: 0 when absent, else 1; for a repeated field its length.
 */
size_t field_count(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

/**
 * field_value() - where a value lies
 * @index: below field_count()
 *
 * Return: borrowed; points to a uint64_t, a char *, a ProtobufCMessage * ... as the type says.
 */
const void *field_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        size_t index);

/** field_message() - the value of a field of type message, as field_value() found it */
const ProtobufCMessage *field_message(const void *value);

/**
 * field_append_text() - a value as plain text, the same in every locale
 * @out:   appended to
 * @field: not of type message
 * @value: from field_value()
 *
 * Numbers are decimal and exact, an enum is its word in lower case (its number if this program
 * does not know it), bytes are base64, strings are made valid UTF-8.
 *
 * Return: false, with nothing appended, for a number that is none: infinite or NaN.
 */
bool field_append_text(GString *out, const ProtobufCFieldDescriptor *field, const void *value);

#endif
