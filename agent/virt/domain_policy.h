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
extern const DomainElementTable domain_owner;

/* How names of the namespaces of others begin in the tables. */
#define DOMAIN_NOVA_PREFIX     "nova:"
#define DOMAIN_KUBEVIRT_PREFIX "kubevirt:"

/**
 * domain_policy_unknown() - an element begins that is in no table
 * @reading: its policy gets a fault if the element stands where only ours may stand
 * @parent:  the element around it; NULL: it is the root
 * @ours:    whether it is in DOMAIN_POLICY_NAMESPACE
 */
void domain_policy_unknown(DomainReading *reading, const DomainElement *parent, bool ours);

/**
 * domain_policy_text() - text in an element whose text does not matter
 * @reading: its policy gets a fault if the element is ours and the text no white space
 * @element: its row
 * @text:    @length bytes; may be a part of the whole
 */
void domain_policy_text(DomainReading *reading, const DomainElement *element, const char *text,
                        size_t length);

/** domain_policy_finish() - all is read: what has mistakes is switched off */
void domain_policy_finish(DomainReading *reading);

#endif
