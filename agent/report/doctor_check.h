/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor_check.h - the tables of checks, and what checks share; for doctor*.c and their test
 */
#ifndef AGENT_REPORT_DOCTOR_CHECK_H
#define AGENT_REPORT_DOCTOR_CHECK_H

#include "agent/report/doctor.h"

/* What a finding of a check says unless the check says otherwise. */
typedef struct {
    const char *id;          /* kebab-case; described in packaging/guide/findings.md */
    DoctorSeverity severity; /* usual */
    const char *source;      /* usual file or XML element; NULL: the check says */
    const char *meaning;     /* usual sentence; NULL: the check says */
    const char *advice;      /* what to do */
} DoctorText;

/* @domain: NULL in checks of the host. @finding: has the texts of its row; a check that returns
 * true may have replaced them, and has set the value if there is one. */
typedef bool (*DoctorFind)(const DoctorHost *host, const Domain *domain, Finding *finding);

typedef struct {
    DoctorText text;
    DoctorFind find; /* returns whether there is something to tell */
} DoctorCheck;

/** doctor_host_checks() - doctor_host.c; @ret_n: number of rows; static */
const DoctorCheck *doctor_host_checks(size_t *ret_n);

/** doctor_domain_checks() - doctor_domain.c; @ret_n: number of rows; static */
const DoctorCheck *doctor_domain_checks(size_t *ret_n);

/** doctor_say() - replace a text that a finding owns, as printf() */
void doctor_say(char **text, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
