/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* explain.c - Explain: the last decision with its inputs */
#include "agent/rpc/method.h"

static Virtksm__V1__DomainExplanation *
explain_domain(const Domain *domain)
{
    Virtksm__V1__DomainExplanation *message = g_new(Virtksm__V1__DomainExplanation, 1);

    virtksm__v1__domain_explanation__init(message);
    message->name = g_strdup(domain->name);
    message->uuid = g_strdup(domain->uuid);
    message->reason = g_strdup(reason_text(domain->plan.reason));
    message->merge = g_strdup(domain_merge_text(domain));
    if (domain->plan.reason != REASON_NONE && domain->plan.reason != REASON_FACT_MISSING) {
        METHOD_SET(message, mergeable_pages, domain->plan.mergeable_pages);
        METHOD_SET(message, debt_pages, domain->plan.debt_pages);
    }
    METHOD_SET(message, weight, domain_weight(domain));
    METHOD_SET(message, latency_critical, domain_is_latency_critical(domain));
    return message;
}

static void
explain_domains(const Agent *agent, const Domain *only, Virtksm__V1__ExplainResponse *message)
{
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);

    message->domains = g_new(Virtksm__V1__DomainExplanation *, domains->len);
    for (guint i = 0; i < domains->len; i++) {
        const Domain *domain = g_ptr_array_index(domains, i);

        if (!only || domain == only)
            message->domains[message->n_domains++] = explain_domain(domain);
    }
}

static void
explain_host(const Agent *agent, Virtksm__V1__ExplainResponse *message)
{
    const KsmPlan *plan = &agent->plan.ksm;
    const Tick *tick = &agent->tick;

    message->mode = g_strdup(ksm_mode_words[agent->conf->policy.mode]);
    message->phase = g_strdup(ksm_phase_name(plan->phase));
    message->reason_name = g_strdup(reason_name(plan->reason));
    message->reason = g_strdup(reason_text(plan->reason));
    message->wanted = method_ksm_settings(&plan->knobs);
    message->in_force = method_ksm_settings(&agent->host.knobs);
    message->applied = g_strdup(apply_result_name(tick->applied[ACTUATOR_KSM].result));
    message->applied_detail = g_strdup(tick->applied[ACTUATOR_KSM].detail);
    METHOD_SET(message, debt_pages, plan->debt_pages);
    METHOD_SET(message, gained_pages, plan->gained_pages);
    METHOD_SET(message, decided_ms, method_age_ms(tick->decided_us));
    if (plan->budget_bp > 0)
        METHOD_SET(message, budget_bp, plan->budget_bp);
    if (plan->cost_ns > 0)
        METHOD_SET(message, cost_ns, plan->cost_ns);
}

static void
explain_message(GrpcCall *call, const ProtobufCMessage *data)
{
    const Virtksm__V1__ExplainRequest *request = (const Virtksm__V1__ExplainRequest *)data;
    const Agent *agent = method_agent(call);
    Virtksm__V1__ExplainResponse *message;
    const Domain *only;

    if (!method_find_domain(call, request->domain, &only))
        return;
    message = g_new(Virtksm__V1__ExplainResponse, 1);
    virtksm__v1__explain_response__init(message);
    explain_host(agent, message);
    explain_domains(agent, only, message);
    method_reply(call, &message->base);
}

const GrpcHandler explain_handler = { .message = explain_message };
