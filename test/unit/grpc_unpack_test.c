/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_unpack_test.c - decoding is bounded in memory, and bad bytes are told from big ones */
#include "proto/grpc_unpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/echo.pb-c.h"

#define BOUND_BYTES 100000

static void
a_message_comes_out(void **unused)
{
    static const uint8_t bytes[] = { 0x0a, 2, 'h', 'i', 0x10, 7 };
    GrpcUnpacked unpacked;
    const Test__EchoRequest *request;

    (void)unused;
    assert_int_equal(grpc_unpack(&test__echo_request__descriptor,
                                 (GrpcSlice){ bytes, sizeof(bytes) }, BOUND_BYTES, &unpacked),
                     GRPC_UNPACK_DONE);
    request = (const Test__EchoRequest *)(const void *)unpacked.message;
    assert_string_equal(request->text, "hi");
    assert_int_equal(request->count, 7);
    grpc_unpack_free(&unpacked);
}

static void
nothing_is_an_empty_message(void **unused)
{
    GrpcUnpacked unpacked;

    (void)unused;
    assert_int_equal(grpc_unpack(&test__echo_request__descriptor, (GrpcSlice){ NULL, 0 },
                                 BOUND_BYTES, &unpacked),
                     GRPC_UNPACK_DONE);
    grpc_unpack_free(&unpacked);
}

static void
bad_bytes_are_bad(void **unused)
{
    static const struct {
        const char *when;
        uint8_t bytes[6];
        size_t len;
    } rows[] = {
        { "tag 0", { 0x00, 0x00 }, 2 },
        { "cut off in a varint", { 0x10, 0x80 }, 2 },
        { "length over the end", { 0x0a, 5, 'x' }, 3 },
        { "wrong wire type", { 0x0d, 1, 2, 3, 4 }, 5 },
        { "end of a group", { 0x0c }, 1 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrpcUnpacked unpacked;
        GrpcUnpackResult got =
            grpc_unpack(&test__echo_request__descriptor, (GrpcSlice){ rows[i].bytes, rows[i].len },
                        BOUND_BYTES, &unpacked);

        if (got != GRPC_UNPACK_BAD)
            fail_msg("%s: result %d", rows[i].when, got);
    }
}

/* 2 x N bytes of fields nobody knows: N copies of "field 15, varint 0". */
static void
small_bytes_that_stand_for_much_memory_are_refused(void **unused)
{
    static const struct {
        size_t n_fields;
        GrpcUnpackResult want;
    } rows[] = {
        { 10, GRPC_UNPACK_DONE },
        { 1000, GRPC_UNPACK_DONE },
        { 10000, GRPC_UNPACK_TOO_BIG },
        { 1000000, GRPC_UNPACK_TOO_BIG },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        size_t len = 2 * rows[i].n_fields;
        g_autofree uint8_t *bytes = g_malloc0(len);
        GrpcUnpacked unpacked;
        GrpcUnpackResult got;

        for (size_t at = 0; at < len; at += 2)
            bytes[at] = 15 << 3;
        got = grpc_unpack(&test__echo_request__descriptor, (GrpcSlice){ bytes, len }, BOUND_BYTES,
                          &unpacked);
        if (got != rows[i].want)
            fail_msg("%zu fields: result %d", rows[i].n_fields, got);
        if (got == GRPC_UNPACK_DONE)
            grpc_unpack_free(&unpacked);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_out),
        cmocka_unit_test(nothing_is_an_empty_message),
        cmocka_unit_test(bad_bytes_are_bad),
        cmocka_unit_test(small_bytes_that_stand_for_much_memory_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
