/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vm_test.c - swap, zswap and broken merges of the host, on kernels that tell and that do not */
#include "agent/facts/vm.h"

#include <glib.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy/arith.h"
#include "test/support/fakeroot.h"

#define U VALUE_UNKNOWN

static void
each_kernel_tells_what_it_has(void **unused)
{
    static const struct {
        const char *when;
        const char *meminfo; /* NULL: no such file */
        const char *vmstat;  /* NULL: no such file */
        HostVm want;
    } rows[] = {
        { "5.10",
          "MemTotal: 9 kB\nSwapTotal: 100 kB\nSwapFree: 40 kB\n",
          "nr_free_pages 5\n",
          { U, 60 * 1024, U, U, U } },
        { "6.1",
          "SwapTotal:      100 kB\nSwapFree:        40 kB\nZswap:  5 kB\nZswapped:  20 kB\n",
          "pswpin 0\ncow_ksm 77\nzswpin 3\n",
          { U, 60 * 1024, 20 * 1024, 5 * 1024, 77 } },
        { "no swap",
          "SwapTotal: 0 kB\nSwapFree: 0 kB\nZswap: 0 kB\nZswapped: 0 kB\n",
          "cow_ksm 0\n",
          { U, 0, 0, 0, 0 } },
        { "more free than there is", "SwapTotal: 10 kB\nSwapFree: 40 kB\n", "", { U, U, U, U, U } },
        { "minus one",
          "SwapTotal: -1 kB\nSwapFree: 0 kB\nZswapped: 18446744073709551615 kB\n",
          "cow_ksm 18446744073709551615\n",
          { U, U, U, U, U } },
        { "half", "SwapTotal: 10 kB\n", "cow_ksm\n", { U, U, U, U, U } },
        { "a pool of huge pages",
          "MemTotal: 9000 kB\nHugePages_Total: 1\nHugepagesize: 2048 kB\nHugetlb: 8000 kB\n",
          "",
          { 8000 * 1024, U, U, U, U } },
        { "an empty one", "MemTotal: 9 kB\nHugetlb: 0 kB\n", "", { 0, U, U, U, U } },
        { "no files", NULL, NULL, { U, U, U, U, U } },
    };
    (void)unused;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FakeRoot) root = fakeroot_new();
        const HostVm *want = &rows[i].want;
        HostVm vm;

        if (rows[i].meminfo)
            fakeroot_write(root, "proc/meminfo", "%s", rows[i].meminfo);
        if (rows[i].vmstat)
            fakeroot_write(root, "proc/vmstat", "%s", rows[i].vmstat);
        vm_read(fakeroot_fd(root), &vm);
        if (vm.huge_pool_bytes != want->huge_pool_bytes ||
            vm.swapped_bytes != want->swapped_bytes || vm.zswapped_bytes != want->zswapped_bytes ||
            vm.zswap_bytes != want->zswap_bytes || vm.cow_ksm != want->cow_ksm)
            fail_msg("%s: huge %" PRIu64 ", swapped %" PRIu64 ", zswapped %" PRIu64
                     ", zswap %" PRIu64 ", cow_ksm %" PRIu64,
                     rows[i].when, vm.huge_pool_bytes, vm.swapped_bytes, vm.zswapped_bytes,
                     vm.zswap_bytes, vm.cow_ksm);
    }
}

static void
a_long_file_is_read_to_its_end(void **unused)
{
    g_autoptr(FakeRoot) root = fakeroot_new();
    g_autoptr(GString) vmstat = g_string_new(NULL);
    HostVm vm;
    (void)unused;

    while (vmstat->len < 9000)
        g_string_append_printf(vmstat, "figure_at_%zu 5\n", vmstat->len);
    g_string_append(vmstat, "cow_ksm 77\n");
    fakeroot_write(root, "proc/vmstat", "%s", vmstat->str);
    vm_read(fakeroot_fd(root), &vm);
    assert_int_equal(vm.cow_ksm, 77);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kernel_tells_what_it_has),
        cmocka_unit_test(a_long_file_is_read_to_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
