/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reason_test.c - every reason has its own word and sentence */
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

static void
a_number_that_is_no_reason_is_unknown(void **unused)
{
    (void)unused;

    assert_string_equal(reason_name(REASON_COUNT), "unknown");
    assert_string_equal(reason_name((Reason)-1), "unknown");
    assert_string_equal(reason_text(REASON_COUNT), "unknown reason");
    assert_string_equal(reason_text((Reason)-1), "unknown reason");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_word_and_a_sentence_that_no_other_has),
        cmocka_unit_test(a_number_that_is_no_reason_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
