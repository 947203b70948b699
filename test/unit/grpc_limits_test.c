/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* grpc_limits_test.c - budgets add up through their parents, buckets refill at their rate */
#include "proto/grpc_limits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND_US UINT64_C(1000000)

static void
a_charge_counts_in_all_budgets_or_in_none(void **unused)
{
    GrpcBudget all = { .limit_bytes = 100 };
    GrpcBudget one = { .limit_bytes = 80, .parent = &all };
    GrpcBudget two = { .limit_bytes = 80, .parent = &all };

    (void)unused;
    assert_true(grpc_budget_charge(&one, 60));
    assert_false(grpc_budget_charge(&one, 21));
    assert_false(grpc_budget_charge(&two, 41));
    assert_int_equal(two.used_bytes, 0);
    assert_true(grpc_budget_charge(&two, 40));
    assert_int_equal(all.used_bytes, 100);
    grpc_budget_refund(&one, 60);
    assert_int_equal(all.used_bytes, 40);
    assert_false(grpc_budget_charge(&one, SIZE_MAX));
    assert_true(grpc_budget_charge(&one, 60));
}

static void
nobody_takes_all_and_nobody_what_is_roots(void **unused)
{
    GrpcLimits limits = grpc_server_limits;
    GrpcUserBudgets budgets;
    GrpcBudget *one, *two, *root;

    (void)unused;
    limits.user_bytes = 60;
    limits.total_bytes = 100;
    grpc_user_budgets_init(&budgets, &limits);
    one = grpc_user_budgets_join(&budgets, 1);
    two = grpc_user_budgets_join(&budgets, 2);
    root = grpc_user_budgets_join(&budgets, 0);
    assert_ptr_equal(grpc_user_budgets_join(&budgets, 1), one);
    assert_false(grpc_budget_charge(one, 61));
    assert_true(grpc_budget_charge(one, 60));
    assert_false(grpc_budget_charge(two, 41));
    assert_true(grpc_budget_charge(two, 40));
    assert_true(grpc_budget_charge(root, 100));
    assert_false(grpc_budget_charge(root, 1));
    grpc_user_budgets_leave(&budgets, 1);
    assert_false(grpc_budget_charge(one, 1)); /* the other connection is still there */
    grpc_budget_refund(one, 60);
    grpc_user_budgets_leave(&budgets, 1);
    grpc_user_budgets_leave(&budgets, 0);
    assert_int_equal(g_hash_table_size(budgets.users), 1);
    assert_int_equal(budgets.all.used_bytes, 40);
    grpc_user_budgets_clear(&budgets);
}

static unsigned
take_all(GrpcBucket *bucket, uint64_t now_us)
{
    unsigned taken = 0;

    while (taken < 1000 && grpc_bucket_take(bucket, now_us))
        taken++;
    return taken;
}

static void
a_bucket_gives_its_burst_and_then_its_rate(void **unused)
{
    static const struct {
        const char *when;
        uint64_t at_us;
        unsigned want;
    } rows[] = {
        { "full at first", 0, 10 },
        { "empty in the same moment", 0, 0 },
        { "a fifth of a second for each", SECOND_US / 5, 1 },
        { "too early for another", SECOND_US / 5 + 1, 0 },
        { "the rest was not lost", SECOND_US * 2 / 5, 1 },
        { "one more second", SECOND_US * 7 / 5, 5 },
        { "never over the burst", 3600 * SECOND_US, 10 },
        { "nor after ages", UINT64_MAX, 10 },
    };
    GrpcBucket bucket;
    (void)unused;

    grpc_bucket_init(&bucket, 10, 5, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        unsigned got = take_all(&bucket, rows[i].at_us);

        if (got != rows[i].want)
            fail_msg("%s: got %u, want %u", rows[i].when, got, rows[i].want);
    }
}

static void
tokens_given_back_count_up_to_the_burst(void **unused)
{
    GrpcBucket bucket;

    (void)unused;
    grpc_bucket_init(&bucket, 10, 0, 0);
    assert_int_equal(take_all(&bucket, 1), 10);
    grpc_bucket_give(&bucket, 4);
    assert_int_equal(take_all(&bucket, SECOND_US), 4);
    grpc_bucket_give(&bucket, UINT32_MAX);
    assert_int_equal(take_all(&bucket, SECOND_US), 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_charge_counts_in_all_budgets_or_in_none),
        cmocka_unit_test(nobody_takes_all_and_nobody_what_is_roots),
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
        cmocka_unit_test(tokens_given_back_count_up_to_the_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
