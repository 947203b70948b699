/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_scene.h - hosts full of guests, for tests
 */
#ifndef TEST_SIM_MEM_SCENE_H
#define TEST_SIM_MEM_SCENE_H

#include "test/sim/mem_host.h"

/* Any kind of guest may come. */
#define MEM_KIND_ANY MEM_KIND_COUNT

/* Which guests a host has. */
typedef struct {
    MemKind kind;        /* every second guest; the others are steady or idle; MEM_KIND_ANY: each
                            guest of any kind */
    size_t n;            /* guests */
    unsigned overcommit; /* their defined memory, percent of the host's */
} MemScene;

/** mem_scene_spec() - the next guest of a scene on a host of this size */
MemSpec mem_scene_spec(Dice *dice, const MemScene *scene, uint64_t total_bytes);

/** mem_scene_new() - a host with the guests of a scene; the same dice give the same host */
MemHost *mem_scene_new(Dice *dice, const MemScene *scene, const MemHostSpec *spec);

#endif
