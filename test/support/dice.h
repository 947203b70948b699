/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dice.h - chance for tests, that can be had again
 *
 * Each run has another seed and prints it; with VIRTKSM_SEED in the environment a run is repeated.
 */
#ifndef TEST_SUPPORT_DICE_H
#define TEST_SUPPORT_DICE_H

#include <stdint.h>

typedef struct {
    uint64_t seed;  /* as printed */
    uint64_t state; /* of the generator */
} Dice;

/** dice_new() - take VIRTKSM_SEED or the clock for a seed, and print it */
Dice dice_new(void);

/** dice_roll() - any number of 64 bits */
uint64_t dice_roll(Dice *dice);

/** dice_below() - a number from 0 to @limit - 1; @limit is at least 1 */
uint64_t dice_below(Dice *dice, uint64_t limit);

/**
 * dice_hostile() - a number that somebody chose to do harm
 * @dice: rolled a few times
 *
 * Return: small, the end of a common type, a power of two and its neighbours, or anything.
 */
uint64_t dice_hostile(Dice *dice);

#endif
