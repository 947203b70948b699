/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm.h - what the host's memory management has done: swap, zswap, huge pages, broken merges
 */
#ifndef AGENT_FACTS_VM_H
#define AGENT_FACTS_VM_H

#include <stdint.h>

/* Figures of the host at one moment; each is VALUE_UNKNOWN if it could not be had. */
typedef struct {
    uint64_t huge_pool_bytes; /* the pool of huge pages, of all sizes, in use or not */
    uint64_t swapped_bytes;   /* slots of swap in use, those of zswap included */
    uint64_t zswapped_bytes;  /* of these, what zswap holds, as it was before compression (5.19) */
    uint64_t zswap_bytes;     /* what zswap occupies for it (5.19) */
    uint64_t cow_ksm;         /* merged pages that were copied for a write, since boot (5.18) */
} HostVm;

/**
 * vm_huge_pool_bytes() - memory that is set aside for huge pages
 * @meminfo: text of /proc/meminfo
 *
 * MemTotal has the pool, MemAvailable never has any of it: nobody gets at it but by hugetlbfs. As
 * much as MemTotal or more would be no figure.
 *
 * Source: Documentation/admin-guide/mm/hugetlbpage.rst: "Hugetlb" (4.16) is in kB and of all sizes;
 * "HugePages_Total" counts pages of the default size, which is "Hugepagesize"
 * Return: bytes; VALUE_UNKNOWN: it does not tell.
 */
uint64_t vm_huge_pool_bytes(const char *meminfo);

/**
 * vm_read() - read them
 * @root_fd: "/" or a test's fake root (borrowed)
 * @ret_vm:  always filled
 *
 * Two files; the kernel adds up a few figures for each processor, nothing for the size of memory.
 *
 * Source: Documentation/filesystems/proc.rst, "meminfo"; include/linux/vm_event_item.h, COW_KSM
 */
void vm_read(int root_fd, HostVm *ret_vm);

#endif
