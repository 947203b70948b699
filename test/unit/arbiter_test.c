/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arbiter_test.c - one sum, asked of the cheapest first, and never asked for twice */
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
the_sum_is_what_is_missing_to_relief(void **unused)
{
    static const struct {
        const char *when;
        uint64_t available_mib;
        uint32_t alarm;
        uint64_t unmet_mib;
        uint64_t want_mib;
    } rows[] = {
        { "calm", 5000, ALARM_NONE, 0, 0 },
        { "calm, near the mark", 1001, ALARM_NONE, 0, 0 },
        { "tight", 900, ALARM_NONE, 0, 350 },
        { "critical", 300, ALARM_NONE, 0, 950 },
        { "an alarm with plenty", 5000, ALARM_MEDIUM, 0, 0 },
        { "an alarm near the mark", 1100, ALARM_MEDIUM, 0, 150 },
        { "the worst of them", 1500, ALARM_CRITICAL, 0, 100 },
        { "a guest is short", 5000, ALARM_NONE, 70, 70 },
        { "both", 900, ALARM_NONE, 70, 420 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 2);
        memcase_available(&one, rows[r].available_mib);
        one.host.alarm = rows[r].alarm;
        one.state.memory.unmet_bytes = rows[r].unmet_mib * MIB;
        memcase_decide(&one);
        if (one.plan.host.wanted_bytes != rows[r].want_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB, want %" PRIu64, rows[r].when,
                     one.plan.host.wanted_bytes / MIB, rows[r].want_mib);
    }
}

static void
a_host_on_its_way_back_to_calm_wants_nothing(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 2);
    memcase_available(&one, 900);
    memcase_decide(&one);
    memcase_available(&one, 1300);
    memcase_after(&one, S);
    assert_int_equal(one.plan.host.level, MEMORY_TIGHT);
    assert_int_equal(one.plan.host.wanted_bytes, 0);
}

static void
what_will_be_missing_soon_is_asked_of_balloons_and_not_written_to_swap(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 2);
    for (uint64_t mib = 3000; mib >= 2600; mib -= 200) {
        memcase_available(&one, mib);
        memcase_after(&one, S);
    }
    assert_int_equal(one.plan.host.level, MEMORY_TIGHT);
    assert_int_equal(one.plan.host.wanted_bytes, 650 * MIB);
    assert_int_equal(one.plan.host.balloon_bytes, 650 * MIB);
    assert_int_equal(one.plan.host.reclaim_bytes, 0);
}

static void
a_host_without_figures_wants_a_part_of_its_domains(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 2);
    one.host.mem_available_bytes = U;
    one.host.alarm = ALARM_CRITICAL;
    one.domains[1].balloon_bytes = U;
    memcase_decide(&one);
    assert_int_equal(one.plan.host.wanted_bytes, 50 * MIB);
    assert_int_equal(one.plan.host.reclaim_bytes, 40 * MIB);
}

static void
what_balloons_have_been_asked_for_is_not_asked_for_again(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 2);
    memcase_available(&one, 900);
    memcase_decide(&one);
    assert_int_equal(one.plan.host.wanted_bytes, 350 * MIB);
    memcase_after(&one, S);
    assert_int_equal(one.plan.host.wanted_bytes, 250 * MIB); /* two steps of 50 */
    one.domains[1].balloon_bytes = U;
    memcase_after(&one, S);
    assert_int_equal(one.plan.host.wanted_bytes, 300 * MIB);
    memcase_after(&one, 60 * S); /* stuck */
    assert_int_equal(one.plan.host.wanted_bytes, 350 * MIB);
}

static void
merging_comes_first_where_it_is_under_way(void **unused)
{
    static const struct {
        const char *when;
        unsigned mode;
        uint64_t available_mib;
        uint64_t merging, records; /* pages of each domain */
        uint64_t want_mib;         /* asked of others */
    } rows[] = {
        { "half of it merges", KSM_MODE_AUTO, 200 + 700, 500, 1000, 0 },
        { "a tenth of it", KSM_MODE_AUTO, 900, 100, 1000, 150 },
        { "more than there is", KSM_MODE_AUTO, 900, 5000, 1000, 0 },
        { "not told", KSM_MODE_AUTO, 900, U, U, 350 },
        { "no records", KSM_MODE_AUTO, 900, 100, 0, 350 },
        { "observed only", KSM_MODE_OBSERVE, 900, 500, 1000, 350 },
        { "in a crisis", KSM_MODE_AUTO, 300, 500, 1000, 950 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 2);
        one.conf.mode = rows[r].mode;
        one.host.has_ksm = true;
        memcase_available(&one, rows[r].available_mib);
        for (size_t i = 0; i < 2; i++) {
            one.domains[i].mergeable_bp = BP_ONE;
            one.domains[i].merging_pages = rows[r].merging;
            one.domains[i].rmap_items = rows[r].records;
        }
        memcase_decide(&one);
        if (one.plan.host.reclaim_bytes + one.plan.host.balloon_bytes != rows[r].want_mib * MIB)
            fail_msg("%s: %" PRIu64 " MiB asked of others, want %" PRIu64, rows[r].when,
                     (one.plan.host.reclaim_bytes + one.plan.host.balloon_bytes) / MIB,
                     rows[r].want_mib);
    }
}

static void
cold_memory_pays_what_idle_memory_cannot(void **unused)
{
    static const struct {
        const char *when;
        unsigned balloon, high;
        uint64_t uses_mib; /* of each guest */
        uint64_t available_mib;
        uint64_t unmet_mib;
        uint64_t reclaim_mib, balloon_mib;
    } rows[] = {
        { "idle memory is there", ENABLE_YES, ENABLE_YES, 500, 600, 0, 0, 650 },
        { "none, but not pressing", ENABLE_YES, ENABLE_YES, 830, 600, 0, 0, 650 },
        { "none, and a crisis", ENABLE_YES, ENABLE_YES, 830, 300, 0, 0, 950 },
        { "none, and pressing", ENABLE_YES, ENABLE_YES, 830, 150, 0, 40, 1060 },
        { "a guest is short", ENABLE_YES, ENABLE_YES, 830, 900, 20, 20, 350 },
        { "no balloons", ENABLE_NO, ENABLE_YES, 500, 900, 0, 40, 0 },
        { "no balloons, little missing", ENABLE_NO, ENABLE_YES, 500, 990, 0, 10, 0 },
        { "balloons are observed", ENABLE_OBSERVE, ENABLE_YES, 500, 900, 0, 40, 310 },
        { "no cold reclaim", ENABLE_YES, ENABLE_NO, 500, 900, 0, 0, 350 },
        { "it is observed", ENABLE_YES, ENABLE_OBSERVE, 500, 900, 0, 0, 350 },
        { "nothing", ENABLE_NO, ENABLE_NO, 500, 900, 0, 0, 0 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        memcase_init(&one, 2);
        one.conf.balloon_enable = rows[r].balloon;
        one.conf.high_enable = rows[r].high;
        memcase_available(&one, rows[r].available_mib);
        one.state.memory.unmet_bytes = rows[r].unmet_mib * MIB;
        memcase_uses(&one, 0, rows[r].uses_mib);
        memcase_uses(&one, 1, rows[r].uses_mib);
        memcase_decide(&one);
        if (one.plan.host.reclaim_bytes != rows[r].reclaim_mib * MIB ||
            one.plan.host.balloon_bytes != rows[r].balloon_mib * MIB)
            fail_msg("%s: reclaim %" PRIu64 " MiB, balloons %" PRIu64 " MiB", rows[r].when,
                     one.plan.host.reclaim_bytes / MIB, one.plan.host.balloon_bytes / MIB);
    }
}

static void
a_domain_pays_in_one_coin_at_a_time(void **unused)
{
    MemCase one;
    (void)unused;

    memcase_init(&one, 4);
    memcase_available(&one, 100);
    for (size_t i = 0; i < 4; i++)
        memcase_uses(&one, i, 700);
    memcase_decide(&one);
    for (size_t i = 0; i < 4; i++)
        if ((one.plans[i].reclaim_bytes > 0) == is_known(one.plans[i].balloon_bytes))
            fail_msg("domain %zu: %s and %s", i, reason_name(one.plans[i].high_reason),
                     reason_name(one.plans[i].balloon_reason));
    assert_int_equal(one.plans[0].balloon_reason, REASON_PROBE_DOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_is_what_is_missing_to_relief),
        cmocka_unit_test(a_host_on_its_way_back_to_calm_wants_nothing),
        cmocka_unit_test(what_will_be_missing_soon_is_asked_of_balloons_and_not_written_to_swap),
        cmocka_unit_test(a_host_without_figures_wants_a_part_of_its_domains),
        cmocka_unit_test(what_balloons_have_been_asked_for_is_not_asked_for_again),
        cmocka_unit_test(merging_comes_first_where_it_is_under_way),
        cmocka_unit_test(cold_memory_pays_what_idle_memory_cannot),
        cmocka_unit_test(a_domain_pays_in_one_coin_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
