/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_ask.h - what becomes of what a balloon is asked for: passed on, lost, late, or refused
 */
#ifndef TEST_SIM_MEM_ASK_H
#define TEST_SIM_MEM_ASK_H

#include "test/support/dice.h"

#include <stdbool.h>

/* What may happen on the way; all zero: nothing does. */
typedef struct {
    unsigned lost_percent;    /* not passed on, as when libvirt has too much to do */
    unsigned late_percent;    /* passed on some time later */
    uint64_t late_us;         /* the longest time */
    unsigned refused_percent; /* not passed on, and nothing else is for a while */
    uint64_t refused_us;      /* that while */
} MemFaults;

/* The last request to one balloon; all zero: there was none. */
typedef struct {
    uint64_t bytes;         /* asked for last */
    bool waits;             /* that has not been passed on */
    uint64_t flight_bytes;  /* on its way */
    uint64_t flight_us;     /* and when it arrives; 0: nothing is on its way */
    uint64_t refused_until; /* nothing is passed on before */
} MemAsk;

/**
 * mem_ask() - ask a balloon for something
 * @faults: what may happen to it
 * @dice:   whether it does
 * @now_us: virtual time
 *
 * What is on its way arrives before anything else is passed on.
 *
 * Return: whether it is passed on at once.
 */
bool mem_ask(MemAsk *ask, const MemFaults *faults, Dice *dice, uint64_t bytes, uint64_t now_us);

/**
 * mem_ask_arrives() - let what is on its way arrive
 * @ret_bytes: what it was
 *
 * Return: whether it has just arrived.
 */
bool mem_ask_arrives(MemAsk *ask, uint64_t now_us, uint64_t *ret_bytes);

#endif
