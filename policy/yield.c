/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * yield.c - bytes gained for a second of ksmd
 *
 * The gain of a burst or of a probe is what is saved after it and was not before, less what KSM's
 * new records take: one for every page that it looks after, merged or not. Work during which a
 * domain went away is not judged, since savings went away with it.
 *
 * Source: Documentation/admin-guide/mm/ksm.rst, "general_profit"
 */
#include "policy/yield.h"

/* Less work than this tells nothing. */
#define WORK_MIN_US (10 * US_PER_MS)

static uint64_t
saved_bytes(const HostSample *host)
{
    return mul_div(ksm_saved_pages(&host->ksm), host->page_bytes, 1);
}

static uint64_t
record_bytes(const HostSample *host)
{
    return mul_div(ksm_recorded_pages(&host->ksm), KSM_RECORD_BYTES, 1);
}

void
yield_begin(const HostSample *host, Yield *yield)
{
    yield->since_cpu_us = host->ksmd_cpu_us;
    yield->since_saved = saved_bytes(host);
    yield->since_records = record_bytes(host);
    yield->disturbed = false;
}

void
yield_end(const HostSample *host, Yield *yield)
{
    uint64_t now_bytes = sat_add(saved_bytes(host), yield->since_records);
    uint64_t gained = sat_sub(now_bytes, sat_add(yield->since_saved, record_bytes(host)));
    uint64_t cpu_us = sat_sub(host->ksmd_cpu_us, yield->since_cpu_us);

    if (yield->disturbed || !is_known(host->ksmd_cpu_us) || !is_known(yield->since_cpu_us) ||
        cpu_us < WORK_MIN_US)
        return;
    yield->kib_per_s = mul_div(gained / 1024, US_PER_S, cpu_us);
}

bool
yield_pays(const HostSample *host)
{
    return saved_bytes(host) > record_bytes(host);
}

bool
yield_is_low(const PolicyConf *conf, const Yield *yield)
{
    return is_known(yield->kib_per_s) && yield->kib_per_s < conf->yield_floor * 1024;
}
