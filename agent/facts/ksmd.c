/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ksmd.c - the kernel thread that scans, and the CPU time it has used
 *
 * ksmd is held by its directory in /proc, as a QEMU process is (process.c): the descriptor can
 * never show another process, so there is no pid to check again at each read.
 */
#include "agent/facts/ksmd.h"

#include <stdbool.h>
#include <unistd.h>

#include "agent/facts/procfile.h"
#include "policy/arith.h"

/* kthreadd, the parent of all kernel threads. */
#define KTHREADD_PID 2
/* Where ksmd is not to be seen, one read in 64 pays for a look at all processes. */
#define SEARCH_PAUSE 64

static bool
is_ksmd(int dir_fd, void *data)
{
    char stat[PROCFILE_STAT_BYTES];
    (void)data;

    if (procfile_read_text(dir_fd, "stat", stat, sizeof(stat)) != PROCFILE_READ)
        return false;
    return procfile_stat_is_named(stat, "ksmd") && procfile_stat_field(stat, 4) == KTHREADD_PID;
}

static void
let_go(Ksmd *ksmd)
{
    heldfile_close(&ksmd->run_time);
    if (ksmd->pid != 0)
        close(ksmd->dir_fd);
    ksmd->pid = 0;
}

static void
search_ksmd(Ksmd *ksmd)
{
    let_go(ksmd);
    ksmd->pause = SEARCH_PAUSE;
    ksmd->dir_fd = procfile_find_pid(ksmd->root_fd, is_ksmd, NULL, &ksmd->pid);
}

void
ksmd_init(Ksmd *ksmd, int root_fd)
{
    *ksmd = (Ksmd){ .root_fd = root_fd };
    search_ksmd(ksmd);
}

void
ksmd_done(Ksmd *ksmd)
{
    let_go(ksmd);
    *ksmd = (Ksmd){ 0 };
}

/*
 * schedstat counts nanoseconds. It reads 0 where the kernel was told not to keep it; stat counts
 * ticks and is always there. A thread that truly never ran has 0 in both.
 */
static uint64_t
read_cpu_us(Ksmd *ksmd)
{
    char text[PROCFILE_STAT_BYTES];
    uint64_t ticks_per_second = (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t ns = 0;
    uint64_t user;
    uint64_t system;

    if (heldfile_read_text(&ksmd->run_time, ksmd->dir_fd, "schedstat", text, sizeof(text)) ==
        PROCFILE_READ)
        ns = known_or(procfile_field(text, 1), 0);
    if (ns > 0)
        return ns / 1000;
    if (procfile_read_text(ksmd->dir_fd, "stat", text, sizeof(text)) != PROCFILE_READ)
        return VALUE_UNKNOWN;
    user = procfile_stat_field(text, 14);
    system = procfile_stat_field(text, 15);
    if (!is_known(user) || !is_known(system))
        return VALUE_UNKNOWN;
    return mul_div(sat_add(user, system), 1000000, ticks_per_second);
}

uint64_t
ksmd_cpu_us(Ksmd *ksmd)
{
    uint64_t cpu_us = ksmd->pid != 0 ? read_cpu_us(ksmd) : VALUE_UNKNOWN;

    if (is_known(cpu_us))
        return cpu_us;
    if (ksmd->pause > 0) {
        ksmd->pause--;
        return VALUE_UNKNOWN;
    }
    search_ksmd(ksmd);
    return ksmd->pid != 0 ? read_cpu_us(ksmd) : VALUE_UNKNOWN;
}
