/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reclaim.h - the actuators that change domains, and what they need of the agent
 */
#ifndef AGENT_RECLAIM_H
#define AGENT_RECLAIM_H

#include "agent/actuator/balloon.h"
#include "agent/actuator/memory_high.h"
#include "agent/actuator/stats_period.h"
#include "agent/domain.h"

typedef struct Agent Agent;

/**
 * reclaim_open() - the actuators, with what a killed run has left
 * @agent: its root, originals and options are open
 */
void reclaim_open(Agent *agent);

/** reclaim_adopt() - as the configuration and the mode say, from the next decision on */
void reclaim_adopt(Agent *agent);

/** reclaim_close() - let go of them; restores nothing */
void reclaim_close(Agent *agent);

/** reclaim_subject() - who a domain is, for actuators; texts are borrowed from it */
Subject reclaim_subject(const Domain *domain);

/**
 * reclaim_fill() - what actuators know of a domain, for policy
 * @sample: foreign marks, what balloons are up to and the period of statistics are written
 *
 * A balloon that moves, and was not asked to by policy, has no size until it has stood for a
 * second.
 */
void reclaim_fill(const Agent *agent, const Domain *domain, DomainSample *sample);

/** reclaim_stats_period_s() - at which a domain's guest is asked, by us or others; 0: it is not */
uint64_t reclaim_stats_period_s(const Agent *agent, const Domain *domain);

/**
 * reclaim_note() - after actuators were told of a decision: who drives the domains
 * @domains: every domain (borrowed Domain pointers)
 *
 * What an actuator has found out is marked at the domain. A mark that somebody has taken off since
 * lets the actuator go on, from the values that are in force then. Where the configuration says so,
 * marks last for one decision.
 */
void reclaim_note(Agent *agent, const GPtrArray *domains);

/**
 * reclaim_restore_now() - give back what a killed agent has left, for --restore
 * @guarded:   where
 * @originals: locked
 * @ret_note:  what was done (the caller frees it); NULL: there was nothing to do
 */
bool reclaim_restore_now(const HighGuarded *guarded, Originals *originals, char **ret_note,
                         GError **error);

#endif
