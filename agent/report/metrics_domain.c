/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metrics_domain.c - the metrics that are the ledger's figures of each domain
 *
 * To add one, add a row to the table and a getter above it; each row is a series for each domain.
 */
#include "agent/agent.h"
#include "agent/report/metrics_row.h"

#include <math.h>

static double
get_domain_merged(const MetricsView *view, const LedgerRow *row)
{
    return metrics_bytes(view, row->merging_pages);
}

static double
get_domain_saved(const MetricsView *view, const LedgerRow *row)
{
    return metrics_bytes(view, row->saved_pages);
}

static double
get_domain_zero(const MetricsView *view, const LedgerRow *row)
{
    return metrics_bytes(view, row->zero_pages);
}

static double
get_domain_metadata(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->metadata_bytes);
}

static double
get_domain_net(const MetricsView *view, const LedgerRow *row)
{
    return metrics_net(view, row->saved_pages, row->metadata_bytes);
}

static double
get_domain_resident(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->resident_bytes);
}

static double
get_domain_maximum(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->domain->maximum_bytes);
}

static double
get_domain_balloon(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->domain->balloon_bytes);
}

static double
get_domain_stats(const MetricsView *view, const LedgerRow *row)
{
    return metrics_moment(view, row->domain->stats_us);
}

static double
get_domain_profit(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return is_known(row->profit_bytes) ? (double)(int64_t)row->profit_bytes : NAN;
}

static double
get_domain_ballooned(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->ballooned_bytes);
}

static double
get_domain_swapped(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->swapped_bytes);
}

static double
get_domain_zswapped(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->zswapped_bytes);
}

static double
get_domain_zswap(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->zswap_bytes);
}

static double
get_domain_untouched(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->untouched_bytes);
}

static double
get_domain_guest_free(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->guest_free_bytes);
}

static double
get_domain_unshare(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->unshare_bytes);
}

static double
get_domain_hard_limit(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->limit_bytes);
}

/* Of a process that has exited nothing is told, as of the others of its figures. */
static bool
has_overhead(const LedgerRow *row)
{
    return is_known(row->domain->overhead.bytes) && is_known(row->resident_bytes);
}

static double
get_domain_overhead(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return has_overhead(row) ? (double)row->domain->overhead.bytes : NAN;
}

static double
get_domain_peak(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return has_overhead(row) ? (double)row->domain->overhead.peak_bytes : NAN;
}

static double
get_domain_measured(const MetricsView *view, const LedgerRow *row)
{
    return has_overhead(row) ? metrics_moment(view, row->domain->overhead.measured_us) : NAN;
}

static double
get_domain_ksmd(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->ksmd_cpu_us) / 1e6;
}

static double
get_domain_broken(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(row->broken_pages);
}

/* A domain that no decision was taken on yet has no plan. */
static double
get_domain_mergeable(const MetricsView *view, const LedgerRow *row)
{
    return row->domain->plan.key ? metrics_bytes(view, row->domain->plan.mergeable_pages) : NAN;
}

static double
get_domain_debt(const MetricsView *view, const LedgerRow *row)
{
    return row->domain->plan.key ? metrics_bytes(view, row->domain->plan.debt_pages) : NAN;
}

/* What was not decided on, or what is left alone, gives no sample. */
static double
get_domain_need(const MetricsView *view, const LedgerRow *row)
{
    const DomainPlan *plan = &row->domain->plan;

    (void)view;
    return plan->balloon_reason != REASON_NONE ? metrics_known(plan->need_bytes) : NAN;
}

static double
get_domain_target(const MetricsView *view, const LedgerRow *row)
{
    const DomainPlan *plan = &row->domain->plan;

    (void)view;
    return plan->balloon_reason != REASON_NONE ? metrics_known(plan->balloon_bytes) : NAN;
}

static double
get_domain_limit(const MetricsView *view, const LedgerRow *row)
{
    const DomainPlan *plan = &row->domain->plan;

    (void)view;
    return plan->high_reason != REASON_NONE && plan->limit_bytes != LIMIT_NONE
               ? metrics_known(plan->limit_bytes)
               : NAN;
}

static double
get_domain_floor(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(domain_floor_bytes(row->domain));
}

static double
get_domain_ceiling(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return metrics_known(domain_ceiling_bytes(row->domain));
}

/* 1 while somebody else drives its balloon or limit. */
static double
get_domain_foreign(const MetricsView *view, const LedgerRow *row)
{
    (void)view;
    return row->domain->balloon_foreign || row->domain->limit_foreign;
}

static double
get_domain_reclaimed(const MetricsView *view, const LedgerRow *row)
{
    const Hold *hold = hold_find(&view->agent->memory_high.holds, row->domain->uuid);

    return hold ? (double)hold->reclaimed_bytes : 0;
}

/* There is a figure of memory that was used only with means to tell it. */
static const WorkingSetReport *
working_set_of(const LedgerRow *row)
{
    const WorkingSetReport *report = row->domain->working_set;
    bool is_there =
        report && (report->state == WORKING_SET_MEASURED || report->state == WORKING_SET_GUEST);

    return is_there ? report : NULL;
}

static double
get_domain_working_set(const MetricsView *view, const LedgerRow *row)
{
    const WorkingSetReport *report = working_set_of(row);

    (void)view;
    return report ? metrics_known(report->working_set_bytes) : NAN;
}

static double
get_domain_cold(const MetricsView *view, const LedgerRow *row)
{
    const WorkingSetReport *report = working_set_of(row);

    (void)view;
    return report ? metrics_known(report->cold_bytes) : NAN;
}

static double
get_domain_confidence(const MetricsView *view, const LedgerRow *row)
{
    const WorkingSetReport *report = working_set_of(row);

    (void)view;
    return report ? report->confidence_bp / (double)BP_ONE : NAN;
}

static double
get_domain_aged(const MetricsView *view, const LedgerRow *row)
{
    const WorkingSetReport *report = working_set_of(row);

    return report ? metrics_moment(view, report->moment_us) : NAN;
}

static const DomainMetric domain_rows[] = {
    { "virtksm_domain_merged_bytes", METRIC_GAUGE, "bytes",
      "Memory of the domain's QEMU process that is merged (its ksm_merging_pages). Not a saving: "
      "it has the pages that are kept in it.",
      get_domain_merged },
    { "virtksm_domain_saved_bytes", METRIC_GAUGE, "bytes",
      "The domain's fair share of virtksm_host_saved_bytes, in proportion to what is merged of it.",
      get_domain_saved },
    { "virtksm_domain_zero_bytes", METRIC_GAUGE, "bytes",
      "Of its saved memory, that which KSM replaced by the kernel's page of zeros.",
      get_domain_zero },
    { "virtksm_domain_metadata_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_metadata },
    { "virtksm_domain_net_saved_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_net },
    { "virtksm_domain_resident_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_resident },
    { "virtksm_domain_maximum_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_maximum },
    { "virtksm_domain_balloon_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_balloon },
    { "virtksm_domain_stats_timestamp_seconds", METRIC_GAUGE, "seconds",
      "When libvirt told the maximum and the balloon, in seconds since 1970.", get_domain_stats },
    { "virtksm_domain_kernel_profit_bytes", METRIC_GAUGE, "bytes",
      "The kernel's own figure of what merging the domain saves less its records. It counts all "
      "merged pages as saved, so those of all domains are more than the host saves.",
      get_domain_profit },
    { "virtksm_domain_unshare_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_unshare },
    { "virtksm_domain_ballooned_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_ballooned },
    { "virtksm_domain_swapped_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_swapped },
    { "virtksm_domain_zswapped_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_zswapped },
    { "virtksm_domain_zswap_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_zswap },
    { "virtksm_domain_untouched_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_untouched },
    { "virtksm_domain_guest_free_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_guest_free },
    { "virtksm_domain_overhead_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_overhead },
    { "virtksm_domain_overhead_peak_bytes", METRIC_GAUGE, "bytes", NULL, get_domain_peak },
    { "virtksm_domain_overhead_timestamp_seconds", METRIC_GAUGE, "seconds",
      "When the overhead was measured last, in seconds since 1970.", get_domain_measured },
    { "virtksm_domain_hard_limit_advice_bytes", METRIC_GAUGE, "bytes", NULL,
      get_domain_hard_limit },
    { "virtksm_domain_ksmd_cpu_seconds_total", METRIC_COUNTER, "seconds",
      "The domain's share of ksmd's CPU time since it was first seen, by KSM's records of it.",
      get_domain_ksmd },
    { "virtksm_domain_merges_broken_total", METRIC_COUNTER, "",
      "Merged pages that the domain lost while it did not shrink, since it was first seen; at "
      "least so many.",
      get_domain_broken },
    { "virtksm_domain_mergeable_bytes", METRIC_GAUGE, "bytes",
      "Memory of the domain that KSM may merge, as far as its definition tells.",
      get_domain_mergeable },
    { "virtksm_domain_debt_bytes", METRIC_GAUGE, "bytes",
      "Debt: mergeable memory of the domain that two passes of ksmd have not covered yet.",
      get_domain_debt },
    { "virtksm_domain_need_bytes", METRIC_GAUGE, "bytes",
      "Memory that the guest is thought to need, with headroom, from what it tells.",
      get_domain_need },
    { "virtksm_domain_balloon_target_bytes", METRIC_GAUGE, "bytes",
      "What the balloon of the domain is to leave to it, or would be in mode observe. Absent where "
      "it is left alone.",
      get_domain_target },
    { "virtksm_domain_limit_bytes", METRIC_GAUGE, "bytes",
      "memory.high that is wanted for the domain, or would be in mode observe. Absent where there "
      "is none.",
      get_domain_limit },
    { "virtksm_domain_floor_bytes", METRIC_GAUGE, "bytes",
      "What reclaim leaves to the domain, where its definition says.", get_domain_floor },
    { "virtksm_domain_ceiling_bytes", METRIC_GAUGE, "bytes",
      "What the balloon may leave to the domain at most, where its definition says.",
      get_domain_ceiling },
    { "virtksm_domain_reclaim_foreign", METRIC_GAUGE, "",
      "1 while the balloon or the limit of the domain is left alone, because somebody else has "
      "changed it.",
      get_domain_foreign },
    { "virtksm_domain_reclaimed_bytes_total", METRIC_COUNTER, "bytes",
      "Memory of the domain that was asked of memory.reclaim, and taken.", get_domain_reclaimed },
    { "virtksm_domain_working_set_bytes", METRIC_GAUGE, "bytes",
      "Memory of the domain that was used within [working_set] age; where the guest alone tells, "
      "what it could not give up without swapping.",
      get_domain_working_set },
    { "virtksm_domain_cold_bytes", METRIC_GAUGE, "bytes",
      "Memory of the domain that is resident and was not used within [working_set] age; where the "
      "guest alone tells, what it could give up beside what is free.",
      get_domain_cold },
    { "virtksm_domain_working_set_confidence_ratio", METRIC_GAUGE, "ratio",
      "Share of the memory of the domain whose age is told right: measured or estimated, as "
      "'virtksm working-set' says.",
      get_domain_confidence },
    { "virtksm_domain_working_set_timestamp_seconds", METRIC_GAUGE, "seconds",
      "When the working set was measured, or the guest told it, in seconds since 1970.",
      get_domain_aged },
};

const DomainMetric *
metrics_domain_rows(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(domain_rows);
    return domain_rows;
}
