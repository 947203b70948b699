/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon_give_test.c - what is free goes to those who need it, in their order */
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
who_is_short_is_given_large_steps_at_once(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].balloon_bytes = 400 * MIB;
    memcase_uses(&one, 0, 395);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 650, REASON_GIVE_BACK, "a quarter of its maximum");
    memcase_after(&one, S / 2);
    memcase_assert_balloon(&one, 0, U, REASON_GUEST_SHORT, "has not told yet");
    one.domains[0].balloon_bytes = 650 * MIB;
    memcase_uses(&one, 0, 645);
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, 900, REASON_GIVE_BACK, "told that it is not enough");
    memcase_obey(&one);
    memcase_uses(&one, 0, 895);
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, 1000, REASON_GIVE_BACK, "all there is");
    memcase_obey(&one);
    memcase_uses(&one, 0, 500);
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, U, REASON_GUEST_SHORT, "was short a moment ago");
}

static void
a_slow_balloon_is_not_asked_for_more_than_a_step_ahead(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].balloon_bytes = 400 * MIB;
    memcase_uses(&one, 0, 395);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 650, REASON_GIVE_BACK, "a step");
    one.domains[0].resident_bytes += 200 * MIB; /* of its own, since the balloon is where it was */
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, U, REASON_GUEST_SHORT, "nothing has come");
    assert_int_equal(one.tracks[0].balloon.promise_bytes, 250 * MIB);
    one.domains[0].balloon_bytes = 500 * MIB;
    memcase_uses(&one, 0, 495);
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, 750, REASON_GIVE_BACK, "a part of it has");
}

static void
a_grant_that_was_lost_is_wanted_at_the_next_decision_and_promised_once(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].balloon_bytes = 400 * MIB;
    memcase_uses(&one, 0, 395);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 650, REASON_GIVE_BACK, "a step");
    one.domains[0].balloon_waits = true;
    memcase_after(&one, S / 10);
    memcase_assert_balloon(&one, 0, 650, REASON_WAITING, "it was lost");
    assert_int_equal(one.tracks[0].balloon.promise_bytes, 250 * MIB);
    one.domains[0].floor_bytes = 700 * MIB;
    memcase_after(&one, S / 10);
    memcase_assert_balloon(&one, 0, U, REASON_GUEST_SHORT, "it is to have more by now");
    one.domains[0].floor_bytes = U;
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, 650, REASON_GIVE_BACK, "a step");
    one.domains[0].ceiling_bytes = 500 * MIB;
    memcase_after(&one, S / 10);
    memcase_assert_balloon(&one, 0, U, REASON_AT_CEILING, "it may not have that much any more");
    assert_int_equal(one.tracks[0].balloon.promise_bytes, 0);
}

static void
first_what_is_free_then_what_others_gave(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 2); /* 900 MiB available, 200 of them for nobody */
    memcase_available(&one, 300);
    one.domains[0].balloon_bytes = 400 * MIB;
    memcase_uses(&one, 0, 385);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 500, REASON_GIVE_BACK, "what is above half the critical mark");
    memcase_assert_balloon(&one, 1, 900, REASON_TAKE, "the other one");
    assert_int_equal(one.state.memory.unmet_bytes, 0);
    memcase_available(&one, 200); /* the first has it, the second has given nothing yet */
    one.domains[0].balloon_bytes = 500 * MIB;
    one.domains[0].resident_bytes = 1100 * MIB;
    memcase_uses(&one, 0, 485);
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, U, REASON_GUEST_SHORT, "nothing is free");
    assert_int_equal(one.state.memory.unmet_bytes, 100 * MIB);
    memcase_available(&one, 260); /* now it has */
    one.domains[1].balloon_bytes = 900 * MIB;
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, 560, REASON_GIVE_BACK, "what has come");
}

static void
what_was_promised_is_not_given_twice(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 2);
    memcase_available(&one, 300);
    one.domains[0].balloon_bytes = one.domains[1].balloon_bytes = 400 * MIB;
    memcase_uses(&one, 0, 385);
    memcase_uses(&one, 1, 350);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 500, REASON_GIVE_BACK, "the first");
    memcase_uses(&one, 1, 385); /* short too, and what the first was given is not used yet */
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 1, U, REASON_GUEST_SHORT, "the second");
}

static void
a_guest_about_to_kill_its_programs_may_have_what_the_host_must_swap_for(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 1);
    memcase_available(&one, 100);
    one.domains[0].balloon_bytes = 400 * MIB;
    memcase_uses(&one, 0, 399);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 500, REASON_GIVE_BACK, "a small step");
    one.host.swap_free_bytes = U;
    memcase_obey(&one);
    memcase_available(&one, 0);
    memcase_uses(&one, 0, 499);
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, U, REASON_GUEST_SHORT, "without swap");
}

static void
need_is_met_above_the_tight_mark(void **unused)
{
    static const struct {
        const char *when;
        uint64_t balloon_mib, uses_mib, available_mib, want_mib;
        Reason reason;
    } rows[] = {
        { "lacks headroom", 500, 450, 5000, 540, REASON_GIVE_BACK },
        { "hardly lacks any", 530, 450, 5000, U, REASON_CALM },
        { "host at its mark", 500, 450, 1000, U, REASON_CALM },
        { "a part of it", 500, 450, 1030, 530, REASON_GIVE_BACK },
        { "a part that is too small", 500, 450, 1010, U, REASON_CALM },
        { "below its floor", 100, 80, 5000, 250, REASON_GIVE_BACK },
        { "below its floor, little there", 100, 80, 1100, U, REASON_CALM },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 1);
        one.domains[0].balloon_bytes = rows[r].balloon_mib * MIB;
        memcase_uses(&one, 0, rows[r].uses_mib);
        memcase_available(&one, rows[r].available_mib);
        memcase_decide(&one);
        memcase_assert_balloon(&one, 0, rows[r].want_mib, rows[r].reason, rows[r].when);
    }
}

static void
much_that_is_lacking_comes_in_large_steps(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].balloon_bytes = 400 * MIB;
    memcase_uses(&one, 0, 300);
    one.domains[0].working_set_bytes = 700 * MIB;
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 650, REASON_GIVE_BACK, "a quarter of its maximum");
}

static void
what_was_taken_goes_back_when_the_host_is_calm_to_the_busiest_first(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 2);
    memcase_uses(&one, 1, 300);
    memcase_decide(&one);
    for (size_t i = 0; i < 2; i++) {
        one.domains[i].balloon_bytes = 700 * MIB;
        one.domains[i].found_bytes = 1000 * MIB;
        memcase_uses(&one, i, i == 0 ? 500 : 300);
    }
    memcase_available(&one, 1560); /* 60 above the mark for the idle */
    memcase_after(&one, 2 * S);
    memcase_assert_balloon(&one, 0, 750, REASON_GIVE_BACK, "the busy one");
    memcase_assert_balloon(&one, 1, U, REASON_CALM, "the idle one");
    memcase_available(&one, 5000);
    memcase_obey(&one);
    memcase_after(&one, 5 * S);
    memcase_assert_balloon(&one, 0, U, REASON_CALM, "a step at a time");
    memcase_assert_balloon(&one, 1, 750, REASON_GIVE_BACK, "its turn");
    for (unsigned tick = 0; tick < 20; tick++) {
        memcase_obey(&one);
        memcase_after(&one, 20 * S);
    }
    assert_int_equal(one.domains[0].balloon_bytes, 1000 * MIB);
    assert_int_equal(one.domains[1].balloon_bytes, 1000 * MIB);
    assert_int_equal(one.plan.next_tick_us, 2 * S);
}

/* Its guest, its definition or an operator has moved it. */
static void
assert_stays(MemCase *one, uint64_t mib, Reason reason, const char *when)
{
    one->domains[0].balloon_bytes = mib * MIB;
    memcase_uses(one, 0, 100);
    if (reason != REASON_CALM)
        one->domains[0].guest_age_us = U;
    for (unsigned tick = 0; tick < 3; tick++) {
        memcase_after(one, 20 * S);
        memcase_assert_balloon(one, 0, U, reason, when);
    }
}

static void
where_others_have_put_it_it_is_at_home(void **unused)
{
    static const struct {
        const char *when;
        uint64_t mib;
        Reason reason;
    } rows[] = {
        { "seen for the first time", 1000, REASON_CALM },
        { "an operator takes from it", 500, REASON_CALM },
        { "its guest is up, and inflates it", 450, REASON_CALM },
        { "and goes on", 400, REASON_CALM },
        { "rebooted: no driver yet", 1000, REASON_STATS_STALE },
        { "and inflated again", 400, REASON_CALM },
        { "nobody tells of it any more", 300, REASON_STATS_STALE },
    };
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    for (size_t r = 0; r < ROWS(rows); r++)
        assert_stays(&one, rows[r].mib, rows[r].reason, rows[r].when);
    one.domains[0].balloon_bytes = U;
    memcase_after(&one, 20 * S);
    memcase_assert_balloon(&one, 0, U, REASON_FACT_MISSING, "it is not known where it is");
}

static void
what_was_taken_goes_back_to_where_it_was_found_not_to_where_it_was_met(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.conf.high_enable = ENABLE_NO;
    assert_stays(&one, 400, REASON_CALM, "met as it came back from a file");
    assert_stays(&one, 800, REASON_CALM, "an operator gives to it");
    memcase_available(&one, 900);
    for (unsigned tick = 0; tick < 4; tick++) {
        memcase_after(&one, 20 * S);
        memcase_obey(&one);
    }
    assert_int_equal(one.domains[0].balloon_bytes, 600 * MIB);
    memcase_available(&one, 5000);
    one.domains[0].balloon_bytes = 1000 * MIB; /* it reboots */
    memcase_after(&one, 20 * S);
    one.domains[0].balloon_bytes = 600 * MIB;
    for (unsigned tick = 0; tick < 6; tick++) {
        memcase_after(&one, 20 * S);
        memcase_obey(&one);
    }
    assert_int_equal(one.domains[0].balloon_bytes, 800 * MIB);
    assert_stays(&one, 500, REASON_CALM, "all is given back, and an operator takes from it");
}

static void
what_fell_silent_is_given_back_what_was_taken_from_it(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init_balloons(&one, 1);
    memcase_decide(&one);
    memcase_assert_balloon(&one, 0, 950, REASON_TAKE, "told");
    memcase_obey(&one);
    one.domains[0].guest_age_us = U;
    memcase_after(&one, 5 * S);
    memcase_assert_balloon(&one, 0, U, REASON_STATS_STALE, "a step is fresh");
    memcase_after(&one, 10 * S);
    memcase_assert_balloon(&one, 0, 1000, REASON_GIVE_BACK, "silent");
    assert_int_equal(one.state.memory.unmet_bytes, 0);
    one.domains[0].balloon_bytes = 1000 * MIB;
    memcase_after(&one, 20 * S);
    memcase_assert_balloon(&one, 0, U, REASON_STATS_STALE, "as it was found");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_short_is_given_large_steps_at_once),
        cmocka_unit_test(a_slow_balloon_is_not_asked_for_more_than_a_step_ahead),
        cmocka_unit_test(a_grant_that_was_lost_is_wanted_at_the_next_decision_and_promised_once),
        cmocka_unit_test(first_what_is_free_then_what_others_gave),
        cmocka_unit_test(what_was_promised_is_not_given_twice),
        cmocka_unit_test(a_guest_about_to_kill_its_programs_may_have_what_the_host_must_swap_for),
        cmocka_unit_test(need_is_met_above_the_tight_mark),
        cmocka_unit_test(much_that_is_lacking_comes_in_large_steps),
        cmocka_unit_test(what_was_taken_goes_back_when_the_host_is_calm_to_the_busiest_first),
        cmocka_unit_test(where_others_have_put_it_it_is_at_home),
        cmocka_unit_test(what_was_taken_goes_back_to_where_it_was_found_not_to_where_it_was_met),
        cmocka_unit_test(what_fell_silent_is_given_back_what_was_taken_from_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
