/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.c - bulk statistics, in a worker thread */
#include "agent/virt/stats.h"
#include "policy/arith.h"

#define STATS_WANTED (VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_BALLOON)

/* Beside two periods, for a busy host. */
#define UNUSED_SLACK_S 5

static uint64_t
find_number(const virDomainStatsRecord *record, const char *field)
{
    unsigned long long number;

    if (virTypedParamsGetULLong(record->params, record->nparams, field, &number) != 1)
        return VALUE_UNKNOWN;
    return number;
}

static uint64_t
find_kib(const virDomainStatsRecord *record, const char *field)
{
    uint64_t kib = find_number(record, field);

    return is_known(kib) ? bytes_from_kib(kib) : VALUE_UNKNOWN;
}

/* For drivers whose bulk statistics carry the state alone. */
static void
read_info(virDomainPtr domain, VirtStats *stats)
{
    virDomainInfo info;

    if (virDomainGetInfo(domain, &info) < 0)
        return;
    stats->maximum_bytes = bytes_from_kib(info.maxMem);
    stats->balloon_bytes = bytes_from_kib(info.memory);
}

static void
add_record(const virDomainStatsRecord *record, GArray *all)
{
    VirtStats stats = { .maximum_bytes = find_kib(record, "balloon.maximum"),
                        .balloon_bytes = find_kib(record, "balloon.current"),
                        .guest_stats_s = find_number(record, "balloon.last-update"),
                        .unused_bytes = find_kib(record, "balloon.unused") };
    int state = VIR_DOMAIN_RUNNING;

    if (virDomainGetUUIDString(record->dom, stats.uuid) < 0)
        return;
    virTypedParamsGetInt(record->params, record->nparams, "state.state", &state);
    stats.paused = state == VIR_DOMAIN_PAUSED;
    if (!is_known(stats.balloon_bytes))
        read_info(record->dom, &stats);
    g_array_append_val(all, stats);
}

GArray *
virt_stats_read(virConnectPtr conn, GError **error)
{
    unsigned flags = VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE;
    virDomainStatsRecordPtr *records = NULL;
    GArray *all;
    int n;

    n = virConnectGetAllDomainStats(conn, STATS_WANTED, &records,
                                    flags | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    /* Drivers refuse flags they do not know; libvirt before 4.5 and the test driver lack NOWAIT. */
    if (n < 0 && (virGetLastErrorCode() == VIR_ERR_INVALID_ARG ||
                  virGetLastErrorCode() == VIR_ERR_ARGUMENT_UNSUPPORTED))
        n = virConnectGetAllDomainStats(conn, STATS_WANTED, &records, flags);
    if (n < 0) {
        virt_set_error(error, "cannot read the domains' statistics");
        return NULL;
    }
    all = g_array_sized_new(FALSE, TRUE, sizeof(VirtStats), (guint)n);
    for (int i = 0; i < n; i++)
        add_record(records[i], all);
    virDomainStatsRecordListFree(records);
    return all;
}

/* libvirt gives the time as 0 where the guest never spoke. */
uint64_t
virt_stats_unused(const VirtStats *stats, uint32_t period_s, uint64_t since_s)
{
    uint64_t now_s = (uint64_t)(g_get_real_time() / G_USEC_PER_SEC);
    uint64_t said_s = stats->guest_stats_s;

    if (period_s == 0 || !is_known(said_s) || said_s <= since_s ||
        sat_sub(now_s, said_s) > UNUSED_SLACK_S + 2 * (uint64_t)period_s)
        return VALUE_UNKNOWN;
    return stats->unused_bytes;
}
