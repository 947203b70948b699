/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor_tenancy.c - what keeps domains from being merged with whom they may, and from others */
#include "agent/report/doctor_tenancy.h"

#include "agent/report/ledger_grain.h"
#include "policy/arith.h"

#include <inttypes.h>

#define MIB (UINT64_C(1) << 20)
/* Definitions are asked for at once, so those that are unknown for so long stay so. */
#define UNDECIDED_S 10

bool
doctor_find_stuck(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)finding;
    return host->tenancy->is_enforced && domain->plan.merge_reason == REASON_MERGE_STUCK;
}

bool
doctor_find_undecided(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    uint64_t since_s = sat_sub(host->now_us, domain->seen_us) / US_PER_S;

    doctor_say(&finding->value, "for %" PRIu64 " s", since_s);
    return host->tenancy->is_enforced && domain->plan.merge_reason == REASON_UNDECIDED &&
           since_s > UNDECIDED_S;
}

bool
doctor_find_no_headroom(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    doctor_say(&finding->value, "%" PRIu64 " of %" PRIu64 " MiB",
               host->tenancy->headroom_bytes / MIB,
               ledger_coarse_need(host->tenancy->need_bytes, host->grain_bytes) / MIB);
    return host->tenancy->is_enforced && domain->plan.merge_reason == REASON_NO_HEADROOM;
}

bool
doctor_find_not_enforced(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "rule %s", tenancy_rule_words[host->tenancy->rule]);
    return !host->tenancy->is_enforced && host->tenancy->rule != TENANCY_AUTO &&
           host->tenancy->rule != TENANCY_ALL;
}

bool
doctor_find_taint(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)domain;
    doctor_say(&finding->value, "rule %s", tenancy_rule_words[host->tenancy->rule]);
    return host->tenancy->is_enforced && host->tenancy->rule != TENANCY_ALL;
}

bool
doctor_find_nodes_pending(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    Reason reason = host->tenancy->nodes_reason;

    (void)domain;
    doctor_say(&finding->value, "%" PRIu64 ", wanted %s: %s", host->sample->ksm.merge_across_nodes,
               merge_nodes_words[host->nodes], reason_text(reason));
    return reason != REASON_NONE && reason != REASON_NODES;
}
