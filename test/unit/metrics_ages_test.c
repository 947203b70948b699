/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_ages_test.c - memory by age, as Prometheus wants a histogram */
#include "agent/report/metrics_ages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S G_USEC_PER_SEC

/* 30 bytes below 1 s, 30 more below 60 s, 40 above; on two nodes, of both kinds. */
static const WorkingSetReport measured = {
    .state = WORKING_SET_MEASURED,
    .edges = { { 1 * S, 60 * S }, 2 },
    .n_nodes = 2,
    .nodes = { { 0, { { { 10, 0 } }, { { 0, 0 } }, { { 0, 40 } } } },
               { 1, { { { 15, 5 } }, { { 30, 0 } }, { { 0, 0 } } } } },
};

static void
buckets_add_up_over_nodes_kinds_and_ages(void **unused)
{
    g_autoptr(GString) out = g_string_new(NULL);
    MetricsAges ages;
    (void)unused;

    metrics_ages_take(&measured, &ages);
    metrics_ages_append(out, &ages, "domain=\"web\"");
    assert_string_equal(out->str,
                        "virtksm_domain_memory_age_seconds_bucket{domain=\"web\",le=\"1\"} 30\n"
                        "virtksm_domain_memory_age_seconds_bucket{domain=\"web\",le=\"60\"} 60\n"
                        "virtksm_domain_memory_age_seconds_bucket{domain=\"web\",le=\"+Inf\"} 100\n"
                        "virtksm_domain_memory_age_seconds_sum{domain=\"web\"} 2430\n"
                        "virtksm_domain_memory_age_seconds_count{domain=\"web\"} 100\n");
}

static void
what_is_not_measured_has_no_histogram(void **unused)
{
    WorkingSetReport report = measured;
    MetricsAges ages;
    (void)unused;

    metrics_ages_take(NULL, &ages);
    assert_int_equal(ages.n, 0);
    for (WorkingSetState state = 0; state < WORKING_SET_STATE_COUNT; state++) {
        report.state = state;
        metrics_ages_take(&report, &ages);
        if ((ages.n > 0) != (state == WORKING_SET_MEASURED))
            fail_msg("%s: %u edges", working_set_state_name(state), ages.n);
    }
}

static void
the_head_says_that_it_is_a_histogram(void **unused)
{
    g_autoptr(GString) out = g_string_new(NULL);
    (void)unused;

    metrics_ages_head(out);
    assert_non_null(strstr(out->str, "# TYPE virtksm_domain_memory_age_seconds histogram\n"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_add_up_over_nodes_kinds_and_ages),
        cmocka_unit_test(what_is_not_measured_has_no_histogram),
        cmocka_unit_test(the_head_says_that_it_is_a_histogram),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
