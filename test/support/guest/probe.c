/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.c - what a curious guest learns: how long it takes to write to a page
 *
 * A page that is merged has to be copied before it can be written. That takes longer than the
 * write, whatever else the machine does, so the median over many pages tells.
 */
#include "test/support/guest/probe.h"

#include "test/support/guest/machine.h"
#include "test/support/guest/parameter.h"

enum {
    STEPS = 8, /* per doubling: the median is right to an eighth */
    DOUBLINGS = 32,
};

static uint32_t counts[DOUBLINGS * STEPS];

/* The same value is written: it is the write that counts. Reading first has the emulated machine
 * know the page. */
static uint32_t
time_write(uint32_t page)
{
    volatile uint32_t *word = (volatile uint32_t *)(page * PAGE_BYTES);
    uint32_t value = *word;
    uint64_t begun = machine_cycles();

    *word = value;
    return (uint32_t)(machine_cycles() - begun);
}

/* Doublings, and eighths of the next. */
static uint32_t
bin_of(uint32_t cycles)
{
    uint32_t doublings = 31 - (uint32_t)__builtin_clz(cycles | STEPS);

    return doublings * STEPS + ((cycles >> (doublings - 3)) & (STEPS - 1));
}

static uint32_t
least_of(uint32_t bin)
{
    uint32_t doublings = bin / STEPS;

    return (STEPS + bin % STEPS) << (doublings - 3);
}

static uint32_t
find_median(const struct Region *region)
{
    uint32_t below = 0;
    uint32_t bin = 0;

    for (uint32_t i = 0; i < DOUBLINGS * STEPS; i++)
        counts[i] = 0;
    for (uint32_t i = 0; i < region->pages; i++)
        counts[bin_of(time_write(region->first_page + i))]++;
    while (bin < DOUBLINGS * STEPS - 1 && below + counts[bin] <= region->pages / 2)
        below += counts[bin++];
    return least_of(bin);
}

void
probe_plan(struct Probe *probe, const char *line)
{
    probe->period_ticks = parameter(line, "probe", 0) * TICKS_PER_10_SECONDS / 10;
    probe->due_ticks = machine_ticks() + probe->period_ticks;
}

void
probe_step(struct Probe *probe, const struct Region *common, const struct Region *unique)
{
    uint32_t unique_cycles;
    uint32_t common_cycles;

    if (probe->period_ticks == 0 || machine_ticks() < probe->due_ticks)
        return;
    unique_cycles = find_median(unique);
    common_cycles = find_median(common);
    console_print("PROBE ");
    console_print_number(common_cycles);
    console_print(" ");
    console_print_number(unique_cycles);
    console_print("\n");
    probe->due_ticks = machine_ticks() + probe->period_ticks;
}
