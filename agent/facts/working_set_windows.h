/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * working_set_windows.h - for how long to watch, when only one window can be watched at a time
 *
 * Pure. A measurement is a series of windows, as long as the bounds of the bins, shortest first.
 * All of them take more than an hour, and the short ones are wanted more often: so every
 * measurement has those up to the age of the working set, every eighth has the next bound too,
 * every 64th the one after it, and so on; the fourth and the sixteenth do so for the first time.
 * While a long window lasts, the working set is not seen anew: with the usual bounds and intervals,
 * what is known of it is older than policy takes for a fifth of the time where windows begin
 * together (referenced), and a quarter where they follow each other (lru_gen).
 */
#ifndef AGENT_FACTS_WORKING_SET_WINDOWS_H
#define AGENT_FACTS_WORKING_SET_WINDOWS_H

#include "agent/facts/working_set_histogram.h"

typedef struct {
    WorkingSetEdges edges; /* bounds of the bins */
    uint32_t base;         /* index of the bound up to which every measurement goes */
    uint32_t count;        /* measurements begun */
    uint32_t next;         /* index of the next window */
    uint32_t last;         /* index of the last one of this measurement */
} WorkingSetWindows;

/** working_set_windows_init() - no measurement begun; @age_us: that of the working set */
void working_set_windows_init(WorkingSetWindows *windows, const WorkingSetEdges *edges,
                              uint64_t age_us);

/** working_set_windows_begin() - the next measurement */
void working_set_windows_begin(WorkingSetWindows *windows);

/**
 * working_set_windows_next() - its next window
 * @above_us: windows that are no longer are left out; 0: none is
 *
 * Return: length in microseconds; 0: it is complete, or none has begun.
 */
uint64_t working_set_windows_next(WorkingSetWindows *windows, uint64_t above_us);

/** working_set_windows_is_base() - whether the window given last is that of the working set's age
 */
bool working_set_windows_is_base(const WorkingSetWindows *windows);

#endif
