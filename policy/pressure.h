/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pressure.h - how short the host is of CPU time and of memory */
#ifndef POLICY_PRESSURE_H
#define POLICY_PRESSURE_H

#include "policy/policy.h"

/** pressure_update() - take new figures; looks closer together than half a second are one */
void pressure_update(const Sample *sample, PolicyState *state);

/**
 * pressure_is_tight() - whether merging should not wait for anything
 * @conf: memory_low_bp
 *
 * Return: true if memory is short.
 */
bool pressure_is_tight(const PolicyConf *conf, const HostSample *host, const Pressure *pressure);

/**
 * pressure_price_bp() - what CPU time costs while others wait for it
 * @conf: cpu_pressure_bp
 *
 * Return: times the usual price, in basis points; at least BP_ONE.
 */
uint64_t pressure_price_bp(const PolicyConf *conf, const Pressure *pressure);

/**
 * pressure_cap_bp() - what latency-critical domains leave to ksmd
 *
 * Return: share of a CPU that a burst may take at most; BP_ONE while none of them waits.
 */
uint64_t pressure_cap_bp(const Pressure *pressure);

#endif
