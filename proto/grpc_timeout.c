/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grpc_timeout.c - the grpc-timeout header: up to eight digits and a unit
 */
#include "proto/grpc_timeout.h"

#include <glib.h>
#include <string.h>

#define DIGITS_MAX 8
#define VALUE_MAX  99999999u

/* Finest unit first: formatting takes the first that fits. */
static const struct {
    char unit;
    uint64_t us;
} units[] = {
    { 'u', 1 },
    { 'm', 1000 },
    { 'S', G_USEC_PER_SEC },
    { 'M', 60 * (uint64_t)G_USEC_PER_SEC },
    { 'H', 3600 * (uint64_t)G_USEC_PER_SEC },
};

static uint64_t
divide_up(uint64_t value, uint64_t by)
{
    return value / by + (value % by != 0);
}

static bool
to_us(uint64_t value, char unit, uint64_t *ret_us)
{
    if (unit == 'n') {
        *ret_us = divide_up(value, 1000);
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (units[i].unit == unit) {
            *ret_us = value * units[i].us; /* 10^8 hours in us stay below 2^59 */
            return true;
        }
    }
    return false;
}

bool
grpc_timeout_parse(const char *text, uint64_t *ret_us)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t value = 0;

    if (digits == 0 || digits > DIGITS_MAX || strlen(text) != digits + 1)
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    return to_us(value, text[digits], ret_us);
}

void
grpc_timeout_format(uint64_t us, char *out)
{
    size_t last = G_N_ELEMENTS(units) - 1;
    size_t i = 0;
    uint64_t value;

    while (i < last && divide_up(us, units[i].us) > VALUE_MAX)
        i++;
    value = MIN(divide_up(us, units[i].us), VALUE_MAX);
    g_snprintf(out, GRPC_TIMEOUT_TEXT_BYTES, "%u%c", (unsigned)value, units[i].unit);
}
