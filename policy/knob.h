/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * knob.h - one row per setting: how it is called, measured, bounded and explained
 *
 * The same rows validate the configuration file, print its documentation and say what was
 * expected when a value is refused. A knob exists nowhere but in its row and in its field.
 */
#ifndef POLICY_KNOB_H
#define POLICY_KNOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    KNOB_UINT, /* uint64_t field, a decimal number within [min, max] */
    KNOB_BOOL, /* bool field, true or false */
    KNOB_ENUM, /* unsigned int field, index into words */
    KNOB_TEXT, /* char * field, owned by whoever owns the settings struct */
    KNOB_KIND_COUNT,
} KnobKind;

typedef struct {
    const char *section;      /* "ksm" */
    const char *key;          /* "cpu_burst" */
    KnobKind kind;            /* how to read it */
    const char *unit;         /* "percent of one CPU"; "" where there is none */
    uint64_t min;             /* KNOB_UINT: lowest value taken */
    uint64_t max;             /* KNOB_UINT: highest value taken; KNOB_TEXT: longest, in bytes */
    const char *fallback;     /* default, written as in the file */
    const char *help;         /* one or two sentences for the manual page */
    const char *const *words; /* KNOB_ENUM: NULL-terminated; else NULL */
    size_t offset;            /* of the field in its settings struct */
} Knob;

#endif
