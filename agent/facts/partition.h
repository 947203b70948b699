/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* partition.h - the cgroup that all domains live in, and the memory that it leaves to them */
#ifndef AGENT_FACTS_PARTITION_H
#define AGENT_FACTS_PARTITION_H

#include "agent/facts/cgroup.h"
#include "policy/conf.h"
#include "policy/sample.h"

/* What all domains have in common. A zeroed struct is one that no domain has joined. */
typedef struct {
    CgroupVersion version; /* CGROUP_NONE: no domain so far */
    char *path;            /* owned; of the innermost group that all are in; "": they share none */
    char *bound_path;     /* owned; of the group whose limit counts; NULL: the host's memory does */
    uint64_t limit_bytes; /* its limit, if there is one */
} Partition;

/** partition_clear() - no domain has joined; frees what it owns; fine on a zeroed struct */
void partition_clear(Partition *partition);

/**
 * partition_join() - another domain lives here
 * @partition: narrowed to what it has in common with those before
 * @cgroup:    of the domain; one that is not open may be anywhere, so nothing is in common
 */
void partition_join(Partition *partition, const Cgroup *cgroup);

/**
 * partition_bound() - the memory that counts for domains
 * @partition: which limit counted is noted in it
 * @root_fd:   "/" or a test's fake root (borrowed)
 * @conf:      has the marks below which memory is tight, see memory_marks()
 * @sample:    from host_read(). Where a group around the domains has a limit below its
 *             @mem_total_bytes and is nearer to being tight than the host and other groups, that
 *             becomes its limit, and @mem_available_bytes what it leaves, if that is less
 *
 * Costs one small file for each level of the path (two in version 2), and those of cgroup_read()
 * for a level that has a limit.
 *
 * Source: libvirt, docs/cgroups ("resource partitions": /machine, machine.slice);
 * Documentation/admin-guide/cgroup-v2.rst, memory.max and memory.high;
 * Documentation/admin-guide/cgroup-v1/memory.rst, memory.limit_in_bytes
 */
void partition_bound(Partition *partition, int root_fd, const PolicyConf *conf, HostSample *sample);

#endif
