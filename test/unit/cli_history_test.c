/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_history_test.c - "virtksm history", the real program on a daemon that says what we tell it */
#include "proto/virtksm.pb-c.h"
#include "test/support/fakedaemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* An hour of a host with a domain of an odd name, of which little is known. */
typedef struct {
    FakeDaemon *daemon; /* owned */
    Virtksm__V1__HistoryRow hour;
    Virtksm__V1__HistoryRow odd;
    Virtksm__V1__HistoryRow total;
    Virtksm__V1__HistoryRow *rows[1];
    Virtksm__V1__HistoryRow *totals[1];
    Virtksm__V1__HistoryResponse history;
} World;

static char start[] = "2026-01-31T11:00:00Z";
static char end[] = "2026-01-31T12:00:00Z";
static char interval[] = "hour";
static char odd_name[] = "a \"b\",\n\xc3\xbc";
static char odd_uuid[] = "11111111-2222-4333-8444-555555555555";

static void
fill(Virtksm__V1__HistoryRow *row)
{
    virtksm__v1__history_row__init(row);
    row->has_running_s = row->has_saved_gib_hours = row->has_metadata_gib_hours = true;
    row->has_net_saved_gib_hours = row->has_ksmd_cpu_s = true;
    row->running_s = 3600;
    row->saved_gib_hours = 1.5;
    row->metadata_gib_hours = 2.0;
    row->net_saved_gib_hours = -0.5;
    row->ksmd_cpu_s = 36.5;
}

static int
setup(void **state)
{
    World *world = g_new0(World, 1);

    fill(&world->hour);
    fill(&world->total);
    world->hour.start = start;
    virtksm__v1__history_row__init(&world->odd);
    world->odd.name = odd_name;
    world->odd.uuid = odd_uuid;
    world->odd.has_running_s = true;
    world->odd.running_s = 90;
    world->rows[0] = &world->hour;
    world->totals[0] = &world->odd;
    virtksm__v1__history_response__init(&world->history);
    world->history.interval = interval;
    world->history.since = start;
    world->history.until = end;
    world->history.rows = world->rows;
    world->history.n_rows = 1;
    world->history.totals = world->totals;
    world->history.n_totals = 1;
    world->history.host = &world->total;
    world->history.has_cut = true;
    world->daemon = fakedaemon_new();
    fakedaemon_answer(world->daemon, "History", &world->history.base);
    *state = world;
    return 0;
}

static int
teardown(void **state)
{
    World *world = *state;

    fakedaemon_free(world->daemon);
    g_free(world);
    return 0;
}

static void
the_table_shows_intervals_then_totals(void **state)
{
    World *world = *state;

    fakedaemon_expect(
        world->daemon, "history",
        "START (UTC)         RUNNING  SAVED GiBh  COST GiBh  NET GiBh  RESIDENT GiBh  KSMD  UUID\n"
        "2026-01-31 11:00  1 h 0 min       1.500      2.000    -0.500              -  36 s  host\n"
        "\n"
        "TOTAL        RUNNING  SAVED GiBh  COST GiBh  NET GiBh  RESIDENT GiBh  KSMD  UUID\n"
        "a \"b\",\\n\xc3\xbc      1 min           -          -         -              -     -  "
        "11111111-2222-4333-8444-555555555555\n"
        "host       1 h 0 min       1.500      2.000    -0.500              -  36 s  -\n");
}

static void
a_figure_that_rounds_to_nothing_has_no_sign(void **state)
{
    static const struct {
        double figure;
        const char *want;
    } rows[] = {
        { -0.0004, " 0.000 " }, { -0.0, " 0.000 " },   { 0.0004, " 0.000 " },
        { -0.0006, "-0.001 " }, { 0.0006, " 0.001 " },
    };
    World *world = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *out = NULL;

        world->hour.net_saved_gib_hours = rows[i].figure;
        fakedaemon_answer(world->daemon, "History", &world->history.base);
        out = fakedaemon_output(world->daemon, "history");
        if (!strstr(out, rows[i].want))
            fail_msg("%g: %s", rows[i].figure, out);
    }
}

static void
csv_has_a_kind_for_each_row_and_nothing_for_what_is_not_known(void **state)
{
    World *world = *state;

    fakedaemon_expect(
        world->daemon, "history --format csv",
        "kind,interval,name,uuid,start,running_s,measured_s,saved_gib_hours,net_saved_gib_hours,"
        "metadata_gib_hours,resident_gib_hours,ksmd_cpu_s\n"
        "interval,hour,,,2026-01-31T11:00:00Z,3600,,1.5,-0.5,2,,36.5\n"
        "total,hour,\"a \"\"b\"\",\n\xc3\xbc\",11111111-2222-4333-8444-555555555555,,90,,,,,,\n"
        "host total,hour,,,,3600,,1.5,-0.5,2,,36.5\n");
}

static void
an_empty_and_a_cut_answer_say_so(void **state)
{
    World *world = *state;
    g_autofree char *out = NULL;

    world->history.has_cut = world->history.cut = true;
    fakedaemon_answer(world->daemon, "History", &world->history.base);
    out = fakedaemon_output(world->daemon, "history");
    assert_non_null(strstr(out, "\nNote: there is more than fits"));
    world->history.n_rows = 0;
    fakedaemon_answer(world->daemon, "History", &world->history.base);
    fakedaemon_expect(world->daemon, "history",
                      "Nothing was recorded from 2026-01-31T11:00:00Z to 2026-01-31T12:00:00Z.\n");
}

static void
an_answer_for_more_than_was_asked_for_says_so(void **state)
{
    static const struct {
        const char *line;
        bool has_note;
    } rows[] = {
        { "history", false },
        { "history --since=2026-01-31T11:00 --until=2026-01-31T12:00", false },
        { "history --since=2026-01-31T11:01", true },
        { "history --since=2026-01-31T10:59", false },
        { "history --until=2026-01-31T11:59", true },
        { "history --until=now", false },
        { "history --since=30d", false },
    };
    World *world = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *out = fakedaemon_output(world->daemon, rows[i].line);
        bool has_note = strstr(out, "\nNote: each hour counts as a whole: this is from "
                                    "2026-01-31 11:00 to 2026-01-31 12:00 (UTC).\n") != NULL;

        if (has_note != rows[i].has_note)
            fail_msg("%s: %s", rows[i].line, out);
    }
}

static void
a_time_that_is_none_is_refused_before_the_daemon_is_asked(void **state)
{
    World *world = *state;
    const char *const words[] = { "history", "--until", "tomorrow", NULL };
    g_autoptr(Child) child = fakedaemon_client(world->daemon, words);

    assert_int_equal(child_wait(child), 2);
    assert_string_equal(child_out(child), "");
    assert_non_null(
        strstr(child_err(child), "--until tomorrow: expected a length of time such as"));
}

int
main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_table_shows_intervals_then_totals),
        WORLD_TEST(a_figure_that_rounds_to_nothing_has_no_sign),
        WORLD_TEST(csv_has_a_kind_for_each_row_and_nothing_for_what_is_not_known),
        WORLD_TEST(an_empty_and_a_cut_answer_say_so),
        WORLD_TEST(an_answer_for_more_than_was_asked_for_says_so),
        WORLD_TEST(a_time_that_is_none_is_refused_before_the_daemon_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
