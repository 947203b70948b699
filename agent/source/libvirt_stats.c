/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_stats.c - what libvirt says now, and what the guest said some time ago */
#include "agent/source/libvirt_stats.h"

/* What a guest said of its memory may be older than two periods by this, for a busy host. */
#define GUEST_SLACK_S 5

/* The guest speaks once in a period; what it said long before is no figure of now. libvirt gives
 * the time as 0 where it never spoke. */
static bool
is_fresh(const Domain *domain, uint64_t said_s)
{
    uint64_t period_s = domain->has_xml ? domain->xml.stats_period_s : 0;
    uint64_t now_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);

    return is_known(said_s) && said_s != 0 && period_s > 0 &&
           sat_sub(now_s, said_s) <= GUEST_SLACK_S + 2 * period_s;
}

void
libvirt_stats_take(DomainTable *domains, const VirtStats *stats, uint64_t now_us)
{
    Domain *domain = domain_table_get(domains, stats->uuid);

    if (!domain)
        return;
    domain->maximum_bytes = stats->maximum_bytes;
    domain->balloon_bytes = stats->balloon_bytes;
    domain->guest_stats_s = stats->guest_stats_s;
    domain->unused_bytes =
        is_fresh(domain, stats->guest_stats_s) ? stats->unused_bytes : VALUE_UNKNOWN;
    domain->stats_us = now_us;
    if (domain->state != DOMAIN_STOPPING)
        domain->state = stats->paused ? DOMAIN_PAUSED : DOMAIN_RUNNING;
}
