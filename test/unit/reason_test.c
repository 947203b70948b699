/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reason_test.c - every reason has its own word and sentence */
#include "policy/conf.h"
#include "policy/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
every_reason_has_a_word_and_a_sentence_that_no_other_has(void **unused)
{
    (void)unused;

    for (unsigned i = 0; i < REASON_COUNT; i++) {
        const char *name = reason_name((Reason)i);

        if (strspn(name, "abcdefghijklmnopqrstuvwxyz-") != strlen(name) || *name == '\0')
            fail_msg("reason %u: \"%s\" is not a word of a-z and -", i, name);
        assert_true(strlen(reason_text((Reason)i)) > strlen(name));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(name, reason_name((Reason)j));
            assert_string_not_equal(reason_text((Reason)i), reason_text((Reason)j));
        }
    }
}

/* "key" of [ksm], or "section.key" */
static bool
is_knob(const char *bound)
{
    const char *dot = strchr(bound, '.');
    const char *section = dot ? bound : "ksm";
    size_t length = dot ? (size_t)(dot - bound) : strlen(section);
    size_t n;
    const Knob *knobs = policy_knobs(&n);

    for (size_t i = 0; i < n; i++)
        if (strlen(knobs[i].section) == length && strncmp(knobs[i].section, section, length) == 0 &&
            strcmp(knobs[i].key, dot ? dot + 1 : bound) == 0)
            return true;
    return false;
}

static void
every_reason_says_what_would_change_it_and_names_a_bound_that_exists(void **unused)
{
    (void)unused;

    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (strlen(reason_change((Reason)i)) < 10)
            fail_msg("%s: says nothing of a change", reason_name((Reason)i));
        if (reason_bound((Reason)i) && !is_knob(reason_bound((Reason)i)))
            fail_msg("%s: no setting %s", reason_name((Reason)i), reason_bound((Reason)i));
    }
    assert_string_equal(reason_bound(REASON_CPU_BUDGET), "cpu_burst");
    assert_string_equal(reason_bound(REASON_TAKE), "balloon.shrink");
    assert_null(reason_bound(REASON_NO_DOMAIN));
}

static void
a_number_that_is_no_reason_is_unknown(void **unused)
{
    (void)unused;

    assert_string_equal(reason_name(REASON_COUNT), "unknown");
    assert_string_equal(reason_name((Reason)-1), "unknown");
    assert_string_equal(reason_text(REASON_COUNT), "unknown reason");
    assert_string_equal(reason_text((Reason)-1), "unknown reason");
    assert_string_equal(reason_change(REASON_COUNT), "unknown");
    assert_null(reason_bound(REASON_COUNT));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_word_and_a_sentence_that_no_other_has),
        cmocka_unit_test(every_reason_says_what_would_change_it_and_names_a_bound_that_exists),
        cmocka_unit_test(a_number_that_is_no_reason_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
