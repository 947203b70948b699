/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cost.h - what KSM costs, as far as the kernel lets one say for whom
 *
 * Filled at each full tick, from figures that are read there anyway.
 */
#ifndef AGENT_REPORT_COST_H
#define AGENT_REPORT_COST_H

#include "agent/domain.h"
#include "policy/sample.h"

/* Of the host at the last look. */
typedef struct {
    bool has_looked;      /* ksmd_cpu_us is set */
    uint64_t ksmd_cpu_us; /* where ksmd's run time stood */
} CostMark;

/**
 * cost_look() - note what was spent and lost since the last look
 * @mark:    all zero at first
 * @host:    of now
 * @domains: with samples of now; their costs change
 *
 * ksmd's CPU time is divided by KSM's records: ksmd goes round all pages that it may merge, one
 * record each, so in a pass it looks at each process as often as that one has records. The kernel
 * counts no scanned pages for a process; those that smart_scan skips stay in the measure. What
 * belongs to no known domain is nobody's.
 *
 * A merge is lost when a process has fewer merged pages than before. As far as its resident set
 * shrank too, the pages may have been given back; those, losses between two looks that were made
 * good, and what is lost while KSM unmerges do not count.
 *
 * A counter that runs backwards starts anew and adds nothing.
 */
void cost_look(CostMark *mark, const HostSample *host, const DomainTable *domains);

#endif
