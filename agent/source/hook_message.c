/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hook_message.c - from a datagram to what it says */
#include "agent/source/hook_message.h"
#include "agent/domain.h"
#include "proto/grpc_unpack.h"
#include "proto/hook.pb-c.h"

#include <string.h>

/* The fields, each once, and what protobuf-c needs to know of them. */
#define UNPACK_MAX_BYTES (HOOK_DATAGRAM_MAX_BYTES + 65536)
/* As virtksm-hook sends them. */
#define TEXT_MAX_BYTES 512

static const char *const operation_names[] = {
    [HOOK_PREPARE] = "prepare", [HOOK_START] = "start",         [HOOK_STARTED] = "started",
    [HOOK_STOPPED] = "stopped", [HOOK_RELEASE] = "release",     [HOOK_MIGRATE] = "migrate",
    [HOOK_RESTORE] = "restore", [HOOK_RECONNECT] = "reconnect", [HOOK_ATTACH] = "attach",
    [HOOK_OTHER] = "other",
};
G_STATIC_ASSERT(G_N_ELEMENTS(operation_names) == HOOK_OPERATION_COUNT);

static const char *const fault_texts[] = {
    [HOOK_FINE] = "fine",
    [HOOK_STRANGER] = "not from root",
    [HOOK_TOO_LARGE] = "too large",
    [HOOK_NOT_A_MESSAGE] = "not a message",
    [HOOK_NO_OPERATION] = "without an operation",
    [HOOK_NO_NAME] = "without a name",
    [HOOK_NO_UUID] = "without a uuid",
    [HOOK_NOT_UNDERSTOOD] = "of an unknown operation",
    [HOOK_BAD_DEFINITION] = "with a definition that is not understood",
};
G_STATIC_ASSERT(G_N_ELEMENTS(fault_texts) == HOOK_FAULT_COUNT);

const char *
hook_operation_name(HookOperation operation)
{
    return (unsigned)operation < HOOK_OPERATION_COUNT ? operation_names[operation] : "unknown";
}

const char *
hook_fault_text(HookFault fault)
{
    return (unsigned)fault < HOOK_FAULT_COUNT ? fault_texts[fault] : "unknown";
}

static HookOperation
find_operation(const char *word)
{
    for (unsigned i = 0; i < HOOK_OTHER; i++)
        if (g_str_equal(operation_names[i], word))
            return (HookOperation)i;
    return HOOK_OTHER;
}

static bool
is_text(const char *text)
{
    return text && *text != '\0' && strlen(text) <= TEXT_MAX_BYTES &&
           g_utf8_validate(text, -1, NULL);
}

/* What goes into the text of an event: libvirt has words there. */
static bool
is_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if (!g_ascii_isprint(*p))
            return false;
    return true;
}

static HookFault
check(const Virtksm__V1__HookCall *call)
{
    if (!is_text(call->operation))
        return HOOK_NO_OPERATION;
    if (find_operation(call->operation) == HOOK_OTHER)
        return HOOK_NOT_UNDERSTOOD;
    if (!is_text(call->name))
        return HOOK_NO_NAME;
    if (!call->uuid || !g_uuid_string_is_valid(call->uuid))
        return HOOK_NO_UUID;
    return HOOK_FINE;
}

static void
take(const Virtksm__V1__HookCall *call, HookMessage *ret_message)
{
    *ret_message = (HookMessage){
        .operation = find_operation(call->operation),
        .name = g_strdup(call->name),
        .uuid = g_ascii_strdown(call->uuid, -1),
        .extra = is_text(call->extra) && is_plain(call->extra) ? g_strdup(call->extra) : NULL,
        .id = call->has_id && call->id >= 0 ? call->id : DOMAIN_ID_UNKNOWN,
    };
    if (call->has_xml && call->xml.len > 0) {
        ret_message->xml = g_malloc(call->xml.len);
        memcpy(ret_message->xml, call->xml.data, call->xml.len);
        ret_message->xml_length = call->xml.len;
    }
}

HookFault
hook_message_read(const uint8_t *data, size_t length, HookMessage *ret_message)
{
    GrpcSlice packed = { data, length };
    GrpcUnpacked unpacked;
    const Virtksm__V1__HookCall *call;
    HookFault fault;

    if (length > HOOK_DATAGRAM_MAX_BYTES)
        return HOOK_TOO_LARGE;
    if (grpc_unpack(&virtksm__v1__hook_call__descriptor, packed, UNPACK_MAX_BYTES, &unpacked) !=
        GRPC_UNPACK_DONE)
        return HOOK_NOT_A_MESSAGE;
    call = (const Virtksm__V1__HookCall *)unpacked.message;
    fault = check(call);
    if (fault == HOOK_FINE)
        take(call, ret_message); /* the caller owns what it points to from here */
    grpc_unpack_free(&unpacked);
    return fault;
}

void
hook_message_clear(HookMessage *message)
{
    g_free(message->name);
    g_free(message->uuid);
    g_free(message->extra);
    g_free(message->xml);
    *message = (HookMessage){ 0 };
}
