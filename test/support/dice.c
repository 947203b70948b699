/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dice.c - chance for tests: splitmix64, whose whole state is one number */
#define _GNU_SOURCE
#include "test/support/dice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Any would do. */
#define USUAL_SEED 20240501

static uint64_t
clock_seed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000003 ^ (uint64_t)now.tv_nsec;
}

static bool
parse_number(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (*text < '0' || *text > '9' || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

bool
dice_seed(const char *text, uint64_t *ret_seed)
{
    if (text && strcmp(text, "random") != 0)
        return parse_number(text, ret_seed);
    *ret_seed = text ? clock_seed() : USUAL_SEED;
    return true;
}

Dice
dice_new(void)
{
    const char *text = getenv("VIRTKSM_SEED");
    uint64_t seed;

    if (!dice_seed(text, &seed)) {
        fprintf(stderr, "VIRTKSM_SEED=%s: want a number below 2^64, or random\n", text);
        exit(EXIT_FAILURE);
    }
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
