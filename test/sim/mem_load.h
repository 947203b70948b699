/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_load.h - what a guest is like, and what its programs want at a moment
 *
 * A guest's wishes follow from its own dice and from time alone, never from what is done to it, so
 * that two policies can be compared on the same life.
 */
#ifndef TEST_SIM_MEM_LOAD_H
#define TEST_SIM_MEM_LOAD_H

#include "test/support/dice.h"

#include <stdbool.h>
#include <stdint.h>

#define MEM_S    UINT64_C(1000000)
#define MEM_HOUR (3600 * MEM_S)
#define MEM_MIB  (UINT64_C(1) << 20)
#define MEM_GIB  (UINT64_C(1) << 30)

typedef enum {
    MEM_STEADY,       /* wants the same all the time */
    MEM_BURSTY,       /* quiet, then busy for a while */
    MEM_IDLE,         /* has touched much, wants little, hardly looks at it */
    MEM_LEAKING,      /* wants more and more until its program is started anew */
    MEM_STUCK,        /* its balloon takes orders and does not move */
    MEM_SLOW,         /* its balloon takes minutes */
    MEM_LYING,        /* its statistics are not true */
    MEM_INTERMITTENT, /* its statistics stop now and then */
    MEM_NO_DRIVER,    /* nobody drives its balloon, nobody tells statistics */
    MEM_WINDOWS,      /* touches all after its boot, has much free, takes and frees large steps */
    MEM_KIND_COUNT,
} MemKind;

/* How statistics are not true. */
typedef enum {
    MEM_LIE_NONE,   /* they are */
    MEM_LIE_ABSURD, /* -1, or more than there is */
    MEM_LIE_RICH,   /* all is free, whatever happens */
    MEM_LIE_POOR,   /* nothing is free, whatever happens */
    MEM_LIE_COUNT,
} MemLie;

/* A guest, as it was made. */
typedef struct {
    MemKind kind;
    uint64_t maximum_bytes;   /* defined memory */
    uint64_t swap_bytes;      /* its own swap; 0: none */
    uint64_t low_bytes;       /* what its programs want at least */
    uint64_t high_bytes;      /* and at most */
    uint64_t cache_bytes;     /* files that it reads again and again */
    uint64_t quiet_us;        /* mean time at the low end; 0: it does not change */
    uint64_t busy_us;         /* mean time at the high end */
    uint64_t grow_bytes_s;    /* how fast its programs can take memory */
    uint64_t balloon_bytes_s; /* how fast its balloon moves; 0: never */
    uint64_t balloon_lag_us;  /* from an order to the first movement */
    uint64_t period_us;       /* of its statistics; 0: it tells none */
    uint64_t floor_bytes;     /* configured; VALUE_UNKNOWN: not said */
    uint32_t hot_bp;          /* share of programs' memory in use every second */
    uint32_t warm_bp;         /* and in use every minute; the rest, every few hours */
    uint32_t touched_bp;      /* share of its memory that it writes sooner or later */
    MemLie lie;
    bool is_fixed; /* all of it stays in the host's memory: passthrough */
} MemSpec;

/* Where a load stands. */
typedef struct {
    Dice dice;             /* its own chance */
    uint64_t since_us;     /* beginning of the present stretch */
    uint64_t until_us;     /* end of it */
    uint64_t wanted_bytes; /* in the present stretch */
    unsigned stretches;    /* that have begun */
    bool busy;             /* the present stretch is a busy one */
} MemLoad;

/** mem_part() - @whole * @part / @of, for a @part of @of; quick, exact to a few bytes, <= @whole */
static inline uint64_t
mem_part(uint64_t whole, uint64_t part, uint64_t of)
{
    if (part >= of)
        return whole;
    return (uint64_t)((double)whole * ((double)part / (double)of));
}

/** mem_kind_name() - a kind for messages; static text */
const char *mem_kind_name(MemKind kind);

/**
 * mem_spec_roll() - a guest of a kind
 * @dice:          rolled
 * @kind:          its character
 * @maximum_bytes: its defined memory
 *
 * What its programs want at most, and the guest's kernel, fit into its memory: left alone it never
 * swaps.
 */
MemSpec mem_spec_roll(Dice *dice, MemKind kind, uint64_t maximum_bytes);

/** mem_load_start() - begin at @now_us, with chance of its own */
void mem_load_start(MemLoad *load, const MemSpec *spec, uint64_t seed, uint64_t now_us);

/** mem_load_at() - what programs want at @now_us, which never goes back; Return: bytes */
uint64_t mem_load_at(MemLoad *load, const MemSpec *spec, uint64_t now_us);

#endif
