/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pace.h - something that goes on for ever, so many pages a second
 */
#pragma once

#include <stdint.h>

struct Pace {
    uint32_t rate;   /* pages per second */
    uint32_t cursor; /* pages written so far; its user's own */
    uint32_t credit; /* written too little so far, in 1/TICKS_PER_10_SECONDS page */
    uint32_t ticks;  /* when pages were written last */
};

/**
 * pace_set() - begin now
 * @pace:     its cursor is left alone
 * @line:     command line
 * @name:     the word on it that tells the rate
 * @fallback: rate where there is no such word
 */
void pace_set(struct Pace *pace, const char *line, const char *name, uint32_t fallback);

/**
 * pace_due() - pages to write now, so that the rate is kept
 * @pace: from pace_set()
 *
 * Return: how many; they count as written.
 */
uint32_t pace_due(struct Pace *pace);
