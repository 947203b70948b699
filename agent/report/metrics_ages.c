/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_ages.c - the memory of a domain by age, as a histogram of Prometheus
 *
 * What is observed is bytes, and their age is the value: a bucket has the bytes that are at most so
 * old, so that histogram_quantile() tells the age that half of the memory is below. The counts are
 * of now and not of all time: they go down too, and rate() of them means nothing.
 *
 * Nobody knows the mean age within a bin. The sum takes its lower bound, so it is the least that
 * the true one can be.
 */
#include "agent/report/metrics_ages.h"

#include "agent/report/metrics_text.h"

#define NAME "virtksm_domain_memory_age_seconds"
/* "+Inf", or seconds with all their digits. */
#define EDGE_CHARS G_ASCII_DTOSTR_BUF_SIZE

static double
bin_bytes(const WorkingSetReport *report, uint32_t bin)
{
    double bytes = 0;

    for (uint32_t i = 0; i < report->n_nodes; i++)
        for (size_t kind = 0; kind < WORKING_SET_KIND_COUNT; kind++)
            bytes += (double)report->nodes[i].bins[bin].bytes[kind];
    return bytes;
}

void
metrics_ages_take(const WorkingSetReport *report, MetricsAges *ages)
{
    double below = 0;

    *ages = (MetricsAges){ 0 };
    if (!report || report->state != WORKING_SET_MEASURED)
        return;
    ages->n = report->edges.n;
    for (uint32_t i = 0; i <= ages->n; i++) {
        double bytes = bin_bytes(report, i);

        below += bytes;
        ages->below[i] = below;
        ages->sum += i > 0 ? bytes * ages->edges_s[i - 1] : 0;
        if (i < ages->n)
            ages->edges_s[i] = (double)report->edges.age_us[i] / G_USEC_PER_SEC;
    }
}

void
metrics_ages_head(GString *out)
{
    metrics_text_head(out, NAME, "histogram",
                      "Memory of the domain in bytes, now, by the seconds since it was last used, "
                      "as far as that is known; the sum takes each byte at the lower bound of its "
                      "bucket.");
}

void
metrics_ages_append(GString *out, const MetricsAges *ages, const char *labels)
{
    for (uint32_t i = 0; i <= ages->n; i++) {
        char edge[EDGE_CHARS] = "+Inf";
        g_autoptr(GString) all = g_string_new(labels);

        if (i < ages->n)
            g_ascii_dtostr(edge, sizeof(edge), ages->edges_s[i]);
        metrics_text_label(all, "le", edge);
        metrics_text_sample(out, NAME "_bucket", all->str, ages->below[i]);
    }
    metrics_text_sample(out, NAME "_sum", labels, ages->sum);
    metrics_text_sample(out, NAME "_count", labels, ages->below[ages->n]);
}
