/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arith.h - saturating arithmetic on the quantities that policy deals in
 *
 * Policy is total: there is no input for which it traps or wraps. Every sum, product and
 * quotient of measured figures goes through these few functions.
 */
#ifndef POLICY_ARITH_H
#define POLICY_ARITH_H

#include <stdbool.h>
#include <stdint.h>

/* The whole, in basis points. */
#define BP_ONE 10000u
/* Time is told in microseconds. */
#define US_PER_S  UINT64_C(1000000)
#define US_PER_MS UINT64_C(1000)
/* A figure that could not be had. The kernel never counts this far; hostile counters may claim to.
 */
#define VALUE_UNKNOWN UINT64_MAX

static inline bool
is_known(uint64_t value)
{
    return value != VALUE_UNKNOWN;
}

static inline uint64_t
known_or(uint64_t value, uint64_t fallback)
{
    return is_known(value) ? value : fallback;
}

static inline uint64_t
min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t
max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t
clamp_u64(uint64_t value, uint64_t lo, uint64_t hi)
{
    return max_u64(lo, min_u64(value, hi));
}

static inline uint64_t
sat_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline uint64_t
sat_sub(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/**
 * mul_div_rest() - a * b / c with its remainder, exact whatever the size of the product
 * @a:        at most @c
 * @b:        any
 * @c:        not 0
 * @ret_rest: below @c
 *
 * Long multiplication by the bits of @b, divided at every step, so that nothing is ever larger
 * than @c. Return: rounded down.
 */
static inline uint64_t
mul_div_rest(uint64_t a, uint64_t b, uint64_t c, uint64_t *ret_rest)
{
    uint64_t whole = 0;
    uint64_t rest = 0;

    for (int bit = 63; bit >= 0; bit--) {
        bool carry = rest >= c - rest;

        whole = whole * 2 + carry;
        rest = carry ? rest - (c - rest) : rest * 2;
        if (((b >> bit) & 1) == 0)
            continue;
        carry = rest >= c - a;
        whole += carry;
        rest = carry ? rest - (c - a) : rest + a;
    }
    *ret_rest = rest;
    return whole;
}

/**
 * mul_div() - a * b / c, rounded down
 *
 * Exact; saturates where the result does not fit, and for a divisor of 0.
 */
static inline uint64_t
mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t rest;

    if (c == 0)
        return UINT64_MAX;
    if (a == 0 || b <= UINT64_MAX / a)
        return a * b / c;
    if (a / c > 0 && b > UINT64_MAX / (a / c))
        return UINT64_MAX;
    return sat_add(a / c * b, mul_div_rest(a % c, b, c, &rest));
}

#endif
