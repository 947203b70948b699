/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_page_test.c - what a scraper gets: right names, known figures, as many as there may be
 *
 * What a whole page looks like is judged by Prometheus's own promtool.
 */
#define _GNU_SOURCE
#include "agent/report/metrics_page.h"

#include <gio/gio.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/fakeagent.h"

#define U VALUE_UNKNOWN

static const MetricsCounts no_counts = { 0 };

/* A ledger of the agent's domains, where each has its number in all figures. */
static Ledger
ledger_of(Agent *agent)
{
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);
    Ledger ledger = { .page_bytes = 4096,
                      .steady = true,
                      .pages_shared = 100,
                      .pages_sharing = 300,
                      .zero_pages = 40,
                      .saved_pages = 340,
                      .metadata_bytes = 64000,
                      .others_merging_pages = 7,
                      .others_saved_pages = 5 };

    ledger.rows = g_array_new(FALSE, TRUE, sizeof(LedgerRow));
    for (guint i = 0; i < domains->len; i++) {
        LedgerRow row = { .domain = g_ptr_array_index(domains, i),
                          .merging_pages = i,
                          .saved_pages = i,
                          .zero_pages = i,
                          .metadata_bytes = i,
                          .resident_bytes = i };

        g_array_append_val(ledger.rows, row);
    }
    return ledger;
}

static Domain *
add(Agent *agent, const char *name)
{
    static unsigned number;
    g_autofree char *uuid = g_strdup_printf("%08u-2222-3333-4444-555555555555", ++number);

    return domain_table_add(&agent->domains, uuid, name, (int)number, 1);
}

/* The page that the agent would publish for @ledger. */
static MetricsPage *
page_of(Agent *agent, const Ledger *ledger)
{
    MetricsView view = { agent, ledger, 100 * G_USEC_PER_SEC,
                         INT64_C(1795000000) * G_USEC_PER_SEC };
    MetricsPage *page = metrics_page_new();
    const HostMetric *rows;
    size_t n;

    rows = metrics_agent_rows(&n);
    page->agent = metrics_samples_of(rows, n, &view);
    rows = metrics_ledger_rows(&n);
    page->ledger = metrics_samples_of(rows, n, &view);
    page->domains = metrics_domains_of(&view, agent->conf->metrics_limit, &page->over_limit);
    page->known = domain_table_size(&agent->domains);
    page->domains_off = !agent->conf->metrics_domains;
    return page;
}

static char *
text_of(Agent *agent, const Ledger *ledger, bool with_domains)
{
    g_autoptr(MetricsPage) page = page_of(agent, ledger);

    return g_string_free(metrics_page_text(page, with_domains, &no_counts), FALSE);
}

static guint
count_lines(const char *text, const char *prefix)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint n = 0;

    for (char **line = lines; *line != NULL; line++)
        n += g_str_has_prefix(*line, prefix) ? 1 : 0;
    return n;
}

static void
assert_has(const char *text, const char *line)
{
    g_autofree char *whole = g_strconcat("\n", line, "\n", NULL);

    if (!strstr(text, whole))
        fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void
assert_promtool_likes(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) tool =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                             G_SUBPROCESS_FLAGS_STDERR_MERGE,
                         &error, "promtool", "check", "metrics", NULL);
    g_autofree char *said = NULL;

    if (!tool || !g_subprocess_communicate_utf8(tool, text, NULL, &said, NULL, &error))
        fail_msg("promtool: %s", error->message);
    if (!g_subprocess_get_successful(tool) || g_strcmp0(said, "") != 0)
        fail_msg("promtool: %s\n%s", said, text);
}

static void
a_page_with_the_worst_of_names_is_what_prometheus_reads(void **state)
{
    static const char *const names[] = { "web",      "a b",    "a\"b",
                                         "a\\",      "a\nb 1", "\xc3\xa9\xe2\x82\xac",
                                         "\xff\xfe", "{}=,#",  "" };
    Agent *agent = *state;
    g_auto(Ledger) ledger = { 0 };
    g_autofree char *text = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        add(agent, names[i]);
    ledger = ledger_of(agent);
    text = text_of(agent, &ledger, true);
    assert_int_equal(count_lines(text, "virtksm_domain_saved_bytes{"), G_N_ELEMENTS(names));
    assert_promtool_likes(text);
}

static void
promtool_can_refuse(void **unused)
{
    g_autoptr(GSubprocess) tool =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL,
                         "promtool", "check", "metrics", NULL);
    (void)unused;

    assert_non_null(tool);
    g_subprocess_communicate_utf8(tool, "m{domain=\"a\"b\"} 1\n", NULL, NULL, NULL, NULL);
    assert_false(g_subprocess_get_successful(tool));
}

static void
figures_have_their_units(void **state)
{
    Agent *agent = *state;
    g_auto(Ledger) ledger = { 0 };
    g_autofree char *text = NULL;

    add(agent, "a");
    add(agent, "b")->stats_us = 40 * G_USEC_PER_SEC;
    ledger = ledger_of(agent);
    text = text_of(agent, &ledger, true);
    assert_has(text, "virtksm_host_saved_bytes 1392640");
    assert_has(text, "virtksm_host_net_saved_bytes 1328640");
    assert_has(text, "virtksm_others_saved_bytes 20480");
    assert_has(text, "virtksm_ledger_timestamp_seconds 1795000000");
    assert_int_equal(count_lines(text, "virtksm_domain_saved_bytes{domain=\"b\","), 1);
    assert_non_null(strstr(text, "\"} 4096\n"));
    /* Read a minute ago; of the other one nothing was ever read. */
    assert_int_equal(count_lines(text, "virtksm_domain_stats_timestamp_seconds"), 1);
    assert_non_null(strstr(text, "\"} 1794999940\n"));
}

static void
what_is_not_known_is_absent_and_not_zero(void **state)
{
    Agent *agent = *state;
    g_auto(Ledger) ledger = { 0 };
    g_autofree char *text = NULL;
    LedgerRow *row;

    add(agent, "a");
    ledger = ledger_of(agent);
    ledger.zero_pages = U;
    ledger.saved_pages = U;
    row = &g_array_index(ledger.rows, LedgerRow, 0);
    row->merging_pages = row->saved_pages = row->zero_pages = U;
    text = text_of(agent, &ledger, true);
    for (size_t i = 0; i < 7; i++) {
        static const char *const names[] = { "virtksm_host_zero_bytes",
                                             "virtksm_host_saved_bytes",
                                             "virtksm_host_net_saved_bytes",
                                             "virtksm_domain_saved_bytes",
                                             "virtksm_domain_merged_bytes",
                                             "virtksm_domain_maximum_bytes",
                                             "virtksm_heartbeat_timestamp_seconds" };

        if (count_lines(text, names[i]) > 0)
            fail_msg("%s is there", names[i]);
    }
    assert_null(strstr(text, " nan\n"));
    assert_null(strstr(text, "1844674407"));
    assert_has(text, "virtksm_host_metadata_bytes 64000");
    assert_promtool_likes(text);
}

static void
beyond_the_limit_the_first_that_started_keep_their_series(void **state)
{
    static const struct {
        uint64_t limit;
        guint given;
    } rows[] = { { 5, 3 }, { 3, 3 }, { 2, 2 }, { 0, 0 } };
    Agent *agent = *state;
    g_auto(Ledger) ledger = { 0 };

    add(agent, "z-first");
    add(agent, "m-second");
    add(agent, "a-third");
    ledger = ledger_of(agent);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = NULL;
        g_autofree char *omitted = NULL;

        agent->conf->metrics_limit = rows[i].limit;
        text = text_of(agent, &ledger, true);
        omitted =
            g_strdup_printf("virtksm_domains_omitted{reason=\"limit\"} %u", 3 - rows[i].given);
        assert_has(text, omitted);
        assert_int_equal(count_lines(text, "virtksm_domain_saved_bytes{"), rows[i].given);
        if (rows[i].given == 2)
            assert_int_equal(count_lines(text, "virtksm_domain_saved_bytes{domain=\"a-third\""), 0);
    }
}

/* A sample of a domain's metric, without name and labels; NULL: there is none. */
static char *
sample_of(const char *text, const char *name)
{
    g_autofree char *begin = g_strconcat("\n", name, "{", NULL);
    const char *line = strstr(text, begin);
    const char *value = line ? strstr(line, "} ") : NULL;

    return value ? g_strndup(value + 2, strcspn(value + 2, "\n")) : NULL;
}

/* A domain that is reclaimed from on a host that is short. */
static void
reclaim_from(Agent *agent, Domain *domain)
{
    const Subject who = { .uuid = domain->uuid };

    hold_need(&agent->memory_high.holds, &who)->reclaimed_bytes = 16;
    agent->plan.host = (HostPlan){ MEMORY_TIGHT, REASON_HOST_TIGHT, 77, 0, 0 };
    domain->has_xml = domain->limit_foreign = true;
    domain->xml.policy = (DomainXmlPolicy){ .floor_bytes = 14, .ceiling_bytes = 15 };
    domain->plan = (DomainPlan){ .need_bytes = 11,
                                 .balloon_bytes = 12,
                                 .balloon_reason = REASON_TAKE,
                                 .limit_bytes = 13,
                                 .high_reason = REASON_PROBE_DOWN };
}

static void
reclaim_has_a_series_for_what_is_wanted_and_none_for_what_is_left_alone(void **state)
{
    static const struct {
        const char *name;
        const char *undecided; /* NULL: none */
        const char *wanted;    /* likewise */
        const char *left_alone;
    } rows[] = {
        { "virtksm_domain_need_bytes", NULL, "11", NULL },
        { "virtksm_domain_balloon_target_bytes", NULL, "12", NULL },
        { "virtksm_domain_limit_bytes", NULL, "13", NULL },
        { "virtksm_domain_floor_bytes", NULL, "14", "14" },
        { "virtksm_domain_ceiling_bytes", NULL, "15", "15" },
        { "virtksm_domain_reclaim_foreign", "0", "1", "1" },
        { "virtksm_domain_reclaimed_bytes_total", "0", "16", "16" },
    };
    Agent *agent = *state;
    Domain *domain = add(agent, "a");
    g_auto(Ledger) ledger = ledger_of(agent);
    g_autofree char *undecided = text_of(agent, &ledger, true);
    g_autofree char *wanted = NULL;
    g_autofree char *left_alone = NULL;

    reclaim_from(agent, domain);
    wanted = text_of(agent, &ledger, true);
    domain->plan.need_bytes = domain->plan.balloon_bytes = VALUE_UNKNOWN;
    domain->plan.limit_bytes = LIMIT_NONE;
    left_alone = text_of(agent, &ledger, true);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *first = sample_of(undecided, rows[i].name);
        g_autofree char *second = sample_of(wanted, rows[i].name);
        g_autofree char *third = sample_of(left_alone, rows[i].name);

        if (g_strcmp0(first, rows[i].undecided) != 0 || g_strcmp0(second, rows[i].wanted) != 0 ||
            g_strcmp0(third, rows[i].left_alone) != 0)
            fail_msg("%s: %s, %s, %s", rows[i].name, first, second, third);
    }
    assert_has(undecided, "virtksm_memory_level{level=\"calm\"} 0");
    assert_int_equal(count_lines(undecided, "virtksm_memory_wanted_bytes "), 0);
    assert_has(wanted, "virtksm_memory_level{level=\"tight\"} 1");
    assert_has(wanted, "virtksm_memory_level{level=\"calm\"} 0");
    assert_has(wanted, "virtksm_memory_wanted_bytes 77");
}

static void
measure_one(Domain *domain)
{
    domain->working_set = g_new0(WorkingSetReport, 1);
    domain->working_set->state = WORKING_SET_MEASURED;
    domain->working_set->backend = "lru_gen";
    domain->working_set->confidence_bp = 8000;
    domain->working_set->moment_us = 40 * G_USEC_PER_SEC;
    domain->working_set->edges = (WorkingSetEdges){ { G_USEC_PER_SEC }, 1 };
    domain->working_set->working_set_bytes = 60;
    domain->working_set->cold_bytes = 40;
}

static void
working_sets_are_told_of_those_that_are_measured(void **state)
{
    static const struct {
        const char *name;
        const char *want;
    } rows[] = {
        { "virtksm_domain_working_set_bytes", "60" },
        { "virtksm_domain_cold_bytes", "40" },
        { "virtksm_domain_working_set_confidence_ratio", "0.8" },
        { "virtksm_domain_working_set_timestamp_seconds", "1794999940" },
        { "virtksm_domain_memory_age_seconds_count", "0" },
    };
    Agent *agent = *state;
    g_auto(Ledger) ledger = { 0 };
    g_autofree char *text = NULL;
    g_autofree char *hidden = NULL;

    add(agent, "a");
    measure_one(add(agent, "b"));
    ledger = ledger_of(agent);
    text = text_of(agent, &ledger, true);
    hidden = text_of(agent, &ledger, false);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *have = sample_of(text, rows[i].name);

        if (count_lines(text, rows[i].name) != 1 || g_strcmp0(have, rows[i].want) != 0)
            fail_msg("%s: %s in\n%s", rows[i].name, have ? have : "none", text);
        assert_int_equal(count_lines(hidden, rows[i].name), 0);
    }
    assert_has(text, "virtksm_working_set_domains{backend=\"lru_gen\"} 1");
    assert_int_equal(count_lines(text, "virtksm_working_set_cpu_seconds_total"), 0);
    assert_promtool_likes(text);
}

static void
who_may_not_see_single_domains_is_told_how_many_there_are(void **state)
{
    static const struct {
        const char *when;
        bool enabled;
        bool may_see;
        const char *omitted; /* reason of which there are two */
    } rows[] = {
        { "all", true, true, "none" },
        { "not this reader", true, false, "access" },
        { "switched off", false, true, "off" },
        { "both", false, false, "off" },
    };
    static const char *const reasons[] = { "limit", "off", "access" };
    Agent *agent = *state;
    g_auto(Ledger) ledger = { 0 };

    add(agent, "a");
    add(agent, "b");
    ledger = ledger_of(agent);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = NULL;
        bool given = rows[i].enabled && rows[i].may_see;

        agent->conf->metrics_domains = rows[i].enabled;
        text = text_of(agent, &ledger, rows[i].may_see);
        if (given != (strstr(text, "uuid=") != NULL))
            fail_msg("%s: figures of single domains: %d", rows[i].when, !given);
        for (size_t j = 0; j < G_N_ELEMENTS(reasons); j++) {
            g_autofree char *line =
                g_strdup_printf("virtksm_domains_omitted{reason=\"%s\"} %d", reasons[j],
                                g_str_equal(reasons[j], rows[i].omitted) ? 2 : 0);

            assert_has(text, line);
        }
        assert_has(text, "virtksm_host_saved_bytes 1392640");
    }
}

static void
a_domain_that_has_ended_or_started_again_has_no_series_left(void **state)
{
    Agent *agent = *state;
    g_auto(Ledger) ledger = { 0 };
    MetricsView view = { agent, &ledger, 1, 1 };
    g_autoptr(GPtrArray) before = NULL;
    g_autoptr(GPtrArray) after = NULL;
    g_autofree char *again = NULL;
    guint over;

    add(agent, "stays");
    again = g_strdup(add(agent, "again")->uuid);
    domain_table_remove(&agent->domains, add(agent, "other")->uuid);
    ledger = ledger_of(agent);
    before = metrics_domains_of(&view, 10, &over);
    assert_int_equal(before->len, 2);
    after = metrics_domains_still(before, &agent->domains);
    assert_int_equal(after->len, 2);
    g_clear_pointer(&after, g_ptr_array_unref);

    domain_table_add(&agent->domains, again, "again", 99, 1);
    after = metrics_domains_still(before, &agent->domains);
    assert_int_equal(after->len, 1);
    assert_ptr_equal(g_ptr_array_index(after, 0), g_ptr_array_index(before, 1));
}

/* Also what is known of the type must fit: a counter, and it alone, ends in _total. */
static void
check_row(GHashTable *seen, const HostMetric *row)
{
    g_autofree char *end = g_strconcat(*row->unit ? "_" : "", row->unit,
                                       row->type == METRIC_COUNTER ? "_total" : "", NULL);
    const char *help = metrics_help(row->name, row->help);

    if (!g_str_has_prefix(row->name, "virtksm_") || !g_str_has_suffix(row->name, end) ||
        (row->type != METRIC_COUNTER && g_str_has_suffix(row->name, "_total")))
        fail_msg("%s: does not end in \"%s\"", row->name, end);
    if (!help)
        fail_msg("%s: has no help, and is no figure of a report", row->name);
    if (!g_str_has_suffix(help, ".") || strpbrk(help, "\n\\"))
        fail_msg("%s: its help is not a sentence on one line", row->name);
    if (!g_hash_table_add(seen, (gpointer)(gsize)row->name))
        fail_msg("%s: twice", row->name);
}

static void
every_row_is_named_after_its_unit_and_explained(void **unused)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    const HostMetric *(*const tables[])(size_t *) = { metrics_agent_rows, metrics_ledger_rows };
    const DomainMetric *domain_rows;
    size_t n;
    (void)unused;

    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++) {
        const HostMetric *rows = tables[t](&n);

        for (size_t i = 0; i < n; i++) {
            check_row(seen, &rows[i]);
            if (!rows[i].get == !rows[i].list)
                fail_msg("%s: has not exactly one of get and list", rows[i].name);
        }
    }
    domain_rows = metrics_domain_rows(&n);
    for (size_t i = 0; i < n; i++) {
        HostMetric row = { domain_rows[i].name,
                           domain_rows[i].type,
                           domain_rows[i].unit,
                           domain_rows[i].help,
                           NULL,
                           NULL };

        check_row(seen, &row);
        assert_non_null(domain_rows[i].get);
    }
}

#define ON_AGENT(test) cmocka_unit_test_setup_teardown(test, fakeagent_setup, fakeagent_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_AGENT(a_page_with_the_worst_of_names_is_what_prometheus_reads),
        cmocka_unit_test(promtool_can_refuse),
        ON_AGENT(figures_have_their_units),
        ON_AGENT(what_is_not_known_is_absent_and_not_zero),
        ON_AGENT(beyond_the_limit_the_first_that_started_keep_their_series),
        ON_AGENT(reclaim_has_a_series_for_what_is_wanted_and_none_for_what_is_left_alone),
        ON_AGENT(working_sets_are_told_of_those_that_are_measured),
        ON_AGENT(who_may_not_see_single_domains_is_told_how_many_there_are),
        ON_AGENT(a_domain_that_has_ended_or_started_again_has_no_series_left),
        cmocka_unit_test(every_row_is_named_after_its_unit_and_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
