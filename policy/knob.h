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
    KNOB_UINT,    /* uint64_t field, a decimal number within [min, max] */
    KNOB_PERCENT, /* uint64_t field in basis points, percent with up to two decimals in the file */
    KNOB_BOOL,    /* bool field, true or false */
    KNOB_ENUM,    /* unsigned int field, index into words */
    KNOB_TEXT,    /* char * field, owned by whoever owns the settings struct */
    KNOB_KIND_COUNT,
} KnobKind;

typedef struct {
    const char *section;      /* "ksm" */
    const char *key;          /* "cpu_burst" */
    KnobKind kind;            /* how to read it */
    const char *unit;         /* "percent of one CPU"; "" where there is none */
    uint64_t min;             /* lowest value taken, in the unit of the field */
    uint64_t max;             /* highest value taken, likewise; KNOB_TEXT: longest, in bytes */
    const char *fallback;     /* default, written as in the file */
    const char *help;         /* one or two sentences for the manual page */
    const char *const *words; /* KNOB_ENUM: NULL-terminated; else NULL */
    size_t offset;            /* of the field in its settings struct */
} Knob;

/**
 * knob_number() - read the value of a KNOB_UINT or KNOB_PERCENT
 * @knob:      its row
 * @text:      decimal number; for KNOB_PERCENT with up to two decimals: "0.3" is 30
 * @ret_value: in the unit of the field; written only on success
 *
 * Return: whether it is a number within the row's range.
 */
bool knob_number(const Knob *knob, const char *text, uint64_t *ret_value);

#endif
