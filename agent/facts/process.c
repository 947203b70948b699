/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c - the QEMU process of a domain: held safely, and what it uses
 *
 * A pid is a promise that the kernel does not keep: between reading it from a file and reading
 * /proc/PID the process may die and its number go to another. So the directory /proc/PID is opened
 * first and everything, the proof of identity included, is read through that descriptor. It stays
 * bound to the process that it was opened for: after that one is reaped, each lookup below it
 * fails, also when the number is in use again (test/unit/process_test.c shows it).
 *
 * Gone, refused and absent are told apart by statm. One file of KSM cannot do it: it is missing on
 * an old kernel, it may be refused, and it is empty for a zombie. A lookup below a reaped process
 * gives ESRCH, or ENOENT if it dies during the call, which is the answer of an old kernel too.
 * But every kernel has statm, everybody may read it, and for a zombie, whose memory is given back
 * already, it reads all zeros. It is read last: if it shows a live process, what was read before
 * it came from one.
 *
 * Resident memory comes from statm too, not from status: it costs half the time, and the
 * anonymous part is field 2 less field 3, by the same counters as RssAnon.
 */
#define _GNU_SOURCE
#include "agent/facts/process.h"

#include <time.h>
#include <unistd.h>

#include "policy/arith.h"

/* Six lines of 45 bytes in Linux 6.18. */
#define KSM_STAT_BYTES 1024
/* In the stat line: when it began. */
#define BEGUN_FIELD 22
/* Seven numbers of at most 20 digits. */
#define STATM_BYTES 256

/* Fills the memory figures; false if the process has exited. */
static bool
read_memory(int dir_fd, ProcessSample *sample)
{
    char statm[STATM_BYTES];
    ProcfileResult result = procfile_read_text(dir_fd, "statm", statm, sizeof(statm));
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t resident;
    uint64_t shared;

    if (result == PROCFILE_ABSENT || result == PROCFILE_GONE)
        return false;
    if (result != PROCFILE_READ)
        return true;
    /* No address space at all: a zombie. */
    if (procfile_field(statm, 1) == 0)
        return false;
    resident = procfile_field(statm, 2);
    shared = procfile_field(statm, 3);
    if (!is_known(resident) || resident > INT64_MAX / page_bytes)
        return true;
    sample->resident_bytes = resident * page_bytes;
    if (shared <= resident)
        sample->anon_bytes = (resident - shared) * page_bytes;
    return true;
}

/* Linux 6.1 has the figure only here; no lock is needed for this one. */
static void
read_merging(int dir_fd, ProcessSample *sample)
{
    sample->merging_pages = procfile_u64(dir_fd, "ksm_merging_pages", UINT64_MAX);
}

static void
read_ksm(int dir_fd, ProcessSample *sample)
{
    char stat[KSM_STAT_BYTES];

    sample->ksm_access = procfile_read_text(dir_fd, "ksm_stat", stat, sizeof(stat));
    if (sample->ksm_access != PROCFILE_READ)
        stat[0] = '\0';
    sample->rmap_items = procfile_key_u64(stat, "ksm_rmap_items");
    sample->ksm_zero_pages = procfile_key_u64(stat, "ksm_zero_pages");
    sample->profit_bytes = procfile_key_i64(stat, "ksm_process_profit");
    sample->merging_pages = procfile_key_u64(stat, "ksm_merging_pages");
    if (!is_known(sample->merging_pages) && sample->ksm_access != PROCFILE_REFUSED)
        read_merging(dir_fd, sample);
}

bool
process_read(const Process *process, ProcessSample *ret_sample)
{
    ProcessSample sample;

    if (process->pid == 0)
        return false;
    process_sample_clear(&sample);
    read_ksm(process->dir_fd, &sample);
    if (!read_memory(process->dir_fd, &sample))
        return false;
    *ret_sample = sample;
    return true;
}

bool
process_read_free(const Process *process, ProcessSample *ret_sample)
{
    ProcessSample sample;

    if (process->pid == 0)
        return false;
    process_sample_clear(&sample);
    sample.ksm_access = PROCFILE_BUSY;
    read_merging(process->dir_fd, &sample);
    if (!read_memory(process->dir_fd, &sample))
        return false;
    *ret_sample = sample;
    return true;
}

void
process_sample_clear(ProcessSample *sample)
{
    *sample = (ProcessSample){
        .resident_bytes = VALUE_UNKNOWN,
        .anon_bytes = VALUE_UNKNOWN,
        .merging_pages = VALUE_UNKNOWN,
        .rmap_items = VALUE_UNKNOWN,
        .ksm_zero_pages = VALUE_UNKNOWN,
        .profit_bytes = VALUE_UNKNOWN,
        .ksm_access = PROCFILE_ABSENT,
    };
}

void
process_done(Process *process)
{
    if (!process || process->pid == 0)
        return;
    close(process->dir_fd);
    patience_leave(process->late);
    *process = (Process){ 0 };
}

static uint64_t
clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * G_USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

uint64_t
process_thread_cpu_us(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t
process_begun_us(const Process *process)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    char stat[PROCFILE_STAT_BYTES];
    uint64_t begun_us;
    uint64_t ticks;

    if (process->pid == 0 ||
        procfile_read_text(process->dir_fd, "stat", stat, sizeof(stat)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    ticks = procfile_stat_field(stat, BEGUN_FIELD);
    if (!is_known(ticks))
        return VALUE_UNKNOWN;
    begun_us = mul_div(ticks, G_USEC_PER_SEC, (uint64_t)sysconf(_SC_CLK_TCK));
    return sat_sub(now_us, sat_sub(clock_us(CLOCK_BOOTTIME), begun_us));
}
