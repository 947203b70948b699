/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pass.h - ksmd goes over everything once, when told to, and stands still in between */
#ifndef POLICY_PASS_H
#define POLICY_PASS_H

#include "policy/debt.h"

/**
 * pass_begin() - let ksmd go
 * @new_pages: pages that it has no records of yet
 * @closing:   what waits was seen before; this pass must compare everything with it
 *
 * Does nothing while a pass is running.
 */
void pass_begin(const Sample *sample, PolicyState *state, uint64_t new_pages, bool closing);

/**
 * pass_follow() - see whether the running pass has ended
 *
 * A pass that ends is booked as coverage, unless it began in the middle. A pass in which ksmd does
 * not begin to scan for a while ends as well: there is nothing that it could scan.
 *
 * Return: number of whole passes that ended since the last call; 0: none, or none is running.
 */
uint64_t pass_follow(const Sample *sample, PolicyState *state);

/**
 * pass_expect() - what is known of the memory that the running pass goes over
 * @pages:   at least so many to look at
 * @chained: the next pass begins where this one ends, which needs not be met exactly
 */
void pass_expect(Pass *pass, uint64_t pages, bool chained);

/** pass_is_running() - whether ksmd is on its way */
bool pass_is_running(const Pass *pass);

/** pass_is_hindered() - whether it has waited in vain for ksmd to be let go */
bool pass_is_hindered(const HostSample *host, const Pass *pass);

/** pass_lose() - ksmd may be anywhere from now on */
void pass_lose(Pass *pass);

/** pass_stop() - leave the pass that is running, wherever it is */
void pass_stop(Pass *pass);

/**
 * pass_plan() - settings for a running pass
 * @duty_bp: share of a CPU that it may take; 0 parks ksmd in the middle of it
 * @plan:    ksm.knobs and next_tick_us are filled in
 */
void pass_plan(const PolicyConf *conf, const HostSample *host, KsmAuto *a, uint64_t duty_bp,
               Plan *plan);

/** pass_ready() - settings that keep ksmd still, and are those of the next step but for the pause
 */
void pass_ready(const PolicyConf *conf, const Pass *pass, Plan *plan);

/** pass_park() - settings that keep ksmd still, ready to go at one write */
void pass_park(const Pass *pass, Plan *plan);

#endif
