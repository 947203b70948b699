/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tracedsave.c - a process that saves a record, and that the test lets go on call by call */
#define _GNU_SOURCE
#include "test/support/tracedsave.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/machine.h"

/* Exit code of a child that may not be traced. */
#define NOT_TRACED 2

bool
tracedsave_now(const RecordPlace *place, const char *value)
{
    Originals originals;
    bool saved;

    recordplace_open(place, &originals);
    if (!originals_prepare(&originals, NULL))
        return false;
    originals_drop(&originals, "ksm", "run");
    if (value)
        originals_set(&originals, "ksm", "run", value);
    saved = originals_save(&originals, NULL);
    originals_done(&originals);
    return saved;
}

char *
tracedsave_look(const RecordPlace *place)
{
    Originals originals;
    g_autofree char *value = NULL;
    bool is_wrong;

    recordplace_open(place, &originals);
    is_wrong = originals.outcome != ORIGINALS_LOADED && originals.outcome != ORIGINALS_EMPTY;
    if (is_wrong)
        value = g_strdup_printf("outcome %d", originals.outcome);
    else
        value = originals_get(&originals, "ksm", "run");
    originals_done(&originals);
    return value ? g_steal_pointer(&value) : g_strdup("");
}

/* Return: whether it stands still, and has not ended. */
static bool
wait_stop(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_TRACED)
        skip_because_machine("processes may not be traced here");
    if (WIFSTOPPED(status))
        return true;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
}

pid_t
tracedsave_begin(const RecordPlace *place, const char *value)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0) {
        assert_true(wait_stop(pid));
        /* So that stops at calls are told from others, for those who ask which call it is. */
        assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD), 0);
        return pid;
    }
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(NOT_TRACED);
    raise(SIGSTOP);
    _exit(tracedsave_now(place, value) ? 0 : 1);
}

bool
tracedsave_step(pid_t pid)
{
    assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
    return wait_stop(pid);
}

void
tracedsave_kill(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}
