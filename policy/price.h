/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* price.h - when a pass is worth what it costs */
#ifndef POLICY_PRICE_H
#define POLICY_PRICE_H

#include "policy/debt.h"

/** price_update() - memory has waited since the last call, and perhaps grown */
void price_update(const HostSample *host, const Debt *debt, KsmAuto *a);

/** price_paid() - a pass begins: what it will merge waits no more */
void price_paid(const HostSample *host, const Debt *debt, Price *price);

/**
 * price_learn() - a pass has ended: see how much of what was due it has merged, and what it took
 * @host: after the pass
 */
void price_learn(const HostSample *host, Price *price);

/** price_forget() - something new has come, of which nothing has been learnt */
void price_forget(Price *price);

/**
 * price_left() - what still has to be waited before a pass is worth its price
 * @boot_wait: as boot_update()
 *
 * Return: pages times microseconds; 0: a pass should begin now.
 */
uint64_t price_left(const PolicyConf *conf, const HostSample *host, const PolicyState *state,
                    const Debt *debt, uint64_t boot_wait);

#endif
