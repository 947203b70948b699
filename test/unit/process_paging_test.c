/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process_paging_test.c - what is swapped out, and what is on huge pages */
#include "agent/facts/process.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakehost.h"

#define U VALUE_UNKNOWN

static void
both_figures_come_from_status(void **unused)
{
    static const struct {
        const char *when;
        const char *status; /* NULL: no such file */
        bool runs;
        uint64_t swapped;
        uint64_t huge;
    } rows[] = {
        { "usual", "Name:\tqemu\nVmSwap:\t      12 kB\nHugetlbPages:\t    4096 kB\nThreads:\t3\n",
          true, 12 * 1024, 4096 * 1024 },
        { "a zombie", "Name:\tqemu\nState:\tZ (zombie)\nThreads:\t1\n", true, U, U },
        { "a name that looks like a figure", "Name:\tVmSwap: 5 kB\nVmSwap:\t0 kB\n", true, 0, U },
        { "minus one", "VmSwap:\t-1 kB\nHugetlbPages:\t18446744073709551615 kB\n", true, U, U },
        { "nothing", "", true, U, U },
        { "gone", NULL, false, 1, 1 },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakehost_new(FAKEHOST_LINUX_5_10);
        g_auto(Process) process = { 0 };
        ProcessPaging paging = { 1, 1 };
        bool runs;

        fakehost_add_qemu(root);
        assert_true(process_find(fakeroot_fd(root),
                                 &(ProcessWanted){ "web", FAKEHOST_QEMU_UUID, false }, &process,
                                 NULL));
        if (rows[i].status)
            fakeroot_write(root, "proc/42/status", "%s", rows[i].status);
        runs = process_read_paging(&process, &paging);
        if (runs != rows[i].runs || paging.swapped_bytes != rows[i].swapped ||
            paging.huge_bytes != rows[i].huge)
            fail_msg("%s: runs %d, swapped %" PRIu64 ", huge %" PRIu64, rows[i].when, runs,
                     paging.swapped_bytes, paging.huge_bytes);
    }
}

static void
holding_no_process_there_is_nothing_to_read(void **unused)
{
    const Process none = { 0 };
    ProcessPaging paging;
    (void)unused;

    assert_false(process_read_paging(&none, &paging));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_figures_come_from_status),
        cmocka_unit_test(holding_no_process_there_is_nothing_to_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
