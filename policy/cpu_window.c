/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpu_window.c - a budget of CPU time that holds over any minute
 *
 * One slot per second, in a ring. A budget of 25 % is 15 seconds per minute: they may be spent at
 * once, which finishes a burst as early as the budget allows, and come back second by second as
 * the slots that used them leave the window. A token bucket would be smaller, but allows up to
 * twice the budget in a window that starts with a full bucket.
 */
#include "policy/cpu_window.h"

#include <string.h>

/* Forget the seconds that have left the window. */
static void
advance(CpuWindow *window, uint64_t second)
{
    if (second < window->second || second - window->second >= CPU_WINDOW_S) {
        memset(window->used_us, 0, sizeof(window->used_us));
        window->second = second;
    }
    while (window->second < second) {
        window->second++;
        window->used_us[window->second % CPU_WINDOW_S] = 0;
    }
}

void
cpu_window_add(CpuWindow *window, uint64_t now_us, uint64_t cpu_us)
{
    uint32_t *slot;

    advance(window, now_us / US_PER_S);
    if (!is_known(cpu_us))
        return;
    if (is_known(window->last_cpu_us) && cpu_us > window->last_cpu_us) {
        slot = &window->used_us[window->second % CPU_WINDOW_S];
        *slot = (uint32_t)min_u64(sat_add(*slot, cpu_us - window->last_cpu_us), UINT32_MAX);
    }
    window->last_cpu_us = cpu_us;
}

uint64_t
cpu_window_left(const CpuWindow *window, uint64_t budget_bp)
{
    uint64_t used_us = 0;

    for (size_t i = 0; i < CPU_WINDOW_S; i++)
        used_us += window->used_us[i];
    return sat_sub(mul_div((CPU_WINDOW_S - 1) * US_PER_S, budget_bp, BP_ONE), used_us);
}
