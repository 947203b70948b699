/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_json_test.c - any message as JSON, to the letter and as a JSON reader sees it */
#include "agent/cli/json.h"
#include "cli_fields.pb-c.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
every_member_stands_there_and_null_is_what_is_absent(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    g_autofree char *json = json_from_message(&message.base, JSON_LINE);

    (void)unused;
    assert_string_equal(json, "{\"u64\":null,\"i64\":null,\"u32\":null,\"i32\":null,\"real\":null,"
                              "\"small_real\":null,\"flag\":null,\"text\":null,\"raw\":null,"
                              "\"word\":null,\"inner\":null,\"numbers\":[],\"texts\":[],"
                              "\"inners\":[],\"plain\":0,\"plain_text\":null,\"left\":null,"
                              "\"right\":null}\n");
}

static void
fill(CliFields__Fields *message)
{
    static uint8_t bytes[] = { 0, 255, 10 };
    static uint64_t numbers[] = { 0, (uint64_t)1 << 63, UINT64_MAX };
    static char text[] = "\"q\" \\ \n\x01 \xc3\xbc \xe4\xb8\xad";
    static char one[] = "one";
    static char *texts[] = { one, text };
    static CliFields__Inner first = CLI_FIELDS__INNER__INIT;
    static CliFields__Inner second = CLI_FIELDS__INNER__INIT;
    static CliFields__Inner *inners[] = { &first, &second };

    first.text = one;
    message->has_u64 = message->has_i64 = message->has_u32 = message->has_i32 = true;
    message->has_real = message->has_small_real = message->has_flag = message->has_raw = true;
    message->has_word = true;
    message->u64 = UINT64_MAX;
    message->i64 = INT64_MIN;
    message->i32 = -1;
    message->real = 0.1;
    message->small_real = 0.5F;
    message->flag = true;
    message->text = text;
    message->raw = (ProtobufCBinaryData){ sizeof(bytes), bytes };
    message->word = CLI_FIELDS__WORD__QUITE_BUSY;
    message->inner = &second;
    message->numbers = numbers;
    message->n_numbers = G_N_ELEMENTS(numbers);
    message->texts = texts;
    message->n_texts = G_N_ELEMENTS(texts);
    message->inners = inners;
    message->n_inners = G_N_ELEMENTS(inners);
    message->choice_case = CLI_FIELDS__FIELDS__CHOICE_LEFT;
}

#define QUOTED "\"\\\"q\\\" \\\\ \\n\\u0001 \xc3\xbc \xe4\xb8\xad\""

static void
values_of_every_kind_are_exact(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    g_autofree char *json = NULL;

    (void)unused;
    fill(&message);
    json = json_from_message(&message.base, JSON_LINE);
    assert_string_equal(
        json, "{\"u64\":18446744073709551615,\"i64\":-9223372036854775808,\"u32\":0,\"i32\":-1,"
              "\"real\":0.1,\"small_real\":0.5,\"flag\":true,\"text\":" QUOTED ",\"raw\":\"AP8K\","
              "\"word\":\"quite_busy\",\"inner\":{\"text\":null},"
              "\"numbers\":[0,9223372036854775808,18446744073709551615],"
              "\"texts\":[\"one\"," QUOTED "],\"inners\":[{\"text\":\"one\"},{\"text\":null}],"
              "\"plain\":0,\"plain_text\":null,\"left\":0,\"right\":null}\n");
}

static void
a_page_is_indented_and_says_the_same(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    g_autofree char *page = NULL;
    g_autofree char *line = NULL;
    g_autoptr(JsonNode) from_page = NULL;
    g_autoptr(JsonNode) from_line = NULL;

    (void)unused;
    fill(&message);
    message.u64 = 1; /* the reader counts in int64 */
    message.n_numbers = 1;
    page = json_from_message(&message.base, JSON_PAGE);
    line = json_from_message(&message.base, JSON_LINE);
    from_page = json_from_string(page, NULL);
    from_line = json_from_string(line, NULL);
    assert_non_null(from_page);
    assert_non_null(from_line);
    assert_true(json_node_equal(from_page, from_line));
    assert_non_null(strstr(page, "{\n  \"u64\": 1,\n"));
    assert_non_null(strstr(page, "\"inners\": [\n    {\n      \"text\": \"one\"\n    },\n"));
}

static void
an_empty_message_and_an_empty_array_stay_on_their_line(void **unused)
{
    CliFields__Nothing nothing = CLI_FIELDS__NOTHING__INIT;
    CliFields__Fields fields = CLI_FIELDS__FIELDS__INIT;
    g_autofree char *empty = json_from_message(&nothing.base, JSON_PAGE);
    g_autofree char *page = json_from_message(&fields.base, JSON_PAGE);

    (void)unused;
    assert_string_equal(empty, "{}\n");
    assert_non_null(strstr(page, "\"numbers\": [],\n"));
}

static void
a_number_that_is_none_is_null(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    g_autofree char *json = NULL;

    (void)unused;
    message.has_real = true;
    message.real = NAN;
    json = json_from_message(&message.base, JSON_LINE);
    assert_non_null(strstr(json, "\"real\":null,"));
}

static void
an_enum_that_is_not_known_is_its_number(void **unused)
{
    CliFields__Fields message = CLI_FIELDS__FIELDS__INIT;
    g_autofree char *json = NULL;

    (void)unused;
    message.has_word = true;
    message.word = (CliFields__Word)77;
    json = json_from_message(&message.base, JSON_LINE);
    assert_non_null(strstr(json, "\"word\":77,"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_stands_there_and_null_is_what_is_absent),
        cmocka_unit_test(values_of_every_kind_are_exact),
        cmocka_unit_test(a_page_is_indented_and_says_the_same),
        cmocka_unit_test(an_empty_message_and_an_empty_array_stay_on_their_line),
        cmocka_unit_test(a_number_that_is_none_is_null),
        cmocka_unit_test(an_enum_that_is_not_known_is_its_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
