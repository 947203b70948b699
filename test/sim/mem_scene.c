/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mem_scene.c - guests are rolled around the size that fills the host as far as wanted */
#include "test/sim/mem_scene.h"
#include "policy/arith.h"

/* The least that a guest is defined with. */
#define LEAST_BYTES (384 * MEM_MIB)

static MemKind
roll_kind(Dice *dice, const MemScene *scene)
{
    if (scene->kind == MEM_KIND_ANY)
        return (MemKind)dice_below(dice, MEM_KIND_COUNT);
    if (dice_below(dice, 2) == 0)
        return scene->kind;
    return dice_below(dice, 2) == 0 ? MEM_STEADY : MEM_IDLE;
}

MemSpec
mem_scene_spec(Dice *dice, const MemScene *scene, uint64_t total_bytes)
{
    uint64_t mean = total_bytes / 100 * scene->overcommit / scene->n;
    uint64_t maximum = min_u64(mean / 2 + dice_below(dice, mean + 1), total_bytes / 10 * 9);

    return mem_spec_roll(dice, roll_kind(dice, scene),
                         max_u64(maximum, LEAST_BYTES) / MEM_MIB * MEM_MIB);
}

MemHost *
mem_scene_new(Dice *dice, const MemScene *scene, const MemHostSpec *spec)
{
    MemHost *host = mem_host_new(spec);

    for (size_t i = 0; i < scene->n; i++) {
        MemSpec guest = mem_scene_spec(dice, scene, spec->total_bytes);

        mem_host_start(host, &guest, dice_roll(dice));
    }
    return host;
}
