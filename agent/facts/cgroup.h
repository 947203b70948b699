/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup.h - the memory cgroup of a domain, where the host has version 2 */
#ifndef AGENT_FACTS_CGROUP_H
#define AGENT_FACTS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/facts/process.h"

/* What zswap holds of a cgroup. Each is VALUE_UNKNOWN if it could not be had. */
typedef struct {
    uint64_t zswapped_bytes; /* as it was before compression (5.19) */
    uint64_t zswap_bytes;    /* what it occupies (5.19) */
} CgroupZswap;

/** cgroup_is_v2() - whether memory is under control of version 2; @root_fd: "/" or a fake root */
bool cgroup_is_v2(int root_fd);

/**
 * cgroup_find() - the cgroup that libvirt has made for a domain
 * @process:  its QEMU
 *
 * With systemd the scope of the domain, else the folder called after it: what is in it is the
 * domain's alone.
 *
 * Source: libvirt, virCgroupNewMachine(); /proc/PID/cgroup in cgroups(7)
 * Return: path below the mount point, owned by the caller; NULL: there is none in version 2.
 */
char *cgroup_find(const Process *process);

/**
 * cgroup_read_zswap() - what zswap holds of it
 * @root_fd:   "/" or a test's fake root (borrowed)
 * @cgroup:    from cgroup_find(); NULL: nothing is known
 * @ret_zswap: always filled
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst, "memory.stat"
 */
void cgroup_read_zswap(int root_fd, const char *cgroup, CgroupZswap *ret_zswap);

#endif
