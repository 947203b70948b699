/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_status_test.c - status and its text survive the wire */
#include "proto/grpc_status.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
texts_are_encoded_as_the_protocol_says_and_come_back(void **unused)
{
    static const struct {
        const char *text;
        const char *encoded;
    } rows[] = {
        { "", "" },
        { "plain text, with ~ and !", "plain text, with ~ and !" },
        { "100 %", "100 %25" },
        { "two\nlines\t", "two%0Alines%09" },
        { "\xc3\xa4", "%C3%A4" },
        { "\x7f", "%7F" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *encoded = grpc_status_encode(rows[i].text);
        g_autofree char *back = grpc_status_decode(encoded);

        if (strcmp(encoded, rows[i].encoded) != 0 || strcmp(back, rows[i].text) != 0)
            fail_msg("\"%s\" became \"%s\" and then \"%s\"", rows[i].text, encoded, back);
    }
}

static void
malformed_escapes_are_kept_and_the_result_is_utf8(void **unused)
{
    static const struct {
        const char *encoded;
        const char *want;
    } rows[] = {
        { "%", "%" },
        { "50%", "50%" },
        { "%4", "%4" },
        { "%zz", "%zz" },
        { "%41%4", "A%4" },
        { "%c3%a4", "\xc3\xa4" },
        { "%ff", "\xef\xbf\xbd" }, /* the replacement character */
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *got = grpc_status_decode(rows[i].encoded);

        if (strcmp(got, rows[i].want) != 0)
            fail_msg("\"%s\" became \"%s\"", rows[i].encoded, got);
    }
}

static void
a_long_text_is_cut(void **unused)
{
    g_autofree char *text = g_strnfill(5000, 'x');
    g_autofree char *encoded = grpc_status_encode(text);

    (void)unused;
    assert_int_equal(strlen(encoded), 512);
}

static void
only_known_numbers_are_a_status(void **unused)
{
    static const struct {
        const char *text;
        GrpcStatus want;
    } rows[] = {
        { "0", GRPC_STATUS_OK },        { "16", GRPC_STATUS_UNAUTHENTICATED },
        { "17", GRPC_STATUS_UNKNOWN },  { "", GRPC_STATUS_UNKNOWN },
        { "-1", GRPC_STATUS_UNKNOWN },  { "5x", GRPC_STATUS_UNKNOWN },
        { "5", GRPC_STATUS_NOT_FOUND },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (grpc_status_parse(rows[i].text) != rows[i].want)
            fail_msg("\"%s\" is not %s", rows[i].text, grpc_status_name(rows[i].want));
    }
}

static void
an_answer_that_is_not_grpc_is_mapped(void **unused)
{
    static const struct {
        unsigned http_status;
        GrpcStatus want;
    } rows[] = {
        { 400, GRPC_STATUS_INTERNAL },          { 401, GRPC_STATUS_UNAUTHENTICATED },
        { 403, GRPC_STATUS_PERMISSION_DENIED }, { 404, GRPC_STATUS_UNIMPLEMENTED },
        { 429, GRPC_STATUS_UNAVAILABLE },       { 502, GRPC_STATUS_UNAVAILABLE },
        { 503, GRPC_STATUS_UNAVAILABLE },       { 504, GRPC_STATUS_UNAVAILABLE },
        { 415, GRPC_STATUS_UNKNOWN },           { 500, GRPC_STATUS_UNKNOWN },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (grpc_status_of_http(rows[i].http_status) != rows[i].want)
            fail_msg("%u is not %s", rows[i].http_status, grpc_status_name(rows[i].want));
    }
}

static void
a_reset_stream_is_mapped(void **unused)
{
    static const struct {
        uint32_t code;
        GrpcStatus want;
    } rows[] = {
        { NGHTTP2_NO_ERROR, GRPC_STATUS_INTERNAL },
        { NGHTTP2_REFUSED_STREAM, GRPC_STATUS_UNAVAILABLE },
        { NGHTTP2_CANCEL, GRPC_STATUS_CANCELLED },
        { NGHTTP2_ENHANCE_YOUR_CALM, GRPC_STATUS_RESOURCE_EXHAUSTED },
        { NGHTTP2_INADEQUATE_SECURITY, GRPC_STATUS_PERMISSION_DENIED },
        { NGHTTP2_PROTOCOL_ERROR, GRPC_STATUS_INTERNAL },
        { 12345, GRPC_STATUS_INTERNAL },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (grpc_status_of_reset(rows[i].code) != rows[i].want)
            fail_msg("code %u is not %s", rows[i].code, grpc_status_name(rows[i].want));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_encoded_as_the_protocol_says_and_come_back),
        cmocka_unit_test(malformed_escapes_are_kept_and_the_result_is_utf8),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(only_known_numbers_are_a_status),
        cmocka_unit_test(an_answer_that_is_not_grpc_is_mapped),
        cmocka_unit_test(a_reset_stream_is_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
