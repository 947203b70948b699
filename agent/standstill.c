/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* standstill.c - a clock that goes on in any case, against the time that was set */
#define _GNU_SOURCE
#include "agent/standstill.h"

#include "agent/log_event.h"
#include "policy/arith.h"

#include <inttypes.h>
#include <time.h>

/* A loop that is busy, or on a busy host, is late by less. */
#define LATE_US UINT64_C(10000000)

static uint64_t
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * G_USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

void
standstill_expect(Standstill *standstill, guint delay_ms)
{
    standstill->due_us = now_us() + (uint64_t)delay_ms * 1000;
}

void
standstill_look(Standstill *standstill)
{
    uint64_t late_us = standstill->due_us == 0 ? 0 : sat_sub(now_us(), standstill->due_us);

    if (late_us < LATE_US)
        return;
    standstill->due_us = 0;
    log_event(LOG_EVENT_STOOD_STILL,
              "virtksmd has stood still for %" PRIu64 " s; what happened meanwhile is made up for",
              late_us / G_USEC_PER_SEC);
}
