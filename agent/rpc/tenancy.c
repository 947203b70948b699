/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tenancy.c - who may share memory, as messages
 *
 * What is decided is told whether it is enforced or not; so is why it is not.
 */
#include "agent/rpc/tenancy.h"
#include "agent/report/ledger_grain.h"
#include "agent/rpc/method.h"
#include "agent/tenant.h"

Virtksm__V1__TenancyStatus *
rpc_tenancy(const Agent *agent, bool domains)
{
    const TenancyPlan *plan = &agent->plan.tenancy;
    const char *why = tenant_why_not_enforced(agent);
    Virtksm__V1__TenancyStatus *message = g_new(Virtksm__V1__TenancyStatus, 1);

    virtksm__v1__tenancy_status__init(message);
    message->rule = g_strdup(tenancy_rule_words[plan->rule]);
    MESSAGE_SET(message, enforced, why == NULL);
    message->not_enforced = g_strdup(why);
    if (domains)
        message->group = g_strdup(tenant_group_name(agent));
    MESSAGE_SET(message, paused, why == NULL && plan->is_paused);
    MESSAGE_SET(message, pending, plan->pending);
    if (plan->reason != REASON_NONE)
        message->reason = g_strdup(reason_text(plan->reason));
    MESSAGE_SET(message, need_bytes,
                ledger_coarse_need(plan->need_bytes, agent->conf->grain_kib * 1024));
    MESSAGE_SET(message, headroom_bytes, plan->headroom_bytes);
    return message;
}

void
rpc_tenancy_report(const Agent *agent, const Domain *domain, Virtksm__V1__DomainReport *message)
{
    const DomainPlan *plan = &domain->plan;

    message->group = g_strdup(domain->group);
    message->merging = g_strdup(tenant_merge_word(agent, domain));
    if (plan->merge_reason != REASON_NONE)
        message->merge_reason = g_strdup(reason_text(plan->merge_reason));
}

void
rpc_tenancy_explain(const Agent *agent, const Domain *domain,
                    Virtksm__V1__DomainExplanation *message)
{
    const DomainPlan *plan = &domain->plan;
    const Hold *hold = hold_find(&agent->merge.holds, domain->uuid);

    message->group = g_strdup(domain->group);
    message->merging = g_strdup(tenant_merge_word(agent, domain));
    if (plan->merge_reason == REASON_NONE)
        return;
    message->merge_reason =
        hold && hold->detail
            ? g_strdup_printf("%s (%s)", reason_text(plan->merge_reason), hold->detail)
            : g_strdup(reason_text(plan->merge_reason));
    message->merge_change = g_strdup(reason_change(plan->merge_reason));
}
