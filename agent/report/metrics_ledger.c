/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_ledger.c - the metrics that are the ledger's figures of the host
 *
 * To add one, add a row to the table and a getter above it. Pages become bytes here, because
 * Prometheus has one unit for memory.
 */
#include "agent/agent.h"
#include "agent/report/metrics_row.h"

#include <math.h>

double
metrics_bytes(const MetricsView *view, uint64_t pages)
{
    return metrics_known(pages) * view->ledger->page_bytes;
}

double
metrics_net(const MetricsView *view, uint64_t saved_pages, uint64_t metadata_bytes)
{
    int64_t net_bytes;

    if (!ledger_net_bytes(view->ledger, saved_pages, metadata_bytes, &net_bytes))
        return NAN;
    return (double)net_bytes;
}

static double
get_read(const MetricsView *view)
{
    return (double)view->real_us / 1e6;
}

static double
get_steady(const MetricsView *view)
{
    return view->ledger->steady;
}

static double
get_shared(const MetricsView *view)
{
    return metrics_bytes(view, view->ledger->pages_shared);
}

static double
get_sharing(const MetricsView *view)
{
    return metrics_bytes(view, view->ledger->pages_sharing);
}

static double
get_zero(const MetricsView *view)
{
    return metrics_bytes(view, view->ledger->zero_pages);
}

static double
get_saved(const MetricsView *view)
{
    return metrics_bytes(view, view->ledger->saved_pages);
}

static double
get_metadata(const MetricsView *view)
{
    return metrics_known(view->ledger->metadata_bytes);
}

static double
get_net(const MetricsView *view)
{
    return metrics_net(view, view->ledger->saved_pages, view->ledger->metadata_bytes);
}

static double
get_unshare(const MetricsView *view)
{
    return metrics_known(view->ledger->unshare_bytes);
}

static double
get_swapped(const MetricsView *view)
{
    return metrics_known(view->ledger->vm.swapped_bytes);
}

static double
get_zswapped(const MetricsView *view)
{
    return metrics_known(view->ledger->vm.zswapped_bytes);
}

static double
get_zswap(const MetricsView *view)
{
    return metrics_known(view->ledger->vm.zswap_bytes);
}

static double
get_huge_pool(const MetricsView *view)
{
    return metrics_known(view->ledger->vm.huge_pool_bytes);
}

static double
get_broken(const MetricsView *view)
{
    return metrics_known(view->ledger->vm.cow_ksm);
}

static double
get_others_merged(const MetricsView *view)
{
    return metrics_bytes(view, view->ledger->others_merging_pages);
}

static double
get_others_saved(const MetricsView *view)
{
    return metrics_bytes(view, view->ledger->others_saved_pages);
}

static const HostMetric host_rows[] = {
    { "virtksm_ledger_timestamp_seconds", METRIC_GAUGE, "seconds",
      "When the figures of virtksm_host_*, virtksm_others_* and virtksm_domain_* were read, in "
      "seconds since 1970. They are read at a tick, and less often where reading costs more.",
      get_read, NULL },
    { "virtksm_ledger_steady", METRIC_GAUGE, "",
      "1 if KSM's figures stood still while the domains were read, so that all are of one moment.",
      get_steady, NULL },
    { "virtksm_host_ksm_shared_bytes", METRIC_GAUGE, "bytes",
      "Memory that KSM keeps once and several places share (the kernel's pages_shared).",
      get_shared, NULL },
    { "virtksm_host_ksm_sharing_bytes", METRIC_GAUGE, "bytes",
      "Memory of the places that share it, beyond the first of each (the kernel's pages_sharing).",
      get_sharing, NULL },
    { "virtksm_host_zero_bytes", METRIC_GAUGE, "bytes",
      "Memory that KSM replaced by the kernel's page of zeros. Absent on kernels that do not "
      "count it.",
      get_zero, NULL },
    { "virtksm_host_saved_bytes", METRIC_GAUGE, "bytes",
      "Memory that KSM saves on this host: sharing, and zero pages where the kernel counts them. "
      "The sum of virtksm_domain_saved_bytes and virtksm_others_saved_bytes.",
      get_saved, NULL },
    { "virtksm_host_metadata_bytes", METRIC_GAUGE, "bytes", NULL, get_metadata, NULL },
    { "virtksm_host_net_saved_bytes", METRIC_GAUGE, "bytes", NULL, get_net, NULL },
    { "virtksm_host_unshare_bytes", METRIC_GAUGE, "bytes", NULL, get_unshare, NULL },
    { "virtksm_host_swapped_bytes", METRIC_GAUGE, "bytes", NULL, get_swapped, NULL },
    { "virtksm_host_zswapped_bytes", METRIC_GAUGE, "bytes", NULL, get_zswapped, NULL },
    { "virtksm_host_zswap_bytes", METRIC_GAUGE, "bytes", NULL, get_zswap, NULL },
    { "virtksm_host_huge_pool_bytes", METRIC_GAUGE, "bytes",
      "The pool of huge pages, in use or not, which virtksm_host_memory_bytes has not.",
      get_huge_pool, NULL },
    { "virtksm_host_merges_broken_total", METRIC_COUNTER, "",
      "Merged pages that were copied because somebody wrote to them (the kernel's cow_ksm), since "
      "the host booted. Absent before Linux 5.18.",
      get_broken, NULL },
    { "virtksm_others_merged_bytes", METRIC_GAUGE, "bytes",
      "Merged memory of processes that are no known domain.", get_others_merged, NULL },
    { "virtksm_others_saved_bytes", METRIC_GAUGE, "bytes",
      "Share of virtksm_host_saved_bytes of processes that are no known domain.", get_others_saved,
      NULL },
};

const HostMetric *
metrics_ledger_rows(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(host_rows);
    return host_rows;
}
