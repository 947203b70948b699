/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* patient.h - a host and a domain for the doctor to examine */
#ifndef TEST_SUPPORT_PATIENT_H
#define TEST_SUPPORT_PATIENT_H

#include "agent/report/doctor.h"

#define US_PER_S UINT64_C(1000000)
#define GIB      (UINT64_C(1) << 30)
#define NOW_S    UINT64_C(1700000000)

/* What DoctorHost points to, and a domain. */
typedef struct {
    HostSample sample;
    HostSetup setup;
    KsmForeign foreign;
    DoctorHost host;
    TenancyPlan tenancy;
    Domain domain;
} Patient;

/** patient_init() - a host and a domain at which nothing is the matter */
void patient_init(Patient *patient);

#endif
