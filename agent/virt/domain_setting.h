/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_setting.h - what can be asked of virtksmd for a domain, setting by setting
 *
 * A setting is an attribute of an element below <virtksm:policy>, and a key of "virtksm set":
 * balloon.floor is <virtksm:balloon floor=>. One row says what it may be; domain_policy.c reads
 * definitions by these rows, domain_metadata.c writes metadata by them.
 */
#ifndef AGENT_VIRT_DOMAIN_SETTING_H
#define AGENT_VIRT_DOMAIN_SETTING_H

#include "agent/virt/domain_xml.h"

typedef struct {
    const char *element;  /* local name: "balloon" */
    const char *name;     /* of the attribute: "floor" */
    const char *expected; /* what it may be: "a whole number of MiB" */
    const char *fallback; /* what counts where it is none: "reclaim is off for this domain" */
    /* Takes a value; NULL: it is not said. Return: false, with a default taken, if it is none. */
    bool (*take)(DomainXmlPolicy *policy, const char *value);
} DomainSetting;

/** domain_setting_list() - every setting, those of an element together; @ret_n: rows; static */
const DomainSetting *domain_setting_list(size_t *ret_n);

/** domain_setting_find() - the row of a key, "balloon.floor"; NULL: there is none */
const DomainSetting *domain_setting_find(const char *key);

/**
 * domain_setting_check() - could this be asked for?
 * @key:   from a client
 * @value: NULL or "": that nothing is asked for
 * @error: DOMAIN_XML_ERROR_CONTENT: names the key, or all there are, and what was expected
 */
bool domain_setting_check(const char *key, const char *value, GError **error);

#endif
