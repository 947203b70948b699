/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.c - facts about the host: its memory, KSM, what ksmd costs, and what waits
 *
 * The directory of KSM stays open between reads, its files do not: opening by a short name below
 * an open directory costs about a microsecond, and it finds what is there now, so no list of
 * "files that this kernel has" can grow stale.
 */
#define _GNU_SOURCE

#include "agent/facts/host.h"

#include <assert.h>
#include <fcntl.h>
#include <glib.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "agent/facts/procfile.h"
#include "agent/facts/stall.h"
#include "policy/arith.h"

/* About 2 KiB today; it grows by a few lines in each kernel. */
#define MEMINFO_BYTES 8192
/* About 5 KiB in Linux 6.18. */
#define VMSTAT_BYTES 65536
/* "0-3,8-11": holds more separate ranges than any host was seen with. */
#define CPU_LIST_BYTES 1024
/* Far above the kernel's own limit (8192): a list that claims more is damaged. */
#define CPUS_MOST 65536u

/* "none [scan-time]", and room for modes to come. */
#define ADVISOR_BYTES 256
#define KSM_DIR       "sys/kernel/mm/ksm"
#define ANY_NUMBER    UINT64_MAX

/* One file in sys/kernel/mm/ksm that holds one number. */
typedef struct {
    const char *name;
    size_t offset; /* of the uint64_t in KsmCounters */
    uint64_t most; /* what the file can hold; more is not a value */
} CounterFile;

static const CounterFile counter_files[] = {
    { "full_scans", offsetof(KsmCounters, full_scans), ANY_NUMBER },
    { "pages_shared", offsetof(KsmCounters, pages_shared), ANY_NUMBER },
    { "pages_sharing", offsetof(KsmCounters, pages_sharing), ANY_NUMBER },
    { "pages_unshared", offsetof(KsmCounters, pages_unshared), ANY_NUMBER },
    { "pages_volatile", offsetof(KsmCounters, pages_volatile), ANY_NUMBER },
    { "ksm_zero_pages", offsetof(KsmCounters, ksm_zero_pages), ANY_NUMBER },
    { "pages_scanned", offsetof(KsmCounters, pages_scanned), ANY_NUMBER },
    { "pages_skipped", offsetof(KsmCounters, pages_skipped), ANY_NUMBER },
    { "max_page_sharing", offsetof(KsmCounters, max_page_sharing), ANY_NUMBER },
    { "merge_across_nodes", offsetof(KsmCounters, merge_across_nodes), 1 },
};
/* general_profit is the one with a sign and has its own line in read_counters(). */
static_assert(sizeof(counter_files) / sizeof(counter_files[0]) + 1 ==
                  sizeof(KsmCounters) / sizeof(uint64_t),
              "counter_files[] and KsmCounters differ");

/* Values of advisor_mode, at the index that KsmKnobs.advisor has for them. */
static const char *const advisor_modes[] = { "[none]", "[scan-time]" };

static void
close_ksm(HostFacts *facts)
{
    if (facts->ksm_fd >= 0)
        close(facts->ksm_fd);
    facts->ksm_fd = -1;
}

void
host_init(HostFacts *facts, int root_fd)
{
    *facts = (HostFacts){
        .root_fd = root_fd,
        .page_bytes = (uint32_t)sysconf(_SC_PAGESIZE),
        .ksm_fd = -1,
    };
    ksmd_init(&facts->ksmd, root_fd);
}

void
host_done(HostFacts *facts)
{
    if (!facts || facts->page_bytes == 0)
        return;
    close_ksm(facts);
    ksmd_done(&facts->ksmd);
    *facts = (HostFacts){ 0 };
}

static uint32_t
read_cpus(int root_fd)
{
    char list[CPU_LIST_BYTES];
    uint64_t cpus = VALUE_UNKNOWN;

    if (procfile_read_text(root_fd, "sys/devices/system/cpu/online", list, sizeof(list)) ==
        PROCFILE_READ)
        cpus = procfile_count_list(list);
    if (cpus == 0 || cpus > CPUS_MOST)
        cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    return (uint32_t)clamp_u64(cpus, 1, CPUS_MOST);
}

static void
read_memory(int root_fd, HostSample *sample)
{
    char meminfo[MEMINFO_BYTES];

    if (procfile_read_text(root_fd, "proc/meminfo", meminfo, sizeof(meminfo)) != PROCFILE_READ)
        meminfo[0] = '\0';
    sample->mem_total_bytes = procfile_key_bytes(meminfo, "MemTotal");
    sample->mem_available_bytes = procfile_key_bytes(meminfo, "MemAvailable");
    sample->anon_bytes = procfile_key_bytes(meminfo, "AnonPages");
    sample->swap_total_bytes = procfile_key_bytes(meminfo, "SwapTotal");
    sample->swap_free_bytes = procfile_key_bytes(meminfo, "SwapFree");
    /* More free than there is would be no figure. */
    if (is_known(sample->swap_free_bytes) && sample->swap_free_bytes > sample->swap_total_bytes)
        sample->swap_free_bytes = VALUE_UNKNOWN;
}

void
host_read_swapping(const HostFacts *facts, HostSample *sample)
{
    g_autofree char *vmstat = NULL;

    procfile_read_long(facts->root_fd, "proc/vmstat", VMSTAT_BYTES, &vmstat);
    sample->swap_in_pages = procfile_key_u64(vmstat ? vmstat : "", "pswpin");
    sample->swap_out_pages = procfile_key_u64(vmstat ? vmstat : "", "pswpout");
}

static void
read_stalls(int root_fd, HostSample *sample)
{
    Stalls stalls;

    stalls_read(root_fd, &stalls);
    sample->cpu_stall_us = stalls.cpu_stall_us;
    sample->memory_stall_us = stalls.memory_stall_us;
    sample->steal_us = stalls.steal_us;
}

/* An open directory outlives its removal (a test's tree, never sysfs): then look again. */
static bool
find_ksm(HostFacts *facts)
{
    if (facts->ksm_fd >= 0 && faccessat(facts->ksm_fd, "run", F_OK, 0) == 0)
        return true;
    close_ksm(facts);
    facts->ksm_fd = openat(facts->root_fd, KSM_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return facts->ksm_fd >= 0 && faccessat(facts->ksm_fd, "run", F_OK, 0) == 0;
}

static uint64_t
read_advisor(int ksm_fd)
{
    char modes[ADVISOR_BYTES];

    if (procfile_read_text(ksm_fd, "advisor_mode", modes, sizeof(modes)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    for (size_t i = 0; i < G_N_ELEMENTS(advisor_modes); i++)
        if (strstr(modes, advisor_modes[i]))
            return i;
    return VALUE_UNKNOWN;
}

static void
read_knobs(int ksm_fd, KsmKnobs *knobs)
{
    knobs->run = procfile_u64(ksm_fd, "run", KSM_RUN_COUNT - 1);
    knobs->pages_to_scan = procfile_u64(ksm_fd, "pages_to_scan", UINT32_MAX);
    knobs->sleep_ms = procfile_u64(ksm_fd, "sleep_millisecs", UINT32_MAX);
    knobs->advisor = read_advisor(ksm_fd);
    knobs->smart_scan = procfile_u64(ksm_fd, "smart_scan", 1);
    knobs->use_zero_pages = procfile_u64(ksm_fd, "use_zero_pages", 1);
}

static void
read_counters(int ksm_fd, KsmCounters *counters)
{
    for (size_t i = 0; i < G_N_ELEMENTS(counter_files); i++) {
        const CounterFile *file = &counter_files[i];
        uint64_t *counter = (uint64_t *)(void *)((char *)counters + file->offset);

        *counter = procfile_u64(ksm_fd, file->name, file->most);
    }
    counters->general_profit = procfile_i64(ksm_fd, "general_profit");
}

void
host_read_knobs(HostFacts *facts, HostSample *sample)
{
    sample->has_ksm = find_ksm(facts);
    /* Without KSM the descriptor is -1 or an empty directory, and each figure is unknown. */
    read_knobs(facts->ksm_fd, &sample->knobs);
}

void
host_read(HostFacts *facts, HostSample *sample)
{
    host_read_knobs(facts, sample);
    read_counters(facts->ksm_fd, &sample->ksm);
    sample->ksmd_cpu_us = ksmd_cpu_us(&facts->ksmd);
    sample->cpus = read_cpus(facts->root_fd);
    sample->page_bytes = facts->page_bytes;
    read_memory(facts->root_fd, sample);
    sample->swap_in_pages = VALUE_UNKNOWN;
    sample->swap_out_pages = VALUE_UNKNOWN;
    read_stalls(facts->root_fd, sample);
}

void
host_read_merged(HostFacts *facts, HostMerged *ret_merged)
{
    /* host_read() minds the directory; here only the first call can find it closed. */
    if (facts->ksm_fd < 0)
        find_ksm(facts);
    ret_merged->pages_shared = procfile_u64(facts->ksm_fd, "pages_shared", ANY_NUMBER);
    ret_merged->pages_sharing = procfile_u64(facts->ksm_fd, "pages_sharing", ANY_NUMBER);
    ret_merged->ksm_zero_pages = procfile_u64(facts->ksm_fd, "ksm_zero_pages", ANY_NUMBER);
}
