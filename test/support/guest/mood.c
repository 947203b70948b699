/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mood.c - what a program does next, at random
 *
 * A mood lasts from 2 to 30 seconds. In each the program needs another amount of memory, takes it
 * fast or slowly, and works much, little or not at all:
 *
 *     jump     any amount, taken at once
 *     drift    any amount, taken at a quarter of the pace
 *     leak     ever more, slowly; what leaked is freed by the mood after it
 *     rest     as much as before; nothing is written
 *     restart  next to nothing
 *
 * Source of the dice: G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (14), 2003.
 */
#include "test/support/guest/mood.h"

#include "test/support/guest/machine.h"

enum {
    SECONDS_MIN = 2,
    SECONDS_MAX = 30,
    LEAK_DIVISOR = 32,
    DRIFT_DIVISOR = 4,
};

enum Kind {
    JUMP,
    DRIFT,
    LEAK,
    REST,
    RESTART,
    KIND_COUNT,
};

uint32_t
dice_roll(uint32_t *dice)
{
    *dice ^= *dice << 13;
    *dice ^= *dice >> 17;
    *dice ^= *dice << 5;
    return *dice;
}

static void
begin(struct Mood *mood, uint32_t calm_pages, uint32_t busy_pages, struct Pace *grow,
      struct Pace *write)
{
    enum Kind kind = dice_roll(&mood->dice) % KIND_COUNT;

    grow->rate = mood->grow_rate;
    write->rate = mood->write_rate >> dice_roll(&mood->dice) % 4;
    switch (kind) {
    case DRIFT:
        grow->rate /= DRIFT_DIVISOR;
        /* fall through */
    case JUMP:
        mood->wanted_pages = calm_pages + dice_roll(&mood->dice) % (busy_pages - calm_pages + 1);
        break;
    case LEAK:
        grow->rate /= LEAK_DIVISOR;
        mood->wanted_pages = busy_pages;
        break;
    case REST:
        write->rate = 0;
        break;
    default:
        mood->wanted_pages = calm_pages;
    }
}

void
mood_step(struct Mood *mood, uint32_t calm_pages, uint32_t busy_pages, struct Pace *grow,
          struct Pace *write)
{
    uint32_t seconds;

    if (mood->number > 0 && machine_ticks() - mood->since_ticks < mood->length_ticks)
        return;
    seconds = SECONDS_MIN + dice_roll(&mood->dice) % (SECONDS_MAX - SECONDS_MIN + 1);
    mood->since_ticks = machine_ticks();
    mood->length_ticks = seconds * TICKS_PER_10_SECONDS / 10;
    mood->number++;
    begin(mood, calm_pages, busy_pages, grow, write);
}
