/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.h - what a curious guest learns: how long it takes to write to a page
 */
#pragma once

#include "test/support/guest/content.h"

#include <stdbool.h>
#include <stdint.h>

struct Probe {
    uint32_t period_ticks; /* from one to the next; 0: it is not curious */
    uint32_t due_ticks;    /* when the next is due */
};

/**
 * probe_plan() - what the command line asks for: probe=SECONDS
 * @probe: overwritten
 * @line:  command line
 */
void probe_plan(struct Probe *probe, const char *line);

/**
 * probe_step() - write to every page of both regions, if it is time for that
 * @probe:  from probe_plan()
 * @common: content that others may have, too
 * @unique: content that nobody else has
 *
 * No content changes. A line PROBE COMMON UNIQUE is printed, with the median of each in cycles.
 */
void probe_step(struct Probe *probe, const struct Region *common, const struct Region *unique);
