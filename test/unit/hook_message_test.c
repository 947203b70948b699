/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hook_message_test.c - datagrams that are right, wrong and hostile */
#define _GNU_SOURCE
#include "agent/source/hook_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/domain.h"
#include "hooks/call.h"
#include "proto/hook.pb-c.h"

#define UUID "97cd1ea4-e674-4dc9-9f7f-7b618b2fc9e7"
/* protobuf-c has no const */
#define TEXT(text) ((char *)(uintptr_t)(text))

/* A message as virtksm-hook makes it. */
static Virtksm__V1__HookCall
usual(void)
{
    Virtksm__V1__HookCall call = VIRTKSM__V1__HOOK_CALL__INIT;

    call.name = TEXT("web");
    call.operation = TEXT("started");
    call.uuid = TEXT(UUID);
    return call;
}

static HookFault
read_call(const Virtksm__V1__HookCall *call, HookMessage *ret_message)
{
    size_t length = virtksm__v1__hook_call__get_packed_size(call);
    g_autofree uint8_t *data = g_malloc(length + 1);

    virtksm__v1__hook_call__pack(call, data);
    return hook_message_read(data, length, ret_message);
}

static void
what_the_hook_sends_is_understood(void **unused)
{
    static const char *const arguments[] = { "web", "stopped", "end", "crashed", NULL };
    static const char xml[] = "<domain id='4'><uuid>97CD1EA4-E674-4DC9-9F7F-7B618B2FC9E7</uuid>";
    const Call call = { arguments, xml, strlen(xml), false };
    g_autofree uint8_t *packed = g_malloc(CALL_MAX_BYTES);
    g_auto(HookMessage) message = { 0 };
    (void)unused;

    assert_int_equal(HOOK_DATAGRAM_MAX_BYTES, CALL_MAX_BYTES);
    assert_int_equal(hook_message_read(packed, call_pack(&call, true, packed), &message),
                     HOOK_FINE);
    assert_int_equal(message.operation, HOOK_STOPPED);
    assert_string_equal(message.name, "web");
    assert_string_equal(message.uuid, UUID);
    assert_string_equal(message.extra, "crashed");
    assert_int_equal(message.id, 4);
    assert_int_equal(message.xml_length, strlen(xml));
    assert_memory_equal(message.xml, xml, strlen(xml));
}

static void
what_is_not_there_is_not_made_up(void **unused)
{
    Virtksm__V1__HookCall call = usual();
    g_auto(HookMessage) message = { 0 };
    (void)unused;

    assert_int_equal(read_call(&call, &message), HOOK_FINE);
    assert_int_equal(message.operation, HOOK_STARTED);
    assert_int_equal(message.id, DOMAIN_ID_UNKNOWN);
    assert_null(message.extra);
    assert_null(message.xml);
    assert_int_equal(message.xml_length, 0);
}

static void
every_operation_of_libvirt_is_known(void **unused)
{
    static const char *const words[] = { "prepare", "start",   "started",   "stopped", "release",
                                         "migrate", "restore", "reconnect", "attach" };
    (void)unused;

    assert_int_equal(G_N_ELEMENTS(words), HOOK_OTHER);
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        Virtksm__V1__HookCall call = usual();
        g_auto(HookMessage) message = { 0 };

        call.operation = TEXT(words[i]);
        if (read_call(&call, &message) != HOOK_FINE || message.operation != i)
            fail_msg("%s is not understood", words[i]);
        assert_string_equal(hook_operation_name((HookOperation)i), words[i]);
    }
    assert_string_equal(hook_operation_name(HOOK_OPERATION_COUNT), "unknown");
    assert_string_equal(hook_fault_text(HOOK_FAULT_COUNT), "unknown");
}

static void
what_cannot_be_right_is_refused_with_its_reason(void **unused)
{
    static char long_name[600];
    static const struct {
        const char *when;
        const char *name;
        const char *operation;
        const char *uuid;
        HookFault fault;
    } rows[] = {
        { "no operation", "web", NULL, UUID, HOOK_NO_OPERATION },
        { "empty operation", "web", "", UUID, HOOK_NO_OPERATION },
        { "operation of the future", "web", "hibernated", UUID, HOOK_NOT_UNDERSTOOD },
        { "our word for these", "web", "other", UUID, HOOK_NOT_UNDERSTOOD },
        { "no name", NULL, "started", UUID, HOOK_NO_NAME },
        { "empty name", "", "started", UUID, HOOK_NO_NAME },
        { "name is no text", "w\xff", "started", UUID, HOOK_NO_NAME },
        { "endless name", long_name, "started", UUID, HOOK_NO_NAME },
        { "no uuid", "web", "started", NULL, HOOK_NO_UUID },
        { "not a uuid", "web", "started", "97cd1ea4", HOOK_NO_UUID },
        { "more than a uuid", "web", "started", UUID "0", HOOK_NO_UUID },
    };
    (void)unused;

    memset(long_name, 'n', sizeof(long_name) - 1);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Virtksm__V1__HookCall call = usual();
        HookMessage message = { 0 };
        HookFault fault;

        call.name = TEXT(rows[i].name);
        call.operation = TEXT(rows[i].operation);
        call.uuid = TEXT(rows[i].uuid);
        fault = read_call(&call, &message);
        if (fault != rows[i].fault || message.name)
            fail_msg("%s: %s", rows[i].when, hook_fault_text(fault));
    }
}

static void
bytes_that_are_no_message_are_refused(void **unused)
{
    static const struct {
        const char *when;
        const char *bytes;
        size_t length;
        HookFault fault;
    } rows[] = {
        { "nothing", "", 0, HOOK_NO_OPERATION },
        { "text", "hello", 5, HOOK_NOT_A_MESSAGE },
        { "longer than it is", "\x0a\x7fw", 3, HOOK_NOT_A_MESSAGE },
        { "endless number", "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12,
          HOOK_NOT_A_MESSAGE },
        { "field of another kind", "\x08\x01", 2, HOOK_NOT_A_MESSAGE },
    };
    HookMessage message = { 0 };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HookFault fault =
            hook_message_read((const uint8_t *)rows[i].bytes, rows[i].length, &message);

        if (fault != rows[i].fault)
            fail_msg("%s: %s", rows[i].when, hook_fault_text(fault));
    }
}

static void
what_would_take_much_memory_is_refused(void **unused)
{
    g_autofree uint8_t *data = g_malloc(HOOK_DATAGRAM_MAX_BYTES + 1);
    HookMessage message = { 0 };
    (void)unused;

    /* Sixty thousand fields that nobody knows, of two bytes each */
    for (size_t i = 0; i + 1 < HOOK_DATAGRAM_MAX_BYTES; i += 2) {
        data[i] = 0x78;
        data[i + 1] = 1;
    }
    assert_int_equal(hook_message_read(data, HOOK_DATAGRAM_MAX_BYTES, &message),
                     HOOK_NOT_A_MESSAGE);
    assert_int_equal(hook_message_read(data, HOOK_DATAGRAM_MAX_BYTES + 1, &message),
                     HOOK_TOO_LARGE);
}

static void
texts_that_would_write_into_the_log_are_left_out(void **unused)
{
    static const char *const texts[] = { "a\nb", "\x1b[2J", "\xc3\xa4", "\xff" };
    Virtksm__V1__HookCall call = usual();
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(HookMessage) message = { 0 };

        call.extra = TEXT(texts[i]);
        assert_int_equal(read_call(&call, &message), HOOK_FINE);
        if (message.extra)
            fail_msg("row %zu: \"%s\"", i, message.extra);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_hook_sends_is_understood),
        cmocka_unit_test(what_is_not_there_is_not_made_up),
        cmocka_unit_test(every_operation_of_libvirt_is_known),
        cmocka_unit_test(what_cannot_be_right_is_refused_with_its_reason),
        cmocka_unit_test(bytes_that_are_no_message_are_refused),
        cmocka_unit_test(what_would_take_much_memory_is_refused),
        cmocka_unit_test(texts_that_would_write_into_the_log_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
