/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_frame_test.c - messages are found however the bytes are cut */
#include "proto/grpc_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Three messages: "abc", "", and 300 times 'x'. */
static GByteArray *
three_messages(void)
{
    GByteArray *bytes = g_byte_array_new();
    uint8_t prefix[GRPC_FRAME_PREFIX_BYTES];
    g_autofree char *long_text = g_strnfill(300, 'x');
    const char *texts[] = { "abc", "", long_text };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        grpc_frame_write_prefix(prefix, strlen(texts[i]));
        g_byte_array_append(bytes, prefix, sizeof(prefix));
        g_byte_array_append(bytes, (const guint8 *)texts[i], (guint)strlen(texts[i]));
    }
    return bytes;
}

/* Feeds @bytes in pieces; returns "3,0,300," for messages of these lengths. */
static GString *
lengths_in_pieces(const GByteArray *bytes, size_t piece_len)
{
    GrpcFrameParser parser = { .limit_bytes = 1000 };
    GString *lengths = g_string_new(NULL);

    for (size_t at = 0; at < bytes->len; at += piece_len) {
        GrpcSlice input = { bytes->data + at, MIN(piece_len, bytes->len - at) };

        while (input.len > 0) {
            GrpcSlice message = { NULL, 0 };

            if (grpc_frame_feed(&parser, &input, &message) != GRPC_FRAME_MESSAGE)
                continue;
            if (message.len > 0)
                assert_memory_equal(message.data, message.len == 3 ? "abc" : "xxx", 3);
            g_string_append_printf(lengths, "%zu,", message.len);
        }
    }
    assert_true(grpc_frame_is_between(&parser));
    grpc_frame_clear(&parser);
    return lengths;
}

static void
messages_are_found_wherever_the_stream_is_cut(void **unused)
{
    g_autoptr(GByteArray) bytes = three_messages();

    (void)unused;
    for (size_t piece_len = 1; piece_len <= bytes->len; piece_len++) {
        g_autoptr(GString) lengths = lengths_in_pieces(bytes, piece_len);

        if (strcmp(lengths->str, "3,0,300,") != 0)
            fail_msg("pieces of %zu: %s", piece_len, lengths->str);
    }
}

static void
bad_prefixes_are_told_apart(void **unused)
{
    static const struct {
        const char *when;
        uint8_t prefix[GRPC_FRAME_PREFIX_BYTES];
        GrpcFrameResult want;
    } rows[] = {
        { "compressed", { 1, 0, 0, 0, 1 }, GRPC_FRAME_COMPRESSED },
        { "flag 2", { 2, 0, 0, 0, 1 }, GRPC_FRAME_BAD_FLAG },
        { "flag 255", { 255, 0, 0, 0, 0 }, GRPC_FRAME_BAD_FLAG },
        { "one over the limit", { 0, 0, 0, 3, 233 }, GRPC_FRAME_TOO_BIG },
        { "largest length", { 0, 255, 255, 255, 255 }, GRPC_FRAME_TOO_BIG },
        { "at the limit", { 0, 0, 0, 3, 232 }, GRPC_FRAME_MORE },
        { "empty", { 0, 0, 0, 0, 0 }, GRPC_FRAME_MESSAGE },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GrpcFrameParser parser = { .limit_bytes = 1000 };
        GrpcSlice input = { rows[i].prefix, GRPC_FRAME_PREFIX_BYTES };
        GrpcSlice message;
        GrpcFrameResult got = grpc_frame_feed(&parser, &input, &message);

        if (got != rows[i].want)
            fail_msg("%s: got %d, want %d", rows[i].when, got, rows[i].want);
        grpc_frame_clear(&parser);
    }
}

static void
memory_follows_what_arrived_not_what_was_announced(void **unused)
{
    static const uint8_t start[] = { 0, 0, 64, 0, 0, 'x', 'y' };
    GrpcFrameParser parser = { .limit_bytes = 4 * 1024 * 1024 };
    GrpcSlice input = { start, sizeof(start) };
    GrpcSlice message;

    (void)unused;
    assert_int_equal(grpc_frame_feed(&parser, &input, &message), GRPC_FRAME_MORE);
    assert_int_equal(grpc_frame_held_bytes(&parser), 2);
    assert_int_equal(input.len, 0);
    assert_false(grpc_frame_is_between(&parser));
    grpc_frame_clear(&parser);
    assert_int_equal(grpc_frame_held_bytes(&parser), 0);
    assert_true(grpc_frame_is_between(&parser));
}

static void
a_whole_message_is_not_copied(void **unused)
{
    static const uint8_t bytes[] = { 0, 0, 0, 0, 2, 'h', 'i' };
    GrpcFrameParser parser = { .limit_bytes = 10 };
    GrpcSlice input = { bytes, sizeof(bytes) };
    GrpcSlice message;

    (void)unused;
    assert_int_equal(grpc_frame_feed(&parser, &input, &message), GRPC_FRAME_MESSAGE);
    assert_ptr_equal(message.data, bytes + 5);
    assert_int_equal(message.len, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_found_wherever_the_stream_is_cut),
        cmocka_unit_test(bad_prefixes_are_told_apart),
        cmocka_unit_test(memory_follows_what_arrived_not_what_was_announced),
        cmocka_unit_test(a_whole_message_is_not_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
