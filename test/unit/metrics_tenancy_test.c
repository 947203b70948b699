/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_tenancy_test.c - how many groups there are, and how their domains stand */
#include "agent/report/metrics_tenancy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/report/metrics_page.h"
#include "test/support/fakeagent.h"

#define ON_AGENT(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)

/* Two of one group, and two alone; of one of those nothing can be merged. */
static void
fill(Agent *agent)
{
    static const char *const uuids[] = { "c7a5fdbd-edaf-9455-926a-d65c16db1801",
                                         "c7a5fdbd-edaf-9455-926a-d65c16db1802",
                                         "c7a5fdbd-edaf-9455-926a-d65c16db1803",
                                         "c7a5fdbd-edaf-9455-926a-d65c16db1804" };

    for (size_t i = 0; i < G_N_ELEMENTS(uuids); i++) {
        Domain *domain = domain_table_add(&agent->domains, uuids[i], uuids[i], (int)i + 1, 1);

        domain->group_number = i < 2 ? 7 : 0;
        domain->plan.merge_reason = i == 0 ? REASON_NO_HEADROOM : REASON_MERGED_GROUP;
        domain->has_xml = i == 3;
        domain->xml.nosharepages = i == 3;
    }
}

static void
each_getter_tells_its_figure(void **state)
{
    Agent *agent = *state;
    const MetricsView view = { agent, NULL, 100 * G_USEC_PER_SEC, 0 };

    assert_true(metrics_tenancy_enforced(&view) == 0 && metrics_tenancy_paused(&view) == 0);
    assert_true(metrics_tenancy_groups(&view) == 0 && metrics_tenancy_refused(&view) == 0);
    assert_true(isnan(metrics_tenancy_window(&view)));
    fill(agent);
    agent->conf->policy.tenancy_enforce = TENANCY_ENFORCE_YES;
    assert_true(metrics_tenancy_enforced(&view) == 0); /* not decided yet */
    agent->plan.tenancy.is_enforced = true;
    assert_true(metrics_tenancy_enforced(&view) == 1 && metrics_tenancy_paused(&view) == 0);
    agent->plan.tenancy.is_paused = true;
    agent->window.window_us = 1500000;
    assert_true(metrics_tenancy_paused(&view) == 1);
    assert_true(metrics_tenancy_groups(&view) == 3);
    assert_true(metrics_tenancy_refused(&view) == 1);
    assert_true(metrics_tenancy_window(&view) == 1.5);
    agent->ksm.state = KSM_ACTUATOR_YIELDED; /* KSM goes on */
    assert_true(metrics_tenancy_enforced(&view) == 0 && metrics_tenancy_paused(&view) == 0);
}

static void
domains_are_counted_by_how_they_stand(void **state)
{
    static const char *const lines[] = {
        "virtksm_tenancy_domains{merging=\"on\"} 3\n",
        "virtksm_tenancy_domains{merging=\"off\"} 0\n",
        "virtksm_tenancy_domains{merging=\"being switched\"} 0\n",
        "virtksm_tenancy_domains{merging=\"stuck\"} 0\n",
        "virtksm_tenancy_domains{merging=\"cannot merge\"} 1\n",
    };
    static const MetricsCounts counts = { 0 };
    Agent *agent = *state;
    const MetricsView view = { agent, NULL, 100 * G_USEC_PER_SEC, 0 };
    g_autoptr(MetricsPage) page = metrics_page_new();
    g_autoptr(GString) text = NULL;
    const HostMetric *rows;
    size_t n;

    fill(agent);
    rows = metrics_agent_rows(&n);
    page->agent = metrics_samples_of(rows, n, &view);
    text = metrics_page_text(page, false, &counts);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
        if (!strstr(text->str, lines[i]))
            fail_msg("no %s", lines[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_AGENT(each_getter_tells_its_figure),
        ON_AGENT(domains_are_counted_by_how_they_stand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
