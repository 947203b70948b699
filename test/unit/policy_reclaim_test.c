/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy_reclaim_test.c - when reclaim is decided upon, and when it is left as it is */
#include "policy/policy.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/memcase.h"

static void
decisions_in_a_hurry_leave_reclaim_as_it_is(void **unused)
{
    DomainTrack before[2];
    MemoryState memory;
    MemCase one;
    (void)unused;

    memcase_init(&one, 2);
    memcase_available(&one, 300);
    memcase_decide(&one);
    assert_int_equal(one.plan.host.level, MEMORY_CRITICAL);
    assert_int_equal(one.plans[0].balloon_reason, REASON_TAKE);
    memcpy(before, one.tracks, sizeof(before));
    memory = one.state.memory;
    one.host.is_quick = true;
    one.host.alarm = ALARM_CRITICAL;
    memcase_after(&one, 20 * S);
    assert_int_equal(one.plan.host.level, MEMORY_CRITICAL);
    assert_int_equal(one.plan.host.reason, REASON_NONE);
    assert_int_equal(one.plan.host.wanted_bytes, 0);
    for (size_t i = 0; i < one.n; i++) {
        const DomainPlan *plan = &one.plans[i];

        assert_false(is_known(plan->balloon_bytes) || is_known(plan->limit_bytes));
        assert_int_equal(plan->reclaim_bytes, 0);
        assert_int_equal(plan->balloon_reason, REASON_NONE);
        assert_int_equal(plan->high_reason, REASON_NONE);
    }
    assert_memory_equal(before, one.tracks, sizeof(before));
    assert_memory_equal(&memory, &one.state.memory, sizeof(memory));
    one.host.is_quick = false;
    memcase_after(&one, 20 * S);
    assert_int_not_equal(one.plans[0].balloon_reason, REASON_NONE);
}

static void
where_no_mechanism_is_enabled_need_is_told_and_nothing_decided(void **unused)
{
    static const HighTrack fresh = { 0 };
    static const struct {
        const char *when;
        unsigned balloon;
        unsigned high;
        bool is_used;
    } rows[] = {
        { "as shipped", ENABLE_NO, ENABLE_NO, false },
        { "balloons observed", ENABLE_OBSERVE, ENABLE_NO, true },
        { "reclaim observed", ENABLE_NO, ENABLE_OBSERVE, true },
        { "balloons", ENABLE_YES, ENABLE_NO, true },
        { "reclaim", ENABLE_NO, ENABLE_YES, true },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        MemCase one;
        uint64_t need_bytes;

        memcase_init(&one, 2);
        memcase_available(&one, 300);
        one.state.memory.unmet_bytes = 1; /* a guest got too little while it was enabled */
        memcase_decide(&one);
        need_bytes = one.plans[0].need_bytes;
        assert_true(is_known(need_bytes));
        one.conf.balloon_enable = rows[i].balloon;
        one.conf.high_enable = rows[i].high;
        memcase_after(&one, S);
        /* What there is to know for others as well. */
        if (one.plans[0].need_bytes != need_bytes)
            fail_msg("%s: need %" PRIu64, rows[i].when, one.plans[0].need_bytes);
        if (one.plan.host.level != MEMORY_CRITICAL)
            fail_msg("%s: %s", rows[i].when, memory_level_name(one.plan.host.level));
        if (rows[i].is_used)
            continue;
        assert_int_equal(one.tracks[0].balloon.asked_bytes, 0);
        assert_memory_equal(&one.tracks[0].high, &fresh, sizeof(fresh));
        assert_int_equal(one.state.memory.unmet_bytes, 0);
        assert_int_equal(one.plans[0].balloon_reason, REASON_MECHANISM_OFF);
        assert_int_equal(one.plans[0].high_reason, REASON_MECHANISM_OFF);
        assert_int_equal(one.plan.next_tick_us, 10 * S);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_in_a_hurry_leave_reclaim_as_it_is),
        cmocka_unit_test(where_no_mechanism_is_enabled_need_is_told_and_nothing_decided),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
