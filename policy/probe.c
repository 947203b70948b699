/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.c - looking again, as often as it pays
 *
 * Memory that changes after it has been covered shows nowhere but in a pass: the first sees that
 * it is different, the second merges it if it has equals. A probe is two passes. One that brings
 * nothing, or less than yield_floor, doubles the distance to the next, up to churn_s; one that
 * brings something halves it. The distance is never so short that probes cost more than cpu_idle:
 * what the last one cost, as measured, is what the next one is expected to.
 */
#include "policy/probe.h"
#include "policy/yield.h"

/* The first probe after a burst; those that follow find their own distance. */
#define INTERVAL_FIRST_US (30 * US_PER_S)
/* Closer together than this, changes are better left to gather. */
#define INTERVAL_MIN_US (10 * US_PER_S)
/* Passes of a probe: one sees the change, one merges. */
#define PROBE_PASSES 2

static uint64_t
longest_us(const PolicyConf *conf)
{
    return max_u64(conf->churn_s * US_PER_S, INTERVAL_MIN_US);
}

/* Distance at which probes of this cost stay within the budget. */
static uint64_t
affordable_us(const PolicyConf *conf, uint64_t cost_us)
{
    return max_u64(INTERVAL_MIN_US, mul_div(cost_us, BP_ONE, conf->cpu_idle_bp));
}

void
probe_reset(const PolicyConf *conf, const HostSample *host, uint64_t pass_us, Probe *probe)
{
    uint64_t first_us = min_u64(INTERVAL_FIRST_US, longest_us(conf));

    *probe = (Probe){ .ended_us = host->now_us, .cpu_us = VALUE_UNKNOWN };
    probe->interval_us = max_u64(first_us, affordable_us(conf, mul_div(pass_us, PROBE_PASSES, 1)));
}

static void
begin(const HostSample *host, unsigned passes, Probe *probe)
{
    probe->left = passes;
    probe->cpu_us = host->ksmd_cpu_us;
}

static void
end(const PolicyConf *conf, const HostSample *host, KsmAuto *a)
{
    Probe *probe = &a->probe;
    bool measured = is_known(host->ksmd_cpu_us) && is_known(probe->cpu_us);
    uint64_t cost_us = measured ? sat_sub(host->ksmd_cpu_us, probe->cpu_us) : 0;
    uint64_t least_us = affordable_us(conf, cost_us);
    uint64_t next_us = sat_add(probe->interval_us, probe->interval_us);

    probe->ended_us = host->now_us;
    if (probe->cleanup) {
        probe->cleanup = false;
        probe->interval_us = max_u64(probe->interval_us, least_us);
        return;
    }
    yield_end(host, &a->yield);
    if (ksm_merged_pages(&host->ksm) > probe->merged && !yield_is_low(conf, &a->yield)) {
        next_us = probe->interval_us / 2;
        a->poor = false;
    }
    probe->interval_us = max_u64(least_us, min_u64(next_us, longest_us(conf)));
}

bool
probe_advance(const PolicyConf *conf, const HostSample *host, uint64_t ended, KsmAuto *a)
{
    Probe *probe = &a->probe;

    if (probe->left > 0) {
        probe->left -= (unsigned)min_u64(ended, probe->left);
        if (probe->left == 0)
            end(conf, host, a);
    } else if (probe_due_us(host, probe) == 0) {
        begin(host, PROBE_PASSES, probe);
        probe->merged = ksm_merged_pages(&host->ksm);
        yield_begin(host, &a->yield);
    }
    return probe->left > 0;
}

void
probe_cleanup(const HostSample *host, Probe *probe)
{
    if (probe->left > 0)
        return;
    begin(host, 1, probe);
    probe->cleanup = true;
}

uint64_t
probe_due_us(const HostSample *host, const Probe *probe)
{
    if (probe->left > 0)
        return 0;
    return sat_sub(sat_add(probe->ended_us, probe->interval_us), host->now_us);
}
