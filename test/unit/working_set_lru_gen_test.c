/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_lru_gen_test.c - generations that are made, read and believed */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/faketarget.h"

#define S FAKETARGET_S

#include <unistd.h>

#define LRU_GEN "sys/kernel/debug/lru_gen"
#define ENABLED "sys/kernel/mm/lru_gen/enabled"
/* Pages are counted in quantities that come to whole KiB whatever the size of a page. */
#define PAGE_KIB ((uint64_t)sysconf(_SC_PAGESIZE) / 1024)

/* What the file shows after the next agings, in turn; NULL: the last one again. */
static const char *const *script;
static size_t agings;

static int
age(FakeTarget *fake, const char *path, const char *text)
{
    (void)text;
    if (!g_str_equal(path, LRU_GEN))
        return -1;
    if (script[agings])
        fakeroot_write(fake->root, LRU_GEN, "%s", script[agings++]);
    return 0;
}

static FakeTarget *
kernel_with_generations(const char *first, const char *const *after)
{
    FakeTarget *fake = faketarget_new();

    fakeroot_write(fake->root, ENABLED, "0x0007\n");
    fakeroot_write(fake->root, LRU_GEN, "%s", first);
    fake->hook = age;
    script = after;
    agings = 0;
    return fake;
}

#define OTHERS "memcg     1 /\n node     0\n          0      99        5000           5000\n"
/* Others before and behind, one whose name begins with ours, and one below ours. */
static const char before_all[] = OTHERS "memcg    29 /vm/libvirt\n node     0\n"
                                        "          2      19812        100           10 \n"
                                        "          3      19812          0           0 \n"
                                        "memcg    30 /vmother\n node     0\n"
                                        "          3      19812        7777          0\n";
static const char after_first[] = OTHERS "memcg    29 /vm/libvirt\n node     0\n"
                                         "          2      19812         90           10\n"
                                         "          3       1000         10           0\n"
                                         "          4          0          0           0\n"
                                         "memcg    30 /vmother\n node     0\n"
                                         "          9      19812        7777          0\n";
/* 20 pages were used in the second since generation 4 was born. */
static const char after_second[] = OTHERS "memcg    29 /vm/libvirt\n node     0\n"
                                          "          2      20812         75           8\n"
                                          "          3       2000          5           0\n"
                                          "          4       1000         20           2\n"
                                          "          5          0          0           0\n";
/* And 50 in the ten seconds since generation 5 was: number 2 and 3 are one now. */
static const char after_third[] = OTHERS "memcg    29 /vm/libvirt\n node     0\n"
                                         "          3      11000         45           8\n"
                                         "          4      11000          5           0\n"
                                         "          5      10000         49           2\n"
                                         "          6          0          1           0\n";

static void
windows_are_aged_one_after_the_other(void **unused)
{
    static const char *const after[] = { after_first, after_second, after_third, NULL };
    g_autoptr(FakeTarget) fake = kernel_with_generations(before_all, after);
    uint64_t second[4] = { 20 * PAGE_KIB, 0, 0, 80 * PAGE_KIB };
    uint64_t third[4] = { 20 * PAGE_KIB, 30 * PAGE_KIB, 0, 50 * PAGE_KIB };
    WorkingSetReading readings[3] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_lru_gen.open(&fake->target, &state, NULL));
    assert_true(working_set_lru_gen.step(state, &fake->target, 5 * S, &readings[0], NULL));
    assert_false(readings[0].has_bins);
    assert_true(readings[0].goes_on);
    assert_int_equal(readings[0].next_us, 6 * S);

    assert_true(working_set_lru_gen.step(state, &fake->target, 6 * S, &readings[1], NULL));
    faketarget_expect_bins("a second", &readings[1], 0, second);
    assert_int_equal(faketarget_kib(&readings[1], 0, 0, WORKING_SET_FILE), 2 * PAGE_KIB);
    assert_int_equal(readings[1].horizon_us, S);
    assert_int_equal(readings[1].next_us, 16 * S);

    assert_true(working_set_lru_gen.step(state, &fake->target, 16 * S, &readings[2], NULL));
    faketarget_expect_bins("ten", &readings[2], 0, third);
    assert_int_equal(readings[2].horizon_us, 10 * S);
    assert_false(readings[2].goes_on);
    assert_string_equal(fake->log->str,
                        LRU_GEN "=+ 29 0 3 1 1;" LRU_GEN "=+ 29 0 4 1 1;" LRU_GEN "=+ 29 0 5 1 1;");
    working_set_lru_gen.close(state, &fake->target);
}

/* Generation 4 was born when the window began. */
static void
a_window_of_which_generations_were_merged_is_lost(void **unused)
{
    static const struct {
        const char *when;
        const char *before, *after; /* the aging at its end */
        bool is_whole;
    } rows[] = {
        { "one of before is left", "memcg 29 /vm\n node 0\n 3 5000 99 0\n 4 4000 1 0\n",
          "memcg 29 /vm\n node 0\n 3 5000 99 0\n 4 4000 1 0\n 5 0 0 0\n", true },
        { "those of before are in the first", "memcg 29 /vm\n node 0\n 4 5000 99 0\n 5 4 1 0\n",
          "memcg 29 /vm\n node 0\n 4 5000 99 0\n 5 4000 1 0\n 6 0 0 0\n", false },
        { "the first is in a later one", "memcg 29 /vm\n node 0\n 7 5000 99 0\n 8 4000 1 0\n",
          "memcg 29 /vm\n node 0\n 7 5000 99 0\n 8 4000 1 0\n 9 0 0 0\n", false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const char *const after[] = { after_first, rows[i].after, NULL };
        g_autoptr(FakeTarget) fake = kernel_with_generations(before_all, after);
        WorkingSetReading readings[2] = { 0 };
        gpointer state = NULL;

        assert_true(working_set_lru_gen.open(&fake->target, &state, NULL));
        assert_true(working_set_lru_gen.step(state, &fake->target, 5 * S, &readings[0], NULL));
        fakeroot_write(fake->root, LRU_GEN, "%s", rows[i].before);
        assert_true(working_set_lru_gen.step(state, &fake->target, 6 * S, &readings[1], NULL));
        if (readings[1].has_bins != rows[i].is_whole)
            fail_msg("%s: bins %d", rows[i].when, readings[1].has_bins);
        working_set_lru_gen.close(state, &fake->target);
    }
}

static void
columns_that_are_new_are_passed_over(void **unused)
{
    static const char first[] = "memcg 29 /vm\n node 0 hot\n 2 19812 96 0 7 r\n 3 0 4 0 0 e\n";
    static const char second[] = "memcg 29 /vm\n node 0 hot\n 2 19812 90 0 7 r\n 3 9 10 0 5 6\n"
                                 "   refaults 1 2 3 4\n 4 0 0 0 0 e\n";
    static const char third[] = "memcg 29 /vm\n node 0\n 2 20812 55 0 7 r\n 3 9 5 0 5 6\n"
                                "   refaults 1 2 3 4\n 4 1000 40 0 1 1\n 5 0 0 0 0 e\n";
    static const char *const after[] = { second, third, NULL };
    g_autoptr(FakeTarget) fake = kernel_with_generations(first, after);
    uint64_t want[4] = { 40 * PAGE_KIB, 0, 0, 60 * PAGE_KIB };
    WorkingSetReading readings[2] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_lru_gen.open(&fake->target, &state, NULL));
    assert_true(working_set_lru_gen.step(state, &fake->target, 5 * S, &readings[0], NULL));
    assert_true(working_set_lru_gen.step(state, &fake->target, 6 * S, &readings[1], NULL));
    faketarget_expect_bins("more columns", &readings[1], 0, want);
    working_set_lru_gen.close(state, &fake->target);
}

static void
nodes_are_told_apart(void **unused)
{
    static const char first[] = "memcg 29 /vm\n node 0\n 1 9 10 0\n node 1\n 7 9 30 0\n";
    static const char second[] = "memcg 29 /vm\n node 0\n 1 9 10 0\n 2 0 0 0\n"
                                 " node 1\n 7 9 30 0\n 8 0 0 0\n";
    static const char third[] = "memcg 29 /vm\n node 0\n 1 9 6 0\n 2 1 4 0\n 3 0 0 0\n"
                                " node 1\n 7 9 25 0\n 8 1 5 0\n 9 0 0 0\n";
    /* One file for both of its nodes: each has a command of its own. */
    static const char *const after[] = { second, second, third, third, NULL };
    g_autoptr(FakeTarget) fake = kernel_with_generations(first, after);
    WorkingSetReading readings[2] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_lru_gen.open(&fake->target, &state, NULL));
    assert_true(working_set_lru_gen.step(state, &fake->target, 5 * S, &readings[0], NULL));
    assert_true(working_set_lru_gen.step(state, &fake->target, 6 * S, &readings[1], NULL));
    assert_int_equal(faketarget_kib(&readings[1], 0, 0, WORKING_SET_ANON), 4 * PAGE_KIB);
    assert_int_equal(faketarget_kib(&readings[1], 1, 0, WORKING_SET_ANON), 5 * PAGE_KIB);
    assert_int_equal(faketarget_kib(&readings[1], 1, 3, WORKING_SET_ANON), 25 * PAGE_KIB);
    working_set_lru_gen.close(state, &fake->target);
}

static void
says_why_it_cannot_be_used(void **unused)
{
    static const struct {
        const char *when;
        const char *enabled; /* NULL: no such file */
        bool has_debugfs;
        const char *cgroup;
        const char *why;
    } rows[] = {
        { "an old kernel", NULL, false, "/vm", "no multi-gen LRU" },
        { "switched off", "0x0000\n", true, "/vm", "is switched off" },
        { "parts of it on, but not itself", "0x0006\n", true, "/vm", "is switched off" },
        { "debugfs is not mounted", "0x0007\n", false, "/vm", "is debugfs mounted there" },
        { "no cgroup", "0x0007\n", true, NULL, "no memory cgroup" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = kernel_with_generations(before_all, NULL);

        fakeroot_remove(fake->root, "sys/kernel");
        if (rows[i].enabled)
            fakeroot_write(fake->root, ENABLED, "%s", rows[i].enabled);
        if (rows[i].has_debugfs)
            fakeroot_write(fake->root, LRU_GEN, "%s", before_all);
        g_free(fake->target.cgroup);
        fake->target.cgroup = g_strdup(rows[i].cgroup);
        faketarget_expect_refusal(rows[i].when, fake, &working_set_lru_gen, rows[i].why);
    }
}

static void
guests_under_kvm_need_a_kernel_that_asks_kvm(void **unused)
{
    static const struct {
        const char *when;
        const char *release;
        const char *mapping; /* NULL: maps cannot be read */
        bool opens;
    } rows[] = {
        { "emulated, old", "6.1.0-49-amd64\n", "/some/file", true },
        { "KVM, old", "6.1.0-49-amd64\n", "anon_inode:kvm-vcpu:0", false },
        { "KVM, just before", "6.11.11\n", "anon_inode:kvm-vcpu:0", false },
        { "KVM, the first", "6.12.0-rc6\n", "anon_inode:kvm-vcpu:0", true },
        { "KVM, new", "6.18.44-fc-v669\n", "anon_inode:kvm-vcpu:0", true },
        { "KVM, next major", "7.0\n", "anon_inode:kvm-vcpu:0", true },
        { "old, nobody can tell", "6.1.0-49-amd64\n", NULL, false },
        { "new, nobody can tell", "6.18.0\n", NULL, true },
        { "KVM, none that we know", "unknown\n", "anon_inode:kvm-vcpu:0", false },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = kernel_with_generations(before_all, NULL);
        g_autoptr(GError) error = NULL;
        gpointer state = NULL;

        fakeroot_write(fake->root, "proc/sys/kernel/osrelease", "%s", rows[i].release);
        fakeroot_remove(fake->root, "proc/42/maps");
        if (rows[i].mapping)
            fakeroot_write(fake->root, "proc/42/maps",
                           "7d0000000000-7d0000003000 rw-s 0 00:0e 12 %s\n", rows[i].mapping);
        if (working_set_lru_gen.open(&fake->target, &state, &error) != rows[i].opens)
            fail_msg("%s: %s", rows[i].when, error ? error->message : "opened");
        if (rows[i].opens)
            working_set_lru_gen.close(state, &fake->target);
    }
}

/* QEMU makes its processors some time after it has started. */
static void
a_guest_that_has_come_under_kvm_is_measured_no_more(void **unused)
{
    static const char *const after[] = { after_first, after_second, after_third, NULL };
    static const struct {
        const char *when;
        const char *maps; /* NULL: they are gone */
        const char *why;
    } rows[] = {
        { "it has a processor", "7d0000000000-7d0000003000 rw-s 0 00:0e 12 anon_inode:kvm-vcpu:0\n",
          "before Linux 6.12 it does not see" },
        { "nobody can tell", NULL, "its maps cannot be read" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = kernel_with_generations(before_all, after);
        g_autoptr(GError) error = NULL;
        WorkingSetReading readings[4] = { 0 };
        gpointer state = NULL;

        fakeroot_write(fake->root, "proc/sys/kernel/osrelease", "6.1.0\n");
        assert_true(working_set_lru_gen.open(&fake->target, &state, NULL));
        assert_true(working_set_lru_gen.step(state, &fake->target, 5 * S, &readings[0], NULL));
        assert_true(working_set_lru_gen.step(state, &fake->target, 6 * S, &readings[1], NULL));
        assert_true(working_set_lru_gen.step(state, &fake->target, 16 * S, &readings[2], NULL));
        assert_false(readings[2].goes_on);
        fakeroot_remove(fake->root, "proc/42/maps");
        if (rows[i].maps)
            fakeroot_write(fake->root, "proc/42/maps", "%s", rows[i].maps);
        if (working_set_lru_gen.step(state, &fake->target, 76 * S, &readings[3], &error) ||
            !strstr(error->message, rows[i].why))
            fail_msg("%s: %s", rows[i].when, error ? error->message : "went on");
        working_set_lru_gen.close(state, &fake->target);
    }
}

static void
a_failure_on_the_way_ends_it(void **unused)
{
    static const struct {
        const char *when;
        const char
            *text; /* of the file at the second step; NULL: as before, but aging is refused */
        const char *why;
    } rows[] = {
        { "the cgroup has vanished", OTHERS, "is not in" },
        { "another form", "generations: many\n", "is not in" },
        { "a column less", "memcg 29 /vm\n node 0\n 1 20 5\n", "another form" },
        { "a unit", "memcg 29 /vm\n node 0\n 1 20 5 6k\n", "another form" },
        { "words between", "memcg 29 /vm\n node 0\n 1 20 anon 5 file 6\n", "another form" },
        { "no generations", "memcg 29 /vm\n node 0\n", "no generations" },
        { "may not age", NULL,
          "cannot write + 29 0 4 1 1 to " LRU_GEN ": Operation not permitted" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        static const char *const after[] = { after_first, NULL };
        g_autoptr(FakeTarget) fake = kernel_with_generations(before_all, after);
        g_autoptr(GError) error = NULL;
        WorkingSetReading reading = { 0 };
        gpointer state = NULL;

        assert_true(working_set_lru_gen.open(&fake->target, &state, NULL));
        assert_true(working_set_lru_gen.step(state, &fake->target, S, &reading, NULL));
        if (rows[i].text)
            fakeroot_write(fake->root, LRU_GEN, "%s", rows[i].text);
        else
            faketarget_refuse(fake, "*", EPERM);
        if (working_set_lru_gen.step(state, &fake->target, 2 * S, &reading, &error) ||
            !strstr(error->message, rows[i].why))
            fail_msg("%s: %s", rows[i].when, error ? error->message : "went on");
        working_set_lru_gen.close(state, &fake->target);
    }
}

/* Reclaim ages between our reading and our command. */
static int
come_too_late(FakeTarget *fake, const char *path, const char *text)
{
    (void)path;
    (void)text;
    if (agings == 0)
        fakeroot_write(fake->root, LRU_GEN, "%s", after_second);
    return agings++ == 0 ? EINVAL : EPERM;
}

static void
a_generation_that_somebody_else_has_made_is_as_good(void **unused)
{
    static const char *const after[] = { after_first, NULL };
    g_autoptr(FakeTarget) fake = kernel_with_generations(before_all, after);
    uint64_t want[4] = { 20 * PAGE_KIB, 0, 0, 80 * PAGE_KIB };
    WorkingSetReading readings[3] = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_lru_gen.open(&fake->target, &state, NULL));
    assert_true(working_set_lru_gen.step(state, &fake->target, 5 * S, &readings[0], NULL));
    fake->hook = come_too_late;
    agings = 0;
    assert_true(working_set_lru_gen.step(state, &fake->target, 6 * S, &readings[1], NULL));
    faketarget_expect_bins("aged by reclaim", &readings[1], 0, want);
    assert_false(working_set_lru_gen.step(state, &fake->target, 7 * S, &readings[2], NULL));
    working_set_lru_gen.close(state, &fake->target);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_aged_one_after_the_other),
        cmocka_unit_test(a_window_of_which_generations_were_merged_is_lost),
        cmocka_unit_test(columns_that_are_new_are_passed_over),
        cmocka_unit_test(nodes_are_told_apart),
        cmocka_unit_test(says_why_it_cannot_be_used),
        cmocka_unit_test(guests_under_kvm_need_a_kernel_that_asks_kvm),
        cmocka_unit_test(a_guest_that_has_come_under_kvm_is_measured_no_more),
        cmocka_unit_test(a_failure_on_the_way_ends_it),
        cmocka_unit_test(a_generation_that_somebody_else_has_made_is_as_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
