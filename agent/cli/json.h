/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.h - any message as JSON
 */
#ifndef AGENT_CLI_JSON_H
#define AGENT_CLI_JSON_H

#include <protobuf-c/protobuf-c.h>

typedef enum {
    JSON_PAGE, /* indented, for a document */
    JSON_LINE, /* no line break inside, for a stream of them */
} JsonStyle;

/**
 * json_from_message() - a message as a JSON object
 * @message: any message
 * @style:   how it is laid out
 *
 * Members are the fields of the .proto, by name and in its order: all of them, each time. null
 * is what is absent, a repeated field is an array, a message an object, bytes are base64 and
 * enums lower-case words. Integers are exact, also above 2^63, where some readers round.
 *
 * Return: owned by the caller; ends with a line break.
 */
char *json_from_message(const ProtobufCMessage *message, JsonStyle style);

#endif
