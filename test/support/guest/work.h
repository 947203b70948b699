/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * work.h - a program that is busy now and then, and needs much memory when it is
 */
#pragma once

#include "test/support/guest/mood.h"
#include "test/support/guest/pace.h"
#include "test/support/guest/stock.h"

#include <stdint.h>

struct Work {
    uint32_t busy_pages;   /* what it needs while it is busy; 0: there is no such program */
    uint32_t calm_pages;   /* and otherwise */
    uint32_t period_ticks; /* from one busy time to the next */
    uint32_t busy_ticks;   /* how long it is busy */
    uint32_t shift_ticks;  /* by how much its periods began before the guest */
    uint32_t seed;         /* of what it writes */
    uint32_t dice;         /* which page is next; never 0 */
    uint32_t units;        /* pages written since the start */
    uint32_t failures;     /* busy times, or moods, in which there was no memory for it */
    uint32_t told_ticks;   /* when the console was told */
    uint32_t failed_turn;  /* number, from 1 on, of the busy time or mood that failed last */
    struct Mood mood;      /* instead of busy times, where it has dice */
    struct Pace grow;      /* how fast it takes memory */
    struct Pace write;     /* how fast it works */
};

/**
 * work_plan() - what the command line asks for
 * @work: overwritten
 * @line: command line
 * @seed: of the guest
 */
void work_plan(struct Work *work, const char *line, uint32_t seed);

/**
 * work_step() - take or free memory, and work on it, as far as time has gone
 * @work:  from work_plan()
 * @stock: one that mixes
 *
 * About once a second a line WORK UNITS FAILURES is printed.
 */
void work_step(struct Work *work, struct Stock *stock);
