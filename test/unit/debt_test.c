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

/* A domain of 100 MiB, one that has no memory yet, and the ledgers of their debts. */
typedef struct {
    PolicyConf conf;
    PolicyState state;
    HostSample host;
    DomainSample domains[2];
    DomainTrack tracks[2];
    DomainPlan parts[2];
} One;

static void
one_init(One *one)
{
    memset(one, 0, sizeof(*one));
    policy_conf_default(&one->conf);
    one->host = (HostSample){ .cpus = 1, .page_bytes = PAGE_BYTES, .has_ksm = true };
    one->domains[0] = (DomainSample){ .key = 7,
                                      .balloon_bytes = U,
                                      .resident_bytes = 100 * MIB,
                                      .mergeable_bp = BP_ONE,
                                      .weight = 100 };
    one->domains[1] = one->domains[0];
    one->domains[1].key = 8;
    one->domains[1].resident_bytes = 0;
    one->state.domains = one->tracks;
}

static Debt
update(One *one)
{
    Plan plan = { .domains = one->parts };
    Sample sample = { one->host, one->domains, 2 };

    return debt_update(&one->conf, &sample, &one->state, &plan);
}

static void
begin_pass(One *one)
{
    debt_pass_begins(&(Sample){ one->host, one->domains, 2 }, &one->state);
}

static void
end_passes(One *one, uint64_t passes)
{
    debt_pass_ended(&(Sample){ one->host, one->domains, 2 }, &one->state, passes);
}

static void
whole_pass(One *one)
{
    begin_pass(one);
    end_passes(one, 1);
}

/* A domain whose 100 MiB are covered. */
static void
one_covered(One *one)
{
    one_init(one);
    update(one);
    whole_pass(one);
    whole_pass(one);
    assert_true(update(one).open_pages == 0);
}

static void
a_new_domain_is_owed_until_two_whole_passes_have_ended(void **unused)
{
    One one;
    Debt debt;
    (void)unused;

    one_init(&one);
    debt = update(&one);
    assert_int_equal(debt.open_pages, 25600);
    assert_int_equal(debt.unseen_pages, 25600);
    assert_int_equal(one.parts[0].reason, REASON_DEBT);
    whole_pass(&one);
    debt = update(&one);
    assert_int_equal(debt.open_pages, 25600);
    assert_int_equal(debt.unseen_pages, 0);
    whole_pass(&one);
    debt = update(&one);
    assert_int_equal(debt.open_pages, 0);
    assert_int_equal(debt.mergeable_pages, 25600);
    assert_int_equal(one.parts[0].reason, REASON_CHURN_WATCH);
}

static void
two_passes_that_ended_at_once_cover_what_was_there_when_they_began(void **unused)
{
    One one;
    (void)unused;

    one_init(&one);
    update(&one);
    begin_pass(&one);
    end_passes(&one, 2);
    assert_true(update(&one).open_pages == 0);
}

static void
what_comes_during_a_pass_is_not_covered_by_it(void **unused)
{
    One one;
    Debt debt;
    (void)unused;

    one_init(&one);
    update(&one);
    begin_pass(&one);
    one.domains[0].resident_bytes = 200 * MIB;
    update(&one);
    end_passes(&one, 1);
    whole_pass(&one);
    debt = update(&one);
    assert_int_equal(debt.open_pages, 25600); /* the second hundred MiB */
    assert_int_equal(debt.unseen_pages, 0);
    whole_pass(&one);
    assert_true(update(&one).open_pages == 0);
}

static void
growth_opens_the_debt_beyond_the_threshold_and_closes_near_nothing(void **unused)
{
    One one;
    uint64_t most;
    (void)unused;

    one_covered(&one);
    most = one.conf.growth_kib * 1024;
    one.domains[0].resident_bytes = 100 * MIB + most;
    assert_true(update(&one).open_pages == 0);
    one.domains[0].resident_bytes += PAGE_BYTES;
    assert_int_equal(update(&one).open_pages, most / PAGE_BYTES + 1);
    /* What has come since is little, and would open no debt: it is owed all the same. */
    whole_pass(&one);
    whole_pass(&one);
    one.domains[0].resident_bytes += most / 16 + PAGE_BYTES;
    assert_int_equal(update(&one).open_pages, most / 16 / PAGE_BYTES + 1);
    one.domains[0].resident_bytes -= PAGE_BYTES;
    assert_true(update(&one).open_pages == 0);
}

static void
memory_that_goes_and_comes_back_is_owed_again(void **unused)
{
    One one;
    (void)unused;

    one_covered(&one);
    one.domains[0].resident_bytes = 40 * MIB;
    assert_true(update(&one).open_pages == 0);
    one.domains[0].resident_bytes = 100 * MIB;
    assert_int_equal(update(&one).open_pages, 60 * MIB / PAGE_BYTES);
}

static void
another_start_is_owed_whatever_the_last_one_was_paid(void **unused)
{
    One one;
    (void)unused;

    one_covered(&one);
    one.domains[0].key = 9;
    assert_int_equal(update(&one).open_pages, 25600);
}

static void
only_what_may_be_merged_and_is_there_counts(void **unused)
{
    static const struct {
        const char *when;
        uint64_t resident_bytes;
        uint64_t balloon_bytes;
        uint32_t mergeable_bp;
        uint32_t weight;
        uint64_t owed;
        Reason reason;
    } rows[] = {
        { "all of it", 100 * MIB, U, BP_ONE, 100, 25600, REASON_DEBT },
        { "the balloon has taken half", 100 * MIB, 50 * MIB, BP_ONE, 100, 12800, REASON_DEBT },
        { "a quarter may merge", 100 * MIB, U, 2500, 100, 6400, REASON_DEBT },
        { "none may merge", 100 * MIB, U, 0, 100, 0, REASON_NOTHING_MERGEABLE },
        { "counts double", 100 * MIB, U, BP_ONE, 200, 51200, REASON_DEBT },
        { "counts nothing", 100 * MIB, U, BP_ONE, 0, 0, REASON_WEIGHT_ZERO },
        { "not known", U, U, BP_ONE, 100, 0, REASON_FACT_MISSING },
        { "beyond all reason", U - 1, U, BP_ONE, 100, (U - 1) / PAGE_BYTES, REASON_DEBT },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;
        Debt debt;

        one_init(&one);
        one.domains[0].resident_bytes = rows[i].resident_bytes;
        one.domains[0].balloon_bytes = rows[i].balloon_bytes;
        one.domains[0].mergeable_bp = rows[i].mergeable_bp;
        one.domains[0].weight = rows[i].weight;
        debt = update(&one);
        if (debt.open_value != rows[i].owed || one.parts[0].reason != rows[i].reason)
            fail_msg("%s: %" PRIu64 " owed (%s)", rows[i].when, debt.open_value,
                     reason_name(one.parts[0].reason));
    }
}

static void
memory_of_a_domain_that_shares_little_counts_little(void **unused)
{
    static const struct {
        const char *when;
        uint64_t merging_pages; /* of 25600 that are covered */
        uint64_t rmap_items;
        uint64_t new_pages;
        uint64_t want_pages;
    } rows[] = {
        { "all of the old memory is merged", 25600, 25600, 102400, 102400 },
        { "half of it", 12800, 25600, 102400, 51200 },
        { "half of it, and the new is eight times as much", 12800, 25600, 204800, 153600 },
        { "nothing, but there may be something in the new", 0, 25600, 102400, 5120 },
        { "nothing, and the new is eight times as much", 0, 25600, 204800, 107520 },
        { "too few records to judge by", 0, 100, 102400, 102400 },
        { "not told", U, U, 102400, 102400 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;
        Debt debt;

        one_init(&one);
        update(&one);
        begin_pass(&one);
        end_passes(&one, 2);
        assert_int_equal(update(&one).open_value, 0);
        one.domains[0].resident_bytes += rows[i].new_pages * PAGE_BYTES;
        one.domains[0].merging_pages = rows[i].merging_pages;
        one.domains[0].rmap_items = rows[i].rmap_items;
        debt = update(&one);
        assert_int_equal(debt.open_pages, rows[i].new_pages);
        if (debt.open_value != rows[i].want_pages)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, debt.open_value,
                     rows[i].want_pages);
    }
}

static void
a_domain_that_is_alone_has_itself_to_share_with(void **unused)
{
    static const struct {
        const char *when;
        uint32_t mergeable_bp; /* of the other */
        uint32_t merge_state;
        uint64_t want_pages; /* of 25600 */
    } rows[] = {
        { "another one may merge", BP_ONE, MERGE_AS_FOUND, 25600 },
        { "the other is not mergeable", 0, MERGE_AS_FOUND, 25600 / 20 },
        { "the other is switched off", BP_ONE, MERGE_OFF, 25600 / 20 },
    };
    (void)unused;

    for (size_t i = 0; i < ROWS(rows); i++) {
        One one;
        Debt debt;

        one_init(&one);
        one.domains[1].mergeable_bp = rows[i].mergeable_bp;
        one.domains[1].merge_state = rows[i].merge_state;
        debt = update(&one);
        assert_int_equal(debt.open_pages, 25600);
        if (debt.open_value != rows[i].want_pages || debt.unseen_value != rows[i].want_pages)
            fail_msg("%s: %" PRIu64 ", want %" PRIu64, rows[i].when, debt.open_value,
                     rows[i].want_pages);
    }
}

/* It opens as any debt does, and is closed as soon as what is left is worth little. */
static void
the_debt_of_a_domain_that_is_alone_is_closed_early(void **unused)
{
    One one;
    uint64_t most;
    (void)unused;

    one_covered(&one);
    one.domains[1].mergeable_bp = 0;
    most = one.conf.growth_kib * 1024;
    one.domains[0].resident_bytes = 100 * MIB + most;
    assert_false(one.tracks[0].open);
    one.domains[0].resident_bytes += PAGE_BYTES;
    assert_int_equal(update(&one).open_value, (most / PAGE_BYTES + 1) / 20);
    whole_pass(&one);
    whole_pass(&one);
    /* A twentieth of that is more than a sixteenth of the threshold. */
    one.domains[0].resident_bytes += most * 20 / 16 + 20 * PAGE_BYTES;
    assert_true(update(&one).open_pages > 0);
    one.domains[0].resident_bytes -= 20 * PAGE_BYTES;
    assert_int_equal(update(&one).open_pages, 0);
}

static void
memory_that_is_not_known_for_a_while_changes_nothing(void **unused)
{
    One one;
    (void)unused;

    one_covered(&one);
    one.domains[0].resident_bytes = U;
    assert_true(update(&one).open_pages == 0);
    whole_pass(&one);
    one.domains[0].resident_bytes = 100 * MIB;
    assert_true(update(&one).open_pages == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_domain_is_owed_until_two_whole_passes_have_ended),
        cmocka_unit_test(two_passes_that_ended_at_once_cover_what_was_there_when_they_began),
        cmocka_unit_test(what_comes_during_a_pass_is_not_covered_by_it),
        cmocka_unit_test(growth_opens_the_debt_beyond_the_threshold_and_closes_near_nothing),
        cmocka_unit_test(memory_that_goes_and_comes_back_is_owed_again),
        cmocka_unit_test(another_start_is_owed_whatever_the_last_one_was_paid),
        cmocka_unit_test(only_what_may_be_merged_and_is_there_counts),
        cmocka_unit_test(memory_of_a_domain_that_shares_little_counts_little),
        cmocka_unit_test(a_domain_that_is_alone_has_itself_to_share_with),
        cmocka_unit_test(the_debt_of_a_domain_that_is_alone_is_closed_early),
        cmocka_unit_test(memory_that_is_not_known_for_a_while_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
