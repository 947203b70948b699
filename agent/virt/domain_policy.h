/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_policy.h - what a definition asks of virtksmd, in its metadata
 */
#ifndef AGENT_VIRT_DOMAIN_POLICY_H
#define AGENT_VIRT_DOMAIN_POLICY_H

#include "agent/virt/domain_element.h"

/* Our namespace, and how our names begin in the tables and in messages. */
#define DOMAIN_POLICY_NAMESPACE "urn:virtksm:domain:1"
#define DOMAIN_POLICY_PREFIX    "virtksm:"

extern const DomainElementTable domain_policy;

/**
 * domain_policy_unknown() - an element begins that is in no table
 * @reading: its policy gets a fault if the element stands where only ours may stand
 * @parent:  the element around it; NULL: it is the root
 * @is_ours: whether it is in DOMAIN_POLICY_NAMESPACE
 */
void domain_policy_unknown(DomainReading *reading, const DomainElement *parent, bool is_ours);

#endif
