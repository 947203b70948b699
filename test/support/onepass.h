/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* onepass.h - a host with one domain, for tests of single passes; to be included after cmocka.h */
#ifndef TEST_SUPPORT_ONEPASS_H
#define TEST_SUPPORT_ONEPASS_H

#include "policy/pass.h"

#include <string.h>

#define S   UINT64_C(1000000)
#define MS  UINT64_C(1000)
#define MIB (UINT64_C(1) << 20)
#define U   VALUE_UNKNOWN

/* A host with one domain of 100 MiB, where a page costs 2.5 us. */
typedef struct {
    PolicyConf conf;
    PolicyState state;
    Sample sample;
    DomainSample domain;
    DomainTrack track;
    Plan plan;
} One;

/** one_init() - ksmd stands still at the beginning of a pass, and does not tell how far it is */
static inline void
one_init(One *one)
{
    memset(one, 0, sizeof(*one));
    policy_conf_default(&one->conf);
    policy_init(&one->state);
    one->domain = (DomainSample){ .key = 1, .balloon_bytes = U, .resident_bytes = 100 * MIB };
    one->track = (DomainTrack){ .key = 1, .open = true };
    one->state.domains = &one->track;
    one->sample = (Sample){ .domains = &one->domain, .n = 1 };
    one->sample.host = (HostSample){ .now_us = 100 * S, .cpus = 2, .page_bytes = 4096 };
    one->sample.host.ksm.full_scans = 7;
    one->sample.host.ksm.pages_scanned = U;
    one->sample.host.knobs = (KsmKnobs){ .run = KSM_RUN_MERGE, .smart_scan = 1 };
    one->state.ksm_auto.cost_ns = 2500;
    one->state.ksm_auto.pass.aligned = true;
}

/** follow_after() - ksmd takes that much time, in which so many passes end
 *
 * Return: as pass_follow().
 */
static inline uint64_t
follow_after(One *one, uint64_t us, uint64_t scans)
{
    one->sample.host.now_us += us;
    one->sample.host.ksmd_cpu_us += us;
    one->sample.host.ksm.full_scans += scans;
    return pass_follow(&one->sample, &one->state);
}

#endif
