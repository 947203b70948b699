/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gather.c - what the kernel says of the domains, and what policy is told of them
 *
 * What costs something for each domain is read only where somebody needs it: the waits of threads
 * for domains that are latency-critical, cgroups while a mechanism of reclaim is configured.
 */
#include "agent/gather.h"

#include "agent/agent.h"
#include "agent/log.h"
#include "agent/reclaim.h"
#include "agent/tenant.h"

#include <gio/gio.h>
#include <string.h>

/* Of a libvirt that is a user's own. */
#define SESSION "/session"
/* How long a process that was not found is not looked for again: the search reads all of /proc. */
#define SEARCH_GAP_US 2000000
/* How many domains there are that only clients know is up to clients, and most have no QEMU that
 * could be found: one of them is looked for at a time, and each ever less often. */
#define CLAIM_GAP_US     500000
#define CLAIM_GAP_MAX_US 600000000
/* Share of bytes that must be in the right bin for policy to build on a working set. */
#define CONFIDENCE_BP (BP_ONE / 2)

/* --- processes -------------------------------------------------------------------------- */

/* Figures of a process, and of the host but for KSM's, are good for so long: near the end of a pass
 * decisions come closer. */
#define READ_GAP_US 100000

/* Who could not be read in time for so long is told of. */
#define BUSY_US 30000000u

/* Questions to libvirt, when KSM alone is driven: what moves it comes by events. */
#define STATS_GAP_US 5000000

/* Whether a search is due; if so, the next one is put off. */
static bool
take_search(Agent *agent, Domain *domain, uint64_t now_us)
{
    bool is_claim = !domain->is_libvirts;

    if (now_us < domain->search_us || (is_claim && now_us < agent->tick.claim_us) ||
        !g_uuid_string_is_valid(domain->uuid))
        return false;
    if (is_claim)
        agent->tick.claim_us = now_us + CLAIM_GAP_US;
    domain->search_gap_us = is_claim && domain->search_gap_us > 0
                                ? min_u64(domain->search_gap_us * 2, CLAIM_GAP_MAX_US)
                                : SEARCH_GAP_US;
    domain->search_us = now_us + domain->search_gap_us;
    return true;
}

static void
find_process(Agent *agent, Domain *domain, uint64_t now_us)
{
    ProcessWanted wanted = { domain->name, domain->uuid,
                             domain->is_libvirts && !strstr(agent->conf->uri, SESSION) };
    g_autoptr(GError) error = NULL;

    if (!take_search(agent, domain, now_us))
        return;
    domain->has_process = process_find_in_time(agent->root_fd, &wanted, &domain->process, &error);
    if (domain->has_process)
        return;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) && !domain->is_search_told) {
        domain->is_search_told = true;
        log_warning("%s: its QEMU process cannot be looked for in time: %s", domain->name,
                    error->message);
    }
    log_debug("%s: no QEMU process: %s", domain->name, error->message);
}

/* Whether its figures are to be read now. */
static bool
is_due(Agent *agent, Domain *domain, uint64_t now_us)
{
    domain->wait_us = VALUE_UNKNOWN;
    if (!domain->has_process)
        find_process(agent, domain, now_us);
    if (!domain->has_process)
        return false;
    /* Costs a read for each thread of QEMU, so only those pay that asked for it. */
    if (domain_is_latency_critical(domain))
        domain->wait_us = process_wait_us(&domain->process);
    return domain->read_us == 0 || sat_sub(now_us, domain->read_us) >= READ_GAP_US;
}

/* Unmerging takes a while, and is what we may have asked for; told once of a start, as a guest that
 * has taken over its QEMU could fill the log. */
static void
note_busy(Domain *domain, uint64_t now_us)
{
    bool was_busy = domain->is_busy;

    if (domain->sample.ksm_access != PROCFILE_BUSY)
        domain->busy_us = 0;
    else if (domain->busy_us == 0)
        domain->busy_us = now_us;
    domain->is_busy = was_busy ? domain->busy_us != 0
                               : domain->busy_us != 0 && now_us - domain->busy_us >= BUSY_US;
    if (!domain->is_busy || was_busy || domain->is_busy_told)
        return;
    domain->is_busy_told = true;
    log_warning(
        "%s: what KSM says of its QEMU process could not be read for %u s: the process holds "
        "its mappings, for a long change or in bad faith; told once",
        domain->name, BUSY_US / 1000000);
}

static void
take_reading(Domain *domain, const ProcessReading *reading, uint64_t now_us)
{
    if (reading->runs) {
        domain->read_us = now_us;
        domain->sample = reading->sample;
        note_busy(domain, now_us);
        return;
    }
    /* It has exited; the event that says so is on its way. */
    process_done(&domain->process);
    domain->has_process = false;
    domain->read_us = 0;
    process_sample_clear(&domain->sample);
}

static void
read_processes(Agent *agent, uint64_t now_us)
{
    guint most = domain_table_size(&agent->domains);
    g_autofree ProcessReading *readings = g_new0(ProcessReading, most + 1);
    g_autofree Domain **due = g_new(Domain *, most + 1);
    size_t n = 0;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (!is_due(agent, value, now_us))
            continue;
        due[n] = value;
        readings[n].process = &due[n]->process;
        n++;
    }
    process_read_in_time(readings, n);
    for (size_t i = 0; i < n; i++)
        take_reading(due[i], &readings[i], now_us);
}

/* --- reclaim ---------------------------------------------------------------------------- */

bool
gather_is_reclaiming(const Agent *agent)
{
    return policy_conf_reclaims(&agent->conf->policy);
}

static void
read_cgroup(const Agent *agent, Domain *domain)
{
    Cgroup *cgroup = &domain->cgroup;

    cgroup_sample_clear(&domain->cgroup_sample);
    if (!domain->has_process || !gather_is_reclaiming(agent)) {
        cgroup_close(cgroup);
        return;
    }
    if (cgroup->version == CGROUP_NONE && !cgroup_open(cgroup, agent->root_fd, &domain->process))
        return;
    /* It ends before QEMU's process is gone for us, and libvirt may make it anew. */
    if (!cgroup_read(cgroup, &domain->cgroup_sample))
        cgroup_close(cgroup);
}

void
gather_pressed(Agent *agent)
{
    GHashTableIter iter;
    gpointer value;

    partition_clear(&agent->partition);
    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Domain *domain = value;

        read_cgroup(agent, domain);
        if (domain->has_process && gather_is_reclaiming(agent))
            partition_join(&agent->partition, &domain->cgroup);
    }
}

/* Whether the next figures of it are worth a question to libvirt by themselves. */
static bool
is_waited_for(const Domain *domain)
{
    return domain->has_job || (domain->is_libvirts && domain->stats_us == 0);
}

uint64_t
gather_stats_gap_us(const Agent *agent)
{
    uint64_t least_us = agent->conf->stats_period_ms * 1000;
    GHashTableIter iter;
    gpointer value;

    if (gather_is_reclaiming(agent))
        return least_us;
    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (is_waited_for(value))
            return least_us;
    return max_u64(least_us, STATS_GAP_US);
}

void
gather_host(Agent *agent)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();

    if (agent->host_us != 0 && sat_sub(now_us, agent->host_us) < READ_GAP_US &&
        !gather_is_reclaiming(agent)) {
        host_read_ksm(&agent->host_facts, &agent->host);
        return;
    }
    agent->host_us = now_us;
    agent->host = host_sample_unknown();
    host_read(&agent->host_facts, &agent->host);
    if (gather_is_reclaiming(agent))
        host_read_swapping(&agent->host_facts, &agent->host);
    partition_bound(&agent->partition, agent->root_fd, &agent->conf->policy, &agent->host);
}

void
gather_all(Agent *agent)
{
    uint64_t now_us = (uint64_t)g_get_monotonic_time();
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, agent->domains.by_uuid);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        ((Domain *)value)->stats_period_s = reclaim_stats_period_s(agent, value);
    read_processes(agent, now_us);
    gather_pressed(agent);
}

/* --- sample ----------------------------------------------------------------------------- */

static void
tell_guest(const Domain *domain, uint64_t wall_us, DomainSample *sample)
{
    const GuestStats *guest = &domain->guest;
    uint64_t age_us = guest_stats_age_us(domain->guest_stats_s, wall_us);

    if (!is_known(age_us))
        return;
    sample->guest_age_us = age_us;
    sample->guest_available_bytes = guest->available_bytes;
    sample->guest_usable_bytes = guest->usable_bytes;
    sample->guest_unused_bytes = guest->unused_bytes;
    sample->guest_caches_bytes = guest->caches_bytes;
    sample->guest_swap_in_bytes = guest->swap_in_bytes;
    sample->guest_swap_out_bytes = guest->swap_out_bytes;
    sample->guest_major_faults = guest->major_faults;
}

static void
tell_cgroup(const Domain *domain, DomainSample *sample)
{
    const CgroupSample *cgroup = &domain->cgroup_sample;

    sample->cgroup_bytes = cgroup->bytes;
    sample->cgroup_file_bytes = cgroup->file_bytes;
    sample->cgroup_stall_us = cgroup->stall_us;
    sample->cgroup_refaults = cgroup->refaults;
    sample->limit_bytes = cgroup->limit_bytes;
    sample->cgroup_highs = cgroup->high_events;
    sample->cgroup_maxes = cgroup->max_events;
    sample->cgroup_ooms = cgroup->oom_events;
    sample->can_reclaim = domain->cgroup.can_reclaim;
    sample->can_limit = domain->cgroup.can_limit;
}

/* A report of the time that it is about: older, and the time within which memory counts as used has
 * nothing in common with what is asked for now. Half of it must be right, which leaves out what the
 * guest says of itself: policy has that anyway, and its own rules for when to believe it. Of memory
 * in the hugetlb pool nobody can tell when it was used. */
static void
tell_working_set(const Agent *agent, const Domain *domain, DomainSample *sample)
{
    const WorkingSetReport *report = domain->working_set;
    uint64_t now_us = (uint64_t)g_get_monotonic_time();

    if (!report || report->state != WORKING_SET_MEASURED || domain_is_fixed(domain) ||
        report->confidence_bp < CONFIDENCE_BP || !is_known(report->working_set_bytes) ||
        sat_sub(now_us, report->moment_us) > measure_fresh_us(&agent->measure))
        return;
    /* QEMU's own memory is in it too. */
    sample->working_set_bytes = min_u64(report->working_set_bytes, domain->maximum_bytes);
}

void
gather_hold_pinned(const Domain *domain, DomainSample *sample)
{
    bool has_balloon = sample->balloon_mode == MECHANISM_ON;
    bool has_high = sample->high_mode == MECHANISM_ON;

    if (!domain_is_pinned(domain))
        return;
    sample->is_fixed |= !has_balloon && !has_high;
    if (!has_balloon)
        sample->balloon_mode = MECHANISM_OFF;
    if (!has_high)
        sample->high_mode = MECHANISM_OFF;
}

DomainSample
gather_sample(const Agent *agent, const Domain *domain, uint64_t wall_us)
{
    DomainSample sample = domain_sample_unknown();

    sample.key = domain->key;
    sample.started_us = domain->seen_us;
    sample.maximum_bytes = domain->maximum_bytes;
    sample.balloon_bytes = domain->balloon_bytes;
    sample.resident_bytes = domain->sample.resident_bytes;
    sample.merging_pages = domain->sample.merging_pages;
    sample.rmap_items = domain->sample.rmap_items;
    sample.mergeable_bp = domain_mergeable_bp(domain);
    sample.weight = domain_weight(domain);
    sample.latency_critical = domain_is_latency_critical(domain);
    sample.wait_us = domain->wait_us;
    sample.has_balloon = domain_has_balloon(domain);
    sample.has_virtio_mem = domain->has_xml && domain->xml.virtio_mem_devices > 0;
    sample.reports_free = domain->has_xml && domain->xml.balloon_reports_free;
    sample.is_fixed = domain_is_fixed(domain);
    sample.is_still = domain_is_still(domain);
    domain_tell_wishes(domain, &sample);
    reclaim_fill(agent, domain, &sample);
    tenant_fill(agent, domain, &sample);
    gather_hold_pinned(domain, &sample);
    tell_guest(domain, wall_us, &sample);
    tell_cgroup(domain, &sample);
    tell_working_set(agent, domain, &sample);
    return sample;
}
