/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_leave_test.c - what a domain had last counts until its end, if that is told */
#include "agent/report/history_meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "test/support/fakehistory.h"

#define S         UINT64_C(1000000)
#define PAGE      UINT64_C(4096)
#define GIB_PAGES UINT64_C(262144)

/* A domain that saves a GiB, and its figures so far. */
typedef struct {
    HistoryMeter *meter; /* owned */
    Ledger ledger;
    Domain domain;
    HistoryClock now;
    HistorySums sums;
} Life;

static char uuid[] = "uuid";
static char name[] = "web";

static int
setup(void **state)
{
    Life *life = g_new0(Life, 1);
    LedgerRow row = { .domain = &life->domain, .saved_pages = GIB_PAGES };

    life->meter = history_meter_new();
    life->domain = (Domain){ .uuid = uuid, .name = name, .key = 1 };
    life->ledger.page_bytes = (uint32_t)PAGE;
    life->ledger.rows = g_array_new(FALSE, TRUE, sizeof(LedgerRow));
    g_array_append_val(life->ledger.rows, row);
    life->now = (HistoryClock){ 1000 * S, FAKEHISTORY_DAY_S * (int64_t)S };
    *state = life;
    return 0;
}

static int
teardown(void **state)
{
    Life *life = *state;

    history_meter_free(life->meter);
    ledger_clear(&life->ledger);
    g_free(life);
    return 0;
}

static void
collect(Life *life, HistoryBatch *given)
{
    g_autoptr(HistoryBatch) batch = given;

    for (guint i = 0; batch && i < batch->entries->len; i++) {
        const HistoryRecord *entry = g_ptr_array_index(batch->entries, i);

        if (*entry->uuid != '\0')
            history_add_all(&life->sums, &entry->sums);
    }
}

static void
moment(Life *life, uint64_t later_us)
{
    life->now.steady_us += later_us;
    life->now.wall_us += (int64_t)later_us;
    collect(life, history_meter_sample(life->meter, &life->ledger, &life->now));
}

static void
leave(Life *life, uint64_t later_us)
{
    history_meter_leave(life->meter, uuid, life->now.steady_us + later_us);
}

/* That it was there for so long in the minutes that have ended, and saved a GiB meanwhile. */
static void
expect_s(const Life *life, uint64_t seconds)
{
    assert_int_equal(life->sums.values[fakehistory_column("running_s")], seconds * S);
    assert_int_equal(life->sums.values[fakehistory_column("saved_gib_hours")], seconds * 1048576);
}

static void
a_domain_that_ends_counts_until_then(void **state)
{
    Life *life = *state;

    moment(life, 0);
    moment(life, 10 * S);
    leave(life, 7 * S);
    leave(life, 8 * S); /* it has ended already */
    g_array_set_size(life->ledger.rows, 0);
    moment(life, 10 * S);
    moment(life, 50 * S);
    expect_s(life, 17);
}

static void
one_that_starts_anew_before_anybody_looks_counts_as_both(void **state)
{
    Life *life = *state;

    moment(life, 0);
    moment(life, 10 * S);
    leave(life, 3 * S);
    life->domain.key = 2;
    moment(life, 10 * S);
    moment(life, 10 * S);
    leave(life, 1 * S);
    g_array_set_size(life->ledger.rows, 0);
    moment(life, 50 * S);
    expect_s(life, 24);
}

static void
an_end_is_divided_at_the_turn_of_the_minute(void **state)
{
    Life *life = *state;

    moment(life, 50 * S);
    moment(life, 5 * S);
    leave(life, 8 * S);
    g_array_set_size(life->ledger.rows, 0);
    moment(life, 10 * S);
    expect_s(life, 10);
    moment(life, 58 * S);
    expect_s(life, 13);
}

static void
time_in_which_nobody_looked_is_not_counted(void **state)
{
    Life *life = *state;

    moment(life, 0);
    moment(life, 10 * S);
    leave(life, 3600 * S);
    g_array_set_size(life->ledger.rows, 0);
    moment(life, 10 * S);
    moment(life, 50 * S);
    expect_s(life, 10);
    history_meter_leave(life->meter, "nobody", life->now.steady_us);
}

int
main(void)
{
#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LIFE_TEST(a_domain_that_ends_counts_until_then),
        LIFE_TEST(one_that_starts_anew_before_anybody_looks_counts_as_both),
        LIFE_TEST(an_end_is_divided_at_the_turn_of_the_minute),
        LIFE_TEST(time_in_which_nobody_looked_is_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
