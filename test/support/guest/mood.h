/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mood.h - what a program does next, at random
 */
#pragma once

#include "test/support/guest/pace.h"

#include <stdint.h>

struct Mood {
    uint32_t dice;         /* 0: the program has no moods */
    uint32_t number;       /* of the mood, from 1 on; 0: none yet */
    uint32_t since_ticks;  /* when it began */
    uint32_t length_ticks; /* how long it lasts */
    uint32_t wanted_pages; /* what the program needs in it */
    uint32_t grow_rate;    /* as on the command line */
    uint32_t write_rate;   /* likewise */
};

/**
 * mood_step() - go on to the next mood when it is time
 * @mood:        dice and rates are set; the rest is 0 at first
 * @calm_pages:  the least that a program needs
 * @busy_pages:  the most, no less than that
 * @grow, @write: their rates are set by every mood
 */
void mood_step(struct Mood *mood, uint32_t calm_pages, uint32_t busy_pages, struct Pace *grow,
               struct Pace *write);

/**
 * dice_roll() - Marsaglia's xorshift
 * @dice: state; never 0
 *
 * Return: any number but 0.
 */
uint32_t dice_roll(uint32_t *dice);
