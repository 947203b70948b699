/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stall_test.c - what the host has waited for, or that it cannot be told */
#define _GNU_SOURCE

#include "agent/facts/stall.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakehost.h"
#include "test/support/value.h"

#define AVERAGES "avg10=0.00 avg60=0.12 avg300=99.99"

static Stalls
stalls_of(const FakeRoot *root)
{
    StallFiles files = { 0 };
    Stalls stalls;

    stalls_read(&files, fakeroot_fd(root), &stalls);
    stall_files_close(&files);
    return stalls;
}

static uint64_t
us_of_ticks(uint64_t ticks)
{
    return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void
each_figure_comes_from_its_own_file(void **unused)
{
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_5_10);
    Stalls stalls = stalls_of(root);
    (void)unused;

    assert_value("all there", "cpu", stalls.cpu_stall_us, 2145663694);
    assert_value("all there", "memory", stalls.memory_stall_us, 1234567);
    assert_value("all there", "steal", stalls.steal_us, us_of_ticks(744));

    fakeroot_remove(root, "proc/pressure/cpu");
    stalls = stalls_of(root);
    assert_value("no cpu", "cpu", stalls.cpu_stall_us, VALUE_UNKNOWN);
    assert_value("no cpu", "memory", stalls.memory_stall_us, 1234567);

    fakeroot_remove(root, "proc/pressure");
    fakeroot_remove(root, "proc/stat");
    stalls = stalls_of(root);
    assert_value("nothing", "memory", stalls.memory_stall_us, VALUE_UNKNOWN);
    assert_value("nothing", "steal", stalls.steal_us, VALUE_UNKNOWN);
}

static void
takes_the_sum_of_some_and_nothing_damaged(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        uint64_t want;
    } rows[] = {
        { "as it should be", "some " AVERAGES " total=17\nfull " AVERAGES " total=9\n", 17 },
        { "one line, as cpu had before 5.13", "some " AVERAGES " total=17\n", 17 },
        { "no newline", "some " AVERAGES " total=17", 17 },
        { "nothing waited", "some " AVERAGES " total=0\n", 0 },
        { "the largest", "some total=18446744073709551614\n", UINT64_MAX - 1 },
        { "minus one", "some total=-1\n", VALUE_UNKNOWN },
        { "minus one as u64", "some total=18446744073709551615\n", VALUE_UNKNOWN },
        { "too many digits", "some total=18446744073709551616\n", VALUE_UNKNOWN },
        { "no sum", "some " AVERAGES "\nfull " AVERAGES " total=9\n", VALUE_UNKNOWN },
        { "no line of some", "full " AVERAGES " total=9\n", VALUE_UNKNOWN },
        { "something behind it", "some total=17us\n", VALUE_UNKNOWN },
        { "no number", "some total=\n", VALUE_UNKNOWN },
        { "another word", "something total=17\n", VALUE_UNKNOWN },
        { "empty", "", VALUE_UNKNOWN },
    };
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, "proc/pressure/cpu", "%s", rows[i].text);
        fakeroot_write(root, "proc/pressure/memory", "%s", rows[i].text);
        assert_value(rows[i].when, "cpu", stalls_of(root).cpu_stall_us, rows[i].want);
        assert_value(rows[i].when, "memory", stalls_of(root).memory_stall_us, rows[i].want);
    }
}

static void
steal_is_the_eighth_figure_of_all_processors(void **unused)
{
    const struct {
        const char *when;
        const char *text;
        uint64_t want;
    } rows[] = {
        { "as it should be", "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n",
          us_of_ticks(8) },
        { "a host that is no guest", "cpu  1 2 3 4 5 6 7 0 9 10\n", 0 },
        { "a kernel of 2005", "cpu  1 2 3 4 5 6 7\ncpu0 1 2 3 4 5 6 7 8\n", VALUE_UNKNOWN },
        { "minus one", "cpu  1 2 3 4 5 6 7 -1 9 10\n", VALUE_UNKNOWN },
        { "more than can be", "cpu  1 2 3 4 5 6 7 18446744073709551614 9 10\n", VALUE_UNKNOWN },
        { "cut off", "cpu  1 2 3 4 5 6 7 8", VALUE_UNKNOWN },
        { "another line first", "cpu0 1 2 3 4 5 6 7 8 9 10\n", VALUE_UNKNOWN },
        { "empty", "", VALUE_UNKNOWN },
    };
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        fakeroot_write(root, "proc/stat", "%s", rows[i].text);
        assert_value(rows[i].when, "steal", stalls_of(root).steal_us, rows[i].want);
    }
}

static void
steal_is_read_however_long_the_rest_of_the_file_is(void **unused)
{
    g_autofree char *interrupts = g_strnfill(100000, '7');
    g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_6_18);
    (void)unused;

    fakeroot_write(root, "proc/stat", "cpu  1 2 3 4 5 6 7 80 9 10\nintr %s\n", interrupts);
    assert_value("a long file", "steal", stalls_of(root).steal_us, us_of_ticks(80));
    fakeroot_write(root, "proc/stat", "cpu  %s 2 3 4 5 6 7 80 9 10\n", interrupts);
    assert_value("a long line", "steal", stalls_of(root).steal_us, VALUE_UNKNOWN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_figure_comes_from_its_own_file),
        cmocka_unit_test(takes_the_sum_of_some_and_nothing_damaged),
        cmocka_unit_test(steal_is_the_eighth_figure_of_all_processors),
        cmocka_unit_test(steal_is_read_however_long_the_rest_of_the_file_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
