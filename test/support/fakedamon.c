/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fakedamon.c - a target on a kernel that has DAMON with two monitors */
#include "test/support/fakedamon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const numbers[] = {
    "contexts/nr_contexts",
    "contexts/0/operations",
    "contexts/0/monitoring_attrs/intervals/sample_us",
    "contexts/0/monitoring_attrs/intervals/aggr_us",
    "contexts/0/monitoring_attrs/intervals/update_us",
    "contexts/0/monitoring_attrs/nr_regions/max",
    "contexts/0/monitoring_attrs/nr_regions/min",
    "contexts/0/targets/nr_targets",
    "contexts/0/targets/0/pid_target",
    "contexts/0/schemes/nr_schemes",
};
static const char *const of_scheme[] = {
    "action",
    "access_pattern/sz/min",
    "access_pattern/sz/max",
    "access_pattern/nr_accesses/min",
    "access_pattern/nr_accesses/max",
    "access_pattern/age/min",
    "access_pattern/age/max",
};

static void
write_monitor(FakeTarget *fake, unsigned slot)
{
    g_autofree char *base = g_strdup_printf(FAKEDAMON_ADMIN "%u", slot);

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *path = g_build_filename(base, numbers[i], NULL);

        fakeroot_write(fake->root, path, "0\n");
    }
    for (unsigned scheme = 0; scheme < 4; scheme++)
        for (size_t i = 0; i < G_N_ELEMENTS(of_scheme); i++) {
            g_autofree char *path =
                g_strdup_printf("%s/contexts/0/schemes/%u/%s", base, scheme, of_scheme[i]);

            fakeroot_write(fake->root, path, "0\n");
        }
    {
        g_autofree char *state = g_build_filename(base, "state", NULL);
        g_autofree char *pid = g_build_filename(base, "pid", NULL);
        g_autofree char *words = g_build_filename(base, "contexts/0/avail_operations", NULL);

        fakeroot_write(fake->root, state, "off\n");
        fakeroot_write(fake->root, pid, "77\n");
        fakeroot_write(fake->root, words, "vaddr\nfvaddr\npaddr\n");
    }
}

void
fakedamon_count(FakeTarget *fake, unsigned scheme, unsigned kib)
{
    g_autofree char *path = g_strdup_printf(
        FAKEDAMON_ADMIN "0/contexts/0/schemes/%u/tried_regions/total_bytes", scheme);

    fakeroot_write(fake->root, path, "%u\n", kib * 1024);
}

FakeTarget *
fakedamon_new(void)
{
    FakeTarget *fake = faketarget_new();

    fakeroot_write(fake->root, FAKEDAMON_ADMIN "nr_kdamonds", "0\n");
    write_monitor(fake, 0);
    write_monitor(fake, 1);
    fakeroot_write(fake->root, "proc/77/schedstat", "5000000 1 1\n");
    for (unsigned scheme = 0; scheme < 4; scheme++)
        fakedamon_count(fake, scheme, 0);
    return fake;
}

void
fakedamon_expect(FakeTarget *fake, const char *file, const char *text)
{
    g_autofree char *line = g_strdup_printf("%s=%s;", file, text);

    if (!strstr(fake->log->str, line))
        fail_msg("%s is not in %s", line, fake->log->str);
}
