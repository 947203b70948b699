/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* yield.h - what ksmd's work brings, for each second of its CPU time */
#ifndef POLICY_YIELD_H
#define POLICY_YIELD_H

#include "policy/policy.h"

/** yield_begin() - a burst or a probe begins */
void yield_begin(const HostSample *host, Yield *yield);

/** yield_end() - it has ended: yield->kib_per_s is what it brought, where that can be told */
void yield_end(const HostSample *host, Yield *yield);

/** yield_pays() - whether all that is merged now saves more than KSM's records take */
bool yield_pays(const HostSample *host);

/**
 * yield_is_low() - whether the last work brought less than it should
 * @conf: yield_floor
 *
 * Return: true if it is known and below the floor.
 */
bool yield_is_low(const PolicyConf *conf, const Yield *yield);

#endif
