/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process_wait.c - how long the threads of a process have waited for a CPU
 *
 * A virtual CPU that could run and does not get a CPU is what a guest feels as latency. The kernel
 * counts that wait for every thread (run_delay), in no place for a whole process; so the threads
 * are added up here. Whoever asks does so for the few domains that are marked for it.
 */
#define _GNU_SOURCE

#include "agent/facts/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "policy/arith.h"

/* A QEMU has a thread per virtual CPU and some tens beside them; a read costs microseconds. */
#define THREADS_MOST 1024
/* Three numbers of at most 20 digits. */
#define SCHEDSTAT_BYTES 128
/* A thread id and "/schedstat". */
#define PATH_BYTES 64

static DIR *
open_threads(const Process *process)
{
    int fd = openat(process->dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *threads = fd < 0 ? NULL : fdopendir(fd);

    if (!threads && fd >= 0)
        close(fd);
    return threads;
}

/* Of one thread; VALUE_UNKNOWN also if it has never run, which is how a kernel that does not
 * count shows every thread. */
static uint64_t
thread_wait_ns(int threads_fd, uint64_t tid)
{
    char path[PATH_BYTES];
    char text[SCHEDSTAT_BYTES];

    g_snprintf(path, sizeof(path), "%" G_GUINT64_FORMAT "/schedstat", tid);
    if (procfile_read_text(threads_fd, path, text, sizeof(text)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    return known_or(procfile_field(text, 1), 0) > 0 ? procfile_field(text, 2) : VALUE_UNKNOWN;
}

uint64_t
process_wait_us(const Process *process)
{
    DIR *threads = process->pid != 0 ? open_threads(process) : NULL;
    const struct dirent *entry;
    unsigned count = 0;
    bool is_told = false;
    uint64_t sum_ns = 0;

    while (threads && count < THREADS_MOST && (entry = readdir(threads))) {
        uint64_t tid;
        uint64_t wait_ns;

        if (!procfile_parse_u64(entry->d_name, &tid))
            continue;
        count++;
        wait_ns = thread_wait_ns(dirfd(threads), tid);
        is_told = is_told || is_known(wait_ns);
        sum_ns = sat_add(sum_ns, known_or(wait_ns, 0));
    }
    if (threads)
        closedir(threads);
    return is_told ? sum_ns / 1000 : VALUE_UNKNOWN;
}
