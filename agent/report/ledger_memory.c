/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger_memory.c - where the memory of a domain is
 *
 * What QEMU uses was measured some time ago, the rest is of now. So the guest's part of what is
 * resident is a difference that may be off by what QEMU has grown since, and what was never touched
 * is what is left of the maximum, not below 0.
 *
 * What is swapped of memory that is mapped shared (memfd, files, vhost-user) the kernel counts for
 * no process. Where the host has swapped, such a domain may have a part of it: then neither what it
 * has swapped nor what it has never touched can be told.
 * Source: Documentation/filesystems/proc.rst, "VmSwap"
 *
 * Advice for hard_limit: memory.max counts what the process has resident, the page tables of the
 * host and those that KVM keeps for the guest (8 bytes for each page of 4 KiB, twice), and moments
 * at which nobody measured. A limit that is too low has the domain killed; nothing is gained by
 * one that is tight.
 */
#include "agent/report/ledger_memory.h"
#include "agent/facts/cgroup.h"
#include "policy/arith.h"

/* Beside half of the peak, for what samples do not see. */
#define LIMIT_SLACK_BYTES (UINT64_C(64) << 20)
/* Of the maximum, one part in so many for page tables. */
#define LIMIT_TABLES 256
/* A figure that people can type. */
#define LIMIT_STEP_BYTES (UINT64_C(1) << 20)

static uint64_t
ballooned_bytes(const Domain *domain)
{
    if (!is_known(domain->maximum_bytes) || !is_known(domain->balloon_bytes))
        return VALUE_UNKNOWN;
    return sat_sub(domain->maximum_bytes, domain->balloon_bytes);
}

static bool
may_be_swapped_unseen(const Ledger *ledger, const Domain *domain)
{
    return domain->has_xml && domain->xml.shared_bytes > 0 && ledger->vm.swapped_bytes != 0;
}

static void
fill_paging(const Ledger *ledger, LedgerRow *row)
{
    ProcessPaging paging;

    row->swapped_bytes = VALUE_UNKNOWN;
    if (!row->domain->has_process || !process_read_paging(&row->domain->process, &paging))
        return;
    if (!may_be_swapped_unseen(ledger, row->domain))
        row->swapped_bytes = paging.swapped_bytes;
    if (is_known(row->resident_bytes))
        row->resident_bytes = sat_add(row->resident_bytes, known_or(paging.huge_bytes, 0));
}

/* A host with nothing in zswap saves the look at each cgroup, which is not for nothing: the kernel
 * adds up figures of all processors for it. */
static void
fill_zswap(int root_fd, const Ledger *ledger, LedgerRow *row)
{
    g_autofree char *cgroup = NULL;
    CgroupZswap zswap = { VALUE_UNKNOWN, VALUE_UNKNOWN };

    if (ledger->has_cgroup_v2 && row->domain->has_process) {
        cgroup = cgroup_find(&row->domain->process, CGROUP_V2);
        if (cgroup && ledger->vm.zswapped_bytes == 0)
            zswap = (CgroupZswap){ 0, 0 };
        else
            cgroup_read_zswap(root_fd, cgroup, &zswap);
    }
    row->zswapped_bytes = zswap.zswapped_bytes;
    row->zswap_bytes = zswap.zswap_bytes;
}

/* What is resident of the guest's memory. */
static uint64_t
guest_bytes(const LedgerRow *row)
{
    if (!is_known(row->resident_bytes) || !is_known(row->domain->overhead.bytes))
        return VALUE_UNKNOWN;
    return sat_sub(row->resident_bytes, row->domain->overhead.bytes);
}

/* Zero pages that nobody counts may be none only where KSM makes none. */
static uint64_t
zero_bytes(const Ledger *ledger, const LedgerRow *row)
{
    if (is_known(row->zero_pages))
        return mul_div(row->zero_pages, ledger->page_bytes, 1);
    return ledger->may_have_zero_pages ? VALUE_UNKNOWN : 0;
}

static uint64_t
untouched_bytes(const Ledger *ledger, const LedgerRow *row)
{
    uint64_t guest = guest_bytes(row);
    uint64_t zero = zero_bytes(ledger, row);
    uint64_t swapped;

    if (!is_known(guest) || !is_known(zero) || !is_known(row->ballooned_bytes) ||
        !is_known(row->swapped_bytes))
        return VALUE_UNKNOWN;
    swapped = sat_sub(row->swapped_bytes, row->domain->overhead.last.swapped_bytes);
    return sat_sub(row->domain->maximum_bytes,
                   sat_add(sat_add(guest, zero), sat_add(swapped, row->ballooned_bytes)));
}

/* What was never touched is not used by the guest either, but the host does not hold it. */
static uint64_t
guest_free_bytes(const LedgerRow *row)
{
    if (!is_known(row->domain->unused_bytes) || !is_known(row->untouched_bytes))
        return VALUE_UNKNOWN;
    return min_u64(sat_sub(row->domain->unused_bytes, row->untouched_bytes), guest_bytes(row));
}

static uint64_t
limit_bytes(const Domain *domain)
{
    uint64_t maximum = domain->maximum_bytes;
    uint64_t peak = domain->overhead.peak_bytes;
    uint64_t bytes;

    if (!is_known(maximum) || !is_known(peak))
        return VALUE_UNKNOWN;
    bytes = sat_add(sat_add(maximum, maximum / LIMIT_TABLES),
                    sat_add(sat_add(peak, peak / 2), LIMIT_SLACK_BYTES));
    return bytes > UINT64_MAX - LIMIT_STEP_BYTES
               ? VALUE_UNKNOWN
               : (bytes + LIMIT_STEP_BYTES - 1) / LIMIT_STEP_BYTES * LIMIT_STEP_BYTES;
}

void
ledger_fill_memory(int root_fd, const Ledger *ledger, LedgerRow *row)
{
    fill_paging(ledger, row);
    fill_zswap(root_fd, ledger, row);
    row->ballooned_bytes = ballooned_bytes(row->domain);
    row->untouched_bytes = untouched_bytes(ledger, row);
    row->guest_free_bytes = guest_free_bytes(row);
    row->limit_bytes = limit_bytes(row->domain);
}
