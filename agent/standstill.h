/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * standstill.h - whether the daemon itself has stood still, told to who reads the log
 *
 * It was stopped, its group frozen, the host suspended, or so busy that it did not get to run. What
 * was missed is made up for by those who missed it; but figures and events of that time are late,
 * and nothing else says so.
 */
#ifndef AGENT_STANDSTILL_H
#define AGENT_STANDSTILL_H

#include <glib.h>
#include <stdint.h>

/* When the loop is to be back; embedded. All zero: no time is set. */
typedef struct {
    uint64_t due_us; /* CLOCK_BOOTTIME, which goes on while the host sleeps; 0: none */
} Standstill;

/** standstill_expect() - the loop is to call standstill_look() in @delay_ms; replaces the last */
void standstill_expect(Standstill *standstill, guint delay_ms);

/** standstill_look() - the loop is back: logs it, once, if that is late by ten seconds or more */
void standstill_look(Standstill *standstill);

#endif
