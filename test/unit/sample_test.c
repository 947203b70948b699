/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sample_test.c - what follows from the facts, some of which may not be known */
#include "policy/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "test/support/value.h"

#define U          VALUE_UNKNOWN
#define MAX        (UINT64_MAX - 1)
#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static void
sums_of_counters_leave_out_what_is_not_known(void **unused)
{
    static const struct {
        const char *when;
        uint64_t shared, sharing, unshared, volatiles, zeros;
        uint64_t merging, merged, saved, recorded;
    } rows[] = {
        { "all known", 1, 20, 300, 4000, 50000, 21, 50021, 50020, 4321 },
        { "no zero pages are counted", 1, 20, 300, 4000, U, 21, 21, 20, 4321 },
        { "only what is shared", 1, U, U, U, U, 1, 1, 0, 1 },
        { "only what is looked at", U, U, 300, 4000, U, 0, 0, 0, 4300 },
        { "nothing", U, U, U, U, U, 0, 0, 0, 0 },
        { "more than can be", MAX, MAX, MAX, MAX, MAX, U, U, U, U },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        KsmCounters ksm = host_sample_unknown().ksm;

        ksm.pages_shared = rows[i].shared;
        ksm.pages_sharing = rows[i].sharing;
        ksm.pages_unshared = rows[i].unshared;
        ksm.pages_volatile = rows[i].volatiles;
        ksm.ksm_zero_pages = rows[i].zeros;
        assert_value(rows[i].when, "merging", ksm_merging_pages(&ksm), rows[i].merging);
        assert_value(rows[i].when, "merged", ksm_merged_pages(&ksm), rows[i].merged);
        assert_value(rows[i].when, "saved", ksm_saved_pages(&ksm), rows[i].saved);
        assert_value(rows[i].when, "recorded", ksm_recorded_pages(&ksm), rows[i].recorded);
    }
}

static void
a_domain_has_its_part_of_what_is_saved(void **unused)
{
    static const struct {
        const char *when;
        uint64_t shared, sharing, merging, want;
    } rows[] = {
        { "half of the places", 100, 300, 200, 150 }, { "all of them", 100, 300, 400, 300 },
        { "none of them", 100, 300, 0, 0 },           { "not known of it", 100, 300, U, 0 },
        { "nothing is merged", 0, 0, 5, 0 },          { "the host does not tell", U, U, 5, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        HostSample host = host_sample_unknown();
        DomainSample domain = domain_sample_unknown();

        host.ksm.pages_shared = rows[i].shared;
        host.ksm.pages_sharing = rows[i].sharing;
        domain.merging_pages = rows[i].merging;
        assert_value(rows[i].when, "saved", sample_saved_pages(&host, &domain), rows[i].want);
    }
}

static void
a_balloon_bounds_what_is_the_guests(void **unused)
{
    static const struct {
        const char *when;
        uint64_t resident, balloon, want;
    } rows[] = {
        { "less is resident", 4096, 8192, 4096 },
        { "QEMU's own is on top", 8192, 4096, 4096 },
        { "no balloon is known", 8192, U, 8192 },
        { "what is resident is not known", U, 8192, 2048 },
        { "nor is the balloon", U, U, 2048 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        DomainSample domain = domain_sample_unknown();

        domain.resident_bytes = rows[i].resident;
        domain.balloon_bytes = rows[i].balloon;
        assert_value(rows[i].when, "bytes", sample_guest_bytes(&domain, 2048), rows[i].want);
    }
}

static void
only_a_part_of_a_guest_may_be_mergeable(void **unused)
{
    HostSample host = host_sample_unknown();
    DomainSample domain = domain_sample_unknown();
    (void)unused;

    host.page_bytes = 4096;
    assert_int_equal(sample_mergeable_pages(&host, &domain, 409600), 0);
    domain.mergeable_bp = 2500;
    assert_int_equal(sample_mergeable_pages(&host, &domain, 409600), 25);
    domain.mergeable_bp = 10000;
    assert_int_equal(sample_mergeable_pages(&host, &domain, 409600 + 4095), 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_counters_leave_out_what_is_not_known),
        cmocka_unit_test(a_domain_has_its_part_of_what_is_saved),
        cmocka_unit_test(a_balloon_bounds_what_is_the_guests),
        cmocka_unit_test(only_a_part_of_a_guest_may_be_mergeable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
