/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pressure.h - how short the host is of CPU time and of memory */
#ifndef POLICY_PRESSURE_H
#define POLICY_PRESSURE_H

#include "policy/policy.h"

/** pressure_update() - take new figures; looks no closer than a second apart are one */
void pressure_update(const Sample *sample, PolicyState *state);

/**
 * pressure_is_tight() - whether merging should not wait for anything
 * @conf: memory_low_bp
 *
 * Return: true if memory is short.
 */
bool pressure_is_tight(const PolicyConf *conf, const HostSample *host, const Pressure *pressure);

/**
 * pressure_cap_bp() - what others leave to ksmd
 * @conf: cpu_pressure_bp
 *
 * Return: share of a CPU that a burst may take at most; BP_ONE while nobody has to wait.
 */
uint64_t pressure_cap_bp(const PolicyConf *conf, const Pressure *pressure);

#endif
