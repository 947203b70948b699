/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_meter_test.c - time that passes, whatever the clock on the wall shows meanwhile */
#include "agent/report/history_meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakehistory.h"

#define S         UINT64_C(1000000)
#define PAGE      UINT64_C(4096)
#define GIB_PAGES UINT64_C(262144)
#define NOON_US   ((FAKEHISTORY_DAY_S + 43200) * INT64_C(1000000))
#define U         VALUE_UNKNOWN

/* A host with up to two domains, and the minutes that it has been through. */
typedef struct {
    HistoryMeter *meter;
    Ledger ledger;
    Domain domains[2];
    HistoryClock now;
    GHashTable *sums;  /* "uuid" -> HistorySums of all time */
    GHashTable *times; /* minute as text -> microseconds that the host was measured in it */
} Rig;

static char uuid0[] = "uuid0";
static char uuid1[] = "uuid1";
static char name0[] = "zero";
static char name1[] = "one";

static int
setup(void **state)
{
    Rig *rig = g_new0(Rig, 1);

    rig->meter = history_meter_new();
    rig->domains[0] = (Domain){ .uuid = uuid0, .name = name0, .key = 1 };
    rig->domains[1] = (Domain){ .uuid = uuid1, .name = name1, .key = 2 };
    rig->ledger.page_bytes = (uint32_t)PAGE;
    rig->ledger.saved_pages = rig->ledger.metadata_bytes = 0;
    rig->ledger.ksmd_cpu_us = U;
    rig->ledger.rows = g_array_new(FALSE, TRUE, sizeof(LedgerRow));
    rig->now = (HistoryClock){ 1000 * S, NOON_US };
    rig->sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    rig->times = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    *state = rig;
    return 0;
}

static int
teardown(void **state)
{
    Rig *rig = *state;

    history_meter_free(rig->meter);
    ledger_clear(&rig->ledger);
    g_hash_table_unref(rig->sums);
    g_hash_table_unref(rig->times);
    g_free(rig);
    return 0;
}

static void
collect(Rig *rig, HistoryBatch *given)
{
    g_autoptr(HistoryBatch) batch = given;

    for (guint i = 0; batch && i < batch->entries->len; i++) {
        const HistoryRecord *entry = g_ptr_array_index(batch->entries, i);
        HistorySums *sums = g_hash_table_lookup(rig->sums, entry->uuid);
        g_autofree char *minute = g_strdup_printf("%" G_GINT64_FORMAT, (gint64)batch->start_s);
        int64_t *time_us = g_hash_table_lookup(rig->times, minute);

        if (!sums) {
            sums = g_new0(HistorySums, 1);
            g_hash_table_insert(rig->sums, g_strdup(entry->uuid), sums);
        }
        history_add_all(sums, &entry->sums);
        if (*entry->uuid != '\0')
            continue;
        if (!time_us) {
            time_us = g_new0(int64_t, 1);
            g_hash_table_insert(rig->times, g_steal_pointer(&minute), time_us);
        }
        *time_us += entry->sums.values[0];
    }
}

/* The next moment: so much later on both clocks, and the wall clock set by so much. */
static void
moment(Rig *rig, uint64_t later_us, int64_t set_us)
{
    rig->now.steady_us += later_us;
    rig->now.wall_us += (int64_t)later_us + set_us;
    collect(rig, history_meter_sample(rig->meter, &rig->ledger, &rig->now));
}

static void
put_domain(Rig *rig, unsigned index, uint64_t saved_pages)
{
    LedgerRow row = { .domain = &rig->domains[index],
                      .merging_pages = U,
                      .saved_pages = saved_pages,
                      .zero_pages = U,
                      .metadata_bytes = U,
                      .resident_bytes = GIB_PAGES * PAGE,
                      .ksmd_cpu_us = U };

    g_array_append_val(rig->ledger.rows, row);
}

static void
set_saved(Rig *rig, guint row, uint64_t saved_pages)
{
    g_array_index(rig->ledger.rows, LedgerRow, row).saved_pages = saved_pages;
}

static const HistorySums *
sums_of(Rig *rig, const char *uuid)
{
    const HistorySums *sums;

    collect(rig, history_meter_end(rig->meter));
    sums = g_hash_table_lookup(rig->sums, uuid);
    if (!sums)
        fail_msg("nothing of %s", uuid);
    return sums;
}

static int64_t
value(const HistorySums *sums, const char *field)
{
    size_t column = fakehistory_column(field);

    if (!history_is_known(sums, column))
        fail_msg("%s is not known", field);
    return sums->values[column];
}

static bool
is_known_figure(const HistorySums *sums, const char *field)
{
    return history_is_known(sums, fakehistory_column(field));
}

static void
two_gib_for_half_an_hour_are_one_gib_hour_exactly(void **state)
{
    Rig *rig = *state;
    const HistorySums *sums;

    put_domain(rig, 0, 2 * GIB_PAGES);
    moment(rig, 0, 0);
    for (unsigned i = 0; i < 180; i++)
        moment(rig, 10 * S, 0);
    sums = sums_of(rig, uuid0);
    assert_true(fakehistory_figure(sums, "saved_gib_hours") == 1.0);
    assert_int_equal(value(sums, "running_s"), 1800 * S);
    assert_int_equal(value(sums, "measured_s"), 1800 * S);
    assert_true(fakehistory_figure(sums, "resident_gib_hours") == 0.5);
}

static void
odd_times_and_amounts_lose_nothing_however_long_it_goes(void **state)
{
    Rig *rig = *state;
    uint64_t pages_us = 0;
    int64_t kib_s;

    put_domain(rig, 0, 7);
    moment(rig, 0, 0);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t later_us = 1 + i * 7919 % 1234567;

        moment(rig, later_us, 0);
        pages_us += 7 * later_us;
    }
    kib_s = value(sums_of(rig, uuid0), "saved_gib_hours");
    assert_int_equal(kib_s, pages_us * 4 / S);
}

static void
a_figure_that_changes_counts_with_its_mean(void **state)
{
    Rig *rig = *state;

    put_domain(rig, 0, 0);
    moment(rig, 0, 0);
    set_saved(rig, 0, 1000);
    moment(rig, 10 * S, 0);
    set_saved(rig, 0, 3000);
    moment(rig, 20 * S, 0);
    assert_int_equal(value(sums_of(rig, uuid0), "saved_gib_hours"),
                     (500 * 10 + 2000 * 20) * PAGE / 1024);
}

static void
what_is_not_known_stays_so_and_what_is_known_in_part_says_for_how_long(void **state)
{
    Rig *rig = *state;
    const HistorySums *sums;

    put_domain(rig, 0, U);
    put_domain(rig, 1, 100);
    moment(rig, 0, 0);
    moment(rig, 10 * S, 0);
    set_saved(rig, 1, U);
    moment(rig, 10 * S, 0);
    sums = sums_of(rig, uuid0);
    assert_int_equal(value(sums, "running_s"), 20 * S);
    assert_false(is_known_figure(sums, "saved_gib_hours"));
    assert_false(is_known_figure(sums, "measured_s"));
    assert_false(is_known_figure(sums, "net_saved_gib_hours"));
    sums = sums_of(rig, uuid1);
    assert_int_equal(value(sums, "running_s"), 20 * S);
    assert_int_equal(value(sums, "measured_s"), 10 * S);
    assert_int_equal(value(sums, "saved_gib_hours"), 100 * 10 * PAGE / 1024);
}

static void
a_loss_is_negative(void **state)
{
    Rig *rig = *state;

    rig->ledger.saved_pages = 1;
    rig->ledger.metadata_bytes = PAGE + 1536;
    moment(rig, 0, 0);
    moment(rig, 10 * S, 0);
    assert_int_equal(value(sums_of(rig, HISTORY_HOST_UUID), "net_saved_gib_hours"), -15);
}

static void
figures_beyond_reason_are_not_known(void **state)
{
    Rig *rig = *state;

    put_domain(rig, 0, UINT64_MAX / PAGE);
    put_domain(rig, 1, UINT64_MAX - 1);
    moment(rig, 0, 0);
    moment(rig, 10 * S, 0);
    assert_false(is_known_figure(sums_of(rig, uuid0), "saved_gib_hours"));
    assert_false(is_known_figure(sums_of(rig, uuid1), "saved_gib_hours"));
}

static void
a_counter_counts_its_growth_but_neither_a_new_beginning_nor_a_leap(void **state)
{
    static const struct {
        const char *when;
        uint64_t cpu_us;
        int64_t want_us; /* so far */
    } rows[] = {
        { "grows", 1500, 500 },
        { "stands", 1500, 500 },
        { "begins anew", 20, 500 },
        { "grows again", 30, 510 },
        { "is not known", U, 510 },
        { "is back", 90, 510 },
        { "leaps", 90 + 62 * S, 510 },
        { "grows as fast as time", 90 + 72 * S, 510 + 10 * (int64_t)S },
        { "leaps to the end", U - 1, 510 + 10 * (int64_t)S },
    };
    Rig *rig = *state;

    rig->ledger.ksmd_cpu_us = 1000;
    moment(rig, 0, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int64_t is_us;

        rig->ledger.ksmd_cpu_us = rows[i].cpu_us;
        moment(rig, 10 * S, 0);
        is_us = value(sums_of(rig, HISTORY_HOST_UUID), "ksmd_cpu_s");
        if (is_us != rows[i].want_us)
            fail_msg("%s: %" G_GINT64_FORMAT, rows[i].when, (gint64)is_us);
    }
}

static void
a_counter_that_is_read_seldom_counts_in_full_however_close_the_moments(void **state)
{
    static const struct {
        uint64_t later_us;
        uint64_t growth_us;
        bool counts;
    } rows[] = {
        { 10 * S, 0, true },      { 1 * S, 0, true },       { 2 * S, 9 * S, true },
        { 1 * S, 7 * S, false },  { 59 * S, 0, true },      { 59 * S, 62 * S, false },
        { 1 * S, 60 * S, true },  { 10 * S, 11 * S, true }, { 10 * S, 12 * S, false },
        { 10 * S, 10 * S, true }, { 90 * S, 90 * S, true },
    };
    Rig *rig = *state;
    int64_t want_us = 0;

    rig->ledger.ksmd_cpu_us = 0;
    moment(rig, 0, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        int64_t is_us;

        rig->ledger.ksmd_cpu_us += rows[i].growth_us;
        moment(rig, rows[i].later_us, 0);
        want_us += rows[i].counts ? (int64_t)rows[i].growth_us : 0;
        is_us = value(sums_of(rig, HISTORY_HOST_UUID), "ksmd_cpu_s");
        if (is_us != want_us)
            fail_msg("row %zu: %" G_GINT64_FORMAT, i, (gint64)is_us);
    }
}

static void
a_domains_counter_begins_anew_with_its_process(void **state)
{
    Rig *rig = *state;
    LedgerRow *row;

    put_domain(rig, 0, 0);
    put_domain(rig, 1, 0);
    row = &g_array_index(rig->ledger.rows, LedgerRow, 0);
    row->ksmd_cpu_us = 700;
    moment(rig, 0, 0);
    row->ksmd_cpu_us = 1000;
    moment(rig, 10 * S, 0);
    rig->domains[0].key = 3;
    row->ksmd_cpu_us = 5000;
    moment(rig, 10 * S, 0);
    row->ksmd_cpu_us = 5040;
    moment(rig, 10 * S, 0);
    assert_int_equal(value(sums_of(rig, uuid0), "ksmd_cpu_s"), 340);
    assert_false(is_known_figure(sums_of(rig, uuid1), "ksmd_cpu_s"));
}

static int64_t
time_in(Rig *rig, int64_t start_s)
{
    g_autofree char *minute = g_strdup_printf("%" G_GINT64_FORMAT, (gint64)start_s);
    const int64_t *time_us = g_hash_table_lookup(rig->times, minute);

    return time_us ? *time_us : 0;
}

static void
time_is_divided_at_the_turn_of_the_minute(void **state)
{
    Rig *rig = *state;
    int64_t noon_s = NOON_US / 1000000;

    moment(rig, 0, 0);
    for (unsigned i = 0; i < 60; i++)
        moment(rig, 7 * S, 0);
    collect(rig, history_meter_end(rig->meter));
    for (int64_t minute = 0; minute < 7; minute++)
        assert_int_equal(time_in(rig, noon_s + minute * 60), 60 * S);
    assert_int_equal(g_hash_table_size(rig->times), 7);
}

static void
no_step_of_the_clock_loses_doubles_or_negates_time(void **state)
{
    static const int64_t steps_s[] = { 3600,  -3600,      30, -30,        -90,       100000000,
                                       -5000, -100000000, 1,  1767225600, -40000000, 59 };
    Rig *rig = *state;
    const HistorySums *sums;
    GHashTableIter iter;
    gpointer time_us;
    int64_t total_us = 0;

    put_domain(rig, 0, GIB_PAGES);
    moment(rig, 0, 0);
    for (unsigned i = 0; i < 1200; i++)
        moment(rig, 10 * S, i % 100 == 50 ? steps_s[i / 100] * (int64_t)S : 0);
    sums = sums_of(rig, uuid0);
    assert_int_equal(value(sums, "running_s"), 12000 * S);
    assert_int_equal(value(sums, "saved_gib_hours"), 12000 * INT64_C(1048576));
    g_hash_table_iter_init(&iter, rig->times);
    while (g_hash_table_iter_next(&iter, NULL, &time_us)) {
        assert_true(*(int64_t *)time_us >= 0);
        total_us += *(int64_t *)time_us;
    }
    assert_int_equal(total_us, 12000 * S);
}

static void
a_minute_that_the_clock_shows_twice_holds_both(void **state)
{
    Rig *rig = *state;
    int64_t noon_s = NOON_US / 1000000;

    moment(rig, 0, 0);
    for (unsigned i = 0; i < 5; i++)
        moment(rig, 10 * S, 0);
    moment(rig, 10 * S, -60 * (int64_t)S);
    for (unsigned i = 0; i < 6; i++)
        moment(rig, 10 * S, 0);
    collect(rig, history_meter_end(rig->meter));
    assert_int_equal(time_in(rig, noon_s) + time_in(rig, noon_s - 60), 120 * S);
    assert_int_equal(g_hash_table_size(rig->times), 1);
}

static void
time_in_which_nobody_looked_is_not_counted(void **state)
{
    Rig *rig = *state;

    put_domain(rig, 0, GIB_PAGES);
    moment(rig, 0, 0);
    moment(rig, 10 * S, 0);
    moment(rig, 3600 * S, 0);
    moment(rig, 10 * S, 0);
    assert_int_equal(value(sums_of(rig, uuid0), "running_s"), 20 * S);
}

static void
a_restart_and_an_end_keep_what_was_and_do_not_reach_into_what_comes(void **state)
{
    Rig *rig = *state;

    put_domain(rig, 0, GIB_PAGES);
    put_domain(rig, 1, GIB_PAGES);
    moment(rig, 0, 0);
    moment(rig, 10 * S, 0);
    rig->domains[0].key = 3;
    g_array_set_size(rig->ledger.rows, 1);
    moment(rig, 10 * S, 0);
    moment(rig, 10 * S, 0);
    assert_int_equal(value(sums_of(rig, uuid0), "running_s"), 20 * S);
    assert_int_equal(value(sums_of(rig, uuid1), "running_s"), 10 * S);
}

static void
a_step_of_the_clock_is_told_until_the_next_moment(void **state)
{
    static const int64_t steps_us[] = { 0, 2000000, -2000000, 2000001, -2000001, 3600000000 };
    Rig *rig = *state;

    moment(rig, 0, 0);
    assert_int_equal(history_meter_step_us(rig->meter), 0);
    for (size_t i = 0; i < G_N_ELEMENTS(steps_us); i++) {
        moment(rig, 10 * S, steps_us[i]);
        assert_int_equal(history_meter_step_us(rig->meter), i < 3 ? 0 : steps_us[i]);
        moment(rig, 10 * S, 0);
        assert_int_equal(history_meter_step_us(rig->meter), 0);
    }
}

static void
the_clock_is_trusted_after_an_hour_without_a_step(void **state)
{
    Rig *rig = *state;
    HistoryClock soon;

    moment(rig, 0, 0);
    for (unsigned i = 0; i < 359; i++)
        moment(rig, 10 * S, 0);
    assert_false(history_meter_trusts_clock(rig->meter, &rig->now));
    moment(rig, 10 * S, 0);
    assert_true(history_meter_trusts_clock(rig->meter, &rig->now));
    moment(rig, 10 * S, 5 * (int64_t)S);
    assert_false(history_meter_trusts_clock(rig->meter, &rig->now));
    soon = rig->now;
    soon.steady_us += 3600 * S;
    assert_true(history_meter_trusts_clock(rig->meter, &soon));
}

int
main(void)
{
#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RIG_TEST(two_gib_for_half_an_hour_are_one_gib_hour_exactly),
        RIG_TEST(odd_times_and_amounts_lose_nothing_however_long_it_goes),
        RIG_TEST(a_figure_that_changes_counts_with_its_mean),
        RIG_TEST(what_is_not_known_stays_so_and_what_is_known_in_part_says_for_how_long),
        RIG_TEST(a_loss_is_negative),
        RIG_TEST(figures_beyond_reason_are_not_known),
        RIG_TEST(a_counter_counts_its_growth_but_neither_a_new_beginning_nor_a_leap),
        RIG_TEST(a_counter_that_is_read_seldom_counts_in_full_however_close_the_moments),
        RIG_TEST(a_domains_counter_begins_anew_with_its_process),
        RIG_TEST(time_is_divided_at_the_turn_of_the_minute),
        RIG_TEST(no_step_of_the_clock_loses_doubles_or_negates_time),
        RIG_TEST(a_minute_that_the_clock_shows_twice_holds_both),
        RIG_TEST(time_in_which_nobody_looked_is_not_counted),
        RIG_TEST(a_restart_and_an_end_keep_what_was_and_do_not_reach_into_what_comes),
        RIG_TEST(a_step_of_the_clock_is_told_until_the_next_moment),
        RIG_TEST(the_clock_is_trusted_after_an_hour_without_a_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
