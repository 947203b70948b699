/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stats.c - bulk statistics, in a worker thread */
#include "agent/virt/stats.h"
#include "policy/arith.h"

#define STATS_WANTED (VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_BALLOON)

/* What a guest says is the guest's word. A value that it does not know is -1, which libvirt takes
 * for a number, or divides by 1024; no figure of memory comes near to that. */
#define MOST_BYTES  (UINT64_C(1) << 60)
#define MOST_FAULTS (UINT64_C(1) << 62)

/* Beside two periods, for a busy host. */
#define UNUSED_SLACK_S 5
/* Seconds by which a guest's word may be ahead of the clock without the clock having been set. */
#define AHEAD_S 2

static uint64_t
find_number(const virTypedParameter *params, int n, const char *field)
{
    unsigned long long number;

    /* Not changed by it, but not const in libvirt's interface either. */
    if (virTypedParamsGetULLong((virTypedParameterPtr)(gsize)params, n, field, &number) != 1)
        return VALUE_UNKNOWN;
    return number;
}

static uint64_t
find_kib(const virTypedParameter *params, int n, const char *field)
{
    uint64_t kib = find_number(params, n, field);

    return is_known(kib) ? bytes_from_kib(kib) : VALUE_UNKNOWN;
}

static uint64_t
find_guests(const virTypedParameter *params, int n, const char *field)
{
    uint64_t bytes = find_kib(params, n, field);

    return bytes <= MOST_BYTES ? bytes : VALUE_UNKNOWN;
}

void
guest_stats_clear(GuestStats *guest)
{
    const uint64_t u = VALUE_UNKNOWN;

    *guest = (GuestStats){ u, u, u, u, u, u, u };
}

void
virt_stats_guest(const virTypedParameter *params, int n, GuestStats *guest)
{
    uint64_t faults = find_number(params, n, "balloon.major_fault");

    *guest = (GuestStats){
        .available_bytes = find_guests(params, n, "balloon.available"),
        .usable_bytes = find_guests(params, n, "balloon.usable"),
        .unused_bytes = find_guests(params, n, "balloon.unused"),
        .caches_bytes = find_guests(params, n, "balloon.disk_caches"),
        .swap_in_bytes = find_guests(params, n, "balloon.swap_in"),
        .swap_out_bytes = find_guests(params, n, "balloon.swap_out"),
        .major_faults = faults <= MOST_FAULTS ? faults : VALUE_UNKNOWN,
    };
}

/* Waits for QEMU. A domain that cannot be asked has ended, or its driver knows no jobs. */
static bool
is_job_over(virDomainPtr domain)
{
    virDomainJobInfo info;

    return virDomainGetJobInfo(domain, &info) < 0 || info.type == VIR_DOMAIN_JOB_NONE ||
           info.type == VIR_DOMAIN_JOB_COMPLETED;
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

/* Of a domain that was not asked: a job keeps it busy, or a QEMU that does not answer. */
static uint64_t
find_silence_ms(virDomainPtr domain)
{
    virDomainControlInfo info;

    if (virDomainGetControlInfo(domain, &info, 0) < 0 || info.state == VIR_DOMAIN_CONTROL_ERROR)
        return VALUE_UNKNOWN;
    return info.state == VIR_DOMAIN_CONTROL_OCCUPIED ? info.stateTime : 0;
}

static void
add_record(const virDomainStatsRecord *record, GHashTable *job_uuids, GArray *all)
{
    const virTypedParameter *params = record->params;
    int n = record->nparams;
    VirtStats stats = { .maximum_bytes = find_kib(params, n, "balloon.maximum"),
                        .balloon_bytes = find_kib(params, n, "balloon.current"),
                        .guest_stats_s = find_number(params, n, "balloon.last-update") };
    int state = VIR_DOMAIN_RUNNING;

    if (virDomainGetUUIDString(record->dom, stats.uuid) < 0)
        return;
    virTypedParamsGetInt(record->params, record->nparams, "state.state", &state);
    stats.paused = state == VIR_DOMAIN_PAUSED || state == VIR_DOMAIN_PMSUSPENDED;
    virt_stats_guest(params, n, &stats.guest);
    if (!is_known(stats.balloon_bytes))
        read_info(record->dom, &stats);
    else if (!is_known(stats.guest_stats_s))
        stats.silent_ms = find_silence_ms(record->dom);
    stats.job_over = known_or(stats.silent_ms, 0) == 0 &&
                     g_hash_table_contains(job_uuids, stats.uuid) && is_job_over(record->dom);
    g_array_append_val(all, stats);
}

GArray *
virt_stats_read(virConnectPtr conn, GHashTable *job_uuids, GError **error)
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
        add_record(records[i], job_uuids, all);
    virDomainStatsRecordListFree(records);
    return all;
}

uint64_t
guest_stats_age_us(uint64_t said_s, uint64_t wall_us)
{
    uint64_t wall_s = wall_us / G_USEC_PER_SEC;

    /* libvirt gives the time as 0 where the guest never spoke. */
    if (said_s == 0 || !is_known(said_s) || said_s > wall_s + AHEAD_S)
        return VALUE_UNKNOWN;
    return sat_sub(wall_us, said_s * G_USEC_PER_SEC);
}

uint64_t
virt_stats_unused(const VirtStats *stats, uint32_t period_s, uint64_t since_s)
{
    uint64_t age_us = guest_stats_age_us(stats->guest_stats_s, (uint64_t)g_get_real_time());

    if (period_s == 0 || !is_known(age_us) || stats->guest_stats_s <= since_s ||
        age_us / G_USEC_PER_SEC > UNUSED_SLACK_S + 2 * (uint64_t)period_s)
        return VALUE_UNKNOWN;
    return stats->guest.unused_bytes;
}
