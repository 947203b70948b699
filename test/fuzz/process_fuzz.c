/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process_fuzz.c - any bytes as a file of a QEMU process, or as the pid file that leads to it
 *
 * The first byte picks the file, the rest is what it holds; the other files are as they should be.
 * Whatever it is, a figure is one that can be, or it is unknown.
 */
#define _GNU_SOURCE
#include <assert.h>

#include "agent/facts/merging.h"
#include "agent/facts/overhead.h"
#include "agent/facts/process.h"
#include "agent/facts/working_set_nodes.h"
#include "policy/arith.h"
#include "test/fuzz/kept_root.h"
#include "test/support/fakehost.h"

#define QEMU "proc/42/"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Beside what fakehost_add_qemu() writes. */
static const FakeFile files[] = {
    { QEMU "statm", "9000 5000 1000 10 0 700 0\n" },
    { QEMU "ksm_stat", "ksm_rmap_items 70\nksm_merging_pages 60\nksm_process_profit -5\n" },
    { QEMU "ksm_merging_pages", "60\n" },
    { QEMU "status", "Name:\tqemu\nVmSwap:\t 8 kB\nHugetlbPages:\t 4 kB\n" },
    { QEMU "maps", "10000-14000 rw-p 0 00:00 0 [heap]\n200000-204000 rw-p 0 00:00 0\n" },
    { QEMU "pagemap", "" },
    { QEMU "stat", "42 (qemu) R 1 42 42 0 -1 4 0 0 0 0 1 2 0 0 20 0 3 0 230533 0 0\n" },
    { QEMU "cmdline", "" },
    { QEMU "task/42/schedstat", "900000 3000000 21\n" },
    { "run/libvirt/qemu/web.pid", "42" },
    { QEMU "smaps", "200000-204000 rw-p 00000000 00:00 0 \nRss: 16 kB\nVmFlags: rd wr mg\n" },
    { QEMU "numa_maps", "200000 default anon=4 dirty=4 N0=3 N1=1 kernelpagesize_kB=4\n" },
};

/* Of the guest in "maps". */
static const uint64_t backends[] = { 0x4000 };

static FakeRoot *root; /* see kept_root() */

static FakeRoot *
make(void)
{
    return fakehost_new(FAKEHOST_LINUX_6_18);
}

static void
check_bytes(uint64_t bytes)
{
    assert(bytes <= INT64_MAX || bytes == VALUE_UNKNOWN);
}

static void
try_figures(const Process *process)
{
    ProcessSample sample;
    ProcessPaging paging;

    process_wait_us(process);
    if (process_read(process, &sample)) {
        check_bytes(sample.resident_bytes);
        check_bytes(sample.anon_bytes);
        assert(sample.anon_bytes == VALUE_UNKNOWN || sample.resident_bytes == VALUE_UNKNOWN ||
               sample.anon_bytes <= sample.resident_bytes);
    }
    if (process_read_paging(process, &paging)) {
        check_bytes(paging.swapped_bytes);
        check_bytes(paging.huge_bytes);
    }
}

static void
try_overhead(const Process *process)
{
    g_autoptr(GError) error = NULL;
    Overhead sample;

    if (overhead_read(process->dir_fd, backends, G_N_ELEMENTS(backends), &sample, &error))
        check_bytes(overhead_total(&sample));
    else
        assert(error);
}

static void
try_merging(const Process *process)
{
    g_autoptr(GError) error = NULL;
    bool any;

    if (!merging_read(process->dir_fd, backends, G_N_ELEMENTS(backends), &any, &error))
        assert(error);
}

static void
try_nodes(const Process *process)
{
    WorkingSetShares shares = working_set_shares_read(process->dir_fd);

    assert(shares.n <= WORKING_SET_NODES_MAX);
    for (uint32_t i = 0; i < shares.n; i++) {
        assert(shares.node[i] >= 0);
        check_bytes(shares.bytes[i]);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(Process) process = { 0 };
    g_autoptr(GError) error = NULL;

    if (size == 0)
        return 0;
    root = kept_root(make);
    fakeroot_write_table(root, files, G_N_ELEMENTS(files));
    fakehost_add_qemu(root);
    fakeroot_write_bytes(root, files[data[0] % G_N_ELEMENTS(files)].path, data + 1, size - 1);
    if (process_find(fakeroot_fd(root), &(ProcessWanted){ "web", FAKEHOST_QEMU_UUID, false },
                     &process, &error)) {
        assert(process.pid == FAKEHOST_QEMU_PID);
        try_figures(&process);
        try_overhead(&process);
        try_merging(&process);
        try_nodes(&process);
    } else {
        assert(error && process.pid == 0);
    }
    return 0;
}
