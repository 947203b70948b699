/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain_value.h - numbers, sizes and node sets as libvirt writes them */
#ifndef AGENT_VIRT_DOMAIN_VALUE_H
#define AGENT_VIRT_DOMAIN_VALUE_H

#include "agent/virt/domain_xml.h"

/* A set of guest NUMA nodes. */
typedef struct {
    bool has[DOMAIN_XML_MAX_NODES]; /* by number of the node */
} NodeSet;

/**
 * domain_value_number() - a whole number, digits alone
 * @text: NULL counts as no number
 * @max:  largest that is accepted
 * @ret:  written on success
 * @error: DOMAIN_XML_ERROR_CONTENT: what was expected
 */
bool domain_value_number(const char *text, uint64_t max, uint64_t *ret, GError **error);

/**
 * domain_value_size() - a scaled integer, in bytes
 * @text:  number as of domain_value_number()
 * @unit:  b, byte, bytes; k, M, G, T, P, E alone or with iB for powers of 1024; with B for powers
 * of 1000; case does not matter; NULL or "": KiB
 * @ret:   bytes, written on success
 * @error: DOMAIN_XML_ERROR_CONTENT: what was expected
 *
 * Source: libvirt formatdomain, "Memory Allocation"; schema basictypes.rng, "unit".
 */
bool domain_value_size(const char *text, const char *unit, uint64_t *ret, GError **error);

/**
 * domain_value_nodes() - add a list like "0-3,5,^2" to a set
 * @text:  numbers below DOMAIN_XML_MAX_NODES and ranges of them; ^ takes one out
 * @nodes: changed; on failure by a part of the list
 * @error: DOMAIN_XML_ERROR_CONTENT: what was expected
 *
 * Source: libvirt formatdomain, "cpuset" of "CPU Allocation", which nodeset follows.
 */
bool domain_value_nodes(const char *text, NodeSet *nodes, GError **error);

/**
 * domain_value_switch() - last value of a boolean in a QEMU option list like "pc,mem-merge=off"
 * @options: ",," is a comma within a value
 * @name:    of the option; QEMU takes - and _ for the same
 *
 * Source: QEMU util/qemu-option.c, "qapi_bool_parse" for the words; a name alone is on.
 * Return: DOMAIN_SWITCH_UNSET if the list does not set it, sets it to no word that QEMU takes, or
 * is absurdly long (over 4096 bytes).
 */
DomainSwitch domain_value_switch(const char *options, const char *name);

#endif
