/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* motion_test.c - what is on its way, what is stuck, and what was promised */
#include "policy/motion.h"
#include "policy/rule.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Only this rule looks. */
static void
look(MemCase *one, uint64_t us)
{
    one->host.now_us += us;
    motion_step(&one->conf, &(Sample){ one->host, one->domains, one->n }, &one->state, &one->plan);
}

/* A balloon that was asked for something. */
static void
ask(MemCase *one, uint64_t mib)
{
    memcase_init(one, 1);
    one->state.domains = one->tracks;
    look(one, 0);
    motion_ask(one->host.now_us, &one->domains[0], mib * MIB, &one->tracks[0]);
}

/* So much later it is there. */
static void
move(MemCase *one, uint64_t us, uint64_t mib)
{
    one->domains[0].balloon_bytes = mib * MIB;
    look(one, us);
}

static uint64_t
coming_mib(const MemCase *one)
{
    return motion_coming(&one->domains[0], &one->tracks[0]) / MIB;
}

static void
what_was_asked_for_is_coming_until_it_is_there(void **unused)
{
    MemCase one;
    (void)unused;

    ask(&one, 600);
    assert_int_equal(coming_mib(&one), 400);
    assert_int_equal(motion_end_bytes(&one.domains[0], &one.tracks[0]), 1000 * MIB);
    move(&one, 10 * S, 800);
    assert_int_equal(coming_mib(&one), 200);
    assert_int_equal(one.tracks[0].balloon.moved_us, one.host.now_us);
    move(&one, 10 * S, 606); /* as good as there */
    assert_int_equal(coming_mib(&one), 0);
    assert_int_equal(one.tracks[0].balloon.asked_bytes, 0);
}

static void
a_balloon_without_progress_is_stuck_until_it_moves(void **unused)
{
    static const struct {
        const char *when;
        uint64_t after_s, at_mib;
        bool stuck;
        uint64_t coming_mib;
    } rows[] = {
        { "asked", 0, 1000, false, 400 },        { "a little later", 59, 1000, false, 400 },
        { "a minute later", 1, 1000, true, 0 },  { "hardly moves", 1, 951, true, 0 },
        { "moves", 1, 950, false, 350 },         { "slower than it should", 60, 930, true, 0 },
        { "arrives at once", 1, 600, false, 0 },
    };
    MemCase one;
    (void)unused;

    ask(&one, 600);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        move(&one, rows[r].after_s * S, rows[r].at_mib);
        if (one.tracks[0].balloon.stuck != rows[r].stuck || coming_mib(&one) != rows[r].coming_mib)
            fail_msg("%s: stuck %d, %" PRIu64 " MiB to come", rows[r].when,
                     one.tracks[0].balloon.stuck, coming_mib(&one));
    }
}

static void
what_a_slow_balloon_brings_late_is_not_counted_upon(void **unused)
{
    static const struct {
        const char *when;
        uint64_t after_s, at_mib;
        uint64_t coming_mib, slowness;
    } rows[] = {
        { "asked", 0, 1000, 600, 1 },          { "nothing happens yet", 2, 1000, 600, 1 },
        { "20 MiB a second", 5, 900, 200, 5 }, { "it goes on", 10, 700, 200, 5 },
        { "slower", 10, 660, 160, 6 },         { "fast", 1, 460, 60, 1 },
        { "it is there", 1, 400, 0, 1 },
    };
    MemCase one;
    (void)unused;

    ask(&one, 400);
    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t slowness;

        move(&one, rows[r].after_s * S, rows[r].at_mib);
        slowness = motion_slowness(&one.domains[0], &one.tracks[0].balloon);
        if (coming_mib(&one) != rows[r].coming_mib || slowness != rows[r].slowness)
            fail_msg("%s: %" PRIu64 " MiB to come, slowness %" PRIu64, rows[r].when,
                     coming_mib(&one), slowness);
    }
}

static void
what_is_not_on_its_way_has_no_speed(void **unused)
{
    MemCase one;
    (void)unused;

    ask(&one, 400);
    move(&one, 0, 1000);
    one.domains[0].is_still = true;
    move(&one, 2 * S, 990);
    one.domains[0].is_still = false;
    one.domains[0].balloon_waits = true;
    move(&one, 2 * S, 980);
    one.domains[0].balloon_waits = false;
    move(&one, 2 * S, 970);
    assert_int_equal(one.tracks[0].balloon.speed_bytes_s, 0);
    move(&one, S / 2, 960); /* too soon to tell */
    assert_int_equal(one.tracks[0].balloon.speed_bytes_s, 0);
    move(&one, S / 2, 950);
    assert_int_equal(one.tracks[0].balloon.speed_bytes_s, 20 * MIB);
    one.domains[0].maximum_bytes = U;
    assert_int_equal(motion_slowness(&one.domains[0], &one.tracks[0].balloon), 1);
}

static void
memory_that_was_never_touched_frees_nothing(void **unused)
{
    static const struct {
        const char *when;
        uint64_t resident_mib, unused_mib; /* U: not known */
        uint64_t coming_mib;               /* of 400 */
    } rows[] = {
        { "all was touched", 1000, 500, 400 },
        { "half of what is unused never was", 750, 500, 200 },
        { "nothing of it was", 500, 500, 0 },
        { "more is taken than is unused", 700, 300, 100 },
        { "nothing is unused", 700, 0, 400 },
        { "nobody says what is unused", 500, U, 400 },
        { "nobody says what was touched", U, 500, 400 },
        { "more than it has: the overhead", 1040, 500, 400 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        DomainSample *domain;
        MemCase one;

        ask(&one, 600);
        domain = &one.domains[0];
        domain->resident_bytes = rows[r].resident_mib == U ? U : rows[r].resident_mib * MIB;
        domain->guest_unused_bytes = rows[r].unused_mib == U ? U : rows[r].unused_mib * MIB;
        if (coming_mib(&one) != rows[r].coming_mib)
            fail_msg("%s: %" PRIu64 " MiB to come", rows[r].when, coming_mib(&one));
    }
}

static void
a_domain_that_is_held_still_is_not_blamed(void **unused)
{
    MemCase one;
    (void)unused;

    ask(&one, 600);
    one.domains[0].is_still = true;
    move(&one, 600 * S, 1000);
    one.domains[0].is_still = false;
    move(&one, 59 * S, 1000);
    assert_false(one.tracks[0].balloon.stuck);
    move(&one, 1 * S, 1000);
    assert_true(one.tracks[0].balloon.stuck);
}

static void
the_guests_time_begins_when_it_hears_of_it(void **unused)
{
    MemCase one;
    (void)unused;

    ask(&one, 600);
    one.domains[0].balloon_waits = true;
    move(&one, 59 * S, 1000);
    assert_int_equal(coming_mib(&one), 400); /* it may take a moment */
    move(&one, 1 * S, 1000);
    assert_int_equal(coming_mib(&one), 0); /* but is not counted upon for ever */
    one.domains[0].balloon_waits = false;
    move(&one, 1 * S, 1000);
    assert_int_equal(coming_mib(&one), 400);
    move(&one, 59 * S, 1000);
    assert_false(one.tracks[0].balloon.stuck);
    move(&one, 1 * S, 1000);
    assert_true(one.tracks[0].balloon.stuck);
}

static void
what_is_called_off_is_asked_until_it_was_passed_on(void **unused)
{
    MemCase one;
    (void)unused;

    ask(&one, 600);
    move(&one, S, 800);
    motion_ask(one.host.now_us, &one.domains[0], 800 * MIB, &one.tracks[0]);
    one.domains[0].balloon_waits = true;
    look(&one, S);
    assert_int_equal(one.tracks[0].balloon.asked_bytes, 800 * MIB);
    one.domains[0].balloon_waits = false;
    look(&one, S);
    assert_int_equal(one.tracks[0].balloon.asked_bytes, 0);
}

static void
what_is_refused_was_never_asked(void **unused)
{
    static const struct {
        const char *when;
        uint64_t asked_mib;
    } rows[] = { { "a grant", 900 }, { "a take", 400 } };
    (void)unused;

    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        MemCase one;

        ask(&one, 600);
        move(&one, S, 600);
        motion_ask(one.host.now_us, &one.domains[0], rows[r].asked_mib * MIB, &one.tracks[0]);
        one.domains[0].balloon_refuses = true;
        look(&one, S);
        if (one.tracks[0].balloon.promise_bytes > 0 || coming_mib(&one) > 0 ||
            motion_end_bytes(&one.domains[0], &one.tracks[0]) != 600 * MIB)
            fail_msg("%s: %" PRIu64 " MiB to come", rows[r].when, coming_mib(&one));
    }
}

static void
what_was_given_is_promised_until_it_is_touched(void **unused)
{
    MemCase one;
    (void)unused;

    ask(&one, 600);
    move(&one, S, 600);
    one.domains[0].resident_bytes = 600 * MIB;
    look(&one, S);
    motion_ask(one.host.now_us, &one.domains[0], 900 * MIB, &one.tracks[0]);
    assert_int_equal(one.tracks[0].balloon.promise_bytes, 300 * MIB);
    assert_int_equal(motion_end_bytes(&one.domains[0], &one.tracks[0]), 900 * MIB);
    assert_int_equal(coming_mib(&one), 0);
    one.domains[0].resident_bytes = 700 * MIB;
    move(&one, S, 900);
    assert_int_equal(one.tracks[0].balloon.promise_bytes, 200 * MIB);
    one.domains[0].resident_bytes = U;
    look(&one, S);
    one.domains[0].resident_bytes = 800 * MIB;
    look(&one, S);
    assert_int_equal(one.tracks[0].balloon.promise_bytes, 200 * MIB);
    motion_ask(one.host.now_us, &one.domains[0], 850 * MIB, &one.tracks[0]);
    assert_int_equal(one.tracks[0].balloon.promise_bytes, 150 * MIB);
}

static void
what_is_given_and_not_taken_is_given_up(void **unused)
{
    MemCase one;
    (void)unused;

    ask(&one, 600);
    move(&one, S, 600);
    motion_ask(one.host.now_us, &one.domains[0], 900 * MIB, &one.tracks[0]);
    move(&one, 60 * S, 600);
    assert_int_equal(one.tracks[0].balloon.promise_bytes, 0);
    assert_int_equal(one.tracks[0].balloon.asked_bytes, 0);
    assert_false(one.tracks[0].balloon.stuck);
}

static void
where_somebody_else_set_it_is_the_new_beginning(void **unused)
{
    MemCase one;
    (void)unused;

    ask(&one, 600);
    one.domains[0].balloon_foreign = true;
    move(&one, S, 800);
    assert_int_equal(one.tracks[0].balloon.asked_bytes, 0);
    assert_int_equal(one.tracks[0].balloon.acted_us, 0);
    assert_int_equal(coming_mib(&one), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_asked_for_is_coming_until_it_is_there),
        cmocka_unit_test(a_balloon_without_progress_is_stuck_until_it_moves),
        cmocka_unit_test(what_a_slow_balloon_brings_late_is_not_counted_upon),
        cmocka_unit_test(what_is_not_on_its_way_has_no_speed),
        cmocka_unit_test(memory_that_was_never_touched_frees_nothing),
        cmocka_unit_test(a_domain_that_is_held_still_is_not_blamed),
        cmocka_unit_test(the_guests_time_begins_when_it_hears_of_it),
        cmocka_unit_test(what_is_called_off_is_asked_until_it_was_passed_on),
        cmocka_unit_test(what_is_refused_was_never_asked),
        cmocka_unit_test(what_was_given_is_promised_until_it_is_touched),
        cmocka_unit_test(what_is_given_and_not_taken_is_given_up),
        cmocka_unit_test(where_somebody_else_set_it_is_the_new_beginning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
