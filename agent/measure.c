/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure.c - the working sets of domains: who is measured, and who hears of it
 *
 * The rotation measures whom it is told to, by the key of a start; this file tells it, tick by
 * tick, from the table of domains, and writes what comes back to the domain. Whoever wants to know
 * reads it there, or follows: a follower hears of each new report, and of all of them with each
 * decision, and whether the host has come under pressure. What of that is worth sending is for the
 * follower to decide.
 */
#include "agent/measure.h"

#include "agent/agent.h"
#include "agent/log.h"
#include "agent/source/source.h"

static void
tell(const Measure *measure, const Domain *domain, MeasureNews news)
{
    for (guint i = measure->taps->len; i > 0; i--) { /* one may go meanwhile */
        const MeasureTap *tap = g_ptr_array_index(measure->taps, i - 1);

        tap->measured(domain, news, tap->user);
    }
}

void
measure_take(uint64_t key, const WorkingSetReport *report, gpointer user)
{
    Agent *agent = user;
    Domain *domain = domain_table_by_key(&agent->domains, key);

    if (!domain)
        return;
    if (!domain->working_set)
        domain->working_set = g_new(WorkingSetReport, 1);
    *domain->working_set = *report;
    tell(&agent->measure, domain, MEASURE_REPORT);
}

void
measure_init(Measure *measure)
{
    *measure = (Measure){ .taps = g_ptr_array_new(), .level = MEMORY_CALM };
}

void
measure_done(Measure *measure)
{
    g_clear_pointer(&measure->taps, g_ptr_array_unref);
}

void
measure_open(Agent *agent)
{
    const Conf *conf = agent->conf;
    WorkingSetHost host = { .root_fd = agent->root_fd,
                            .age_us = conf->working_age_s * G_USEC_PER_SEC,
                            .interval_us = conf->working_every_s * G_USEC_PER_SEC,
                            .share_bp = conf->working_bp };

    /* The configuration is not taken with edges that are wrong. */
    if (!conf->working_set || !working_set_edges_parse(conf->working_bins, &host.edges))
        return;
    agent->measure.rotation = rotation_new(&host);
    rotation_listen(agent->measure.rotation, measure_take, agent);
    agent->measure.setup = host;
}

void
measure_close(Agent *agent)
{
    g_clear_pointer(&agent->measure.rotation, rotation_free);
}

uint64_t
measure_fresh_us(const Measure *measure)
{
    return 2 * (measure->setup.age_us + measure->setup.interval_us);
}

static void
begin(const Agent *agent, const Domain *domain)
{
    bool is_v2 = cgroup_is_v2(agent->root_fd);
    g_autofree char *cgroup = cgroup_find(&domain->process, is_v2 ? CGROUP_V2 : CGROUP_V1);

    rotation_add(agent->measure.rotation, domain->key, domain->process.pid, domain->process.dir_fd,
                 cgroup, is_v2);
}

/* When it said so is told in seconds of the wall clock, which may have been set since. Found out
 * once for each word: the two clocks do not run alike, and another moment would be another word. */
static void
pass_guest(Rotation *rotation, Domain *domain, uint64_t now_us, uint64_t wall_us)
{
    const GuestStats *guest = &domain->guest;
    WorkingSetGuest word = { .total_bytes = guest->available_bytes,
                             .unused_bytes = guest->unused_bytes,
                             .usable_bytes = guest->usable_bytes,
                             .disk_caches_bytes = guest->caches_bytes,
                             .major_faults = guest->major_faults,
                             .swap_in_bytes = guest->swap_in_bytes };
    uint64_t age_us = guest_stats_age_us(domain->guest_stats_s, wall_us);

    if (!is_known(age_us))
        return;
    if (domain->told_s != domain->guest_stats_s)
        domain->told_us = sat_sub(now_us, age_us);
    domain->told_s = domain->guest_stats_s;
    word.told_us = domain->told_us;
    rotation_set_guest(rotation, domain->key, &word);
}

bool
measure_is_followed(const Measure *measure)
{
    return measure->rotation && measure->taps->len > 0;
}

bool
measure_is_blind(const Domain *domain)
{
    return domain->has_xml && domain->xml.huge_bytes > 0;
}

bool
measure_is_on(const Agent *agent)
{
    return agent->measure.rotation && agent->conf->policy.mode != KSM_MODE_OFF;
}

uint64_t
measure_spent_us(const Measure *measure)
{
    return measure->rotation ? rotation_spent_us(measure->rotation) : 0;
}

static void
tell_held_up(Agent *agent)
{
    Measure *measure = &agent->measure;
    uint64_t key = rotation_held_up_by(measure->rotation);
    const Domain *domain = domain_table_by_key(&agent->domains, key);

    if (key == measure->told_key)
        return;
    measure->told_key = key;
    if (key != 0)
        log_warning(
            "%s: looking at its memory takes too long: no working set is measured until that ends",
            domain ? domain->name : "a domain that has ended");
    else
        log_info("working sets are measured again");
}

void
measure_follow(Agent *agent)
{
    Rotation *rotation = agent->measure.rotation;
    g_autoptr(GHashTable) keys = g_hash_table_new(g_int64_hash, g_int64_equal);
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    uint64_t wall_us = (uint64_t)g_get_real_time();
    GHashTableIter iter;
    gpointer value;

    if (!rotation)
        return;
    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Domain *domain = value;

        if (!domain->has_process || measure_is_blind(domain) || !measure_is_on(agent)) {
            g_clear_pointer(&domain->working_set, g_free);
            continue;
        }
        g_hash_table_add(keys, &domain->key);
        if (!rotation_has(rotation, domain->key))
            begin(agent, domain);
        pass_guest(rotation, domain, now_us, wall_us);
    }
    rotation_keep(rotation, keys);
    tell_held_up(agent);
}

void
measure_decided(Agent *agent)
{
    Measure *measure = &agent->measure;
    MemoryLevel before = measure->level;
    MeasureNews news;
    GHashTableIter iter;
    gpointer value;

    measure->level = agent->plan.host.level;
    if (measure->taps->len == 0)
        return;
    news = measure->level > before ? MEASURE_PRESSURE : MEASURE_DECISION;
    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Domain *domain = value;

        if (domain->working_set)
            tell(measure, domain, news);
    }
}

/* Pressure may matter from now on, or not any more. At the end sources are closed for good. */
static void
tell_sources(Agent *agent)
{
    if (agent->closing)
        return;
    psi_source.adopt(agent);
    vmpressure_source.adopt(agent);
}

void
measure_add_tap(Agent *agent, const MeasureTap *tap)
{
    g_ptr_array_add(agent->measure.taps, (gpointer)(gsize)tap);
    tell_sources(agent);
}

void
measure_remove_tap(Agent *agent, const MeasureTap *tap)
{
    g_ptr_array_remove(agent->measure.taps, (gpointer)(gsize)tap);
    tell_sources(agent);
}
