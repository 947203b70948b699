/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor_tenancy.h - checks of tenancy, for the tables of doctor_host.c and doctor_domain.c */
#ifndef AGENT_REPORT_DOCTOR_TENANCY_H
#define AGENT_REPORT_DOCTOR_TENANCY_H

#include "agent/report/doctor_check.h"

/** doctor_find_not_enforced() - the rule is only reported; a DoctorFind */
bool doctor_find_not_enforced(const DoctorHost *host, const Domain *domain, Finding *finding);

/** doctor_find_taint() - domains are switched on QEMU's monitor; a DoctorFind */
bool doctor_find_taint(const DoctorHost *host, const Domain *domain, Finding *finding);

/** doctor_find_nodes_pending() - merge_across_nodes is not as configured; a DoctorFind */
bool doctor_find_nodes_pending(const DoctorHost *host, const Domain *domain, Finding *finding);

/** doctor_find_stuck() - a domain cannot be switched off; a DoctorFind */
bool doctor_find_stuck(const DoctorHost *host, const Domain *domain, Finding *finding);

/** doctor_find_undecided() - it is not known whom a domain may merge with; a DoctorFind */
bool doctor_find_undecided(const DoctorHost *host, const Domain *domain, Finding *finding);

/** doctor_find_no_headroom() - there is no memory for a domain's copies; a DoctorFind */
bool doctor_find_no_headroom(const DoctorHost *host, const Domain *domain, Finding *finding);

#endif
