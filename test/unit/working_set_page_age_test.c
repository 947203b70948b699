/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_page_age_test.c - reports of the kernel's own, as the proposal has them */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/faketarget.h"

#define S                FAKETARGET_S

#define REPORT           "sys/fs/cgroup/vm/memory.workingset.page_age"
#define REFRESH          "sys/fs/cgroup/vm/memory.workingset.refresh_interval"
#define INTERVALS        "sys/devices/system/node/node0/workingset_report/page_age_intervals"
#define SECOND_INTERVALS "sys/devices/system/node/node1/workingset_report/page_age_intervals"

/* A kernel that has the proposal, with nobody using it yet. */
static FakeTarget *
kernel_with_reports(void)
{
    FakeTarget *fake = faketarget_new();

    fakeroot_write(fake->root, REFRESH, "N0=0\n");
    fakeroot_write(fake->root, INTERVALS, "\n");
    fakeroot_write(fake->root, REPORT, "N0\n18446744073709551615 anon=0 file=0\n");
    return fake;
}

static void
a_report_is_spread_over_our_bins(void **unused)
{
    static const struct {
        const char *when;
        const char *text;
        bool taken;
        uint64_t anon[4], file[4]; /* of node 0 */
        uint64_t horizon_us;
    } rows[] = {
        { "as it is documented",
          "N0\n1000 anon=4096 file=1024\n10000 anon=8192 file=0\n60000 anon=2048 file=0\n"
          "18446744073709551615 anon=1024 file=3072\n",
          true,
          { 4, 8, 2, 1 },
          { 1, 0, 0, 3 },
          60 * S },
        { "version 1 of the series",
          "N0\n1000 anon=4096 file=0\n9223372036854775807 anon=1024 file=0\n",
          true,
          { 4, 0, 0, 1 },
          { 0 },
          S },
        { "bins of somebody else",
          "N0\n20000 anon=20480 file=0\n18446744073709551615 anon=0 file=0\n",
          true,
          { 1, 9, 10, 0 },
          { 0 },
          20 * S },
        { "a kind of memory that is new",
          "N0\n1000 anon=4096 slab=99 file=1024\n18446744073709551615 anon=0 slab=1 file=0\n",
          true,
          { 4, 0, 0, 0 },
          { 1, 0, 0, 0 },
          S },
        { "blanks in front",
          "  N0\n    1000 anon=4096 file=0\n\n",
          true,
          { 4, 0, 0, 0 },
          { 0 },
          S },
        { "no node", "1000 anon=4096 file=0\n", false, { 0 }, { 0 }, 0 },
        { "descending", "N0\n1000 anon=1 file=1\n500 anon=1 file=1\n", false, { 0 }, { 0 }, 0 },
        { "no number", "N0\nold anon=1 file=1\n", false, { 0 }, { 0 }, 0 },
        { "nothing", "", false, { 0 }, { 0 }, 0 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = kernel_with_reports();
        g_autoptr(GError) error = NULL;
        WorkingSetReading reading = { 0 };
        gpointer state = NULL;
        bool taken;

        fakeroot_write(fake->root, REPORT, "%s", rows[i].text);
        assert_true(working_set_page_age.open(&fake->target, &state, NULL));
        taken = working_set_page_age.step(state, &fake->target, S, &reading, &error);
        if (taken != rows[i].taken || taken == (error != NULL))
            fail_msg("%s: %s", rows[i].when, error ? error->message : "taken");
        for (uint32_t b = 0; taken && b < 4; b++)
            if (faketarget_kib(&reading, 0, b, WORKING_SET_FILE) != rows[i].file[b])
                fail_msg("%s: files in bin %" PRIu32, rows[i].when, b);
        if (taken)
            faketarget_expect_bins(rows[i].when, &reading, 0, rows[i].anon);
        if (taken && (!reading.has_bins || reading.horizon_us != rows[i].horizon_us))
            fail_msg("%s: horizon %" PRIu64, rows[i].when, reading.horizon_us);
        working_set_page_age.close(state, &fake->target);
    }
}

static void
nodes_are_told_apart(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_reports();
    WorkingSetReading reading = { 0 };
    gpointer state = NULL;
    (void)unused;

    fakeroot_write(fake->root, REPORT, "N0\n1000 anon=1024 file=0\nN3\n1000 anon=2048 file=0\n");
    assert_true(working_set_page_age.open(&fake->target, &state, NULL));
    assert_true(working_set_page_age.step(state, &fake->target, S, &reading, NULL));
    assert_int_equal(faketarget_kib(&reading, 0, 0, WORKING_SET_ANON), 1);
    assert_int_equal(faketarget_kib(&reading, 3, 0, WORKING_SET_ANON), 2);
    working_set_page_age.close(state, &fake->target);
}

static void
it_is_switched_on_and_off_again(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_reports();
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_page_age.open(&fake->target, &state, NULL));
    assert_string_equal(fake->log->str, INTERVALS "=1000,10000,60000;" REFRESH "=N0=30000;");
    g_string_truncate(fake->log, 0);
    working_set_page_age.close(state, &fake->target);
    assert_string_equal(fake->log->str, REFRESH "=N0=0;" INTERVALS "=;");
}

static void
what_somebody_else_has_set_is_left_alone(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_reports();
    gpointer state = NULL;
    (void)unused;

    fakeroot_write(fake->root, REFRESH, "N0=2000\n");
    fakeroot_write(fake->root, INTERVALS, "500,5000\n");
    assert_true(working_set_page_age.open(&fake->target, &state, NULL));
    working_set_page_age.close(state, &fake->target);
    assert_string_equal(fake->log->str, "");
}

static void
a_node_that_refuses_takes_the_others_along(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_reports();
    g_autoptr(GError) error = NULL;
    gpointer state = NULL;
    (void)unused;

    fakeroot_write(fake->root, REFRESH, "N0=0 N1=0\n");
    fakeroot_write(fake->root, SECOND_INTERVALS, "\n");
    faketarget_refuse(fake, "*=N1=30000", EINVAL);
    assert_false(working_set_page_age.open(&fake->target, &state, &error));
    assert_non_null(strstr(error->message, "N1=30000"));
    assert_string_equal(fake->log->str,
                        INTERVALS "=1000,10000,60000;" SECOND_INTERVALS "=1000,10000,60000;" REFRESH
                                  "=N0=30000;" REFRESH "=N1=30000;" REFRESH "=N0=0;" REFRESH
                                  "=N1=0;" INTERVALS "=;" SECOND_INTERVALS "=;");
    assert_int_equal(fake->host.age_nodes, 0);
}

static void
says_why_it_cannot_be_used(void **unused)
{
    static const struct {
        const char *when;
        const char *missing; /* file that is not there */
        const char *why;
    } rows[] = {
        { "an ordinary kernel", REFRESH, "this kernel has no working set reports" },
        { "no bins", INTERVALS, "page_age_intervals cannot be read" },
        { "refused", NULL, "Invalid argument" },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeTarget) fake = kernel_with_reports();

        faketarget_refuse(fake, REFRESH "=*", EINVAL);
        if (rows[i].missing)
            fakeroot_remove(fake->root, rows[i].missing);
        faketarget_expect_refusal(rows[i].when, fake, &working_set_page_age, rows[i].why);
        assert_int_equal(fake->host.age_nodes, 0);
    }
}

static void
a_domain_without_a_group_of_version_2_has_none(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_reports();
    gpointer state = NULL;
    (void)unused;

    fake->target.is_v2 = false;
    assert_false(working_set_page_age.open(&fake->target, &state, NULL));
    assert_string_equal(fake->log->str, "");
}

static void
a_group_that_vanishes_is_a_failure(void **unused)
{
    g_autoptr(FakeTarget) fake = kernel_with_reports();
    g_autoptr(GError) error = NULL;
    WorkingSetReading reading = { 0 };
    gpointer state = NULL;
    (void)unused;

    assert_true(working_set_page_age.open(&fake->target, &state, NULL));
    fakeroot_remove(fake->root, "sys/fs/cgroup/vm");
    assert_false(working_set_page_age.step(state, &fake->target, S, &reading, &error));
    assert_non_null(error);
    working_set_page_age.close(state, &fake->target);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_spread_over_our_bins),
        cmocka_unit_test(nodes_are_told_apart),
        cmocka_unit_test(it_is_switched_on_and_off_again),
        cmocka_unit_test(what_somebody_else_has_set_is_left_alone),
        cmocka_unit_test(a_node_that_refuses_takes_the_others_along),
        cmocka_unit_test(says_why_it_cannot_be_used),
        cmocka_unit_test(a_domain_without_a_group_of_version_2_has_none),
        cmocka_unit_test(a_group_that_vanishes_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
