/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* probe.h - when to look for memory that has changed since it was covered */
#ifndef POLICY_PROBE_H
#define POLICY_PROBE_H

#include "policy/policy.h"

/**
 * probe_reset() - a burst has covered everything: start with short intervals again
 * @pass_us: CPU time that one pass over everything is expected to take
 * @is_owed: the burst has skipped pages that have to be looked at, so the first probe comes soon
 */
void probe_reset(const PolicyConf *conf, const HostSample *host, uint64_t pass_us, bool is_owed,
                 Probe *probe);

/**
 * probe_advance() - go on with a probe, or begin one that is due
 * @ended: whole passes that ended since the last call
 * @a:     its probe and its yield are kept
 *
 * Return: whether ksmd should be scanning now; else it stands still, be it in the middle.
 */
bool probe_advance(const PolicyConf *conf, const HostSample *host, uint64_t ended, KsmAuto *a);

/** probe_cleanup() - ksmd should go round soon, to drop what it knows of a domain that is gone */
void probe_cleanup(const HostSample *host, Probe *probe);

/**
 * probe_left_us() - CPU time that the running pass takes to the end of the part that is due
 *
 * Return: microseconds, about; 0: that part is done; UINT64_MAX: the pass goes on to its own end.
 */
uint64_t probe_left_us(const HostSample *host, const KsmAuto *a);

/** probe_due_us() - time until the next one begins or goes on; 0: now */
uint64_t probe_due_us(const HostSample *host, const Probe *probe);

#endif
