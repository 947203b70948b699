/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger.c - where all memory is at one moment, as far as one can be had
 *
 * The kernel has no snapshot of KSM: the host's counters and each process's are read one after the
 * other while ksmd goes on. So the host is read on both sides of the processes, and a reading
 * counts as one moment if both agree.
 *
 * Records: KSM keeps one of 64 bytes for each page it looks at, merged or not. The host's number
 * is the sum of the four page counters (pages_volatile is computed by the kernel as what the
 * others leave of it), which every kernel has; a process's own number is in its ksm_stat.
 *
 * Source: mm/ksm.c, struct ksm_rmap_item and pages_volatile_show();
 * Documentation/admin-guide/mm/ksm.rst on general_profit.
 */
#include "agent/report/ledger.h"
#include "agent/facts/cgroup.h"
#include "agent/report/attribution.h"
#include "agent/report/ledger_memory.h"
#include "policy/arith.h"

#include <string.h>

#define NS_PER_US UINT64_C(1000)
/* Readings before one that moved is taken as it is. */
#define TRIES_MAX 5

static bool
is_same(const HostMerged *a, const HostMerged *b)
{
    return a->pages_shared == b->pages_shared && a->pages_sharing == b->pages_sharing &&
           a->ksm_zero_pages == b->ksm_zero_pages;
}

static void
add_row(const Domain *domain, const ProcessSample *sample, Ledger *ledger)
{
    LedgerRow row = { .domain = domain };

    row.merging_pages = sample->merging_pages;
    row.saved_pages = VALUE_UNKNOWN;
    row.zero_pages = sample->ksm_zero_pages;
    row.resident_bytes = sample->resident_bytes;
    row.metadata_bytes = is_known(sample->rmap_items)
                             ? mul_div(sample->rmap_items, KSM_RECORD_BYTES, 1)
                             : VALUE_UNKNOWN;
    row.profit_bytes = sample->profit_bytes;
    row.broken_pages = domain->cost.broken_pages;
    row.ksmd_cpu_us = VALUE_UNKNOWN;
    if (is_known(domain->cost.ksmd_ns))
        row.ksmd_cpu_us = domain->cost.ksmd_ns / NS_PER_US;
    g_array_append_val(ledger->rows, row);
}

/* Return: whether all could be read now. */
static bool
read_rows(const GPtrArray *domains, Ledger *ledger)
{
    g_autofree ProcessReading *readings = g_new0(ProcessReading, domains->len + 1);
    size_t n = 0;
    size_t next = 0;
    bool is_whole;

    for (guint i = 0; i < domains->len; i++) {
        Domain *domain = g_ptr_array_index(domains, i);

        if (domain->has_process)
            readings[n++].process = &domain->process;
    }
    is_whole = process_read_in_time(readings, n);
    g_array_set_size(ledger->rows, 0);
    for (guint i = 0; i < domains->len; i++) {
        const Domain *domain = g_ptr_array_index(domains, i);
        const ProcessReading *reading = domain->has_process ? &readings[next++] : NULL;
        ProcessSample sample;

        process_sample_clear(&sample);
        add_row(domain, reading && reading->runs ? &reading->sample : &sample, ledger);
    }
    return is_whole;
}

/* A row without figures of its own has no share: what it has is in the remainder. */
static void
divide(Ledger *ledger, const HostMerged *merged)
{
    AttributedHost host = { merged->pages_shared, merged->pages_sharing,
                            known_or(merged->ksm_zero_pages, 0) };
    g_autofree Attributed *shares = g_new0(Attributed, ledger->rows->len + 1);
    Attributed others;

    for (guint i = 0; i < ledger->rows->len; i++) {
        const LedgerRow *row = &g_array_index(ledger->rows, LedgerRow, i);

        if (!is_known(row->merging_pages))
            continue;
        shares[i].merging_pages = row->merging_pages;
        shares[i].zero_pages = known_or(row->zero_pages, 0);
    }
    if (!attribute_savings(&host, shares, ledger->rows->len, &others))
        ledger->steady = false;
    for (guint i = 0; i < ledger->rows->len; i++) {
        LedgerRow *row = &g_array_index(ledger->rows, LedgerRow, i);

        if (!is_known(row->merging_pages))
            continue;
        row->merging_pages = shares[i].merging_pages;
        row->saved_pages = shares[i].saved_pages;
        if (is_known(row->zero_pages))
            row->zero_pages = shares[i].zero_pages;
    }
    ledger->others_merging_pages = others.merging_pages;
    ledger->others_saved_pages = others.saved_pages;
}

/* Each place that shares gets a page of its own again, and so does each zero page. */
static uint64_t
unshare_bytes(const Ledger *ledger, uint64_t sharing_pages, uint64_t zero_pages)
{
    if (!is_known(sharing_pages))
        return VALUE_UNKNOWN;
    return mul_div(sat_add(sharing_pages, known_or(zero_pages, 0)), ledger->page_bytes, 1);
}

static void
fill_rows(int root_fd, Ledger *ledger)
{
    for (guint i = 0; i < ledger->rows->len; i++) {
        LedgerRow *row = &g_array_index(ledger->rows, LedgerRow, i);

        row->unshare_bytes = unshare_bytes(ledger, row->merging_pages, row->zero_pages);
        ledger_fill_memory(root_fd, ledger, row);
    }
}

static void
fill_host(Ledger *ledger, const HostSample *host, const HostMerged *merged)
{
    const KsmCounters *ksm = &host->ksm;

    ledger->pages_shared = merged->pages_shared;
    ledger->pages_sharing = merged->pages_sharing;
    ledger->zero_pages = merged->ksm_zero_pages;
    ledger->may_have_zero_pages = is_known(merged->ksm_zero_pages)
                                      ? merged->ksm_zero_pages > 0
                                      : host->knobs.use_zero_pages == 1;
    ledger->profit_bytes = ksm->general_profit;
    ledger->total_bytes = sat_add(host->mem_total_bytes, known_or(ledger->vm.huge_pool_bytes, 0));
    ledger->available_bytes = host->mem_available_bytes;
    ledger->ksmd_cpu_us = host->ksmd_cpu_us;
    ledger->full_scans = ksm->full_scans;
    ledger->saved_pages = VALUE_UNKNOWN;
    ledger->unshare_bytes = VALUE_UNKNOWN;
    ledger->metadata_bytes = VALUE_UNKNOWN;
    if (!is_known(merged->pages_shared) || !is_known(merged->pages_sharing)) {
        ledger->others_merging_pages = VALUE_UNKNOWN;
        ledger->others_saved_pages = VALUE_UNKNOWN;
        return;
    }
    ledger->saved_pages = sat_add(merged->pages_sharing, known_or(merged->ksm_zero_pages, 0));
    ledger->unshare_bytes = unshare_bytes(ledger, ledger->saved_pages, 0);
    if (is_known(ksm->pages_unshared) && is_known(ksm->pages_volatile))
        ledger->metadata_bytes =
            mul_div(sat_add(sat_add(merged->pages_shared, merged->pages_sharing),
                            sat_add(ksm->pages_unshared, ksm->pages_volatile)),
                    KSM_RECORD_BYTES, 1);
}

void
ledger_read(HostFacts *facts, const DomainTable *domains, Ledger *ledger)
{
    g_autoptr(GPtrArray) sorted = domain_table_sorted(domains);
    HostMerged before;
    HostMerged after;
    HostSample host;
    bool is_whole = true;

    memset(ledger, 0, sizeof(*ledger));
    ledger->rows = g_array_sized_new(FALSE, TRUE, sizeof(LedgerRow), sorted->len);
    host_read_merged(facts, &after);
    for (unsigned i = 0; i < TRIES_MAX && !ledger->steady && is_whole; i++) {
        before = after;
        is_whole = read_rows(sorted, ledger);
        host_read_merged(facts, &after);
        ledger->steady = is_whole && is_same(&before, &after);
    }
    host_read(facts, &host);
    ledger->page_bytes = host.page_bytes;
    if (is_known(after.pages_shared) && is_known(after.pages_sharing))
        divide(ledger, &after);
    vm_read(facts->root_fd, &ledger->vm);
    fill_host(ledger, &host, &after);
    ledger->has_cgroup_v2 = cgroup_is_v2(facts->root_fd);
    fill_rows(facts->root_fd, ledger);
}

void
ledger_clear(Ledger *ledger)
{
    g_clear_pointer(&ledger->rows, g_array_unref);
}

bool
ledger_net_bytes(const Ledger *ledger, uint64_t saved_pages, uint64_t metadata_bytes,
                 int64_t *ret_bytes)
{
    uint64_t saved_bytes = mul_div(saved_pages, ledger->page_bytes, 1);

    if (!is_known(saved_pages) || !is_known(metadata_bytes) || saved_bytes > INT64_MAX ||
        metadata_bytes > INT64_MAX)
        return false;
    *ret_bytes = (int64_t)saved_bytes - (int64_t)metadata_bytes;
    return true;
}
