/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_model_test.c - the model of a host's memory behaves as hosts were seen to behave
 *
 * Magnitudes of memory.high and memory.reclaim were measured on kernel 6.1 with small guests.
 */
#include "policy/arith.h"
#include "test/sim/mem_scene.h"
#include "test/support/dice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB MEM_MIB
#define GIB MEM_GIB

/* A guest of 1 GiB that wants half of it, all the time. */
static MemSpec
plain_spec(void)
{
    return (MemSpec){ .kind = MEM_STEADY,
                      .maximum_bytes = GIB,
                      .swap_bytes = GIB / 2,
                      .low_bytes = GIB / 2,
                      .high_bytes = GIB / 2,
                      .grow_bytes_s = 50 * MIB,
                      .balloon_bytes_s = 100 * MIB,
                      .period_us = 2 * MEM_S,
                      .floor_bytes = VALUE_UNKNOWN,
                      .hot_bp = 5000,
                      .warm_bp = 3000,
                      .touched_bp = BP_ONE };
}

static void
run(MemHost *host, uint64_t seconds)
{
    uint64_t end_us = host->now_us + seconds * MEM_S;

    while (host->now_us < end_us)
        mem_host_step(host);
}

static MemHost *
host_with(uint64_t total_bytes, const MemSpec *spec)
{
    MemHostSpec plain = mem_host_spec(total_bytes);
    MemHost *host = mem_host_new(&plain);

    mem_host_start(host, spec, 1);
    return host;
}

/* --- inside ------------------------------------------------------------------------------- */

static void
a_guest_left_alone_on_a_large_host_never_swaps(void **unused)
{
    Dice dice = dice_new();
    (void)unused;

    for (int kind = 0; kind < MEM_KIND_COUNT; kind++) {
        MemSpec spec = mem_spec_roll(&dice, (MemKind)kind, 4 * GIB);
        MemHost *host = host_with(16 * GIB, &spec);
        MemScore score;

        run(host, 24 * 3600);
        score = mem_host_score(host);
        if (score.guest_out_bytes + score.host_out_bytes + score.guest_ooms > 0)
            fail_msg("a %s guest swaps or kills programs", mem_kind_name((MemKind)kind));
        mem_host_free(host);
    }
}

static void
a_balloon_moves_at_its_speed_after_its_lag(void **unused)
{
    static const struct {
        const char *when;
        uint64_t speed;
        uint64_t lag_s;
        uint64_t target_mib;
        uint64_t after_s;
        uint64_t want_mib;
    } rows[] = {
        { "within its lag", 100 * MIB, 5, 700, 4, 1024 },
        { "on its way", 100 * MIB, 0, 700, 2, 824 },
        { "there", 100 * MIB, 0, 700, 10, 700 },
        { "stuck", 0, 0, 700, 1000, 1024 },
        { "no more than there is", 100 * MIB, 0, 2048, 10, 1024 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MemSpec spec = plain_spec();
        MemHost *host;

        spec.balloon_bytes_s = rows[i].speed;
        spec.balloon_lag_us = rows[i].lag_s * MEM_S;
        host = host_with(4 * GIB, &spec);
        mem_guest_target(&host->guests[0], rows[i].target_mib * MIB, host->now_us);
        run(host, rows[i].after_s);
        if (host->guests[0].balloon_bytes != rows[i].want_mib * MIB)
            fail_msg("%s: %d MiB are left", rows[i].when,
                     (int)(host->guests[0].balloon_bytes / MIB));
        mem_host_free(host);
    }
}

static void
what_a_balloon_takes_comes_from_free_memory_then_files_then_swap(void **unused)
{
    static const struct {
        const char *when;
        uint64_t target_mib;
        uint64_t swap_mib;
        bool files;
        bool swap;
        bool death;
    } rows[] = {
        { "enough is free", 800, 512, false, false, false },
        { "files have to go", 620, 512, true, false, false },
        { "programs have to go", 400, 512, true, true, false },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MemSpec spec = plain_spec();
        MemHost *host;
        const MemGuest *guest;

        spec.cache_bytes = 128 * MIB;
        spec.swap_bytes = rows[i].swap_mib * MIB;
        host = host_with(4 * GIB, &spec);
        guest = host->guests;
        run(host, 60);
        mem_guest_target(&host->guests[0], rows[i].target_mib * MIB, host->now_us);
        run(host, 60);
        if ((guest->cache_bytes < 128 * MIB) != rows[i].files ||
            (guest->swap_out_bytes > 0) != rows[i].swap || (guest->ooms > 0) != rows[i].death)
            fail_msg("%s: files %d MiB, swapped %d MiB, killed %u", rows[i].when,
                     (int)(guest->cache_bytes / MIB), (int)(guest->swap_out_bytes / MIB),
                     guest->ooms);
        mem_host_free(host);
    }
}

static void
a_program_is_killed_when_balloon_and_swap_are_full(void **unused)
{
    MemSpec spec = plain_spec();
    MemHost *host;
    (void)unused;

    spec.swap_bytes = 0;
    spec.low_bytes = 100 * MIB;
    spec.high_bytes = 700 * MIB;
    spec.kind = MEM_LEAKING;
    spec.busy_us = MEM_HOUR;
    host = host_with(4 * GIB, &spec);
    mem_guest_target(&host->guests[0], 400 * MIB, host->now_us);
    run(host, 600);
    assert_int_equal(host->guests[0].ooms, 0);
    run(host, 1800);
    assert_true(host->guests[0].ooms > 0);
    mem_host_free(host);
}

static void
swapped_programs_that_are_used_come_back_when_there_is_room(void **unused)
{
    MemSpec spec = plain_spec();
    MemHost *host = host_with(4 * GIB, &spec);
    (void)unused;

    mem_guest_target(&host->guests[0], 300 * MIB, host->now_us);
    run(host, 60);
    assert_true(host->guests[0].swapped_bytes > 200 * MIB);
    mem_guest_target(&host->guests[0], GIB, host->now_us);
    run(host, 600);
    /* All that is hot or warm, and a little of what is cold. */
    assert_true(host->guests[0].swapped_bytes < 103 * MIB);
    assert_true(host->guests[0].swapped_bytes > 50 * MIB);
    mem_host_free(host);
}

/* --- statistics --------------------------------------------------------------------------- */

static void
statistics_are_as_old_as_their_period_at_most(void **unused)
{
    static const struct {
        const char *when;
        MemKind kind;
        uint64_t period_s;
        uint64_t after_s;
        uint64_t oldest_s; /* VALUE_UNKNOWN: never told */
    } rows[] = {
        { "every second", MEM_STEADY, 1, 100, 0 },
        { "every ten", MEM_STEADY, 10, 100, 9 },
        { "none", MEM_NO_DRIVER, 0, 100, VALUE_UNKNOWN },
        { "silent since its start", MEM_INTERMITTENT, 2, 100, VALUE_UNKNOWN },
        { "silent again", MEM_INTERMITTENT, 2, 700, 102 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MemSpec spec = plain_spec();
        MemHost *host;
        const MemStats *stats;

        spec.kind = rows[i].kind;
        spec.period_us = rows[i].period_s * MEM_S;
        host = host_with(4 * GIB, &spec);
        run(host, rows[i].after_s);
        stats = &host->guests[0].stats;
        if ((stats->at_us == 0) != (rows[i].oldest_s == VALUE_UNKNOWN))
            fail_msg("%s: told, or not", rows[i].when);
        if (stats->at_us > 0 && host->now_us - stats->at_us > rows[i].oldest_s * MEM_S)
            fail_msg("%s: too old", rows[i].when);
        mem_host_free(host);
    }
}

/* --- host --------------------------------------------------------------------------------- */

static void
check_sums(const MemHost *host)
{
    uint64_t out = 0;

    for (size_t i = 0; i < host->n; i++) {
        const MemGuest *guest = &host->guests[i];
        uint64_t backed = 0;

        for (int age = 0; age < MEM_AGE_COUNT; age++) {
            backed += guest->size[age];
            assert_true(guest->out[age] <= guest->size[age]);
        }
        assert_true(backed <= guest->balloon_bytes);
        assert_true(mem_guest_used(guest) <= guest->balloon_bytes);
        assert_true(guest->swapped_bytes <= guest->spec.swap_bytes);
        assert_true(guest->swapped_bytes <= guest->anon_bytes);
        out += mem_guest_out(guest);
    }
    assert_true(out <= host->spec.swap_bytes);
}

static void
nothing_is_lost_whatever_is_ordered(void **unused)
{
    Dice dice = dice_new();
    MemScene scene = { MEM_KIND_ANY, 12, 150 };
    MemHostSpec spec = mem_host_spec(16 * GIB);
    MemHost *host = mem_scene_new(&dice, &scene, &spec);
    (void)unused;

    for (unsigned i = 0; i < 3600; i++) {
        MemGuest *guest = &host->guests[dice_below(&dice, host->n)];
        uint64_t part = guest->spec.maximum_bytes / 100 * dice_below(&dice, 101);

        if (dice_below(&dice, 20) == 0)
            mem_guest_target(guest, part, host->now_us);
        if (dice_below(&dice, 20) == 0)
            mem_host_limit(host, guest, part, host->now_us + dice_below(&dice, 60 * MEM_S));
        if (dice_below(&dice, 20) == 0)
            (void)mem_host_reclaim(host, guest, part / 10);
        mem_host_step(host);
        check_sums(host);
    }
    mem_host_free(host);
}

static void
the_host_takes_free_memory_of_guests_first_and_what_they_use_last(void **unused)
{
    static const struct {
        const char *when;
        uint64_t total_mib;
        MemAge most; /* the hottest age of which most has gone */
    } rows[] = {
        { "enough memory", 4096, MEM_AGE_COUNT },
        { "a little short", 950, MEM_STALE },
        { "shorter", 670, MEM_COLD },
        { "much too small", 540, MEM_WARM },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MemSpec spec = plain_spec();
        MemHostSpec small = mem_host_spec(rows[i].total_mib * MIB);
        MemHost *host;
        MemAge most = MEM_AGE_COUNT;

        small.swap_bytes = GIB;
        host = mem_host_new(&small);
        mem_host_start(host, &spec, 1);
        run(host, 2400);
        for (int age = MEM_STALE; age >= MEM_HOT; age--)
            if (host->guests[0].out[age] > host->guests[0].size[age] / 2)
                most = (MemAge)age;
        if (most != rows[i].most)
            fail_msg("%s: age %d is most out", rows[i].when, (int)most);
        mem_host_free(host);
    }
}

static void
a_host_without_swap_kills_the_largest_domain(void **unused)
{
    MemHostSpec spec = mem_host_spec(2 * GIB);
    MemSpec guest = plain_spec();
    MemHost *host;
    (void)unused;

    spec.swap_bytes = 0;
    host = mem_host_new(&spec);
    mem_host_start(host, &guest, 1);
    guest.maximum_bytes = GIB + GIB / 2;
    mem_host_start(host, &guest, 2);
    run(host, 3600);
    assert_int_equal(mem_host_score(host).host_ooms, 1);
    assert_int_equal(host->n, 1);
    assert_true(host->guests[0].spec.maximum_bytes == GIB);
    mem_host_free(host);
}

/* --- cgroups ------------------------------------------------------------------------------ */

static void
reclaim_takes_what_was_asked_and_a_limit_takes_more(void **unused)
{
    MemSpec spec = plain_spec();
    MemHost *host = host_with(4 * GIB, &spec);
    MemGuest *guest = host->guests;
    uint64_t before;
    (void)unused;

    run(host, 60);
    before = mem_guest_resident(guest);
    (void)mem_host_reclaim(host, guest, 16 * MIB);
    assert_true(before - mem_guest_resident(guest) <= 16 * MIB);
    assert_true(before - mem_guest_resident(guest) > 15 * MIB);
    before = mem_guest_resident(guest);
    mem_host_limit(host, guest, before + MEM_OVERHEAD - 64 * MIB, host->now_us + 60 * MEM_S);
    assert_true(before - mem_guest_resident(guest) > 80 * MIB);
    mem_host_free(host);
}

static void
a_busy_guest_waits_under_a_limit_an_idle_one_does_not(void **unused)
{
    static const struct {
        const char *when;
        uint32_t hot_bp;
        unsigned most_percent; /* of the time, that it waits after the first minute */
        unsigned least_percent;
    } rows[] = {
        { "sweeps its memory all the time", 9500, 100, 20 },
        { "hardly looks at it", 100, 2, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        MemSpec spec = plain_spec();
        MemHost *host;
        uint64_t stall_us;
        unsigned share;

        spec.hot_bp = rows[i].hot_bp;
        spec.warm_bp = 100;
        spec.touched_bp = 0;
        host = host_with(4 * GIB, &spec);
        run(host, 60);
        mem_host_limit(host, host->guests, mem_guest_resident(host->guests) - 24 * MIB, UINT64_MAX);
        run(host, 60);
        stall_us = host->guests[0].stall_us;
        run(host, 100);
        share = (unsigned)((host->guests[0].stall_us - stall_us) / MEM_S);
        if (share > rows[i].most_percent || share < rows[i].least_percent)
            fail_msg("%s: it waits %u %% of the time", rows[i].when, share);
        mem_host_free(host);
    }
}

static void
a_limit_ends_with_its_lease_unless_it_is_renewed(void **unused)
{
    MemSpec spec = plain_spec();
    MemHost *host = host_with(4 * GIB, &spec);
    MemGuest *guest = host->guests;
    (void)unused;

    mem_host_limit(host, guest, 900 * MIB, host->now_us + 30 * MEM_S);
    run(host, 29);
    assert_true(guest->limit_bytes == 900 * MIB);
    mem_host_limit(host, guest, 890 * MIB, host->now_us + 30 * MEM_S);
    run(host, 29);
    assert_true(guest->limit_bytes == 890 * MIB);
    run(host, 1);
    assert_true(guest->limit_bytes == MEM_NO_LIMIT);
    mem_host_free(host);
}

/* --- chance ------------------------------------------------------------------------------- */

static void
guests_live_the_same_lives_whatever_is_done_to_them(void **unused)
{
    Dice dice = dice_new();
    MemScene scene = { MEM_KIND_ANY, 12, 120 };
    MemHostSpec spec = mem_host_spec(16 * GIB);
    Dice again = dice;
    MemHost *one = mem_scene_new(&dice, &scene, &spec);
    MemHost *two = mem_scene_new(&again, &scene, &spec);
    (void)unused;

    for (size_t i = 0; i < two->n; i++)
        mem_guest_target(&two->guests[i], two->guests[i].spec.maximum_bytes / 4, two->now_us);
    run(one, 4 * 3600);
    run(two, 4 * 3600);
    for (size_t i = 0; i < one->n && one->n == two->n; i++)
        assert_true(one->guests[i].load.wanted_bytes == two->guests[i].load.wanted_bytes);
    assert_true(mem_host_score(one).guest_out_bytes < mem_host_score(two).guest_out_bytes);
    mem_host_free(one);
    mem_host_free(two);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_left_alone_on_a_large_host_never_swaps),
        cmocka_unit_test(a_balloon_moves_at_its_speed_after_its_lag),
        cmocka_unit_test(what_a_balloon_takes_comes_from_free_memory_then_files_then_swap),
        cmocka_unit_test(a_program_is_killed_when_balloon_and_swap_are_full),
        cmocka_unit_test(swapped_programs_that_are_used_come_back_when_there_is_room),
        cmocka_unit_test(statistics_are_as_old_as_their_period_at_most),
        cmocka_unit_test(nothing_is_lost_whatever_is_ordered),
        cmocka_unit_test(the_host_takes_free_memory_of_guests_first_and_what_they_use_last),
        cmocka_unit_test(a_host_without_swap_kills_the_largest_domain),
        cmocka_unit_test(reclaim_takes_what_was_asked_and_a_limit_takes_more),
        cmocka_unit_test(a_busy_guest_waits_under_a_limit_an_idle_one_does_not),
        cmocka_unit_test(a_limit_ends_with_its_lease_unless_it_is_renewed),
        cmocka_unit_test(guests_live_the_same_lives_whatever_is_done_to_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
