/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gather.h - what the kernel says of the domains, and what policy is told of them
 */
#ifndef AGENT_GATHER_H
#define AGENT_GATHER_H

#include "agent/domain.h"

typedef struct Agent Agent;

/**
 * gather_all() - read the process of every domain, and what reclaim needs to know
 *
 * Processes that are not known yet are looked for. Cgroups are read only if reclaim is configured.
 */
void gather_all(Agent *agent);

/**
 * gather_pressed() - read what changes when memory is short: the domains' cgroups
 *
 * For an alarm, where there is no time for the rest. They are read only if reclaim is configured.
 */
void gather_pressed(Agent *agent);

/** gather_is_reclaiming() - whether balloon or memory_high is configured, if only to observe */
bool gather_is_reclaiming(const Agent *agent);

/**
 * gather_stats_gap_us() - how old libvirt's figures may be before they are asked for again
 *
 * Return: [libvirt] stats_period_ms, or longer where nothing depends on them: no reclaim is
 * configured, and each domain has figures and no job.
 */
uint64_t gather_stats_gap_us(const Agent *agent);

/**
 * gather_host() - read the host, and how much of its memory domains may use
 *
 * A moment after the last call only what is known of KSM is read again; all of it where reclaim is
 * configured. The groups around the domains are those that the last of the above has found: none
 * unless reclaim is configured.
 */
void gather_host(Agent *agent);

/**
 * gather_sample() - what is known of a domain, as policy is told
 * @domain:  as last read
 * @wall_us: wall clock, which is what libvirt tells times by
 */
DomainSample gather_sample(const Agent *agent, const Domain *domain, uint64_t wall_us);

/**
 * gather_hold_pinned() - what policy is told of a domain whose memory devices of the host use
 * @sample: its modes are those of the metadata; they and is_fixed are changed
 *
 * A mechanism that is on by name is on in spite of that, but no other is. Nothing happens to a
 * domain that has no such device.
 */
void gather_hold_pinned(const Domain *domain, DomainSample *sample);

#endif
