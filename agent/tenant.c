/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tenant.c - whom domains belong to, and how far they are switched, for policy
 *
 * A group has a number as long as a domain of it runs: the same text, the same number. Text that
 * is cut, folded or hashed could make two groups one.
 *
 * A domain whose definition was understood once and is no more may have been given another group:
 * it trusts nobody, as far as we know, so it is in none. What it is made of stays true enough.
 */
#include "agent/tenant.h"

#include "agent/agent.h"
#include "agent/error.h"
#include "agent/source/source.h"
#include "agent/virt/domain_group.h"
#include "policy/tenancy.h"

static DomainGroupRules
rules_of(const Conf *conf)
{
    return (DomainGroupRules){ conf->group_from, conf->group_names };
}

bool
tenant_check(const Conf *conf, GError **error)
{
    const DomainGroupRules rules = rules_of(conf);
    g_autoptr(GError) reason = NULL;
    const char *key = NULL;

    if (domain_group_check(&rules, &key, &reason))
        return true;
    g_set_error(error, AGENT_ERROR, AGENT_ERROR_CONF, "%s%s", conf_place(conf, "tenancy", key),
                reason->message);
    return false;
}

/* The number that other domains of the group have, or a new one. */
static uint64_t
number_of(Agent *agent, const GPtrArray *domains, const Domain *domain)
{
    if (!domain->group)
        return 0;
    for (guint i = 0; i < domains->len; i++) {
        const Domain *other = g_ptr_array_index(domains, i);

        if (other != domain && other->group_number > 0 &&
            g_strcmp0(other->group, domain->group) == 0)
            return other->group_number;
    }
    return ++agent->groups;
}

void
tenant_follow(Agent *agent, const GPtrArray *domains)
{
    const DomainGroupRules rules = rules_of(agent->conf);

    for (guint i = 0; i < domains->len; i++) {
        Domain *domain = g_ptr_array_index(domains, i);
        g_autofree char *before = NULL;

        if (!domain->has_xml || domain->has_group)
            continue;
        before = g_steal_pointer(&domain->group);
        domain->group = domain->unread ? NULL : domain_group_of(&domain->xml, &rules);
        domain->has_group = true;
        if (g_strcmp0(before, domain->group) != 0)
            domain->group_number = number_of(agent, domains, domain);
    }
}

void
tenant_forget(Agent *agent)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        ((Domain *)value)->has_group = false;
}

static MergeStatus
status_of(const Agent *agent, const Domain *domain)
{
    const MergeDomain start = { domain->uuid, domain->id,
                                domain->has_xml ? domain->xml.n_backends : 0 };
    MergeStatus status = merge_status(&agent->merge, &start);

    /* Nobody could be asked to switch it. */
    if (!domain->is_libvirts)
        status.state = MERGE_STUCK;
    return status;
}

void
tenant_fill(const Agent *agent, const Domain *domain, DomainSample *sample)
{
    const MergeStatus status = status_of(agent, domain);

    sample->is_tenant = domain->is_libvirts || domain->has_process;
    sample->is_defined = !domain->is_libvirts || (domain->has_xml && domain->has_group);
    sample->group = domain->group_number;
    sample->merge_state = status.state;
    sample->is_switching = status.is_switching;
    /* Without the zero pages, where the kernel counts them, the copies would be reckoned too few.
     */
    if (is_known(domain->sample.merging_pages) &&
        (is_known(domain->sample.ksm_zero_pages) || domain->sample.ksm_access != PROCFILE_BUSY))
        sample->unshare_pages =
            sat_add(domain->sample.merging_pages, known_or(domain->sample.ksm_zero_pages, 0));
    if (!domain->has_xml)
        return;
    if (!domain->unread || domain->xml.policy.merge == MERGE_WISH_NO)
        sample->merge_wish = domain->xml.policy.merge;
    sample->hard_limit_bytes = domain->xml.hard_limit_bytes;
}

void
tenant_init(StartWindow *window)
{
    *window = (StartWindow){ .window_us = VALUE_UNKNOWN };
}

/* One that ran before the agent did tells nothing of it. */
static void
note_start(Agent *agent, Domain *domain)
{
    uint64_t begun_us;

    if (domain->is_start_noted || !domain->has_process)
        return;
    domain->is_start_noted = true;
    begun_us = process_begun_us(&domain->process);
    if (domain->is_libvirts && is_known(begun_us) && begun_us > agent->started_us)
        agent->window.window_us = sat_sub(agent->window.paused_us, begun_us);
}

/* For KSM, whose memory is parted has gone: ksmd drops its records of it when it comes past. */
static void
note_parting(Agent *agent, Domain *domain, const DomainSample *sample)
{
    bool is_off = sample->merge_state == MERGE_OFF;

    agent->tick.departures += is_off && !domain->was_off;
    domain->was_off = is_off;
}

void
tenant_note(Agent *agent, const GPtrArray *domains, const DomainSample *samples)
{
    StartWindow *window = &agent->window;
    bool was_paused = window->is_paused;

    window->is_paused = agent->plan.tenancy.is_paused;
    if (window->is_paused && !was_paused)
        window->paused_us = (uint64_t)g_get_monotonic_time();
    for (guint i = 0; agent->plan.tenancy.is_enforced && i < domains->len; i++) {
        note_start(agent, g_ptr_array_index(domains, i));
        note_parting(agent, g_ptr_array_index(domains, i), &samples[i]);
    }
}

uint32_t
tenant_starting(const Agent *agent)
{
    return hook_source_starting(agent->hook);
}

const char *
tenant_why_not_enforced(const Agent *agent)
{
    const PolicyConf *conf = &agent->conf->policy;

    if (conf->tenancy_enforce == TENANCY_ENFORCE_NO)
        return "[tenancy] enforce is no";
    if (!agent->plan.tenancy.is_enforced)
        return "the mode is observe or off";
    if (ksm_actuator_state(&agent->ksm) != KSM_ACTUATOR_READY)
        return "virtksmd cannot make KSM stand still, see 'actuator' in its status";
    return NULL;
}

const char *const tenant_merge_words[] = {
    [MERGE_AS_FOUND] = "on",
    [MERGE_OFF] = "off",
    [MERGE_MOVING] = "being switched",
    [MERGE_STUCK] = "stuck",
    [MERGE_STATE_COUNT] = "cannot merge",
    [MERGE_STATE_COUNT + 1] = NULL,
};

const char *
tenant_merge_word(const Agent *agent, const Domain *domain)
{
    if (domain->has_xml && domain_mergeable_bp(domain) == 0)
        return tenant_merge_words[MERGE_STATE_COUNT];
    return tenant_merge_words[domain->is_libvirts ? status_of(agent, domain).state
                                                  : MERGE_AS_FOUND];
}

const char *
tenant_group_name(const Agent *agent)
{
    uint64_t group = agent->plan.tenancy.group;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (group > 0 && g_hash_table_iter_next(&iter, NULL, &value)) {
        const Domain *domain = value;

        if (domain->group_number == group)
            return domain->group;
        if (domain->group_number == 0 && tenancy_own_group(domain->key) == group)
            return domain->name;
    }
    return NULL;
}
