/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mem_load.c - characters of guests, made by chance */
#include "test/sim/mem_load.h"
#include "policy/arith.h"

#include <assert.h>

/* No program takes memory faster. */
#define FASTEST_BYTES_S (500 * MEM_MIB)

static const char *const kind_names[] = {
    [MEM_STEADY] = "steady",       [MEM_BURSTY] = "bursty",
    [MEM_IDLE] = "idle",           [MEM_LEAKING] = "leaking",
    [MEM_STUCK] = "stuck balloon", [MEM_SLOW] = "slow balloon",
    [MEM_LYING] = "lying",         [MEM_INTERMITTENT] = "intermittent",
    [MEM_NO_DRIVER] = "no driver", [MEM_WINDOWS] = "Windows-like",
};
static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == MEM_KIND_COUNT,
              "kind_names[] and MemKind differ");

const char *
mem_kind_name(MemKind kind)
{
    return (unsigned)kind < MEM_KIND_COUNT ? kind_names[kind] : "unknown";
}

static uint64_t
percent(uint64_t bytes, uint64_t share)
{
    return bytes / 100 * share;
}

/* A number of [lo, hi]. */
static uint64_t
between(Dice *dice, uint64_t lo, uint64_t hi)
{
    return lo + dice_below(dice, hi - lo + 1);
}

/* --- characters --------------------------------------------------------------------------- */

/* What most guests have in common: steady ones are this and no more. */
static MemSpec
roll_common(Dice *dice, MemKind kind, uint64_t maximum_bytes)
{
    MemSpec spec = { .kind = kind, .maximum_bytes = maximum_bytes };

    spec.swap_bytes = percent(maximum_bytes, between(dice, 25, 100));
    spec.low_bytes = percent(maximum_bytes, between(dice, 20, 50));
    spec.high_bytes = spec.low_bytes;
    spec.cache_bytes = percent(maximum_bytes, between(dice, 10, 30));
    spec.grow_bytes_s = min_u64(percent(maximum_bytes, between(dice, 1, 4)), FASTEST_BYTES_S);
    spec.balloon_bytes_s = max_u64(between(dice, 100, 1000) * MEM_MIB, spec.grow_bytes_s);
    spec.balloon_lag_us = between(dice, 0, 2) * MEM_S;
    spec.period_us = between(dice, 1, 5) * MEM_S;
    spec.floor_bytes = VALUE_UNKNOWN;
    spec.hot_bp = 2000 + (uint32_t)dice_below(dice, 3000);
    spec.warm_bp = 2000 + (uint32_t)dice_below(dice, 2000);
    spec.touched_bp = 6000 + (uint32_t)dice_below(dice, 4000);
    return spec;
}

static void
make_bursty(Dice *dice, MemSpec *spec)
{
    spec->low_bytes = percent(spec->maximum_bytes, between(dice, 12, 25));
    spec->high_bytes = percent(spec->maximum_bytes, between(dice, 45, 70));
    spec->quiet_us = between(dice, 60, 1800) * MEM_S;
    spec->busy_us = between(dice, 30, 600) * MEM_S;
}

static void
make_idle(Dice *dice, MemSpec *spec)
{
    spec->low_bytes = spec->high_bytes = percent(spec->maximum_bytes, between(dice, 6, 14));
    spec->cache_bytes = percent(spec->maximum_bytes, between(dice, 20, 60));
    spec->hot_bp = 500;
    spec->warm_bp = 1000;
    spec->touched_bp = 8000 + (uint32_t)dice_below(dice, 2000);
}

static void
make_leaking(Dice *dice, MemSpec *spec)
{
    spec->low_bytes = percent(spec->maximum_bytes, between(dice, 10, 20));
    spec->high_bytes = percent(spec->maximum_bytes, between(dice, 60, 80));
    spec->quiet_us = 0;
    spec->busy_us = between(dice, 1, 8) * MEM_HOUR;
    spec->cache_bytes = percent(spec->maximum_bytes, 10);
}

static void
make_windows(Dice *dice, MemSpec *spec)
{
    spec->low_bytes = percent(spec->maximum_bytes, between(dice, 15, 25));
    spec->high_bytes = percent(spec->maximum_bytes, between(dice, 40, 65));
    spec->cache_bytes = percent(spec->maximum_bytes, between(dice, 10, 25));
    spec->quiet_us = between(dice, 300, 3600) * MEM_S;
    spec->busy_us = between(dice, 300, 3600) * MEM_S;
    spec->grow_bytes_s =
        min_u64(percent(spec->maximum_bytes, between(dice, 3, 8)), FASTEST_BYTES_S);
    spec->balloon_bytes_s = max_u64(spec->balloon_bytes_s, spec->grow_bytes_s);
    spec->swap_bytes = percent(spec->maximum_bytes, between(dice, 50, 100));
    spec->touched_bp = BP_ONE;
    spec->period_us = 10 * MEM_S;
}

/* Without swap nothing bridges the time until a balloon gives way, so such guests grow slowly. */
static void
make_swapless(MemSpec *spec)
{
    spec->swap_bytes = 0;
    spec->grow_bytes_s = spec->maximum_bytes / 500;
}

MemSpec
mem_spec_roll(Dice *dice, MemKind kind, uint64_t maximum_bytes)
{
    MemSpec spec = roll_common(dice, kind, maximum_bytes);
    bool is_odd = kind >= MEM_STUCK && kind <= MEM_NO_DRIVER;

    if (kind == MEM_BURSTY || (is_odd && dice_below(dice, 2) == 0))
        make_bursty(dice, &spec);
    else if (kind == MEM_IDLE)
        make_idle(dice, &spec);
    else if (kind == MEM_LEAKING)
        make_leaking(dice, &spec);
    else if (kind == MEM_WINDOWS)
        make_windows(dice, &spec);
    if (kind == MEM_STUCK || kind == MEM_NO_DRIVER)
        spec.balloon_bytes_s = 0;
    if (kind == MEM_SLOW)
        spec.balloon_bytes_s = maximum_bytes / between(dice, 300, 1200);
    if (kind == MEM_LYING)
        spec.lie = (MemLie)between(dice, MEM_LIE_ABSURD, MEM_LIE_POOR);
    if (kind == MEM_NO_DRIVER)
        spec.period_us = 0;
    if (kind <= MEM_LEAKING && dice_below(dice, 8) == 0)
        make_swapless(&spec);
    return spec;
}

/* --- time --------------------------------------------------------------------------------- */

/* Stretches are between half and one and a half times their mean. */
static uint64_t
stretch_us(Dice *dice, uint64_t mean_us)
{
    return mean_us / 2 + dice_below(dice, mean_us + 1);
}

static void
begin_stretch(MemLoad *load, const MemSpec *spec, uint64_t now_us)
{
    uint64_t mean_us = load->busy ? spec->busy_us : spec->quiet_us;
    uint64_t room = spec->high_bytes - spec->low_bytes;

    load->stretches++;
    load->since_us = now_us;
    load->until_us = now_us + stretch_us(&load->dice, mean_us);
    load->wanted_bytes = load->busy ? spec->high_bytes : spec->low_bytes;
    if (spec->kind == MEM_WINDOWS)
        load->wanted_bytes = spec->low_bytes + room / 4 * dice_below(&load->dice, 5);
}

void
mem_load_start(MemLoad *load, const MemSpec *spec, uint64_t seed, uint64_t now_us)
{
    *load = (MemLoad){ .dice = { seed, seed }, .until_us = UINT64_MAX };
    load->wanted_bytes = spec->low_bytes;
    load->busy = spec->quiet_us == 0;
    if (spec->busy_us > 0)
        begin_stretch(load, spec, now_us);
}

uint64_t
mem_load_at(MemLoad *load, const MemSpec *spec, uint64_t now_us)
{
    while (now_us >= load->until_us) {
        load->busy = spec->quiet_us == 0 || !load->busy;
        begin_stretch(load, spec, load->until_us);
    }
    if (spec->kind != MEM_LEAKING)
        return load->wanted_bytes;
    return spec->low_bytes + mem_part(spec->high_bytes - spec->low_bytes, now_us - load->since_us,
                                      load->until_us - load->since_us);
}
