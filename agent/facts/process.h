/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h - the QEMU process of a domain: which one it is, and what it uses
 */
#ifndef AGENT_FACTS_PROCESS_H
#define AGENT_FACTS_PROCESS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/facts/patience.h"
#include "agent/facts/procfile.h"

/* Figures of one process at one moment. Each is VALUE_UNKNOWN if it could not be had. */
typedef struct {
    uint64_t resident_bytes;   /* in memory now, files and shared memory included */
    uint64_t anon_bytes;       /* of these, private memory: what KSM may look at */
    uint64_t merging_pages;    /* pages that share a KSM page */
    uint64_t rmap_items;       /* pages that KSM keeps records of */
    uint64_t ksm_zero_pages;   /* pages that KSM replaced by the kernel's zero page */
    uint64_t profit_bytes;     /* the kernel's saving less metadata, signed as u64 */
    ProcfileResult ksm_access; /* how reading ksm_stat went: absent, refused, ... */
} ProcessSample;

/* One process, held so that it cannot be mistaken for a later one. A zeroed struct holds none. */
typedef struct {
    pid_t pid; /* as seen in our /proc; 0: no process is held */
    /* private: */
    int dir_fd;         /* owned if pid is not 0; its directory in /proc */
    PatienceCall *late; /* owned; a reading that came late or never; NULL: there is none */
    uint64_t again_us;  /* CLOCK_MONOTONIC; not waited for before, as it came late */
    ProcessSample last; /* of the last reading that was in time */
    uint64_t last_us;   /* CLOCK_MONOTONIC of that; 0: there was none */
} Process;

/* A process to be read, and what came of it. */
typedef struct {
    Process *process;     /* borrowed; holds one */
    bool runs;            /* out: it has not exited */
    ProcessSample sample; /* out: only if it runs */
    bool is_read;         /* private: it was read in time */
} ProcessReading;

/* What a process has beside its resident set. Each is VALUE_UNKNOWN if it could not be had. */
typedef struct {
    uint64_t swapped_bytes; /* pages of its own that are swapped out, zswap included */
    uint64_t huge_bytes;    /* pages of the hugetlb pool that it has in use */
} ProcessPaging;

/* Whose QEMU is looked for. */
typedef struct {
    const char *name; /* of the domain; only tells where to look, any text will do */
    const char *uuid; /* of the domain, in the form 8-4-4-4-12 */
    bool is_systems;  /* the libvirt of the system runs it, or its hook says so */
} ProcessWanted;

/**
 * process_find() - find the QEMU process of a running domain and hold it
 * @root_fd:     "/" or a test's fake root (borrowed)
 * @whose:       the domain
 * @ret_process: for process_done(); written only on success
 * @error:       G_IO_ERROR_NOT_FOUND, or G_IO_ERROR_INVALID_ARGUMENT for a bad uuid
 *
 * Tries the pid file of the system daemon, run/libvirt/qemu/NAME.pid, that of a session daemon,
 * $XDG_RUNTIME_DIR/libvirt/qemu/run/NAME.pid, both below the root, and then every process; but
 * not for a domain of the system's libvirt where that has a directory without its file: it has no
 * QEMU yet. One counts only if its command line has the argument -uuid followed by the uuid. The
 * last step costs a few microseconds for each process of the host: do not repeat a search that
 * fails in haste. A command line is read when its process lets it be: process_find_in_time() for
 * who may not wait.
 *
 * Source: libvirt, virPidFileBuildPath() and the state directories of the QEMU driver (verified
 * with 9.0)
 * Return: whether one was found.
 */
bool process_find(int root_fd, const ProcessWanted *whose, Process *ret_process, GError **error);

/**
 * process_read() - what a process uses now
 * @process:    from process_find()
 * @ret_sample: written only if the process still runs
 *
 * Reads at most three files, none of which costs time in proportion to the memory of the process.
 * The figures of KSM need the owner's rights or CAP_DAC_READ_SEARCH. ksm_stat is read when the
 * process lets it be: process_read_in_time() for who may not wait.
 *
 * Source: Documentation/filesystems/proc.rst, "statm" and "ksm_stat"
 * Return: false if it has exited, whether reaped or not; true also if little could be read.
 */
bool process_read(const Process *process, ProcessSample *ret_sample);

/**
 * process_read_free() - what a process uses now, as far as nobody has to be waited for
 * @process:    from process_find()
 * @ret_sample: written only if the process still runs; rmap_items, ksm_zero_pages and profit_bytes
 *              are unknown, ksm_access is PROCFILE_BUSY
 *
 * Return: as process_read().
 */
bool process_read_free(const Process *process, ProcessSample *ret_sample);

/**
 * process_read_in_time() - what processes use now, without waiting for any of them
 * @readings: the processes; else zeroed
 * @n:        how many there are
 *
 * One that does not let ksm_stat be read (a long change of its mappings; from about Linux 6.14 on)
 * is waited for 100 ms, and then not before five seconds have passed and its reading is over; for
 * all together the wait is half a second, or a second where the host has no CPU to spare. Its
 * other figures are of now, and those of that file are the last ones for ten seconds, then
 * unknown, and ksm_access is PROCFILE_BUSY.
 *
 * Return: whether none was late.
 */
bool process_read_in_time(ProcessReading *readings, size_t n);

/**
 * process_find_in_time() - process_find(), but waiting 100 ms at most
 * @root_fd:     as for process_find(); duplicated
 * @whose:       the domain; copied
 * @ret_process: for process_done(); written only on success
 * @error:       as of process_find(); G_IO_ERROR_TIMED_OUT: it goes on, and its result is for who
 *               asks for the same uuid next, without waiting. Of 16 that do no other is begun.
 *
 * For the main loop's thread alone.
 *
 * Return: whether one was found.
 */
bool process_find_in_time(int root_fd, const ProcessWanted *whose, Process *ret_process,
                          GError **error);

/**
 * process_wait_us() - how long the threads of a process have waited for a CPU
 * @process: from process_find()
 *
 * The sum over the threads that run now, each since it began. A thread that ends takes its part
 * away, so the sum may go down: a difference says something only if it is not negative. Costs a
 * few microseconds a thread; of more than 1,024 threads, the first are counted.
 *
 * Source: Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat"
 * Return: microseconds; VALUE_UNKNOWN if the process has exited or the kernel does not count.
 */
uint64_t process_wait_us(const Process *process);

/**
 * process_begun_us() - when a process began
 * @process: from process_find()
 *
 * Source: proc_pid_stat(5), "starttime": in clock ticks, with the time that the host was suspended
 * Return: CLOCK_MONOTONIC, to the length of a clock tick; VALUE_UNKNOWN if it has exited.
 */
uint64_t process_begun_us(const Process *process);

/**
 * process_read_paging() - what its resident set does not tell
 * @process:    from process_find()
 * @ret_paging: written only if the process still runs
 *
 * One file, made of counters. A process that has exited and is not reaped shows neither figure.
 *
 * Source: Documentation/filesystems/proc.rst, "Contents of the status fields"
 * Return: false if it has been reaped.
 */
bool process_read_paging(const Process *process, ProcessPaging *ret_paging);

/**
 * process_sample_clear() - a sample in which nothing is known
 * @sample: overwritten
 */
void process_sample_clear(ProcessSample *sample);

/**
 * process_done() - let go of a process
 * @process: zeroed after; holding none is fine, and so is NULL
 */
void process_done(Process *process);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Process, process_done)

/**
 * process_thread_cpu_us() - CPU time that the calling thread has taken so far, in microseconds
 *
 * For what something costs: unlike the time that passes it does not grow while others run.
 */
uint64_t process_thread_cpu_us(void);

#endif
