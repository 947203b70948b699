/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm.c - what the host's memory management has done: swap, zswap, broken merges
 */
#include "agent/facts/vm.h"

#include "agent/facts/procfile.h"
#include "policy/arith.h"

/* About 2 KiB today; it grows by a few lines in each kernel. */
#define MEMINFO_BYTES 8192
/* About 5 KiB in Linux 6.18. */
#define VMSTAT_BYTES 32768

/* Swap in use; more free than there is would be no figure. */
static uint64_t
swapped_bytes(const char *meminfo)
{
    uint64_t total = procfile_key_bytes(meminfo, "SwapTotal");
    uint64_t unused = procfile_key_bytes(meminfo, "SwapFree");

    return is_known(total) && is_known(unused) && unused <= total ? total - unused : VALUE_UNKNOWN;
}

void
vm_read(int root_fd, HostVm *ret_vm)
{
    char meminfo[MEMINFO_BYTES];
    char vmstat[VMSTAT_BYTES];

    if (procfile_read_text(root_fd, "proc/meminfo", meminfo, sizeof(meminfo)) != PROCFILE_READ)
        meminfo[0] = '\0';
    if (procfile_read_text(root_fd, "proc/vmstat", vmstat, sizeof(vmstat)) != PROCFILE_READ)
        vmstat[0] = '\0';
    *ret_vm = (HostVm){
        .swapped_bytes = swapped_bytes(meminfo),
        .zswapped_bytes = procfile_key_bytes(meminfo, "Zswapped"),
        .zswap_bytes = procfile_key_bytes(meminfo, "Zswap"),
        .cow_ksm = procfile_key_u64(vmstat, "cow_ksm"),
    };
}
