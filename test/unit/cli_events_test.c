/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cli_events_test.c - "virtksm events": what is followed, what is lost, and how it ends */
#include "proto/virtksm.pb-c.h"
#include "test/support/fakedaemon.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char source_word[] = "libvirt";
static char event_word[] = "created";
static char detail[] = "started booted";
static char name[] = "a \"b\"\nc";

static Virtksm__V1__WatchResponse
event(uint64_t sequence)
{
    Virtksm__V1__WatchResponse event = VIRTKSM__V1__WATCH_RESPONSE__INIT;

    event.has_sequence = event.has_time_us = true;
    event.sequence = sequence;
    event.time_us = UINT64_C(1700000000123456);
    event.source = source_word;
    event.event = event_word;
    event.detail = detail;
    event.name = name;
    return event;
}

/* The program, when it watches and, unless it prints JSON, has printed its header. */
static Child *
follow(FakeDaemon *daemon, const char *format, const char *header)
{
    const char *const words[] = { "events", "--format", format, NULL };
    Child *child = fakedaemon_client(daemon, words);

    fakedaemon_await_watcher(daemon);
    assert_string_equal(fakedaemon_asked(daemon), "Watch");
    child_await(child, header);
    return child;
}

static void
each_event_is_a_row_below_one_header(void **state)
{
    g_autoptr(Child) child = follow(*state, "table", "DETAIL\n");
    Virtksm__V1__WatchResponse first = event(1);
    Virtksm__V1__WatchResponse second = event(2);
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(1700000000);
    g_autofree char *text = g_date_time_format(time, "%Y-%m-%d %H:%M:%S.123");
    g_autofree char *want = NULL;

    second.has_lost = true;
    second.lost = 3;
    second.name = NULL;
    second.has_time_us = false;
    assert_true(fakedaemon_send(*state, &first.base));
    child_await(child, "booted\n");
    assert_true(fakedaemon_send(*state, &second.base));
    child_await(child, "booted\n(3 events were lost");
    child_signal(child, SIGINT);
    assert_int_equal(child_wait(child), 0);
    want = g_strdup_printf(
        "TIME                     SOURCE     EVENT       DOMAIN                DETAIL\n"
        "%s  libvirt    created     a \"b\"\\nc              started booted\n"
        "(3 events were lost here: they came faster than they were read)\n"
        "-                        libvirt    created     -                     started booted\n",
        text);
    assert_string_equal(child_out(child), want);
    assert_string_equal(child_err(child), "");
}

static void
json_is_one_object_per_line(void **state)
{
    g_autoptr(Child) child = follow(*state, "json", "");
    Virtksm__V1__WatchResponse first = event(1);
    Virtksm__V1__WatchResponse second = event(2);

    second.has_lost = true;
    assert_true(fakedaemon_send(*state, &first.base));
    assert_true(fakedaemon_send(*state, &second.base));
    child_await(child, "\"sequence\":2,");
    child_signal(child, SIGTERM);
    assert_int_equal(child_wait(child), 0);
    assert_string_equal(
        child_out(child),
        "{\"sequence\":1,\"time_us\":1700000000123456,\"source\":\"libvirt\",\"event\":\"created\","
        "\"detail\":\"started booted\",\"name\":\"a \\\"b\\\"\\nc\",\"uuid\":null,\"lost\":null}\n"
        "{\"sequence\":2,\"time_us\":1700000000123456,\"source\":\"libvirt\",\"event\":\"created\","
        "\"detail\":\"started booted\",\"name\":\"a \\\"b\\\"\\nc\",\"uuid\":null,\"lost\":0}\n");
}

static void
csv_has_one_header(void **state)
{
    g_autoptr(Child) child = follow(*state, "csv", "lost\n");
    Virtksm__V1__WatchResponse first = event(1);

    assert_true(fakedaemon_send(*state, &first.base));
    child_await(child, "c\",,\n");
    child_signal(child, SIGINT);
    assert_int_equal(child_wait(child), 0);
    assert_string_equal(child_out(child),
                        "sequence,time_us,source,event,detail,name,uuid,lost\n"
                        "1,1700000000123456,libvirt,created,started booted,\"a \"\"b\"\"\nc\",,\n");
}

static void
a_reader_that_goes_away_ends_it_at_once_and_well(void **state)
{
    g_autoptr(Child) child = follow(*state, "table", "DETAIL\n");

    child_close_out(child);
    assert_int_equal(child_wait(child), 0);
    assert_string_equal(child_err(child), "");
}

static void
a_daemon_that_goes_away_is_a_failure_after_the_last_event(void **state)
{
    g_autoptr(Child) child = follow(*state, "csv", "lost\n");
    Virtksm__V1__WatchResponse first = event(1);

    assert_true(fakedaemon_send(*state, &first.base));
    child_await(child, "c\",,\n");
    fakedaemon_stop(*state);
    assert_int_equal(child_wait(child), 1);
    assert_non_null(strstr(child_err(child), "virtksmd at "));
    assert_non_null(strstr(child_err(child), " went away: "));
}

/* More than a pipe takes, so that the program has some that it cannot write. */
#define PIPE_FILL 1000
/* More than its queue takes in addition, even if a socket's buffer of it is still on the way: some
 * 3 MiB of JSON. */
#define QUEUE_FILL 20000

static gboolean
on_time(gpointer user_data)
{
    *(bool *)user_data = true;
    return G_SOURCE_REMOVE;
}

static void
run_for(unsigned ms)
{
    bool over = false;

    g_timeout_add(ms, on_time, &over);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
}

/* Events 1 to @n; when this returns, they have left for the program. */
static void
flood(FakeDaemon *daemon, uint64_t n)
{
    for (uint64_t i = 1; i <= n; i++) {
        Virtksm__V1__WatchResponse message = event(i);

        assert_true(fakedaemon_send(daemon, &message.base));
        if (i % 100 == 0)
            fakedaemon_await_sent(daemon);
    }
    run_for(300);
}

static void
a_signal_ends_it_although_its_reader_sleeps(void **state)
{
    static const int signals[] = { SIGINT, SIGTERM };

    for (size_t i = 0; i < G_N_ELEMENTS(signals); i++) {
        g_autoptr(FakeDaemon) daemon = fakedaemon_new();
        g_autoptr(Child) child = follow(daemon, "json", "");

        child_hold_out(child, true);
        flood(daemon, PIPE_FILL);
        child_signal(child, signals[i]);
        assert_int_equal(child_wait(child), 0);
        assert_string_equal(child_err(child), "");
    }
    (void)state;
}

/* Sum of the "lost" of all lines. */
static uint64_t
lost_in(char **lines)
{
    uint64_t lost = 0;

    for (; *lines; lines++) {
        const char *member = strstr(*lines, "\"lost\":");

        if (member)
            lost += g_ascii_strtoull(member + strlen("\"lost\":"), NULL, 10);
    }
    return lost;
}

static void
what_a_slow_reader_misses_is_counted(void **state)
{
    g_autoptr(Child) child = follow(*state, "json", "");
    g_auto(GStrv) lines = NULL;
    uint64_t sent = QUEUE_FILL;

    child_hold_out(child, true);
    flood(*state, QUEUE_FILL);
    child_hold_out(child, false);
    /* Until an event is printed that was sent when the queue had room again. */
    for (bool seen = false; !seen;) {
        g_autofree char *member = g_strdup_printf("\"sequence\":%" G_GUINT64_FORMAT ",", ++sent);
        Virtksm__V1__WatchResponse next = event(sent);

        assert_true(sent < QUEUE_FILL + 200);
        assert_true(fakedaemon_send(*state, &next.base));
        run_for(100);
        seen = strstr(child_out(child), member) && g_str_has_suffix(child_out(child), "}\n");
    }
    lines = g_strsplit(child_out(child), "\n", -1);
    assert_true(lost_in(lines) > 0);
    assert_true(g_strv_length(lines) - 1 + lost_in(lines) == sent);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FAKEDAEMON_TEST(each_event_is_a_row_below_one_header),
        FAKEDAEMON_TEST(json_is_one_object_per_line),
        FAKEDAEMON_TEST(csv_has_one_header),
        FAKEDAEMON_TEST(a_reader_that_goes_away_ends_it_at_once_and_well),
        FAKEDAEMON_TEST(a_daemon_that_goes_away_is_a_failure_after_the_last_event),
        FAKEDAEMON_TEST(a_signal_ends_it_although_its_reader_sleeps),
        FAKEDAEMON_TEST(what_a_slow_reader_misses_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
