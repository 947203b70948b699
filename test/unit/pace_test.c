/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pace_test.c - how fast a guest was seen to grow is remembered for as long as it may do it again
 */
#include "policy/need.h"
#include "policy/pace.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
the_pace_is_the_lesser_of_two_in_a_row_and_forgotten_slowly(void **unused)
{
    static const struct {
        const char *when;
        uint64_t used_mib[4]; /* told every two seconds, and the last once more */
        uint64_t later_s;     /* after that */
        uint64_t want_mib;    /* a second */
    } rows[] = {
        { "it stands still", { 500, 500, 500, 500 }, 1, 0 },
        { "it frees", { 500, 400, 300, 200 }, 1, 0 },
        { "all at once", { 500, 500, 700, 700 }, 1, 0 },
        { "all the time", { 500, 560, 620, 680 }, 1, 30 },
        { "faster and faster", { 500, 520, 560, 640 }, 1, 20 },
        { "with a rest", { 500, 560, 560, 620 }, 1, 0 },
        { "half of it is forgotten", { 500, 560, 620, 680 }, 300, 15 },
        { "all of it", { 500, 560, 620, 680 }, 600, 0 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t pace_bytes_s;
        MemCase one;

        memcase_init(&one, 1);
        for (int i = 0; i < 4; i++) {
            memcase_uses(&one, 0, rows[r].used_mib[i]);
            memcase_after(&one, 2 * S);
        }
        memcase_after(&one, rows[r].later_s * S);
        pace_bytes_s = one.tracks[0].need.pace_bytes_s + MIB / 10;
        if (pace_bytes_s / MIB != rows[r].want_mib)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, pace_bytes_s / MIB);
    }
}

static void
who_is_met_after_an_agent_that_was_killed_is_taken_to_be_fast(void **unused)
{
    static const struct {
        const char *when;
        bool is_resumed;
        uint64_t maximum_mib;
        uint64_t watched_s; /* using always the same */
        uint64_t want_mib;  /* a second */
    } rows[] = {
        { "nobody was killed", false, 1000, 0, 0 },
        { "at once", true, 1000, 0, 83 },
        { "watched for some time", true, 1000, 300, 41 },
        { "for long", true, 1000, 600, 0 },
        { "large", true, 4000, 0, 128 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t pace_mib;
        MemCase one;

        memcase_init(&one, 1);
        one.host.is_resumed = rows[r].is_resumed;
        one.domains[0].maximum_bytes = rows[r].maximum_mib * MIB;
        memcase_decide(&one);
        one.host.is_resumed = false; /* who is met later has begun later */
        memcase_after(&one, rows[r].watched_s * S);
        pace_mib = one.tracks[0].need.pace_bytes_s / MIB;
        if (pace_mib != rows[r].want_mib)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, pace_mib);
    }
}

static void
what_it_takes_until_its_balloon_answers_is_kept_for_who_cannot_swap(void **unused)
{
    static const struct {
        const char *when;
        uint64_t pace_mib;  /* a second */
        uint64_t rate_mib;  /* now */
        uint64_t speed_mib; /* of its balloon, of 1000 MiB, a second */
        uint64_t period_s;  /* of what it tells */
        uint64_t age_s;     /* of what it told last */
        uint64_t in_bytes, out_bytes;
        uint64_t want_mib;
    } rows[] = {
        { "it has never grown", 0, 0, 0, 2, 0, 0, 0, 0 },
        { "fast", 40, 0, 0, 2, 0, 0, 0, 160 },
        { "now", 0, 40, 0, 2, 0, 0, 0, 160 },
        { "slowly now", 40, 10, 0, 2, 0, 0, 0, 160 },
        { "it tells every second", 40, 0, 0, 1, 0, 0, 0, 120 },
        { "hardly ever", 40, 0, 0, 3600, 0, 0, 0, 480 },
        { "a slow balloon", 40, 0, 25, 2, 0, 0, 0, 400 },
        { "told a while ago", 40, 0, 0, 2, 3, 0, 0, 280 },
        { "silent", 40, 0, 0, 2, 100, 0, 0, 560 },
        { "it has swapped", 40, 0, 0, 2, 0, 0, 1, 0 },
        { "before somebody looked", 40, 0, 0, 2, 0, 1, 0, 0 },
        { "it does not say", 40, 0, 0, 2, 0, U, U, 160 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t reserve_bytes;
        MemCase one;

        memcase_init(&one, 1);
        one.tracks[0].need.pace_bytes_s = rows[r].pace_mib * MIB;
        one.tracks[0].need.rate_bytes_s = rows[r].rate_mib * MIB;
        one.tracks[0].balloon.speed_bytes_s = rows[r].speed_mib * MIB;
        one.domains[0].guest_period_us = rows[r].period_s * S;
        one.domains[0].guest_age_us = rows[r].age_s * S;
        one.domains[0].guest_swap_in_bytes = rows[r].in_bytes;
        one.domains[0].guest_swap_out_bytes = rows[r].out_bytes;
        reserve_bytes = pace_reserve_bytes(&one.domains[0], &one.tracks[0]);
        if (reserve_bytes != rows[r].want_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, reserve_bytes / MIB);
    }
}

static void
who_begins_to_grow_is_taken_to_go_on_at_its_pace(void **unused)
{
    static const struct {
        const char *when;
        uint64_t pace_mib; /* that it had before */
        uint64_t used_mib; /* 500 before, two seconds ago */
        uint64_t out_bytes;
        uint64_t want_mib; /* that it takes within four seconds; there is enough: 0 */
    } rows[] = {
        { "a little is nothing", 150, 640, 0, 0 }, { "half of it", 150, 652, 0, 600 },
        { "nothing is known", 0, 652, 0, 0 },      { "faster than before", 100, 740, 0, 480 },
        { "it can swap", 150, 652, 1, 0 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t soon_bytes;
        MemCase one;

        memcase_init(&one, 1);
        one.domains[0].guest_swap_out_bytes = rows[r].out_bytes;
        memcase_decide(&one);
        one.tracks[0].need.pace_bytes_s = rows[r].pace_mib * MIB;
        memcase_uses(&one, 0, rows[r].used_mib);
        memcase_after(&one, 2 * S);
        soon_bytes = need_soon_bytes(&one.tracks[0], one.host.now_us) + 3 * MIB;
        if (soon_bytes / MIB / 10 * 10 != rows[r].want_mib)
            fail_msg("%s: %" PRIu64 " MiB", rows[r].when, soon_bytes / MIB);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pace_is_the_lesser_of_two_in_a_row_and_forgotten_slowly),
        cmocka_unit_test(who_is_met_after_an_agent_that_was_killed_is_taken_to_be_fast),
        cmocka_unit_test(what_it_takes_until_its_balloon_answers_is_kept_for_who_cannot_swap),
        cmocka_unit_test(who_begins_to_grow_is_taken_to_go_on_at_its_pace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
