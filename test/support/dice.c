/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dice.c - chance for tests: splitmix64, whose whole state is one number */
#define _GNU_SOURCE
#include "test/support/dice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

Dice
dice_new(void)
{
    const char *given = getenv("VIRTKSM_SEED");
    struct timespec now;
    uint64_t seed;

    clock_gettime(CLOCK_REALTIME, &now);
    seed =
        given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec * 1000003 ^ (uint64_t)now.tv_nsec;
    printf("VIRTKSM_SEED=%" PRIu64 "\n", seed);
    return (Dice){ seed, seed };
}

uint64_t
dice_roll(Dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t
dice_below(Dice *dice, uint64_t limit)
{
    return dice_roll(dice) % limit;
}

uint64_t
dice_hostile(Dice *dice)
{
    uint64_t power = UINT64_C(1) << dice_below(dice, 64);

    switch (dice_below(dice, 8)) {
    case 0:
        return 0;
    case 1:
        return dice_below(dice, 100000);
    case 2:
        return UINT64_MAX - dice_below(dice, 3);
    case 3:
        return (uint64_t)INT64_MAX + dice_below(dice, 3);
    case 4:
        return UINT32_MAX - 1 + dice_below(dice, 3);
    case 5:
        return power;
    case 6:
        return power - 1 + 2 * dice_below(dice, 2);
    default:
        return dice_roll(dice);
    }
}
