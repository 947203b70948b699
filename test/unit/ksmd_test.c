/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksmd_test.c - the right thread, and its run time */
#include "agent/facts/ksmd.h"

#include <glib.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakeroot.h"

static const FakeFile threads[] = {
    { "proc/1/stat", "1 (init) S 0 1 1 0 -1 4194560 3 3 0 2 31 54 6 6 10 -10 13 0 25 4 3\n" },
    { "proc/2/stat", "2 (kthreadd) S 0 0 0 0 -1 20 0 0 0 0 9 9 0 0 20 0 1 0 25 0 0\n" },
    { "proc/37/stat", "37 (ksmd) S 2 0 0 0 -1 2097216 0 0 0 0 7 3 0 0 25 5 1 0 29 0 0\n" },
    { "proc/37/schedstat", "113498000 3112032 21\n" },
};

static FakeRoot *
host_with_ksmd(void)
{
    FakeRoot *root = fakeroot_new();

    fakeroot_write_table(root, threads, G_N_ELEMENTS(threads));
    return root;
}

static void
assert_cpu_us(const char *when, const FakeRoot *root, uint64_t want)
{
    uint64_t have;
    Ksmd ksmd;

    ksmd_init(&ksmd, fakeroot_fd(root));
    have = ksmd_cpu_us(&ksmd);
    ksmd_done(&ksmd);
    if (have != want)
        fail_msg("%s: %" PRIu64 " us, want %" PRIu64, when, have, want);
}

static void
takes_the_run_time_of_ksmd_from_the_best_source(void **unused)
{
    uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    g_autoptr(FakeRoot) root = host_with_ksmd();
    (void)unused;

    assert_cpu_us("nanoseconds", root, 113498);
    fakeroot_write(root, "proc/37/schedstat", "0 0 0\n");
    assert_cpu_us("not counted", root, 10 * tick_us);
    fakeroot_write(root, "proc/37/schedstat", "18446744073709551615\n");
    assert_cpu_us("hostile", root, 10 * tick_us);
    fakeroot_remove(root, "proc/37/schedstat");
    assert_cpu_us("not there", root, 10 * tick_us);
    fakeroot_write(root, "proc/37/stat", "37 (ksmd) S 2 0 0\n");
    assert_cpu_us("short line", root, VALUE_UNKNOWN);
}

static void
takes_only_the_kernel_thread_for_ksmd(void **unused)
{
    static const struct {
        const char *when;
        const char *stat;
    } rows[] = {
        { "program of that name",
          "37 (ksmd) S 1 0 0 0 -1 2097216 0 0 0 0 7 3 0 0 25 5 1 0 29 0 0\n" },
        { "name made to look like it",
          "37 (x) S 2 (ksmd) S 1 0 0 0 -1 20 0 0 0 0 7 3 0 0 25 5 1 0 29 0 0\n" },
        { "other kernel thread",
          "37 (ksmd2) S 2 0 0 0 -1 2097216 0 0 0 0 7 3 0 0 25 5 1 0 29 0 0\n" },
        { "damaged", "37 (ksmd\n" },
        { "empty", "" },
    };
    g_autoptr(FakeRoot) root = host_with_ksmd();
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, "proc/37/stat", "%s", rows[i].stat);
        assert_cpu_us(rows[i].when, root, VALUE_UNKNOWN);
    }
}

static void
finds_ksmd_again_after_a_while(void **unused)
{
    g_autoptr(FakeRoot) root = host_with_ksmd();
    uint64_t cpu_us = VALUE_UNKNOWN;
    unsigned calls = 0;
    Ksmd ksmd;
    (void)unused;

    ksmd_init(&ksmd, fakeroot_fd(root));
    assert_int_equal(ksmd.pid, 37);
    fakeroot_remove(root, "proc/37");
    assert_true(ksmd_cpu_us(&ksmd) == VALUE_UNKNOWN);

    fakeroot_write(root, "proc/41/stat", "41 (ksmd) S 2 0 0\n");
    fakeroot_write(root, "proc/41/schedstat", "5000 0 0\n");
    for (; !is_known(cpu_us) && calls < 1000; calls++)
        cpu_us = ksmd_cpu_us(&ksmd);
    assert_int_equal(cpu_us, 5);
    assert_int_equal(ksmd.pid, 41);
    /* Rarely enough that the search costs nothing, often enough that a person need not wait. */
    assert_in_range(calls, 10, 100);
    ksmd_done(&ksmd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_run_time_of_ksmd_from_the_best_source),
        cmocka_unit_test(takes_only_the_kernel_thread_for_ksmd),
        cmocka_unit_test(finds_ksmd_again_after_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
