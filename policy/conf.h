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

/* What becomes of the kernel's use_zero_pages. */
typedef enum {
    ZERO_PAGES_AS_FOUND, /* left alone */
    ZERO_PAGES_ON,       /* pages of zeros use the kernel's zero page */
    ZERO_PAGES_OFF,      /* pages of zeros merge with each other, as all pages do */
    ZERO_PAGES_COUNT,
} ZeroPages;

typedef struct {
    unsigned mode;           /* KsmMode */
    unsigned use_zero_pages; /* ZeroPages; modes auto and fixed */

    /* auto */
    uint64_t cpu_burst_bp;    /* of one CPU, over any minute while debt is open; 0: by CPUs */
    uint64_t cpu_idle_bp;     /* of one CPU, while covered */
    uint64_t cpu_pressure_bp; /* time in which tasks wait for a CPU, from which ksmd gives way */
    uint64_t memory_low_bp;   /* share of memory available below which merging does not wait */
    uint64_t batch_pages;     /* pages per batch while bursting */
    uint64_t settle_ms;       /* how long to watch after coverage is complete */
    uint64_t churn_s;         /* time within which changed memory is found */
    uint64_t growth_kib;      /* growth of a resident set that counts as new memory */
    uint64_t cpu_price;       /* MiB times seconds of waiting that a second of ksmd is worth */
    uint64_t yield_floor;     /* MiB gained per second of ksmd below which it rests */

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

/* Words for ZeroPages, in its order, NULL-terminated. */
extern const char *const zero_pages_words[];

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
