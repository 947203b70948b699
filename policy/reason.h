/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reason.h - why a decision was taken, in words that log, metrics and explain share
 */
#ifndef POLICY_REASON_H
#define POLICY_REASON_H

typedef enum {
    REASON_NONE,              /* no decision yet */
    REASON_NO_KSM,            /* the kernel has no KSM */
    REASON_MODE_OFF,          /* mode off: settings as found */
    REASON_MODE_FIXED,        /* mode fixed: configured settings */
    REASON_TRIGGER,           /* an event asked for scanning; facts follow */
    REASON_DEBT,              /* memory that two passes have not covered yet */
    REASON_GATHERING,         /* debt is open, too little waits to be worth a pass yet */
    REASON_CPU_BUDGET,        /* debt is open, ksmd has used its CPU budget of the last minute */
    REASON_CPU_PRESSURE,      /* debt is open, others wait for the CPUs: a pass has to bring more */
    REASON_LATENCY,           /* debt is open, a latency-critical domain waits for a CPU */
    REASON_MEMORY_LOW,        /* debt is open and memory is short: as fast as the budget allows */
    REASON_SETTLING,          /* covered; watching whether anything still moves */
    REASON_CHURN_WATCH,       /* covered and paying: look for changes slowly */
    REASON_NO_DOMAIN,         /* nothing runs that could be merged */
    REASON_NOTHING_MERGEABLE, /* domains run, none of their memory may be merged */
    REASON_WEIGHT_ZERO,       /* the domain's weight says that it does not count */
    REASON_NO_PROFIT,         /* merging brings less than its records cost */
    REASON_LOW_YIELD,         /* the last work brought less than yield_floor */
    REASON_PROBE,             /* covered; two passes look for what has changed */
    REASON_CLEANUP,           /* a domain went away: let ksmd drop its records */
    REASON_LADDER_TRIGGER,    /* classic: triggered within the first interval */
    REASON_LADDER_STANDARD,   /* classic: no trigger since the first interval */
    REASON_LADDER_SLOW,       /* classic: no trigger since the second interval */
    REASON_LADDER_INITIAL,    /* classic: no trigger since the third interval */
    REASON_FACT_MISSING,      /* a figure the rule needs could not be read: leave as is */
    REASON_COUNT,
} Reason;

/**
 * reason_name() - short word for programs: "debt"
 * @reason: any value; out of range gives "unknown"
 *
 * Return: static text.
 */
const char *reason_name(Reason reason);

/**
 * reason_text() - one sentence for people
 * @reason: any value; out of range gives the text for "unknown"
 *
 * Return: static text.
 */
const char *reason_text(Reason reason);

/**
 * reason_change() - what would lead to another decision
 * @reason: any value; out of range gives "unknown"
 *
 * Return: static text, no whole sentence: "a domain that starts".
 */
const char *reason_change(Reason reason);

/**
 * reason_bound() - the setting whose bound held
 * @reason: any value
 *
 * Return: static key of a row of policy_knobs(): "cpu_burst"; NULL: no bound did.
 */
const char *reason_bound(Reason reason);

#endif
