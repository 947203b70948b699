/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* balloon.h - one domain before the balloon rule, and what other rules have to know of it */
#ifndef POLICY_BALLOON_H
#define POLICY_BALLOON_H

#include "policy/stake.h"

/* One domain in one decision; pointers are borrowed. */
typedef struct {
    const PolicyConf *conf;     /* settings */
    const HostSample *host;     /* facts of the host */
    const DomainSample *domain; /* its facts */
    DomainTrack *track;         /* what is remembered of it */
    DomainPlan *part;           /* its part of the plan */
    MemoryLevel level;          /* of the host */
    Stake stake;                /* what it has and may have */
    bool is_short;              /* the guest shows signs of shortage */
    bool is_silent;             /* of its need nothing is known, and memory was taken from it */
    bool dry;                   /* it is only observed */
    uint64_t fair_bytes;        /* part of what there is for each that is short */
} BalloonCase;

/**
 * balloon_why_not() - why a domain's balloon is not moved at all
 *
 * Return: REASON_NONE: it may be.
 */
Reason balloon_why_not(const PolicyConf *conf, const HostSample *host, const DomainSample *domain);

/**
 * balloon_case() - what the rule looks at of a domain
 * @plan:     its host's level and its domains' needs are filled in
 * @i:        the domain
 * @ret_case: filled on success
 *
 * Return: whether its balloon may be moved.
 */
bool balloon_case(const PolicyConf *conf, const Sample *sample, PolicyState *state,
                  const Plan *plan, size_t i, BalloonCase *ret_case);

/** balloon_is_moving() - whether the last step is still on its way */
bool balloon_is_moving(const BalloonCase *c);

/** balloon_is_dwelling() - whether the last step is so fresh that the next one has to wait; half as
 * long in a crisis */
bool balloon_is_dwelling(const BalloonCase *c);

/** balloon_has_told() - whether the guest has told how it fares since the last step */
bool balloon_has_told(const BalloonCase *c);

/** balloon_plan() - a step to @bytes, unless the domain is only observed also asked for */
void balloon_plan(const BalloonCase *c, uint64_t bytes, Reason reason);

/**
 * balloon_idle_bytes() - what a domain's balloon can give although not in one step
 * @plan: its host's level and its domains' needs are filled in
 * @i:    the domain
 *
 * Return: 0 where its balloon is not ours to move, may not be moved now, or is stuck.
 */
uint64_t balloon_idle_bytes(const PolicyConf *conf, const Sample *sample, const PolicyState *state,
                            const Plan *plan, size_t i);

/**
 * balloon_give() - give what is free to those that need it, in their order
 * @state: what those that are short did not get is added to its unmet_bytes
 * @plan:  domains that are given something have their balloons planned
 */
void balloon_give(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

#endif
