/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.h - whether the memory of a running domain may be merged: read and set on QEMU's monitor
 *
 * A domain's memory is one backend or several: its main memory or its NUMA cells, and its DIMMs.
 * Each has a property "merge", which marks its mapping as mergeable, or takes the mark off and
 * gives each merged page its own copy again before it answers. libvirt has no call for it, so the
 * monitor is used directly, and libvirt marks the domain as tainted by that (custom-monitor).
 */
#ifndef AGENT_VIRT_MERGE_H
#define AGENT_VIRT_MERGE_H

#include "agent/virt/virt.h"

#include <stdbool.h>

/* Values of a Change of kind CHANGE_MERGE. */
#define MERGE_VALUE_OFF   UINT64_C(0) /* no backend may be merged */
#define MERGE_VALUE_ON    UINT64_C(1) /* every backend may be */
#define MERGE_VALUE_MIXED UINT64_C(2) /* some may be: never asked for */
#define MERGE_VALUE_NONE  UINT64_C(3) /* QEMU can be told of none: never asked for */

/* What that is a sign of. */
#define MERGE_NO_BACKEND                                                                           \
    "its memory is no object that QEMU can be told of: a machine type or a QEMU older than 5.0"

/**
 * virt_merge_read() - whether its backends may be merged
 * @domain:     runs
 * @ret_value:  one of the above
 * @ret_detail: why it failed, if it was QEMU's answer, owned by the caller; else libvirt's last
 *              error of this thread tells
 *
 * Blocks for as long as QEMU does.
 *
 * Source: QEMU backends/hostmem.c, property "merge"; objects below /objects; tried with QEMU 7.2
 * Return: whether it could be read.
 */
bool virt_merge_read(virDomainPtr domain, uint64_t *ret_value, char **ret_detail);

/**
 * virt_merge_set() - let all its backends be merged, or none
 * @value: MERGE_VALUE_OFF or MERGE_VALUE_ON
 *
 * One backend after the other; those that are as wanted are left alone. QEMU, and with it the
 * guest, stands still while the kernel makes the copies.
 *
 * Return: false, with @ret_detail as above, if one could not be set; the others may be.
 */
bool virt_merge_set(virDomainPtr domain, uint64_t value, char **ret_detail);

#endif
