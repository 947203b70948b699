/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pressure.c - what others wait for, CPU and memory, and giving way to them
 *
 * The kernel counts the time in which at least one task waited for a CPU, or for memory; how fast
 * these counters move is the pressure. A host that is itself a guest has its CPUs taken away
 * without any task waiting: stolen time counts the same. While others wait, CPU time is dearer, so
 * a pass has to be worth more before it begins: above cpu_pressure its price rises, in a straight
 * line, to four times the usual one. A pass that has begun goes on at full speed, since the
 * scheduler gives ksmd, with its nice value of 5, little enough beside tasks that want to run.
 *
 *     price  4 |                /
 *            1 |-----------/
 *              +-----------|-----| pressure
 *              0     cpu_pressure  1
 *
 * A latency-critical domain is asked by name: as soon as its threads wait more than a hundredth of
 * the time, a pass gets a tenth of a CPU.
 *
 * Memory is the opposite: when it is short, merging is the cheapest way to get some, and gives way
 * to nobody.
 *
 * Source: Documentation/accounting/psi.rst; ksm_scan_thread() in mm/ksm.c for the nice value.
 */
#include "policy/pressure.h"

/* Counters are compared over at least so long, or single waits look like pressure. */
#define SPAN_US (US_PER_S / 2)
/* What a pass costs while tasks wait for a CPU all the time. */
#define PRICE_MAX_BP (4 * BP_ONE)
/* What a pass gets of a CPU while a latency-critical domain waits. */
#define CRITICAL_CAP_BP (BP_ONE / 10)
/* Waiting of a latency-critical domain, summed over its threads, from which ksmd gives way. */
#define CRITICAL_BP (BP_ONE / 100)
/* Waiting for memory from which it counts as short. */
#define TIGHT_BP (BP_ONE / 100)

/* Share of the time since the last look, BP_ONE at most; 0 where it is not known. */
static uint64_t
share_bp(uint64_t now_us, uint64_t before_us, uint64_t elapsed_us)
{
    if (!is_known(now_us) || !is_known(before_us))
        return 0;
    return min_u64(BP_ONE, mul_div(sat_sub(now_us, before_us), BP_ONE, elapsed_us));
}

static uint64_t
longest_wait_bp(const Sample *sample, const PolicyState *state, uint64_t elapsed_us)
{
    uint64_t longest_bp = 0;

    for (size_t i = 0; i < sample->n; i++)
        if (sample->domains[i].latency_critical && state->domains[i].key == sample->domains[i].key)
            longest_bp = max_u64(longest_bp, share_bp(sample->domains[i].wait_us,
                                                      state->domains[i].wait_us, elapsed_us));
    return longest_bp;
}

void
pressure_update(const Sample *sample, PolicyState *state)
{
    const HostSample *host = &sample->host;
    Pressure *pressure = &state->pressure;
    uint64_t elapsed_us = sat_sub(host->now_us, pressure->at_us);

    if (pressure->at_us > 0 && elapsed_us < SPAN_US)
        return;
    if (pressure->at_us > 0) {
        pressure->cpu_bp = share_bp(host->cpu_stall_us, pressure->cpu_stall_us, elapsed_us);
        pressure->steal_bp =
            share_bp(host->steal_us, pressure->steal_us, mul_div(elapsed_us, host->cpus, 1));
        pressure->memory_bp =
            share_bp(host->memory_stall_us, pressure->memory_stall_us, elapsed_us);
        pressure->wait_bp = longest_wait_bp(sample, state, elapsed_us);
    }
    pressure->at_us = max_u64(host->now_us, 1);
    pressure->cpu_stall_us = host->cpu_stall_us;
    pressure->steal_us = host->steal_us;
    pressure->memory_stall_us = host->memory_stall_us;
    for (size_t i = 0; i < sample->n; i++)
        state->domains[i].wait_us = sample->domains[i].wait_us;
}

bool
pressure_is_tight(const PolicyConf *conf, const HostSample *host, const Pressure *pressure)
{
    if (is_known(host->mem_total_bytes) && is_known(host->mem_available_bytes) &&
        host->mem_available_bytes < mul_div(host->mem_total_bytes, conf->memory_low_bp, BP_ONE))
        return true;
    return pressure->memory_bp >= TIGHT_BP;
}

uint64_t
pressure_price_bp(const PolicyConf *conf, const Pressure *pressure)
{
    uint64_t worst_bp = max_u64(pressure->cpu_bp, pressure->steal_bp);
    uint64_t above_bp;

    if (worst_bp <= conf->cpu_pressure_bp)
        return BP_ONE;
    above_bp = mul_div(worst_bp - conf->cpu_pressure_bp, BP_ONE, BP_ONE - conf->cpu_pressure_bp);
    return BP_ONE + mul_div(above_bp, PRICE_MAX_BP - BP_ONE, BP_ONE);
}

uint64_t
pressure_cap_bp(const Pressure *pressure)
{
    return pressure->wait_bp >= CRITICAL_BP ? CRITICAL_CAP_BP : BP_ONE;
}
