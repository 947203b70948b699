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

static void
explain_says_why_with_the_figures_behind_it(void **state)
{
    Virtksm__V1__ExplainResponse explain = VIRTKSM__V1__EXPLAIN_RESPONSE__INIT;
    Virtksm__V1__DomainExplanation web = VIRTKSM__V1__DOMAIN_EXPLANATION__INIT;
    Virtksm__V1__DomainExplanation *domains[] = { &web };
    Virtksm__V1__KsmSettings wanted = VIRTKSM__V1__KSM_SETTINGS__INIT;
    Virtksm__V1__KsmSettings in_force = VIRTKSM__V1__KSM_SETTINGS__INIT;
    uint64_t pages_of_mib = 1048576 / (uint64_t)sysconf(_SC_PAGESIZE);
    char word_auto[] = "auto";
    char word_burst[] = "burst";
    char reason[] = "A domain started.";
    char detail[] = "told\nby 'x'";
    char name[] = "web";
    char why[] = "It is new.";
    char merge[] = "can merge";
    char done[] = "yielded";
    g_autofree char *csv = NULL;

    wanted.has_run = wanted.has_pages_to_scan = wanted.has_sleep_millisecs = true;
    wanted.run = 1;
    wanted.pages_to_scan = 1000;
    wanted.sleep_millisecs = 20;
    in_force.has_run = in_force.has_sleep_millisecs = true;
    in_force.run = 2;
    in_force.sleep_millisecs = 50;
    web.name = name;
    web.reason = why;
    web.merge = merge;
    web.has_mergeable_pages = web.has_debt_pages = true;
    web.mergeable_pages = 64 * pages_of_mib;
    web.debt_pages = 32 * pages_of_mib;
    explain.mode = word_auto;
    explain.phase = word_burst;
    explain.reason = reason;
    explain.wanted = &wanted;
    explain.in_force = &in_force;
    explain.applied = done;
    explain.applied_detail = detail;
    explain.has_debt_pages = explain.has_budget_bp = explain.has_cost_ns = true;
    explain.has_gained_pages = explain.has_decided_ms = true;
    explain.debt_pages = 32 * pages_of_mib;
    explain.budget_bp = 1250;
    explain.cost_ns = 850;
    explain.gained_pages = 3 * pages_of_mib;
    explain.decided_ms = 400;
    explain.domains = domains;
    explain.n_domains = 1;
    fakedaemon_answer(*state, "Explain", &explain.base);
    fakedaemon_expect(*state, "explain web",
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
                      "DOMAIN  MERGEABLE  TO BE SCANNED  MERGE      REASON\n"
                      "web      64.0 MiB       32.0 MiB  can merge  It is new.\n");
    assert_string_equal(fakedaemon_asked(*state), "Explain web");
    csv = g_strdup_printf("kind,name,uuid,reason,merge,mergeable_pages,debt_pages\n"
                          "host,,,A domain started.,,,%" G_GUINT64_FORMAT "\n"
                          "domain,web,,It is new.,can merge,%" G_GUINT64_FORMAT
                          ",%" G_GUINT64_FORMAT "\n",
                          (guint64)explain.debt_pages, (guint64)web.mergeable_pages,
                          (guint64)web.debt_pages);
    fakedaemon_expect(*state, "explain --format csv", csv);
    assert_string_equal(fakedaemon_asked(*state), "Explain");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(explain_says_why_with_the_figures_behind_it, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
