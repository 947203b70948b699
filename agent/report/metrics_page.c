/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_page.c - values are taken on the main loop, text is made of them somewhere else
 *
 * The getters of the tables run on the loop and copy numbers, which costs little; the text, which
 * costs more and is wanted only when somebody scrapes, is made from the copy in the thread of the
 * server. Nothing of a page changes once it is there, so the two need no lock between them.
 *
 * A domain's labels are made once per reading, since they are the longest part of each line.
 */
#include "agent/report/metrics_page.h"
#include "agent/report/figure.h"
#include "agent/report/metrics_ages.h"
#include "agent/report/metrics_text.h"

#include <math.h>
#include <string.h>

/* One sample of the host or the agent. */
typedef struct {
    const HostMetric *row; /* static */
    const char *suffix;    /* static */
    char *labels;          /* owned */
    double value;          /* known */
} Sampled;

struct MetricsSamples {
    const HostMetric *row; /* that is being listed */
    GPtrArray *samples;    /* borrowed; of Sampled */
};

struct MetricsDomain {
    char *uuid;       /* owned */
    uint64_t key;     /* of this start of the domain */
    char *labels;     /* owned */
    double *values;   /* owned; in the order of metrics_domain_rows() */
    MetricsAges ages; /* its memory by age */
};

static const char *const type_words[] = {
    [METRIC_GAUGE] = "gauge",
    [METRIC_COUNTER] = "counter",
    [METRIC_HISTOGRAM] = "histogram",
};
G_STATIC_ASSERT(G_N_ELEMENTS(type_words) == METRIC_TYPE_COUNT);

const char *
metrics_help(const char *name, const char *help)
{
    static const char *const prefixes[] = {
        [FIGURE_DOMAIN] = "virtksm_domain_",
        [FIGURE_HOST] = "virtksm_host_",
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(prefixes) == FIGURE_SCOPE_COUNT);

    for (FigureScope scope = 0; scope < FIGURE_SCOPE_COUNT && !help; scope++)
        if (g_str_has_prefix(name, prefixes[scope]))
            help = figure_help(scope, name + strlen(prefixes[scope]));
    return help;
}

double
metrics_known(uint64_t figure)
{
    return is_known(figure) ? (double)figure : NAN;
}

double
metrics_seconds(uint64_t duration_us)
{
    return metrics_known(duration_us) / 1e6;
}

double
metrics_moment(const MetricsView *view, uint64_t moment_us)
{
    if (moment_us == 0)
        return NAN;
    return ((double)view->real_us - ((double)view->now_us - (double)moment_us)) / 1e6;
}

static void
sampled_free(gpointer data)
{
    Sampled *sampled = data;

    g_free(sampled->labels);
    g_free(sampled);
}

void
metrics_samples_add(MetricsSamples *samples, const char *suffix, const char *labels, double value)
{
    Sampled *sampled;

    if (isnan(value))
        return;
    sampled = g_new(Sampled, 1);
    *sampled = (Sampled){ samples->row, suffix, g_strdup(labels), value };
    g_ptr_array_add(samples->samples, sampled);
}

void
metrics_samples_word(MetricsSamples *samples, const char *label, const char *word, double value)
{
    g_autoptr(GString) labels = g_string_new(NULL);

    metrics_text_label(labels, label, word);
    metrics_samples_add(samples, "", labels->str, value);
}

GPtrArray *
metrics_samples_of(const HostMetric *rows, size_t n, const MetricsView *view)
{
    GPtrArray *array = g_ptr_array_new_with_free_func(sampled_free);

    for (size_t i = 0; i < n; i++) {
        MetricsSamples samples = { &rows[i], array };

        if (rows[i].get)
            metrics_samples_add(&samples, "", "", rows[i].get(view));
        else
            rows[i].list(view, &samples);
    }
    return array;
}

static void
domain_clear(gpointer data)
{
    MetricsDomain *domain = data;

    g_free(domain->uuid);
    g_free(domain->labels);
    g_free(domain->values);
}

static void
domain_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, domain_clear);
}

static MetricsDomain *
domain_new(const MetricsView *view, const LedgerRow *row)
{
    MetricsDomain *domain = g_atomic_rc_box_new(MetricsDomain);
    g_autoptr(GString) labels = g_string_new(NULL);
    size_t n;
    const DomainMetric *rows = metrics_domain_rows(&n);

    metrics_text_label(labels, "domain", row->domain->name);
    metrics_text_label(labels, "uuid", row->domain->uuid);
    domain->uuid = g_strdup(row->domain->uuid);
    domain->key = row->domain->key;
    domain->labels = g_string_free(g_steal_pointer(&labels), FALSE);
    domain->values = g_new(double, n);
    for (size_t i = 0; i < n; i++)
        domain->values[i] = rows[i].get(view, row);
    metrics_ages_take(row->domain->working_set, &domain->ages);
    return domain;
}

static int
compare_age(gconstpointer a, gconstpointer b)
{
    uint64_t left = (*(const LedgerRow *const *)a)->domain->key;
    uint64_t right = (*(const LedgerRow *const *)b)->domain->key;

    return left < right ? -1 : left > right;
}

GPtrArray *
metrics_domains_of(const MetricsView *view, uint64_t limit, guint *ret_over_limit)
{
    const GArray *all = view->ledger->rows;
    GPtrArray *domains = g_ptr_array_new_with_free_func(domain_unref);
    g_autoptr(GPtrArray) rows = g_ptr_array_sized_new(all->len);
    guint n = (guint)MIN(limit, all->len);

    for (guint i = 0; i < all->len; i++)
        g_ptr_array_add(rows, &g_array_index(all, LedgerRow, i));
    /* By age, so that a domain that starts does not take the series of one that had them. */
    if (n < all->len)
        g_ptr_array_sort(rows, compare_age);
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(domains, domain_new(view, g_ptr_array_index(rows, i)));
    *ret_over_limit = all->len - n;
    return domains;
}

GPtrArray *
metrics_domains_still(const GPtrArray *domains, const DomainTable *table)
{
    GPtrArray *still = g_ptr_array_new_with_free_func(domain_unref);

    for (guint i = 0; i < domains->len; i++) {
        MetricsDomain *domain = g_ptr_array_index(domains, i);
        const Domain *known = domain_table_get(table, domain->uuid);

        if (known && known->key == domain->key)
            g_ptr_array_add(still, g_atomic_rc_box_acquire(domain));
    }
    return still;
}

MetricsPage *
metrics_page_new(void)
{
    return g_atomic_rc_box_new0(MetricsPage);
}

MetricsPage *
metrics_page_ref(MetricsPage *page)
{
    return g_atomic_rc_box_acquire(page);
}

static void
page_clear(gpointer data)
{
    MetricsPage *page = data;

    g_clear_pointer(&page->agent, g_ptr_array_unref);
    g_clear_pointer(&page->ledger, g_ptr_array_unref);
    g_clear_pointer(&page->domains, g_ptr_array_unref);
    g_free(page->group);
}

void
metrics_page_unref(MetricsPage *page)
{
    if (page)
        g_atomic_rc_box_release_full(page, page_clear);
}

static void
append_samples(GString *out, const GPtrArray *samples)
{
    const HostMetric *row = NULL;

    for (guint i = 0; i < samples->len; i++) {
        const Sampled *sampled = g_ptr_array_index(samples, i);
        g_autofree char *name = g_strconcat(sampled->row->name, sampled->suffix, NULL);

        if (sampled->row != row)
            metrics_text_head(out, sampled->row->name, type_words[sampled->row->type],
                              metrics_help(sampled->row->name, sampled->row->help));
        row = sampled->row;
        metrics_text_sample(out, name, sampled->labels, sampled->value);
    }
}

static void
append_domains(GString *out, const GPtrArray *domains)
{
    size_t n;
    const DomainMetric *rows = metrics_domain_rows(&n);

    for (size_t i = 0; i < n; i++) {
        bool has_head = false;

        for (guint j = 0; j < domains->len; j++) {
            const MetricsDomain *domain = g_ptr_array_index(domains, j);

            if (isnan(domain->values[i]))
                continue;
            if (!has_head)
                metrics_text_head(out, rows[i].name, type_words[rows[i].type],
                                  metrics_help(rows[i].name, rows[i].help));
            has_head = true;
            metrics_text_sample(out, rows[i].name, domain->labels, domain->values[i]);
        }
    }
}

static void
append_ages(GString *out, const GPtrArray *domains)
{
    bool has_head = false;

    for (guint i = 0; i < domains->len; i++) {
        const MetricsDomain *domain = g_ptr_array_index(domains, i);

        if (domain->ages.n == 0)
            continue;
        if (!has_head)
            metrics_ages_head(out);
        has_head = true;
        metrics_ages_append(out, &domain->ages, domain->labels);
    }
}

static void
append_omitted(GString *out, const MetricsPage *page, bool with_domains)
{
    static const char name[] = "virtksm_domains_omitted";
    bool hidden = !page->domains_off && !with_domains;
    const double counts[] = {
        [OMITTED_LIMIT] = page->domains_off || hidden ? 0 : page->over_limit,
        [OMITTED_OFF] = page->domains_off ? page->known : 0,
        [OMITTED_ACCESS] = hidden ? page->known : 0,
    };
    static const char *const labels[] = {
        [OMITTED_LIMIT] = "reason=\"limit\"",
        [OMITTED_OFF] = "reason=\"off\"",
        [OMITTED_ACCESS] = "reason=\"access\"",
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(counts) == OMITTED_COUNT);
    G_STATIC_ASSERT(G_N_ELEMENTS(labels) == OMITTED_COUNT);

    metrics_text_head(out, name, "gauge",
                      "Domains that run and have no series of their own in this answer, because "
                      "there are more than [metrics] domain_limit (limit), because [metrics] "
                      "domains is false (off), or because [access] domain_figures keeps them "
                      "from this reader (access).");
    for (Omitted reason = 0; reason < OMITTED_COUNT; reason++)
        metrics_text_sample(out, name, labels[reason], counts[reason]);
}

static void
append_counts(GString *out, const MetricsCounts *counts)
{
    const struct {
        const char *name;
        const char *type;
        const char *help;
        double value;
    } rows[] = {
        { "virtksm_scrapes_total", "counter",
          "Times that these metrics were given to somebody, before this time.",
          (double)counts->scrapes },
        { "virtksm_scrape_errors_total", "counter",
          "Requests to the metrics address that were for something else, or wrong.",
          (double)counts->refused },
        { "virtksm_scrape_connections_cut_total", "counter",
          "Connections to the metrics address that were cut to make room, because they had taken "
          "too long.",
          (double)counts->cut },
        { "virtksm_scrape_duration_seconds", "gauge",
          "Time that writing the answer before this one took.",
          counts->render_us > 0 ? (double)counts->render_us / 1e6 : NAN },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (isnan(rows[i].value))
            continue;
        metrics_text_head(out, rows[i].name, rows[i].type, rows[i].help);
        metrics_text_sample(out, rows[i].name, "", rows[i].value);
    }
}

GString *
metrics_page_text(const MetricsPage *page, bool with_domains, const MetricsCounts *counts)
{
    GString *out = g_string_sized_new(16384);

    append_samples(out, page->agent);
    if (page->ledger)
        append_samples(out, page->ledger);
    append_omitted(out, page, with_domains);
    if (with_domains && !page->domains_off) {
        append_domains(out, page->domains);
        append_ages(out, page->domains);
    }
    append_counts(out, counts);
    return out;
}
