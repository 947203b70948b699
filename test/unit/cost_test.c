/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cost_test.c - ksmd's time by records, merges that were lost, and counters that misbehave */
#include "agent/report/cost.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/arith.h"

#define U    VALUE_UNKNOWN
#define PAGE 4096

typedef struct {
    DomainTable domains;
    CostMark mark;
    HostSample host;
    Domain *one;
    Domain *two;
} Fixture;

static Domain *
add_domain(Fixture *fixture, const char *name)
{
    Domain *domain = domain_table_add(&fixture->domains, name, name, 1, 0);

    domain->has_process = true; /* none is held: there is nothing to let go of */
    return domain;
}

static int
setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    domain_table_init(&fixture->domains);
    fixture->host.page_bytes = PAGE;
    fixture->host.knobs.run = KSM_RUN_MERGE;
    fixture->one = add_domain(fixture, "one");
    fixture->two = add_domain(fixture, "two");
    *state = fixture;
    return 0;
}

static int
teardown(void **state)
{
    Fixture *fixture = *state;

    domain_table_done(&fixture->domains);
    g_free(fixture);
    return 0;
}

static void
look(Fixture *fixture, uint64_t ksmd_cpu_us)
{
    fixture->host.ksmd_cpu_us = ksmd_cpu_us;
    cost_look(&fixture->mark, &fixture->host, &fixture->domains);
}

/* Of 1000 records, 300 are of one and 100 of two. */
static void
set_records(Fixture *fixture)
{
    fixture->host.ksm.pages_shared = 100;
    fixture->host.ksm.pages_sharing = 200;
    fixture->host.ksm.pages_unshared = 300;
    fixture->host.ksm.pages_volatile = 400;
    fixture->one->sample.rmap_items = 300;
    fixture->two->sample.rmap_items = 100;
}

static void
ksmds_time_is_divided_by_records(void **state)
{
    Fixture *fixture = *state;

    set_records(fixture);
    look(fixture, 5000000);
    assert_int_equal(fixture->one->cost.ksmd_ns, 0); /* what was before is nobody's */
    look(fixture, 6000000);
    assert_int_equal(fixture->one->cost.ksmd_ns, 300000000);
    assert_int_equal(fixture->two->cost.ksmd_ns, 100000000);
    look(fixture, 6000001);
    assert_int_equal(fixture->one->cost.ksmd_ns, 300000300);
}

static void
time_that_cannot_be_divided_is_nobodys(void **state)
{
    static const struct {
        const char *when;
        uint64_t before;
        uint64_t after;
        uint64_t unshared; /* of the host */
        uint64_t records;  /* of one */
        uint64_t want;     /* ns */
    } rows[] = {
        { "ksmd's time runs backwards", 5000, 4000, 300, 300, 0 },
        { "ksmd is not seen now", 5000, U, 300, 300, 0 },
        { "ksmd was not seen before", U, 5000, 300, 300, 0 },
        { "a kernel without records", 5000, 6000, 300, U, U },
        { "the host's records are not known", 5000, 6000, U, 300, U },
        { "more records than the host has", 5000, 6000, 300, 5000, 1000000 },
        { "all that time can be", 0, U - 1, 300, 1000, U - 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Fixture *fixture;

        setup(state);
        fixture = *state;
        set_records(fixture);
        fixture->host.ksm.pages_unshared = rows[i].unshared;
        fixture->one->sample.rmap_items = rows[i].records;
        fixture->two->sample.rmap_items = 0;
        look(fixture, rows[i].before);
        look(fixture, rows[i].after);
        if (fixture->one->cost.ksmd_ns != rows[i].want)
            fail_msg("%s: %" PRIu64 " ns, want %" PRIu64, rows[i].when, fixture->one->cost.ksmd_ns,
                     rows[i].want);
        teardown(state);
    }
}

static void
shares_are_never_more_than_there_was(void **state)
{
    Fixture *fixture = *state;

    set_records(fixture);
    fixture->host.ksm.pages_unshared = 300;
    fixture->one->sample.rmap_items = 6000;
    fixture->two->sample.rmap_items = 2000;
    look(fixture, 5000);
    look(fixture, 6000);
    assert_int_equal(fixture->one->cost.ksmd_ns, 750000);
    assert_int_equal(fixture->two->cost.ksmd_ns, 250000);
}

static void
a_host_without_records_costs_nothing(void **state)
{
    Fixture *fixture = *state;

    fixture->one->sample.rmap_items = 0;
    look(fixture, 1000);
    look(fixture, 2000);
    assert_int_equal(fixture->one->cost.ksmd_ns, 0);
}

/* What a look finds. */
typedef struct {
    uint64_t merging;
    uint64_t resident_pages;
    bool unmerging;
} Look;

static void
merges_that_are_lost_are_counted_unless_the_domain_shrank(void **state)
{
    static const struct {
        const char *when;
        Look looks[4]; /* up to one of all zero */
        uint64_t want;
    } rows[] = {
        { "the first look", { { 100, 900, false } }, 0 },
        { "it merges more", { { 100, 900, false }, { 300, 900, false } }, 0 },
        { "it loses some", { { 300, 900, false }, { 100, 900, false } }, 200 },
        { "it loses some and grows", { { 300, 900, false }, { 100, 990, false } }, 200 },
        { "it loses twice",
          { { 300, 900, false }, { 200, 900, false }, { 250, 900, false }, { 150, 900, false } },
          200 },
        { "it gave them back", { { 300, 900, false }, { 100, 700, false } }, 0 },
        { "it gave some of them back", { { 300, 900, false }, { 100, 850, false } }, 150 },
        { "it gave back more", { { 300, 900, false }, { 100, 100, false } }, 0 },
        { "it gave them back while it was read",
          { { 300, 900, false }, { 300, 700, false }, { 100, 700, false } },
          0 },
        { "it gave others back long before",
          { { 300, 900, false }, { 300, 700, false }, { 300, 700, false }, { 100, 700, false } },
          200 },
        { "KSM unmerges", { { 300, 900, false }, { 0, 900, true } }, 0 },
        { "KSM has unmerged", { { 300, 900, true }, { 0, 900, false } }, 0 },
        { "not known now", { { 300, 900, false }, { U, 900, false } }, 0 },
        { "not known for a while",
          { { 300, 900, false }, { U, 900, false }, { 100, 900, false } },
          200 },
        { "all that can be", { { U - 1, 900, false }, { 1, 900, false } }, U - 2 },
        { "more than that",
          { { U - 1, 900, false }, { 1, 900, false }, { U - 1, 900, false }, { 1, 900, false } },
          U - 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Fixture *fixture;

        setup(state);
        fixture = *state;
        for (size_t k = 0; k < 4 && rows[i].looks[k].resident_pages > 0; k++) {
            const Look *one = &rows[i].looks[k];

            fixture->one->sample.merging_pages = one->merging;
            fixture->one->sample.resident_bytes = one->resident_pages * PAGE;
            fixture->host.knobs.run = one->unmerging ? KSM_RUN_UNMERGE : KSM_RUN_MERGE;
            look(fixture, 0);
        }
        if (fixture->one->cost.broken_pages != rows[i].want)
            fail_msg("%s: %" PRIu64 " pages, want %" PRIu64, rows[i].when,
                     fixture->one->cost.broken_pages, rows[i].want);
        teardown(state);
    }
}

static void
without_a_process_or_figures_nothing_is_known(void **state)
{
    Fixture *fixture = *state;

    set_records(fixture);
    fixture->one->has_process = false;
    fixture->two->sample.merging_pages = U;
    fixture->two->sample.rmap_items = U;
    look(fixture, 1000);
    look(fixture, 2000);
    assert_true(fixture->one->cost.ksmd_ns == U && fixture->one->cost.broken_pages == U);
    assert_true(fixture->two->cost.ksmd_ns == U && fixture->two->cost.broken_pages == U);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ksmds_time_is_divided_by_records, setup, teardown),
        cmocka_unit_test(time_that_cannot_be_divided_is_nobodys),
        cmocka_unit_test_setup_teardown(shares_are_never_more_than_there_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_without_records_costs_nothing, setup, teardown),
        cmocka_unit_test(merges_that_are_lost_are_counted_unless_the_domain_shrank),
        cmocka_unit_test_setup_teardown(without_a_process_or_figures_nothing_is_known, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
