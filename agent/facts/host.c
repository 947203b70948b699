/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.c - facts about the host: its memory, KSM, what ksmd costs, and what waits
 *
 * All files stay open between reads (heldfile.c): they are read at every decision. One that is not
 * there is looked for each time, so no list of "files that this kernel has" can grow stale.
 */
#define _GNU_SOURCE

#include "agent/facts/host.h"

#include <assert.h>
#include <fcntl.h>
#include <glib.h>
#include <stddef.h>
#include <unistd.h>

#include "agent/facts/procfile.h"
#include "agent/facts/vm.h"
#include "policy/arith.h"

/* "0-3,8-11": holds more separate ranges than any host was seen with. */
#define CPU_LIST_BYTES 1024
/* Far above the kernel's own limit (8192): a list that claims more is damaged. */
#define CPUS_MOST 65536u

/* A number, or "none [scan-time]" and room for modes to come. */
#define KNOB_BYTES 256
#define KSM_DIR    "sys/kernel/mm/ksm"
#define ANY_NUMBER UINT64_MAX

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
    { "merge_across_nodes", offsetof(KsmCounters, merge_across_nodes), 1 },
};
/* general_profit is the one with a sign and has its own line in read_counters(). */
static_assert(G_N_ELEMENTS(counter_files) + 1 == sizeof(KsmCounters) / sizeof(uint64_t),
              "counter_files[] and KsmCounters differ");
static_assert(HOST_COUNTER_FILES == sizeof(KsmCounters) / sizeof(uint64_t),
              "HostFacts has another number of counters than KsmCounters");

static void
close_ksm(HostFacts *facts)
{
    for (size_t i = 0; i < G_N_ELEMENTS(facts->counters); i++)
        heldfile_close(&facts->counters[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(facts->knobs); i++)
        heldfile_close(&facts->knobs[i]);
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
    heldfile_close(&facts->memory);
    heldfile_close(&facts->cpus);
    stall_files_close(&facts->stalls);
    *facts = (HostFacts){ 0 };
}

static uint32_t
read_cpus(HostFacts *facts)
{
    char list[CPU_LIST_BYTES];
    uint64_t cpus = VALUE_UNKNOWN;

    if (heldfile_read_text(&facts->cpus, facts->root_fd, "sys/devices/system/cpu/online", list,
                           sizeof(list)) == PROCFILE_READ)
        cpus = procfile_count_list(list);
    if (cpus == 0 || cpus > CPUS_MOST)
        cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    return (uint32_t)clamp_u64(cpus, 1, CPUS_MOST);
}

static void
read_memory(HostFacts *facts, HostSample *sample)
{
    char meminfo[PROCFILE_MEMINFO_BYTES];

    if (heldfile_read_text(&facts->memory, facts->root_fd, "proc/meminfo", meminfo,
                           sizeof(meminfo)) != PROCFILE_READ)
        meminfo[0] = '\0';
    sample->mem_total_bytes =
        sat_sub(procfile_key_bytes(meminfo, "MemTotal"), known_or(vm_huge_pool_bytes(meminfo), 0));
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

    procfile_read_long(facts->root_fd, "proc/vmstat", PROCFILE_VMSTAT_BYTES, &vmstat);
    sample->swap_in_pages = procfile_key_u64(vmstat ? vmstat : "", "pswpin");
    sample->swap_out_pages = procfile_key_u64(vmstat ? vmstat : "", "pswpout");
}

static void
read_stalls(HostFacts *facts, HostSample *sample)
{
    Stalls stalls;

    stalls_read(&facts->stalls, facts->root_fd, &stalls);
    sample->cpu_stall_us = stalls.cpu_stall_us;
    sample->memory_stall_us = stalls.memory_stall_us;
    sample->steal_us = stalls.steal_us;
}

/* An open directory outlives its removal (a test's tree, never sysfs): then look again. */
static bool
find_ksm(HostFacts *facts)
{
    if (facts->ksm_fd >= 0 && procfile_may(facts->ksm_fd, "run", F_OK))
        return true;
    close_ksm(facts);
    facts->ksm_fd = openat(facts->root_fd, KSM_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return facts->ksm_fd >= 0 && procfile_may(facts->ksm_fd, "run", F_OK);
}

static uint64_t
read_knob(HostFacts *facts, KsmKnob knob)
{
    char text[KNOB_BYTES];
    uint64_t value;

    if (heldfile_read_text(&facts->knobs[knob], facts->ksm_fd, ksm_knob_name(knob), text,
                           sizeof(text)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    procfile_choose(text);
    return ksm_knob_parse(knob, g_strchomp(text), &value) ? value : VALUE_UNKNOWN;
}

/* One by its place in KsmCounters, which counter_files[] has. */
static uint64_t
read_counter(HostFacts *facts, size_t offset)
{
    size_t i = 0;

    while (counter_files[i].offset != offset)
        i++;
    return heldfile_u64(&facts->counters[i], facts->ksm_fd, counter_files[i].name,
                        counter_files[i].most);
}

static void
read_counters(HostFacts *facts, KsmCounters *counters)
{
    HeldFile *profit = &facts->counters[G_N_ELEMENTS(counter_files)];
    char text[PROCFILE_NUMBER_BYTES];

    for (size_t i = 0; i < G_N_ELEMENTS(counter_files); i++) {
        const CounterFile *file = &counter_files[i];
        uint64_t *counter = (uint64_t *)(void *)((char *)counters + file->offset);

        *counter = read_counter(facts, file->offset);
    }
    counters->general_profit = VALUE_UNKNOWN;
    if (heldfile_read_text(profit, facts->ksm_fd, "general_profit", text, sizeof(text)) ==
        PROCFILE_READ)
        counters->general_profit = procfile_parse_i64(text);
}

void
host_read_knobs(HostFacts *facts, HostSample *sample)
{
    sample->has_ksm = find_ksm(facts);
    /* Without KSM the descriptor is -1 or an empty directory, and each figure is unknown. */
    for (KsmKnob knob = 0; knob < KSM_KNOB_COUNT; knob++)
        ksm_knob_put(&sample->knobs, knob, read_knob(facts, knob));
}

void
host_read_ksm(HostFacts *facts, HostSample *sample)
{
    host_read_knobs(facts, sample);
    read_counters(facts, &sample->ksm);
    sample->ksmd_cpu_us = ksmd_cpu_us(&facts->ksmd);
}

void
host_read(HostFacts *facts, HostSample *sample)
{
    host_read_ksm(facts, sample);
    sample->cpus = read_cpus(facts);
    sample->page_bytes = facts->page_bytes;
    read_memory(facts, sample);
    sample->swap_in_pages = VALUE_UNKNOWN;
    sample->swap_out_pages = VALUE_UNKNOWN;
    read_stalls(facts, sample);
}

void
host_read_merged(HostFacts *facts, HostMerged *ret_merged)
{
    /* host_read() minds the directory; here only the first call can find it closed. */
    if (facts->ksm_fd < 0)
        find_ksm(facts);
    ret_merged->pages_shared = read_counter(facts, offsetof(KsmCounters, pages_shared));
    ret_merged->pages_sharing = read_counter(facts, offsetof(KsmCounters, pages_sharing));
    ret_merged->ksm_zero_pages = read_counter(facts, offsetof(KsmCounters, ksm_zero_pages));
}
