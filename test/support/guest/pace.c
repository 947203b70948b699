/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pace.c - something that goes on for ever, so many pages a second
 */
#include "test/support/guest/pace.h"

#include "test/support/guest/machine.h"
#include "test/support/guest/parameter.h"

void
pace_set(struct Pace *pace, const char *line, const char *name, uint32_t fallback)
{
    pace->rate = parameter(line, name, fallback);
    pace->ticks = machine_ticks();
}

uint32_t
pace_due(struct Pace *pace)
{
    uint32_t ticks = machine_ticks() - pace->ticks;
    uint32_t pages;

    pace->ticks += ticks;
    pace->credit += ticks * pace->rate * 10;
    pages = pace->credit / TICKS_PER_10_SECONDS;
    pace->credit %= TICKS_PER_10_SECONDS;
    return pages;
}
