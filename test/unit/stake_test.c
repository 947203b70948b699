/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stake_test.c - bounds come from metadata or settings, and idle memory is dear */
#include "policy/stake.h"
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
floor_and_ceiling_keep_their_order(void **unused)
{
    static const struct {
        const char *when;
        uint64_t floor_mib, ceiling_mib, need_mib;
        uint64_t low_mib, high_mib, kept_mib, spare_mib;
    } rows[] = {
        { "nothing said", U, U, 600, 250, 1000, 600, 400 },
        { "a floor", 700, U, 600, 700, 1000, 700, 300 },
        { "a floor of 0", 0, U, 600, 0, 1000, 600, 400 },
        { "a floor above all", 5000, U, 600, 1000, 1000, 1000, 0 },
        { "a ceiling", U, 500, 600, 250, 500, 500, 400 },
        { "a ceiling below the floor", 700, 500, 100, 700, 700, 700, 300 },
        { "a ceiling above all", U, 5000, 100, 250, 1000, 250, 750 },
        { "need not known", U, U, U, 250, 1000, 250, 0 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        DomainSample *domain;
        uint64_t need = rows[r].need_mib == U ? U : rows[r].need_mib * MIB;
        MemCase one;
        Stake stake;

        memcase_init(&one, 1);
        domain = &one.domains[0];
        domain->floor_bytes = rows[r].floor_mib == U ? U : rows[r].floor_mib * MIB;
        domain->ceiling_bytes = rows[r].ceiling_mib == U ? U : rows[r].ceiling_mib * MIB;
        stake = stake_of(&one.conf, MEMORY_TIGHT, domain, &one.tracks[0], need);
        if (stake.low_bytes != rows[r].low_mib * MIB ||
            stake.high_bytes != rows[r].high_mib * MIB ||
            stake.need_bytes != rows[r].kept_mib * MIB ||
            stake.spare_bytes != rows[r].spare_mib * MIB)
            fail_msg("%s: %" PRIu64 " to %" PRIu64 ", keeps %" PRIu64 ", gives %" PRIu64,
                     rows[r].when, stake.low_bytes / MIB, stake.high_bytes / MIB,
                     stake.need_bytes / MIB, stake.spare_bytes / MIB);
    }
}

static void
half_the_headroom_goes_in_a_crisis_and_steps_are_twice_as_large(void **unused)
{
    MemCase one;
    Stake stake;
    (void)unused;

    memcase_init(&one, 1);
    memcase_decide(&one);
    stake = stake_of(&one.conf, MEMORY_TIGHT, &one.domains[0], &one.tracks[0], 600 * MIB);
    assert_int_equal(stake.spare_bytes, 400 * MIB);
    assert_int_equal(stake.shrink_bytes, 50 * MIB);
    assert_int_equal(stake.grow_bytes, 250 * MIB);
    assert_int_equal(stake.band_bytes, 20 * MIB);
    stake = stake_of(&one.conf, MEMORY_CRITICAL, &one.domains[0], &one.tracks[0], 600 * MIB);
    assert_int_equal(stake.spare_bytes, 450 * MIB);
    assert_int_equal(stake.shrink_bytes, 100 * MIB);
    one.tracks[0].need.least_bytes = 300 * MIB; /* the host runs out of memory */
    stake = stake_of(&one.conf, MEMORY_CRITICAL, &one.domains[0], &one.tracks[0], 600 * MIB);
    assert_int_equal(stake.spare_bytes, 700 * MIB);
    one.domains[0].maximum_bytes = U;
    assert_false(is_known(stake_floor(&one.domains[0], one.conf.balloon_floor_bp)));
}

static void
what_a_guest_has_given_back_by_itself_is_neither_to_give_nor_charged(void **unused)
{
    static const struct {
        const char *when;
        bool reports_free;
        uint64_t unused_mib, resident_mib;
        uint64_t spare_mib, charge_mib;
    } rows[] = {
        { "it reports nothing", false, 500, 500, 400, 600 + 4 * 400 },
        { "all that is free was reported", true, 500, 500, 0, 500 },
        { "half of it is held in small pieces", true, 500, 750, 150, 600 + 4 * 150 },
        { "its driver reports nothing", true, 500, 1000, 400, 600 + 4 * 400 },
        { "caches are held", true, 100, 900, 300, 600 + 4 * 300 },
        { "swapped out, not free", true, 0, 500, 400, 600 + 4 * 400 },
        { "more is resident than it has", true, 500, 1100, 400, 600 + 4 * 400 },
        { "resident memory is not known", true, 500, U, 400, 600 + 4 * 400 },
        { "free memory is not known", true, U, 500, 400, 600 + 4 * 400 },
        { "nonsense", true, 5000, 0, 0, 0 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t charge;
        DomainSample *domain;
        Stake stake;
        MemCase one;

        memcase_init(&one, 1);
        domain = &one.domains[0];
        domain->reports_free = rows[r].reports_free;
        domain->guest_unused_bytes = rows[r].unused_mib == U ? U : rows[r].unused_mib * MIB;
        domain->resident_bytes = rows[r].resident_mib == U ? U : rows[r].resident_mib * MIB;
        stake = stake_of(&one.conf, MEMORY_TIGHT, domain, &one.tracks[0], 600 * MIB);
        charge = stake_charge(&one.conf, &one.host, domain, &stake);
        if (stake.spare_bytes != rows[r].spare_mib * MIB || charge != rows[r].charge_mib * MIB)
            fail_msg("%s: gives %" PRIu64 ", is charged %" PRIu64, rows[r].when,
                     stake.spare_bytes / MIB, charge / MIB);
    }
}

static void
who_misses_a_page_least_is_charged_most(void **unused)
{
    static const struct {
        const char *when;
        uint64_t need_mib;
        uint32_t shares;
        uint64_t merging_pages;
        uint64_t tax_bp;
        uint64_t want_mib;
    } rows[] = {
        { "busy", 1000, 100, 0, 7500, 1000 },
        { "idle", 400, 100, 0, 7500, 400 + 4 * 600 },
        { "without a tax", 400, 100, 0, 0, 1000 },
        { "almost all of it", 400, 100, 0, 9900, 400 + 100 * 600 },
        { "twice the shares", 400, 200, 0, 7500, 1400 },
        { "no shares", 1000, 0, 0, 7500, 100000 },
        { "half of it merged", 1000, 100, 500 * 256, 7500, 500 },
        { "more merged than there is", 1000, 100, 5000 * 256, 7500, 0 },
        { "merging not told", 1000, 100, U, 7500, 1000 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        uint64_t charge;
        Stake stake;
        MemCase one;

        memcase_init(&one, 1);
        one.domains[0].shares = rows[r].shares;
        one.domains[0].merging_pages = rows[r].merging_pages;
        one.conf.balloon_idle_tax_bp = rows[r].tax_bp;
        stake = stake_of(&one.conf, MEMORY_TIGHT, &one.domains[0], &one.tracks[0],
                         rows[r].need_mib * MIB);
        charge = stake_charge(&one.conf, &one.host, &one.domains[0], &stake);
        if (charge != rows[r].want_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB, want %" PRIu64, rows[r].when, charge / MIB,
                     rows[r].want_mib);
        one.domains[0].resident_bytes = U;
        assert_true(stake_charge(&one.conf, &one.host, &one.domains[0], &stake) >= charge);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floor_and_ceiling_keep_their_order),
        cmocka_unit_test(half_the_headroom_goes_in_a_crisis_and_steps_are_twice_as_large),
        cmocka_unit_test(what_a_guest_has_given_back_by_itself_is_neither_to_give_nor_charged),
        cmocka_unit_test(who_misses_a_page_least_is_charged_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
