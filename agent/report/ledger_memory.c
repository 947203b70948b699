/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger_memory.c - where the memory of a domain is
 */
#include "agent/report/ledger_memory.h"
#include "policy/arith.h"

static uint64_t
ballooned_bytes(const Domain *domain)
{
    if (!is_known(domain->maximum_bytes) || !is_known(domain->balloon_bytes))
        return VALUE_UNKNOWN;
    return sat_sub(domain->maximum_bytes, domain->balloon_bytes);
}

static void
fill_paging(LedgerRow *row)
{
    ProcessPaging paging;

    row->swapped_bytes = VALUE_UNKNOWN;
    if (!row->domain->has_process || !process_read_paging(&row->domain->process, &paging))
        return;
    row->swapped_bytes = paging.swapped_bytes;
    if (is_known(row->resident_bytes))
        row->resident_bytes = sat_add(row->resident_bytes, known_or(paging.huge_bytes, 0));
}

static uint64_t
guest_free_bytes(const LedgerRow *row)
{
    if (!is_known(row->domain->unused_bytes) || !is_known(row->resident_bytes))
        return VALUE_UNKNOWN;
    return min_u64(row->domain->unused_bytes, row->resident_bytes);
}

void
ledger_fill_memory(const Ledger *ledger, LedgerRow *row)
{
    (void)ledger;
    fill_paging(row);
    row->ballooned_bytes = ballooned_bytes(row->domain);
    row->guest_free_bytes = guest_free_bytes(row);
    row->zswapped_bytes = VALUE_UNKNOWN;
    row->zswap_bytes = VALUE_UNKNOWN;
    row->untouched_bytes = VALUE_UNKNOWN;
    row->limit_bytes = VALUE_UNKNOWN;
}
