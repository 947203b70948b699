/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mem_ask.c - an actuator of balloons that loses, delays and refuses */
#include "test/sim/mem_ask.h"

#include <stddef.h>

/* Whether @percent of a hundred throws hit. */
static bool
hits(Dice *dice, unsigned percent)
{
    return percent > 0 && dice_below(dice, 100) < percent;
}

bool
mem_ask(MemAsk *ask, const MemFaults *faults, Dice *dice, uint64_t bytes, uint64_t now_us)
{
    ask->bytes = bytes;
    ask->waits = true;
    if (ask->flight_us > 0 || now_us < ask->refused_until)
        return false;
    if (hits(dice, faults->refused_percent)) {
        ask->refused_until = now_us + faults->refused_us;
        return false;
    }
    if (hits(dice, faults->lost_percent))
        return false;
    if (hits(dice, faults->late_percent)) {
        ask->flight_bytes = bytes;
        ask->flight_us = now_us + 1 + dice_below(dice, faults->late_us);
        return false;
    }
    ask->waits = false;
    return true;
}

bool
mem_ask_arrives(MemAsk *ask, uint64_t now_us, uint64_t *ret_bytes)
{
    if (ask->flight_us == 0 || now_us < ask->flight_us)
        return false;
    ask->flight_us = 0;
    ask->waits = ask->flight_bytes != ask->bytes;
    *ret_bytes = ask->flight_bytes;
    return true;
}
