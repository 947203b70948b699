/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process_paging.c - what a process has that its resident set does not tell
 *
 * Swapped pages are not resident, and huge pages of the hugetlb pool are counted in no resident
 * set. Both stand in "status", which the kernel makes from counters that it keeps; it costs three
 * times as much as statm, so only reports ask for it.
 */
#include "agent/facts/process.h"

#include "policy/arith.h"

/* About 1.5 KiB; the list of processors grows with their number. */
#define STATUS_BYTES 16384

bool
process_read_paging(const Process *process, ProcessPaging *ret_paging)
{
    char status[STATUS_BYTES];
    ProcfileResult result;

    if (process->pid == 0)
        return false;
    result = procfile_read_text(process->dir_fd, "status", status, sizeof(status));
    if (result == PROCFILE_ABSENT || result == PROCFILE_GONE)
        return false;
    if (result != PROCFILE_READ)
        status[0] = '\0';
    *ret_paging = (ProcessPaging){
        .swapped_bytes = procfile_key_bytes(status, "VmSwap"),
        .huge_bytes = procfile_key_bytes(status, "HugetlbPages"),
    };
    return true;
}
