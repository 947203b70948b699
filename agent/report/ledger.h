/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger.h - where the memory of host and domains is, what KSM saves of it, and what that costs
 *
 * Two sums hold, and no byte is in two terms of one of them:
 *
 *   host, exactly        saved_pages = sum of the domains' saved_pages + others_saved_pages
 *   domain, as far as    maximum = ballooned + swapped + untouched + zero pages
 *   moments agree                  + (resident - overhead)
 *
 * Before Linux 6.6 the kernel does not count zero pages. Where it makes them all the same, they are
 * in no figure: saved and unshare are without them, and untouched, which would be too large by
 * them, is not known.
 *
 * The others are parts of a term, or what would be: merged and guest_free of what is resident,
 * zswapped of what is swapped, the five kinds of overhead of overhead; unshare is what merging and
 * zero pages would need. Each figure is defined by its row in figure.c, which is also what people
 * are shown. Signed figures are kept as u64, like those of facts.
 */
#ifndef AGENT_REPORT_LEDGER_H
#define AGENT_REPORT_LEDGER_H

#include "agent/domain.h"
#include "agent/facts/host.h"
#include "agent/facts/vm.h"

#include <glib.h>

/* One domain; every figure is VALUE_UNKNOWN where it cannot be had. */
typedef struct {
    const Domain *domain;      /* borrowed */
    uint64_t merging_pages;    /* its pages that are merged */
    uint64_t saved_pages;      /* its fair share, known zero pages included */
    uint64_t zero_pages;       /* of saved_pages */
    uint64_t metadata_bytes;   /* KSM's records of it */
    uint64_t profit_bytes;     /* the kernel's saving less records, signed */
    uint64_t unshare_bytes;    /* needed if its sharing broke */
    uint64_t resident_bytes;   /* of its process, huge pages included */
    uint64_t ballooned_bytes;  /* given up through the balloon */
    uint64_t swapped_bytes;    /* of its process, swapped out */
    uint64_t zswapped_bytes;   /* of swapped_bytes, in zswap */
    uint64_t zswap_bytes;      /* what zswap occupies for it */
    uint64_t untouched_bytes;  /* nowhere yet */
    uint64_t guest_free_bytes; /* of what is resident, not used by the guest */
    uint64_t limit_bytes;      /* advice for hard_limit */
    uint64_t broken_pages;     /* merges that were lost since it was first seen, at least */
    uint64_t ksmd_cpu_us;      /* share of ksmd's run time since it was first seen */
} LedgerRow;

typedef struct {
    uint32_t page_bytes; /* size of a page */
    bool steady; /* all is of one moment: the host's figures stood still while the domains were
                    read, and none was held up */
    uint64_t pages_shared;    /* of the host */
    uint64_t pages_sharing;   /* of the host */
    uint64_t zero_pages;      /* of the host; VALUE_UNKNOWN on kernels that do not count them */
    bool may_have_zero_pages; /* there are some, or KSM makes them and nobody counts them */
    uint64_t saved_pages;     /* pages_sharing and known zero_pages; VALUE_UNKNOWN without KSM */
    uint64_t metadata_bytes;  /* KSM's records of all processes */
    uint64_t profit_bytes;    /* the kernel's saving less records, signed */
    uint64_t unshare_bytes;   /* needed if all sharing broke */
    uint64_t total_bytes;     /* memory of the host, the pool of huge pages included */
    uint64_t available_bytes; /* of it, what could be had without swapping */
    uint64_t ksmd_cpu_us;     /* since boot */
    uint64_t full_scans;      /* since boot */
    bool has_cgroup_v2;       /* domains' cgroups tell what zswap has of them */
    HostVm vm;
    uint64_t others_merging_pages; /* of processes that are no known domain */
    uint64_t others_saved_pages;   /* their share of saved_pages */
    GArray *rows;                  /* owned; of LedgerRow, by name */
} Ledger;

/**
 * ledger_read() - take the figures now
 * @facts:   of the host
 * @domains: whose processes are read; nothing else of them changes
 * @ledger:  overwritten; ledger_clear() it
 *
 * The host is read before and after the domains, and all of it again if KSM moved meanwhile, up
 * to a few times. Where it never stands still the last reading is given and @ledger->steady is
 * false; the sum of the shares is exact in any case. Reads kernel files only, nothing that costs
 * time in proportion to memory.
 */
void ledger_read(HostFacts *facts, const DomainTable *domains, Ledger *ledger);

/** ledger_clear() - frees what it holds */
void ledger_clear(Ledger *ledger);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ledger, ledger_clear)

/**
 * ledger_net_bytes() - saved less its cost
 * @saved_pages:    VALUE_UNKNOWN gives false
 * @metadata_bytes: VALUE_UNKNOWN gives false
 * @ret_bytes:      may be negative; written only if known
 *
 * Return: whether it is known.
 */
bool ledger_net_bytes(const Ledger *ledger, uint64_t saved_pages, uint64_t metadata_bytes,
                      int64_t *ret_bytes);

#endif
