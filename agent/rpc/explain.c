/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* explain.c - Explain: the last decisions with their inputs */
#include "agent/rpc/method.h"
#include "agent/rpc/tenancy.h"

#include <stddef.h>
#include <string.h>

/* The row of a setting, by what reason_bound() calls it; NULL: none. */
static const Knob *
find_bound(const char *name)
{
    const char *dot = name ? strchr(name, '.') : NULL;
    size_t n;
    const Knob *knobs = policy_knobs(&n);

    for (size_t i = 0; name && i < n; i++) {
        g_autofree char *full = g_strdup_printf("%s.%s", knobs[i].section, knobs[i].key);

        if (dot ? g_str_equal(full, name)
                : g_str_equal(knobs[i].section, "ksm") && g_str_equal(knobs[i].key, name))
            return &knobs[i];
    }
    return NULL;
}

/* A setting as the configuration has it, with its unit; NULL: none. The caller frees it. */
static char *
describe_bound(const PolicyConf *conf, const char *name)
{
    const Knob *knob = find_bound(name);
    g_autofree char *key = NULL;
    const char *field;
    uint64_t value = 0;
    unsigned word = 0;

    if (!knob)
        return NULL;
    key = g_str_equal(knob->section, "ksm") ? g_strdup(knob->key)
                                            : g_strdup_printf("[%s] %s", knob->section, knob->key);
    field = (const char *)conf + knob->offset;
    if (knob->kind == KNOB_ENUM) {
        memcpy(&word, field, sizeof(word));
        return g_strdup_printf("%s = %s", key, knob->words[word]);
    }
    memcpy(&value, field, sizeof(value));
    if (value == 0 && knob->offset == offsetof(PolicyConf, cpu_burst_bp))
        return g_strdup_printf("%s = 0: by the number of CPUs", key);
    if (knob->kind == KNOB_PERCENT)
        return g_strdup_printf("%s = %g %s", key, (double)value / 100, knob->unit);
    return g_strdup_printf("%s = %" G_GUINT64_FORMAT " %s", key, value, knob->unit);
}

static Virtksm__V1__Decision *
explain_decision(const Decision *decision)
{
    const KsmPlan *plan = &decision->plan;
    Virtksm__V1__Decision *message = g_new(Virtksm__V1__Decision, 1);

    virtksm__v1__decision__init(message);
    MESSAGE_SET(message, first_ms, method_age_ms(decision->first_us));
    MESSAGE_SET(message, last_ms, method_age_ms(decision->last_us));
    MESSAGE_SET(message, decisions, decision->count);
    message->mode = g_strdup(ksm_mode_words[decision->mode]);
    message->phase = g_strdup(ksm_phase_name(plan->phase));
    message->reason_name = g_strdup(reason_name(plan->reason));
    message->reason = g_strdup(reason_text(plan->reason));
    message->wanted = method_ksm_settings(&plan->knobs);
    message->applied = g_strdup(apply_result_name(decision->applied));
    MESSAGE_SET(message, domains, decision->domains);
    MESSAGE_SET(message, debt_pages, plan->debt_pages);
    MESSAGE_SET(message, gained_pages, plan->gained_pages);
    if (plan->budget_bp > 0)
        MESSAGE_SET(message, budget_bp, plan->budget_bp);
    if (plan->cost_ns > 0)
        MESSAGE_SET(message, cost_ns, plan->cost_ns);
    return message;
}

static void
explain_decisions(const Tick *tick, Virtksm__V1__ExplainResponse *message)
{
    const Decision *decision;

    message->decisions = g_new(Virtksm__V1__Decision *, DECISIONS_KEPT);
    while ((decision = decision_at(&tick->decisions, message->n_decisions)) != NULL)
        message->decisions[message->n_decisions++] = explain_decision(decision);
}

static Virtksm__V1__ReclaimDecision *
explain_reclaim_decision(ReclaimKind kind, const ReclaimDecision *decision)
{
    Virtksm__V1__ReclaimDecision *message = g_new(Virtksm__V1__ReclaimDecision, 1);

    virtksm__v1__reclaim_decision__init(message);
    message->mechanism = g_strdup(decision_reclaim_name(kind));
    MESSAGE_SET(message, first_ms, method_age_ms(decision->first_us));
    MESSAGE_SET(message, last_ms, method_age_ms(decision->last_us));
    MESSAGE_SET(message, decisions, decision->count);
    message->reason_name = g_strdup(reason_name(decision->reason));
    message->reason = g_strdup(reason_text(decision->reason));
    MESSAGE_SET(message, observed, !decision->apply);
    MESSAGE_SET_KNOWN(message, before_bytes, method_limit(decision->before_bytes));
    MESSAGE_SET_KNOWN(message, wanted_bytes, method_limit(decision->wanted_bytes));
    if (kind == RECLAIM_HIGH)
        MESSAGE_SET(message, reclaim_bytes, decision->reclaim_bytes);
    return message;
}

static void
explain_reclaim_decisions(const Domain *domain, Virtksm__V1__DomainExplanation *message)
{
    const ReclaimDecision *decision;

    message->reclaim =
        g_new(Virtksm__V1__ReclaimDecision *, RECLAIM_COUNT * RECLAIM_DECISIONS_KEPT);
    for (ReclaimKind kind = 0; kind < RECLAIM_COUNT; kind++)
        for (size_t i = 0; (decision = decision_reclaim_at(&domain->reclaim, kind, i)); i++)
            message->reclaim[message->n_reclaim++] = explain_reclaim_decision(kind, decision);
}

static void
explain_plan(const PolicyConf *conf, const DomainPlan *plan,
             Virtksm__V1__DomainExplanation *message)
{
    if (plan->balloon_reason != REASON_NONE) {
        MESSAGE_SET_KNOWN(message, need_bytes, plan->need_bytes);
        MESSAGE_SET_KNOWN(message, balloon_target_bytes, plan->balloon_bytes);
        message->balloon_reason = g_strdup(reason_text(plan->balloon_reason));
        message->balloon_change = g_strdup(reason_change(plan->balloon_reason));
        message->balloon_bound = describe_bound(conf, reason_bound(plan->balloon_reason));
    }
    if (plan->high_reason != REASON_NONE) {
        MESSAGE_SET_KNOWN(message, limit_bytes, method_limit(plan->limit_bytes));
        MESSAGE_SET(message, reclaim_bytes, plan->reclaim_bytes);
        message->high_reason = g_strdup(reason_text(plan->high_reason));
        message->high_change = g_strdup(reason_change(plan->high_reason));
        message->high_bound = describe_bound(conf, reason_bound(plan->high_reason));
    }
}

/* What is done about its memory beside merging, and what its metadata has to say to it. */
static void
explain_reclaim(const PolicyConf *conf, const Domain *domain,
                Virtksm__V1__DomainExplanation *message)
{
    MESSAGE_SET_KNOWN(message, floor_bytes, domain_floor_bytes(domain));
    MESSAGE_SET_KNOWN(message, ceiling_bytes, domain_ceiling_bytes(domain));
    message->balloon_mode = g_strdup(domain_mode_word(domain, RECLAIM_BALLOON, conf));
    message->high_mode = g_strdup(domain_mode_word(domain, RECLAIM_HIGH, conf));
    explain_plan(conf, &domain->plan, message);
    if (domain->has_xml)
        MESSAGE_SET(message, shares, domain->xml.policy.shares);
    if (domain->unread)
        message->fault = g_strconcat("its definition is not understood: ", domain->unread, NULL);
    else if (domain->has_xml)
        message->fault = g_strdup(domain->xml.policy.fault);
}

static Virtksm__V1__DomainExplanation *
explain_domain(const Agent *agent, const Domain *domain)
{
    Virtksm__V1__DomainExplanation *message = g_new(Virtksm__V1__DomainExplanation, 1);

    virtksm__v1__domain_explanation__init(message);
    message->name = g_strdup(domain->name);
    message->uuid = g_strdup(domain->uuid);
    message->reason = g_strdup(reason_text(domain->plan.reason));
    message->merge = g_strdup(domain_merge_text(domain));
    if (domain->plan.reason != REASON_NONE && domain->plan.reason != REASON_FACT_MISSING) {
        MESSAGE_SET(message, mergeable_pages, domain->plan.mergeable_pages);
        MESSAGE_SET(message, debt_pages, domain->plan.debt_pages);
    }
    MESSAGE_SET(message, weight, domain_weight(domain));
    MESSAGE_SET(message, latency_critical, domain_is_latency_critical(domain));
    explain_reclaim(&agent->conf->policy, domain, message);
    rpc_tenancy_explain(agent, domain, message);
    return message;
}

static void
explain_domains(const Agent *agent, const Domain *only, Virtksm__V1__ExplainResponse *message)
{
    g_autoptr(GPtrArray) domains = domain_table_sorted(&agent->domains);

    message->domains = g_new(Virtksm__V1__DomainExplanation *, domains->len);
    for (guint i = 0; i < domains->len; i++) {
        const Domain *domain = g_ptr_array_index(domains, i);
        Virtksm__V1__DomainExplanation *row;

        if (only && domain != only)
            continue;
        row = explain_domain(agent, domain);
        if (only)
            explain_reclaim_decisions(domain, row);
        message->domains[message->n_domains++] = row;
    }
}

static void
explain_host(const Agent *agent, Virtksm__V1__ExplainResponse *message)
{
    const KsmPlan *plan = &agent->plan.ksm;
    const Tick *tick = &agent->tick;
    KsmMode mode = agent->conf->policy.mode;

    message->mode = g_strdup(ksm_mode_words[mode]);
    message->phase = g_strdup(ksm_phase_name(plan->phase));
    message->reason_name = g_strdup(reason_name(plan->reason));
    message->reason = g_strdup(reason_text(plan->reason));
    message->rule = g_strdup(ksm_mode_words[mode == KSM_MODE_OBSERVE ? KSM_MODE_AUTO : mode]);
    message->bound = describe_bound(&agent->conf->policy, reason_bound(plan->reason));
    message->change = g_strdup(reason_change(plan->reason));
    message->wanted = method_ksm_settings(&plan->knobs);
    message->in_force = method_ksm_settings(&agent->host.knobs);
    message->applied = g_strdup(apply_result_name(tick->applied[ACTUATOR_KSM].result));
    message->applied_detail = g_strdup(tick->applied[ACTUATOR_KSM].detail);
    MESSAGE_SET(message, debt_pages, plan->debt_pages);
    MESSAGE_SET(message, gained_pages, plan->gained_pages);
    MESSAGE_SET(message, decided_ms, method_age_ms(tick->decided_us));
    if (plan->budget_bp > 0)
        MESSAGE_SET(message, budget_bp, plan->budget_bp);
    if (plan->cost_ns > 0)
        MESSAGE_SET(message, cost_ns, plan->cost_ns);
    message->memory = method_memory(agent);
    message->tenancy = rpc_tenancy(agent, true);
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
    explain_decisions(&agent->tick, message);
    explain_domains(agent, only, message);
    method_reply(call, &message->base);
}

const GrpcHandler explain_handler = { .message = explain_message };
