/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hold_record_test.c - what is on record of values that were changed */
#include "agent/actuator/balloon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/balloonhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, holdhost_setup, holdhost_teardown)

static void
a_balloon_that_is_given_back_is_on_record_for_all_its_way(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
    g_autofree char *note = NULL;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    host->plans[0].balloon_bytes = U;
    balloonhost_restart(host, &balloon);
    balloonhost_apply(host, &balloon);
    entry = holdhost_entry(host, "balloon");
    assert_string_equal(entry, "3 1048576000 524288000 1048576000 524288000 -");
    holdhost_answer(host, 1000 * MIB, CHANGE_DONE, 500 * MIB);
    /* Killed again, half way. */
    host->samples[0].balloon_bytes = 700 * MIB;
    balloonhost_restart(host, &balloon);
    balloonhost_apply(host, &balloon);
    assert_true(
        change_is_known(CHANGE_BALLOON, &g_array_index(host->asked, Change, 0).known, 700 * MIB));
    holdhost_answer(host, 1000 * MIB, CHANGE_DONE, 700 * MIB);
    host->samples[0].balloon_bytes = 1000 * MIB;
    balloonhost_apply(host, &balloon);
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    balloon_done(&balloon);
}

static void
what_the_worker_finds_on_the_way_back_is_not_taken_for_ours_before_it_began(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    host->plans[0].balloon_bytes = U;
    balloonhost_restart(host, &balloon);
    balloonhost_apply(host, &balloon);
    /* Somebody has set it while nobody looked. */
    assert_false(
        change_is_known(CHANGE_BALLOON, &g_array_index(host->asked, Change, 0).known, 700 * MIB));
    holdhost_answer(host, 1000 * MIB, CHANGE_FOREIGN, 700 * MIB);
    assert_true(holdhost_is_foreign(host, &balloon.holds));
    balloon_done(&balloon);
}

static void
what_did_not_happen_to_a_domain_that_ended_is_not_kept_in_mind(void **state)
{
    HoldHost *host = *state;
    g_autofree char *apart = NULL;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    balloonhost_want(host, &balloon, 400 * MIB);
    holdhost_answer(host, 400 * MIB, CHANGE_GONE, U);
    host->sample.n = 0;
    balloonhost_apply(host, &balloon);
    apart = holdhost_entry(host, "balloon_apart");
    assert_string_equal(apart, "ended 3 1048576000 524288000 524288000 524288000 -");
    balloon_done(&balloon);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_balloon_that_is_given_back_is_on_record_for_all_its_way),
        ON_HOST(what_the_worker_finds_on_the_way_back_is_not_taken_for_ours_before_it_began),
        ON_HOST(what_did_not_happen_to_a_domain_that_ended_is_not_kept_in_mind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
