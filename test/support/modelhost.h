/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modelhost.h - a host small enough for a unit test: domains, ksmd, and policy in charge of it
 *
 * ksmd goes over all mergeable pages in batches, as its settings say, and pays for each page. A
 * page is merged at the end of the second whole pass that has seen it. Everything is exact and
 * repeatable: there is no chance in it, and no clock but its own.
 */
#ifndef TEST_SUPPORT_MODELHOST_H
#define TEST_SUPPORT_MODELHOST_H

#include "policy/policy.h"

#define MODEL_DOMAINS_MAX 16
#define MODEL_PAGE_BYTES  4096
#define MODEL_US_PER_S    UINT64_C(1000000)
/* Phases that a run remembers. */
#define MODEL_PHASES_MAX 256

/* What a domain is like. */
typedef struct {
    uint64_t pages;        /* resident in the end */
    uint64_t pages_per_s;  /* how fast it fills; 0: at once */
    uint32_t mergeable_bp; /* share of them that KSM may look at */
    uint32_t equal_bp;     /* share of those that are equal to pages elsewhere */
} ModelDomain;

/* What the kernel of the host has. */
typedef struct {
    bool no_pages_scanned; /* before Linux 6.4 */
    bool no_ksmd_cpu;      /* ksmd was not found */
    bool no_full_scans;    /* cannot be read just now */
    bool no_zero_pages;    /* before Linux 6.6 */
} ModelGaps;

typedef struct ModelHost ModelHost;

/* A change of phase. */
typedef struct {
    uint64_t at_us; /* since the beginning */
    KsmPhase phase; /* from now on */
    Reason reason;  /* first reason given for it */
    uint64_t scans; /* full_scans at that moment */
} ModelPhase;

/**
 * modelhost_new() - a host without domains; policy has decided nothing yet
 * @conf: copied; NULL: the defaults
 *
 * Return: for modelhost_free().
 */
ModelHost *modelhost_new(const PolicyConf *conf);

/** modelhost_free() - the counterpart of modelhost_new() */
void modelhost_free(ModelHost *host);

/** modelhost_conf() - settings, to be changed at will */
PolicyConf *modelhost_conf(ModelHost *host);

/** modelhost_gaps() - what cannot be read, to be changed at will */
ModelGaps *modelhost_gaps(ModelHost *host);

/** modelhost_initial() - settings of KSM found before the first write, to be changed at will */
KsmKnobs *modelhost_initial(ModelHost *host);

/**
 * modelhost_start() - a domain starts, and policy decides at once
 * @domain: copied
 *
 * Return: its key.
 */
uint64_t modelhost_start(ModelHost *host, const ModelDomain *domain);

/** modelhost_grow() - a domain's memory grows to @pages from now on; nobody says so */
void modelhost_grow(ModelHost *host, uint64_t key, uint64_t pages);

/** modelhost_stop() - a domain ends, and policy decides at once */
void modelhost_stop(ModelHost *host, uint64_t key);

/** modelhost_run() - let time pass; policy decides whenever it wanted to */
void modelhost_run(ModelHost *host, uint64_t duration_us);

/** modelhost_plan() - the last decision, borrowed */
const KsmPlan *modelhost_plan(const ModelHost *host);

/** modelhost_domain_plan() - the last decision on a domain, borrowed */
const DomainPlan *modelhost_domain_plan(const ModelHost *host, uint64_t key);

/** modelhost_now_us() - time since the beginning */
uint64_t modelhost_now_us(const ModelHost *host);

/** modelhost_cpu_us() - CPU time that ksmd has used */
uint64_t modelhost_cpu_us(const ModelHost *host);

/** modelhost_saved_pages() - pages_sharing */
uint64_t modelhost_saved_pages(const ModelHost *host);

/** modelhost_full_scans() - whole passes */
uint64_t modelhost_full_scans(const ModelHost *host);

/** modelhost_worst_minute_us() - most CPU time that ksmd has used in any 60 seconds */
uint64_t modelhost_worst_minute_us(const ModelHost *host);

/**
 * modelhost_phases() - how the phase went
 * @ret_n: number of changes, at most MODEL_PHASES_MAX
 *
 * Return: borrowed.
 */
const ModelPhase *modelhost_phases(const ModelHost *host, size_t *ret_n);

#endif
