/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mom_policy_test.c - the baseline decides as MOM's published rules say */
#include "policy/arith.h"
#include "test/sim/mom_policy.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S   UINT64_C(1000000)
#define MIB (UINT64_C(1) << 20)

/* A host of 10000 MiB and one guest of 1000 MiB, looked at every 5 s until the rules decide. */
static uint64_t
target_mib(uint64_t free_mib, uint64_t balloon_mib, uint64_t unused_mib, uint64_t floor_mib)
{
    HostSample host = host_sample_unknown();
    DomainSample domain = domain_sample_unknown();
    DomainPlan plan = { 0 };
    Plan plans = { .domains = &plan };
    Sample sample = { host, &domain, 1 };
    Mom *mom = mom_new();

    sample.host.mem_total_bytes = 10000 * MIB;
    sample.host.mem_available_bytes = free_mib * MIB;
    domain.key = 1;
    domain.maximum_bytes = 1000 * MIB;
    domain.balloon_bytes = balloon_mib * MIB;
    domain.guest_unused_bytes = unused_mib == VALUE_UNKNOWN ? VALUE_UNKNOWN : unused_mib * MIB;
    domain.guest_age_us = unused_mib == VALUE_UNKNOWN ? VALUE_UNKNOWN : S;
    domain.floor_bytes = floor_mib * MIB;
    for (sample.host.now_us = 5 * S; sample.host.now_us <= 10 * S; sample.host.now_us += 5 * S)
        mom_decide(mom, &sample, &plans);
    mom_free(mom);
    return plan.balloon_apply ? plan.balloon_bytes / MIB : balloon_mib;
}

static void
guests_shrink_and_grow_by_five_percent_within_their_bounds(void **unused)
{
    static const struct {
        const char *when;
        uint64_t free_mib;
        uint64_t balloon_mib;
        uint64_t unused_mib;
        uint64_t floor_mib;
        uint64_t want_mib;
    } rows[] = {
        { "the host has enough, the guest has all", 2500, 1000, 500, 0, 1000 },
        { "pressure, much free: one step", 1900, 1000, 500, 0, 950 },
        { "pressure, the bound is used and 10 % of free memory", 1000, 1000, 120, 0, 980 },
        { "pressure, little free: nothing", 1000, 1000, 90, 0, 1000 },
        { "pressure, the promise is kept", 1000, 1000, 500, 970, 970 },
        { "critical: into what is used", 400, 1000, 0, 0, 990 },
        { "pressure, a short guest is not given any", 1500, 500, 0, 0, 500 },
        { "no pressure: one step back", 2500, 500, 200, 0, 525 },
        { "no pressure, a short guest: 20 % of free memory", 2500, 500, 0, 0, 600 },
        { "no pressure, not above the maximum", 2500, 980, 200, 0, 1000 },
        { "no pressure, too little to bother", 2500, 999, 800, 0, 999 },
        { "it tells nothing", 1000, 1000, VALUE_UNKNOWN, 0, 1000 },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t got = target_mib(rows[i].free_mib, rows[i].balloon_mib, rows[i].unused_mib,
                                  rows[i].floor_mib);

        if (got != rows[i].want_mib)
            fail_msg("%s: %" PRIu64 " MiB, want %" PRIu64, rows[i].when, got, rows[i].want_mib);
    }
}

static void
figures_are_means_of_the_last_ten_looks(void **unused)
{
    DomainPlan plan;
    Plan plans = { .domains = &plan };
    Sample sample = { host_sample_unknown(), NULL, 0 };
    DomainSample domain = domain_sample_unknown();
    Mom *mom = mom_new();
    uint64_t shrunk_us = 0;
    (void)unused;

    sample.domains = &domain;
    sample.n = 1;
    domain.maximum_bytes = domain.balloon_bytes = 1000 * MIB;
    domain.guest_unused_bytes = 500 * MIB;
    domain.guest_age_us = 0;
    sample.host.mem_total_bytes = 10000 * MIB;
    /* From 25 % to 15 % at 100 s: the mean is below 20 % after more than five looks. */
    for (uint64_t s = 5; s <= 200 && shrunk_us == 0; s += 5) {
        sample.host.now_us = s * S;
        sample.host.mem_available_bytes = (s < 100 ? 2500 : 1500) * MIB;
        mom_decide(mom, &sample, &plans);
        if (plan.balloon_apply)
            shrunk_us = s * S;
    }
    assert_in_range(shrunk_us, 125 * S, 135 * S);
    mom_free(mom);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guests_shrink_and_grow_by_five_percent_within_their_bounds),
        cmocka_unit_test(figures_are_means_of_the_last_ten_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
