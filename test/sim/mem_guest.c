/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_guest.c - a guest: programs, files, its own swap, its balloon, and what it says of them
 *
 *   maximum = balloon (left to the guest) + what the balloon holds
 *   balloon = kernel + programs in memory + files + free
 *
 * Programs take memory at a bounded rate until they have what they want. What is lacking is taken
 * from files first, then programs go to the guest's own swap, coldest first; where that is full the
 * guest's kernel kills a program. Swapped memory that is used comes back as soon as its age says.
 *
 * The host knows nothing of this. It holds what the guest has ever written and the balloon has not
 * given back, and sees only when it is used: size[] is that memory by age. Free memory that was
 * written before is stale. A guest that takes memory takes stale memory first; where the host has
 * swapped it out it must come back, though nobody wants what is in it.
 */
#include "test/sim/mem_guest.h"
#include "policy/arith.h"

#include <string.h>

/* In which time all memory of an age is used once. */
static const uint64_t period_us[MEM_STALE] = { MEM_S, 60 * MEM_S, 2 * MEM_HOUR };

/* From the death of a program to its next start. */
#define RESTART_US (60 * MEM_S)
/* In so many seconds a guest has written all its memory once, as far as it ever does; Windows,
 * which clears it after its boot, in a tenth of that. */
#define SPREAD_S 2000
/* What a disk inside brings back at most, a second. */
#define OWN_SWAP_BYTES_S (100 * MEM_MIB)
/* Waiting for one page of it. */
#define OWN_FAULT_US 100

/* --- inside ------------------------------------------------------------------------------- */

/* Memory of the guest's kernel, which stays. */
static uint64_t
kernel_bytes(const MemGuest *guest)
{
    return guest->spec.maximum_bytes / 50 + 32 * MEM_MIB;
}

/* Free memory that a guest's kernel keeps for moments of need. */
static uint64_t
reserve_bytes(const MemGuest *guest)
{
    return guest->spec.maximum_bytes / 100;
}

static uint64_t
resident_anon(const MemGuest *guest)
{
    return guest->anon_bytes - guest->swapped_bytes;
}

uint64_t
mem_guest_used(const MemGuest *guest)
{
    return kernel_bytes(guest) + resident_anon(guest) + guest->cache_bytes;
}

static uint64_t
free_bytes(const MemGuest *guest)
{
    return sat_sub(guest->balloon_bytes, mem_guest_used(guest));
}

static void
run_programs(MemGuest *guest, uint64_t now_us, uint64_t step_us)
{
    uint64_t wanted = mem_load_at(&guest->load, &guest->spec, now_us);
    uint64_t most = mul_div(guest->spec.grow_bytes_s, step_us, MEM_S);

    if (now_us < guest->killed_us + RESTART_US)
        wanted /= 2;
    if (wanted >= guest->anon_bytes) {
        guest->anon_bytes += min_u64(wanted - guest->anon_bytes, most);
        return;
    }
    guest->swapped_bytes = mem_part(guest->swapped_bytes, wanted, guest->anon_bytes);
    guest->anon_bytes = wanted;
}

/* Programs' memory of an age, and how much of it is in the guest's own swap: coldest goes first. */
static void
split_anon(const MemGuest *guest, uint64_t in[MEM_STALE], uint64_t swapped[MEM_STALE])
{
    uint64_t left = guest->swapped_bytes;

    in[MEM_HOT] = mul_div(guest->anon_bytes, guest->spec.hot_bp, BP_ONE);
    in[MEM_WARM] = mul_div(guest->anon_bytes, guest->spec.warm_bp, BP_ONE);
    in[MEM_COLD] = guest->anon_bytes - in[MEM_HOT] - in[MEM_WARM];
    for (int age = MEM_COLD; age >= MEM_HOT; age--) {
        swapped[age] = min_u64(left, in[age]);
        left -= swapped[age];
        in[age] -= swapped[age];
    }
}

/* Swapped memory that programs use comes back; where there is no room others go for it. */
static void
swap_in(MemGuest *guest, uint64_t step_us)
{
    uint64_t in[MEM_STALE];
    uint64_t swapped[MEM_STALE];
    uint64_t wanted = 0;
    uint64_t room;

    split_anon(guest, in, swapped);
    for (int age = MEM_HOT; age < MEM_STALE; age++)
        wanted += mem_part(swapped[age], step_us, period_us[age]);
    wanted = min_u64(wanted, mul_div(OWN_SWAP_BYTES_S, step_us, MEM_S));
    room = sat_sub(free_bytes(guest) + guest->cache_bytes, 2 * reserve_bytes(guest));
    guest->cache_bytes -= sat_sub(min_u64(wanted, room), free_bytes(guest));
    guest->swapped_bytes -= min_u64(wanted, room);
    guest->swap_in_bytes += wanted;
    guest->swap_out_bytes += sat_sub(wanted, room);
    guest->major_faults += wanted / MEM_PAGE;
    guest->own_stall_us += min_u64(step_us, wanted / MEM_PAGE * OWN_FAULT_US);
}

/* A program is killed; it will be started again and wants the same. */
static void
kill_program(MemGuest *guest, uint64_t now_us)
{
    guest->ooms++;
    guest->killed_us = now_us;
    guest->anon_bytes /= 2;
    guest->swapped_bytes /= 2;
}

/* What is lacking is found: files, then own swap. */
static void
fit(MemGuest *guest, uint64_t now_us)
{
    uint64_t over = sat_sub(mem_guest_used(guest) + reserve_bytes(guest), guest->balloon_bytes);
    uint64_t files = min_u64(over, sat_sub(guest->cache_bytes, reserve_bytes(guest)));
    uint64_t out;

    guest->cache_bytes -= files;
    over = sat_sub(over - files, reserve_bytes(guest) / 2); /* nobody swaps for the last of it */
    out = min_u64(over, guest->spec.swap_bytes - guest->swapped_bytes);
    out = min_u64(out, resident_anon(guest));
    guest->swapped_bytes += out;
    guest->swap_out_bytes += out;
    guest->short_bytes = over;
    while (mem_guest_used(guest) > guest->balloon_bytes && guest->anon_bytes > 0)
        kill_program(guest, now_us);
}

static void
read_files(MemGuest *guest, uint64_t step_us)
{
    uint64_t most = mul_div(guest->spec.maximum_bytes / 200, step_us, MEM_S);
    uint64_t room = sat_sub(free_bytes(guest), 2 * reserve_bytes(guest));
    uint64_t lacking = sat_sub(guest->spec.cache_bytes, guest->cache_bytes);

    guest->cache_bytes += min_u64(min_u64(most, room), lacking);
}

/* --- balloon ------------------------------------------------------------------------------ */

void
mem_guest_target(MemGuest *guest, uint64_t bytes, uint64_t now_us)
{
    if (bytes == guest->target_bytes)
        return;
    guest->target_bytes = min_u64(bytes, guest->spec.maximum_bytes);
    guest->target_us = now_us;
}

/* How much of @bytes, a part of @size, is in swap, if @out of it are; neither side has too much. */
static uint64_t
part_out(uint64_t out, uint64_t bytes, uint64_t size)
{
    if (out == 0)
        return 0;
    return min_u64(bytes, max_u64(mem_part(out, bytes, size), sat_sub(out, size - bytes)));
}

/* Takes memory of an age from the guest, wherever the host has it; Return: how much was in swap. */
static uint64_t
take_age(MemGuest *guest, MemAge age, uint64_t bytes)
{
    uint64_t left = guest->size[age] - bytes;
    uint64_t out = part_out(guest->out[age], bytes, guest->size[age]);

    guest->size[age] = left;
    guest->out[age] -= out;
    return out;
}

/* It takes any free memory, written before or not; then the guest's kernel makes room for it. */
static void
inflate(MemGuest *guest, uint64_t most)
{
    uint64_t unused = free_bytes(guest);
    uint64_t swap = min_u64(guest->spec.swap_bytes - guest->swapped_bytes, resident_anon(guest));
    uint64_t could = sat_sub(guest->balloon_bytes + guest->cache_bytes + swap,
                             mem_guest_used(guest) + 2 * reserve_bytes(guest));
    uint64_t bytes = min_u64(min_u64(guest->balloon_bytes - guest->target_bytes, most), could);
    uint64_t gone = unused > 0 ? mem_part(guest->size[MEM_STALE], bytes, unused) : 0;

    (void)take_age(guest, MEM_STALE, gone);
    guest->balloon_bytes -= bytes;
}

static void
move_balloon(MemGuest *guest, uint64_t now_us, uint64_t step_us)
{
    uint64_t most = mul_div(guest->spec.balloon_bytes_s, step_us, MEM_S);

    if (guest->target_bytes == guest->balloon_bytes ||
        now_us < guest->target_us + guest->spec.balloon_lag_us)
        return;
    if (guest->target_bytes < guest->balloon_bytes)
        inflate(guest, most);
    else
        guest->balloon_bytes += min_u64(guest->target_bytes - guest->balloon_bytes, most);
}

/* --- as the host sees it ------------------------------------------------------------------ */

/* Memory that becomes younger was used, so it is wanted back; what only grows older stays out. */
static void
give_age(MemGuest *guest, MemAge age, uint64_t bytes, uint64_t out)
{
    guest->size[age] += bytes;
    guest->out[age] += out;
    if (age != MEM_STALE)
        guest->touched_out_bytes += out;
}

/* Ages as they are now become @want; what is in none of them any more the balloon has. */
static void
resize(MemGuest *guest, const uint64_t want[MEM_AGE_COUNT])
{
    uint64_t pool = 0;
    uint64_t pool_out = 0;

    for (int age = 0; age < MEM_AGE_COUNT; age++) {
        uint64_t less = sat_sub(guest->size[age], want[age]);

        pool_out += take_age(guest, (MemAge)age, less);
        pool += less;
    }
    for (int age = 0; age < MEM_AGE_COUNT; age++) {
        uint64_t more = sat_sub(want[age], guest->size[age]);
        uint64_t moved = min_u64(more, pool);
        uint64_t out = pool_out > 0 ? part_out(pool_out, moved, pool) : 0;

        give_age(guest, (MemAge)age, moved, out);
        guest->size[age] += more - moved; /* never written before: the host gives new memory */
        pool -= moved;
        pool_out -= out;
    }
}

/* Free memory that the guest writes for the first time, as its programs come and go. */
static uint64_t
spread(const MemGuest *guest, uint64_t backed, uint64_t step_us)
{
    uint64_t slowness = guest->spec.kind == MEM_WINDOWS ? SPREAD_S / 10 : SPREAD_S;
    uint64_t most = mul_div(guest->spec.maximum_bytes / slowness, step_us, MEM_S);
    uint64_t end = mul_div(guest->balloon_bytes, guest->spec.touched_bp, BP_ONE);

    return min_u64(most, sat_sub(end, backed));
}

static void
show_host(MemGuest *guest, uint64_t step_us)
{
    uint64_t want[MEM_AGE_COUNT];
    uint64_t swapped[MEM_STALE];
    uint64_t backed = 0;
    uint64_t used;

    for (int age = 0; age < MEM_AGE_COUNT; age++)
        backed += guest->size[age];
    backed += spread(guest, backed, step_us);
    split_anon(guest, want, swapped);
    want[MEM_HOT] += kernel_bytes(guest);
    want[MEM_WARM] += guest->cache_bytes / 5;
    want[MEM_COLD] += guest->cache_bytes - guest->cache_bytes / 5;
    used = want[MEM_HOT] + want[MEM_WARM] + want[MEM_COLD];
    want[MEM_STALE] = sat_sub(min_u64(backed, guest->balloon_bytes), used);
    resize(guest, want);
}

uint64_t
mem_guest_out(const MemGuest *guest)
{
    return guest->out[MEM_HOT] + guest->out[MEM_WARM] + guest->out[MEM_COLD] +
           guest->out[MEM_STALE];
}

uint64_t
mem_guest_resident(const MemGuest *guest)
{
    return guest->size[MEM_HOT] + guest->size[MEM_WARM] + guest->size[MEM_COLD] +
           guest->size[MEM_STALE] - mem_guest_out(guest);
}

uint64_t
mem_guest_idle(const MemGuest *guest)
{
    uint64_t in[MEM_STALE];
    uint64_t swapped[MEM_STALE];

    split_anon(guest, in, swapped);
    return free_bytes(guest) + in[MEM_COLD] + guest->cache_bytes - guest->cache_bytes / 5;
}

/* Swapped memory of the host that its programs use in this step. */
static void
touch(MemGuest *guest, uint64_t step_us)
{
    for (int age = MEM_HOT; age < MEM_STALE; age++)
        guest->touched_out_bytes += mem_part(guest->out[age], step_us, period_us[age]);
}

/* --- what it tells ------------------------------------------------------------------------ */

static void
lie(const MemGuest *guest, MemStats *stats)
{
    switch (guest->spec.lie) {
    case MEM_LIE_ABSURD:
        stats->usable_bytes = UINT64_MAX;
        stats->available_bytes = 3 * guest->spec.maximum_bytes;
        stats->unused_bytes = UINT64_MAX;
        break;
    case MEM_LIE_RICH:
        stats->usable_bytes = stats->unused_bytes = stats->available_bytes / 10 * 9;
        break;
    case MEM_LIE_POOR:
        stats->usable_bytes = stats->unused_bytes = 0;
        stats->caches_bytes = 0;
        break;
    default:
        break;
    }
}

/* Some are silent for three minutes out of ten. */
static bool
is_silent(const MemGuest *guest, uint64_t now_us)
{
    return guest->spec.period_us == 0 ||
           (guest->spec.kind == MEM_INTERMITTENT &&
            (now_us - guest->started_us) % (600 * MEM_S) < 180 * MEM_S);
}

static void
tell(MemGuest *guest, uint64_t now_us)
{
    uint64_t unused = free_bytes(guest);

    if (is_silent(guest, now_us) ||
        (guest->stats.at_us > 0 && now_us - guest->stats.at_us < guest->spec.period_us))
        return;
    guest->stats = (MemStats){
        .available_bytes = sat_sub(guest->balloon_bytes, kernel_bytes(guest) / 2),
        .usable_bytes = sat_sub(unused + guest->cache_bytes, 2 * reserve_bytes(guest)),
        .unused_bytes = unused,
        .caches_bytes = guest->cache_bytes,
        .swap_in_bytes = guest->swap_in_bytes,
        .swap_out_bytes = guest->swap_out_bytes,
        .major_faults = guest->major_faults,
        .at_us = now_us,
    };
    lie(guest, &guest->stats);
}

/* --- life --------------------------------------------------------------------------------- */

void
mem_guest_start(MemGuest *guest, const MemSpec *spec, uint64_t seed, uint64_t now_us)
{
    memset(guest, 0, sizeof(*guest));
    guest->spec = *spec;
    guest->started_us = now_us;
    guest->balloon_bytes = guest->target_bytes = spec->maximum_bytes;
    guest->limit_bytes = MEM_NO_LIMIT;
    mem_load_start(&guest->load, spec, seed, now_us);
    if (spec->is_fixed)
        guest->size[MEM_STALE] = spec->maximum_bytes;
    show_host(guest, 0);
}

void
mem_guest_step(MemGuest *guest, uint64_t now_us, uint64_t step_us)
{
    guest->touched_out_bytes = 0;
    guest->step_stall_us = 0;
    run_programs(guest, now_us, step_us);
    move_balloon(guest, now_us, step_us);
    fit(guest, now_us);
    if (guest->swapped_bytes > 0)
        swap_in(guest, step_us);
    read_files(guest, step_us);
    show_host(guest, step_us);
    if (mem_guest_out(guest) > 0)
        touch(guest, step_us);
    tell(guest, now_us);
}
