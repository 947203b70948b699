/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tenant.h - whom domains belong to, and how far they are switched, for policy
 */
#ifndef AGENT_TENANT_H
#define AGENT_TENANT_H

#include "agent/conf.h"
#include "agent/domain.h"

typedef struct Agent Agent;

/* How long new domains could be scanned before anybody had a say. */
typedef struct {
    uint64_t paused_us; /* CLOCK_MONOTONIC when scanning was made to stand still last; 0: never */
    bool is_paused;     /* and it still does */
    uint64_t window_us; /* of the last start: from QEMU's beginning to that; VALUE_UNKNOWN: of none
                           so far */
} StartWindow;

/** tenant_check() - whether [tenancy] can be understood; @error: AGENT_ERROR_CONF */
bool tenant_check(const Conf *conf, GError **error);

/**
 * tenant_follow() - find the group of each domain whose definition is news
 * @domains: all there are; groups of the same name have the same number
 */
void tenant_follow(Agent *agent, const GPtrArray *domains);

/** tenant_forget() - the groups of all domains are to be found anew: settings have changed */
void tenant_forget(Agent *agent);

/** tenant_fill() - what there is to know of a domain as a tenant, for policy */
void tenant_fill(const Agent *agent, const Domain *domain, DomainSample *sample);

/** tenant_init() - no start seen yet */
void tenant_init(StartWindow *window);

/**
 * tenant_note() - after each decision: how long the window of the last start was, and who was
 * parted since the one before
 * @samples: what policy was told, one for each of @domains
 */
void tenant_note(Agent *agent, const GPtrArray *domains, const DomainSample *samples);

/** tenant_starting() - domains that are about to run and are in no table yet, for policy */
uint32_t tenant_starting(const Agent *agent);

/**
 * tenant_why_not_enforced() - why the rule is only reported
 *
 * Without a KSM that can be made to stand still it is no more than that, whatever is switched.
 *
 * Return: static text for people; NULL: it is enforced.
 */
const char *tenant_why_not_enforced(const Agent *agent);

/* All that tenant_merge_word() can say, NULL-terminated. */
extern const char *const tenant_merge_words[];

/**
 * tenant_merge_word() - how a domain stands, for people
 *
 * Return: "on", "off", "being switched", "stuck", or "cannot merge"; static.
 */
const char *tenant_merge_word(const Agent *agent, const Domain *domain);

/**
 * tenant_group_name() - the group that is merged by rule same-group
 *
 * Return: borrowed from a domain of it, whose own name it is if it says no group; NULL: there is
 * none.
 */
const char *tenant_group_name(const Agent *agent);

#endif
