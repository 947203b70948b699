/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memcase.c - facts that hang together, to be bent by tests */
#include "test/support/memcase.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

void
memcase_init(MemCase *one, size_t n)
{
    memset(one, 0, sizeof(*one));
    policy_conf_default(&one->conf);
    one->conf.mode = KSM_MODE_OFF;
    one->conf.balloon_enable = ENABLE_YES;
    one->conf.high_enable = ENABLE_YES;
    policy_init(&one->state);
    one->host = host_sample_unknown();
    one->host.now_us = 1000 * S;
    one->host.page_bytes = 4096;
    one->host.mem_total_bytes = 10000 * MIB;
    one->host.mem_available_bytes = 5000 * MIB;
    one->host.memory_stall_us = 0;
    one->host.swap_total_bytes = one->host.swap_free_bytes = 1000 * MIB;
    one->host.swap_in_pages = one->host.swap_out_pages = 0;
    one->n = n;
    for (size_t i = 0; i < n; i++) {
        DomainSample *domain = &one->domains[i];

        *domain = domain_sample_unknown();
        domain->key = i + 1;
        domain->maximum_bytes = domain->balloon_bytes = domain->resident_bytes = 1000 * MIB;
        domain->has_balloon = domain->can_reclaim = domain->can_limit = true;
        domain->guest_period_us = 2 * S;
        domain->guest_caches_bytes = 0;
        domain->guest_swap_in_bytes = domain->guest_swap_out_bytes = 0;
        domain->guest_major_faults = 0;
        domain->cgroup_bytes = 1000 * MIB;
        domain->cgroup_file_bytes = 0;
        domain->cgroup_stall_us = domain->cgroup_refaults = 0;
        domain->limit_bytes = LIMIT_NONE;
        memcase_uses(one, i, 500);
    }
}

void
memcase_init_balloons(MemCase *one, size_t n)
{
    memcase_init(one, n);
    one->conf.high_enable = ENABLE_NO;
    memcase_available(one, 900);
}

void
memcase_init_reclaim(MemCase *one, size_t n)
{
    memcase_init(one, n);
    one->conf.balloon_enable = ENABLE_NO;
    memcase_available(one, 900);
}

void
memcase_init_limits(MemCase *one)
{
    memcase_init_reclaim(one, 1);
    one->domains[0].can_reclaim = false;
}

void
memcase_init_tenancy(MemCase *one, size_t n)
{
    memcase_init(one, n);
    one->conf.mode = KSM_MODE_FIXED;
    one->conf.tenancy_enforce = TENANCY_ENFORCE_YES;
    one->host.has_ksm = true;
    one->host.ksm.pages_sharing = 75;
    one->host.ksm.pages_shared = 25;
    for (size_t i = 0; i < n; i++) {
        one->domains[i].is_tenant = true;
        one->domains[i].is_defined = true;
        one->domains[i].mergeable_bp = BP_ONE;
        one->domains[i].merging_pages = 100 * MIB / 4096;
        one->domains[i].unshare_pages = 100 * MIB / 4096;
    }
}

void
memcase_decide(MemCase *one)
{
    const Sample sample = { one->host, one->domains, one->n };

    one->state.domains = one->tracks;
    one->plan.domains = one->plans;
    policy_decide(&one->conf, &sample, &one->state, &one->plan);
}

void
memcase_after(MemCase *one, uint64_t us)
{
    one->host.now_us += us;
    memcase_decide(one);
}

void
memcase_available(MemCase *one, uint64_t mib)
{
    one->host.mem_available_bytes = mib * MIB;
}

void
memcase_uses(MemCase *one, size_t i, uint64_t mib)
{
    DomainSample *domain = &one->domains[i];

    domain->guest_age_us = 0;
    domain->guest_available_bytes = domain->balloon_bytes;
    domain->guest_usable_bytes = sat_sub(domain->balloon_bytes, mib * MIB);
    domain->guest_unused_bytes = domain->guest_usable_bytes;
}

void
memcase_obey(MemCase *one)
{
    for (size_t i = 0; i < one->n; i++) {
        DomainSample *domain = &one->domains[i];
        uint64_t used = domain->guest_available_bytes - domain->guest_usable_bytes;

        if (is_known(one->plans[i].balloon_bytes) && one->plans[i].balloon_apply) {
            domain->found_bytes = known_or(domain->found_bytes, domain->balloon_bytes);
            domain->balloon_bytes = one->plans[i].balloon_bytes;
        }
        if (domain->balloon_bytes == domain->found_bytes)
            domain->found_bytes = U;
        memcase_uses(one, i, used / MIB);
    }
}

void
memcase_assert_balloon(const MemCase *one, size_t i, uint64_t mib, Reason reason, const char *when)
{
    uint64_t bytes = one->plans[i].balloon_bytes;
    uint64_t target_mib = is_known(bytes) ? bytes / MIB : U;

    if (target_mib != mib || one->plans[i].balloon_reason != reason)
        fail_msg("%s: domain %zu: %" PRId64 " MiB (%s), want %" PRId64 " (%s)", when, i,
                 (int64_t)target_mib, reason_name(one->plans[i].balloon_reason), (int64_t)mib,
                 reason_name(reason));
}

void
memcase_bend_nothing(MemCase *one)
{
    (void)one;
}

void
memcase_bend_calm(MemCase *one)
{
    memcase_available(one, 5000);
}

void
memcase_bend_fixed(MemCase *one)
{
    one->domains[0].is_fixed = true;
}

void
memcase_bend_still(MemCase *one)
{
    one->domains[0].is_still = true;
}

void
memcase_bend_unmerge(MemCase *one)
{
    one->host.knobs.run = KSM_RUN_UNMERGE;
}
