/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cost.c - what KSM costs, as far as the kernel lets one say for whom
 */
#include "agent/report/cost.h"
#include "policy/arith.h"

#define NS_PER_US UINT64_C(1000)

/* What ksmd has run since the last look; 0 where that cannot be said. */
static uint64_t
spent_us(CostMark *mark, const HostSample *host)
{
    uint64_t spent = mark->has_looked ? sat_sub(host->ksmd_cpu_us, mark->ksmd_cpu_us) : 0;

    if (!is_known(host->ksmd_cpu_us))
        return 0;
    *mark = (CostMark){ true, host->ksmd_cpu_us };
    return spent;
}

/* KSM's records of all processes, where all that they are counted from is known. */
static uint64_t
all_records(const KsmCounters *ksm)
{
    if (!is_known(ksm->pages_shared) || !is_known(ksm->pages_sharing) ||
        !is_known(ksm->pages_unshared) || !is_known(ksm->pages_volatile))
        return VALUE_UNKNOWN;
    return ksm_recorded_pages(ksm);
}

static void
add_share(Domain *domain, uint64_t spent_ns, uint64_t records)
{
    uint64_t own = domain->sample.rmap_items;

    if (!is_known(own) || !is_known(records))
        return;
    domain->cost.ksmd_ns = known_or(domain->cost.ksmd_ns, 0);
    if (records > 0)
        domain->cost.ksmd_ns = min_u64(sat_add(domain->cost.ksmd_ns,
                                               mul_div(min_u64(own, records), spent_ns, records)),
                                       VALUE_UNKNOWN - 1);
}

/* A page that was given back while the two figures were read is missing from the resident set at
 * one look and from the merged pages at the next: what one look leaves to spare is used then. */
static void
add_broken(Domain *domain, bool unmerging, uint32_t page_bytes)
{
    DomainCost *cost = &domain->cost;
    uint64_t merging = domain->sample.merging_pages;
    uint64_t resident = known_or(domain->sample.resident_bytes, 0);

    if (!is_known(merging))
        return;
    cost->broken_pages = known_or(cost->broken_pages, 0);
    if (is_known(cost->merging_pages) && !unmerging && !cost->unmerging) {
        uint64_t shrunk = sat_sub(cost->resident_bytes, resident) / page_bytes;
        uint64_t lost = sat_sub(cost->merging_pages, merging);
        uint64_t broken = sat_sub(lost, sat_add(shrunk, cost->spare_pages));

        cost->broken_pages = min_u64(sat_add(cost->broken_pages, broken), VALUE_UNKNOWN - 1);
        cost->spare_pages = sat_sub(shrunk, lost);
    }
    cost->merging_pages = merging;
    cost->resident_bytes = resident;
    cost->unmerging = unmerging;
}

/* Records of all domains: they were read a moment later than those of the host, and may be more. */
static uint64_t
own_records(const DomainTable *domains)
{
    GHashTableIter iter;
    gpointer value;
    uint64_t records = 0;

    g_hash_table_iter_init(&iter, domains->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Domain *domain = value;

        if (domain->has_process)
            records = sat_add(records, known_or(domain->sample.rmap_items, 0));
    }
    return records;
}

void
cost_look(CostMark *mark, const HostSample *host, const DomainTable *domains)
{
    uint64_t spent_ns = mul_div(spent_us(mark, host), NS_PER_US, 1);
    uint64_t all = all_records(&host->ksm);
    uint64_t records = is_known(all) ? max_u64(all, own_records(domains)) : VALUE_UNKNOWN;
    bool unmerging = host->knobs.run == KSM_RUN_UNMERGE;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, domains->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Domain *domain = value;

        if (!domain->has_process)
            continue;
        add_share(domain, spent_ns, records);
        add_broken(domain, unmerging, host->page_bytes);
    }
}
