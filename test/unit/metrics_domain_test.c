/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_domain_test.c - figures of a domain that mean another thing at times say so */
#include "agent/report/metrics_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/facts/working_set_backend.h"

static const DomainMetric *
find(const char *name)
{
    size_t n;
    const DomainMetric *rows = metrics_domain_rows(&n);

    for (size_t i = 0; i < n; i++)
        if (g_str_equal(rows[i].name, name))
            return &rows[i];
    fail_msg("no metric %s", name);
    return NULL;
}

/* Of 1,000 bytes 300 could be had without swapping, 100 of them are free. */
static void
what_the_guest_alone_tells_is_explained(void **unused)
{
    static const struct {
        const char *name;
        double want;
        const char *help;
    } rows[] = {
        { "virtksm_domain_working_set_bytes", 700,
          "; where the guest alone tells, what it could not give up without swapping." },
        { "virtksm_domain_cold_bytes", 200,
          "; where the guest alone tells, what it could give up beside what is free." },
    };
    const WorkingSetGuest before = { .told_us = 0 };
    WorkingSetReport report = {
        .state = WORKING_SET_GUEST,
        .guest = { .total_bytes = 1000, .unused_bytes = 100, .usable_bytes = 300 }
    };
    Domain domain = { .working_set = &report };
    const LedgerRow row = { .domain = &domain };
    const MetricsView view = { NULL, NULL, 0, 0 };
    (void)unused;

    working_set_fuse(&report, &before, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const DomainMetric *metric = find(rows[i].name);

        if (metric->get(&view, &row) != rows[i].want || !strstr(metric->help, rows[i].help))
            fail_msg("%s: %g, \"%s\"", rows[i].name, metric->get(&view, &row), metric->help);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_guest_alone_tells_is_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
