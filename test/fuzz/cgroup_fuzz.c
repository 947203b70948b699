/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup_fuzz.c - any bytes as the files that facts of reclaim come from
 *
 * The first byte picks the file, the rest is what it holds. Whatever that is, a figure is one that
 * can be, or it is unknown.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <fcntl.h>
#include <string.h>

#include "agent/facts/cgroup.h"
#include "agent/facts/host.h"
#include "agent/facts/partition.h"
#include "test/fuzz/kept_root.h"
#include "test/support/fakehost.h"

#define GROUP   "/machine/qemu-1-web.libvirt-qemu"
#define GROUP_1 "sys/fs/cgroup/memory" GROUP "/"
#define GROUP_2 "sys/fs/cgroup" GROUP "/"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const FakeFile files[] = {
    { GROUP_2 "memory.stat", "" },
    { GROUP_2 "memory.current", "1\n" },
    { GROUP_2 "memory.high", "" },
    { GROUP_2 "memory.pressure", "" },
    { GROUP_1 "memory.stat", "" },
    { GROUP_1 "memory.usage_in_bytes", "1\n" },
    { "proc/42/cgroup", "" },
    { "proc/meminfo", "" },
    { "proc/vmstat", "" },
    { GROUP_2 "memory.events", "" },
    { GROUP_2 "memory.max", "max\n" },
    { GROUP_1 "memory.limit_in_bytes", "9223372036854771712\n" },
    { GROUP_1 "memory.kmem.usage_in_bytes", "0\n" },
};

static FakeRoot *root; /* see kept_root() */

static FakeRoot *
make(void)
{
    FakeRoot *made = fakehost_new(FAKEHOST_LINUX_6_18);

    fakehost_add_qemu(made);
    return made;
}

static void
check_bytes(uint64_t bytes)
{
    assert(bytes <= INT64_MAX || bytes == VALUE_UNKNOWN);
}

static void
check_sample(const CgroupSample *sample, CgroupVersion version)
{
    check_bytes(sample->bytes);
    assert(sample->file_bytes == VALUE_UNKNOWN || sample->file_bytes <= 2 * (uint64_t)INT64_MAX);
    assert(sample->limit_bytes <= INT64_MAX || sample->limit_bytes >= LIMIT_NONE);
    assert(version == CGROUP_V2 ||
           (sample->limit_bytes == VALUE_UNKNOWN && sample->stall_us == VALUE_UNKNOWN));
}

static void
try_version(const char *path, CgroupVersion version)
{
    Cgroup cgroup = { .version = version,
                      .dir_fd = openat(fakeroot_fd(root), path, O_PATH | O_DIRECTORY | O_CLOEXEC) };
    CgroupSample sample;

    assert(cgroup.dir_fd >= 0 && cgroup_read(&cgroup, &sample));
    check_sample(&sample, version);
    cgroup_close(&cgroup);
}

/* As if all domains lived there. */
static void
try_partition(CgroupVersion version)
{
    const PolicyConf conf = { .memory_tight_bp = 1000 };
    Partition partition = { .version = version, .path = g_strdup(GROUP) };
    HostSample sample = host_sample_unknown();

    sample.mem_total_bytes = INT64_MAX;
    sample.mem_available_bytes = INT64_MAX / 2;
    partition_bound(&partition, fakeroot_fd(root), &conf, &sample);
    assert(sample.mem_total_bytes <= INT64_MAX && sample.mem_available_bytes <= INT64_MAX / 2);
    assert(!partition.bound_path || partition.limit_bytes == sample.mem_total_bytes);
    partition_clear(&partition);
}

static void
try_zswap(void)
{
    CgroupZswap zswap;

    cgroup_read_zswap(fakeroot_fd(root), GROUP, &zswap);
    check_bytes(zswap.zswap_bytes);
    check_bytes(zswap.zswapped_bytes);
}

static void
try_path(void)
{
    Process process = { .pid = 42, .dir_fd = procfile_open_pid(fakeroot_fd(root), 42) };

    for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++) {
        g_autofree char *path = cgroup_find(&process, version);

        assert(!path || (!strstr(path, "/../") && !strchr(path, '\n')));
    }
    process_done(&process);
}

static void
try_host(void)
{
    HostSample sample = host_sample_unknown();
    HostFacts facts;

    host_init(&facts, fakeroot_fd(root));
    host_read(&facts, &sample);
    host_done(&facts);
    assert(sample.swap_free_bytes == VALUE_UNKNOWN ||
           sample.swap_free_bytes <= sample.swap_total_bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    root = kept_root(make);
    if (size == 0)
        return 0;
    fakeroot_write_table(root, files, G_N_ELEMENTS(files));
    fakeroot_write_bytes(root, files[data[0] % G_N_ELEMENTS(files)].path, data + 1, size - 1);
    try_version(GROUP_2, CGROUP_V2);
    try_version(GROUP_1, CGROUP_V1);
    try_partition(CGROUP_V2);
    try_partition(CGROUP_V1);
    try_zswap();
    try_path();
    try_host();
    return 0;
}
