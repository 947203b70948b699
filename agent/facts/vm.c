/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm.c - what the host's memory management has done: swap, zswap, huge pages, broken merges
 */
#include "agent/facts/vm.h"

#include <glib.h>

#include "agent/facts/procfile.h"
#include "policy/arith.h"

/* Swap in use; more free than there is would be no figure. */
static uint64_t
swapped_bytes(const char *meminfo)
{
    uint64_t total = procfile_key_bytes(meminfo, "SwapTotal");
    uint64_t unused = procfile_key_bytes(meminfo, "SwapFree");

    return is_known(total) && is_known(unused) && unused <= total ? total - unused : VALUE_UNKNOWN;
}

uint64_t
vm_huge_pool_bytes(const char *meminfo)
{
    uint64_t bytes = procfile_key_bytes(meminfo, "Hugetlb");
    uint64_t pages = procfile_key_u64(meminfo, "HugePages_Total");
    uint64_t page_bytes = procfile_key_bytes(meminfo, "Hugepagesize");

    if (!is_known(bytes) && is_known(pages) && is_known(page_bytes))
        bytes = mul_div(pages, page_bytes, 1);
    return bytes < known_or(procfile_key_bytes(meminfo, "MemTotal"), 0) ? bytes : VALUE_UNKNOWN;
}

void
vm_read(int root_fd, HostVm *ret_vm)
{
    char meminfo[PROCFILE_MEMINFO_BYTES];
    g_autofree char *vmstat = NULL;

    if (procfile_read_text(root_fd, "proc/meminfo", meminfo, sizeof(meminfo)) != PROCFILE_READ)
        meminfo[0] = '\0';
    procfile_read_long(root_fd, "proc/vmstat", PROCFILE_VMSTAT_BYTES, &vmstat);
    *ret_vm = (HostVm){
        .huge_pool_bytes = vm_huge_pool_bytes(meminfo),
        .swapped_bytes = swapped_bytes(meminfo),
        .zswapped_bytes = procfile_key_bytes(meminfo, "Zswapped"),
        .zswap_bytes = procfile_key_bytes(meminfo, "Zswap"),
        .cow_ksm = vmstat ? procfile_key_u64(vmstat, "cow_ksm") : VALUE_UNKNOWN,
    };
}
