/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon_soon_test.c - a guest that takes memory fast is seen, and given more before it is short
 */
#include "policy/need.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
a_guest_that_takes_memory_fast_is_about_to_be_short(void **unused)
{
    static const struct {
        const char *when;
        uint64_t used_mib[2], available_mib[2], balloon_mib[2], caches_mib[2];
        uint64_t seconds; /* between what it told first and then */
        uint64_t soon_mib;
    } rows[] = {
        { "fast", { 600, 760 }, { 1000, 1000 }, { 1000, 1000 }, { 0, 0 }, 2, 320 },
        { "it lasts", { 600, 730 }, { 1000, 1000 }, { 1000, 1000 }, { 0, 0 }, 2, 0 },
        { "as much, slowly", { 600, 760 }, { 1000, 1000 }, { 1000, 1000 }, { 0, 0 }, 20, 0 },
        { "it frees", { 760, 600 }, { 1000, 1000 }, { 1000, 1000 }, { 0, 0 }, 2, 0 },
        { "it reads files", { 600, 600 }, { 1000, 1000 }, { 1000, 1000 }, { 0, 400 }, 2, 0 },
        { "ballooned", { 300, 300 }, { 900, 500 }, { 1000, 600 }, { 0, 0 }, 2, 0 },
        { "and counts all", { 400, 700 }, { 1000, 1000 }, { 900, 600 }, { 0, 0 }, 2, 0 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t soon_bytes;
        MemCase one;

        memcase_init(&one, 1);
        for (int i = 0; i < 2; i++) {
            DomainSample *domain = &one.domains[0];

            domain->balloon_bytes = rows[r].balloon_mib[i] * MIB;
            domain->guest_available_bytes = rows[r].available_mib[i] * MIB;
            domain->guest_usable_bytes = (rows[r].available_mib[i] - rows[r].used_mib[i]) * MIB;
            domain->guest_unused_bytes = domain->guest_usable_bytes - rows[r].caches_mib[i] * MIB;
            domain->guest_caches_bytes = rows[r].caches_mib[i] * MIB;
            memcase_after(&one, rows[r].seconds * S);
        }
        soon_bytes = need_soon_bytes(&one.tracks[0], one.host.now_us);
        if (soon_bytes != rows[r].soon_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, soon_bytes / MIB);
        assert_false(need_is_short(&one.tracks[0], one.host.now_us));
        one.domains[0].guest_age_us = U;
        memcase_after(&one, 15 * S);
        assert_int_equal(need_soon_bytes(&one.tracks[0], one.host.now_us), 0);
    }
}

static void
the_slower_its_balloon_the_earlier_it_is_seen(void **unused)
{
    static const struct {
        const char *when;
        uint64_t speed_mib; /* a second, of 1000 MiB */
        uint64_t soon_mib;
    } rows[] = {
        { "not known", 0, 0 },
        { "fast", 100, 0 },
        { "slow", 20, 780 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t soon_bytes;
        MemCase one;

        memcase_init(&one, 1);
        memcase_uses(&one, 0, 600);
        memcase_decide(&one);
        one.tracks[0].balloon.speed_bytes_s = rows[r].speed_mib * MIB;
        memcase_uses(&one, 0, 730);
        memcase_after(&one, 2 * S);
        soon_bytes = need_soon_bytes(&one.tracks[0], one.host.now_us);
        if (soon_bytes != rows[r].soon_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, soon_bytes / MIB);
    }
}

static void
what_is_told_every_second_is_taken_every_second(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    memcase_decide(&one);
    for (uint64_t i = 1; i <= 5; i++) {
        memcase_uses(&one, 0, 500 + i);
        memcase_after(&one, i % 2 == 1 ? S - 1000 : S + 1000);
        if (one.tracks[0].need.used_bytes != (500 + i) * MIB)
            fail_msg("%" PRIu64 " s: %" PRIu64 " MiB", i, one.tracks[0].need.used_bytes / MIB);
    }
}

static void
who_is_about_to_be_short_is_given_what_is_above_the_critical_mark(void **unused)
{
    static const struct {
        const char *when;
        uint64_t used_mib[2]; /* of 400, a second apart */
        uint64_t available_mib;
        uint64_t want_mib;
        Reason reason;
    } rows[] = {
        { "it lasts", { 200, 240 }, 5000, U, REASON_CALM },
        { "what it will take", { 200, 280 }, 900, 640, REASON_GIVE_BACK },
        { "a quarter of its maximum", { 100, 250 }, 900, 650, REASON_GIVE_BACK },
        { "what there is", { 200, 280 }, 500, 500, REASON_GIVE_BACK },
        { "there is nothing", { 200, 280 }, 390, U, REASON_GUEST_SHORT },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 1);
        one.domains[0].guest_swap_out_bytes = 1; /* it can swap */
        one.conf.high_enable = ENABLE_NO;
        one.domains[0].balloon_bytes = 400 * MIB;
        memcase_uses(&one, 0, rows[r].used_mib[0]);
        memcase_decide(&one);
        memcase_available(&one, rows[r].available_mib);
        memcase_uses(&one, 0, rows[r].used_mib[1]);
        memcase_after(&one, S);
        memcase_assert_balloon(&one, 0, rows[r].want_mib, rows[r].reason, rows[r].when);
    }
}

static void
who_is_about_to_be_short_and_cannot_swap_is_given_what_the_host_has_to_swap_for(void **unused)
{
    static const struct {
        const char *when;
        uint64_t used_mib[2]; /* of 400, a second apart */
        uint64_t available_mib, swap_mib;
        uint64_t want_mib;
        Reason reason;
    } rows[] = {
        { "it lasts", { 200, 240 }, 390, 1000, U, REASON_DEAD_BAND },
        { "below the critical mark", { 200, 280 }, 390, 0, 640, REASON_GIVE_BACK },
        { "down to a quarter of it", { 200, 280 }, 200, 0, 500, REASON_GIVE_BACK },
        { "by half of the free swap", { 200, 280 }, 100, 300, 550, REASON_GIVE_BACK },
        { "a quarter of its maximum", { 100, 250 }, 100, 1000, 650, REASON_GIVE_BACK },
        { "there is nothing", { 200, 280 }, 100, 0, U, REASON_GUEST_SHORT },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 1);
        one.conf.high_enable = ENABLE_NO;
        one.domains[0].balloon_bytes = 400 * MIB;
        memcase_uses(&one, 0, rows[r].used_mib[0]);
        memcase_decide(&one);
        memcase_available(&one, rows[r].available_mib);
        one.host.swap_free_bytes = rows[r].swap_mib * MIB;
        memcase_uses(&one, 0, rows[r].used_mib[1]);
        memcase_after(&one, S);
        memcase_assert_balloon(&one, 0, rows[r].want_mib, rows[r].reason, rows[r].when);
    }
}

static void
nothing_is_taken_from_who_is_about_to_be_short(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 1);
    one.conf.high_enable = ENABLE_NO;
    memcase_uses(&one, 0, 100);
    memcase_decide(&one);
    memcase_available(&one, 900);
    memcase_after(&one, S);
    memcase_assert_balloon(&one, 0, 950, REASON_TAKE, "tight");
    memcase_uses(&one, 0, 450); /* of 1000; in three seconds it needs 1050 more */
    memcase_after(&one, S);
    memcase_assert_balloon(&one, 0, 1000, REASON_GIVE_BACK, "called off");
}

static void
a_step_that_goes_too_far_by_what_a_guest_has_told_since_is_called_off(void **unused)
{
    static const struct {
        const char *when;
        uint64_t used_mib; /* 300 a second ago */
        uint64_t out_bytes;
        uint64_t want_mib;
        Reason reason;
    } rows[] = {
        { "it stands still", 300, 0, U, REASON_DWELL },
        { "slowly", 350, 0, U, REASON_DWELL },
        { "it will take what is on its way", 440, 0, 1000, REASON_GIVE_BACK },
        { "it can swap", 440, 1, U, REASON_DWELL },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 1);
        one.conf.high_enable = ENABLE_NO;
        one.domains[0].guest_swap_out_bytes = rows[r].out_bytes;
        memcase_available(&one, 300);
        memcase_uses(&one, 0, 300);
        memcase_decide(&one);
        memcase_assert_balloon(&one, 0, 900, REASON_TAKE, "a step");
        memcase_uses(&one, 0, rows[r].used_mib);
        memcase_after(&one, S);
        memcase_assert_balloon(&one, 0, rows[r].want_mib, rows[r].reason, rows[r].when);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_that_takes_memory_fast_is_about_to_be_short),
        cmocka_unit_test(the_slower_its_balloon_the_earlier_it_is_seen),
        cmocka_unit_test(what_is_told_every_second_is_taken_every_second),
        cmocka_unit_test(who_is_about_to_be_short_is_given_what_is_above_the_critical_mark),
        cmocka_unit_test(
            who_is_about_to_be_short_and_cannot_swap_is_given_what_the_host_has_to_swap_for),
        cmocka_unit_test(nothing_is_taken_from_who_is_about_to_be_short),
        cmocka_unit_test(a_step_that_goes_too_far_by_what_a_guest_has_told_since_is_called_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
