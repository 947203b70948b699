/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hold_record_test.c - what is on record of values that were changed, in this boot and the next */
#include "agent/actuator/balloon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/balloonhost.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, holdhost_setup, holdhost_teardown)

/* What the next boot finds. */
typedef enum {
    HAS_OURS,    /* the host went down with a balloon of ours */
    HAS_ENDED,   /* the domain was saved before that */
    HAS_FOREIGN, /* somebody else had set it */
} Leaves;

static void
leave(HoldHost *host, Leaves leaves)
{
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    if (leaves == HAS_FOREIGN) {
        balloonhost_want(host, &balloon, 400 * MIB);
        holdhost_answer(host, 400 * MIB, CHANGE_FOREIGN, 800 * MIB);
    }
    host->sample.n = leaves == HAS_ENDED ? 0 : HOLDHOST_DOMAINS;
    host->plans[0].balloon_bytes = U;
    balloonhost_apply(host, &balloon);
    host->sample.n = HOLDHOST_DOMAINS;
    balloon_done(&balloon);
}

static void
a_domain_that_comes_back_after_a_reboot_is_given_what_was_found(void **state)
{
    static const struct {
        const char *when;
        Leaves leaves;
        int id; /* of its start; libvirt counts from 1 in each boot, and had come to 3 */
        uint64_t shows;
        bool is_given_back;
    } rows[] = {
        { "saved, and restored", HAS_ENDED, 1, 500 * MIB, true },
        { "likewise, with the same number", HAS_ENDED, 3, 500 * MIB, true },
        { "saved by a shutdown that did not wait", HAS_OURS, 1, 500 * MIB, true },
        { "likewise, with the same number", HAS_OURS, 3, 500 * MIB, true },
        { "begun anew", HAS_OURS, 1, 1000 * MIB, false },
        { "begun anew, with the same number", HAS_OURS, 3, 1000 * MIB, false },
        { "begun with another balloon", HAS_OURS, 3, 700 * MIB, false },
        { "somebody else's, begun anew", HAS_FOREIGN, 3, 800 * MIB, false },
    };
    HoldHost *host = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const Hold *hold;
        Balloon balloon;

        host->subjects[0].id = 3;
        leave(host, rows[i].leaves);
        holdhost_reboot(host);
        balloonhost_start(host, &balloon);
        host->subjects[0].id = rows[i].id;
        host->samples[0].balloon_bytes = rows[i].shows;
        host->plans[0].balloon_bytes = U;
        balloonhost_apply(host, &balloon);
        if (host->asked->len != rows[i].is_given_back)
            fail_msg("%s: row %zu", rows[i].when, i);
        if (rows[i].is_given_back)
            holdhost_answer(host, 1000 * MIB, CHANGE_DONE, 500 * MIB);
        /* As any other domain, from now on. */
        host->samples[0].balloon_bytes = 1000 * MIB;
        balloonhost_want(host, &balloon, 600 * MIB);
        holdhost_answer(host, 600 * MIB, CHANGE_DONE, 1000 * MIB);
        hold = balloonhost_hold(host, &balloon);
        if (hold->id != rows[i].id || hold->known.found_bytes != 1000 * MIB)
            fail_msg("%s: start %d, found %g MiB", rows[i].when, hold->id,
                     (double)hold->known.found_bytes / (double)MIB);
        balloonhost_forget(host, &balloon);
        holdhost_reopen(host);
    }
}

static void
after_a_reboot_the_record_is_of_the_new_boot(void **state)
{
    HoldHost *host = *state;
    g_autofree char *live = NULL;
    g_autofree char *apart = NULL;
    Balloon balloon;

    leave(host, HAS_OURS);
    holdhost_reboot(host);
    balloonhost_start(host, &balloon);
    host->sample.n = 0; /* nothing runs yet */
    balloonhost_apply(host, &balloon);
    live = holdhost_entry(host, "balloon");
    assert_null(live);
    apart = holdhost_entry(host, "balloon_apart");
    assert_string_equal(apart, "ended 0 1048576000 524288000 524288000 524288000 -");
    balloon_done(&balloon);
}

static void
a_balloon_that_is_given_back_is_on_record_for_all_its_way(void **state)
{
    HoldHost *host = *state;
    g_autofree char *entry = NULL;
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

static void
what_was_foreign_goes_with_a_domain_that_ended_while_no_agent_ran(void **state)
{
    HoldHost *host = *state;
    Balloon balloon;

    balloonhost_start_with_half(host, &balloon);
    balloonhost_want(host, &balloon, 400 * MIB);
    holdhost_answer(host, 400 * MIB, CHANGE_FOREIGN, 800 * MIB);
    balloonhost_apply(host, &balloon);
    balloonhost_restart(host, &balloon);
    host->sample.n = 0;
    /* Until libvirt has told who runs, it may be among them. */
    host->decided.is_listed = false;
    balloonhost_apply(host, &balloon);
    assert_true(holdhost_is_foreign(host, &balloon.holds));
    host->decided.is_listed = true;
    balloonhost_apply(host, &balloon);
    assert_null(balloonhost_hold(host, &balloon));
    assert_true(hold_table_is_idle(&balloon.holds));
    assert_false(g_file_test(host->record, G_FILE_TEST_EXISTS));
    balloon_done(&balloon);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(a_domain_that_comes_back_after_a_reboot_is_given_what_was_found),
        ON_HOST(after_a_reboot_the_record_is_of_the_new_boot),
        ON_HOST(a_balloon_that_is_given_back_is_on_record_for_all_its_way),
        ON_HOST(what_the_worker_finds_on_the_way_back_is_not_taken_for_ours_before_it_began),
        ON_HOST(what_did_not_happen_to_a_domain_that_ended_is_not_kept_in_mind),
        ON_HOST(what_was_foreign_goes_with_a_domain_that_ended_while_no_agent_ran),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
