/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rule.h - the rules of the policy library; a rule is one file with one step function
 *
 * policy.c holds the list. A step reads @conf and @sample, keeps what it must remember in @state
 * and fills its part of @plan, which comes with every setting at "leave alone".
 */
#ifndef POLICY_RULE_H
#define POLICY_RULE_H

#include "policy/policy.h"

/** ksm_initial() - the settings that were found, as far as policy may ask: it never unmerges */
static inline KsmKnobs
ksm_initial(const HostSample *host)
{
    KsmKnobs knobs = host->initial;

    if (knobs.run == KSM_RUN_UNMERGE)
        knobs.run = KSM_RUN_STOP;
    return knobs;
}

/**
 * ksm_zero_pages() - value for the kernel's use_zero_pages
 *
 * Return: as configured; as found where nothing is; VALUE_UNKNOWN where that is not known.
 */
static inline uint64_t
ksm_zero_pages(const PolicyConf *conf, const HostSample *host)
{
    switch (conf->use_zero_pages) {
    case ZERO_PAGES_ON:
        return 1;
    case ZERO_PAGES_OFF:
        return 0;
    default:
        return host->initial.use_zero_pages;
    }
}

/** mechanism_of() - whether a mechanism acts on a domain; what is off or observed in the
 * configuration or in the metadata is no more than that */
static inline Enable
mechanism_of(unsigned enable, uint32_t mode)
{
    if (enable == ENABLE_NO || mode == MECHANISM_OFF)
        return ENABLE_NO;
    return enable == ENABLE_OBSERVE || mode == MECHANISM_OBSERVE ? ENABLE_OBSERVE : ENABLE_YES;
}

/** plan_tick() - fresh facts are wanted no later than that */
static inline void
plan_tick(Plan *plan, uint64_t us)
{
    plan->next_tick_us = min_u64(plan->next_tick_us, us);
}

typedef void (*RuleStep)(const PolicyConf *conf, const Sample *sample, PolicyState *state,
                         Plan *plan);

/** ksm_auto_step() - closed loop: burst, settle, maintain, rest */
void ksm_auto_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** ksm_classic_step() - timed ladder: aggressive, standard, slow, initial */
void ksm_classic_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** ksm_fixed_step() - the configured settings, always */
void ksm_fixed_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** ksm_off_step() - the settings that were found */
void ksm_off_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** memory_step() - how short of memory the host is */
void memory_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** motion_step() - how far the balloons have come */
void motion_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** need_step() - what the domains need */
void need_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** arbiter_step() - what the host wants back, and through what */
void arbiter_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** high_step() - reclaim of cold memory */
void high_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

/** balloon_step() - balloons */
void balloon_step(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

#endif
