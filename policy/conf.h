/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conf.h - settings of the policy library and the rows that describe them
 */
#ifndef POLICY_CONF_H
#define POLICY_CONF_H

#include "policy/knob.h"

typedef enum {
    KSM_MODE_AUTO,    /* closed loop */
    KSM_MODE_CLASSIC, /* timed ladder of the original throttler */
    KSM_MODE_FIXED,   /* configured settings */
    KSM_MODE_OBSERVE, /* decide as auto, write nothing */
    KSM_MODE_OFF,     /* settings as found */
    KSM_MODE_COUNT,
} KsmMode;

typedef struct {
    unsigned mode; /* KsmMode */

    /* auto */
    uint64_t cpu_burst;   /* percent of one CPU over a minute while debt is open; 0: by CPUs */
    uint64_t cpu_idle_bp; /* basis points of one CPU while covered */
    uint64_t batch_pages; /* pages per batch while bursting */
    uint64_t settle_ms;   /* how long to watch after coverage is complete */
    uint64_t churn_s;     /* time within which changed memory is found */
    uint64_t growth_kib;  /* growth of a resident set that counts as new memory */
    uint64_t cpu_price;   /* MiB times seconds of waiting that a second of ksmd is worth */

    /* classic */
    uint64_t aggressive_s;       /* length of the stage, seconds */
    uint64_t standard_s;         /* length of the stage, seconds */
    uint64_t slow_s;             /* length of the stage, seconds */
    uint64_t aggressive_divisor; /* anonymous pages divided by this are scanned per batch */
    uint64_t standard_divisor;   /* the same for the second stage */
    uint64_t slow_divisor;       /* the same for the third stage */
    uint64_t aggressive_ms;      /* pause between batches */
    uint64_t standard_ms;        /* the same for the second stage */
    uint64_t slow_ms;            /* the same for the third stage */

    /* fixed */
    uint64_t fixed_pages;    /* pages per batch */
    uint64_t fixed_sleep_ms; /* pause between batches */
} PolicyConf;

/* Words for KsmMode, in its order, NULL-terminated. */
extern const char *const ksm_mode_words[];

/**
 * policy_knobs() - the rows that describe PolicyConf
 * @ret_n: number of rows
 *
 * Return: static table; Knob.offset is within PolicyConf.
 */
const Knob *policy_knobs(size_t *ret_n);

/**
 * policy_conf_default() - settings of an empty configuration file
 * @conf: filled
 *
 * Reads the same rows that the configuration file is checked against.
 */
void policy_conf_default(PolicyConf *conf);

#endif
