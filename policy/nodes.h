/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nodes.h - merge_across_nodes as configured, and all that has to come before */
#ifndef POLICY_NODES_H
#define POLICY_NODES_H

#include "policy/policy.h"

/**
 * nodes_is_parting() - whether everybody is to be switched off, so that it can be changed
 * @state: remembers the attempt
 * @plan:  after its tenancy has is_enforced and headroom_bytes; the part about nodes is filled
 *
 * Return: false as well where it is as configured, or cannot be changed now.
 */
bool nodes_is_parting(const PolicyConf *conf, const Sample *sample, PolicyState *state, Plan *plan);

#endif
