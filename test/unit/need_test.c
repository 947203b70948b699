/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* need_test.c - what a guest tells is used if it can be true, and its shortage is seen */
#include "policy/need.h"
#include "policy/stake.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KIB UINT64_C(1024)

static void
what_is_old_absent_or_impossible_is_left_out(void **unused)
{
    static const struct {
        const char *when;
        size_t offset;
        uint64_t value;
        Reason want;
    } rows[] = {
        { "fresh", offsetof(DomainSample, guest_age_us), 6 * S, REASON_NONE },
        { "older than three periods", offsetof(DomainSample, guest_age_us), 6 * S + 1,
          REASON_STATS_STALE },
        { "never told", offsetof(DomainSample, guest_age_us), U, REASON_STATS_STALE },
        { "a long period", offsetof(DomainSample, guest_period_us), 3600 * S, REASON_NONE },
        { "no period", offsetof(DomainSample, guest_period_us), 0, REASON_NONE },
        { "no available", offsetof(DomainSample, guest_available_bytes), U, REASON_STATS_STALE },
        { "available 0", offsetof(DomainSample, guest_available_bytes), 0, REASON_STATS_STALE },
        { "more than maximum", offsetof(DomainSample, guest_available_bytes), 1001 * MIB,
          REASON_STATS_ABSURD },
        { "minus one", offsetof(DomainSample, guest_available_bytes), U - 1, REASON_STATS_ABSURD },
        { "more usable than available", offsetof(DomainSample, guest_usable_bytes), 1001 * MIB,
          REASON_STATS_ABSURD },
        { "more unused", offsetof(DomainSample, guest_unused_bytes), 1001 * MIB,
          REASON_STATS_ABSURD },
        { "more caches", offsetof(DomainSample, guest_caches_bytes), 1001 * MIB,
          REASON_STATS_ABSURD },
        { "an old driver", offsetof(DomainSample, guest_usable_bytes), U, REASON_NONE },
        { "a working set", offsetof(DomainSample, working_set_bytes), 300 * MIB, REASON_NONE },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        Reason reason;
        MemCase one;

        memcase_init(&one, 1);
        *(uint64_t *)((char *)&one.domains[0] + rows[r].offset) = rows[r].value;
        memcase_decide(&one);
        reason = need_fault(&one.domains[0]);
        if (reason != rows[r].want || (reason == REASON_NONE) != is_known(one.plans[0].need_bytes))
            fail_msg("%s: %s, want %s; need %" PRIu64, rows[r].when, reason_name(reason),
                     reason_name(rows[r].want), one.plans[0].need_bytes);
    }
}

static void
two_minutes_are_too_old_whatever_the_period(void **unused)
{
    static const uint64_t periods[] = { 0, 3600 * S };
    MemCase one;
    (void)unused;

    for (size_t r = 0; r < ROWS(periods); r++) {
        memcase_init(&one, 1);
        one.domains[0].guest_period_us = periods[r];
        one.domains[0].guest_age_us = 120 * S;
        assert_int_equal(need_fault(&one.domains[0]), REASON_NONE);
        one.domains[0].guest_age_us++;
        assert_int_equal(need_fault(&one.domains[0]), REASON_STATS_STALE);
    }
}

static void
need_is_what_is_used_with_a_part_of_the_caches_the_reserve_and_headroom(void **unused)
{
    static const struct {
        const char *when;
        uint64_t available_mib, usable_mib, unused_mib, caches_mib; /* U: not told */
        uint64_t working_set_mib;
        uint64_t balloon_mib;
        uint64_t want_mib; /* without headroom */
    } rows[] = {
        { "all told", 1000, 600, 500, 0, U, 1000, 400 },
        { "a quarter of the caches", 1000, 600, 400, 200, U, 1000, 450 },
        { "caches that are in use", 1000, 100, 0, 800, U, 1000, 925 },
        { "an old driver", 1000, U, 300, 200, U, 1000, 550 },
        { "an old driver without caches", 1000, U, 300, U, U, 1000, 700 },
        { "a reserve", 900, 500, 500, 0, U, 1000, 500 },
        { "ballooned", 550, 150, 150, 0, U, 600, 450 },
        { "counts what was taken", 950, 150, 150, 0, U, 600, 450 },
        { "a working set instead of caches", 1000, 600, 100, 400, 250, 1000, 400 },
        { "a working set with caches", 1000, 600, 100, 400, 700, 1000, 700 },
        { "all of it", 900, 500, 500, 0, 950, 1000, 950 },
        { "impossible working set", 1000, 600, 600, 0, 1001, 1000, 400 },
        { "no working set", 1000, 600, 600, 0, 0, 1000, 400 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        DomainSample *domain;
        uint64_t want = rows[r].want_mib * MIB;
        MemCase one;

        memcase_init(&one, 1);
        domain = &one.domains[0];
        domain->balloon_bytes = rows[r].balloon_mib * MIB;
        domain->guest_available_bytes = rows[r].available_mib * MIB;
        domain->guest_usable_bytes = rows[r].usable_mib == U ? U : rows[r].usable_mib * MIB;
        domain->guest_unused_bytes = rows[r].unused_mib * MIB;
        domain->guest_caches_bytes = rows[r].caches_mib == U ? U : rows[r].caches_mib * MIB;
        domain->working_set_bytes =
            rows[r].working_set_mib == U ? U : rows[r].working_set_mib * MIB;
        memcase_decide(&one);
        want = min_u64(want + want / 5, 1000 * MIB);
        if (one.tracks[0].need.is_short && want < 1000 * MIB && rows[r].working_set_mib == U)
            fail_msg("%s: the guest is taken to be short", rows[r].when);
        if (!one.tracks[0].need.is_short && one.plans[0].need_bytes != want)
            fail_msg("%s: %" PRIu64 " KiB, want %" PRIu64, rows[r].when,
                     one.plans[0].need_bytes / KIB, want / KIB);
    }
}

static void
need_is_not_known_without_a_maximum_or_on_an_unknown_balloon(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].maximum_bytes = U;
    memcase_decide(&one);
    assert_false(is_known(one.plans[0].need_bytes));
    assert_int_equal(one.plans[0].balloon_reason, REASON_FACT_MISSING);
    memcase_init(&one, 1);
    one.domains[0].balloon_bytes = U;
    memcase_decide(&one);
    assert_int_equal(one.plans[0].need_bytes, 600 * MIB);
    assert_int_equal(one.plans[0].balloon_reason, REASON_FACT_MISSING);
}

static void
of_a_guest_that_tells_nothing_the_working_set_counts(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].guest_age_us = U;
    one.domains[0].working_set_bytes = 250 * MIB;
    memcase_decide(&one);
    assert_int_equal(one.plans[0].need_bytes, 300 * MIB);
    one.domains[0].working_set_bytes = U;
    memcase_after(&one, S);
    assert_false(is_known(one.plans[0].need_bytes));
}

static void
it_rises_at_once_and_falls_slowly(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    memcase_decide(&one);
    memcase_uses(&one, 0, 700);
    memcase_after(&one, S / 3); /* told twice in a second: not news */
    assert_int_equal(one.plans[0].need_bytes, 600 * MIB);
    memcase_after(&one, 2 * S);
    assert_int_equal(one.plans[0].need_bytes, 840 * MIB);
    memcase_uses(&one, 0, 100);
    memcase_after(&one, 6 * S);
    assert_int_equal(one.tracks[0].need.bare_bytes, 694 * MIB);
    memcase_after(&one, 1200 * S);
    assert_int_equal(one.tracks[0].need.bare_bytes, 100 * MIB);
}

static void
who_has_a_slow_balloon_is_not_taken_for_idle_so_soon(void **unused)
{
    static const struct {
        const char *when;
        uint64_t speed_mib; /* a second, of 1000 MiB */
        uint64_t want_mib;  /* 600 s after it used 700 and not 100 */
    } rows[] = {
        { "not known", 0, 100 },          { "fast", 100, 100 }, { "slow", 25, 550 },
        { "as slow as it gets", 4, 675 }, { "slower", 1, 675 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 1);
        memcase_uses(&one, 0, 700);
        memcase_decide(&one);
        one.tracks[0].balloon.speed_bytes_s = rows[r].speed_mib * MIB;
        memcase_uses(&one, 0, 100);
        memcase_after(&one, 600 * S);
        if (one.tracks[0].need.bare_bytes != rows[r].want_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, one.tracks[0].need.bare_bytes / MIB);
    }
}

static void
what_was_told_before_the_balloon_moved_does_not_change_the_reserve(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].guest_available_bytes = 950 * MIB;
    one.domains[0].guest_usable_bytes = 450 * MIB;
    memcase_decide(&one);
    assert_int_equal(one.tracks[0].need.reserve_bytes, 50 * MIB);
    one.domains[0].balloon_bytes = 600 * MIB; /* what the guest tells is of before */
    memcase_after(&one, 2 * S);
    assert_int_equal(one.tracks[0].need.reserve_bytes, 50 * MIB);
    assert_int_equal(one.tracks[0].need.bare_bytes, 550 * MIB);
    one.domains[0].guest_available_bytes = 540 * MIB;
    one.domains[0].guest_usable_bytes = 40 * MIB;
    memcase_after(&one, 2 * S);
    assert_int_equal(one.tracks[0].need.reserve_bytes, 60 * MIB);
}

static void
signs_of_shortage_are_seen_and_nothing_else_is_one(void **unused)
{
    static const struct {
        const char *when;
        uint64_t used_mib;
        uint64_t in_kib, out_kib, faults; /* within two seconds; U: not told any more */
        bool is_short, is_dire;
    } rows[] = {
        { "nothing", 500, 0, 0, 0, false, false },
        { "swapping out", 500, 0, 128, 0, true, false },
        { "hardly", 500, 0, 127, 0, false, false },
        { "swapping in with room", 500, 1000, 0, 0, false, false },
        { "swapping in without", 800, 128, 0, 0, true, false },
        { "major faults with room", 850, 0, 0, 1000, false, false },
        { "major faults without", 950, 0, 0, 200, true, false },
        { "full", 951, 0, 0, 0, true, false },
        { "brimful", 990, 0, 0, 0, true, true },
        { "brimful, but it swaps", 990, 0, 128, 0, true, false },
        { "counters gone", 500, U, U, U, false, false },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 1);
        memcase_decide(&one);
        assert_false(need_is_short(&one.tracks[0], one.host.now_us));
        assert_false(need_was_short(&one.tracks[0], one.host.now_us));
        memcase_uses(&one, 0, rows[r].used_mib);
        one.domains[0].guest_swap_in_bytes = rows[r].in_kib == U ? U : rows[r].in_kib * KIB;
        one.domains[0].guest_swap_out_bytes = rows[r].out_kib == U ? U : rows[r].out_kib * KIB;
        one.domains[0].guest_major_faults = rows[r].faults;
        memcase_after(&one, 2 * S);
        if (need_is_short(&one.tracks[0], one.host.now_us) != rows[r].is_short ||
            one.tracks[0].need.is_dire != rows[r].is_dire)
            fail_msg("%s: short %d, dire %d", rows[r].when, one.tracks[0].need.is_short,
                     one.tracks[0].need.is_dire);
    }
}

static void
what_was_too_little_is_remembered_for_an_hour(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].balloon_bytes = 600 * MIB;
    memcase_uses(&one, 0, 590);
    memcase_decide(&one);
    assert_int_equal(one.plans[0].need_bytes, 720 * MIB);
    one.domains[0].balloon_bytes = 1000 * MIB;
    memcase_uses(&one, 0, 100);
    memcase_after(&one, 2 * S);
    assert_false(need_is_short(&one.tracks[0], one.host.now_us));
    assert_true(need_was_short(&one.tracks[0], one.host.now_us));
    memcase_after(&one, 1800 * S);
    assert_false(need_was_short(&one.tracks[0], one.host.now_us));
    assert_int_equal(one.plans[0].need_bytes, 720 * MIB);
    memcase_after(&one, 1800 * S);
    assert_int_equal(one.plans[0].need_bytes, 120 * MIB);
    memcase_uses(&one, 0, 990); /* and then forgotten, also where it is short again */
    memcase_after(&one, 2 * S);
    assert_int_equal(one.tracks[0].need.short_bytes, 1000 * MIB);
}

static void
a_host_that_runs_out_of_memory_forgets_the_past(void **unused)
{
    static const struct {
        const char *when;
        uint64_t available_mib, swap_mib; /* U: not known */
        uint64_t want_mib;
    } rows[] = {
        { "plenty", 5000, 1000, 660 },      { "critical, with swap", 100, 300, 660 },
        { "swap runs out", 100, 100, 380 }, { "no swap is known", 100, U, 240 },
        { "nothing is left", 0, 0, 100 },   { "nothing is known", U, 0, 660 },
    };
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.domains[0].balloon_bytes = 600 * MIB;
    memcase_uses(&one, 0, 590);
    memcase_decide(&one);
    one.domains[0].balloon_bytes = 1000 * MIB;
    memcase_uses(&one, 0, 100);
    memcase_after(&one, 1200 * S);
    for (size_t r = 0; r < ROWS(rows); r++) {
        one.host.mem_available_bytes = rows[r].available_mib == U ? U : rows[r].available_mib * MIB;
        one.host.swap_free_bytes = rows[r].swap_mib == U ? U : rows[r].swap_mib * MIB;
        memcase_after(&one, 2 * S);
        assert_int_equal(one.plans[0].need_bytes, 720 * MIB);
        if (one.tracks[0].need.least_bytes != rows[r].want_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, one.tracks[0].need.least_bytes / MIB);
    }
}

static void
a_crisis_leaves_a_guest_without_swap_what_it_takes_until_its_balloon_answers(void **unused)
{
    static const struct {
        const char *when;
        uint64_t pace_mib; /* that it was seen to take in a second */
        uint64_t available_mib, swap_mib;
        uint64_t own_bytes; /* that it has swapped out */
        uint64_t want_mib;
    } rows[] = {
        { "it does not grow", 0, 100, 1000, 0, 550 },
        { "slowly", 10, 100, 1000, 0, 550 },
        { "fast", 40, 100, 1000, 0, 660 },
        { "more than it can", 400, 100, 1000, 0, 1000 },
        { "it swaps", 40, 100, 1000, 1, 550 },
        { "the host runs out of memory and swap", 40, 100, 100, 0, 580 },
        { "nothing is left there", 40, 0, 0, 0, 500 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t spare_bytes;
        MemCase one;

        memcase_init(&one, 1);
        one.tracks[0].need.pace_bytes_s = rows[r].pace_mib * MIB;
        one.host.mem_available_bytes = rows[r].available_mib * MIB;
        one.host.swap_free_bytes = rows[r].swap_mib * MIB;
        one.domains[0].guest_swap_out_bytes = rows[r].own_bytes;
        memcase_decide(&one);
        assert_int_equal(one.plans[0].need_bytes, 600 * MIB);
        spare_bytes = stake_of(&one.conf, MEMORY_CRITICAL, &one.domains[0], &one.tracks[0],
                               one.plans[0].need_bytes)
                          .spare_bytes;
        if (spare_bytes != (1000 - rows[r].want_mib) * MIB)
            fail_msg("%s: %" PRIu64 " MiB to spare", rows[r].when, spare_bytes / MIB);
    }
}

static void
a_guest_that_was_short_and_fell_silent_is_so_for_a_while(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    memcase_uses(&one, 0, 990);
    memcase_decide(&one);
    one.domains[0].guest_age_us = U;
    memcase_after(&one, 14 * S);
    assert_true(need_is_short(&one.tracks[0], one.host.now_us));
    memcase_after(&one, S);
    assert_false(need_is_short(&one.tracks[0], one.host.now_us));
    assert_int_equal(need_usable_bp(&one.domains[0]), BP_ONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_old_absent_or_impossible_is_left_out),
        cmocka_unit_test(two_minutes_are_too_old_whatever_the_period),
        cmocka_unit_test(need_is_what_is_used_with_a_part_of_the_caches_the_reserve_and_headroom),
        cmocka_unit_test(need_is_not_known_without_a_maximum_or_on_an_unknown_balloon),
        cmocka_unit_test(of_a_guest_that_tells_nothing_the_working_set_counts),
        cmocka_unit_test(it_rises_at_once_and_falls_slowly),
        cmocka_unit_test(who_has_a_slow_balloon_is_not_taken_for_idle_so_soon),
        cmocka_unit_test(what_was_told_before_the_balloon_moved_does_not_change_the_reserve),
        cmocka_unit_test(signs_of_shortage_are_seen_and_nothing_else_is_one),
        cmocka_unit_test(what_was_too_little_is_remembered_for_an_hour),
        cmocka_unit_test(a_host_that_runs_out_of_memory_forgets_the_past),
        cmocka_unit_test(
            a_crisis_leaves_a_guest_without_swap_what_it_takes_until_its_balloon_answers),
        cmocka_unit_test(a_guest_that_was_short_and_fell_silent_is_so_for_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
