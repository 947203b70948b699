/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loads.h - a program that does nothing but load from memory, and says how long that takes
 */
#pragma once

#include "test/support/guest/content.h"

#include <stdint.h>

struct Loads {
    uint32_t pages;       /* it loads from; 0: there is no such program */
    uint32_t page;        /* the next load is from */
    uint32_t blocks;      /* done since the start, each of LOADS_PER_BLOCK */
    uint64_t took_cycles; /* time of all of them */
    uint64_t worst;       /* and of the longest since the console was told, cycles */
    uint32_t told_ticks;  /* when it was told */
};

enum { LOADS_PER_BLOCK = 1024 };

/**
 * loads_plan() - make a cycle through all pages of a region, at random
 * @loads:  overwritten
 * @region: its pages are written to; none: there is no such program
 * @seed:   of the order
 */
void loads_plan(struct Loads *loads, const struct Region *region, uint32_t seed);

/**
 * loads_step() - load until the timer ticks
 * @loads: of a program that there is
 *
 * About once a second a line LOADS BLOCKS TOOK WORST is printed; times are in units of 1,024 cycles
 * of the processor's time stamp counter.
 */
void loads_step(struct Loads *loads);
