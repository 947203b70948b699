/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.h - what is done about the memory of host and domains beside merging, in words */
#ifndef AGENT_CLI_MEMORY_H
#define AGENT_CLI_MEMORY_H

#include "proto/virtksm.pb-c.h"

#include <glib.h>

/**
 * memory_append_host() - lines about the host, for a block of lines
 * @memory: NULL: the daemon does not tell, and nothing is appended
 */
void memory_append_host(GString *out, const Virtksm__V1__MemoryStatus *memory);

/**
 * memory_append_domain() - a block of lines about a domain, and a table of its last decisions
 * @domain: one of which the daemon tells no modes adds nothing
 */
void memory_append_domain(GString *out, const Virtksm__V1__DomainExplanation *domain);

/** memory_append_domains() - a table with a row for each domain; nothing if none is managed */
void memory_append_domains(GString *out, const Virtksm__V1__ExplainResponse *explain);

#endif
