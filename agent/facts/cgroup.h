/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup.h - the memory cgroup of a domain */
#ifndef AGENT_FACTS_CGROUP_H
#define AGENT_FACTS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/facts/process.h"

/* Where groups are, below the root folder. */
#define CGROUP_MOUNT_POINT "sys/fs/cgroup"

typedef enum {
    CGROUP_NONE, /* not open */
    CGROUP_V1,
    CGROUP_V2,
    CGROUP_VERSION_COUNT,
} CgroupVersion;

/* The memory cgroup of a domain, held. A zeroed struct holds none. */
typedef struct {
    CgroupVersion version;
    int dir_fd;       /* owned if there is a version; the group that libvirt sets limits of */
    char *parent;     /* owned; path, below the mount point, of what the domain's group is in */
    bool can_reclaim; /* memory.reclaim is there and may be written */
    bool can_limit;   /* memory.high is there */
} Cgroup;

/* Figures of a cgroup at one moment. Each is VALUE_UNKNOWN if it could not be had. */
typedef struct {
    uint64_t bytes;       /* charged to it */
    uint64_t file_bytes;  /* of these, cache of files that can be dropped */
    uint64_t stall_us;    /* some task of it waited for memory, since it was made; version 2 */
    uint64_t refaults;    /* pages of it that were reclaimed and came back, since it was made */
    uint64_t limit_bytes; /* memory.high in force; LIMIT_NONE: none; version 2 */
    uint64_t high_events; /* times that its tasks had to reclaim, being above that; version 2 */
    uint64_t max_events;  /* times that it would have gone over its hard limit; version 2 */
    uint64_t oom_events;  /* times that reclaim did not help, and tasks that were killed for want of
                             memory; version 2 */
} CgroupSample;

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
 * @version:  in which hierarchy: CGROUP_V1 is that of the memory controller, alone or with others
 *
 * With systemd the scope of the domain, else the folder called after it: what is in it is the
 * domain's alone.
 *
 * Source: libvirt, virCgroupNewMachine(); /proc/PID/cgroup in cgroups(7)
 * Return: path below the mount point, owned by the caller; NULL: there is none in that version.
 */
char *cgroup_find(const Process *process, CgroupVersion version);

/**
 * cgroup_open() - hold the memory cgroup of a domain
 * @cgroup:  holds none; cgroup_close() it
 * @root_fd: "/" or a test's fake root (borrowed)
 * @process: its QEMU
 *
 * Below the scope that systemd has for the domain, libvirt makes a group of its own, and sets its
 * limits there.
 *
 * Source: libvirt, virCgroupNewMachine() (seen with 9.0, with and without systemd)
 * Return: whether there is one.
 */
bool cgroup_open(Cgroup *cgroup, int root_fd, const Process *process);

/**
 * cgroup_open_path() - hold any memory cgroup
 * @root_fd: "/" or a test's fake root (borrowed)
 * @version: its hierarchy
 * @path:    below the mount point: "/machine"
 *
 * Return: a descriptor that the caller closes; -1: there is no such group.
 */
int cgroup_open_path(int root_fd, CgroupVersion version, const char *path);

/**
 * cgroup_limit() - a limit of memory
 * @dir_fd: of the group (borrowed)
 * @name:   of the file
 *
 * Return: bytes; LIMIT_NONE: it has none; VALUE_UNKNOWN: that could not be had.
 */
uint64_t cgroup_limit(int dir_fd, const char *name);

/** cgroup_close() - hold it no more; leaves @cgroup reusable; harmless if it holds none */
void cgroup_close(Cgroup *cgroup);

/**
 * cgroup_sample_clear() - nothing is known
 * @sample: filled
 */
void cgroup_sample_clear(CgroupSample *sample);

/**
 * cgroup_read() - what it uses
 * @cgroup: open
 * @sample: filled
 *
 * Five small files in version 2, two in version 1; the kernel adds up the figures of memory.stat
 * for each processor. Events are those of the groups below as well, and none of the groups around.
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files"; for version 1
 * Documentation/admin-guide/cgroup-v1/memory.rst (figures with total_ are those of the groups below
 * as well); refaults count pages in both
 * Return: whether it is still there; @sample is cleared otherwise.
 */
bool cgroup_read(const Cgroup *cgroup, CgroupSample *sample);

/**
 * cgroup_remnants() - memory that it is charged for and that nobody has mapped
 * @cgroup:        open
 * @charged_bytes: CgroupSample.bytes of now
 *
 * A balloon gives back small pages. A huge page of which some were given back stays charged as a
 * whole until memory is short; then the kernel splits it, and what is not mapped any more is free
 * without any swapping. Pages in the swap cache may count twice, so this is rather too little.
 *
 * Source: deferred_split_folio() in mm/huge_memory.c; "anon", "file" (with the swap cache) and
 * "kernel" (5.18) in Documentation/admin-guide/cgroup-v2.rst; "rss", "cache" and
 * memory.kmem.usage_in_bytes in Documentation/admin-guide/cgroup-v1/memory.rst
 * Return: bytes; VALUE_UNKNOWN: this kernel does not tell.
 */
uint64_t cgroup_remnants(const Cgroup *cgroup, uint64_t charged_bytes);

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
