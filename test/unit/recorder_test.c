/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recorder_test.c - the loop goes on, whatever the disk does
 *
 * Time is the test's: both clocks are moved on by hand, and the timer's callback is called by hand.
 * A disk that hangs is SQLite's call to the system, held up until the test lets it go.
 */
#define _GNU_SOURCE
#include "agent/recorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <sqlite3.h>

#include "agent/error.h"
#include "test/support/await.h"
#include "test/support/fakeagent.h"
#include "test/support/skipclock.h"

#define S    INT64_C(1000000)
#define UUID "11111111-2222-3333-4444-000000000001"
/* What does not wait for the disk is done within this, on a slow machine too. */
#define PATIENCE_US (20 * S)

guint __real_g_timeout_add(guint interval, GSourceFunc function, gpointer data);
guint __wrap_g_timeout_add(guint interval, GSourceFunc function, gpointer data);

/* What the recorder wants to be called with, every ten seconds. */
static GSourceFunc sample;
static gpointer sample_data;
/* Held while the disk hangs. */
static GMutex disk;

guint
__wrap_g_timeout_add(guint interval, GSourceFunc function, gpointer data)
{
    if (interval == 10000) {
        sample = function;
        sample_data = data;
        interval = G_MAXINT;
    } else if (interval == 1000) {
        interval = 20; /* for a disk that hangs, the end waits less here */
    }
    return __real_g_timeout_add(interval, function, data);
}

static ssize_t
slow_pwrite(int fd, const void *data, size_t length, off_t offset)
{
    g_mutex_lock(&disk);
    g_mutex_unlock(&disk);
    return pwrite(fd, data, length, offset);
}

static void
use_slow_disk(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)slow_pwrite);
    vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)slow_pwrite);
}

/* When it closes the database, SQLite removes the log. */
static int
slow_unlink(const char *path)
{
    if (g_main_context_is_owner(NULL))
        fail_msg("%s is removed on the loop", path);
    g_mutex_lock(&disk);
    g_mutex_unlock(&disk);
    return unlink(path);
}

/* The agent's state directory, which this test's history is in. */
static char *state_dir;

static int
setup(void **state)
{
    Agent *agent;

    fakeagent_setup(state);
    agent = *state;
    state_dir = g_build_filename(fakeroot_path(fakeagent_root(agent)), "history", NULL);
    g_mkdir(state_dir, 0700);
    agent->options.state_dir = state_dir;
    domain_table_add(&agent->domains, UUID, "web", 1, 0);
    /* So that a moment of waiting does not end the first minute. */
    skipclock_pass(60 * S - g_get_real_time() % (60 * S));
    return 0;
}

static int
teardown(void **state)
{
    Agent *agent = *state;

    g_clear_pointer(&agent->recorder, recorder_close);
    g_clear_pointer(&state_dir, g_free);
    return fakeagent_teardown(state);
}

static void
pass_minutes(unsigned minutes)
{
    for (unsigned i = 0; i < minutes * 6; i++) {
        skipclock_pass(10 * S);
        sample(sample_data);
    }
}

static bool
is_recording(const Agent *agent)
{
    return recorder_status(agent->recorder).is_recording;
}

static bool
has_written(const Agent *agent)
{
    RecorderStatus status = recorder_status(agent->recorder);

    return status.is_recording && status.written_us != 0 && status.waiting == 0;
}

/* What could not be written is back, and waits. */
static bool
has_failed(const Agent *agent)
{
    RecorderStatus status = recorder_status(agent->recorder);

    return !status.is_recording && status.detail && status.waiting > 0;
}

/* What came back for a question. */
typedef struct {
    HistoryAnswer *answer; /* owned */
    unsigned answers;
} Reply;

static void
take_reply(HistoryAnswer *answer, const GError *error, gpointer user)
{
    Reply *reply = user;

    (void)error;
    history_answer_free(reply->answer);
    reply->answer = answer;
    reply->answers++;
}

static void
drop_reply(gpointer user)
{
    ((Reply *)user)->answers += 100;
}

static void
ask(Agent *agent, Reply *reply)
{
    int64_t now_s = g_get_real_time() / S;
    HistoryQuery query = { "web", now_s - 90000, now_s + 90000, HISTORY_DAY };

    recorder_query(agent->recorder, &query, take_reply, reply, drop_reply);
}

/* Seconds that the domain ran, as the history has it. */
static double
running_s(Agent *agent)
{
    Reply reply = { NULL, 0 };
    const HistoryRecord *total;
    double seconds;

    ask(agent, &reply);
    AWAIT(reply.answers > 0);
    if (!reply.answer)
        return 0;
    total = g_ptr_array_index(reply.answer->totals, 0);
    seconds = (double)total->sums.values[0] / (double)S;
    history_answer_free(reply.answer);
    return seconds;
}

static void
a_minute_is_written_when_it_has_ended_and_can_be_asked_for(void **state)
{
    Agent *agent = *state;

    agent->recorder = recorder_open(agent);
    AWAIT(is_recording(agent));
    assert_int_equal(recorder_status(agent->recorder).written_us, 0);
    pass_minutes(1);
    AWAIT(has_written(agent));
    assert_in_range((uintmax_t)running_s(agent), 59, 60);
    assert_null(recorder_status(agent->recorder).detail);
    assert_in_range(recorder_status(agent->recorder).size_bytes, 4096, 1048576);
}

static void
the_end_writes_the_minute_under_way(void **state)
{
    Agent *agent = *state;

    agent->recorder = recorder_open(agent);
    for (unsigned i = 0; i < 3; i++) {
        skipclock_pass(10 * S);
        sample(sample_data);
    }
    skipclock_pass(5 * S);
    recorder_close(agent->recorder);
    agent->recorder = recorder_open(agent);
    assert_in_range((uintmax_t)running_s(agent), 35, 36);
}

static void
the_time_of_a_domain_counts_until_its_end(void **state)
{
    Agent *agent = *state;
    const Event end = { .kind = EVENT_DESTROYED, .source = "test", .uuid = UUID, .id = 1 };

    agent->recorder = recorder_open(agent);
    AWAIT(is_recording(agent));
    skipclock_pass(10 * S);
    sample(sample_data);
    skipclock_pass(7 * S);
    event_post(agent, &end);
    pass_minutes(1);
    AWAIT(has_written(agent));
    assert_in_range((uintmax_t)running_s(agent), 17, 18);
}

static void
what_cannot_be_written_waits_until_it_can(void **state)
{
    Agent *agent = *state;

    g_rmdir(state_dir);
    assert_true(g_file_set_contents(state_dir, "in the way", -1, NULL));
    agent->recorder = recorder_open(agent);
    for (unsigned i = 0; i < 5; i++) {
        pass_minutes(1);
        AWAIT(has_failed(agent));
    }
    assert_non_null(strstr(recorder_status(agent->recorder).detail, "Not a directory"));
    assert_true(running_s(agent) == 0);
    g_unlink(state_dir);
    g_mkdir(state_dir, 0700);
    pass_minutes(1);
    AWAIT(has_written(agent));
    assert_in_range((uintmax_t)running_s(agent), 6 * 60 - 1, 6 * 60);
    assert_int_equal(recorder_status(agent->recorder).lost, 0);
}

static void
what_waits_for_more_than_an_hour_is_dropped_and_counted(void **state)
{
    Agent *agent = *state;

    g_rmdir(state_dir);
    assert_true(g_file_set_contents(state_dir, "in the way", -1, NULL));
    agent->recorder = recorder_open(agent);
    for (unsigned i = 0; i < 70; i++) {
        pass_minutes(1);
        AWAIT(has_failed(agent));
    }
    assert_in_range(recorder_status(agent->recorder).waiting, 58, 61);
    assert_in_range(recorder_status(agent->recorder).lost, 8, 12);
}

static void
a_disk_that_hangs_stops_neither_the_loop_nor_the_end(void **state)
{
    Agent *agent = *state;
    Reply reply = { NULL, 0 };
    gint64 begin_us;

    agent->recorder = recorder_open(agent);
    AWAIT(is_recording(agent));
    use_slow_disk();
    g_mutex_lock(&disk);
    begin_us = g_get_monotonic_time();
    pass_minutes(90);
    fakeagent_run(10);
    assert_true(g_get_monotonic_time() - begin_us < 90 * 60 * S + PATIENCE_US);
    for (unsigned i = 0; i < 8; i++)
        ask(agent, &reply);
    assert_int_equal(reply.answers, 0);
    assert_in_range(recorder_status(agent->recorder).waiting, 60, 60);
    begin_us = g_get_monotonic_time();
    g_clear_pointer(&agent->recorder, recorder_close);
    assert_in_range((uintmax_t)(g_get_monotonic_time() - begin_us), 0, PATIENCE_US);
    g_mutex_unlock(&disk);
    /* The jobs end by themselves, and the last one closes the database. */
    AWAIT(reply.answers == 800);
    agent->recorder = recorder_open(agent);
    AWAIT(is_recording(agent));
    assert_null(recorder_status(agent->recorder).detail);
}

static void
a_database_that_takes_long_to_close_does_not_hold_up_the_end(void **state)
{
    Agent *agent = *state;
    g_autofree char *log = g_build_filename(state_dir, HISTORY_FILE "-wal", NULL);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    agent->recorder = recorder_open(agent);
    AWAIT(is_recording(agent));
    pass_minutes(1);
    AWAIT(has_written(agent));
    vfs->xSetSystemCall(vfs, "unlink", (sqlite3_syscall_ptr)slow_unlink);
    g_mutex_lock(&disk);
    g_clear_pointer(&agent->recorder, recorder_close);
    assert_true(g_file_test(log, G_FILE_TEST_EXISTS));
    g_mutex_unlock(&disk);
    AWAIT(!g_file_test(log, G_FILE_TEST_EXISTS));
}

static void
damage_is_told(void **state)
{
    Agent *agent = *state;
    g_autofree char *path = g_build_filename(state_dir, HISTORY_FILE, NULL);

    assert_true(g_file_set_contents(path, "damaged", -1, NULL));
    agent->recorder = recorder_open(agent);
    AWAIT(is_recording(agent));
    assert_non_null(strstr(recorder_status(agent->recorder).detail, ".corrupt-"));
    pass_minutes(1);
    AWAIT(has_written(agent));
    assert_non_null(strstr(recorder_status(agent->recorder).detail, ".corrupt-"));
}

static void
a_database_that_is_removed_is_told_and_begun_anew(void **state)
{
    Agent *agent = *state;
    g_autofree char *path = g_build_filename(state_dir, HISTORY_FILE, NULL);

    agent->recorder = recorder_open(agent);
    AWAIT(is_recording(agent));
    assert_null(recorder_status(agent->recorder).detail);
    assert_int_equal(g_unlink(path), 0);
    pass_minutes(1);
    AWAIT(has_written(agent));
    assert_non_null(recorder_status(agent->recorder).detail);
    assert_non_null(strstr(recorder_status(agent->recorder).detail, "was removed or replaced"));
    assert_true(g_file_test(path, G_FILE_TEST_IS_REGULAR));
    recorder_close(agent->recorder);
    agent->recorder = recorder_open(agent);
    assert_in_range((uintmax_t)running_s(agent), 59, 60);
}

int
main(void)
{
#define RECORDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RECORDER_TEST(a_minute_is_written_when_it_has_ended_and_can_be_asked_for),
        RECORDER_TEST(the_end_writes_the_minute_under_way),
        RECORDER_TEST(the_time_of_a_domain_counts_until_its_end),
        RECORDER_TEST(what_cannot_be_written_waits_until_it_can),
        RECORDER_TEST(what_waits_for_more_than_an_hour_is_dropped_and_counted),
        RECORDER_TEST(a_disk_that_hangs_stops_neither_the_loop_nor_the_end),
        RECORDER_TEST(a_database_that_takes_long_to_close_does_not_hold_up_the_end),
        RECORDER_TEST(damage_is_told),
        RECORDER_TEST(a_database_that_is_removed_is_told_and_begun_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
