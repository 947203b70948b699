/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hook_call_test.c - what virtksm-hook makes of its arguments and its input */
#define _GNU_SOURCE
#include "hooks/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/hook.pb-c.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UUID         "97cd1ea4-e674-4dc9-9f7f-7b618b2fc9e7"

static uint8_t packed[CALL_MAX_BYTES];
static char large[CALL_XML_MAX_BYTES + 1];

/* Arguments "web started begin -", unless others are given. */
static Virtksm__V1__HookCall *
send(const char *const *arguments, const char *xml, size_t length, bool incomplete)
{
    static const char *const usual[] = { "web", "started", "begin", "-", NULL };
    const Call call = { arguments ? arguments : usual, xml, length, incomplete };
    size_t n = call_pack(&call, true, packed);

    return n == 0 ? NULL : virtksm__v1__hook_call__unpack(NULL, n, packed);
}

static void
drop(Virtksm__V1__HookCall *call)
{
    virtksm__v1__hook_call__free_unpacked(call, NULL);
}

static void
the_message_says_what_libvirt_has_said(void **unused)
{
    static const char xml[] =
        "<domain type='kvm' id='12'>\n  <name>web</name>\n  <uuid>" UUID "</uuid>\n</domain>\n";
    Virtksm__V1__HookCall *call = send(NULL, xml, strlen(xml), false);
    (void)unused;

    assert_non_null(call);
    assert_string_equal(call->name, "web");
    assert_string_equal(call->operation, "started");
    assert_string_equal(call->sub_operation, "begin");
    assert_null(call->extra); /* "-" is libvirt's word for none */
    assert_string_equal(call->uuid, UUID);
    assert_true(call->has_id);
    assert_int_equal(call->id, 12);
    assert_int_equal(call->xml.len, strlen(xml));
    assert_memory_equal(call->xml.data, xml, strlen(xml));
    assert_false(call->has_truncated);
    drop(call);
}

static void
uuid_and_number_are_found_where_libvirt_writes_them_and_nowhere_else(void **unused)
{
    static const struct {
        const char *when;
        const char *xml;
        const char *uuid; /* NULL: not found */
        int id;           /* -1: not found */
    } rows[] = {
        { "running", "<domain type='kvm' id='7'><uuid>" UUID "</uuid>", UUID, 7 },
        { "not running", "<domain type='kvm'><uuid>" UUID "</uuid>", UUID, -1 },
        { "other attributes", "<domain xmlns:q='u' id='3' type='qemu'>", NULL, 3 },
        { "an id further down", "<domain type='kvm'><source id='9'/>", NULL, -1 },
        { "not the attribute", "<domain type='kvm' xid='9'>", NULL, -1 },
        { "number without end", "<domain id='12", NULL, -1 },
        { "no digits", "<domain id=''>", NULL, -1 },
        { "no number", "<domain id='x1'>", NULL, -1 },
        { "largest", "<domain id='999999999'>", NULL, 999999999 },
        { "too many digits", "<domain id='1234567890'>", NULL, -1 },
        { "negative", "<domain id='-1'>", NULL, -1 },
        { "cut in the uuid", "<domain id='1'><uuid>97cd1ea4-e674", NULL, 1 },
        { "cut behind the tag", "<domain id='1'><uuid>", NULL, 1 },
        { "not a uuid", "<uuid>97cd1ea4+e674-4dc9-9f7f-7b618b2fc9e7</uuid>", NULL, -1 },
        { "a letter too high", "<uuid>97cd1eag-e674-4dc9-9f7f-7b618b2fc9e7</uuid>", NULL, -1 },
        { "nothing of it", "hello", NULL, -1 },
    };
    (void)unused;

    for (size_t i = 0; i < COUNT(rows); i++) {
        Virtksm__V1__HookCall *call = send(NULL, rows[i].xml, strlen(rows[i].xml), false);
        const char *uuid = call->uuid ? call->uuid : "none";

        if (strcmp(uuid, rows[i].uuid ? rows[i].uuid : "none") != 0)
            fail_msg("%s: uuid %s", rows[i].when, uuid);
        if ((call->has_id ? call->id : -1) != rows[i].id)
            fail_msg("%s: id %d", rows[i].when, call->has_id ? (int)call->id : -1);
        drop(call);
    }
}

static void
arguments_that_are_not_a_hooks_make_no_datagram(void **unused)
{
    static char too_long[CALL_ARGUMENT_MAX_BYTES + 2];
    static const char *const none[] = { NULL };
    static const char *const name[] = { "web", NULL };
    static const char *const dash[] = { "web", "-", NULL };
    static const char *const long_name[] = { too_long, "started", NULL };
    static const char *const *const rows[] = { none, name, dash, long_name };
    (void)unused;

    memset(too_long, 'n', sizeof(too_long) - 1);
    for (size_t i = 0; i < COUNT(rows); i++)
        if (send(rows[i], "", 0, false))
            fail_msg("row %zu is a datagram", i);
    too_long[CALL_ARGUMENT_MAX_BYTES] = '\0';
    drop(send(long_name, "", 0, false)); /* fails when there is none */
}

static void
arguments_that_are_missing_are_absent(void **unused)
{
    static const char *const two[] = { "web", "prepare", NULL };
    static const char *const more[] = { "web", "stopped", "end", "destroyed", "future", NULL };
    Virtksm__V1__HookCall *call = send(two, "", 0, false);
    (void)unused;

    assert_null(call->sub_operation);
    assert_null(call->extra);
    assert_false(call->has_xml);
    assert_false(call->has_truncated); /* there was nothing to cut */
    drop(call);
    call = send(more, "", 0, false);
    assert_string_equal(call->extra, "destroyed");
    drop(call);
}

static void
a_definition_goes_whole_or_not_at_all(void **unused)
{
    static const char head[] = "<domain id='5'><uuid>" UUID "</uuid>";
    static const char *const usual[] = { "web", "started", "begin", "-", NULL };
    Call call = { usual, large, CALL_XML_MAX_BYTES, false };
    Virtksm__V1__HookCall *got;
    (void)unused;

    memset(large, ' ', sizeof(large));
    memcpy(large, head, sizeof(head) - 1);
    got = send(NULL, large, CALL_XML_MAX_BYTES, false);
    assert_int_equal(got->xml.len, CALL_XML_MAX_BYTES);
    drop(got);
    got = send(NULL, large, CALL_XML_MAX_BYTES, true);
    assert_false(got->has_xml);
    assert_true(got->truncated);
    assert_string_equal(got->uuid, UUID);
    assert_int_equal(got->id, 5);
    drop(got);
    /* Where the host takes no such datagram */
    got = virtksm__v1__hook_call__unpack(NULL, call_pack(&call, false, packed), packed);
    assert_false(got->has_xml);
    assert_true(got->truncated);
    drop(got);
    call.length++;
    assert_int_equal(call_pack(&call, true, packed), 0);
}

static void
the_largest_of_everything_fits(void **unused)
{
    static char text[CALL_ARGUMENT_MAX_BYTES + 1];
    static const char *const arguments[] = { text, text, text, text, NULL };
    Call call = { arguments, large, CALL_XML_MAX_BYTES, false };
    size_t n;
    (void)unused;

    memset(text, 't', CALL_ARGUMENT_MAX_BYTES);
    n = call_pack(&call, true, packed);
    assert_in_range(n, CALL_XML_MAX_BYTES + 4 * CALL_ARGUMENT_MAX_BYTES, CALL_MAX_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_message_says_what_libvirt_has_said),
        cmocka_unit_test(uuid_and_number_are_found_where_libvirt_writes_them_and_nowhere_else),
        cmocka_unit_test(arguments_that_are_not_a_hooks_make_no_datagram),
        cmocka_unit_test(arguments_that_are_missing_are_absent),
        cmocka_unit_test(a_definition_goes_whole_or_not_at_all),
        cmocka_unit_test(the_largest_of_everything_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
