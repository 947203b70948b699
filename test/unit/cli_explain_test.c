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
        "kind,name,uuid,reason,merge,mergeable_pages,debt_pages,weight,latency_critical,group,"
        "fault,need_bytes,floor_bytes,ceiling_bytes,shares,balloon_mode,balloon_target_bytes,"
        "balloon_reason,balloon_change,high_mode,limit_bytes,reclaim_bytes,high_reason,"
        "high_change,balloon_bound,high_bound,merging,merge_reason,merge_change\n"
        "host,,,A domain started.,,,%" G_GUINT64_FORMAT ",,,,,,,,,,,,,,,,,,,,,,\n"
        "domain,web,,It is new.,can merge,%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
        ",50,true,,,,,,,,,,,,,,,,,,,,\n",
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

/* A domain that is reclaimed from, and the same in mode observe. */
typedef struct {
    Virtksm__V1__ExplainResponse explain;
    Virtksm__V1__DomainExplanation on;
    Virtksm__V1__DomainExplanation observed;
    Virtksm__V1__DomainExplanation off;
    Virtksm__V1__DomainExplanation *domains[3];
    Virtksm__V1__MemoryStatus memory;
    Virtksm__V1__ReclaimDecision steps;
    Virtksm__V1__ReclaimDecision probe;
    Virtksm__V1__ReclaimDecision *decisions[2];
} Reclaim;

static char name_web[] = "web", name_db[] = "db", name_old[] = "old", words_on[] = "on";
static char words_observe[] = "observe", words_off[] = "off", words_tight[] = "tight";
static char words_take[] = "It is idle.", words_probe[] = "It is cold.", words_time[] = "time";
static char words_balloon[] = "balloon", words_high[] = "memory.high", words_none[] = "It is off.";

static void
fill_reclaim_of(Virtksm__V1__DomainExplanation *domain, char *name, char *mode)
{
    virtksm__v1__domain_explanation__init(domain);
    domain->name = name;
    domain->balloon_mode = domain->high_mode = mode;
    domain->has_need_bytes = domain->has_floor_bytes = domain->has_balloon_target_bytes = true;
    domain->need_bytes = UINT64_C(300) << 20;
    domain->floor_bytes = UINT64_C(256) << 20;
    domain->balloon_target_bytes = UINT64_C(512) << 20;
    domain->balloon_reason = words_take;
    domain->balloon_change = words_time;
    domain->has_limit_bytes = domain->has_reclaim_bytes = domain->has_shares = true;
    domain->limit_bytes = UINT64_C(400) << 20;
    domain->reclaim_bytes = UINT64_C(4) << 20;
    domain->high_reason = words_probe;
    domain->shares = 200;
}

static void
fill_reclaim_decisions(Reclaim *reclaim)
{
    virtksm__v1__reclaim_decision__init(&reclaim->steps);
    reclaim->steps.mechanism = words_balloon;
    reclaim->steps.has_first_ms = reclaim->steps.has_decisions = true;
    reclaim->steps.first_ms = 120000;
    reclaim->steps.decisions = 7;
    reclaim->steps.has_before_bytes = reclaim->steps.has_wanted_bytes = true;
    reclaim->steps.before_bytes = UINT64_C(1024) << 20;
    reclaim->steps.wanted_bytes = UINT64_C(512) << 20;
    reclaim->steps.reason = words_take;
    virtksm__v1__reclaim_decision__init(&reclaim->probe);
    reclaim->probe.mechanism = words_high;
    reclaim->probe.has_observed = reclaim->probe.observed = true;
    reclaim->probe.has_reclaim_bytes = true;
    reclaim->probe.reclaim_bytes = UINT64_C(9) << 20;
    reclaim->probe.reason = words_probe;
    reclaim->decisions[0] = &reclaim->steps;
    reclaim->decisions[1] = &reclaim->probe;
}

static void
fill_reclaim(Reclaim *reclaim)
{
    fill_reclaim_of(&reclaim->on, name_web, words_on);
    fill_reclaim_of(&reclaim->observed, name_db, words_observe);
    virtksm__v1__domain_explanation__init(&reclaim->off);
    reclaim->off.name = name_old;
    reclaim->off.balloon_mode = reclaim->off.high_mode = words_off;
    reclaim->off.balloon_reason = reclaim->off.high_reason = words_none;
    fill_reclaim_decisions(reclaim);
    virtksm__v1__memory_status__init(&reclaim->memory);
    reclaim->memory.level = words_tight;
    reclaim->memory.balloon = reclaim->memory.memory_high = words_on;
    virtksm__v1__explain_response__init(&reclaim->explain);
    reclaim->explain.memory = &reclaim->memory;
    reclaim->domains[0] = &reclaim->on;
    reclaim->domains[1] = &reclaim->observed;
    reclaim->domains[2] = &reclaim->off;
    reclaim->explain.domains = reclaim->domains;
    reclaim->explain.n_domains = 3;
}

#define NOTHING_OF_KSM                                                                             \
    "mode:        -\nphase:       -\nwhy:         -\ndecided:     - ago\n"                         \
    "wanted:      everything left as it is\nin force:    -\napplied:     -\n"                      \
    "memory:      tight: -\nreclaim:     balloon on, memory.high on\n\n"

static void
explain_tells_what_is_taken_and_what_would_be(void **state)
{
    Reclaim reclaim;

    fill_reclaim(&reclaim);
    fakedaemon_answer(*state, "Explain", &reclaim.explain.base);
    fakedaemon_expect(*state, "explain",
                      NOTHING_OF_KSM
                      "DOMAIN  MERGEABLE  TO BE SCANNED  WEIGHT  LATENCY  MERGE  REASON\n"
                      "web             -              -       -  -        -      -\n"
                      "db              -              -       -  -        -      -\n"
                      "old             -              -       -  -        -      -\n"
                      "\n"
                      "DOMAIN       NEED      FLOOR  BALLOON     TARGET  WHY\n"
                      "web     300.0 MiB  256.0 MiB  on       512.0 MiB  It is idle.\n"
                      "db      300.0 MiB  256.0 MiB  observe  512.0 MiB  It is idle.\n"
                      "old             -          -  off              -  It is off.\n"
                      "\n"
                      "DOMAIN  MEMORY.HIGH      LIMIT  RECLAIM  WHY\n"
                      "web     on           400.0 MiB  4.0 MiB  It is cold.\n"
                      "db      observe      400.0 MiB  4.0 MiB  It is cold.\n"
                      "old     off                  -        -  It is off.\n");
    reclaim.domains[0] = &reclaim.off;
    reclaim.explain.n_domains = 1;
    fakedaemon_expect(*state, "explain",
                      NOTHING_OF_KSM
                      "DOMAIN  MERGEABLE  TO BE SCANNED  WEIGHT  LATENCY  MERGE  REASON\n"
                      "old             -              -       -  -        -      -\n");
}

static void
explain_of_one_domain_has_its_bounds_and_what_was_decided_before(void **state)
{
    Reclaim reclaim;

    fill_reclaim(&reclaim);
    reclaim.explain.n_domains = 1;
    reclaim.on.reclaim = reclaim.decisions;
    reclaim.on.n_reclaim = 2;
    reclaim.on.group = name_db;
    reclaim.on.fault = words_none;
    fakedaemon_answer(*state, "Explain", &reclaim.explain.base);
    fakedaemon_expect(
        *state, "explain web",
        NOTHING_OF_KSM
        "DOMAIN  MERGEABLE  TO BE SCANNED  WEIGHT  LATENCY  MERGE  REASON\n"
        "web             -              -       -  -        -      -\n"
        "\n"
        "domain:      web\n"
        "group:       db\n"
        "need:        300.0 MiB\n"
        "bounds:      floor 256.0 MiB, ceiling its maximum, shares 200\n"
        "balloon:     on, to be 512.0 MiB: It is idle.\n"
        "changed by:  time\n"
        "memory.high: on, limit to 400.0 MiB, reclaim 4.0 MiB: It is cold.\n"
        "mistake:     It is off.\n"
        "\n"
        "SINCE  TIMES  DONE BY       BEFORE     WANTED  RECLAIM  WRITTEN  WHY\n"
        "2 min      7  balloon      1.0 GiB  512.0 MiB        -  yes      It is idle.\n"
        "    -      -  memory.high        -          -  9.0 MiB  no       It is cold.\n");
    reclaim.domains[0] = &reclaim.observed;
    fakedaemon_expect(
        *state, "explain db",
        NOTHING_OF_KSM
        "DOMAIN  MERGEABLE  TO BE SCANNED  WEIGHT  LATENCY  MERGE  REASON\n"
        "db              -              -       -  -        -      -\n"
        "\n"
        "domain:      db\n"
        "need:        300.0 MiB\n"
        "bounds:      floor 256.0 MiB, ceiling its maximum, shares 200\n"
        "balloon:     observe, would be 512.0 MiB: It is idle.\n"
        "changed by:  time\n"
        "memory.high: observe, would limit to 400.0 MiB, would reclaim 4.0 MiB: It is cold.\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAKEDAEMON_TEST(explain_says_why_with_the_figures_behind_it),
        FAKEDAEMON_TEST(explain_says_of_a_daemon_that_tells_no_weight_that_it_is_not_known),
        FAKEDAEMON_TEST(explain_tells_the_bound_and_what_was_decided_before),
        FAKEDAEMON_TEST(explain_tells_what_is_taken_and_what_would_be),
        FAKEDAEMON_TEST(explain_of_one_domain_has_its_bounds_and_what_was_decided_before),
        FAKEDAEMON_TEST(explain_gives_rows_of_raw_figures_to_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
