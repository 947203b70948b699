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
 * @host:  after the pass
 * @ended: passes that have ended since the last look
 */
void price_learn(const HostSample *host, uint64_t ended, Price *price);

/** price_missed() - a pass has skipped what it was to merge: that says nothing of the guests, and
 * the one that skips nothing belongs to it */
void price_missed(Price *price);

/** price_leave() - nothing is owed any more: what was about the debt that was is over */
void price_leave(Price *price);

/** price_forget() - something new has come, of which nothing has been learnt */
void price_forget(Price *price);

/**
 * price_defer() - see whether what waits is put off until the guests that come up are up
 * @boot_wait: as boot_update()
 */
void price_defer(const PolicyConf *conf, const HostSample *host, PolicyState *state,
                 const Debt *debt, uint64_t boot_wait);

/**
 * price_left() - what still has to be waited before a pass is worth its price
 *
 * Return: pages times microseconds; 0: a pass should begin now; UINT64_MAX: what waits is put off.
 */
uint64_t price_left(const PolicyConf *conf, const HostSample *host, const PolicyState *state,
                    const Debt *debt);

#endif
