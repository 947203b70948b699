/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain.c - the table of running domains */
#include "agent/domain.h"
#include "policy/rule.h"

#include <string.h>

static const char *const state_names[] = {
    [DOMAIN_RUNNING] = "running",
    [DOMAIN_PAUSED] = "paused",
    [DOMAIN_STOPPING] = "stopping",
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == DOMAIN_STATE_COUNT);

const char *
domain_state_name(DomainState state)
{
    return (unsigned)state < DOMAIN_STATE_COUNT ? state_names[state] : "unknown";
}

static void
domain_free(gpointer data)
{
    Domain *domain = data;

    if (domain->has_process)
        process_done(&domain->process);
    cgroup_close(&domain->cgroup);
    if (domain->has_xml)
        domain_xml_clear(&domain->xml);
    g_clear_pointer(&domain->claims, g_hash_table_destroy);
    g_free(domain->working_set);
    g_free(domain->unread);
    g_free(domain->group);
    g_free(domain->uuid);
    g_free(domain->name);
    g_free(domain);
}

void
domain_table_init(DomainTable *table)
{
    /* The key is the value's own uuid, freed with it. */
    table->by_uuid = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, domain_free);
    table->next_key = 1;
}

void
domain_table_done(DomainTable *table)
{
    g_clear_pointer(&table->by_uuid, g_hash_table_destroy);
}

Domain *
domain_table_add(DomainTable *table, const char *uuid, const char *name, int id, uint64_t now_us)
{
    Domain *domain = g_new0(Domain, 1);

    domain->uuid = g_strdup(uuid);
    domain->name = g_strdup(name);
    domain->id = id;
    domain->key = table->next_key++;
    domain->seen_us = now_us;
    domain->maximum_bytes = VALUE_UNKNOWN;
    domain->balloon_bytes = VALUE_UNKNOWN;
    domain->guest_stats_s = VALUE_UNKNOWN;
    domain->unused_bytes = VALUE_UNKNOWN;
    domain->wait_us = VALUE_UNKNOWN;
    domain->overhead.bytes = VALUE_UNKNOWN;
    domain->overhead.peak_bytes = VALUE_UNKNOWN;
    domain->cost.ksmd_ns = VALUE_UNKNOWN;
    domain->cost.broken_pages = VALUE_UNKNOWN;
    domain->cost.merging_pages = VALUE_UNKNOWN;
    guest_stats_clear(&domain->guest);
    process_sample_clear(&domain->sample);
    cgroup_sample_clear(&domain->cgroup_sample);
    /* replace, not insert: the old key dies with the old value */
    g_hash_table_replace(table->by_uuid, domain->uuid, domain);
    return domain;
}

Domain *
domain_table_get(const DomainTable *table, const char *uuid)
{
    return g_hash_table_lookup(table->by_uuid, uuid);
}

Domain *
domain_table_find(const DomainTable *table, const char *word)
{
    Domain *domain = domain_table_get(table, word);
    GHashTableIter iter;
    gpointer value;

    if (domain)
        return domain;
    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (g_str_equal(((Domain *)value)->name, word))
            return value;
    return NULL;
}

Domain *
domain_table_by_key(const DomainTable *table, uint64_t key)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((const Domain *)value)->key == key)
            return value;
    return NULL;
}

void
domain_rename(Domain *domain, const char *name)
{
    if (g_str_equal(domain->name, name))
        return;
    g_free(domain->name);
    domain->name = g_strdup(name);
}

void
domain_set_balloon(Domain *domain, uint64_t bytes)
{
    if (domain->balloon_bytes == bytes)
        return;
    if (is_known(domain->balloon_bytes) && is_known(bytes)) {
        domain->balloon_moved_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
        domain->unused_bytes = VALUE_UNKNOWN;
    }
    domain->balloon_bytes = bytes;
    domain->balloon_us = (uint64_t)g_get_monotonic_time();
}

void
domain_claim(Domain *domain, const char *source)
{
    if (!domain->claims)
        domain->claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_add(domain->claims, g_strdup(source));
}

bool
domain_unclaim(Domain *domain, const char *source)
{
    if (domain->claims)
        g_hash_table_remove(domain->claims, source);
    return !domain->is_libvirts && (!domain->claims || g_hash_table_size(domain->claims) == 0);
}

bool
domain_table_remove(DomainTable *table, const char *uuid)
{
    return g_hash_table_remove(table->by_uuid, uuid);
}

guint
domain_table_size(const DomainTable *table)
{
    return g_hash_table_size(table->by_uuid);
}

static gint
compare_by_name(gconstpointer a, gconstpointer b)
{
    const Domain *left = *(const Domain *const *)a;
    const Domain *right = *(const Domain *const *)b;
    int order = strcmp(left->name, right->name);

    return order != 0 ? order : strcmp(left->uuid, right->uuid);
}

GPtrArray *
domain_table_sorted(const DomainTable *table)
{
    GPtrArray *all = g_ptr_array_sized_new(g_hash_table_size(table->by_uuid));
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        g_ptr_array_add(all, value);
    g_ptr_array_sort(all, compare_by_name);
    return all;
}

const char *
domain_merge_text(const Domain *domain)
{
    if (domain->unread)
        return "definition not understood";
    return domain->has_xml ? domain_merge_name(domain_xml_mergeable(&domain->xml))
                           : "not known yet";
}

uint32_t
domain_mergeable_bp(const Domain *domain)
{
    /* Without a definition the domain gets the benefit of the doubt: most can merge. */
    if (!domain->has_xml)
        return BP_ONE;
    return domain_xml_mergeable_bp(&domain->xml);
}

uint32_t
domain_weight(const Domain *domain)
{
    return domain->has_xml ? domain->xml.policy.weight : DOMAIN_WEIGHT_NORMAL;
}

bool
domain_is_latency_critical(const Domain *domain)
{
    return domain->has_xml && domain->xml.policy.latency_critical;
}

uint64_t
domain_floor_bytes(const Domain *domain)
{
    uint64_t bytes = domain->has_xml ? domain->xml.policy.floor_bytes : 0;

    if (domain->has_xml && bytes == 0)
        bytes = domain->xml.min_guarantee_bytes;
    return bytes > 0 ? bytes : VALUE_UNKNOWN;
}

uint64_t
domain_ceiling_bytes(const Domain *domain)
{
    uint64_t bytes = domain->has_xml ? domain->xml.policy.ceiling_bytes : 0;

    return bytes > 0 ? bytes : VALUE_UNKNOWN;
}

void
domain_tell_wishes(const Domain *domain, DomainSample *sample)
{
    const DomainXmlPolicy *policy = &domain->xml.policy;
    bool is_current = domain->has_xml && !domain->unread;

    sample->floor_bytes = domain_floor_bytes(domain);
    sample->ceiling_bytes = domain_ceiling_bytes(domain);
    sample->shares = domain->has_xml ? policy->shares : SHARES_NORMAL;
    sample->balloon_mode = is_current ? policy->balloon_mode : MECHANISM_OFF;
    sample->high_mode = is_current ? policy->high_mode : MECHANISM_OFF;
}

const char *
domain_mode_word(const Domain *domain, ReclaimKind kind, const PolicyConf *conf)
{
    static const char *const words[] = {
        [ENABLE_NO] = "off", [ENABLE_OBSERVE] = "observe", [ENABLE_YES] = "on"
    };
    G_STATIC_ASSERT(G_N_ELEMENTS(words) == ENABLE_COUNT);
    unsigned enable = kind == RECLAIM_BALLOON ? conf->balloon_enable : conf->high_enable;
    DomainSample sample = domain_sample_unknown();
    uint32_t mode;

    domain_tell_wishes(domain, &sample);
    mode = kind == RECLAIM_BALLOON ? sample.balloon_mode : sample.high_mode;
    return words[mechanism_of(policy_conf_enable(conf, enable), mode)];
}

void
domain_forget_foreign(Domain *domain)
{
    domain->balloon_foreign = false;
    domain->limit_foreign = false;
}

bool
domain_has_balloon(const Domain *domain)
{
    return domain->has_xml && domain->xml.balloon != DOMAIN_BALLOON_ABSENT &&
           domain->xml.balloon != DOMAIN_BALLOON_NONE;
}

bool
domain_is_pinned(const Domain *domain)
{
    return domain->has_xml && (domain->xml.pinning_devices > 0 || domain->xml.mediated_devices > 0);
}

bool
domain_is_fixed(const Domain *domain)
{
    const DomainXml *xml = &domain->xml;

    return !domain->has_xml || xml->security != DOMAIN_SECURITY_NONE || xml->locked ||
           xml->huge_bytes > 0;
}

bool
domain_is_still(const Domain *domain)
{
    return domain->state != DOMAIN_RUNNING || domain->has_job;
}

GHashTable *
domain_table_with_jobs(const DomainTable *table)
{
    GHashTable *uuids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, table->by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (((const Domain *)value)->has_job)
            g_hash_table_add(uuids, g_strdup(((const Domain *)value)->uuid));
    return uuids;
}
