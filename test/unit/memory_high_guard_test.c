/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory_high_guard_test.c - how the agent starts the process that guards its limits */
#define _GNU_SOURCE
#include "agent/actuator/memory_high_guard.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A program that does nothing about signals. */
static const char *const sleeper[] = { "/bin/sleep", "sleep", "1000", NULL };

/* Signals that a process has blocked, one bit each, from the lowest. */
static uint64_t
blocked_by(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
    g_autofree char *text = NULL;
    const char *line;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    line = strstr(text, "\nSigBlk:\t");
    assert_non_null(line);
    return g_ascii_strtoull(line + strlen("\nSigBlk:\t"), NULL, 16);
}

static void
what_ends_the_agent_politely_cannot_end_a_guard_that_has_just_begun(void **unused)
{
    static const int polite[] = { SIGTERM, SIGINT, SIGHUP };
    HighGuard guard;
    sigset_t before, after;
    uint64_t blocked;

    (void)unused;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    high_guard_init(&guard, sleeper);
    assert_true(high_guard_tell(&guard, UINT64_MAX, NULL));
    blocked = blocked_by(guard.pid);
    for (size_t i = 0; i < G_N_ELEMENTS(polite); i++) {
        if (!(blocked >> (polite[i] - 1) & 1))
            fail_msg("%s ends it: it has blocked %" PRIx64, strsignal(polite[i]), blocked);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (size_t i = 0; i < G_N_ELEMENTS(polite); i++)
        assert_int_equal(sigismember(&after, polite[i]), sigismember(&before, polite[i]));
    kill(guard.pid, SIGKILL);
    high_guard_done(&guard);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ends_the_agent_politely_cannot_end_a_guard_that_has_just_begun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
