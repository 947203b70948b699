/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* await.h - run the default loop until something is so, however slow the machine is */
#ifndef TEST_SUPPORT_AWAIT_H
#define TEST_SUPPORT_AWAIT_H

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Longest wait; what is waited for takes milliseconds on a machine that does nothing else. */
#define AWAIT_MOST_US (30 * G_USEC_PER_SEC)

/** AWAIT() - run the default loop until @condition holds; one that does not come fails the test */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        gint64 await_us = g_get_monotonic_time();                                                  \
        while (!(condition))                                                                       \
            await_turn(await_us, #condition);                                                      \
    } while (0)

/** await_turn() - one turn of the loop, for AWAIT() that has begun at @since_us */
static inline void
await_turn(gint64 since_us, const char *condition)
{
    if (g_get_monotonic_time() - since_us > AWAIT_MOST_US)
        fail_msg("waited in vain: %s", condition);
    if (!g_main_context_iteration(NULL, FALSE))
        g_usleep(500);
}

/** await_idle() - do all that the loop can do now: what came from this process is told at once */
static inline void
await_idle(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

#endif
