/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nodes_test.c - merge_across_nodes changes only when nothing is merged, and never at any price */
#include "policy/nodes.h"

#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Three domains of one owner that have 100 MiB merged each, and a setting that is not as wanted. */
static void
init(MemCase *one)
{
    memcase_init_tenancy(one, 3);
    one->conf.merge_across_nodes = NODES_APART;
    one->host.ksm.merge_across_nodes = 1;
    one->host.ksm.ksm_zero_pages = 0;
    one->host.ksm.pages_sharing = 250 * MIB / 4096;
    one->host.ksm.pages_shared = 50 * MIB / 4096;
}

static void
bend_nothing_wanted(MemCase *one)
{
    one->conf.merge_across_nodes = NODES_AS_FOUND;
}

static void
bend_in_force(MemCase *one)
{
    one->conf.merge_across_nodes = NODES_TOGETHER;
}

static void
bend_no_nodes(MemCase *one)
{
    one->host.ksm.merge_across_nodes = U;
}

static void
bend_nothing_merged(MemCase *one)
{
    one->host.ksm.pages_sharing = one->host.ksm.pages_shared = 0;
    one->conf.tenancy_enforce = TENANCY_ENFORCE_NO;
}

static void
bend_observed(MemCase *one)
{
    bend_nothing_merged(one);
    one->conf.mode = KSM_MODE_OBSERVE;
}

static void
bend_unenforced(MemCase *one)
{
    one->conf.tenancy_enforce = TENANCY_ENFORCE_NO;
}

static void
bend_little_memory(MemCase *one)
{
    memcase_available(one, 1299); /* 1000 of 10000 MiB are the reserve */
}

static void
bend_just_enough(MemCase *one)
{
    memcase_available(one, 1300);
}

static void
bend_small_limit(MemCase *one)
{
    one->domains[1].hard_limit_bytes = 999 * MIB;
}

static void
bend_stuck(MemCase *one)
{
    one->domains[1].merge_state = MERGE_STUCK;
}

static void
bend_slow(MemCase *one)
{
    bend_stuck(one);
    one->domains[1].is_switching = true;
}

static void
bend_others(MemCase *one)
{
    one->host.ksm.pages_sharing += 200 * MIB / 4096;
}

static void
bend_few_others(MemCase *one)
{
    one->host.ksm.pages_sharing += 100 * MIB / 4096;
}

static void
all_are_parted_where_nothing_stands_in_the_way(void **unused)
{
    static const struct {
        const char *when;
        MemBend bend;
        bool is_parting; /* else everybody stays on */
        uint64_t nodes;
        Reason reason;
    } rows[] = {
        { "all is well", memcase_bend_nothing, true, U, REASON_NODES },
        { "nothing configured", bend_nothing_wanted, false, U, REASON_NONE },
        { "as configured", bend_in_force, false, U, REASON_NONE },
        { "a kernel without nodes", bend_no_nodes, false, U, REASON_NONE },
        { "nothing merged", bend_nothing_merged, false, 0, REASON_NODES },
        { "observed", bend_observed, false, U, REASON_NONE },
        { "nobody may be switched", bend_unenforced, false, U, REASON_PAGES_MERGED },
        { "too little memory", bend_little_memory, false, U, REASON_NO_HEADROOM },
        { "just enough", bend_just_enough, true, U, REASON_NODES },
        { "a limit that is too small", bend_small_limit, false, U, REASON_NO_HEADROOM },
        { "one that is stuck", bend_stuck, false, U, REASON_MERGE_STUCK },
        { "one that takes long", bend_slow, true, U, REASON_NODES },
        { "others that merge much", bend_others, false, U, REASON_OTHERS_MERGED },
        { "others that merge little", bend_few_others, true, U, REASON_NODES },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        init(&one);
        rows[r].bend(&one);
        memcase_decide(&one);
        for (size_t i = 0; i < 3; i++)
            if ((one.plans[i].merge == MERGING_OFF) != rows[r].is_parting)
                fail_msg("%s: domain %zu", rows[r].when, i);
        if (one.plan.tenancy.nodes != rows[r].nodes ||
            one.plan.tenancy.nodes_reason != rows[r].reason)
            fail_msg("%s: nodes %" PRId64 ", %s", rows[r].when, (int64_t)one.plan.tenancy.nodes,
                     reason_name(one.plan.tenancy.nodes_reason));
    }
}

static void
one_after_the_other_is_parted_then_it_is_written_then_all_go_on(void **unused)
{
    MemCase one;
    (void)unused;

    init(&one);
    memcase_available(&one, 1300); /* just what it takes, beyond the reserve */
    for (size_t i = 0; i < 3; i++) {
        memcase_after(&one, S);
        assert_int_equal(one.plan.ksm.knobs.run, KSM_RUN_STOP);
        assert_int_equal(one.plan.tenancy.nodes, U);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(one.plans[k].merge_apply, k == i); /* each is large */
        one.domains[i].merge_state = MERGE_MOVING;
        one.host.mem_available_bytes -= 100 * MIB;
        memcase_after(&one, S);
        assert_int_equal(one.plans[i].merge, MERGING_OFF);
        one.domains[i].merge_state = MERGE_OFF;
    }
    memcase_after(&one, S);
    assert_int_equal(one.plan.tenancy.nodes, 0);
    for (size_t k = 0; k < 3; k++)
        assert_int_equal(one.plans[k].merge_reason, REASON_NODES);
    one.host.ksm.merge_across_nodes = 0;
    memcase_after(&one, S);
    assert_int_equal(one.plan.tenancy.nodes, U);
    assert_int_equal(one.plan.tenancy.nodes_reason, REASON_NONE);
    for (size_t k = 0; k < 3; k++)
        assert_true(one.plans[k].merge == MERGING_ON && one.plans[k].merge_apply);
    assert_int_equal(one.state.tenancy.parting_us, 0);
}

static void
what_goes_wrong_on_the_way_ends_it_for_an_hour(void **unused)
{
    static const struct {
        const char *when;
        MemBend bend;
        uint64_t after_s;
    } rows[] = {
        { "memory gets short", bend_little_memory, 5 },
        { "one gets stuck", bend_stuck, 5 },
        { "it takes too long", memcase_bend_nothing, 602 },
    };
    (void)unused;

    for (size_t r = 0; r < ROWS(rows); r++) {
        MemCase one;

        init(&one);
        memcase_after(&one, S);
        assert_int_equal(one.plans[0].merge_reason, REASON_MERGE_WAIT);
        rows[r].bend(&one);
        memcase_after(&one, rows[r].after_s * S);
        if (one.plans[0].merge != MERGING_ON)
            fail_msg("%s: still parted", rows[r].when);
        memcase_available(&one, 5000);
        one.domains[1].merge_state = MERGE_AS_FOUND;
        memcase_after(&one, 3500 * S);
        if (one.plans[0].merge != MERGING_ON)
            fail_msg("%s: parted again too soon", rows[r].when);
        memcase_after(&one, 200 * S);
        if (one.plans[0].merge != MERGING_OFF)
            fail_msg("%s: not tried again", rows[r].when);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_parted_where_nothing_stands_in_the_way),
        cmocka_unit_test(one_after_the_other_is_parted_then_it_is_written_then_all_go_on),
        cmocka_unit_test(what_goes_wrong_on_the_way_ends_it_for_an_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
