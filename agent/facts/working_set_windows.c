/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* working_set_windows.c - for how long to watch, when only one window can be watched at a time */
#include "agent/facts/working_set_windows.h"

/* Each bound beyond the age of the working set is watched so many times less often: more often, and
 * rules would be without a working set of now for longer; less often, and what is cold would be
 * known of another day. */
#define SELDOM 8
/* For the first time it is watched sooner, so that the histogram is whole within hours. */
#define FIRST 4

void
working_set_windows_init(WorkingSetWindows *windows, const WorkingSetEdges *edges, uint64_t age_us)
{
    *windows = (WorkingSetWindows){ .edges = *edges, .next = edges->n };
    while (windows->base + 1 < edges->n && edges->age_us[windows->base] < age_us)
        windows->base++;
}

void
working_set_windows_begin(WorkingSetWindows *windows)
{
    uint64_t seldom = SELDOM;
    uint64_t first = FIRST;

    windows->count++;
    windows->next = 0;
    windows->last = windows->base;
    for (uint32_t i = windows->base + 1; i < windows->edges.n; i++) {
        if (windows->count % seldom == 0 || windows->count == first)
            windows->last = i;
        seldom *= SELDOM;
        first *= FIRST;
    }
}

uint64_t
working_set_windows_next(WorkingSetWindows *windows, uint64_t above_us)
{
    while (windows->next < windows->edges.n && windows->next <= windows->last &&
           windows->edges.age_us[windows->next] <= above_us)
        windows->next++;
    if (windows->next >= windows->edges.n || windows->next > windows->last)
        return 0;
    return windows->edges.age_us[windows->next++];
}

bool
working_set_windows_is_base(const WorkingSetWindows *windows)
{
    return windows->next == windows->base + 1;
}
