/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* call.c - from arguments and text to a message */
#define _GNU_SOURCE
#include "hooks/call.h"

#include <string.h>

#include "proto/hook.pb-c.h"

/* As libvirt writes them: virUUIDFormat(), and an int. */
#define UUID_CHARS 36
#define ID_DIGITS  9

/* Texts behind these are what is looked for, and both stand near the beginning. */
#define UUID_TAG "<uuid>"
#define ROOT_TAG "<domain "
#define ID_NAME  " id='"

/* What the text of a definition tells without being parsed. */
typedef struct {
    char uuid[UUID_CHARS + 1]; /* empty: not found */
    int32_t id;                /* -1: not found */
} Identity;

static bool
is_uuid_char(char c, size_t position)
{
    if (position == 8 || position == 13 || position == 18 || position == 23)
        return c == '-';
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void
find_uuid(const char *xml, size_t length, Identity *identity)
{
    const char *tag = memmem(xml, length, UUID_TAG, strlen(UUID_TAG));
    const char *text = tag ? tag + strlen(UUID_TAG) : NULL;

    if (!text || (size_t)(xml + length - text) < UUID_CHARS)
        return;
    for (size_t i = 0; i < UUID_CHARS; i++)
        if (!is_uuid_char(text[i], i))
            return;
    memcpy(identity->uuid, text, UUID_CHARS);
}

static void
find_id(const char *xml, size_t length, Identity *identity)
{
    const char *tag = memmem(xml, length, ROOT_TAG, strlen(ROOT_TAG));
    const char *end = tag ? memchr(tag, '>', (size_t)(xml + length - tag)) : NULL;
    const char *name = end ? memmem(tag, (size_t)(end - tag), ID_NAME, strlen(ID_NAME)) : NULL;
    const char *digit = name ? name + strlen(ID_NAME) : end;
    int32_t id = 0;

    for (size_t n = 0; digit < end && n < ID_DIGITS && *digit >= '0' && *digit <= '9'; n++)
        id = id * 10 + (*digit++ - '0');
    if (name && digit < end && *digit == '\'' && digit > name + strlen(ID_NAME))
        identity->id = id;
}

/* NULL for what is not there, means nothing, or is longer than anything that libvirt says. */
static char *
argument(const char *text)
{
    if (!text || strcmp(text, "-") == 0)
        return NULL;
    if (strnlen(text, CALL_ARGUMENT_MAX_BYTES + 1) > CALL_ARGUMENT_MAX_BYTES)
        return NULL;
    return (char *)(uintptr_t)text; /* protobuf-c has no const */
}

static void
set_arguments(Virtksm__V1__HookCall *message, const char *const *arguments)
{
    char **const fields[] = { &message->name, &message->operation, &message->sub_operation,
                              &message->extra };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && arguments[i]; i++)
        *fields[i] = argument(arguments[i]);
}

size_t
call_pack(const Call *call, bool with_xml, uint8_t *ret_packed)
{
    Virtksm__V1__HookCall message = VIRTKSM__V1__HOOK_CALL__INIT;
    Identity identity = { "", -1 };

    set_arguments(&message, call->arguments);
    if (!message.name || !message.operation || call->length > CALL_XML_MAX_BYTES)
        return 0;
    find_uuid(call->xml, call->length, &identity);
    find_id(call->xml, call->length, &identity);
    message.uuid = identity.uuid[0] != '\0' ? identity.uuid : NULL;
    message.has_id = identity.id >= 0;
    message.id = identity.id;
    message.has_xml = with_xml && !call->incomplete && call->length > 0;
    message.xml.data = (uint8_t *)(uintptr_t)call->xml;
    message.xml.len = message.has_xml ? call->length : 0;
    message.has_truncated = call->length > 0 && !message.has_xml;
    message.truncated = message.has_truncated;
    return virtksm__v1__hook_call__pack(&message, ret_packed);
}
