/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.h - what keeps memory from being merged or reclaimed, on the host and in each domain
 *
 *    facts, agent  ->  DoctorHost, Domain  ->  a row of checks each  ->  findings
 *
 * A check is one row of a table and one small function of facts; it reads nothing itself. All
 * findings, by id, are described in packaging/guide/findings.md.
 */
#ifndef AGENT_REPORT_DOCTOR_H
#define AGENT_REPORT_DOCTOR_H

#include "agent/actuator/ksm.h"
#include "agent/domain.h"
#include "agent/facts/setup.h"
#include "policy/conf.h"
#include "policy/plan.h"

#include <glib.h>

typedef enum {
    DOCTOR_INFO,    /* so by choice or by nature, and worth knowing */
    DOCTOR_WARNING, /* something is lost by it */
    DOCTOR_ERROR,   /* the agent cannot do its work */
    DOCTOR_SEVERITY_COUNT,
} DoctorSeverity;

/* One thing that is worth telling. */
typedef struct {
    const char *id;          /* static; never changes its meaning: "nosharepages" */
    DoctorSeverity severity; /* how bad it is here */
    const Domain *domain;    /* borrowed; whose it is; NULL: the host's */
    char *meaning;           /* owned; a sentence */
    char *source;            /* owned; file or XML element that shows it */
    char *value;             /* owned; what it holds; NULL: there is no such thing */
    const char *advice;      /* static; what to do */
} Finding;

/* All that is known of the host; texts and pointers are borrowed. */
typedef struct {
    const HostSample *sample;   /* of the last decision */
    const HostSetup *setup;     /* read for this examination */
    KsmActuatorState actuator;  /* what keeps the agent from writing */
    const char *actuator_text;  /* that in a sentence */
    const KsmForeign *foreign;  /* last sign of another writer */
    KsmMode mode;               /* in force */
    bool mode_is_clients;       /* set by a client, not configured */
    Reason reason;              /* of the last decision */
    bool libvirt_wanted;        /* it is configured */
    bool libvirt_open;          /* it is connected */
    const char *libvirt_uri;    /* configured */
    const char *libvirt_detail; /* why it is not connected; NULL: not told */
    bool hook_wanted;           /* the source is configured */
    bool hook_open;             /* it listens */
    const char *hook_detail;    /* what is wrong with it; NULL: nothing */
    uint64_t hook_events;       /* told by the hook since the agent started */
    Enable balloon_enable;      /* [balloon] enable */
    Enable high_enable;         /* [memory_high] enable */
    const TenancyPlan *tenancy; /* of the last decision */
    MergeNodes nodes;           /* [ksm] merge_across_nodes */
    uint64_t grain_bytes;       /* figures of domains are no finer; 0: they are exact */
    bool measures;              /* working sets are measured */
    size_t balloons;            /* domains with a balloon that had time to boot */
    size_t telling;             /* of those, whose guest tells of its memory */
    uint64_t now_us;            /* CLOCK_MONOTONIC */
    uint64_t now_s;             /* wall clock, since 1970 */
} DoctorHost;

/** doctor_severity_name() - "info", "warning", "error" */
const char *doctor_severity_name(DoctorSeverity severity);

/**
 * doctor_findings_new() - an empty list
 *
 * Return: array of Finding, owned by the caller, that frees what its elements own.
 */
GArray *doctor_findings_new(void);

/**
 * doctor_count_domain() - what checks of the host have to know of a domain
 * @host: its counts grow; its clocks are set
 */
void doctor_count_domain(DoctorHost *host, const Domain *domain);

/**
 * doctor_examine_host() - check the host
 * @host:     what is known; every domain has been counted
 * @findings: from doctor_findings_new(); appended to, in the order of the table
 *
 * Return: how many checks were made.
 */
size_t doctor_examine_host(const DoctorHost *host, GArray *findings);

/**
 * doctor_examine_domain() - check a domain
 * @host:     what is known
 * @domain:   borrowed by @findings
 * @findings: as for doctor_examine_host()
 *
 * Return: how many checks were made.
 */
size_t doctor_examine_domain(const DoctorHost *host, const Domain *domain, GArray *findings);

#endif
