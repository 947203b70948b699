/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmpressure_test.c - levels of a v1 memory cgroup: enrolled, told apart, gone
 *
 * The cgroups are those of a fabricated root that passes for the kernel's; what is enrolled there
 * is written to, as the kernel would.
 */
#define _GNU_SOURCE
#include "agent/source/source.h"

#include <errno.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/await.h"
#include "test/support/fakeagent.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define CONTROLLER    "sys/fs/cgroup/memory/"
/* Longer than signals of one event are apart, shorter than decisions are. */
#define A_MOMENT_MS 30

typedef struct {
    int eventfd;    /* the source's */
    char level[16]; /* "low" */
} Enrolled;

static struct {
    bool is_foreign;      /* the tree does not pass for the kernel's */
    int write_errno;      /* of the next attempts to enrol; 0: it works */
    unsigned retries;     /* that have been put off */
    Enrolled enrolled[8]; /* in their order */
    unsigned n;           /* how many there are */
} kernel;

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_fstatfs(int fd, struct statfs *fs);
guint __wrap_g_timeout_add_seconds(guint interval_s, GSourceFunc function, gpointer data);

/* What a descriptor is of (the caller frees it). */
static char *
path_of(const char *fd)
{
    g_autofree char *link = g_strconcat("/proc/self/fd/", fd, NULL);

    return g_file_read_link(link, NULL);
}

/* As the kernel reads it: two descriptors of the writer, and a word. */
ssize_t
__wrap_write(int fd, const void *data, size_t size)
{
    g_autofree char *line = g_strndup(data, size);
    g_auto(GStrv) words = g_strsplit(line, " ", 3);
    Enrolled *next = &kernel.enrolled[kernel.n];
    g_autofree char *path = NULL;

    if (g_strv_length(words) != 3)
        return __real_write(fd, data, size);
    errno = kernel.write_errno;
    if (kernel.write_errno != 0)
        return -1;
    path = path_of(words[1]);
    assert_true(path && g_str_has_suffix(path, "/memory.pressure_level"));
    next->eventfd = (int)g_ascii_strtoll(words[0], NULL, 10);
    g_strlcpy(next->level, words[2], sizeof(next->level));
    assert_true(++kernel.n < G_N_ELEMENTS(kernel.enrolled));
    return (ssize_t)size;
}

int
__wrap_fstatfs(int fd, struct statfs *fs)
{
    (void)fd;
    *fs = (struct statfs){ .f_type = kernel.is_foreign ? TMPFS_MAGIC : CGROUP_SUPER_MAGIC };
    return 0;
}

guint
__wrap_g_timeout_add_seconds(guint interval_s, GSourceFunc function, gpointer data)
{
    kernel.retries++;
    return g_timeout_add(interval_s, function, data);
}

static void
make_group(Agent *agent, const char *group)
{
    g_autofree char *registry = g_strconcat(CONTROLLER, group, "cgroup.event_control", NULL);
    g_autofree char *level = g_strconcat(CONTROLLER, group, "memory.pressure_level", NULL);

    fakeroot_write(fakeagent_root(agent), registry, "%s", "");
    fakeroot_write(fakeagent_root(agent), level, "%s", "");
}

static int
setup(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    fakeagent_setup(state);
    ((Agent *)*state)->conf->policy.balloon_enable = ENABLE_OBSERVE;
    make_group(*state, "");
    return 0;
}

static int
teardown(void **state)
{
    vmpressure_source.close(*state);
    return fakeagent_teardown(state);
}

static void
assert_state(const Agent *agent, const char *when, SourceState want, const char *want_detail)
{
    fakeagent_expect_source(agent, &vmpressure_source, when, want, want_detail);
}

static bool
is_open(const Agent *agent)
{
    const char *detail = NULL;

    return vmpressure_source.state(agent, &detail) == SOURCE_OPEN;
}

/* The kernel signals a level, and with it all below. */
static void
signal_level(MemoryAlarm level)
{
    const uint64_t one = 1;

    for (MemoryAlarm each = level; each > ALARM_NONE; each--)
        assert_int_equal(__real_write(kernel.enrolled[each - 1].eventfd, &one, sizeof(one)),
                         sizeof(one));
}

static uint64_t
events(const Agent *agent)
{
    return event_hub_count(&agent->events, "vmpressure").events;
}

static void
every_level_of_the_group_of_all_domains_is_watched(void **state)
{
    static const char *const groups[] = { "machine/", "machine.slice/" };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_autofree char *path = g_strconcat(CONTROLLER, groups[i], NULL);

        kernel.n = 0;
        make_group(agent, groups[i]);
        vmpressure_source.open(agent);
        assert_state(agent, groups[i], SOURCE_OPEN, NULL);
        assert_int_equal(kernel.n, 3);
        assert_string_equal(kernel.enrolled[0].level, "low");
        assert_string_equal(kernel.enrolled[1].level, "medium");
        assert_string_equal(kernel.enrolled[2].level, "critical");
        vmpressure_source.close(agent);
        fakeroot_remove(fakeagent_root(agent), path);
    }
    assert_state(agent, "closed", SOURCE_CLOSED, NULL);
}

static void
nothing_is_watched_where_nobody_acts_on_it(void **state)
{
    static const char reason[] =
        "neither [balloon] nor [memory_high] is enabled, and nobody follows working sets";
    Agent *agent = *state;
    PolicyConf *conf = &agent->conf->policy;

    make_group(agent, "machine/");
    conf->balloon_enable = ENABLE_NO;
    vmpressure_source.open(agent);
    assert_state(agent, "as shipped", SOURCE_CLOSED, reason);
    assert_int_equal(kernel.n, 0);
    assert_int_equal(kernel.retries, 0);
    conf->balloon_enable = ENABLE_YES;
    vmpressure_source.adopt(agent);
    assert_state(agent, "enabled from now on", SOURCE_OPEN, NULL);
    assert_int_equal(kernel.n, 3);
    conf->balloon_enable = ENABLE_NO;
    vmpressure_source.adopt(agent);
    assert_state(agent, "not any more", SOURCE_CLOSED, reason);
}

static void
ignore(const Domain *domain, MeasureNews news, gpointer user)
{
    (void)domain;
    (void)news;
    (void)user;
}

static void
who_follows_working_sets_has_the_group_watched(void **state)
{
    const MeasureTap tap = { ignore, NULL };
    Agent *agent = *state;

    make_group(agent, "machine/");
    agent->conf->policy.balloon_enable = ENABLE_NO;
    measure_open(agent);
    vmpressure_source.open(agent);
    assert_state(agent, "nobody follows", SOURCE_CLOSED, "nobody follows working sets");
    measure_add_tap(agent, &tap);
    assert_state(agent, "followed", SOURCE_OPEN, NULL);
    assert_int_equal(kernel.n, 3);
    measure_remove_tap(agent, &tap);
    assert_state(agent, "left", SOURCE_CLOSED, "nobody follows working sets");
}

static void
what_wakes_several_levels_is_one_event_of_the_worst(void **state)
{
    static const MemoryAlarm rows[] = { ALARM_LOW, ALARM_CRITICAL, ALARM_MEDIUM };
    Agent *agent = *state;

    make_group(agent, "machine/");
    vmpressure_source.open(agent);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        signal_level(rows[i]);
        AWAIT(events(agent) > i);
        if (MAX(agent->tick.alarm, agent->host.alarm) != rows[i])
            fail_msg("%d: now %u, next %u", rows[i], agent->host.alarm, agent->tick.alarm);
        fakeagent_run(A_MOMENT_MS);
        assert_int_equal(events(agent), i + 1);
        agent->tick.alarmed_us = 0; /* long ago */
    }
}

static void
a_storm_is_few_events_and_fewer_decisions(void **state)
{
    Agent *agent = *state;
    gint64 begin_us;
    gint64 lasted_ms;

    make_group(agent, "machine/");
    vmpressure_source.open(agent);
    begin_us = g_get_monotonic_time();
    for (unsigned signals = 0; signals < 300 || events(agent) < 20; signals++) {
        signal_level(signals % 50 == 0 ? ALARM_CRITICAL : ALARM_LOW);
        g_main_context_iteration(NULL, FALSE);
    }
    lasted_ms = (g_get_monotonic_time() - begin_us) / 1000;
    assert_in_range(events(agent), 20, 1 + lasted_ms / 5);
    /* The first, one in 200 ms, and the regular ones. */
    assert_in_range(agent->tick.count, 1, 3 + lasted_ms / 100);
}

static void
a_group_that_is_removed_is_awaited_again(void **state)
{
    Agent *agent = *state;

    make_group(agent, "machine/");
    vmpressure_source.open(agent);
    fakeroot_remove(fakeagent_root(agent), CONTROLLER "machine");
    signal_level(ALARM_CRITICAL); /* as the kernel does then */
    AWAIT(kernel.retries == 1);
    assert_state(agent, "removed", SOURCE_WAITING, "has been removed");
    assert_int_equal(events(agent), 0);
    AWAIT(kernel.retries == 2);
    assert_state(agent, "not made yet", SOURCE_WAITING, "no cgroup for domains yet");
    make_group(agent, "machine/");
    AWAIT(is_open(agent));
    assert_state(agent, "made", SOURCE_OPEN, NULL);
    assert_int_equal(kernel.n, 6);
}

static void
what_is_in_the_way_is_told(void **state)
{
    static const struct {
        const char *when;
        bool is_foreign;
        int write_errno;
        const char *detail;
    } rows[] = {
        { "no right", false, EACCES, "cannot watch the cgroup of the domains: Permission denied" },
        { "a level that the kernel does not know", false, EINVAL, "Invalid argument" },
        { "a fabricated tree", true, 0, "not the kernel's" },
    };
    Agent *agent = *state;

    make_group(agent, "machine/");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        kernel.is_foreign = rows[i].is_foreign;
        kernel.write_errno = rows[i].write_errno;
        vmpressure_source.open(agent);
        assert_state(agent, rows[i].when, SOURCE_WAITING, rows[i].detail);
        kernel.is_foreign = false;
        kernel.write_errno = 0;
        AWAIT(is_open(agent));
        assert_state(agent, rows[i].when, SOURCE_OPEN, NULL);
        vmpressure_source.close(agent);
        kernel.n = 0;
    }
}

static void
a_host_with_version_2_has_none(void **state)
{
    Agent *agent = *state;

    fakeroot_remove(fakeagent_root(agent), CONTROLLER);
    fakeroot_write(fakeagent_root(agent), "sys/fs/cgroup/machine.slice/memory.current", "0\n");
    vmpressure_source.open(agent);
    assert_state(agent, "version 2", SOURCE_CLOSED, "no memory cgroups of version 1");
    assert_int_equal(kernel.retries, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(every_level_of_the_group_of_all_domains_is_watched),
        ON_HOST(nothing_is_watched_where_nobody_acts_on_it),
        ON_HOST(who_follows_working_sets_has_the_group_watched),
        ON_HOST(what_wakes_several_levels_is_one_event_of_the_worst),
        ON_HOST(a_storm_is_few_events_and_fewer_decisions),
        ON_HOST(a_group_that_is_removed_is_awaited_again),
        ON_HOST(what_is_in_the_way_is_told),
        ON_HOST(a_host_with_version_2_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
