/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_stats.h - libvirt's statistics become a domain's figures */
#ifndef AGENT_SOURCE_LIBVIRT_STATS_H
#define AGENT_SOURCE_LIBVIRT_STATS_H

#include "agent/domain.h"
#include "agent/virt/stats.h"

/**
 * libvirt_stats_take() - put down what libvirt says of a domain
 * @domains: of the agent; a domain that is not in it is passed over
 * @stats:   of the domain
 * @now_us:  CLOCK_MONOTONIC
 *
 * What the guest said long ago is no figure of now, and becomes unknown.
 */
void libvirt_stats_take(DomainTable *domains, const VirtStats *stats, uint64_t now_us);

#endif
