/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_prune_test.c - two years on a disk of bounded size */
#include "agent/report/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/fakehistory.h"

#define DAY     FAKEHISTORY_DAY_S
#define MIB     UINT64_C(1048576)
#define FOREVER INT64_C(253402300799)
/* Half of the least that can be configured, for half the domains. */
#define SMALL (4 * MIB)

static void
prune(FakeHistory *fake, int64_t now_s)
{
    g_autoptr(GError) error = NULL;

    if (!history_prune(fake->history, &fake->limits, now_s, &error))
        fail_msg("%s", error->message);
}

/* Writes a minute as the agent does. */
static void
live(FakeHistory *fake, int64_t now_s, unsigned domains)
{
    prune(fake, now_s);
    fakehistory_write(fake, now_s, domains);
}

static guint
count(FakeHistory *fake, HistoryStep step, int64_t since_s)
{
    int64_t until_s = since_s + 90000 * history_step_s(step);
    g_autoptr(HistoryAnswer) answer =
        fakehistory_ask(fake, NULL, step, since_s, MIN(until_s, FOREVER));

    return answer->rows->len;
}

static void
minutes_go_after_a_day_hours_after_a_month_and_days_after_two_years(void **state)
{
    FakeHistory *fake = *state;
    int64_t end_s = DAY + 800 * 86400;

    /* A minute of each day, later of each hour, and each minute of the last two days. */
    for (int64_t now_s = DAY; now_s < end_s; now_s += now_s < end_s - 40 * 86400 ? 86400 : 3600)
        live(fake, now_s, 1);
    for (int64_t now_s = end_s; now_s <= end_s + 2 * 86400; now_s += 60)
        live(fake, now_s, 1);
    assert_int_equal(count(fake, HISTORY_MINUTE, end_s), 1441);
    assert_in_range(count(fake, HISTORY_HOUR, end_s - 60 * 86400), 744, 746);
    assert_in_range(count(fake, HISTORY_DAY, DAY), 731, 733);
}

static void
a_domain_that_is_gone_keeps_its_record_for_as_long_as_days_are_kept(void **state)
{
    FakeHistory *fake = *state;
    HistoryQuery query = { "d1", DAY, FOREVER, HISTORY_DAY };
    HistoryAnswer *none = NULL;
    g_autoptr(HistoryAnswer) answer = NULL;
    int64_t day = 0;

    live(fake, DAY + 86399 - 59, 2);
    for (day = 1; day < 731; day++)
        live(fake, DAY + day * 86400, 1);
    answer = fakehistory_ask(fake, "d1", HISTORY_DAY, DAY, DAY + 86400);
    assert_int_equal(answer->rows->len, 1);
    for (; day < 735; day++)
        live(fake, DAY + day * 86400, 1);
    assert_false(history_query(fake->history, &query, &none, NULL));
}

static void
two_years_of_fifty_domains_stay_small(void **state)
{
    FakeHistory *fake = *state;
    uint64_t most_bytes = 0;

    for (int64_t hour = 0; hour < 731 * 24; hour += 24) {
        live(fake, DAY + hour * 3600, 50);
        most_bytes = MAX(most_bytes, history_size_bytes(fake->history));
    }
    for (int64_t minute = 0; minute < 1500; minute++) {
        live(fake, DAY + 731 * 86400 + minute * 60, 50);
        most_bytes = MAX(most_bytes, history_size_bytes(fake->history));
    }
    if (most_bytes > 13 * MIB)
        fail_msg("%" G_GUINT64_FORMAT " bytes", (guint64)most_bytes);
}

static void
a_thousand_domains_fit_the_default_limit(void **state)
{
    enum { DOMAINS = 20 };
    FakeHistory *fake = *state;
    uint64_t rows = 0;
    double bytes;

    /* Days first, so that their sums are as large as they get. */
    for (int64_t day = 0; day < 731; day++, rows += DOMAINS)
        fakehistory_write(fake, DAY + day * 86400, DOMAINS);
    for (int64_t hour = 0; hour < 744; hour++)
        fakehistory_write(fake, DAY + 700 * 86400 + hour * 3600, DOMAINS);
    for (int64_t minute = 0; minute < 1440; minute++)
        fakehistory_write(fake, DAY + 730 * 86400 + minute * 60, DOMAINS);
    bytes = (double)history_size_bytes(fake->history);
    /* Days and hours left a minute each as well; the real figure is a little less. */
    bytes =
        bytes * 1000 / DOMAINS * (1440 + 744 + 731) / (731.0 + 744 + 1440 + 744 + 731 + 31 - 24);
    print_message("1,000 domains: %.0f MiB\n", bytes / (double)MIB);
    assert_true(bytes < 170.0 * (double)MIB);
}

static void
the_limit_holds_and_the_finest_and_oldest_go_first(void **state)
{
    FakeHistory *fake = *state;
    uint64_t most_bytes = 0;
    guint minutes;
    guint hours;

    fake->limits.size_bytes = SMALL;
    for (int64_t minute = 0; minute < 1440; minute++) {
        live(fake, DAY + minute * 60, 100);
        most_bytes = MAX(most_bytes, history_size_bytes(fake->history));
    }
    assert_in_range(most_bytes, SMALL / 4 * 3, SMALL);
    minutes = count(fake, HISTORY_MINUTE, DAY);
    hours = count(fake, HISTORY_HOUR, DAY);
    assert_in_range(minutes, 60, 1000);
    assert_int_equal(hours, 24);
    assert_int_equal(count(fake, HISTORY_DAY, DAY), 1);
    /* The newest minute is there. */
    assert_int_equal(count(fake, HISTORY_MINUTE, DAY + 86400 - 60), 1);
}

static void
more_domains_than_fit_cannot_exceed_the_limit_nor_stop_the_writing_for_good(void **state)
{
    FakeHistory *fake = *state;
    unsigned written = 0;

    fake->limits.size_bytes = SMALL;
    for (int64_t minute = 0; minute < 60; minute++) {
        g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY + minute * 60, 1500);

        prune(fake, DAY + minute * 60);
        written += history_write(fake->history, batch, &fake->limits, NULL) ? 1 : 0;
        assert_in_range(history_size_bytes(fake->history), 0, SMALL);
    }
    assert_in_range(written, 40, 60);
}

static void
a_smaller_limit_makes_a_large_file_small(void **state)
{
    FakeHistory *fake = *state;

    for (int64_t minute = 0; minute < 1200; minute++)
        fakehistory_write(fake, DAY + minute * 60, 100);
    assert_in_range(history_size_bytes(fake->history), SMALL + MIB / 2, 20 * MIB);
    fake->limits.size_bytes = SMALL;
    for (int64_t minute = 1200; minute < 1260; minute++)
        live(fake, DAY + minute * 60, 100);
    history_free(fake->history);
    fake->history = history_new(fakeroot_path(fake->root));
    fakehistory_write(fake, DAY + 1260 * 60, 1);
    assert_in_range(history_size_bytes(fake->history), MIB / 2, SMALL);
    assert_int_equal(count(fake, HISTORY_HOUR, DAY), 22);
}

static void
a_clock_that_is_not_trusted_drops_nothing_and_what_is_far_ahead_goes_too(void **state)
{
    FakeHistory *fake = *state;
    int64_t ahead_s = DAY + 20 * INT64_C(365) * 86400;

    fakehistory_write(fake, DAY, 1);
    fakehistory_write(fake, ahead_s, 1);
    prune(fake, 0);
    assert_int_equal(count(fake, HISTORY_MINUTE, DAY), 1);
    assert_int_equal(count(fake, HISTORY_MINUTE, ahead_s), 1);
    prune(fake, DAY + 60);
    assert_int_equal(count(fake, HISTORY_MINUTE, DAY), 1);
    assert_int_equal(count(fake, HISTORY_DAY, DAY), 1);
    assert_int_equal(count(fake, HISTORY_MINUTE, ahead_s), 0);
    assert_int_equal(count(fake, HISTORY_DAY, ahead_s - ahead_s % 86400), 0);
}

int
main(void)
{
#define HISTORY_TEST(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fakehistory_setup, fakehistory_teardown)
    const struct CMUnitTest tests[] = {
        HISTORY_TEST(minutes_go_after_a_day_hours_after_a_month_and_days_after_two_years),
        HISTORY_TEST(a_domain_that_is_gone_keeps_its_record_for_as_long_as_days_are_kept),
        HISTORY_TEST(two_years_of_fifty_domains_stay_small),
        HISTORY_TEST(a_thousand_domains_fit_the_default_limit),
        HISTORY_TEST(the_limit_holds_and_the_finest_and_oldest_go_first),
        HISTORY_TEST(more_domains_than_fit_cannot_exceed_the_limit_nor_stop_the_writing_for_good),
        HISTORY_TEST(a_smaller_limit_makes_a_large_file_small),
        HISTORY_TEST(a_clock_that_is_not_trusted_drops_nothing_and_what_is_far_ahead_goes_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
