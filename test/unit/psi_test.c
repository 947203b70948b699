/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * psi_test.c - triggers of the host and of domains: set, refused, fired, gone
 *
 * The kernel is a TCP connection for each pressure file: urgent data on it looks like an event of
 * PSI to poll(), and a reset like the end of what is watched.
 */
#define _GNU_SOURCE
#include "agent/source/source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/source/psi_domain.h"
#include "test/support/await.h"
#include "test/support/fakeagent.h"

#define ON_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define FILES_MAX     16
#define LINE_BYTES    64

/* A pressure file that is open in the source. */
typedef struct {
    int fd;                /* the source's */
    int peer_fd;           /* the kernel's; -1: closed */
    char line[LINE_BYTES]; /* the trigger that was taken */
} File;

static struct {
    bool is_real;       /* the files are those of the fabricated root */
    bool is_cheap;      /* no connection behind them: nothing will be fired */
    bool is_privileged; /* windows of one second are allowed */
    int open_errno;     /* of the next attempts to open; 0: it works */
    int write_errno;    /* of the next attempts to set a trigger; 0: it works */
    unsigned retries;   /* that have been put off */
    File files[FILES_MAX];
    unsigned n; /* files in use */
} kernel;

int __real_openat(int dir_fd, const char *path, int flags, ...);
int __wrap_openat(int dir_fd, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_fstatfs(int fd, struct statfs *fs);
int __wrap_fstatfs(int fd, struct statfs *fs);
guint __wrap_g_timeout_add_seconds(guint interval_s, GSourceFunc function, gpointer data);

static void
connect_pair(int fds[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, size), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
    close(listener);
}

int
__wrap_openat(int dir_fd, const char *path, int flags, ...)
{
    int fds[2];

    if (!g_str_has_suffix(path, "pressure/memory") && !g_str_equal(path, "memory.pressure"))
        return __real_openat(dir_fd, path, flags, 0);
    if ((flags & O_ACCMODE) != O_RDWR || kernel.is_real)
        return __real_openat(dir_fd, path, flags, 0);
    errno = kernel.open_errno;
    if (kernel.open_errno != 0)
        return -1;
    if (kernel.is_cheap)
        return __real_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    assert_true(kernel.n < FILES_MAX);
    connect_pair(fds);
    kernel.files[kernel.n++] = (File){ .fd = fds[0], .peer_fd = fds[1] };
    return fds[0];
}

static File *
find_file(int fd)
{
    for (unsigned i = kernel.n; i > 0; i--)
        if (kernel.files[i - 1].fd == fd)
            return &kernel.files[i - 1];
    return NULL;
}

ssize_t
__wrap_write(int fd, const void *data, size_t size)
{
    File *file = find_file(fd);
    const char *line = data;

    if (!file)
        return __real_write(fd, data, size);
    errno = kernel.write_errno;
    if (kernel.write_errno != 0)
        return -1;
    errno = EINVAL; /* the last byte is cut off, whatever it is */
    if (size < 2 || size > LINE_BYTES || (line[size - 1] != '\0' && line[size - 1] != '\n'))
        return -1;
    if (!kernel.is_privileged && strstr(line, " 2000000") == NULL)
        return -1;
    memcpy(file->line, line, size);
    return (ssize_t)size;
}

int
__wrap_fstatfs(int fd, struct statfs *fs)
{
    if (!kernel.is_cheap && !find_file(fd))
        return __real_fstatfs(fd, fs);
    *fs = (struct statfs){ .f_type = PROC_SUPER_MAGIC };
    return 0;
}

guint
__wrap_g_timeout_add_seconds(guint interval_s, GSourceFunc function, gpointer data)
{
    kernel.retries++;
    return g_timeout_add(interval_s, function, data);
}

static int
setup(void **state)
{
    memset(&kernel, 0, sizeof(kernel));
    kernel.is_privileged = true;
    if (fakeagent_setup(state) != 0)
        return -1;
    ((Agent *)*state)->conf->policy.balloon_enable = ENABLE_OBSERVE;
    return 0;
}

static int
teardown(void **state)
{
    psi_source.close(*state);
    for (unsigned i = 0; i < kernel.n; i++)
        if (kernel.files[i].peer_fd >= 0)
            close(kernel.files[i].peer_fd);
    return fakeagent_teardown(state);
}

static SourceState
state_of(const Agent *agent, const char **ret_detail)
{
    *ret_detail = NULL;
    return psi_source.state(agent, ret_detail);
}

static bool
is_open(const Agent *agent)
{
    const char *detail;

    return state_of(agent, &detail) == SOURCE_OPEN;
}

static void
assert_state(const Agent *agent, const char *when, SourceState want, const char *want_detail)
{
    fakeagent_expect_source(agent, &psi_source, when, want, want_detail);
}

/* One event of the kernel; like PSI, it is over once it has been seen. */
static void
fire(const Agent *agent, const File *file)
{
    uint64_t before = event_hub_count(&agent->events, "psi").events;
    char byte;

    assert_int_equal(send(file->peer_fd, "!", 1, MSG_OOB), 1);
    AWAIT(event_hub_count(&agent->events, "psi").events > before);
    recv(file->fd, &byte, 1, MSG_OOB | MSG_DONTWAIT);
}

/* What is watched goes away. */
static void
reset(File *file)
{
    const struct linger now = { 1, 0 };

    setsockopt(file->peer_fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(file->peer_fd);
    file->peer_fd = -1;
}

static bool
is_closed(File *file)
{
    char byte;

    /* With an event that nobody has seen it is a reset. */
    return recv(file->peer_fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

static void
some_and_full_are_watched_in_the_shortest_window_that_is_allowed(void **state)
{
    static const struct {
        const char *when;
        bool is_privileged;
        const char *some;
        const char *full;
    } rows[] = {
        { "privileged", true, "some 100000 1000000", "full 50000 1000000" },
        { "without CAP_SYS_RESOURCE", false, "some 200000 2000000", "full 100000 2000000" },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const File *files = &kernel.files[kernel.n];

        kernel.is_privileged = rows[i].is_privileged;
        psi_source.open(agent);
        assert_state(agent, rows[i].when, SOURCE_OPEN, NULL);
        if (strcmp(files[0].line, rows[i].some) != 0 || strcmp(files[1].line, rows[i].full) != 0)
            fail_msg("%s: \"%s\", \"%s\"", rows[i].when, files[0].line, files[1].line);
        psi_source.close(agent);
        assert_state(agent, "closed", SOURCE_CLOSED, NULL);
    }
}

static void
nothing_is_watched_where_nobody_acts_on_it(void **state)
{
    static const char reason[] =
        "neither [balloon] nor [memory_high] is enabled, and nobody follows working sets";
    Agent *agent = *state;
    PolicyConf *conf = &agent->conf->policy;

    conf->balloon_enable = ENABLE_NO;
    psi_source.open(agent);
    assert_state(agent, "as shipped", SOURCE_CLOSED, reason);
    assert_int_equal(kernel.n, 0);
    conf->high_enable = ENABLE_OBSERVE;
    for (int i = 0; i < 2; i++) /* the second time nothing is new */
        psi_source.adopt(agent);
    assert_state(agent, "observed from now on", SOURCE_OPEN, NULL);
    assert_int_equal(kernel.n, 2);
    conf->high_enable = ENABLE_NO;
    for (int i = 0; i < 2; i++)
        psi_source.adopt(agent);
    assert_state(agent, "not any more", SOURCE_CLOSED, reason);
    assert_true(is_closed(&kernel.files[0]) && is_closed(&kernel.files[1]));
}

static void
what_is_in_the_way_is_told_and_tried_again_if_it_may_pass(void **state)
{
    static const struct {
        const char *when;
        int open_errno;
        int write_errno;
        SourceState want;
        const char *detail;
    } rows[] = {
        { "no PSI", ENOENT, 0, SOURCE_CLOSED, "No such file" },
        { "PSI switched off", 0, EOPNOTSUPP, SOURCE_CLOSED, "not supported" },
        { "no right to write", EACCES, 0, SOURCE_WAITING, "Permission denied" },
        { "no memory", 0, ENOMEM, SOURCE_WAITING, "Cannot allocate memory" },
        { "no window is allowed", 0, EINVAL, SOURCE_WAITING, "Invalid argument" },
    };
    Agent *agent = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        unsigned retries = kernel.retries;

        kernel.open_errno = rows[i].open_errno;
        kernel.write_errno = rows[i].write_errno;
        psi_source.open(agent);
        assert_state(agent, rows[i].when, rows[i].want, rows[i].detail);
        assert_state(agent, rows[i].when, rows[i].want, "proc/pressure/memory");
        assert_int_equal(kernel.retries - retries, rows[i].want == SOURCE_WAITING);
        kernel.open_errno = kernel.write_errno = 0;
        AWAIT(is_open(agent) || rows[i].want == SOURCE_CLOSED);
        assert_state(agent, rows[i].when,
                     rows[i].want == SOURCE_WAITING ? SOURCE_OPEN : SOURCE_CLOSED,
                     rows[i].want == SOURCE_WAITING ? NULL : rows[i].detail);
        psi_source.close(agent);
    }
}

static void
a_file_that_is_not_the_kernels_is_not_written_to(void **state)
{
    Agent *agent = *state;
    g_autofree char *path =
        g_build_filename(fakeroot_path(fakeagent_root(agent)), "proc/pressure/memory", NULL);
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;

    kernel.is_real = true;
    g_file_get_contents(path, &before, NULL, NULL);
    psi_source.open(agent);
    assert_state(agent, "a fabricated root", SOURCE_CLOSED, "memory: not the kernel's");
    g_file_get_contents(path, &after, NULL, NULL);
    assert_non_null(before);
    assert_string_equal(before, after);
}

static void
an_event_is_counted_and_makes_a_decision_on_its_alarm(void **state)
{
    Agent *agent = *state;

    psi_source.open(agent);
    fire(agent, &kernel.files[0]);
    assert_int_equal(agent->tick.count, 1);
    assert_int_equal(agent->host.alarm, ALARM_MEDIUM);
    agent->tick.alarmed_us = 0; /* long ago */
    fire(agent, &kernel.files[1]);
    assert_int_equal(agent->host.alarm, ALARM_CRITICAL);
    assert_int_equal(event_hub_count(&agent->events, "psi").events, 2);
    assert_state(agent, "after events", SOURCE_OPEN, NULL);
}

static void
a_watch_that_the_kernel_ends_is_begun_again(void **state)
{
    Agent *agent = *state;

    psi_source.open(agent);
    reset(&kernel.files[1]);
    AWAIT(kernel.retries > 0);
    assert_state(agent, "ended", SOURCE_WAITING, "ended the watch");
    assert_int_equal(event_hub_count(&agent->events, "psi").events, 0);
    AWAIT(is_open(agent));
    assert_state(agent, "again", SOURCE_OPEN, NULL);
    assert_int_equal(kernel.n, 4);
    assert_true(is_closed(&kernel.files[0])); /* both went */
}

/* A domain with a limit of ours, in a cgroup of version 2. */
static Domain *
add_limited(Agent *agent, const char *uuid)
{
    Domain *domain = domain_table_add(&agent->domains, uuid, uuid, 1, 0);

    domain->plan.lease_us = 1;
    domain->plan.high_apply = true;
    domain->cgroup = (Cgroup){ .version = CGROUP_V2, .dir_fd = dup(agent->root_fd) };
    return domain;
}

static void
follow(Agent *agent)
{
    g_autoptr(GPtrArray) all = domain_table_sorted(&agent->domains);

    psi_source_follow(agent->psi, all);
}

static void
a_domain_is_watched_while_it_is_under_a_limit(void **state)
{
    Agent *agent = *state;
    Domain *domain;

    psi_source.open(agent);
    domain = add_limited(agent, "a");
    follow(agent);
    follow(agent);
    assert_int_equal(kernel.n, 3);
    assert_string_equal(kernel.files[2].line, "some 10000 1000000");
    domain->plan.lease_us = 0;
    follow(agent);
    assert_true(is_closed(&kernel.files[2]));

    domain->plan.lease_us = 2;
    domain->plan.high_apply = false; /* observed: there is no limit */
    follow(agent);
    assert_int_equal(kernel.n, 3);
    domain->plan.high_apply = true;
    follow(agent);
    assert_int_equal(kernel.n, 4);
    assert_true(domain_table_remove(&agent->domains, "a"));
    follow(agent);
    assert_true(is_closed(&kernel.files[3]));
}

static void
a_domain_that_waits_makes_a_decision_without_alarming_the_host(void **state)
{
    Agent *agent = *state;

    psi_source.open(agent);
    add_limited(agent, "a");
    follow(agent);
    fire(agent, &kernel.files[2]); /* policy has no limit in mind, so the decision ends the watch */
    assert_int_equal(agent->tick.count, 1);
    assert_int_equal(agent->host.alarm, ALARM_NONE);
    assert_int_equal(event_hub_count(&agent->events, "psi").events, 1);
    assert_true(is_closed(&kernel.files[2]));
}

static void
a_cgroup_that_is_gone_is_watched_no_more(void **state)
{
    Agent *agent = *state;
    const char *detail;

    psi_source.open(agent);
    add_limited(agent, "a");
    follow(agent);
    reset(&kernel.files[2]);
    AWAIT(state_of(agent, &detail) == SOURCE_OPEN && detail);
    assert_int_equal(agent->tick.count, 0);
    follow(agent);
    assert_int_equal(kernel.n, 3);
    assert_state(agent, "gone", SOURCE_OPEN, "1 domains");
}

static void
only_so_many_domains_are_watched(void **state)
{
    Agent *agent = *state;
    g_autoptr(GPtrArray) all = NULL;

    kernel.is_cheap = true;
    psi_source.open(agent);
    for (unsigned i = 0; i < PSI_DOMAINS_MAX + 44; i++) {
        g_autofree char *uuid = g_strdup_printf("%03u", i);

        add_limited(agent, uuid);
    }
    follow(agent);
    assert_state(agent, "too many", SOURCE_OPEN, "44 domains under a limit are not watched");
    all = domain_table_sorted(&agent->domains);
    for (unsigned i = 0; i < 100; i++)
        ((Domain *)g_ptr_array_index(all, i))->plan.lease_us = 0;
    follow(agent);
    assert_state(agent, "not tried again", SOURCE_OPEN, "44 domains");
    for (unsigned i = 0; i < all->len; i++)
        ((Domain *)g_ptr_array_index(all, i))->plan.lease_us = i < 200;
    follow(agent);
    assert_state(agent, "room again", SOURCE_OPEN, NULL);
}

static void
a_domain_without_version_2_is_not_watched(void **state)
{
    Agent *agent = *state;

    psi_source.open(agent);
    add_limited(agent, "a")->cgroup.version = CGROUP_V1;
    follow(agent);
    assert_int_equal(kernel.n, 2);
    assert_state(agent, "version 1", SOURCE_OPEN, "1 domains");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_HOST(some_and_full_are_watched_in_the_shortest_window_that_is_allowed),
        ON_HOST(nothing_is_watched_where_nobody_acts_on_it),
        ON_HOST(what_is_in_the_way_is_told_and_tried_again_if_it_may_pass),
        ON_HOST(a_file_that_is_not_the_kernels_is_not_written_to),
        ON_HOST(an_event_is_counted_and_makes_a_decision_on_its_alarm),
        ON_HOST(a_watch_that_the_kernel_ends_is_begun_again),
        ON_HOST(a_domain_is_watched_while_it_is_under_a_limit),
        ON_HOST(a_domain_that_waits_makes_a_decision_without_alarming_the_host),
        ON_HOST(a_cgroup_that_is_gone_is_watched_no_more),
        ON_HOST(only_so_many_domains_are_watched),
        ON_HOST(a_domain_without_version_2_is_not_watched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
