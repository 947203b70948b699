/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loads.c - a program that does nothing but load from memory, and says how long that takes
 *
 * Each load tells the page of the next one, so they cannot overlap, and the order is random, so
 * neither cache nor translation helps. The first word of each page is the number of the page that
 * follows.
 */
#include "test/support/guest/loads.h"

#include "test/support/guest/machine.h"
#include "test/support/guest/mood.h"

enum {
    TELL_TICKS = 18,
    UNIT_SHIFT = 10, /* of the times that are printed */
};

static volatile uint32_t *
next_of(uint32_t page)
{
    return (volatile uint32_t *)(page * PAGE_BYTES);
}

/* Sattolo's shuffle: what it makes of "each follows itself" is a single cycle. */
void
loads_plan(struct Loads *loads, const struct Region *region, uint32_t seed)
{
    *loads = (struct Loads){ .pages = region->pages, .page = region->first_page };
    for (uint32_t i = 0; i < region->pages; i++)
        *next_of(region->first_page + i) = region->first_page + i;
    for (uint32_t i = region->pages; i > 1; i--) {
        uint32_t last = region->first_page + i - 1;
        uint32_t other = region->first_page + dice_roll(&seed) % (i - 1);
        uint32_t page = *next_of(last);

        *next_of(last) = *next_of(other);
        *next_of(other) = page;
    }
}

static void
tell(struct Loads *loads)
{
    if (machine_ticks() - loads->told_ticks < TELL_TICKS)
        return;
    loads->told_ticks = machine_ticks();
    console_print("LOADS ");
    console_print_number(loads->blocks);
    console_print(" ");
    console_print_number((uint32_t)(loads->took_cycles >> UNIT_SHIFT));
    console_print(" ");
    console_print_number((uint32_t)(loads->worst >> UNIT_SHIFT));
    console_print("\n");
    loads->worst = 0;
}

/* The time of the blocks alone: an interrupt in between belongs to it, the console does not. */
static void
load_block(struct Loads *loads)
{
    uint64_t start = machine_cycles();
    uint64_t took;

    for (uint32_t i = 0; i < LOADS_PER_BLOCK; i++)
        loads->page = *next_of(loads->page);
    took = machine_cycles() - start;
    loads->took_cycles += took;
    if (took > loads->worst)
        loads->worst = took;
    loads->blocks++;
}

void
loads_step(struct Loads *loads)
{
    uint32_t now = machine_ticks();

    while (machine_ticks() == now)
        load_block(loads);
    tell(loads);
}
