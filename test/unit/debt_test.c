/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* debt_test.c - what ksmd owes a domain, from its start to two whole passes over it */
#include "policy/debt.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define PAGE_BYTES UINT64_C(4096)
#define MIB        (UINT64_C(1) << 20)
#define U          VALUE_UNKNOWN

/* One domain of 100 MiB, and the ledger of its debt. */
typedef struct {
    PolicyConf conf;
    PolicyState state;
    HostSample host;
    DomainSample domain;
    DomainTrack track;
    DomainPlan part;
} One;

static void
one_init(One *one)
{
    memset(one, 0, sizeof(*one));
    policy_conf_default(&one->conf);
    one->host = (HostSample){ .cpus = 1, .page_bytes = PAGE_BYTES, .has_ksm = true };
    one->host.ksm.full_scans = 50;
    one->domain = (DomainSample){ .key = 7,
                                  .balloon_bytes = U,
                                  .resident_bytes = 100 * MIB,
                                  .mergeable_bp = BP_ONE,
                                  .weight = 100 };
    one->state.domains = &one->track;
}

static Debt
update(One *one)
{
    Plan plan = { .domains = &one->part };
    Sample sample = { one->host, &one->domain, 1 };

    return debt_update(&one->conf, &sample, &one->state, &plan);
}

static void
a_new_domain_is_owed_until_the_third_pass_has_ended(void **unused)
{
    static const struct {
        const char *when;
        uint64_t scans;
        uint64_t owed;
        Reason reason;
    } rows[] = {
        { "seen first", 50, 25600, REASON_DEBT },
        { "the pass under way has ended", 51, 25600, REASON_DEBT },
        { "a whole pass has ended", 52, 25600, REASON_DEBT },
        { "two whole passes have ended", 53, 0, REASON_CHURN_WATCH },
        { "and later", 99, 0, REASON_CHURN_WATCH },
    };
    One one;
    (void)unused;

    one_init(&one);
    for (size_t i = 0; i < ROWS(rows); i++) {
        Debt debt;

        one.host.ksm.full_scans = rows[i].scans;
        debt = update(&one);
        if (debt.open_pages != rows[i].owed || one.part.debt_pages != rows[i].owed ||
            one.part.reason != rows[i].reason)
            fail_msg("%s: %" PRIu64 " pages owed (%s), want %" PRIu64, rows[i].when,
                     debt.open_pages, reason_name(one.part.reason), rows[i].owed);
        assert_true(debt.mergeable_pages == 25600 && one.part.mergeable_pages == 25600);
    }
}

static void
passes_that_were_not_watched_count_all_the_same(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    update(&one);
    one.host.ksm.full_scans = 5000;
    assert_true(update(&one).open_pages == 0);
}

static void
growth_beyond_the_threshold_opens_the_debt_again(void **unused)
{
    static const struct {
        const char *when;
        uint64_t mib;
        uint64_t owed;
    } rows[] = {
        { "as before", 100, 0 },
        { "grown by the threshold", 108, 0 },
        { "grown by more", 109, 109 * 256 },
        { "shrunk", 60, 60 * 256 }, /* what is left of an open debt */
    };
    One one;
    (void)unused;

    one_init(&one);
    update(&one);
    one.host.ksm.full_scans = 53;
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t have;

        one.domain.resident_bytes = rows[i].mib * MIB;
        have = update(&one).open_pages;
        if (have != rows[i].owed)
            fail_msg("%s: %" PRIu64 " pages owed, want %" PRIu64, rows[i].when, have, rows[i].owed);
    }
    one.host.ksm.full_scans = 56;
    assert_true(update(&one).open_pages == 0);
    one.domain.resident_bytes = 68 * MIB;
    assert_true(update(&one).open_pages == 0);
    one.domain.resident_bytes = 69 * MIB; /* from the lowest it has been since */
    assert_true(update(&one).open_pages == 69 * 256);
}

static void
a_domain_that_shrinks_owes_nothing_new(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    update(&one);
    one.host.ksm.full_scans = 53;
    assert_true(update(&one).open_pages == 0);
    one.domain.resident_bytes = 60 * MIB;
    assert_true(update(&one).open_pages == 0);
    one.domain.resident_bytes = 0;
    assert_true(update(&one).open_pages == 0);
    assert_false(one.track.open);
}

static void
growth_while_the_debt_is_open_begins_the_passes_anew(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    update(&one);
    one.host.ksm.full_scans = 52;
    one.domain.resident_bytes = 200 * MIB;
    update(&one);
    one.host.ksm.full_scans = 54;
    assert_true(update(&one).open_pages == 51200);
    one.host.ksm.full_scans = 55;
    assert_true(update(&one).open_pages == 0);
}

static void
the_configured_growth_is_the_threshold(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.conf.growth_kib = 256;
    update(&one);
    one.host.ksm.full_scans = 53;
    one.domain.resident_bytes = 100 * MIB + 256 * 1024;
    assert_true(update(&one).open_pages == 0);
    one.domain.resident_bytes++;
    assert_true(update(&one).open_pages > 0);
}

static void
another_start_is_owed_whatever_the_last_one_was_paid(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    update(&one);
    one.host.ksm.full_scans = 53;
    assert_true(update(&one).open_pages == 0);
    one.domain.key = 8;
    assert_true(update(&one).open_pages == 25600);
    assert_true(one.track.key == 8);
}

static void
only_what_may_be_merged_and_is_there_counts(void **unused)
{
    static const struct {
        const char *when;
        uint64_t resident_mib;
        uint64_t balloon_mib;
        uint32_t mergeable_bp;
        uint32_t weight;
        uint64_t mergeable;
        uint64_t owed; /* on the host, weighted */
        Reason reason;
    } rows[] = {
        { "all of it", 100, U, BP_ONE, 100, 25600, 25600, REASON_DEBT },
        { "half on huge pages", 100, U, 5000, 100, 12800, 12800, REASON_DEBT },
        { "opted out", 100, U, 0, 100, 0, 0, REASON_NOTHING_MERGEABLE },
        { "ballooned away", 100, 25, BP_ONE, 100, 6400, 6400, REASON_DEBT },
        { "balloon leaves more than is there", 100, 400, BP_ONE, 100, 25600, 25600, REASON_DEBT },
        { "nothing resident yet", 0, 400, BP_ONE, 100, 0, 0, REASON_DEBT },
        { "counts double", 100, U, BP_ONE, 200, 25600, 51200, REASON_DEBT },
        { "counts nothing", 100, U, BP_ONE, 0, 25600, 0, REASON_DEBT },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        Debt debt;
        One one;

        one_init(&one);
        one.domain.resident_bytes = rows[i].resident_mib * MIB;
        one.domain.balloon_bytes = rows[i].balloon_mib == U ? U : rows[i].balloon_mib * MIB;
        one.domain.mergeable_bp = rows[i].mergeable_bp;
        one.domain.weight = rows[i].weight;
        debt = update(&one);
        if (debt.mergeable_pages != rows[i].mergeable || debt.open_pages != rows[i].owed ||
            one.part.reason != rows[i].reason)
            fail_msg("%s: %" PRIu64 " mergeable, %" PRIu64 " owed (%s)", rows[i].when,
                     debt.mergeable_pages, debt.open_pages, reason_name(one.part.reason));
    }
}

static void
a_domain_whose_memory_is_not_known_owes_nothing_until_it_is(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.domain.resident_bytes = U;
    assert_true(update(&one).open_pages == 0);
    assert_int_equal(one.part.reason, REASON_FACT_MISSING);
    one.host.ksm.full_scans = 60; /* passes over what nobody has seen pay nothing */
    update(&one);
    one.domain.resident_bytes = 100 * MIB;
    assert_true(update(&one).open_pages == 25600);
    one.host.ksm.full_scans = 63;
    assert_true(update(&one).open_pages == 0);
    one.domain.resident_bytes = U; /* not read this once: nothing has changed */
    update(&one);
    one.domain.resident_bytes = 100 * MIB;
    assert_true(update(&one).open_pages == 0);
}

static void
a_debt_opened_without_the_scan_counter_is_paid_once_it_can_be_read(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    one.host.ksm.full_scans = U;
    assert_true(update(&one).open_pages == 25600);
    one.host.ksm.full_scans = 70;
    assert_true(update(&one).open_pages == 25600);
    one.host.ksm.full_scans = 72;
    assert_true(update(&one).open_pages == 25600);
    one.host.ksm.full_scans = 73;
    assert_true(update(&one).open_pages == 0);
}

static void
a_scan_counter_that_cannot_be_read_pays_nothing(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    update(&one);
    one.host.ksm.full_scans = U;
    assert_true(update(&one).open_pages == 25600);
    one.host.ksm.full_scans = 53;
    assert_true(update(&one).open_pages == 0);
}

static void
sums_of_absurd_domains_stop_at_the_end(void **unused)
{
    DomainSample domains[3];
    DomainTrack tracks[3] = { { 0 } };
    DomainPlan parts[3];
    Plan plan = { .domains = parts };
    One one;
    Debt debt;
    (void)unused;

    one_init(&one);
    for (size_t i = 0; i < ROWS(domains); i++) {
        domains[i] = one.domain;
        domains[i].key = i + 1;
        domains[i].resident_bytes = UINT64_MAX - 1;
        domains[i].weight = UINT32_MAX;
    }
    one.host.page_bytes = 1;
    one.state.domains = tracks;
    debt = debt_update(&one.conf, &(Sample){ one.host, domains, ROWS(domains) }, &one.state, &plan);
    assert_true(debt.open_pages == UINT64_MAX);
    assert_true(debt.mergeable_pages == UINT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_domain_is_owed_until_the_third_pass_has_ended),
        cmocka_unit_test(passes_that_were_not_watched_count_all_the_same),
        cmocka_unit_test(growth_beyond_the_threshold_opens_the_debt_again),
        cmocka_unit_test(a_domain_that_shrinks_owes_nothing_new),
        cmocka_unit_test(growth_while_the_debt_is_open_begins_the_passes_anew),
        cmocka_unit_test(the_configured_growth_is_the_threshold),
        cmocka_unit_test(another_start_is_owed_whatever_the_last_one_was_paid),
        cmocka_unit_test(only_what_may_be_merged_and_is_there_counts),
        cmocka_unit_test(a_domain_whose_memory_is_not_known_owes_nothing_until_it_is),
        cmocka_unit_test(a_debt_opened_without_the_scan_counter_is_paid_once_it_can_be_read),
        cmocka_unit_test(a_scan_counter_that_cannot_be_read_pays_nothing),
        cmocka_unit_test(sums_of_absurd_domains_stop_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
