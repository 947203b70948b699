/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor_process.h - checks of the QEMU process, for the table of doctor_domain.c */
#ifndef AGENT_REPORT_DOCTOR_PROCESS_H
#define AGENT_REPORT_DOCTOR_PROCESS_H

#include "agent/report/doctor_check.h"

/** doctor_find_no_process() - its process was not found; a DoctorFind */
bool doctor_find_no_process(const DoctorHost *host, const Domain *domain, Finding *finding);

/** doctor_find_refused() - what KSM says of it may not be read; a DoctorFind */
bool doctor_find_refused(const DoctorHost *host, const Domain *domain, Finding *finding);

/** doctor_find_busy() - what KSM says of it could not be read for long; a DoctorFind */
bool doctor_find_busy(const DoctorHost *host, const Domain *domain, Finding *finding);

/** doctor_find_uncounted() - the kernel says nothing of it; a DoctorFind */
bool doctor_find_uncounted(const DoctorHost *host, const Domain *domain, Finding *finding);

#endif
