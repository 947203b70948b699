/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracedsave.h - a process that saves a record, and that the test lets go on call by call
 *
 * Register the test with SOURCES x_test.c ../support/tracedsave.c ../support/recordplace.c
 * ../support/fakeroot.c and LIBS agent_actuator.
 */
#ifndef TEST_SUPPORT_TRACEDSAVE_H
#define TEST_SUPPORT_TRACEDSAVE_H

#include "test/support/recordplace.h"

#include <stdbool.h>
#include <sys/types.h>

/** tracedsave_now() - save, in this process, @value as the one of KSM's run; NULL: none */
bool tracedsave_now(const RecordPlace *place, const char *value);

/**
 * tracedsave_look() - what a record says of KSM's run
 *
 * Return: the value, "" for none, or what is wrong with the record; owned by the caller
 */
char *tracedsave_look(const RecordPlace *place);

/**
 * tracedsave_begin() - a process that is about to do what tracedsave_now() does
 *
 * Ends the test where processes may not be traced.
 *
 * Return: its number; it stands still, and is to be let go on by tracedsave_step(), or killed
 */
pid_t tracedsave_begin(const RecordPlace *place, const char *value);

/**
 * tracedsave_step() - let it go on to the beginning or the end of its next system call
 *
 * Source: ptrace(2), PTRACE_SYSCALL
 * Return: false: it has saved, and ended; if it could not save, the test fails.
 */
bool tracedsave_step(pid_t pid);

/** tracedsave_kill() - end it where it stands */
void tracedsave_kill(pid_t pid);

#endif
