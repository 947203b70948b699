/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dice.h - chance for tests, that can be had again
 *
 * Every run has the same chance, so that a test which passes today passes tomorrow. Others are to
 * be had with VIRTKSM_SEED in the environment: a number, or "random", which takes one from the
 * clock. What was taken is printed. test/support/seed.py is the same for tests in Python.
 */
#ifndef TEST_SUPPORT_DICE_H
#define TEST_SUPPORT_DICE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t seed;  /* as printed */
    uint64_t state; /* of the generator */
} Dice;

/**
 * dice_seed() - what chance begins with
 * @text:     of VIRTKSM_SEED; NULL: it is not set
 * @ret_seed: filled on success
 *
 * Return: false: @text is neither a decimal number below 2^64 nor "random".
 */
bool dice_seed(const char *text, uint64_t *ret_seed);

/** dice_new() - chance as VIRTKSM_SEED says, which is printed; the program ends if that is no seed
 */
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
