/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpu_window.h - how much CPU time ksmd may still use within its budget of the last minute */
#ifndef POLICY_CPU_WINDOW_H
#define POLICY_CPU_WINDOW_H

#include "policy/policy.h"

/**
 * cpu_window_add() - book what ksmd has used since the last call
 * @window: updated; last_cpu_us is VALUE_UNKNOWN before the first call
 * @now_us: CLOCK_MONOTONIC, not before the last call's
 * @cpu_us: run time of ksmd since boot; VALUE_UNKNOWN books nothing, a counter that went back
 *          (a new ksmd) starts afresh
 */
void cpu_window_add(CpuWindow *window, uint64_t now_us, uint64_t cpu_us);

/**
 * cpu_window_left() - CPU time that may still be used now
 * @window:    as left by cpu_window_add()
 * @budget_bp: allowed share of one CPU, basis points
 *
 * Return: microseconds; 0 when the budget of the last minute is used up.
 */
uint64_t cpu_window_left(const CpuWindow *window, uint64_t budget_bp);

#endif
