/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_nodes.h - which NUMA nodes the memory of a process is on
 *
 * For the backends that cannot tell nodes apart, on hosts that have several.
 */
#ifndef AGENT_FACTS_WORKING_SET_NODES_H
#define AGENT_FACTS_WORKING_SET_NODES_H

#include "agent/facts/working_set_backend.h"

/* Memory by node. All zero: nothing is known. */
typedef struct {
    uint32_t n;                            /* nodes in use */
    int32_t node[WORKING_SET_NODES_MAX];   /* of the host */
    uint64_t bytes[WORKING_SET_NODES_MAX]; /* resident there */
} WorkingSetShares;

/**
 * working_set_shares_read() - memory of a process by node
 * @dir_fd: directory of the process in /proc
 *
 * A walk over all page tables, like reading smaps.
 *
 * Source: Documentation/filesystems/proc.rst, "numa_maps"
 * Return: zeroes if it cannot be read, or has nodes beyond WORKING_SET_NODES_MAX.
 */
WorkingSetShares working_set_shares_read(int dir_fd);

/**
 * working_set_shares_split() - put bytes of a node that is not known onto nodes, by their shares
 * @shares:  nothing is changed if they are not known
 * @n_bins:  in use
 * @reading: its only node is WORKING_SET_NODE_UNKNOWN; no byte is lost by rounding
 *
 * So the memory on each node is right, and ages are taken to be alike on all. For a domain that is
 * bound to one node, as those that are placed by hand are, nothing is assumed.
 */
void working_set_shares_split(const WorkingSetShares *shares, uint32_t n_bins,
                              WorkingSetReading *reading);

#endif
