/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * skipclock.h - clocks that a test can let jump ahead, instead of waiting
 *
 * Register the test with SOURCES ../support/skipclock.c and WRAP g_get_monotonic_time
 * g_get_real_time.
 */
#ifndef TEST_SUPPORT_SKIPCLOCK_H
#define TEST_SUPPORT_SKIPCLOCK_H

#include <glib.h>

/** skipclock_pass() - for our own code it is @us later from now on, by both clocks; timers of the
 * loop do not notice */
void skipclock_pass(gint64 us);

#endif
