/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_group.h - the trust group that a domain belongs to, by its definition and our settings */
#ifndef AGENT_VIRT_DOMAIN_GROUP_H
#define AGENT_VIRT_DOMAIN_GROUP_H

#include "agent/virt/domain_xml.h"

/* Where groups come from; texts of the configuration, checked. */
typedef struct {
    const char *from;  /* borrowed; "metadata,nova": the first that says one decides */
    const char *names; /* borrowed; "web-*=shop,db-*=shop": for the word names */
} DomainGroupRules;

/** domain_group_is_name() - whether a text can be the name of a group, in metadata or in a rule */
bool domain_group_is_name(const char *text);

/**
 * domain_group_check() - whether the rules can be understood
 * @ret_key: of [tenancy], whose value is wrong; static; written only on failure
 * @error:   DOMAIN_XML_ERROR_CONTENT; what was expected
 */
bool domain_group_check(const DomainGroupRules *rules, const char **ret_key, GError **error);

/**
 * domain_group_of() - the group of a domain
 * @xml:   its definition
 * @rules: accepted by domain_group_check()
 *
 * Groups by metadata and by names share one set of names, as both are ours; those of others begin
 * with where they are from: "nova:", "kubevirt:", "title:".
 *
 * Return: owned by the caller; NULL: none says one.
 */
char *domain_group_of(const DomainXml *xml, const DomainGroupRules *rules);

#endif
