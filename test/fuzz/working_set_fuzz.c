/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_fuzz.c - any bytes as the files that working sets are measured by
 *
 * The first byte picks a file, the second says after how many steps it changes; the rest is what it
 * holds then. The other files that its backend wants are as they should be. What a measurement says
 * must add up, whatever the kernel has said.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "policy/arith.h"
#include "test/support/faketarget.h"

#define HEAD_BYTES 2
#define STEPS      6
#define CGROUP     "sys/fs/cgroup/vm/"
#define NODE       "sys/devices/system/node/node0/"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FakeFile files[] = {
    { "sys/kernel/debug/lru_gen", "memcg 29 /vm\n node 0\n 1 9 10 0\n 2 9 0 0\n" },
    { "sys/kernel/mm/lru_gen/enabled", "0x0007\n" },
    { "proc/sys/kernel/osrelease", "6.18.0\n" },
    { CGROUP "memory.workingset.page_age", "N0\n1000 anon=4 file=1\n18446744073709551615 anon=1 "
                                           "file=3\n" },
    { CGROUP "memory.workingset.refresh_interval", "N0=0\n" },
    { NODE "workingset_report/page_age_intervals", "\n" },
    { "proc/42/smaps", "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \nRss: 400 kB\n"
                       "Referenced: 100 kB\n" },
    { "proc/42/clear_refs", " " },
    { "proc/42/maps", "7f0000000000-7f0040000000 rw-p 00000000 00:00 0 \n" },
    { "proc/42/status", "VmRSS:\t 400 kB\nRssAnon:\t 396 kB\nRssShmem:\t 4 kB\n" },
    { "sys/devices/system/node/online", "0\n" },
    { "proc/42/pagemap", "" },
    { "sys/kernel/mm/page_idle/bitmap", "" },
    { "proc/kpageflags", "" },
};

/* Files without which a backend is not there, so that the next one has its turn. */
static const char *const doors[] = {
    CGROUP "memory.workingset.page_age",
    "sys/kernel/mm/lru_gen/enabled",
    "sys/kernel/mm/page_idle/bitmap",
};

static void
check_report(const WorkingSetReport *report)
{
    uint64_t sum = 0;

    assert(report->state < WORKING_SET_STATE_COUNT && report->backend);
    assert(report->n_nodes <= WORKING_SET_NODES_MAX && report->confidence_bp <= BP_ONE);
    assert(memchr(report->reason, '\0', sizeof(report->reason)));
    if (report->state != WORKING_SET_MEASURED)
        return;
    assert(report->edges.n < WORKING_SET_BINS_MAX);
    for (uint32_t n = 0; n < report->n_nodes; n++)
        for (uint32_t b = 0; b <= report->edges.n; b++)
            for (uint32_t k = 0; k < WORKING_SET_KIND_COUNT; k++)
                sum = sat_add(sum, report->nodes[n].bins[b].bytes[k]);
    assert(report->resident_bytes == VALUE_UNKNOWN || report->resident_bytes == sum);
    assert(report->working_set_bytes == VALUE_UNKNOWN || report->working_set_bytes <= sum);
}

static void
write_files(FakeTarget *fake, uint8_t choice)
{
    fakeroot_write_table(fake->root, files, G_N_ELEMENTS(files));
    for (size_t i = 0; i < G_N_ELEMENTS(doors); i++)
        if (choice >> (5 + i) & 1)
            fakeroot_remove(fake->root, doors[i]);
}

/* Commands are no new content. */
static int
take_command(FakeTarget *fake, const char *path, const char *text)
{
    (void)fake;
    (void)text;
    return g_str_equal(path, files[0].path) ? 0 : -1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(FakeTarget) fake = NULL;
    g_autoptr(WorkingSetMeter) meter = NULL;
    const char *path;

    if (size < HEAD_BYTES)
        return 0;
    path = files[(data[0] & 31) % G_N_ELEMENTS(files)].path;
    fake = faketarget_new();
    fake->hook = take_command;
    write_files(fake, data[0]);
    meter = working_set_meter_new(&fake->host, FAKETARGET_PID, fake->target.dir_fd, "/vm", true);
    for (unsigned step = 0; step < STEPS; step++) {
        if (step == data[1] % STEPS)
            fakeroot_write_bytes(fake->root, path, data + HEAD_BYTES, size - HEAD_BYTES);
        working_set_meter_step(meter, (step + 1) * 61 * FAKETARGET_S);
        check_report(working_set_meter_report(meter));
    }
    g_clear_pointer(&meter, working_set_meter_free);
    return 0;
}
