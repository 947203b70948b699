/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host_fuzz.c - any bytes as a file that facts of the host come from
 *
 * The first byte picks the file, the rest is what it holds. Figures may be anything that a kernel
 * could say, but what is made of them must be within its bounds.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <string.h>

#include "agent/facts/host.h"
#include "agent/facts/setup.h"
#include "agent/facts/vm.h"
#include "test/fuzz/kept_root.h"
#include "test/support/fakehost.h"

#define KSM "sys/kernel/mm/ksm/"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FakeFile files[] = {
    { KSM "run", "1\n" },
    { KSM "pages_to_scan", "100\n" },
    { KSM "sleep_millisecs", "20\n" },
    { KSM "advisor_mode", "none [scan-time]\n" },
    { KSM "general_profit", "-6400\n" },
    { KSM "pages_sharing", "103\n" },
    { "proc/37/stat", "37 (ksmd) S 2 0 0 0 -1 2097216 0 0 0 0 7 3 0 0 25 5 1 0 29 0 0\n" },
    { "proc/37/schedstat", "113498000 3112032 21\n" },
    { "proc/pressure/cpu", "some avg10=5.65 avg60=6.68 avg300=5.71 total=2145663694\n" },
    { "proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234567\n" },
    { "proc/stat", "cpu  444802 84403 310574 2632935 12005 0 5116 744 0 0\nbtime 1700000000\n" },
    { "proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 50 kB\nSwapTotal: 9 kB\nSwapFree: 4 kB\n"
                      "HugePages_Total: 2\nHugepagesize: 4 kB\nHugetlb: 12 kB\n" },
    { "proc/vmstat", "cow_ksm 77\n" },
    { "proc/cpuinfo", "flags : fpu hypervisor\n" },
    { "proc/1/comm", "init\n" },
    { "sys/devices/system/cpu/online", "0-5,8\n" },
    { "sys/devices/system/node/online", "0\n" },
    { "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n" },
    { "sys/kernel/mm/lru_gen/enabled", "0x0007\n" },
    { "sys/fs/cgroup/cgroup.controllers", "cpu memory\n" },
    { "sys/class/dmi/id/product_name", "Standard PC\n" },
    { "etc/libvirt/hooks/qemu", "#!/bin/sh\nexec virtksm-hook \"$@\"\n" },
};

static FakeRoot *root; /* see kept_root() */

static FakeRoot *
make(void)
{
    FakeRoot *made = fakehost_new(FAKEHOST_LINUX_6_18);

    fakeroot_write_table(made, files, G_N_ELEMENTS(files));
    return made;
}

static void
check_at_most(uint64_t value, uint64_t most)
{
    assert(value <= most || value == VALUE_UNKNOWN);
}

static void
try_host(void)
{
    HostSample sample = host_sample_unknown();
    HostFacts facts;

    host_init(&facts, fakeroot_fd(root));
    host_read(&facts, &sample);
    host_read_swapping(&facts, &sample);
    host_done(&facts);
    assert(sample.cpus >= 1 && sample.page_bytes > 0);
    check_at_most(sample.knobs.run, KSM_RUN_COUNT - 1);
    check_at_most(sample.knobs.pages_to_scan, UINT32_MAX);
    check_at_most(sample.knobs.sleep_ms, UINT32_MAX);
    check_at_most(sample.mem_total_bytes, INT64_MAX);
    check_at_most(sample.mem_available_bytes, INT64_MAX);
}

static void
try_setup(void)
{
    HostSetup setup;
    HostVm vm;

    vm_read(fakeroot_fd(root), &vm);
    check_at_most(vm.swapped_bytes, INT64_MAX);
    check_at_most(vm.zswap_bytes, INT64_MAX);
    check_at_most(vm.huge_pool_bytes, INT64_MAX);
    setup_read(fakeroot_fd(root), &setup);
    assert(memchr(setup.thp, '\0', sizeof(setup.thp)));
    assert(memchr(setup.product, '\0', sizeof(setup.product)));
    assert(memchr(setup.libvirtd, '\0', sizeof(setup.libvirtd)));
    assert(setup.hook < SETUP_HOOK_COUNT && setup.cgroup < SETUP_CGROUP_COUNT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const FakeFile *file;

    if (size == 0)
        return 0;
    root = kept_root(make);
    file = &files[data[0] % G_N_ELEMENTS(files)];
    fakeroot_write_bytes(root, file->path, data + 1, size - 1);
    try_host();
    try_setup();
    fakeroot_write_table(root, file, 1);
    return 0;
}
