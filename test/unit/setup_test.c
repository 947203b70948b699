/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* setup_test.c - how a host is set up, read from fabricated files */
#include "agent/facts/setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/config.h"
#include "policy/arith.h"
#include "test/support/fakeroot.h"

#define FLAGS  "processor\t: 0\nflags\t\t: fpu vme "
#define DAMON  "sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds"
#define MODULE "sys/module/"
#define MARK   "virtksm-hook " VIRTKSM_VERSION

static HostSetup
read_with(const FakeFile *file)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    HostSetup setup;

    if (file->path)
        fakeroot_write_table(root, file, 1);
    setup_read(fakeroot_fd(root), &setup);
    return setup;
}

static void
an_empty_host_tells_nothing(void **unused)
{
    HostSetup setup = read_with(&(FakeFile){ NULL, NULL });
    (void)unused;

    assert_false(is_known(setup.numa_nodes));
    assert_false(is_known(setup.swap_bytes));
    assert_false(is_known(setup.hook_changed_s));
    assert_false(is_known(setup.libvirtd_started_s));
    assert_string_equal(setup.thp, "");
    assert_string_equal(setup.product, "");
    assert_string_equal(setup.libvirtd, "");
    assert_int_equal(setup.pressure, PROCFILE_ABSENT);
    assert_int_equal(setup.cgroup, SETUP_CGROUP_NONE);
    assert_int_equal(setup.hook, SETUP_HOOK_ABSENT);
    assert_false(setup.is_guest);
    assert_false(setup.has_rival);
}

static void
what_is_in_the_way_of_measuring_working_sets_is_seen(void **unused)
{
    static const struct {
        const char *when;
        FakeFile files[2];
        bool is_hidden;
        const char *user; /* of DAMON; NULL: nobody */
    } rows[] = {
        { "nothing", { { NULL, NULL } }, false, NULL },
        { "no debugfs", { { "sys/kernel/mm/lru_gen/enabled", "0x0007\n" } }, true, NULL },
        { "debugfs",
          { { "sys/kernel/mm/lru_gen/enabled", "0x0007\n" }, { "sys/kernel/debug/lru_gen", "" } },
          false,
          NULL },
        { "switched off", { { "sys/kernel/mm/lru_gen/enabled", "0x0000\n" } }, false, NULL },
        { "DAMON, free", { { DAMON, "0\n" } }, false, NULL },
        { "DAMON, another's", { { DAMON, "1\n" } }, false, "another program" },
        { "DAMON, ours", { { DAMON, "61\n" } }, false, NULL },
        { "DAMON, the kernel's",
          { { DAMON, "0\n" }, { MODULE "damon_stat/parameters/enabled", "Y\n" } },
          false,
          "the kernel itself (DAMON_STAT)" },
        { "DAMON, not the kernel's",
          { { DAMON, "0\n" }, { MODULE "damon_stat/parameters/enabled", "N\n" } },
          false,
          NULL },
        { "a kernel that uses DAMON and has no files",
          { { MODULE "damon_reclaim/parameters/enabled", "Y\n" } },
          false,
          NULL },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        HostSetup setup;

        for (size_t j = 0; j < G_N_ELEMENTS(rows[i].files); j++)
            if (rows[i].files[j].path)
                fakeroot_write_table(root, &rows[i].files[j], 1);
        setup_read(fakeroot_fd(root), &setup);
        if (setup.lru_gen_hidden != rows[i].is_hidden ||
            g_strcmp0(setup.damon_user, rows[i].user) != 0)
            fail_msg("%s: hidden %d, DAMON is used by %s", rows[i].when, setup.lru_gen_hidden,
                     setup.damon_user ? setup.damon_user : "nobody");
    }
}

static void
who_moves_memory_between_nodes_is_seen(void **unused)
{
    static const struct {
        FakeFile file;
        uint64_t balancing; /* VALUE_UNKNOWN */
        bool has_numad;
    } rows[] = {
        { { "proc/sys/kernel/numa_balancing", "0\n" }, 0, false },
        { { "proc/sys/kernel/numa_balancing", "1\n" }, 1, false },
        { { "proc/sys/kernel/numa_balancing", "on\n" }, VALUE_UNKNOWN, false },
        { { "proc/77/comm", "numad\n" }, VALUE_UNKNOWN, true },
        { { "proc/77/comm", "numademo\n" }, VALUE_UNKNOWN, false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HostSetup is = read_with(&rows[i].file);

        if (is.numa_balancing != rows[i].balancing || is.has_numad != rows[i].has_numad)
            fail_msg("row %zu, %s", i, rows[i].file.path);
    }
}

/* @want: NULL: nothing */
static bool
is_text(const char *text, const char *want)
{
    return strcmp(text, want ? want : "") == 0;
}

static void
each_file_tells_its_fact(void **unused)
{
    static const struct {
        FakeFile file;
        uint64_t nodes;     /* 0: not known */
        const char *thp;    /* NULL: not told, as below */
        bool has_swap_size; /* swap_bytes are known */
        uint64_t swap_bytes;
        bool has_pressure; /* it can be read */
        SetupCgroup cgroup;
        bool is_guest;
        const char *product;
        pid_t rival; /* 0: none */
    } rows[] = {
        { { "sys/devices/system/node/online", "0-1,4\n" }, .nodes = 3 },
        { { "sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n" },
          .thp = "always" },
        { { "sys/kernel/mm/transparent_hugepage/enabled", "always madvise never\n" }, .thp = NULL },
        { { "proc/meminfo", "MemTotal: 4 kB\nSwapTotal: 0 kB\n" }, .has_swap_size = true },
        { { "proc/meminfo", "SwapTotal: 5 kB\n" }, .has_swap_size = true, .swap_bytes = 5120 },
        { { "proc/pressure/memory", "some\n" }, .has_pressure = true },
        { { "sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n" }, .cgroup = SETUP_CGROUP_V2 },
        { { "sys/fs/cgroup/cgroup.controllers", "cpu memory-not pids\n" },
          .cgroup = SETUP_CGROUP_NONE },
        { { "sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n" }, .cgroup = SETUP_CGROUP_V1 },
        { { "proc/cpuinfo", FLAGS "hypervisor\nbugs: none\n" }, .is_guest = true },
        { { "proc/cpuinfo", FLAGS "sse\nbugs: hypervisor\n" }, .is_guest = false },
        { { "sys/class/dmi/id/product_name", "Machine 9\n" }, .product = "Machine 9" },
        { { "proc/812/comm", "ksmtuned\n" }, .rival = 812 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        HostSetup is = read_with(&rows[i].file);

        if (known_or(is.numa_nodes, 0) != rows[i].nodes || !is_text(is.thp, rows[i].thp) ||
            is_known(is.swap_bytes) != rows[i].has_swap_size ||
            known_or(is.swap_bytes, 0) != rows[i].swap_bytes ||
            is.pressure != (rows[i].has_pressure ? PROCFILE_READ : PROCFILE_ABSENT) ||
            is.cgroup != rows[i].cgroup || is.is_guest != rows[i].is_guest ||
            !is_text(is.product, rows[i].product) || is.has_rival != (rows[i].rival != 0) ||
            (is.has_rival && is.rival.pid != rows[i].rival))
            fail_msg("row %zu, %s", i, rows[i].file.path);
    }
}

static void
a_dedicated_rival_comes_before_one_that_may_be_harmless(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    Rival rival;
    (void)unused;

    fakeroot_write(root, "proc/5/comm", "tuned\n");
    assert_true(rival_look(fakeroot_fd(root), &rival));
    assert_true(rival.may_not);
    fakeroot_write(root, "proc/6/comm", "momd\n");
    assert_true(rival_look(fakeroot_fd(root), &rival));
    assert_string_equal(rival.comm, "momd");
    assert_int_equal(rival.pid, 6);
    assert_false(rival.may_not);
}

/* What fakeroot writes, and a mode. */
static void
write_hook(FakeRoot *root, const char *path, const char *text, mode_t mode)
{
    g_autofree char *full = g_build_filename(fakeroot_path(root), path, NULL);

    fakeroot_write_bytes(root, path, text, strlen(text) + 1);
    assert_int_equal(chmod(full, mode), 0);
}

static void
the_hook_is_judged_by_its_version_and_mode(void **unused)
{
    static const struct {
        const char *when;
        const char *path;
        const char *text;
        mode_t mode;
        SetupHook want;
    } rows[] = {
        { "ours", SETUP_HOOK_PATH, "x" MARK, 0755, SETUP_HOOK_OURS },
        { "of a longer version", SETUP_HOOK_PATH, MARK "1", 0755, SETUP_HOOK_OTHER },
        { "something else", SETUP_HOOK_PATH, "#!/bin/sh\n", 0755, SETUP_HOOK_OTHER },
        { "not executable", SETUP_HOOK_PATH, MARK, 0644, SETUP_HOOK_NOT_EXECUTABLE },
        { "the only hook", SETUP_ONLY_HOOK, MARK, 0755, SETUP_HOOK_OURS },
        { "a script that calls it", SETUP_ONLY_HOOK, "#!/bin/sh\n50-virtksm\n", 0755,
          SETUP_HOOK_SCRIPT },
        { "a script of somebody's", SETUP_ONLY_HOOK, "#!/bin/sh\n", 0755, SETUP_HOOK_ABSENT },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        HostSetup setup;

        write_hook(root, rows[i].path, rows[i].text, rows[i].mode);
        setup_read_hook(fakeroot_fd(root), &setup);
        if (setup.hook != rows[i].want ||
            is_known(setup.hook_changed_s) != (rows[i].want != SETUP_HOOK_ABSENT))
            fail_msg("%s: %d, want %d", rows[i].when, (int)setup.hook, (int)rows[i].want);
    }
}

static void
times_of_hook_and_libvirt_are_on_one_clock(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    uint64_t now_s = (uint64_t)time(NULL);
    long ticks = sysconf(_SC_CLK_TCK);
    HostSetup setup;
    (void)unused;

    fakeroot_write(root, "proc/stat", "cpu 1 2 3\nbtime 1000\nprocesses 9\n");
    fakeroot_write(root, "proc/77/stat",
                   "77 (libvirtd) S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 %ld 0 0\n", 30 * ticks);
    write_hook(root, SETUP_HOOK_PATH, MARK, 0755);
    setup_read_hook(fakeroot_fd(root), &setup);
    assert_string_equal(setup.libvirtd, "libvirtd");
    assert_int_equal(setup.libvirtd_started_s, 1030);
    assert_in_range(setup.hook_changed_s, now_s - 60, now_s + 60);
    fakeroot_remove(root, "proc/stat");
    setup_read_hook(fakeroot_fd(root), &setup);
    assert_false(is_known(setup.libvirtd_started_s));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_host_tells_nothing),
        cmocka_unit_test(what_is_in_the_way_of_measuring_working_sets_is_seen),
        cmocka_unit_test(each_file_tells_its_fact),
        cmocka_unit_test(who_moves_memory_between_nodes_is_seen),
        cmocka_unit_test(a_dedicated_rival_comes_before_one_that_may_be_harmless),
        cmocka_unit_test(the_hook_is_judged_by_its_version_and_mode),
        cmocka_unit_test(times_of_hook_and_libvirt_are_on_one_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
