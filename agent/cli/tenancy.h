/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tenancy.h - who may share memory, in words */
#ifndef AGENT_CLI_TENANCY_H
#define AGENT_CLI_TENANCY_H

#include "proto/virtksm.pb-c.h"

#include <glib.h>

/** tenancy_append_host() - a line or two; nothing of a daemon that does not tell */
void tenancy_append_host(GString *out, const Virtksm__V1__TenancyStatus *tenancy);

/** tenancy_append_domains() - a table of the domains, where a rule keeps some from merging */
void tenancy_append_domains(GString *out, const Virtksm__V1__ExplainResponse *explain);

#endif
