/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor_process.c - whether the QEMU process of a domain can be looked at */
#include "agent/report/doctor_process.h"

#include "policy/arith.h"

bool
doctor_find_no_process(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    (void)finding;
    return !domain->has_process;
}

/* Whether reading ksm_stat ended so. */
static bool
is_access(const Domain *domain, ProcfileResult access, const char *value, Finding *finding)
{
    if (!domain->has_process || domain->sample.ksm_access != access)
        return false;
    doctor_say(&finding->source, "/proc/%ld/ksm_stat", (long)domain->process.pid);
    doctor_say(&finding->value, "%s", value);
    return true;
}

bool
doctor_find_refused(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    return is_access(domain, PROCFILE_REFUSED, "not permitted", finding);
}

bool
doctor_find_busy(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)host;
    return domain->is_busy && is_access(domain, PROCFILE_BUSY, "held up", finding);
}

/* Counted in one of the two files, if this kernel counts them. */
bool
doctor_find_uncounted(const DoctorHost *host, const Domain *domain, Finding *finding)
{
    (void)finding;
    return host->sample->has_ksm && domain->has_process &&
           domain->sample.ksm_access == PROCFILE_ABSENT && !is_known(domain->sample.merging_pages);
}
