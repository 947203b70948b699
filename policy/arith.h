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

/* a * b / c, rounded down, saturating; c == 0 gives the largest number there is. */
static inline uint64_t
mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t whole;
    uint64_t rest;

    if (c == 0)
        return UINT64_MAX;
    if (a == 0 || b <= UINT64_MAX / a)
        return a * b / c;
    /* Split a into c * whole + rest, so that each part may fit where the product does not. */
    whole = a / c;
    rest = a % c;
    if (whole > 0 && b > UINT64_MAX / whole)
        return UINT64_MAX;
    if (rest > 0 && b > UINT64_MAX / rest)
        return sat_add(whole * b, mul_div(b, rest >> 1, (c >> 1) > 0 ? c >> 1 : 1));
    return sat_add(whole * b, rest * b / c);
}

#endif
