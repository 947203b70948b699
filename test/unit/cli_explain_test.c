/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_explain_test.c - "virtksm explain", by the real program */
#include "proto/virtksm.pb-c.h"
#include "test/support/fakedaemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static int
setup(void **state)
{
    *state = fakedaemon_new();
    return 0;
}

static int
teardown(void **state)
{
    fakedaemon_free(*state);
    return 0;
}

/* A decision with everything in it; texts are writable because protobuf-c wants them so. */
typedef struct {
    Virtksm__V1__ExplainResponse explain;
    Virtksm__V1__DomainExplanation web;
    Virtksm__V1__DomainExplanation *domains[1];
    Virtksm__V1__KsmSettings wanted;
    Virtksm__V1__KsmSettings in_force;
    char words[8][32];
} Decision;

static char *
word(Decision *decision, size_t index, const char *text)
{
    g_strlcpy(decision->words[index], text, sizeof(decision->words[index]));
    return decision->words[index];
}

static uint64_t
pages_of_mib(uint64_t mib)
{
    return mib * 1048576 / (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
fill_settings(Decision *decision)
{
    virtksm__v1__ksm_settings__init(&decision->wanted);
    virtksm__v1__ksm_settings__init(&decision->in_force);
    decision->wanted.has_run = decision->wanted.has_pages_to_scan = true;
    decision->wanted.has_sleep_millisecs = true;
    decision->wanted.run = 1;
    decision->wanted.pages_to_scan = 1000;
    decision->wanted.sleep_millisecs = 20;
    decision->in_force.has_run = decision->in_force.has_sleep_millisecs = true;
    decision->in_force.run = 2;
    decision->in_force.sleep_millisecs = 50;
}

static void
fill_domain(Decision *decision)
{
    Virtksm__V1__DomainExplanation *web = &decision->web;

    virtksm__v1__domain_explanation__init(web);
    web->name = word(decision, 0, "web");
    web->reason = word(decision, 1, "It is new.");
    web->merge = word(decision, 2, "can merge");
    web->has_mergeable_pages = web->has_debt_pages = true;
    web->mergeable_pages = pages_of_mib(64);
    web->debt_pages = pages_of_mib(32);
    web->has_weight = web->has_latency_critical = true;
    web->weight = 50;
    web->latency_critical = true;
    decision->domains[0] = web;
}

static void
fill(Decision *decision)
{
    Virtksm__V1__ExplainResponse *explain = &decision->explain;

    fill_settings(decision);
    fill_domain(decision);
    virtksm__v1__explain_response__init(explain);
    explain->mode = word(decision, 3, "auto");
    explain->phase = word(decision, 4, "burst");
    explain->reason = word(decision, 5, "A domain started.");
    explain->wanted = &decision->wanted;
    explain->in_force = &decision->in_force;
    explain->applied = word(decision, 6, "yielded");
    explain->applied_detail = word(decision, 7, "told\nby 'x'");
    explain->has_debt_pages = explain->has_budget_bp = explain->has_cost_ns = true;
    explain->has_gained_pages = explain->has_decided_ms = true;
    explain->debt_pages = pages_of_mib(32);
    explain->budget_bp = 1250;
    explain->cost_ns = 850;
    explain->gained_pages = pages_of_mib(3);
    explain->decided_ms = 400;
    explain->domains = decision->domains;
    explain->n_domains = 1;
}

static void
explain_says_why_with_the_figures_behind_it(void **state)
{
    Decision decision;

    fill(&decision);
    fakedaemon_answer(*state, "Explain", &decision.explain.base);
    fakedaemon_expect(
        *state, "explain web",
        "mode:        auto\n"
        "phase:       burst\n"
        "why:         A domain started.\n"
        "decided:     0.4 s ago\n"
        "wanted:      merging, 1000 pages every 20 ms\n"
        "in force:    unmerging, a batch every 50 ms\n"
        "applied:     yielded: told\\nby 'x'\n"
        "\n"
        "32.0 MiB of the memory that may merge is yet to be scanned.\n"
        "ksmd may use 12.5 % of one CPU for it.\n"
        "To scan a page costs 850 ns, as measured.\n"
        "3.0 MiB was merged since the last burst began.\n"
        "\n"
        "DOMAIN  MERGEABLE  TO BE SCANNED  WEIGHT  LATENCY   MERGE      REASON\n"
        "web      64.0 MiB       32.0 MiB      50  critical  can merge  It is new.\n");
    assert_string_equal(fakedaemon_asked(*state), "Explain web");
}

static void
explain_tells_the_bound_and_what_was_decided_before(void **state)
{
    Virtksm__V1__ExplainResponse explain = VIRTKSM__V1__EXPLAIN_RESPONSE__INIT;
    Virtksm__V1__Decision now = VIRTKSM__V1__DECISION__INIT;
    Virtksm__V1__Decision before = VIRTKSM__V1__DECISION__INIT;
    Virtksm__V1__Decision *decisions[] = { &now, &before };
    char phase[] = "rest", reason[] = "It was so.", bound[] = "cpu_burst = 25", change[] = "time";

    before.has_first_ms = before.has_decisions = before.has_debt_pages = true;
    before.first_ms = 120000;
    before.decisions = 7;
    before.debt_pages = pages_of_mib(2);
    before.phase = phase;
    before.reason = reason;
    explain.bound = bound;
    explain.change = change;
    explain.decisions = decisions;
    explain.n_decisions = 2;
    fakedaemon_answer(*state, "Explain", &explain.base);
    fakedaemon_expect(
        *state, "explain",
        "mode:        -\n"
        "phase:       -\n"
        "why:         -\n"
        "bound:       cpu_burst = 25\n"
        "changed by:  time\n"
        "decided:     - ago\n"
        "wanted:      everything left as it is\n"
        "in force:    -\n"
        "applied:     -\n"
        "\n"
        "DOMAIN  MERGEABLE  TO BE SCANNED  WEIGHT  LATENCY  MERGE  REASON\n"
        "\n"
        "BEFORE THIS  TIMES  PHASE  YET TO BE SCANNED  GAINED  APPLIED  WHY\n"
        "      2 min      7  rest             2.0 MiB       -  -        It was so.\n");
}

static void
explain_gives_rows_of_raw_figures_to_programs(void **state)
{
    Decision decision;
    g_autofree char *csv = NULL;

    fill(&decision);
    fakedaemon_answer(*state, "Explain", &decision.explain.base);
    csv = g_strdup_printf(
        "kind,name,uuid,reason,merge,mergeable_pages,debt_pages,weight,latency_critical\n"
        "host,,,A domain started.,,,%" G_GUINT64_FORMAT ",,\n"
        "domain,web,,It is new.,can merge,%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",50,true\n",
        (guint64)decision.explain.debt_pages, (guint64)decision.web.mergeable_pages,
        (guint64)decision.web.debt_pages);
    fakedaemon_expect(*state, "explain --format csv", csv);
    assert_string_equal(fakedaemon_asked(*state), "Explain");
}

static void
explain_says_of_a_daemon_that_tells_no_weight_that_it_is_not_known(void **state)
{
    Decision decision;

    fill(&decision);
    decision.web.has_weight = decision.web.has_latency_critical = false;
    decision.wanted.has_use_zero_pages = decision.in_force.has_use_zero_pages = true;
    decision.wanted.use_zero_pages = 1;
    fakedaemon_answer(*state, "Explain", &decision.explain.base);
    fakedaemon_expect(*state, "explain",
                      "mode:        auto\n"
                      "phase:       burst\n"
                      "why:         A domain started.\n"
                      "decided:     0.4 s ago\n"
                      "wanted:      merging, 1000 pages every 20 ms, zero pages on\n"
                      "in force:    unmerging, a batch every 50 ms, zero pages off\n"
                      "applied:     yielded: told\\nby 'x'\n"
                      "\n"
                      "32.0 MiB of the memory that may merge is yet to be scanned.\n"
                      "ksmd may use 12.5 % of one CPU for it.\n"
                      "To scan a page costs 850 ns, as measured.\n"
                      "3.0 MiB was merged since the last burst began.\n"
                      "\n"
                      "DOMAIN  MERGEABLE  TO BE SCANNED  WEIGHT  LATENCY  MERGE      REASON\n"
                      "web      64.0 MiB       32.0 MiB       -  -        can merge  It is new.\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(explain_says_why_with_the_figures_behind_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            explain_says_of_a_daemon_that_tells_no_weight_that_it_is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(explain_tells_the_bound_and_what_was_decided_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(explain_gives_rows_of_raw_figures_to_programs, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
