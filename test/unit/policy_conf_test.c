/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy_conf_test.c - the rows that describe the policy library's settings hold together */
#include "policy/conf.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"

static size_t
count_words(const char *const *words)
{
    size_t n = 0;

    while (words[n])
        n++;
    return n;
}

static bool
has_word(const char *const *words, const char *word)
{
    for (size_t i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static void
every_default_is_valid_by_its_own_row(void **unused)
{
    size_t n;
    const Knob *rows = policy_knobs(&n);
    (void)unused;

    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        const char *text = rows[i].fallback;
        uint64_t value;

        if (rows[i].kind == KNOB_ENUM && !has_word(rows[i].words, text))
            fail_msg("%s: %s is not one of its words", rows[i].key, text);
        if (rows[i].kind != KNOB_ENUM && !knob_number(&rows[i], text, &value))
            fail_msg("%s: %s is not a number within %" PRIu64 " to %" PRIu64, rows[i].key, text,
                     rows[i].min, rows[i].max);
    }
}

static void
every_row_is_complete(void **unused)
{
    size_t n;
    const Knob *rows = policy_knobs(&n);
    (void)unused;

    for (size_t i = 0; i < n; i++) {
        const Knob *row = &rows[i];
        const char *key = row->key;

        if (strspn(row->section, LOWER "_") != strlen(row->section) || *row->section == '\0' ||
            strspn(key, LOWER "_") != strlen(key) || *key == '\0')
            fail_msg("[%s] %s: not words of a-z and _", row->section, key);
        if (strlen(row->help) < 10 || row->help[strlen(row->help) - 1] != '.')
            fail_msg("%s: the help text is not a sentence: %s", key, row->help);
        if (row->kind != KNOB_UINT && row->kind != KNOB_PERCENT && row->kind != KNOB_ENUM)
            fail_msg("%s: kind %d", key, (int)row->kind);
        if (row->kind != KNOB_ENUM && (row->words || !row->unit || row->min >= row->max))
            fail_msg("%s: range %" PRIu64 " to %" PRIu64, key, row->min, row->max);
        if (row->kind == KNOB_ENUM && (!row->words || count_words(row->words) < 2))
            fail_msg("%s: fewer than two words", key);
    }
}

static void
no_row_says_what_another_says(void **unused)
{
    size_t n;
    const Knob *rows = policy_knobs(&n);
    (void)unused;

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(rows[i].section, rows[j].section) == 0 &&
                strcmp(rows[i].key, rows[j].key) == 0)
                fail_msg("[%s] %s has two rows", rows[i].section, rows[i].key);
            if (rows[i].offset == rows[j].offset)
                fail_msg("%s and %s have the same field", rows[i].key, rows[j].key);
        }
    }
}

static void
every_field_has_a_row(void **unused)
{
    size_t first = offsetof(PolicyConf, cpu_burst_bp);
    size_t numbers = 0;
    size_t words = 0;
    size_t n;
    const Knob *rows = policy_knobs(&n);
    (void)unused;

    for (size_t i = 0; i < n; i++) {
        if (rows[i].kind == KNOB_ENUM) {
            words++;
            assert_true(rows[i].offset < first && rows[i].offset % sizeof(unsigned) == 0);
            continue;
        }
        numbers++;
        assert_true(rows[i].offset >= first && rows[i].offset < sizeof(PolicyConf));
        assert_true((rows[i].offset - first) % sizeof(uint64_t) == 0);
    }
    assert_int_equal(numbers, (sizeof(PolicyConf) - first) / sizeof(uint64_t));
    /* An odd number of words is followed by padding. */
    assert_int_equal((words + words % 2) * sizeof(unsigned), first);
}

static void
the_defaults_are_those_of_the_rows(void **unused)
{
    PolicyConf conf;
    size_t n;
    const Knob *rows = policy_knobs(&n);
    (void)unused;

    memset(&conf, 0xa5, sizeof(conf));
    policy_conf_default(&conf);
    for (size_t i = 0; i < n; i++) {
        uint64_t value;
        uint64_t want;

        if (rows[i].kind == KNOB_ENUM) {
            unsigned word;

            memcpy(&word, (const char *)&conf + rows[i].offset, sizeof(word));
            assert_string_equal(rows[i].words[word], rows[i].fallback);
            continue;
        }
        memcpy(&value, (const char *)&conf + rows[i].offset, sizeof(value));
        if (!knob_number(&rows[i], rows[i].fallback, &want) || value != want)
            fail_msg("%s: %" PRIu64 ", want %s", rows[i].key, value, rows[i].fallback);
    }
}

static void
the_defaults_of_the_ladder_are_the_documented_ones(void **unused)
{
    PolicyConf conf;
    (void)unused;

    policy_conf_default(&conf);
    assert_int_equal(conf.mode, KSM_MODE_AUTO);
    assert_int_equal(conf.aggressive_s, 30);
    assert_int_equal(conf.standard_s, 120);
    assert_int_equal(conf.slow_s, 120);
    assert_int_equal(conf.aggressive_divisor, 10);
    assert_int_equal(conf.standard_divisor, 100);
    assert_int_equal(conf.slow_divisor, 500);
    assert_int_equal(conf.aggressive_ms, 1);
    assert_int_equal(conf.standard_ms, 10);
    assert_int_equal(conf.slow_ms, 100);
}

static void
every_mode_has_a_word_and_every_word_a_mode(void **unused)
{
    static const char *const want[] = { "auto", "classic", "fixed", "observe", "off" };
    (void)unused;

    assert_int_equal(count_words(ksm_mode_words), KSM_MODE_COUNT);
    assert_int_equal(sizeof(want) / sizeof(want[0]), KSM_MODE_COUNT);
    for (size_t i = 0; i < KSM_MODE_COUNT; i++)
        assert_string_equal(ksm_mode_words[i], want[i]);
}

static void
zero_pages_are_left_alone_unless_a_word_says_otherwise(void **unused)
{
    static const char *const want[] = { "as-found", "on", "off" };
    PolicyConf conf;
    (void)unused;

    policy_conf_default(&conf);
    assert_int_equal(conf.use_zero_pages, ZERO_PAGES_AS_FOUND);
    assert_int_equal(count_words(zero_pages_words), ZERO_PAGES_COUNT);
    assert_int_equal(sizeof(want) / sizeof(want[0]), ZERO_PAGES_COUNT);
    for (size_t i = 0; i < ZERO_PAGES_COUNT; i++)
        assert_string_equal(zero_pages_words[i], want[i]);
}

static void
nodes_are_left_alone_unless_a_word_says_otherwise(void **unused)
{
    PolicyConf conf;
    (void)unused;

    policy_conf_default(&conf);
    assert_int_equal(conf.merge_across_nodes, NODES_AS_FOUND);
    assert_int_equal(count_words(merge_nodes_words), NODES_COUNT);
    assert_string_equal(merge_nodes_words[NODES_TOGETHER], "yes");
    assert_string_equal(merge_nodes_words[NODES_APART], "no");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_is_valid_by_its_own_row),
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(no_row_says_what_another_says),
        cmocka_unit_test(every_field_has_a_row),
        cmocka_unit_test(the_defaults_are_those_of_the_rows),
        cmocka_unit_test(the_defaults_of_the_ladder_are_the_documented_ones),
        cmocka_unit_test(every_mode_has_a_word_and_every_word_a_mode),
        cmocka_unit_test(zero_pages_are_left_alone_unless_a_word_says_otherwise),
        cmocka_unit_test(nodes_are_left_alone_unless_a_word_says_otherwise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
