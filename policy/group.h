/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* group.h - which group is the one that is merged, by rule same-group */
#ifndef POLICY_GROUP_H
#define POLICY_GROUP_H

#include "policy/policy.h"

/**
 * group_follow() - remember what merging a domain brings, and since when it cannot be switched off
 * @track: of @domain; changed
 */
void group_follow(const HostSample *host, const DomainSample *domain, DomainTrack *track);

/**
 * group_choose() - choose the group, or stay with the one that is
 * @state: its tenancy.group changes; 0 while there is none, or it cannot be told yet
 */
void group_choose(const PolicyConf *conf, const Sample *sample, PolicyState *state);

#endif
