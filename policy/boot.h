/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boot.h - how long guests take to come up, and what is better left until they have */
#ifndef POLICY_BOOT_H
#define POLICY_BOOT_H

#include "policy/debt.h"

/**
 * boot_update() - follow the guests that come up, and learn from those that have
 * @conf:   growth_kib: growth that counts; settle_ms: without growth for so long a guest is up
 * @sample: facts
 * @state:  what it knows of boots is updated; open_value of the domains is as debt_update() left it
 *
 * Return: what the open debt will have waited when the guests that it belongs to should be up, as
 * far as it can be merged and will stay so: value in pages, times microseconds; UINT64_MAX: nobody
 * knows, or other guests wait as well.
 */
uint64_t boot_update(const PolicyConf *conf, const Sample *sample, PolicyState *state);

#endif
