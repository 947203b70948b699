/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_field_test.c - presence and text of a field of every kind */
#include "agent/cli/field.h"
#include "cli_fields.pb-c.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const ProtobufCFieldDescriptor *
field_named(const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(&cli_fields__fields__descriptor, name);

    assert_non_null(field);
    return field;
}

static size_t
count_of(const CliFields__Fields *message, const char *name)
{
    return field_count(&message->base, field_named(name));
}

static char *
text_of(const CliFields__Fields *message, const char *name)
{
    const ProtobufCFieldDescriptor *field = field_named(name);
    GString *out = g_string_new(NULL);

    if (!field_append_text(out, field, field_value(&message->base, field, 0))) {
        assert_int_equal(out->len, 0);
        g_string_append(out, "(none)");
    }
    return g_string_free(out, FALSE);
}

static void
nothing_optional_is_there_before_it_is_set(void **unused)
{
    static const char *const names[] = { "u64",   "i64",    "u32",  "i32",  "real",  "small_real",
                                         "flag",  "text",   "raw",  "word", "inner", "numbers",
                                         "texts", "inners", "left", "right" };
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (count_of(&message, names[i]) != 0)
            fail_msg("%s is there", names[i]);
    }
    assert_int_equal(count_of(&message, "plain"), 1);
}

static void
a_zero_that_was_set_is_there(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    CliFields__Inner inner = CLI_FIELDS__INNER__INIT;
    char nothing[] = "";

    (void)unused;
    message.has_u64 = message.has_flag = message.has_raw = message.has_word = true;
    message.text = nothing;
    message.inner = &inner;
    assert_int_equal(count_of(&message, "u64"), 1);
    assert_int_equal(count_of(&message, "flag"), 1);
    assert_int_equal(count_of(&message, "raw"), 1);
    assert_int_equal(count_of(&message, "word"), 1);
    assert_int_equal(count_of(&message, "text"), 1);
    assert_int_equal(count_of(&message, "inner"), 1);
    assert_ptr_equal(field_message(field_value(&message.base, field_named("inner"), 0)), &inner);
}

static void
one_member_of_a_choice_is_there(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    char text[] = "r";

    (void)unused;
    message.choice_case = CLI_FIELDS__FIELDS__CHOICE_LEFT;
    message.left = 0;
    assert_int_equal(count_of(&message, "left"), 1);
    assert_int_equal(count_of(&message, "right"), 0);
    message.choice_case = CLI_FIELDS__FIELDS__CHOICE_RIGHT;
    message.right = text;
    assert_int_equal(count_of(&message, "left"), 0);
    assert_int_equal(count_of(&message, "right"), 1);
}

static void
numbers_are_exact_at_their_ends(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    g_autofree char *u64 = NULL;
    g_autofree char *i64 = NULL;
    g_autofree char *u32 = NULL;
    g_autofree char *i32 = NULL;

    (void)unused;
    message.u64 = UINT64_MAX;
    message.i64 = INT64_MIN;
    message.u32 = UINT32_MAX;
    message.i32 = INT32_MIN;
    u64 = text_of(&message, "u64");
    i64 = text_of(&message, "i64");
    u32 = text_of(&message, "u32");
    i32 = text_of(&message, "i32");
    assert_string_equal(u64, "18446744073709551615");
    assert_string_equal(i64, "-9223372036854775808");
    assert_string_equal(u32, "4294967295");
    assert_string_equal(i32, "-2147483648");
}

static void
a_real_number_is_as_short_as_it_can_be_and_still_the_same(void **unused)
{
    static const struct {
        double number;
        const char *want;
    } rows[] = {
        { 0, "0" },
        { 0.1, "0.1" },
        { 12.5, "12.5" },
        { 1.0 / 3, "0.3333333333333333" },
        { -2, "-2" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { INFINITY, "(none)" },
        { NAN, "(none)" },
    };

    (void)unused;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
        g_autofree char *got = NULL;

        message.real = rows[i].number;
        got = text_of(&message, "real");
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%g: %s, want %s", rows[i].number, got, rows[i].want);
    }
}

static void
an_enum_is_a_word_in_lower_case_or_a_number_that_is_not_known(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    g_autofree char *known = NULL;
    g_autofree char *unknown = NULL;

    (void)unused;
    message.word = CLI_FIELDS__WORD__QUITE_BUSY;
    known = text_of(&message, "word");
    message.word = (CliFields__Word)77;
    unknown = text_of(&message, "word");
    assert_string_equal(known, "quite_busy");
    assert_string_equal(unknown, "77");
}

static void
text_is_made_valid_and_bytes_are_base64(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    uint8_t bytes[] = { 0, 255, 10 };
    char broken[] = "a\xff";
    g_autofree char *text = NULL;
    g_autofree char *raw = NULL;

    (void)unused;
    message.text = broken;
    message.raw = (ProtobufCBinaryData){ sizeof(bytes), bytes };
    text = text_of(&message, "text");
    raw = text_of(&message, "raw");
    assert_string_equal(text, "a\xef\xbf\xbd");
    assert_string_equal(raw, "AP8K");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_optional_is_there_before_it_is_set),
        cmocka_unit_test(a_zero_that_was_set_is_there),
        cmocka_unit_test(one_member_of_a_choice_is_there),
        cmocka_unit_test(numbers_are_exact_at_their_ends),
        cmocka_unit_test(a_real_number_is_as_short_as_it_can_be_and_still_the_same),
        cmocka_unit_test(an_enum_is_a_word_in_lower_case_or_a_number_that_is_not_known),
        cmocka_unit_test(text_is_made_valid_and_bytes_are_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
