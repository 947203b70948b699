/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.h - what libvirt knows of all running domains, in one call */
#ifndef AGENT_VIRT_STATS_H
#define AGENT_VIRT_STATS_H

#include "agent/virt/guest_stats.h"
#include "agent/virt/virt.h"

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char uuid[VIR_UUID_STRING_BUFLEN]; /* lower case, with dashes */
    uint64_t maximum_bytes;            /* defined memory; VALUE_UNKNOWN */
    uint64_t balloon_bytes;            /* left to the guest by its balloon; VALUE_UNKNOWN */
    uint64_t guest_stats_s;            /* wall clock of the guest's last balloon statistics; 0: none
                                          so far; VALUE_UNKNOWN: not told */
    GuestStats guest;                  /* what these say */
    bool paused;                       /* its processors stand still */
    bool job_over;                     /* its job was asked about, and is over */
    uint64_t silent_ms;                /* its QEMU has left libvirt without an answer for so long;
                                          0: it has not; VALUE_UNKNOWN */
} VirtStats;

/**
 * virt_stats_read() - figures of every running domain
 * @conn:      borrowed
 * @job_uuids: set of uuids (borrowed), of domains that had a job when last heard of: whether they
 *             still have it is asked of each
 * @error:     AGENT_ERROR_VIRT
 *
 * Does not wait for domains that are busy with a job (NOWAIT), where the connection can: the
 * figures of their guests are unknown then. Falls back on one call per domain where the driver's
 * bulk statistics have no memory figures (libvirt's test driver).
 *
 * Source: virConnectGetAllDomainStats() in libvirt's API reference: balloon.current and
 * balloon.maximum are KiB, as are the guest's own; VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT.
 * virDomainGetJobInfo(): type is none without a job. virDomainGetControlInfo(): occupied while QEMU
 * has a command of its monitor to answer; does not ask QEMU, unlike the former.
 * Return: array of VirtStats, owned by the caller; NULL with @error set. Blocks.
 */
GArray *virt_stats_read(virConnectPtr conn, GHashTable *job_uuids, GError **error);

/**
 * virt_stats_guest() - what a guest says, out of a record of bulk statistics
 * @params: borrowed
 * @n:      how many there are
 * @guest:  filled; what is more than any memory has, such as -1, is unknown. Whether figures fit
 *          together is not looked at: that they do not is worth knowing.
 */
void virt_stats_guest(const virTypedParameter *params, int n, GuestStats *guest);

/**
 * virt_stats_unused() - what the guest does not use, if it said so lately
 * @stats:    of a domain
 * @period_s: at which the guest is asked; 0: it is not
 * @since_s:  wall clock; what it said up to then does not count; 0: all does
 *
 * What it said more than two periods ago, and some seconds for a busy host, is no figure of now.
 * By the wall clock, because that is what libvirt tells; a step of it can make a figure too old,
 * or let one pass, for as long as two periods.
 *
 * Return: bytes; VALUE_UNKNOWN.
 */
uint64_t virt_stats_unused(const VirtStats *stats, uint32_t period_s, uint64_t since_s);

#endif
