/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tenancy.h - who may share memory, as messages */
#ifndef AGENT_RPC_TENANCY_H
#define AGENT_RPC_TENANCY_H

#include "agent/agent.h"
#include "proto/virtksm.pb-c.h"

/**
 * rpc_tenancy() - what was decided of all domains
 * @domains: names of groups may be told
 *
 * Return: owned by the caller.
 */
Virtksm__V1__TenancyStatus *rpc_tenancy(const Agent *agent, bool domains);

/** rpc_tenancy_report() - what was decided of a domain, into its report */
void rpc_tenancy_report(const Agent *agent, const Domain *domain,
                        Virtksm__V1__DomainReport *message);

/** rpc_tenancy_explain() - likewise, into its explanation */
void rpc_tenancy_explain(const Agent *agent, const Domain *domain,
                         Virtksm__V1__DomainExplanation *message);

#endif
