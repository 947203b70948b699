/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem_host.c - a host: who holds its memory, and what goes to swap when there is none left
 *
 *   total = own + files + guests in memory + overhead of QEMU + free
 *
 * Below a watermark memory is taken until a higher one is reached: from files, then from guests,
 * stale memory first, then by age. A kernel does not know ages exactly, so a part of everything
 * that is taken comes from all ages alike. Swap has a size and a speed. What is used comes back and
 * makes its guest wait; below the lowest watermark everybody waits; where nothing is left to take
 * the largest domain is killed.
 */
#include "test/sim/mem_host.h"
#include "policy/arith.h"

#include <stdlib.h>
#include <string.h>

/* Waiting for one page of the host's swap, as several CPUs of a guest share it. */
#define FAULT_US 60
/* What one guest's CPUs can wait for at most, a second. */
#define FAULT_BYTES_S (200 * MEM_MIB)
/* Of what is taken, this comes from all ages alike. */
#define MISJUDGED_BP 1000

/* --- sums --------------------------------------------------------------------------------- */

/* The host's kernel and daemons. */
static uint64_t
own_bytes(const MemHost *host)
{
    return host->spec.total_bytes / 50 + 128 * MEM_MIB;
}

static uint64_t
guests_bytes(const MemHost *host)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < host->n; i++)
        sum += mem_guest_resident(&host->guests[i]) + MEM_OVERHEAD;
    return sum;
}

/* What is lacking can be below zero for the moment of a step: then it is 0 and the step takes. */
uint64_t
mem_host_free_bytes(const MemHost *host)
{
    return sat_sub(host->spec.total_bytes,
                   own_bytes(host) + host->files_bytes + guests_bytes(host));
}

uint64_t
mem_host_available(const MemHost *host)
{
    return sat_sub(mem_host_free_bytes(host) + host->files_bytes, host->spec.total_bytes / 100);
}

static uint64_t
count_swap(const MemHost *host)
{
    uint64_t out = 0;

    for (size_t i = 0; i < host->n; i++)
        out += mem_guest_out(&host->guests[i]);
    return sat_sub(host->spec.swap_bytes, out);
}

/* --- taking ------------------------------------------------------------------------------- */

static void
push_out(MemHost *host, MemGuest *guest, MemAge age, uint64_t bytes)
{
    guest->out[age] += bytes;
    guest->host_out_bytes += bytes;
    host->swap_out_bytes += bytes;
    host->swap_free_bytes -= min_u64(bytes, host->swap_free_bytes);
    host->moved_bytes += bytes;
}

static uint64_t
resident_of(const MemGuest *guest, MemAge age)
{
    return guest->spec.is_fixed ? 0 : guest->size[age] - guest->out[age];
}

/* From guests first to last, of one age, in proportion to what they have of it. */
static uint64_t
take_share(MemHost *host, MemGuest *first, size_t n, MemAge age, uint64_t bytes)
{
    uint64_t there = 0;
    uint64_t taken = 0;

    for (size_t i = 0; i < n; i++)
        there += resident_of(&first[i], age);
    if (there == 0 || bytes == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t part = mem_part(resident_of(&first[i], age), bytes, there);

        push_out(host, &first[i], age, part);
        taken += part;
    }
    return taken;
}

/* A part from all ages alike, the rest from the coldest. Return: what was taken. */
static uint64_t
take_coldest(MemHost *host, MemGuest *first, size_t n, uint64_t bytes)
{
    uint64_t part = mul_div(bytes, MISJUDGED_BP, BP_ONE) / MEM_AGE_COUNT;
    uint64_t taken = 0;

    bytes = min_u64(bytes, host->swap_free_bytes);
    for (int age = MEM_HOT; age < MEM_AGE_COUNT; age++)
        taken += take_share(host, first, n, (MemAge)age, min_u64(part, bytes - taken));
    for (int age = MEM_STALE; age >= MEM_HOT && taken < bytes; age--)
        taken += take_share(host, first, n, (MemAge)age, bytes - taken);
    return taken;
}

/* The largest domain goes; what it had is counted. */
static void
kill_largest(MemHost *host)
{
    size_t largest = 0;

    for (size_t i = 1; i < host->n; i++)
        if (mem_guest_resident(&host->guests[i]) > mem_guest_resident(&host->guests[largest]))
            largest = i;
    host->ooms++;
    if (host->n > 0)
        mem_host_stop(host, largest);
}

static void
wait_guest(MemHost *host, MemGuest *guest, uint64_t us)
{
    us = min_u64(us, host->spec.step_us - guest->step_stall_us);
    guest->step_stall_us += us;
    guest->stall_us += us;
    host->last_stall_us = max_u64(host->last_stall_us, guest->step_stall_us);
}

/*
 * As far as the device goes memory is taken in the background; beyond that everybody who wants
 * memory waits for the device.
 */
static void
balance(MemHost *host)
{
    uint64_t held = own_bytes(host) + host->files_bytes + guests_bytes(host);
    uint64_t total = host->spec.total_bytes;
    uint64_t lacking = sat_sub(held + total / 100, total);
    uint64_t speed = mul_div(host->spec.swap_bytes_s, host->spec.step_us, MEM_S);
    uint64_t files;

    if (lacking == 0)
        return;
    lacking += total / 200; /* up to the higher watermark */
    files = min_u64(lacking, sat_sub(host->files_bytes, total / 200));
    host->files_bytes -= files;
    lacking -= files;
    lacking -= min_u64(lacking, take_coldest(host, host->guests, host->n, lacking));
    for (size_t i = 0; i < host->n && host->moved_bytes > speed; i++)
        wait_guest(host, &host->guests[i],
                   host->spec.step_us - mem_part(host->spec.step_us, speed, host->moved_bytes));
    if (lacking > total / 100 + total / 200)
        kill_largest(host);
}

/* --- using -------------------------------------------------------------------------------- */

/* Brings back so much of what was used, hottest first. */
static void
bring_back(MemHost *host, MemGuest *guest, uint64_t bytes)
{
    for (int age = MEM_HOT; age < MEM_AGE_COUNT && bytes > 0; age++) {
        uint64_t part = min_u64(bytes, guest->out[age]);

        guest->out[age] -= part;
        guest->host_in_bytes += part;
        host->swap_in_bytes += part;
        bytes -= part;
    }
}

static void
fault(MemHost *host, MemGuest *guest)
{
    uint64_t most = mul_div(FAULT_BYTES_S, host->spec.step_us, MEM_S);
    uint64_t bytes = min_u64(guest->touched_out_bytes, most);
    uint64_t us = min_u64(host->spec.step_us, bytes / MEM_PAGE * FAULT_US);

    if (bytes == 0)
        return;
    bring_back(host, guest, bytes);
    wait_guest(host, guest, us);
}

uint64_t
mem_host_reclaim(MemHost *host, MemGuest *guest, uint64_t bytes)
{
    return take_coldest(host, guest, 1, bytes);
}

/* What is above the limit goes, and it goes too far. */
static void
keep_limit(MemHost *host, MemGuest *guest)
{
    uint64_t held = mem_guest_resident(guest) + MEM_OVERHEAD;
    uint64_t over = sat_sub(held, guest->limit_bytes);
    uint64_t us = min_u64(host->spec.step_us / 2, over / MEM_PAGE * FAULT_US / 4);

    if (over == 0)
        return;
    take_coldest(host, guest, 1, over + over / 2);
    wait_guest(host, guest, us);
}

void
mem_host_limit(MemHost *host, MemGuest *guest, uint64_t bytes, uint64_t until_us)
{
    guest->limit_bytes = bytes;
    guest->limit_until_us = bytes == MEM_NO_LIMIT ? 0 : until_us;
    keep_limit(host, guest);
}

static void
watch_limit(MemHost *host, MemGuest *guest)
{
    if (guest->limit_bytes == MEM_NO_LIMIT)
        return;
    if (host->now_us >= guest->limit_until_us)
        mem_host_limit(host, guest, MEM_NO_LIMIT, 0);
    else
        keep_limit(host, guest);
}

/* --- life --------------------------------------------------------------------------------- */

MemHostSpec
mem_host_spec(uint64_t total_bytes)
{
    return (MemHostSpec){ .total_bytes = total_bytes,
                          .swap_bytes = total_bytes / 4,
                          .swap_bytes_s = max_u64(200 * MEM_MIB, total_bytes / 1000),
                          .step_us = MEM_S,
                          .has_reclaim = true,
                          .has_limit = true };
}

MemHost *
mem_host_new(const MemHostSpec *spec)
{
    MemHost *host = calloc(1, sizeof(*host));

    if (!host)
        abort();
    host->spec = *spec;
    host->now_us = MEM_HOUR;
    host->files_bytes = spec->total_bytes / 50;
    host->swap_free_bytes = spec->swap_bytes;
    host->next_key = 1;
    return host;
}

void
mem_host_free(MemHost *host)
{
    if (!host)
        return;
    free(host->guests);
    free(host);
}

MemGuest *
mem_host_start(MemHost *host, const MemSpec *spec, uint64_t seed)
{
    MemGuest *guests = realloc(host->guests, (host->n + 1) * sizeof(*guests));

    if (!guests)
        abort();
    host->guests = guests;
    mem_guest_start(&guests[host->n], spec, seed, host->now_us);
    guests[host->n].key = host->next_key++;
    return &guests[host->n++];
}

static void
add_guest(MemScore *score, const MemGuest *guest, uint64_t now_us)
{
    score->guest_in_bytes += guest->swap_in_bytes;
    score->guest_out_bytes += guest->swap_out_bytes;
    score->host_in_bytes += guest->host_in_bytes;
    score->host_out_bytes += guest->host_out_bytes;
    score->guest_stall_us += guest->stall_us + guest->own_stall_us;
    score->guest_us += now_us - guest->started_us;
    score->guest_ooms += guest->ooms;
}

void
mem_host_stop(MemHost *host, size_t index)
{
    add_guest(&host->gone, &host->guests[index], host->now_us);
    host->n--;
    memmove(&host->guests[index], &host->guests[index + 1],
            (host->n - index) * sizeof(*host->guests));
}

void
mem_host_step(MemHost *host)
{
    host->now_us += host->spec.step_us;
    host->moved_bytes = 0;
    host->last_stall_us = 0;
    for (size_t i = 0; i < host->n; i++) {
        mem_guest_step(&host->guests[i], host->now_us, host->spec.step_us);
        fault(host, &host->guests[i]);
        watch_limit(host, &host->guests[i]);
    }
    host->swap_free_bytes = count_swap(host);
    balance(host);
    host->stall_us += host->last_stall_us;
}

MemScore
mem_host_score(const MemHost *host)
{
    MemScore score = host->gone;

    for (size_t i = 0; i < host->n; i++)
        add_guest(&score, &host->guests[i], host->now_us);
    score.host_ooms = host->ooms;
    return score;
}
