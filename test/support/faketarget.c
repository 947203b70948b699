/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* faketarget.c - a domain for a backend of working sets to measure, and a log of what it writes */
#define _GNU_SOURCE

#include "test/support/faketarget.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"

/* The one whose tree is written to. */
static FakeTarget *current;

ssize_t __real_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);

/* Path below the root of what a descriptor is open on; NULL: it is elsewhere. */
static char *
path_below_root(int fd)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *path = g_file_read_link(link, NULL);
    const char *root = current ? fakeroot_path(current->root) : NULL;

    if (!path || !root || !g_str_has_prefix(path, root))
        return NULL;
    return g_strdup(path + strlen(root) + 1);
}

ssize_t
__wrap_write(int fd, const void *buffer, size_t size)
{
    g_autofree char *path = path_below_root(fd);
    g_autofree char *text = NULL;
    g_autofree char *both = NULL;
    int result = -1;

    if (!path)
        return __real_write(fd, buffer, size);
    text = g_strchomp(g_strndup(buffer, size));
    both = g_strdup_printf("%s=%s", path, text);
    g_string_append_printf(current->log, "%s;", both);
    if (current->refuses && g_pattern_match_simple(current->refuses, both))
        result = current->refusal;
    else if (current->hook)
        result = current->hook(current, path, text);
    if (result == -1)
        return ftruncate(fd, 0) == 0 ? __real_write(fd, buffer, size) : -1;
    errno = result;
    return result == 0 ? (ssize_t)size : -1;
}

FakeTarget *
faketarget_new(void)
{
    FakeTarget *fake = g_new0(FakeTarget, 1);

    fake->root = fakeroot_new();
    fake->log = g_string_new(NULL);
    fakeroot_write(fake->root, "proc/42/status",
                   "VmRSS:\t     400 kB\nRssAnon:\t     396 kB\n"
                   "RssShmem:\t       4 kB\n");
    fakeroot_write(fake->root, "proc/42/maps", "7f0000000000-7f0040000000 rw-p 0 00:00 0\n");
    fakeroot_write(fake->root, "sys/devices/system/node/online", "0\n");
    fake->host = (WorkingSetHost){ .root_fd = fakeroot_fd(fake->root),
                                   .age_us = 10 * FAKETARGET_S,
                                   .interval_us = 60 * FAKETARGET_S,
                                   .share_bp = 50 };
    assert_true(working_set_edges_parse("1,10,60", &fake->host.edges));
    fake->target = (WorkingSetTarget){
        .host = &fake->host,
        .pid = FAKETARGET_PID,
        .dir_fd = openat(fakeroot_fd(fake->root), "proc/42", O_PATH | O_DIRECTORY | O_CLOEXEC),
        .cgroup = g_strdup("/vm"),
        .is_v2 = true,
        .guest = { VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN, VALUE_UNKNOWN,
                   VALUE_UNKNOWN, 0 },
    };
    assert_true(fake->target.dir_fd >= 0);
    current = fake;
    return fake;
}

void
faketarget_free(FakeTarget *fake)
{
    if (!fake)
        return;
    current = NULL;
    close(fake->target.dir_fd);
    g_free(fake->target.cgroup);
    g_string_free(fake->log, TRUE);
    fakeroot_free(fake->root);
    g_free(fake);
}

void
faketarget_expect_refusal(const char *when, FakeTarget *fake, const WorkingSetBackend *backend,
                          const char *why)
{
    g_autoptr(GError) error = NULL;
    gpointer state = NULL;

    if (backend->open(&fake->target, &state, &error) || !strstr(error->message, why))
        fail_msg("%s: %s", when, error ? error->message : "opened");
}

void
faketarget_refuse(FakeTarget *fake, const char *pattern, int code)
{
    fake->refuses = pattern;
    fake->refusal = code;
}

uint64_t
faketarget_kib(const WorkingSetReading *reading, int32_t node, uint32_t bin, WorkingSetKind kind)
{
    for (uint32_t i = 0; i < reading->n_nodes; i++)
        if (reading->nodes[i].node == node)
            return reading->nodes[i].bins[bin].bytes[kind] / 1024;
    fail_msg("no node %" PRId32, node);
    return 0;
}

void
faketarget_expect_bins(const char *when, const WorkingSetReading *reading, int32_t node,
                       const uint64_t *want)
{
    for (uint32_t b = 0; b < 4; b++) {
        uint64_t have = faketarget_kib(reading, node, b, WORKING_SET_ANON);

        if (have != want[b])
            fail_msg("%s: bin %" PRIu32 " has %" PRIu64 " KiB, want %" PRIu64, when, b, have,
                     want[b]);
    }
}
