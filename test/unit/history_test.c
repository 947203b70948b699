/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history_test.c - what is written is there: in its minute, its hour and its day, and in totals */
#include "agent/report/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "agent/error.h"
#include "test/support/fakehistory.h"

#define DAY     FAKEHISTORY_DAY_S
#define GIB_KIB INT64_C(1048576)

static const char uuid0[] = "00000000-1111-4111-8111-111111111111";

static const HistoryRecord *
record(const GPtrArray *records, guint index)
{
    if (index >= records->len)
        fail_msg("record %u of %u", index, records->len);
    return g_ptr_array_index(records, index);
}

static void
a_minute_is_in_its_hour_and_its_day_at_once(void **state)
{
    FakeHistory *fake = *state;

    for (int64_t minute = 0; minute < 90; minute++)
        fakehistory_write(fake, DAY + minute * 60, 2);
    for (HistoryStep step = 0; step < HISTORY_STEP_COUNT; step++) {
        static const guint wants[] = { 90, 2, 1 };
        g_autoptr(HistoryAnswer) domain = fakehistory_ask(fake, "d0", step, DAY, DAY + 86400);
        g_autoptr(HistoryAnswer) host = fakehistory_ask(fake, NULL, step, DAY, DAY + 86400);

        assert_int_equal(domain->rows->len, wants[step]);
        assert_int_equal(domain->totals->len, 1);
        assert_true(fakehistory_figure(&record(domain->totals, 0)->sums, "saved_gib_hours") == 1.5);
        assert_int_equal(host->rows->len, wants[step]);
        assert_int_equal(host->totals->len, 2);
        assert_true(fakehistory_figure(&record(host->totals, 1)->sums, "saved_gib_hours") == 1.5);
        assert_true(fakehistory_figure(&host->host, "saved_gib_hours") == 3.0);
        assert_true(fakehistory_figure(&host->host, "running_s") == 5400.0);
        assert_false(domain->is_cut || host->is_cut);
    }
}

static void
only_whole_intervals_of_the_time_asked_for_are_there(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryAnswer) answer = NULL;

    for (int64_t hour = 0; hour < 10; hour++)
        fakehistory_write(fake, DAY + hour * 3600, 1);
    answer = fakehistory_ask(fake, "d0", HISTORY_HOUR, DAY + 2 * 3600 + 1, DAY + 5 * 3600);
    assert_int_equal(answer->rows->len, 3);
    assert_int_equal(record(answer->rows, 0)->start_s, DAY + 2 * 3600);
    assert_int_equal(record(answer->rows, 2)->start_s, DAY + 4 * 3600);
}

static void
an_answer_tells_what_time_it_is_of(void **state)
{
    static const struct {
        HistoryStep step;
        int64_t since_s, until_s;           /* as asked for, of the day */
        int64_t want_since_s, want_until_s; /* of the day */
    } rows[] = {
        { HISTORY_HOUR, 7200, 18000, 7200, 18000 },
        { HISTORY_HOUR, 7201, 18001, 7200, 21600 },
        { HISTORY_HOUR, 7199, 17999, 3600, 18000 },
        { HISTORY_MINUTE, 61, 62, 60, 120 },
        { HISTORY_DAY, -1, 1, -86400, 86400 },
        { HISTORY_MINUTE, -100000 * 60 - 600, 0, -100000 * 60, 0 },
    };
    FakeHistory *fake = *state;

    fakehistory_write(fake, DAY, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(HistoryAnswer) answer =
            fakehistory_ask(fake, NULL, rows[i].step, DAY + rows[i].since_s, DAY + rows[i].until_s);

        assert_int_equal(answer->since_s, DAY + rows[i].want_since_s);
        assert_int_equal(answer->until_s, DAY + rows[i].want_until_s);
    }
}

static void
it_is_there_after_the_next_start(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryAnswer) answer = NULL;

    fakehistory_write(fake, DAY, 1);
    fakehistory_reopen(fake);
    fakehistory_write(fake, DAY + 60, 1);
    fakehistory_reopen(fake);
    answer = fakehistory_ask(fake, uuid0, HISTORY_MINUTE, DAY, DAY + 3600);
    assert_int_equal(answer->rows->len, 2);
    assert_null(history_take_note(fake->history));
}

static void
unknown_and_known_make_known_and_unknown_alone_stays_unknown(void **state)
{
    FakeHistory *fake = *state;
    size_t cpu = fakehistory_column("ksmd_cpu_s");
    size_t saved = fakehistory_column("saved_gib_hours");
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY, 1);
    HistoryRecord *entry = g_ptr_array_index(batch->entries, 1);
    g_autoptr(HistoryAnswer) answer = NULL;
    const HistorySums *sums;

    entry->sums.known &= ~(UINT32_C(1) << saved);
    assert_true(history_write(fake->history, batch, &fake->limits, NULL));
    answer = fakehistory_ask(fake, "d0", HISTORY_HOUR, DAY, DAY + 3600);
    assert_false(history_is_known(&record(answer->rows, 0)->sums, saved));
    fakehistory_write(fake, DAY + 60, 1);
    assert_true(history_write(fake->history, batch, &fake->limits, NULL));
    g_clear_pointer(&answer, history_answer_free);
    answer = fakehistory_ask(fake, "d0", HISTORY_HOUR, DAY, DAY + 3600);
    sums = &record(answer->rows, 0)->sums;
    assert_int_equal(sums->values[saved], 60 * GIB_KIB);
    assert_true(fakehistory_figure(sums, "running_s") == 180.0);
    assert_false(history_is_known(sums, cpu));
}

static void
names_may_be_anything_and_the_last_one_counts(void **state)
{
    static const char *const names[] = {
        "web",
        "a b",
        "it's \"quoted\"",
        "x'; DROP TABLE domain; --",
        "line\nbreak",
        "\xc3\xbc\xe4\xb8\xad",
        "%s%n",
    };
    FakeHistory *fake = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY + (int64_t)i * 60, 0);
        g_autoptr(HistoryAnswer) answer = NULL;

        fakehistory_add(batch, "the-uuid", names[i], GIB_KIB);
        assert_true(history_write(fake->history, batch, &fake->limits, NULL));
        answer = fakehistory_ask(fake, names[i], HISTORY_HOUR, DAY, DAY + 3600);
        assert_string_equal(record(answer->rows, 0)->name, names[i]);
        assert_true(fakehistory_figure(&record(answer->totals, 0)->sums, "running_s") ==
                    60.0 * (double)(i + 1));
    }
}

static void
two_domains_that_had_one_name_are_told_apart(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryBatch) first = fakehistory_batch(DAY, 0);
    g_autoptr(HistoryBatch) second = fakehistory_batch(DAY + 7200, 0);
    g_autoptr(HistoryBatch) third = fakehistory_batch(DAY + 10800, 0);
    g_autoptr(HistoryAnswer) answer = NULL;
    g_autoptr(HistoryAnswer) by_uuid = NULL;

    fakehistory_add(first, "old", "web", GIB_KIB);
    fakehistory_add(second, "new", "web", 2 * GIB_KIB);
    assert_true(history_write(fake->history, first, &fake->limits, NULL));
    assert_true(history_write(fake->history, second, &fake->limits, NULL));
    answer = fakehistory_ask(fake, "web", HISTORY_HOUR, DAY, DAY + 86400);
    assert_int_equal(answer->totals->len, 2);
    assert_string_equal(record(answer->totals, 0)->uuid, "new");
    assert_string_equal(record(answer->totals, 1)->uuid, "old");
    fakehistory_add(third, "another", "old", GIB_KIB); /* a name that is somebody's uuid */
    assert_true(history_write(fake->history, third, &fake->limits, NULL));
    by_uuid = fakehistory_ask(fake, "old", HISTORY_HOUR, DAY, DAY + 86400);
    assert_int_equal(by_uuid->totals->len, 1);
    assert_int_equal(by_uuid->rows->len, 1);
    assert_string_equal(record(by_uuid->totals, 0)->uuid, "old");
}

static void
totals_begin_with_the_largest_saving(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY, 0);
    g_autoptr(HistoryAnswer) answer = NULL;

    fakehistory_add(batch, "u1", "little", 1);
    fakehistory_add(batch, "u2", "much", 100);
    fakehistory_add(batch, "u3", "some", 10);
    assert_true(history_write(fake->history, batch, &fake->limits, NULL));
    answer = fakehistory_ask(fake, NULL, HISTORY_MINUTE, DAY, DAY + 60);
    assert_string_equal(record(answer->totals, 0)->name, "much");
    assert_string_equal(record(answer->totals, 2)->name, "little");
}

static void
a_domain_that_never_was_is_not_found_and_the_host_is_no_domain(void **state)
{
    static const char *const words[] = { "nix", "", "0" };
    FakeHistory *fake = *state;

    fakehistory_write(fake, DAY, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        HistoryQuery query = { words[i], DAY, DAY + 60, HISTORY_MINUTE };
        HistoryAnswer *answer = NULL;
        g_autoptr(GError) error = NULL;

        if (history_query(fake->history, &query, &answer, &error))
            fail_msg("\"%s\" was found", words[i]);
        assert_true(g_error_matches(error, AGENT_ERROR, AGENT_ERROR_NOT_FOUND));
        assert_null(answer);
    }
    fakehistory_write(fake, DAY + 60, 1); /* asking has done no harm */
}

static void
an_answer_has_its_bounds_and_says_so(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY, 12000);
    g_autoptr(HistoryAnswer) answer = NULL;
    g_autoptr(HistoryAnswer) forever = NULL;

    assert_true(history_write(fake->history, batch, &fake->limits, NULL));
    answer = fakehistory_ask(fake, NULL, HISTORY_DAY, DAY, DAY + 86400);
    assert_true(answer->is_cut);
    assert_int_equal(answer->totals->len, 10080);
    assert_true(fakehistory_figure(&answer->host, "saved_gib_hours") == 200.0);
    /* No time that can be asked for takes long. */
    forever = fakehistory_ask(fake, "d0", HISTORY_MINUTE, 0, INT64_C(253402300799));
    assert_int_equal(forever->rows->len, 0);
}

static int
count_step(void *steps)
{
    ++*(unsigned *)steps;
    return 0;
}

/* What SQLite's machine has done, in its instructions. */
static unsigned steps;

/* Called by SQLite for each database that is opened. */
static int
count_steps(sqlite3 *db, const char **error, const void *api)
{
    (void)error;
    (void)api;
    sqlite3_progress_handler(db, 1, count_step, &steps);
    return SQLITE_OK;
}

static void
a_domain_is_looked_up_without_reading_what_others_have(void **state)
{
    /* Reading each row of a table takes seven for each. */
    static const gint64 most[] = { [HISTORY_MINUTE] = 12000, [HISTORY_HOUR] = 2500 };
    FakeHistory *fake = *state;

    sqlite3_auto_extension((void (*)(void))count_steps);
    for (int64_t minute = 0; minute < 60; minute++)
        fakehistory_write(fake, DAY + minute * 60, 200);
    for (HistoryStep step = 0; step < HISTORY_DAY; step++) {
        g_autoptr(HistoryAnswer) answer = NULL;

        steps = 0;
        answer = fakehistory_ask(fake, "d0", step, DAY, DAY + 3600);
        assert_int_equal(answer->rows->len, 3600 / history_step_s(step));
        assert_in_range(steps, 1, most[step]);
    }
    sqlite3_cancel_auto_extension((void (*)(void))count_steps);
}

static void
who_was_gone_before_costs_nothing_and_who_was_not_is_there(void **state)
{
    FakeHistory *fake = *state;
    g_autoptr(HistoryBatch) batch = fakehistory_batch(DAY, 0);
    g_autoptr(HistoryAnswer) late = NULL;
    g_autoptr(HistoryAnswer) none = NULL;

    sqlite3_auto_extension((void (*)(void))count_steps);
    for (unsigned i = 0; i < 1000; i++) {
        g_autofree char *uuid = g_strdup_printf("uuid-%u", i);

        fakehistory_add(batch, uuid, "d0", GIB_KIB);
    }
    assert_true(history_write(fake->history, batch, &fake->limits, NULL));
    /* The time of the last sight is not written again within an hour. */
    for (int64_t minute = 180; minute < 240; minute++)
        fakehistory_write(fake, DAY + minute * 60, 1);
    steps = 0;
    late = fakehistory_ask(fake, "d0", HISTORY_MINUTE, DAY + 239 * 60, DAY + 240 * 60);
    assert_int_equal(late->rows->len, 1);
    assert_in_range(steps, 1, 30000); /* for each of the others, less than a look for rows takes */
    none = fakehistory_ask(fake, "d0", HISTORY_MINUTE, DAY + 86400, DAY + 2 * 86400);
    assert_int_equal(none->rows->len, 0);
    sqlite3_cancel_auto_extension((void (*)(void))count_steps);
}

static void
the_file_is_for_its_owner_alone(void **state)
{
    FakeHistory *fake = *state;
    struct stat st;

    fakehistory_write(fake, DAY, 1);
    assert_int_equal(stat(fake->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(history_size_bytes(fake->history), st.st_size);
    assert_int_equal(fakehistory_files(fake, HISTORY_FILE "-shm"), 0);
}

int
main(void)
{
#define HISTORY_TEST(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, fakehistory_setup, fakehistory_teardown)
    const struct CMUnitTest tests[] = {
        HISTORY_TEST(a_minute_is_in_its_hour_and_its_day_at_once),
        HISTORY_TEST(only_whole_intervals_of_the_time_asked_for_are_there),
        HISTORY_TEST(an_answer_tells_what_time_it_is_of),
        HISTORY_TEST(it_is_there_after_the_next_start),
        HISTORY_TEST(unknown_and_known_make_known_and_unknown_alone_stays_unknown),
        HISTORY_TEST(names_may_be_anything_and_the_last_one_counts),
        HISTORY_TEST(two_domains_that_had_one_name_are_told_apart),
        HISTORY_TEST(totals_begin_with_the_largest_saving),
        HISTORY_TEST(a_domain_that_never_was_is_not_found_and_the_host_is_no_domain),
        HISTORY_TEST(an_answer_has_its_bounds_and_says_so),
        HISTORY_TEST(a_domain_is_looked_up_without_reading_what_others_have),
        HISTORY_TEST(who_was_gone_before_costs_nothing_and_who_was_not_is_there),
        HISTORY_TEST(the_file_is_for_its_owner_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
