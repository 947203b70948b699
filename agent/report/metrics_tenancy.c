/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metrics_tenancy.c - how tenancy stands: what the rows of metrics_agent.c are had from */
#include "agent/report/metrics_tenancy.h"

#include "agent/agent.h"
#include "agent/tenant.h"

#include <math.h>

double
metrics_tenancy_enforced(const MetricsView *view)
{
    return tenant_why_not_enforced(view->agent) == NULL;
}

double
metrics_tenancy_paused(const MetricsView *view)
{
    return metrics_tenancy_enforced(view) > 0 && view->agent->plan.tenancy.is_paused;
}

double
metrics_tenancy_window(const MetricsView *view)
{
    return metrics_seconds(view->agent->window.window_us);
}

double
metrics_tenancy_groups(const MetricsView *view)
{
    g_autoptr(GHashTable) numbers = g_hash_table_new(g_int64_hash, g_int64_equal);
    GHashTableIter iter;
    gpointer value;
    guint alone = 0;

    g_hash_table_iter_init(&iter, view->agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Domain *domain = value;

        if (domain->group_number > 0)
            g_hash_table_add(numbers, &domain->group_number);
        else
            alone++;
    }
    return g_hash_table_size(numbers) + alone;
}

double
metrics_tenancy_refused(const MetricsView *view)
{
    GHashTableIter iter;
    gpointer value;
    guint n = 0;

    g_hash_table_iter_init(&iter, view->agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        n += ((const Domain *)value)->plan.merge_reason == REASON_NO_HEADROOM;
    return n;
}

void
metrics_tenancy_domains(const MetricsView *view, MetricsSamples *samples)
{
    guint counts[MERGE_STATE_COUNT + 1] = { 0 };
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, view->agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const char *word = tenant_merge_word(view->agent, value);

        for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
            counts[i] += word == tenant_merge_words[i];
    }
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        metrics_samples_word(samples, "merging", tenant_merge_words[i], counts[i]);
}
